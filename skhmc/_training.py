"""From an estimator's parameters to a trained net: what all networks share."""

import inspect
import warnings
from copy import deepcopy
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skhmc._net import OPTIMIZERS, Net, SliceDataset, resolve_device
from skhmc._sources import name_list
from skhmc.nn.modules import MLPEncoder, seed_module

__all__ = [
    "NETWORK_CONSTRAINTS",
    "build_encoder",
    "label_counts",
    "train",
    "warn_constant",
]

ROWS_PER_BLOCK = 1024

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
        sizes = np.atleast_1d(estimator.hidden_layer_sizes).tolist()
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
    sample, _ = SliceDataset(X[:2], dtype=dtype).batch(slice(None), "cpu")
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


def warn_constant(positive, known, names):
    """Warn once of labels that training can say nothing about."""
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
            f"can be learnt about them, and they are predicted at their prior.",
            UserWarning,
            stacklevel=4,
        )


class _CoherentScore:
    """Micro AU(PRC) of a net's coherent probabilities on validation rows."""

    def __init__(self, dataset, Y, form):
        self.dataset, self.form = dataset, form
        self.Y = Y.toarray() if sp.issparse(Y) else Y

    def __call__(self, net):
        proba = self.form.proba(net.logits(self.dataset), "auto")
        known = ~np.isnan(self.Y)
        return average_precision_score(self.Y[known], proba[known])


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
        rows, held_out = train_test_split(
            np.arange(X.shape[0]),
            test_size=estimator.validation_fraction,
            random_state=seeds[3],
        )
        held_out_X = SliceDataset(X[held_out], dtype=dtype)
        score = _CoherentScore(held_out_X, Y[held_out], form)
        best = (score, estimator.n_iter_no_change, estimator.tol)
        X, Y = X[rows], Y[rows]
        weight = None if weight is None else weight[rows]
    weight = form.encode_weight(weight)
    dataset = SliceDataset(X, form.encode(Y), weight, dtype=dtype)
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
