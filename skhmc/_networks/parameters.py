"""Parameters of network estimators: what they may be, and what "auto" means.

:func:`resolve` is the one place that decides what parameters leave open. It reads
parameters and data and writes nothing; what it returns, :class:`Settings`, is all that
building and training a network look at.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from contextlib import suppress
from copy import copy, deepcopy
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from torch.optim.lr_scheduler import OneCycleLR

from skhmc._networks.checkpoint import Checkpoint
from skhmc._networks.skorch_net import keeps_state, scores_data, sets_sizes
from skhmc._scoring.label_form import ManyPaths, SinglePath
from skhmc._utils.messages import name_list
from skhmc.coherence import Rule, is_single_path, stopping_points
from skhmc.metrics import Metric, find_metric
from skhmc.nn.losses import find_loss
from skhmc.nn.rows import RowAdamW

__all__ = [
    "ABSENT",
    "EMBEDDING_CONSTRAINTS",
    "ENSEMBLE_CONSTRAINTS",
    "NETWORK_CONSTRAINTS",
    "PrefixedParams",
    "Settings",
    "check_accepted",
    "check_encoder",
    "check_values",
    "class_weight_of",
    "elements",
    "epochs_of_texts",
    "label_form",
    "positive_elements",
    "prefixed",
    "resolve",
]

# -- what "auto" means -----------------------------------------------------------------

# shares of the input, of hidden layers and of the embedding that are dropped
DROPOUT = {"single": (0.1, 0.5, 0.2), "many": (0.2, 0.7, 0.5)}
WIDE_DROPOUT = 0.4  # of the input of "many", where features are more than samples
FEW_FEATURES = 10  # of fewer features none can be spared

# sparse X of at least so many features, at most this share of them stored, stays sparse
WIDE = 1000
SPARSE = 0.03
# rows of it are multiplied by one number, so that their median length is this; it is
# taken of so many rows
INPUT_NORM = 30.0
ROWS_FOR_NORM = 10_000
# hidden layers: of such an X, by benchmarks.sparse_defaults, and of others
WIDTHS_SPARSE = (1000,)
WIDTHS = (1000, 1000)
N_EPOCHS = 60
# of such an X as many epochs as so many steps need, but at least these
LEAST_STEPS = 800
LEAST_EPOCHS = 10

MAX_LABELS_EXACT = 20_000  # up to so many labels every step looks at all of them
N_SAMPLED_LABELS = 5_000  # so many of those that are not positive it takes else

MAX_PATH_WEIGHTS = 20_000_000  # up to so many weights a sparse X has a linear path

MAX_LABELS_WITH_HEAD = 20_000  # up to so many labels there is a linear head
MAX_HEAD_WEIGHTS = 20_000_000  # and up to so many weights of it

# -- what goes without saying ----------------------------------------------------------

WEIGHT_DECAY = 0.01
OPTIMIZERS = {
    "adamw": (torch.optim.AdamW, {"weight_decay": WEIGHT_DECAY}),
    "adam": (torch.optim.Adam, {"weight_decay": WEIGHT_DECAY}),
    "sgd": (torch.optim.SGD, {"weight_decay": WEIGHT_DECAY, "momentum": 0.9}),
}
DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "tf32": torch.float32,
    "mixed": torch.float32,
}
BALANCED_CAP = 3.0  # "balanced" weighs nothing more than so many times its opposite
CHUNK = 32  # samples per class mean
# of the contrastive loss, found on validation rows of texts by benchmarks.contrast
CONTRAST_WEIGHT = 0.03
# parameters that some networks lack, and what they do without them
ABSENT = {
    "label_loss": "bce",
    "leaf_prediction": "auto",
    "linear_head": False,
    "normalize_features": False,
    "aggregation": 0.0,
    "contrastive": None,
    "n_estimators": 1,
}
# what the one cycle is told by the data, and not by the user
STEPS = {"optimizer", "max_lr", "total_steps", "epochs", "steps_per_epoch"}
STEPS |= {"last_epoch"}

# -- what parameters may be ------------------------------------------------------------

_share = Interval(Real, 0, 1, closed="left")
_positive = Interval(Real, 0, None, closed="neither")
_count = Interval(Integral, 1, None, closed="left")

NETWORK_CONSTRAINTS = {
    "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
    "encoder": [None, callable],
    "hidden_layer_sizes": ["array-like", _count, StrOptions({"auto"})],
    "linear_path": ["boolean", StrOptions({"auto"})],
    "dropout": [_share, StrOptions({"auto"}), "array-like"],
    "class_weight": [None, dict, StrOptions({"balanced"}), tuple, list],
    "threshold": [None, Interval(Real, 0, 1, closed="both")],
    "proba_format": [StrOptions({"array", "list"})],
    "sparse_output": ["boolean"],
    "optimizer": [StrOptions(set(OPTIMIZERS)), callable],
    "learning_rate_init": [_positive],
    "schedule": [StrOptions({"onecycle", "constant"}), callable],
    "batch_size": [None, _count],
    "n_sampled_labels": [None, _count, StrOptions({"auto"}), tuple, list],
    "max_iter": [_count, StrOptions({"auto"})],
    "warm_start": ["boolean"],
    "early_stopping": ["boolean", str],  # find_metric says what is wrong
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [_count],
    "tol": [Interval(Real, 0, None, closed="left")],
    "callbacks": [None, list, tuple],
    "checkpoint": [None, Checkpoint],
    "precision": [StrOptions(set(DTYPES))],
    "device": "no_validation",  # resolve_device says what is wrong
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
ENSEMBLE_CONSTRAINTS = {"n_estimators": [_count]}  # of what may be several networks
EMBEDDING_CONSTRAINTS = {  # of networks that embed X where labels are
    "embedding_dim": [_count],
    "learning_rate_init": [_positive, "array-like"],
}


class EarlyStopping(NamedTuple):
    """When training ends early."""

    metric: Metric  # of what is predicted for the samples held out
    rule: Rule | None  # that makes scores coherent
    threshold: float | None  # above which a label is predicted
    share: float  # of the samples held out
    patience: int  # epochs
    tol: float  # least rise that counts


@dataclass(frozen=True)
class Settings:
    """What parameters mean for the data at hand: nothing is "auto" any more."""

    # labels
    form: ManyPaths | SinglePath  # how labels are scored
    label_loss: object  # name or function
    leaf_prediction: str
    class_weight: object  # None, a dict, or the cap of "balanced"
    # the network
    n_estimators: int
    hidden_layer_sizes: list
    dropout: tuple  # shares of the input, the hidden layers and, if any, the embedding
    sparse_input: bool  # whether batches of a sparse X stay sparse
    input_scale: float  # what the perceptron multiplies X by
    input_row_gradients: bool  # and whether a step then writes only what they store
    linear_path: bool
    linear_head: bool
    normalize_features: bool
    aggregation: float
    chunk: int
    contrast_weight: float | None  # of HMCE; None is none
    # training
    dtype: torch.dtype
    precision: str  # of matrix products
    device: str
    learning_rates: list  # the network's, and those of other parts of it, if any
    optimizer: type
    optimizer_options: dict
    schedule: object  # "onecycle", "constant" or a class
    schedule_options: dict
    batch_size: int | None
    n_sampled_labels: int | None
    sample_siblings: bool  # whether half of these are siblings of positive labels
    row_gradients: bool  # whether a step writes only the rows of the labels sampled
    max_iter: int
    early_stopping: EarlyStopping | None
    callbacks: list
    callback_options: dict
    copy_input: bool  # a user's encoder may write into what it gets
    random_state: object
    title: str  # what progress is shown of
    verbose: int


def resolve(params, targets, X, *, dropped, n_encoded, device, former, partial, title):
    """Decide what the parameters of an estimator leave open.

    Parameters
    ----------
    params : dict
        Parameters of a network estimator by name, with those that are handed on, and
        with those of ``ABSENT`` that it lacks.
    targets : Targets
        Labels in the order of Y's columns.
    X : ndarray, csr_matrix or FileRows of shape (n_samples, ...)
        All training samples, or with ``partial`` some.
    dropped : tuple of str
        What the elements of ``dropout`` stand for.
    n_encoded : int or None
        Width of the user's encoder; None for the perceptron.
    device : str
        Name of a device that is there.
    former : Former or None
        What a former call left, if training goes on from its weights.
    partial : bool
        Whether X is one of several parts of the training data.
    title : str
        Name of the estimator.

    Returns
    -------
    Settings
    """
    form, label_loss, leaf_prediction = label_form(params, targets, former, partial)
    many = isinstance(form, ManyPaths)
    n_labels = form.hierarchy.n_labels
    sparse_input = _stays_sparse(X, former)
    # texts for the perceptron, which a user's encoder takes the place of
    is_texts = sparse_input and n_encoded is None
    if former is not None:  # one kept before there was a scale trains on as it did
        is_texts = is_texts and former.net.module_.input_scale != 1
    sizes = []
    if n_encoded is None:
        sizes = _hidden_layer_sizes(params, is_texts)
        n_encoded = sizes[-1] if sizes else X.shape[1]
    linear_head = _linear_head(params["linear_head"], n_labels, n_encoded, former)
    aggregation, chunk = _aggregation(params["aggregation"])
    chunk = min(chunk, max(CHUNK, X.shape[0]))  # there are no more to a mean
    contrast_weight = _contrast_weight(params["contrastive"])
    needs_all = _needs_all_labels(label_loss, aggregation, contrast_weight)
    n_sampled = _n_sampled_labels(params, n_labels, needs_all)
    optimizer, optimizer_options = _optimizer(params, device)
    plain_adamw = _is_plain_adamw(params)
    row_gradients = n_sampled is not None and plain_adamw
    linear_path = _linear_path(params, X, n_labels, n_sampled, former)
    input_row_gradients = plain_adamw and sparse_input and (linear_path or is_texts)
    callbacks, callback_options = _callbacks(params)
    learning_rates = _learning_rates(params)
    return Settings(
        form=form,
        label_loss=label_loss,
        leaf_prediction=leaf_prediction,
        class_weight=class_weight_of(params["class_weight"]),
        n_estimators=params["n_estimators"],
        hidden_layer_sizes=sizes,
        dropout=_dropout(params["dropout"], dropped, many, X, partial),
        sparse_input=sparse_input,
        input_scale=_input_scale(X, is_texts, former),
        input_row_gradients=input_row_gradients,
        linear_path=linear_path,
        linear_head=linear_head,
        normalize_features=_normalize_features(params, linear_head, many, former),
        aggregation=aggregation,
        chunk=chunk,
        contrast_weight=contrast_weight,
        dtype=DTYPES[params["precision"]],
        precision=params["precision"],
        device=device,
        learning_rates=learning_rates,
        optimizer=RowAdamW if row_gradients or input_row_gradients else optimizer,
        optimizer_options=optimizer_options,
        # parts come one by one: nobody knows how many steps there will be
        schedule="constant" if partial else params["schedule"],
        schedule_options={} if partial else _schedule_options(params),
        batch_size=params["batch_size"],
        n_sampled_labels=n_sampled,
        sample_siblings=_label_sampling(params["n_sampled_labels"])[1],
        row_gradients=row_gradients,
        max_iter=1 if partial else _n_epochs(params, X.shape[0], is_texts),
        early_stopping=_early_stopping(params, form),
        callbacks=callbacks,
        callback_options=callback_options,
        copy_input=params["encoder"] is not None,
        random_state=params["random_state"],
        title=title,
        verbose=int(params["verbose"]),
    )


def check_values(params, dropped):
    """Raise where the parts of a parameter are wrong, which no data are needed to tell.

    Parameters
    ----------
    params : dict
        As :func:`resolve` takes them.
    dropped : tuple of str
        What the elements of ``dropout`` stand for.
    """
    _dropout_shares(params["dropout"], dropped)
    class_weight_of(params["class_weight"])
    _aggregation(params["aggregation"])
    _contrast_weight(params["contrastive"])
    _label_sampling(params["n_sampled_labels"])
    positive_elements(params, "learning_rate_init", Real)
    _hidden_layer_sizes(params, False)
    _stopping_metric(params)
    _check_named_optimizer(params)


# -- labels ----------------------------------------------------------------------------


def label_form(params, targets, former, partial):
    """Return how labels are scored, the name of their loss, and where paths end.

    Parameters are those of :func:`resolve`.
    """
    label_loss = params["label_loss"]
    leaf_prediction = params["leaf_prediction"]
    if former is not None:
        return _former_form(label_loss, leaf_prediction, targets, former, partial)
    hierarchy = targets.hierarchy
    one_label = targets.classes is not None
    asks = label_loss != "auto" and find_loss(label_loss).single_paths
    if label_loss == "auto" or asks:
        single = is_single_path(targets.Y, hierarchy)
    if label_loss == "auto":
        # Indicators without an edge are a flat multi-label problem, also where by
        # chance no sample has two labels; and later parts may have more than one.
        structured = hierarchy.is_tree and (one_label or len(hierarchy.edges) > 0)
        stays_single = one_label or not partial
        paths = single and structured and stays_single
        label_loss = "softmax" if paths else "bce"
    if not find_loss(label_loss).single_paths:
        if leaf_prediction == "mandatory":
            raise ValueError(
                "leaf_prediction='mandatory' needs labels that form single paths and "
                "label_loss='softmax'; these labels are scored one by one. Use 'auto'."
            )
        return ManyPaths(hierarchy), label_loss, "optional"
    if not single:
        raise ValueError(
            f"label_loss={label_loss!r} needs a tree, no unknown labels (NaN), and at "
            f"most one label per depth and sample, which these labels are not. Use "
            f"'auto' or 'bce'."
        )
    form, leaf_prediction = _single_path(targets, leaf_prediction, partial)
    return form, label_loss, leaf_prediction


def _single_path(targets, asked, partial):
    """Return the form of single paths, and where they end."""
    hierarchy = targets.hierarchy
    one_label = targets.classes is not None
    stops, empty = _stops(targets, partial)
    some_stop = len(stops) > 0 or empty
    leaf_prediction = asked
    if asked == "auto":
        leaf_prediction = "optional" if some_stop else "mandatory"
    # Rows of indicators that stop early may still be scored by the leaves below; a
    # class that is no leaf could never be predicted.
    if leaf_prediction == "mandatory" and some_stop and one_label:
        names = name_list(hierarchy.labels[i] for i in stops)
        what = "classes hold" if partial else "y holds"
        more = ", or name the leaves as classes" if partial else ""
        raise ValueError(
            f"leaf_prediction='mandatory', but {what} labels that are no leaves: "
            f"{names}. Use 'auto' or 'optional'{more}."
        )
    if leaf_prediction == "mandatory":
        return SinglePath(hierarchy), leaf_prediction
    if asked == "optional":  # anywhere, and not only where samples of "auto" stop
        stops = np.setdiff1d(np.arange(hierarchy.n_labels), hierarchy.leaves)
    return SinglePath(hierarchy, stops, empty), leaf_prediction


def _stops(targets, partial):
    """Return where samples may stop, and if they may have no label."""
    hierarchy = targets.hierarchy
    if targets.classes is not None:
        ends = [hierarchy.position(label) for label in targets.classes]
        return np.setdiff1d(ends, hierarchy.leaves), False
    if partial:
        everywhere = np.arange(hierarchy.n_labels)
        return np.setdiff1d(everywhere, hierarchy.leaves), True
    return stopping_points(targets.Y, hierarchy)


def _former_form(label_loss, leaf_prediction, targets, former, partial):
    """Return what training began with, in the order of the new columns."""
    hierarchy = targets.hierarchy
    asked = former.label_loss if label_loss == "auto" else label_loss
    is_single = isinstance(former.form, SinglePath)
    if find_loss(asked).single_paths != is_single:
        raise ValueError(
            f"Training goes on with label_loss={former.label_loss!r}, but got "
            f"{asked!r}. Use 'auto', or start anew: a softmax has other outputs."
        )
    _check_kept("leaf_prediction", leaf_prediction, former.leaf_prediction)
    if not is_single:
        return former.form.reordered(hierarchy), asked, former.leaf_prediction
    if not hierarchy.is_tree:
        several = np.flatnonzero(np.diff(hierarchy.parents.indptr) > 1)
        raise ValueError(
            f"Training goes on with label_loss={former.label_loss!r}, which needs a "
            f"tree, but there are labels with several parents: "
            f"{name_list(hierarchy.labels[k] for k in several)}. Give them one, or fit "
            f"anew with label_loss='bce'."
        )
    stops = _new_stops(targets, former, leaf_prediction, partial)
    form = former.form.reordered(hierarchy, stops)
    kept = former.leaf_prediction
    if stops:
        kept = "optional"
    form.check_targets(targets.Y, leaf_prediction)
    return form, asked, kept


def _new_stops(targets, former, asked, partial):
    """Return where paths may stop now beside where they might, as positions.

    Under labels that were leaves, where paths ended, and have children now; and under
    new labels with children where samples stop, or in parts of the data may.
    """
    hierarchy = targets.hierarchy
    before = former.form.hierarchy_of_Y
    if hierarchy.n_labels == before.n_labels:
        return []
    inner = np.setdiff1d(np.arange(hierarchy.n_labels), hierarchy.leaves)
    names = [hierarchy.labels[k] for k in inner]
    were_leaves = {before.labels[k] for k in before.leaves}
    grown = [k for k, x in zip(inner, names, strict=True) if x in were_leaves]
    new = [k for k, x in zip(inner, names, strict=True) if x not in before]
    if targets.classes is not None:
        classes = {hierarchy.position(label) for label in targets.classes}
        stops = [k for k in grown + new if k in classes]
        _check_mandatory(stops, hierarchy, asked)
        return stops
    if asked == "mandatory":
        return []
    if asked == "auto" and not partial:
        found, _ = stopping_points(targets.Y, hierarchy)
        new = np.intersect1d(new, found).tolist()
    return grown + new


def _check_mandatory(stops, hierarchy, asked):
    if asked == "mandatory" and stops:
        raise ValueError(
            f"leaf_prediction='mandatory', but some classes have children now: "
            f"{name_list(hierarchy.labels[k] for k in stops)}. Use 'auto'."
        )


def _check_kept(name, given, began_with):
    if given not in ("auto", began_with):
        raise ValueError(
            f"Training goes on with {name}={began_with!r}, but got {given!r}. "
            f"Use 'auto', or start anew."
        )


def class_weight_of(given):
    """Return None, a dict, or the cap of balanced weights as a float."""
    if isinstance(given, str):
        return BALANCED_CAP
    if not isinstance(given, (tuple, list)):
        return given
    right = len(given) == 2 and given[0] == "balanced" and _is_number(given[1])
    if not right or not 1 <= given[1] < np.inf:
        raise InvalidParameterError(
            f"The 'class_weight' parameter must be None, a dict by label name, "
            f"'balanced' or a pair ('balanced', cap) with a cap of at least 1, got "
            f"{given!r}."
        )
    return float(given[1])


# -- the network -----------------------------------------------------------------------


def check_encoder(params, former):
    """Raise when the network's encoders cannot be as parameters say.

    Parameters
    ----------
    params : dict
        As :func:`resolve` takes them.
    former : Former or None
        What a former call left, if training goes on from its weights.
    """
    _check_n_estimators(params["n_estimators"], former)
    given = params["encoder"]
    options = prefixed(params, "encoder")
    if options and (given is None or isinstance(given, torch.nn.Module)):
        raise InvalidParameterError(
            f"encoder__{next(iter(options))} was given, but encoder={given!r} is no "
            f"class or factory that could take it."
        )


def _check_n_estimators(given, former):
    if former is None:
        return
    module = former.net.module_
    before = len(getattr(module, "members", [module]))
    if given != before:
        raise ValueError(
            f"Training goes on with n_estimators={before}, but got "
            f"n_estimators={given}. Set it back, or start anew."
        )


def _dropout_shares(given, dropped):
    """Return what ``dropout`` says for each name in ``dropped``: a share or "auto"."""
    shares = elements(given)
    if not _is_sequence(given):
        shares = shares * len(dropped)
    right = len(shares) == len(dropped)
    for share in shares:
        if isinstance(share, str):
            right = right and share == "auto"
        else:
            right = right and _is_number(share) and 0 <= share < 1
    if not right:
        raise InvalidParameterError(
            f"The 'dropout' parameter must be 'auto', a share from 0 up to but not 1, "
            f"or a tuple of {len(dropped)} of these, for {', '.join(dropped)}; got "
            f"{given!r}."
        )
    return shares


def _dropout(given, dropped, many, X, partial):
    """Return the shares that are dropped, one for each name in ``dropped``."""
    shares = _dropout_shares(given, dropped)
    n_samples, n_features = X.shape[:2]
    default = list(DROPOUT["many" if many else "single"])
    if many and n_features > n_samples and not partial:
        default[0] = WIDE_DROPOUT
    if n_features < FEW_FEATURES:
        default[0] = 0.0
    pairs = zip(shares, default, strict=False)
    return tuple(auto if share == "auto" else share for share, auto in pairs)


def _stays_sparse(X, former):
    """Tell whether batches of X stay sparse: where that is faster, or as it was.

    By ``python -m benchmarks.tune sparse_input``.
    """
    if former is not None:  # the state of the optimizer goes with the weights
        return former.net.module_.takes_sparse
    if not sp.issparse(X) or X.shape[1] < WIDE:
        return False
    return X.nnz <= SPARSE * X.shape[0] * X.shape[1]


def _input_scale(X, is_texts, former):
    """Return what the perceptron multiplies X by.

    Initial weights and learning rates are made for features of variance 1. Rows of
    texts have length 1, of thousands of features: a network would learn from them too
    slowly. The zeros of a sparse X stay zeros.
    """
    if former is not None:
        return former.net.module_.input_scale
    if not is_texts:
        return 1.0
    some = X[:: max(X.shape[0] // ROWS_FOR_NORM, 1)].astype(np.float64)
    norms = np.sqrt(np.asarray(some.multiply(some).sum(axis=1)))
    norms = norms[norms > 0]
    scale = INPUT_NORM / np.median(norms) if len(norms) else 1.0
    return float(scale) if scale < np.finfo(np.float32).max else 1.0


def _hidden_layer_sizes(params, is_texts):
    """Return the widths of the perceptron's hidden layers."""
    given = params["hidden_layer_sizes"]
    if isinstance(given, str):
        return list(WIDTHS_SPARSE if is_texts else WIDTHS)
    return positive_elements(params, "hidden_layer_sizes", Integral)


def _n_epochs(params, n_samples, is_texts):
    """Return the number of epochs."""
    if not isinstance(params["max_iter"], str):
        return params["max_iter"]
    if not is_texts or params["optimizer"] not in ("adamw", "adam"):
        return N_EPOCHS
    return epochs_of_texts(n_samples, params["batch_size"] or n_samples)


def epochs_of_texts(n_samples, batch_size):
    """Return how many epochs texts have: enough steps, but few for many samples.

    With more epochs a network learns the rare words of texts by heart.
    """
    steps_per_epoch = math.ceil(n_samples / batch_size)
    enough = math.ceil(LEAST_STEPS / steps_per_epoch)
    return min(max(enough, LEAST_EPOCHS), N_EPOCHS)


def _linear_path(params, X, n_labels, n_sampled, former):
    """Tell whether there is a linear path from X to the labels, beside the encoder."""
    given = params["linear_path"]
    if given == "auto":
        if former is not None:
            return former.net.module_.has_path
        if params["encoder"] is not None or n_sampled is not None:
            return False
        n_weights = X.shape[1] * n_labels
        return sp.issparse(X) and X.shape[1] >= WIDE and n_weights <= MAX_PATH_WEIGHTS
    if given and len(X.shape) > 2:
        raise ValueError(
            f"linear_path=True multiplies features of samples, but X has the shape "
            f"{tuple(X.shape)}. Use linear_path=False, or X of shape (n_samples, "
            f"n_features)."
        )
    if given and n_sampled is not None:
        raise ValueError(
            f"linear_path=True needs all labels in every step, but "
            f"n_sampled_labels={params['n_sampled_labels']!r} samples {n_sampled} of "
            f"{n_labels}. Use n_sampled_labels=None, linear_path=False, or "
            f"LabelTreeClassifier, which is linear for any number of labels."
        )
    return bool(given)


def _linear_head(given, n_labels, n_encoded, former):
    if given != "auto":
        return bool(given)
    if former is not None and former.form.hierarchy.n_labels != n_labels:
        return former.linear_head  # whatever more labels would have been given
    few_labels = n_labels <= MAX_LABELS_WITH_HEAD
    return few_labels and n_labels * n_encoded <= MAX_HEAD_WEIGHTS


def _normalize_features(params, linear_head, many, former):
    given = params["normalize_features"]
    if former is not None:
        _check_kept("normalize_features", given, former.normalize_features)
        return former.normalize_features
    return linear_head and not many if given == "auto" else bool(given)


def _aggregation(given):
    """Return the share of the aggregated loss, and the samples per class mean."""
    pair = elements(given) if _is_sequence(given) else [given, CHUNK]
    right = len(pair) == 2 and all(map(_is_number, pair)) and 0 <= pair[0] <= 1
    if not right or pair[1] % 1 or pair[1] < 1:
        raise InvalidParameterError(
            f"The 'aggregation' parameter must be a share from 0 to 1, or a pair of a "
            f"share and the number of samples per class mean, at least 1; got "
            f"{given!r}."
        )
    return pair[0], int(pair[1])  # an array of both holds floats


def _contrast_weight(given):
    """Return the weight of the contrastive loss, None without one."""
    if given is None:
        return None
    pair = [given, CONTRAST_WEIGHT] if isinstance(given, str) else elements(given)
    right = len(pair) == 2 and isinstance(pair[0], str) and pair[0] == "hmce"
    if not right or not _is_number(pair[1]) or not 0 < pair[1] < np.inf:
        raise InvalidParameterError(
            f"The 'contrastive' parameter must be None, 'hmce', or a pair of 'hmce' "
            f"and the weight of this loss, a number above 0; got {given!r}."
        )
    return float(pair[1])


def _label_sampling(given):
    """Return how many labels to sample, as it was given, and whether from siblings."""
    if not isinstance(given, (tuple, list)):
        return given, False
    right = len(given) == 2 and given[1] == "siblings"
    number = given[0] if right else None
    is_count = _is_number(number) and isinstance(number, Integral) and number >= 1
    if not is_count and number != "auto":
        raise InvalidParameterError(
            f"The 'n_sampled_labels' parameter must be None, 'auto', a number of at "
            f"least 1, or a pair of such a number or 'auto' and 'siblings', got "
            f"{given!r}."
        )
    return number, True


def _n_sampled_labels(params, n_labels, needs_all):
    """Return how many labels are sampled in every step; None where all are taken."""
    given, _ = _label_sampling(params["n_sampled_labels"])
    if given is None:
        return None
    if given == "auto":
        exact = needs_all or n_labels <= MAX_LABELS_EXACT
        return None if exact else N_SAMPLED_LABELS
    if needs_all:
        raise ValueError(
            f"n_sampled_labels={given!r} takes a sample of the labels in every step, "
            f"but {needs_all} needs all of them. Use n_sampled_labels=None, or "
            f"label_loss='bce' and neither aggregation nor contrastive."
        )
    return given


def _needs_all_labels(label_loss, aggregation, contrast_weight):
    """Return what needs all labels in every step, or None if nothing does."""
    if contrast_weight is not None:
        return "contrastive='hmce'"
    if aggregation > 0:
        return f"aggregation={aggregation!r}"
    if not find_loss(label_loss).needs_all_labels:
        return None
    if callable(label_loss):
        return "a callable label_loss"
    return f"label_loss={label_loss!r}"


# -- training --------------------------------------------------------------------------


def _optimizer(params, device):
    """Return the class of the optimizer, and what its constructor gets."""
    given = prefixed(params, "optimizer")
    kind = params["optimizer"]
    options = {}
    if isinstance(kind, str):
        name, (kind, defaults) = kind, OPTIMIZERS[kind]
        options |= defaults
        said = given.keys() & {"foreach", "differentiable"}
        if name != "sgd" and device == "cpu" and not said:
            # one pass over the parameters, which torch does not choose itself on a CPU
            options["fused"] = True
    more = ["param_groups"]
    less = ["params"]
    check_accepted("optimizer", given, kind, more=more, less=less)
    return kind, options | given


def _check_named_optimizer(params):
    """Raise where a named optimizer gets a value that cannot train."""
    if not isinstance(params["optimizer"], str):
        return  # a class checks its own
    given = prefixed(params, "optimizer")
    for name, limit in (("weight_decay", np.inf), ("momentum", 1)):
        value = given.get(name, 0)
        if not _is_number(value) or not 0 <= value < limit:
            below = "" if limit == np.inf else f" and below {limit}"
            raise InvalidParameterError(
                f"The 'optimizer__{name}' parameter must be a finite number of at "
                f"least 0{below}, got {value!r}."
            )


def _is_plain_adamw(params):
    """Tell whether nothing but AdamW in its plain form sees the gradients."""
    given = prefixed(params, "optimizer")
    other = ("amsgrad", "maximize", "capturable", "differentiable")
    plain = not any(given.get(name) for name in other)
    return params["optimizer"] == "adamw" and plain and not params["callbacks"]


def _learning_rates(params):
    """Return the learning rate of the network, and those of other parts of it."""
    rates = positive_elements(params, "learning_rate_init", Real)
    if not rates:
        raise InvalidParameterError(
            f"The 'learning_rate_init' parameter must be a number, or a tuple with the "
            f"learning rate of the network first, got "
            f"{params['learning_rate_init']!r}."
        )
    return rates


def _stopping_metric(params):
    """Return the metric that early stopping watches, or None."""
    given = params["early_stopping"]
    if not given:
        return None
    name = given if isinstance(given, str) else "au_prc"
    try:
        return find_metric(name, "stopping")
    except ValueError as error:
        raise InvalidParameterError(
            f"The 'early_stopping' parameter must be a bool or the name of a metric: "
            f"{error}"
        ) from error


def _early_stopping(params, form):
    metric = _stopping_metric(params)
    if metric is None:
        return None
    # Probabilities are judged as the hierarchy makes them coherent; predictions as
    # predict will return them, but where their hierarchy is learnt afterwards.
    coherence = "auto"
    if metric.response == "predict" and params["coherence"] != "learned":
        coherence = params["coherence"]
    return EarlyStopping(
        metric,
        form.rule(coherence),
        params["threshold"],
        params["validation_fraction"],
        params["n_iter_no_change"],
        params["tol"],
    )


def _schedule_options(params):
    kind = params["schedule"]
    given = prefixed(params, "schedule")
    if kind == "constant" and given:
        raise InvalidParameterError(
            f"schedule='constant' takes no parameters, got schedule__{min(given)}."
        )
    if kind == "onecycle":
        check_accepted("schedule", given, OneCycleLR, less=STEPS)
    elif kind != "constant":
        more = ["monitor", "step_every", "event_name"]  # of skorch
        check_accepted("schedule", given, kind, more=more, less=["optimizer"])
    return given


def _callbacks(params):
    """Return copies of the callbacks, and what they are given by name."""
    items = params["callbacks"] or ()
    names = set()
    for item in items:
        name, callback = item if isinstance(item, tuple) else (None, item)
        if not hasattr(callback, "on_train_begin"):
            raise InvalidParameterError(
                f"callbacks holds {item!r}; expected instances or classes of "
                f"skorch.callbacks.Callback, or pairs (name, callback)."
            )
        if scores_data(callback):
            raise InvalidParameterError(
                f"callbacks holds {item!r}, which scores a net on data of its own. A "
                f"network knows its labels only in an order of its own, and holds out "
                f"no data. Use early_stopping, with True or the name of a metric, "
                f"whose score of every epoch is history_'s valid_score; or a callback "
                f"with a method on_epoch_end that scores net.predict_proba(X)."
            )
        if sets_sizes(callback):
            raise InvalidParameterError(
                f"callbacks holds {item!r}, which sets the size of a module. A network "
                f"takes it from X, and the class or factory of an encoder gets it as "
                f"input_shape, if it has this parameter. Leave the callback out."
            )
        if params["checkpoint"] is not None and not keeps_state(callback):
            raise InvalidParameterError(
                f"callbacks holds {item!r}, whose state checkpoint= cannot keep: it "
                f"would begin anew where a fit goes on. Give its class the methods "
                f"state_dict(), which returns a dict of what it knows (empty, if "
                f"nothing), and load_state_dict(state); or set checkpoint=None."
            )
        kind = callback if isinstance(callback, type) else type(callback)
        names.add(name or kind.__name__)
    given = prefixed(params, "callbacks")
    for key in given:
        if key.split("__")[0] not in names:
            raise InvalidParameterError(
                f"callbacks__{key} is for no callback that there is. Expected the name "
                f"to be one of {sorted(names)}."
            )
    return _copied(items), given


def _copied(items):
    """Return copies of callbacks, so that a fit leaves the user's as they are.

    What several share they share afterwards, too: a callback that others look at, say.
    What cannot be copied, such as an open file, is left as it is.
    """
    copies = {}  # by identity, as deepcopy looks for them
    for item in items:
        callback = item[1] if isinstance(item, tuple) else item
        if not isinstance(callback, type):
            copies.setdefault(id(callback), copy(callback))
    # all callbacks have a copy now: those that hold another are given its copy
    for callback in list(copies.values()):
        for name, value in vars(callback).items():
            with suppress(Exception):
                vars(callback)[name] = deepcopy(value, copies)
    return [_replaced(item, copies) for item in items]


def _replaced(item, copies):
    if isinstance(item, tuple):
        name, callback = item
        return name, copies.get(id(callback), callback)
    return copies.get(id(item), item)


# -- reading parameters ----------------------------------------------------------------


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_))


def elements(given):
    """Return what a sequence holds, or else a value by itself, in a list."""
    if isinstance(given, np.ndarray):
        given = given.tolist()  # a number, where it has no dimension
    return list(given) if _is_sequence(given) else [given]


def _is_sequence(given):
    if isinstance(given, np.ndarray):
        return given.ndim > 0
    return isinstance(given, Sequence) and not isinstance(given, str)


def positive_elements(params, name, kind):
    """Return a parameter that is a number or a sequence of them as a list, checked."""
    given = params[name]
    values = elements(given)
    right = (_is_number(value) and isinstance(value, kind) for value in values)
    if not all(right) or not all(0 < value < np.inf for value in values):
        raise InvalidParameterError(
            f"The {name!r} parameter must hold positive numbers ({kind.__name__}), got "
            f"{given!r}."
        )
    return values


PREFIXES = ("callbacks__", "encoder__", "optimizer__", "schedule__")


def prefixed(params, name):
    """Return the parameters with a prefix such as ``optimizer__``, without it."""
    prefix = f"{name}__"
    return {
        key.removeprefix(prefix): value
        for key, value in params.items()
        if key.startswith(prefix)
    }


def check_accepted(name, options, function, more=(), less=()):
    """Raise when a class or function does not take what is handed on to it.

    Parameters
    ----------
    name : str
        The prefix, for the message.
    options : dict
    function : callable
    more : iterable of str
        What else is understood.
    less : iterable of str
        What is not the user's to say.
    """
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return
    known = sorted({p.name for p in parameters} - set(less) | set(more))
    for key in options:
        if key not in known:
            called = getattr(function, "__qualname__", repr(function))
            expected = ", ".join(f"{name}__{k}" for k in known) or "no such parameter"
            raise InvalidParameterError(
                f"{name}__{key} is no parameter of {called}. Expected some of: "
                f"{expected}."
            )


class PrefixedParams(BaseEstimator):
    """Takes, shows and sets parameters with a prefix: ``optimizer__betas``, say.

    The constructor of a subclass ends with ``**prefixed`` and
    ``self._set_prefixed(prefixed)``.
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        # scikit-learn takes the signature for the list of parameters, to which the
        # name of the open end does not belong
        signature = inspect.signature(cls.__init__)
        named = [p for p in signature.parameters.values() if p.kind != p.VAR_KEYWORD]
        cls.__signature__ = signature.replace(parameters=named[1:])

    def _set_prefixed(self, params):
        """Set parameters by their full names; one without a prefix is an error."""
        for key in params:
            if not key.startswith(PREFIXES):
                raise TypeError(
                    f"{type(self).__name__}.__init__() got an unexpected keyword "
                    f"argument {key!r}; parameters that are handed on begin with "
                    f"{', '.join(PREFIXES)}."
                )
        for name, value in params.items():
            setattr(self, name, value)

    def _all_params(self):
        """Return every parameter by name, also those that a subclass does not name.

        A subclass may have others beside them, and need not declare what they may be.
        """
        return {
            name: value
            for name, value in vars(self).items()
            if not name.startswith("_") and not name.endswith("_")
        }

    def _prefixed(self):
        return {k: v for k, v in vars(self).items() if k.startswith(PREFIXES)}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters by name, also those such as ``optimizer__betas``.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the parameters of parameters that are estimators, too.

        Returns
        -------
        dict
            Names and values.
        """
        return super().get_params(deep) | self._prefixed()

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also those such as ``optimizer__betas``.

        Parameters
        ----------
        **params : dict
            Names and values. In a Pipeline the step's name comes first:
            ``hcalclassifier__optimizer__betas``.

        Returns
        -------
        estimator
            The estimator itself.
        """
        handed_on = {k: v for k, v in params.items() if k.startswith(PREFIXES)}
        super().set_params(**{k: v for k, v in params.items() if k not in handed_on})
        for name, value in handed_on.items():
            setattr(self, name, value)
        return self
