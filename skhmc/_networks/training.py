"""Training a network with an estimator's parameters: what all networks share."""

import fnmatch
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import logit
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError
from torch.optim.lr_scheduler import OneCycleLR

from skhmc._data.hold_out import hold_out
from skhmc._data.weights import rates
from skhmc._data.X import FileRows
from skhmc._networks.batches import SliceDataset
from skhmc._networks.label_sampling import label_sampler
from skhmc._networks.parameters import check_accepted, passed_on
from skhmc._networks.skorch_net import OPTIMIZERS, Net, resolve_device
from skhmc._scoring.label_form import ManyPaths, SinglePath
from skhmc._scoring.outputs import Blocks
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import warn_user
from skhmc.metrics import au_prc_score
from skhmc.nn.modules import initialise
from skhmc.nn.rows import RowAdamW

__all__ = ["Parts", "Problem", "draw_seeds", "train"]


# what the one cycle is told by the data, and not by the user
STEPS = {"optimizer", "max_lr", "total_steps", "epochs", "steps_per_epoch"}
STEPS |= {"last_epoch"}


@dataclass
class Problem:
    """What is to be learnt: the data, and how often every label of the net is there."""

    X: np.ndarray | sp.csr_matrix | FileRows  # (n_samples, ...)
    Y: (
        np.ndarray | sp.csr_matrix
    )  # (n_samples, n_labels), closed, as the form's outside
    weight: np.ndarray | None  # (n_samples, 1 or n_labels)
    sample_weight: np.ndarray | None  # likewise, without class weights of a 1-D y
    form: ManyPaths | SinglePath
    positive: np.ndarray  # (n_net_labels,), of all training data so far
    known: np.ndarray  # likewise
    fixed: np.ndarray  # (n_net_labels,), bool: nothing can be learnt about these
    n_samples: int  # so far
    partial: bool  # whether other parts of the training data follow
    going_on: bool  # whether other parts came before
    class_weight: tuple[np.ndarray, np.ndarray] | None  # of a label's 0s and its 1s
    seeds: list[int]  # of initial weights, batches, dropout and what is held out
    held_out: float | None  # share of the samples

    @cached_property
    def split(self):
        """The rows to train on and those that are held out, the latter None if none."""
        if self.held_out is None:
            return slice(None), None
        return hold_out(self.Y, self.held_out, self.seeds[3])

    def weighted_counts(self):
        """Return ``positive`` and ``known`` as the class weights count them."""
        if self.class_weight is None:
            return self.positive, self.known
        zeros, ones = self.class_weight
        positive = self.positive * ones
        return positive, positive + (self.known - self.positive) * zeros

    def frequencies(self):
        """Return every label's share of positives, as the class weights count them."""
        return rates(*self.weighted_counts())

    def log_odds(self):
        """Return where the logits of labels start; fixed ones stay there."""
        prior = rates(self.positive, self.known)
        return logit(np.where(self.fixed, prior, self.frequencies()))


@dataclass
class Parts:
    """What an estimator builds for a problem; nothing is initialised yet."""

    module: torch.nn.Module
    criterion: torch.nn.Module
    own: set = field(default_factory=set)  # modules of the user, left as they are
    groups: list = field(default_factory=list)  # (pattern, dict) for the optimiser


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
        blocks = Blocks(net.logits(self.dataset), len(self.dataset))
        proba = blocks.map(lambda logits: self.form.proba(logits, "auto")).array()
        options = {"close": False, "sample_weight": self.weight}
        return au_prc_score(self.Y, proba, **options)


def train(estimator, parts, problem, former=None, partial=False):
    """Train a network and set ``net_``, ``history_`` and ``n_iter_`` of an estimator.

    Parameters
    ----------
    estimator : BaseEstimator
        With the parameters of ``NETWORK_CONSTRAINTS``.
    parts : Parts
    problem : Problem
    former : Net or None
        Whose weights to start from.
    partial : bool, default=False
        Whether to train one epoch more, at a constant learning rate.
    """
    going_on = former if partial else None
    device, dtype = resolve_device(estimator.device), getattr(torch, estimator.dtype)
    init, shuffle = (torch.Generator().manual_seed(seed) for seed in problem.seeds[:2])
    draws = torch.Generator(device).manual_seed(problem.seeds[2])
    module, criterion = parts.module.to(dtype), parts.criterion.to(dtype)
    _initialise(module, criterion, former, init, draws, parts.own)

    sampler = label_sampler(estimator, len(problem.positive), shuffle)
    by_row = sampler is not None and _steps_by_row(estimator)
    for network in getattr(module, "members", [module]):
        network.row_gradients = by_row
    dataset, best = _set_apart(estimator, problem, module.takes_sparse, sampler)
    net = Net(
        module,
        criterion=criterion,
        generator=shuffle,
        schedule="constant" if partial else estimator.schedule,
        schedule_options={} if partial else _schedule_options(estimator),
        best=best,
        title=type(estimator).__name__,
        resumable=partial,
        precision=_precision(estimator),
        lr=estimator.learning_rate_init,
        max_epochs=1 if partial else estimator.max_iter,
        batch_size=estimator.batch_size or len(dataset),
        device=device,
        verbose=int(estimator.verbose),
        **_callback_options(estimator),
        **_optimizer_options(estimator, device, parts),
    ).initialize()
    if going_on is not None:
        net.go_on_from(going_on)
    n_before = len(net.history)  # without epochs that were interrupted
    net.partial_fit(dataset, None)
    net.check_finite()
    _record(estimator, net, n_before + net.max_epochs)


def _initialise(module, criterion, former, init, draws, own):
    """Draw the weights of a network, or take over those of a former one."""
    initialise(module, init if former is None else None, draws, own)
    initialise(criterion, None, draws, own)
    if former is not None:
        module.load_from(former.module_)
        criterion.load_from(former.criterion_)
    elif getattr(module, "all_alike", False):
        warn_user(
            f"All n_networks={len(module.members)} networks start from the same "
            f"weights, so that they learn the same, or nearly. Give encoder as a class "
            f"or factory that draws its weights, or set n_networks=1."
        )


def _precision(estimator):
    if (estimator.precision, estimator.dtype) == ("mixed", "float64"):
        raise ValueError(
            "precision='mixed' is for dtype='float32', got dtype='float64'. Leave one "
            "of them at its default."
        )
    return estimator.precision


def draw_seeds(random_state, going_on):
    """Return four seeds, other ones for every call that goes on."""
    rng = check_random_state(random_state)
    if going_on is not None:  # a fit that is repeated in the same calls draws the same
        rng = np.random.RandomState([rng.randint(2**31), len(going_on.history)])
    return rng.randint(np.iinfo(np.int32).max, size=4).tolist()


def _set_apart(estimator, problem, sparse, sampler):
    """Return the data to train on, and what early stopping needs if anything."""
    data, form = (problem.X, problem.Y, problem.weight), problem.form
    dtype, own = getattr(torch, estimator.dtype), estimator._many_dimensions
    options, best = {"dtype": dtype, "copy": own, "sparse": sparse}, None
    rows, held_out = problem.split
    if held_out is not None:
        data, apart = (
            [None if a is None else a[part] for a in data] for part in (rows, held_out)
        )
        watched = SliceDataset(apart[0], **options)
        score = _CoherentScore(watched, *apart[1:], form)
        best = score, estimator.n_iter_no_change, estimator.tol
    (Y, columns), weight = form.place(data[1]), form.encode_weight(data[2])
    options |= {"columns": columns, "sampler": sampler}
    return SliceDataset(data[0], Y, weight, **options), best


def _schedule_options(estimator):
    kind, given = estimator.schedule, passed_on(estimator, "schedule")
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


def _callback_options(estimator):
    names, given = set(), passed_on(estimator, "callbacks")
    for item in estimator.callbacks or ():
        name, callback = item if isinstance(item, tuple) else (None, item)
        if not hasattr(callback, "on_train_begin"):
            raise InvalidParameterError(
                f"callbacks holds {item!r}; expected instances or classes of "
                f"skorch.callbacks.Callback, or pairs (name, callback)."
            )
        kind = callback if isinstance(callback, type) else type(callback)
        names.add(name or kind.__name__)
    for key in given:
        if key.split("__")[0] not in names:
            raise InvalidParameterError(
                f"callbacks__{key} is for no callback that there is. Expected the name "
                f"to be one of {sorted(names)}."
            )
    callbacks = [_copied(item) for item in estimator.callbacks or ()]
    return {"callbacks": callbacks} | {f"callbacks__{k}": given[k] for k in given}


def _copied(item):
    """Return a copy of a callback, so that a fit leaves the user's as it is."""
    try:
        return clone(item, safe=False)
    except Exception:  # skorch asks less of a constructor than scikit-learn
        pass
    try:
        return deepcopy(item)
    except Exception as error:
        raise InvalidParameterError(
            f"callbacks holds {item!r}, which cannot be copied ({error}). Give its "
            f"class, as a pair (name, class), and arguments as callbacks__name__*."
        ) from error


def _steps_by_row(estimator):
    """Tell whether nothing but AdamW in its plain form sees the gradients."""
    given = passed_on(estimator, "optimizer")
    other = ("amsgrad", "maximize", "capturable", "differentiable")
    plain = not any(given.get(name) for name in other)
    return estimator.optimizer == "adamw" and plain and not estimator.callbacks


def _optimizer_options(estimator, device, parts):
    given, kind = passed_on(estimator, "optimizer"), estimator.optimizer
    options = {}
    if isinstance(kind, str):
        options["weight_decay"] = estimator.weight_decay
        if kind == "sgd":
            options["momentum"] = estimator.momentum
        elif device == "cpu" and not given.keys() & {"foreach", "differentiable"}:
            # one pass over the parameters, which torch does not choose itself on a CPU
            options["fused"] = True
        kind = OPTIMIZERS[kind]
    more, less = ["param_groups"], ["params"]
    check_accepted("optimizer", given, kind, more=more, less=less)
    options |= given
    names = [n for part in (parts.module, parts.criterion) for n in _names(part)]
    for pattern, _ in given.get("param_groups", ()):
        if not fnmatch.filter(names, pattern):
            raise InvalidParameterError(
                f"optimizer__param_groups has the pattern {pattern!r}, which no weight "
                f"has. There are {name_list(names)}."
            )
    options["param_groups"] = [*given.get("param_groups", ()), *parts.groups]
    options = {f"optimizer__{name}": value for name, value in options.items()}
    kind = RowAdamW if parts.module.row_gradients else kind
    return options | {"optimizer": kind}


def _names(module):
    return [name for name, _ in module.named_parameters()]


def _record(estimator, net, n_expected):
    estimator.net_ = net
    estimator.history_ = [
        {key: value for key, value in epoch.items() if key != "batches"}
        for epoch in net.history
        if "train_loss" in epoch  # not an epoch that was interrupted
    ]
    estimator.n_iter_ = len(estimator.history_)
    if estimator.n_iter_ < n_expected and not net.stopped_early:
        kept = "it had then" if net.best is None else "of its best epoch"
        warn_user(
            f"Training was interrupted after {estimator.n_iter_} of {n_expected} "
            f"epochs. The estimator is fitted with the weights {kept}."
        )
