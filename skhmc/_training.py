"""From an estimator's parameters to a trained net: what all networks share."""

import inspect
import warnings
from copy import deepcopy
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    Interval,
    InvalidParameterError,
    StrOptions,
)

from skhmc._net import OPTIMIZERS, Net, SliceDataset, resolve_device
from skhmc._sources import name_list
from skhmc.metrics import au_prc_score
from skhmc.nn.modules import MLPEncoder, seed_module

__all__ = [
    "NETWORK_CONSTRAINTS",
    "build_encoder",
    "label_counts",
    "positive_elements",
    "rates",
    "train",
    "warn_constant",
]

ROWS_PER_BLOCK = 1024
SMOOTHING = 1e-4  # the rate of a label that no training row has

_share = Interval(Real, 0, 1, closed="left")
_positive = Interval(Real, 0, None, closed="neither")
_count = Interval(Integral, 1, None, closed="left")

NETWORK_CONSTRAINTS = {
    "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
    "encoder": [None, callable],
    "hidden_layer_sizes": ["array-like", _count],
    "input_dropout": [_share, StrOptions({"auto"})],
    "dropout": [_share, StrOptions({"auto"})],
    "embedding_dropout": [_share, StrOptions({"auto"})],
    "threshold": [None, Interval(Real, 0, 1, closed="both")],
    "proba_format": [StrOptions({"array", "list"})],
    "optimizer": [StrOptions(set(OPTIMIZERS))],
    "learning_rate_init": [_positive],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "schedule": [StrOptions({"onecycle", "constant"})],
    "batch_size": [None, _count],
    "max_iter": [_count],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [_count],
    "tol": [Interval(Real, 0, None, closed="left")],
    "dtype": [StrOptions({"float32", "float64"})],
    "device": "no_validation",  # resolve_device says what is wrong
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}


def positive_elements(estimator, name, kind):
    """Return a parameter that is a number or a sequence of them as a list, checked."""
    given = getattr(estimator, name)
    values = np.atleast_1d(given).tolist()
    if not all(isinstance(value, kind) and value > 0 for value in values):
        raise InvalidParameterError(
            f"The {name!r} parameter must hold positive numbers ({kind.__name__}), got "
            f"{given!r}."
        )
    return values


def build_encoder(estimator, X):
    """Return the encoder, the width of its output, and the parts that are the user's.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``encoder``, ``hidden_layer_sizes``, ``dropout_`` and ``input_dropout_``.
    X : ndarray or csr_matrix of shape (n_samples, ...)

    Returns
    -------
    encoder : nn.Module
    n_encoded : int
    own : set of nn.Module
        Left out of our initialisation and random streams.
    """
    given, dtype = estimator.encoder, getattr(torch, estimator.dtype)
    if given is None:
        sizes = positive_elements(estimator, "hidden_layer_sizes", Integral)
        encoder = MLPEncoder(
            X.shape[1], sizes, estimator.dropout_, estimator.input_dropout_
        )
        return encoder, encoder.n_outputs, set()
    if isinstance(given, torch.nn.Module):
        encoder = deepcopy(given)
    elif "input_shape" in inspect.signature(given).parameters:
        encoder = given(input_shape=X.shape[1:])
    else:
        encoder = given()
    encoder = encoder.to(dtype).eval()
    sample, _ = SliceDataset(X[:2], dtype=dtype, copy=True).batch(slice(None), "cpu")
    with torch.no_grad():
        n_encoded = encoder(sample).flatten(1).shape[1]
    return encoder, n_encoded, set(encoder.modules())


def label_counts(Y, weight):
    """Return the weighted positives and known values of every label.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        0, 1 or NaN.
    weight : ndarray of shape (n_samples, 1 or n_labels) or None

    Returns
    -------
    positive, known : ndarray of shape (n_labels,)
    """
    if sp.issparse(Y) and weight is None and not np.isnan(Y.data).any():
        known = np.full(Y.shape[1], float(Y.shape[0]))
        return np.asarray(Y.sum(axis=0, dtype=np.float64)).ravel(), known
    positive, known = np.zeros(Y.shape[1]), np.zeros(Y.shape[1])
    for start in range(0, Y.shape[0], ROWS_PER_BLOCK):
        rows = slice(start, start + ROWS_PER_BLOCK)
        y = Y[rows].toarray() if sp.issparse(Y) else Y[rows]
        w = np.ones((len(y), 1)) if weight is None else weight[rows]
        positive += np.nansum(y * w, axis=0)
        known += (~np.isnan(y) * w).sum(axis=0)
    return positive, known


def rates(positive, known):
    """Return every label's share of positives, kept off 0 and 1.

    Unknown labels get the share of all labels together. Neither the number of rows nor
    the scale of weights matters, so that weights and repeated rows are equivalent.
    """
    overall = positive.sum() / max(known.sum(), np.finfo(float).tiny)
    known = np.where(known > 0, known, np.nan)
    share = np.nan_to_num(positive / known, nan=overall)
    return (share + SMOOTHING) / (1 + 2 * SMOOTHING)


def warn_constant(positive, known, names, fate):
    """Warn once of labels that training can say nothing about, and of their fate."""
    kinds = {
        "no known value": known == 0,
        "no positive row": (known > 0) & (positive == 0),
        "only positive rows": (known > 0) & (positive == known),
    }
    said = [
        f"{mask.sum()} with {kind} ({name_list(np.array(names, object)[mask])})"
        for kind, mask in kinds.items()
        if mask.any()
    ]
    if said:
        warnings.warn(
            f"Of {len(names)} labels, {'; '.join(said)} in the training data: nothing "
            f"can be learnt about them, and they are predicted {fate}.",
            UserWarning,
            stacklevel=4,
        )


class _CoherentScore:
    """Micro AU(PRC) of a net's coherent probabilities on validation rows."""

    def __init__(self, dataset, Y, weight, form):
        self.dataset, self.Y, self.form = dataset, Y, form
        self.weight = None if weight is None else weight.mean(axis=1)
        values = Y.data if sp.issparse(Y) else Y
        heavy = 1 if weight is None else self.weight.sum()
        if not (values == 1).any() or not heavy:
            raise ValueError(
                f"early_stopping held out {Y.shape[0]} samples and none of them has a "
                f"known positive label of positive weight. Raise validation_fraction, "
                f"or set early_stopping=False."
            )

    def __call__(self, net):
        proba = self.form.proba(net.logits(self.dataset), "auto")
        options = {"close": False, "sample_weight": self.weight}
        return au_prc_score(self.Y, proba, **options)


def hold_out(Y, fraction, random_state):
    """Return the rows to train on and a sample of rows, stratified by rarest label.

    Rows are put in the order of their rarest positive label, at random within it, and
    rows at even distances are held out, at least one and not all.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
    fraction : float
    random_state : int

    Returns
    -------
    rows, held_out : ndarray of int
    """
    positive = sp.csr_matrix(Y == 1)
    rarity = 1 / np.maximum(np.asarray(positive.sum(axis=0)).ravel(), 1)
    rarest = positive.multiply(rarity).tocsr().argmax(axis=1)
    n_samples, rng = Y.shape[0], np.random.RandomState(random_state)
    order = np.lexsort((rng.random_sample(n_samples), np.asarray(rarest).ravel()))
    if n_samples < 2:
        raise ValueError(
            f"early_stopping needs at least 2 samples to hold one out, got "
            f"{n_samples}. Set early_stopping=False."
        )
    n_held_out = int(np.clip(round(fraction * n_samples), 1, n_samples - 1))
    places = (np.arange(n_held_out) + rng.random_sample()) * n_samples / n_held_out
    held_out = np.sort(order[places.astype(np.intp)])
    return np.setdiff1d(np.arange(n_samples), held_out), held_out


def train(estimator, module, criterion, form, X, Y, weight, *, own, groups=()):
    """Train a network and set ``net_``, ``history_`` and ``n_iter_`` of an estimator.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters of ``NETWORK_CONSTRAINTS``.
    module, criterion : nn.Module
        Not yet initialised.
    form : ManyPaths or SinglePath
    X : ndarray or csr_matrix of shape (n_samples, ...)
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Closed targets in the order of ``form.outside``.
    weight : ndarray of shape (n_samples, 1 or n_labels) or None
    own : set of nn.Module
        The user's modules.
    groups : sequence of (pattern, dict)
        Parameter groups of the optimiser.
    """
    random_state = check_random_state(estimator.random_state)
    seeds = random_state.randint(np.iinfo(np.int32).max, size=4).tolist()
    device, dtype = resolve_device(estimator.device), getattr(torch, estimator.dtype)
    init, shuffle = (torch.Generator().manual_seed(seed) for seed in seeds[:2])
    module, criterion = module.to(dtype), criterion.to(dtype)
    seed_module(module, init, torch.Generator(device).manual_seed(seeds[2]), own)

    best = None
    if estimator.early_stopping:
        rows, held_out = hold_out(Y, estimator.validation_fraction, seeds[3])
        parts = [None if a is None else a[held_out] for a in (X, Y, weight)]
        held_out_X = SliceDataset(parts[0], dtype=dtype, copy=bool(own))
        score = _CoherentScore(held_out_X, *parts[1:], form)
        best = (score, estimator.n_iter_no_change, estimator.tol)
        X, Y, weight = (None if a is None else a[rows] for a in (X, Y, weight))
    targets, weight = form.encode(Y), form.encode_weight(weight)
    dataset = SliceDataset(X, targets, weight, dtype=dtype, copy=bool(own))
    net = Net(
        module,
        criterion=criterion,
        generator=shuffle,
        schedule=estimator.schedule,
        best=best,
        title=type(estimator).__name__,
        lr=estimator.learning_rate_init,
        max_epochs=estimator.max_iter,
        batch_size=estimator.batch_size or len(dataset),
        device=device,
        verbose=int(estimator.verbose),
        **_optimizer_options(estimator, device, groups),
    )
    net.fit(dataset, None)
    return _record(estimator, net)


def _optimizer_options(estimator, device, groups):
    options = {
        "optimizer": OPTIMIZERS[estimator.optimizer],
        "optimizer__weight_decay": estimator.weight_decay,
        "optimizer__param_groups": list(groups),
    }
    if estimator.optimizer == "sgd":
        return options | {"optimizer__momentum": estimator.momentum}
    # fused: one pass over the parameters, which torch does not choose by itself on CPU
    return options | ({"optimizer__fused": True} if device == "cpu" else {})


def _record(estimator, net):
    estimator.net_ = net
    estimator.history_ = [
        {key: value for key, value in epoch.items() if key != "batches"}
        for epoch in net.history
        if "train_loss" in epoch  # not an epoch that was interrupted
    ]
    estimator.n_iter_ = len(estimator.history_)
    if estimator.n_iter_ < estimator.max_iter and not net.stopped_early:
        kept = "it had then" if net.best is None else "of its best epoch"
        warnings.warn(
            f"Training was interrupted after {estimator.n_iter_} of "
            f"{estimator.max_iter} epochs. The estimator is fitted with the weights "
            f"{kept}.",
            UserWarning,
            stacklevel=5,
        )
    return estimator
