"""Training a network: the problem, the parts of a network, and one way to train them.

Nothing here knows an estimator: :func:`describe` and :func:`train` get what it resolved
(:class:`Settings`), and return what there is to keep.
"""

import fnmatch
import itertools
import json
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from scipy.special import logit
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._data.groups import Groups
from skhmc._data.hold_out import hold_out, hold_out_groups
from skhmc._data.weights import (
    balanced_weights,
    read_class_weight,
    read_label_weights,
    smoothed_rates,
)
from skhmc._data.X import FileRows
from skhmc._networks.batches import SliceDataset
from skhmc._networks.distributed import agreeing, check_can_share
from skhmc._networks.growing import as_growth, find_starts
from skhmc._networks.label_sampling import LabelSampler, Siblings
from skhmc._networks.skorch_net import Net
from skhmc._scoring.grown import Starts
from skhmc._scoring.label_form import ManyPaths, SinglePath
from skhmc._scoring.outputs import Blocks
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import read_before, warn_user
from skhmc.hierarchy import Hierarchy
from skhmc.nn.ensemble import Ensemble, EnsembleCriterion
from skhmc.nn.modules import MLPEncoder, initialise
from skhmc.nn.sparse import LinearPath

__all__ = [
    "Encoder",
    "Former",
    "LabelCounts",
    "Parts",
    "Problem",
    "Trained",
    "FIT_ANYWHERE",
    "describe",
    "draw_seeds",
    "linear_path",
    "n_weights",
    "perceptron",
    "seeds_of_first",
    "side_by_side",
    "train",
    "weight_of_labels",
]


class LabelCounts(NamedTuple):
    """How often labels of the network are positive and known, in all data so far."""

    positive: np.ndarray  # (n_net_labels,), weighted
    known: np.ndarray  # likewise
    n_samples: int

    def plus(self, other):
        """Return the counts of both parts of the data."""
        pairs = zip(self, other, strict=True)
        return LabelCounts(*(mine + more for mine, more in pairs))


@dataclass
class Former:
    """What a call of ``fit`` or ``partial_fit`` leaves for training that goes on."""

    net: Net
    form: ManyPaths | SinglePath
    label_loss: object
    leaf_prediction: str
    normalize_features: bool
    linear_head: bool
    counts: LabelCounts
    classes: np.ndarray | None  # of a 1-D y
    class_counts: np.ndarray | None  # samples of every one of them
    fixed: np.ndarray  # (n_net_labels,), bool: labels about which nothing was learnt
    waiting: np.ndarray  # likewise: of these, those that are to start from their parent
    hierarchy: object  # the parameter, as it was given
    extra: object  # what the estimator itself wants to find again
    places: np.ndarray | None = None  # of labels in the network, where some are new


@dataclass
class Problem:
    """What is to be learnt: the data, and how often every label of the net is there."""

    X: np.ndarray | sp.csr_matrix | FileRows  # (n_samples, ...)
    # (n_samples, n_labels), closed, in the order of Y's columns
    Y: np.ndarray | sp.csr_matrix
    weight: np.ndarray | None  # (n_samples, 1 or n_labels)
    sample_weight: np.ndarray | None  # likewise, without class weights of a 1-D y
    form: ManyPaths | SinglePath
    counts: LabelCounts
    class_counts: np.ndarray | None
    fixed: np.ndarray  # (n_net_labels,), bool: nothing can be learnt about these
    class_weight: tuple[np.ndarray, np.ndarray] | None  # of a label's 0s and its 1s
    partial: bool  # whether other parts of the training data follow
    former: Former | None
    starts: Starts | None  # what labels start from, where the former has fewer
    seeds: list[int]  # of initial weights, batches, dropout and what is held out
    held_out: float | None  # share of the samples
    groups: Groups | None  # of the samples, which are then held out as wholes

    @property
    def n_net_labels(self):
        """Number of labels that the network scores."""
        return len(self.fixed)

    @property
    def growth(self):
        """What the network's labels start from, where it has more than the former."""
        return None if self.starts is None else as_growth(self.starts)

    @property
    def waiting(self):
        """New labels that still are to start from their parent (n_net_labels,)."""
        if self.starts is None:
            return np.zeros(self.n_net_labels, dtype=bool)
        return self.fixed & ~self.starts.own & (self.starts.source >= 0)

    @cached_property
    def split(self):
        """The rows to train on and those that are held out, the latter None if none."""
        if self.held_out is None:
            return slice(None), None
        if self.groups is not None:
            given = self.groups, self.held_out, self.seeds[3]
            return hold_out_groups(self.Y, *given)
        return hold_out(self.Y, self.held_out, self.seeds[3])

    def weighted_counts(self):
        """Return positive and known counts as the class weights count them."""
        positive, known, _ = self.counts
        if self.class_weight is None:
            return positive, known
        zeros, ones = self.class_weight
        heavy = positive * ones
        return heavy, heavy + (known - positive) * zeros

    def frequencies(self):
        """Return every label's share of positives, as the class weights count them."""
        return smoothed_rates(*self.weighted_counts())

    def log_odds(self):
        """Return where the logits of labels start; fixed ones stay there.

        New labels are counted in fewer rows than old ones: they start at most where
        their parents do.
        """
        positive, known, _ = self.counts
        prior = smoothed_rates(positive, known)
        odds = logit(np.where(self.fixed, prior, self.frequencies()))
        if self.starts is not None:
            parents = self.form.hierarchy.parents
            for label in np.flatnonzero(~self.starts.own & ~self.fixed):
                above = parents.indices[
                    parents.indptr[label] : parents.indptr[label + 1]
                ]
                odds[label] = odds[[label, *above]].min()  # parents come first
        return odds

    def class_weight_tensors(self):
        """Return ``class_weight`` as a criterion takes it."""
        if self.class_weight is None:
            return None
        zeros, ones = self.class_weight
        return torch.from_numpy(zeros), torch.from_numpy(ones)


@dataclass
class Parts:
    """What an estimator builds for a problem; nothing is initialised yet."""

    module: torch.nn.Module
    criterion: torch.nn.Module
    user_modules: set = field(default_factory=set)  # left as they are
    groups: list = field(default_factory=list)  # (pattern, dict) for the optimizer
    extra: object = None  # what the estimator wants to find again, see Former


class Encoder(NamedTuple):
    """What maps a batch of X to features."""

    module: torch.nn.Module
    width: int  # of its flattened output
    user_modules: set  # left out of our initialisation and random streams


def perceptron(n_features, settings):
    """Return the Encoder of estimators that are given none."""
    module = MLPEncoder(
        n_features,
        settings.hidden_layer_sizes,
        dropout=settings.dropout[1],
        input_dropout=settings.dropout[0],
        takes_sparse=settings.sparse_input,
        row_gradients=settings.input_row_gradients,
        input_scale=settings.input_scale,
    )
    return Encoder(module, module.n_outputs, set())


def linear_path(problem, settings):
    """Return the LinearPath of one network, or None where it has none."""
    if not settings.linear_path:
        return None
    n_features = int(np.prod(problem.X.shape[1:]))
    return LinearPath(n_features, problem.n_net_labels, settings.input_row_gradients)


FIT_ANYWHERE = 10**7  # weights of all networks, for which no memory is looked at


def n_weights(n_inputs, n_features, n_labels, params, settings):
    """Return how many weights a network has at least, before it is built.

    Those of a user's encoder and biases are not counted.

    Parameters
    ----------
    n_inputs : int
        Number of features, or width of the user's encoder.
    n_features : int
    n_labels : int
    params : dict
        Parameters of the estimator by name.
    settings : Settings
    """
    widths = [n_inputs, *settings.hidden_layer_sizes]
    n = sum(a * b for a, b in zip(widths[:-1], widths[1:], strict=True))
    embedding_dim = params.get("embedding_dim")
    if embedding_dim is None or settings.linear_head:
        n += widths[-1] * n_labels
    if settings.linear_path:
        n += n_features * n_labels
    if embedding_dim is not None:
        n += embedding_dim * (widths[-1] + n_labels)
    return n


class Trained(NamedTuple):
    """A trained net and its record."""

    net: Net
    history: list  # a dict per epoch
    interruption: KeyboardInterrupt | None  # to be raised when the rest is put away


# -- the problem -----------------------------------------------------------------------


def describe(X, targets, sample_weight, groups, settings, former, partial, seeds=None):
    """Count labels and weigh classes: return the Problem.

    Parameters
    ----------
    X : ndarray, csr_matrix or FileRows of shape (n_samples, ...)
    targets : Targets
    sample_weight : ndarray of shape (n_samples, 1 or n_labels) or None
    groups : Groups or None
        Of the samples, where early stopping holds out whole groups.
    settings : Settings
    former : Former or None
        What a former call left, if training goes on from its weights, of the labels
        that there are now.
    partial : bool
        Whether X is one of several parts of the training data.
    seeds : list of int or None
        Those of a fit that goes on; None to draw them.
    """
    form = settings.form
    before = former if partial else None  # whose samples count, too
    weight = sample_weight
    class_counts = None
    if targets.classes is not None:
        class_counts = np.bincount(targets.codes, minlength=len(targets.classes))
        if before is not None:
            class_counts = class_counts + before.class_counts
        if settings.class_weight is not None:
            each = _weight_of_classes(targets, settings.class_weight, class_counts)
            weight = _weigh_classes(each[targets.codes], weight, settings, partial)
    counts = here = LabelCounts(*form.count(targets.Y, weight), targets.Y.shape[0])
    if before is not None:
        counts = counts.plus(before.counts)
    fixed = (counts.positive == 0) | (counts.positive == counts.known)
    if former is not None:  # what was learnt once is not forgotten
        fixed &= former.fixed
    class_weight = None
    if targets.classes is None:
        class_weight = weight_of_labels(form, settings.class_weight, counts)
    starts = None
    if former is not None and former.places is not None:
        starts = find_starts(former.places, form, here, class_weight)
        new = ~starts.own & (starts.source >= 0)
        fixed[new] = counts.positive[new] == 0
    held_out = settings.early_stopping.share if settings.early_stopping else None
    # also where others are used: a RandomState is then where it would be
    drawn = draw_seeds(settings.random_state, before)
    return Problem(
        X=X,
        Y=targets.Y,
        weight=weight,
        sample_weight=sample_weight,
        form=form,
        counts=counts,
        class_counts=class_counts,
        fixed=fixed,
        class_weight=class_weight,
        partial=partial,
        former=former,
        starts=starts,
        seeds=seeds or drawn,
        held_out=held_out,
        groups=groups,
    )


def _weight_of_classes(targets, class_weight, counts):
    """Return the weight of every class of a 1-D y."""
    if isinstance(class_weight, dict):
        return read_class_weight(class_weight, Hierarchy.flat(targets.classes))
    return balanced_weights(counts, class_weight)


def _weigh_classes(by_class, weight, settings, partial):
    """Return sample weights times the class weights (n_samples,) of a 1-D y."""
    weight = by_class[:, None] * (1 if weight is None else weight)
    if not weight.any():
        raise ValueError("All samples have a weight of 0 by class_weight.")
    if not partial:  # a part may be of one class alone
        weight = weight / weight.mean()
    return weight.astype(_numpy_dtype(settings))


def weight_of_labels(form, class_weight, counts):
    """Return the weights of the zeros and the ones of every label, or None.

    Parameters
    ----------
    form : ManyPaths or SinglePath
    class_weight : None, dict or float
        Weights by name, or the cap of balanced ones.
    counts : LabelCounts
    """
    if class_weight is None:
        return None
    if not isinstance(class_weight, dict):
        return form.balanced(counts.positive, counts.known, class_weight)
    labels = form.hierarchy_of_Y
    zeros, ones = read_label_weights(class_weight, labels, exclusive=form.has_paths)
    return form.encode_class_weight(zeros), form.encode_class_weight(ones)


def _numpy_dtype(settings):
    return np.float64 if settings.dtype == torch.float64 else np.float32


def draw_seeds(random_state, before):
    """Return four seeds, other ones for every call that goes on with other data."""
    rng = check_random_state(random_state)
    if before is not None:  # a fit that is repeated in the same calls draws the same
        rng = np.random.RandomState([rng.randint(2**31), len(before.net.history)])
    return rng.randint(np.iinfo(np.int32).max, size=4).tolist()


def seeds_of_first(shards):
    """Return seeds that all processes have, or None where there is but one process.

    Parameters
    ----------
    shards : Shards or None
    """
    if shards is None:
        return None
    return json.loads(shards.say(json.dumps(draw_seeds(None, None)))[0])


# -- several networks as one -----------------------------------------------------------


def side_by_side(parts):
    """Return the Parts of networks that are trained together, as one network.

    Parameters
    ----------
    parts : list of Parts
    """
    if len(parts) == 1:
        return parts[0]
    user_modules = set().union(*(part.user_modules for part in parts))
    if len(user_modules) < sum(len(part.user_modules) for part in parts):
        raise ValueError(
            f"encoder returned the same module twice, but n_estimators={len(parts)} "
            f"networks need one each. Let it make a new one in every call, or give "
            f"the module itself, which is copied."
        )
    groups = [
        (f"members.{number}.{pattern}", options)
        for number, part in enumerate(parts)
        for pattern, options in part.groups
    ]
    module = Ensemble([part.module for part in parts])
    criterion = EnsembleCriterion([part.criterion for part in parts])
    return Parts(module, criterion, user_modules, groups, parts[0].extra)


# -- training --------------------------------------------------------------------------


class _HeldOutScore:
    """A metric of a net's predictions, or probabilities, on rows held out."""

    def __init__(self, stopping, dataset, Y, weight, form, shards=None):
        self.shards = shards
        self.metric = stopping.metric
        self.threshold = stopping.threshold
        self.dataset = dataset
        self.Y = Y
        self.form = form
        self.rule = stopping.rule
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
        shards = self.shards
        with agreeing(shards):  # one may find scores that are no numbers
            blocks = Blocks(net.logits(self.dataset), len(self.dataset))
            response = blocks.map(self._respond).array()
        if shards is None:
            return self._measure(response)
        response = shards.gather_to_first(response, self.Y.shape[0])
        with agreeing(shards):
            score = self._measure(response) if shards.is_first else 0.0
        return float(shards.say(repr(float(score)))[0])  # one score decides for all

    def _measure(self, response):
        hierarchy = self.form.hierarchy_of_Y
        with read_before():  # fit has warned of the hierarchy
            return self.metric.measure(self.Y, response, hierarchy, self.weight)

    def _respond(self, logits):
        if self.metric.response == "predict":
            return self.form.predict(logits, self.rule, self.threshold)
        return self.form.proba(logits, self.rule)


def train(parts, problem, settings, keeper=None, shards=None):
    """Train a network from its first weights, or from those of a former one.

    Parameters
    ----------
    parts : Parts
    problem : Problem
        With a former net, the network starts from its weights; with one of several
        parts of the data also from the state of its optimizer.
    settings : Settings
    keeper : Keeper or None
        Of a fit that writes checkpoints, and may go on from one.
    shards : Shards or None
        The processes that share a fit.

    Returns
    -------
    Trained
    """
    former = None if problem.former is None else problem.former.net
    growth = problem.growth
    seeds = problem.seeds
    init, shuffle = (torch.Generator().manual_seed(seed) for seed in seeds[:2])
    draws = torch.Generator(settings.device).manual_seed(seeds[2])
    parts = _in_dtype(parts, settings.dtype)
    _initialise(parts, former, growth, init, draws)
    if shards is not None:  # a user's encoder draws from a generator of its process
        weights = parts.module.parameters(), parts.module.buffers()
        shards.take_from_first(itertools.chain(*weights, parts.criterion.parameters()))

    sampler = None
    if settings.n_sampled_labels is not None:
        n_labels = problem.n_net_labels
        siblings = None
        if settings.sample_siblings:
            siblings = Siblings(problem.form.hierarchy)
        sampler = LabelSampler(n_labels, settings.n_sampled_labels, shuffle, siblings)
    dataset = _training_data(problem, settings, parts.module, sampler)
    n_batches = -(-len(dataset) // (settings.batch_size or len(dataset)))
    own_encoder = bool(parts.user_modules)
    check_can_share(shards, parts.module, own_encoder, len(dataset) // n_batches)
    best = None
    if settings.early_stopping is not None:
        score = _watched(problem, settings, parts.module, shards)
        best = score, settings.early_stopping.patience, settings.early_stopping.tol
    net = Net(
        parts.module,
        criterion=parts.criterion,
        generator=shuffle,
        schedule=settings.schedule,
        schedule_options=settings.schedule_options,
        best=best,
        form=problem.form,
        copy_input=settings.copy_input,
        title=settings.title,
        resumable=problem.partial,
        precision=settings.precision,
        lr=settings.learning_rates[0],
        max_epochs=settings.max_iter,
        batch_size=settings.batch_size or len(dataset),
        device=settings.device,
        verbose=settings.verbose if shards is None or shards.is_first else 0,
        callbacks=settings.callbacks,
        **_with_prefix("callbacks", settings.callback_options),
        optimizer=settings.optimizer,
        **_with_prefix("optimizer", _optimizer_options(settings, parts)),
    ).initialize()
    if former is not None and problem.partial:
        net.go_on_from(former, growth)
    n_before = len(net.history)  # without epochs that were interrupted
    if keeper is not None:
        keeper.begin(seeds, draws)
    interruption = net.train(dataset, keeper, shards)
    if interruption is not None:
        _say_what_is_kept(interruption, net, n_before)
    net.check_finite()
    return Trained(net, _record(net), interruption)


def _in_dtype(parts, dtype):
    return replace(
        parts, module=parts.module.to(dtype), criterion=parts.criterion.to(dtype)
    )


def _initialise(parts, former, growth, init, draws):
    """Draw the weights of a network, or take those of a former one, or both."""
    module = parts.module
    criterion = parts.criterion
    user_modules = parts.user_modules
    all_known = former is not None and growth is None
    initialise(module, None if all_known else init, draws, user_modules)
    initialise(criterion, None, draws, user_modules)
    if former is not None:
        module.load_from(former.module_, growth)
        criterion.load_from(former.criterion_)
    elif getattr(module, "all_alike", False):
        warn_user(
            f"All n_estimators={len(module.members)} networks start from the same "
            f"weights, so that they learn the same, or nearly. Give encoder as a class "
            f"or factory that draws its weights, or set n_estimators=1."
        )


def _training_data(problem, settings, module, sampler):
    """Return what is trained on, without what early stopping holds out."""
    X = problem.X
    Y = problem.Y
    weight = problem.weight
    rows, held_out = problem.split
    if held_out is not None:
        X = X[rows]
        Y = Y[rows]
        weight = None if weight is None else weight[rows]
    Y, columns = problem.form.to_net_order(Y)
    return SliceDataset(
        X,
        Y,
        problem.form.encode_weight(weight),
        dtype=settings.dtype,
        copy=settings.copy_input,
        sparse=module.takes_sparse,
        columns=columns,
        sampler=sampler,
    )


def _watched(problem, settings, module, shards):
    """Return the score that early stopping watches, of what it holds out."""
    _, held_out = problem.split
    weight = None if problem.weight is None else problem.weight[held_out]
    own = held_out  # of this process
    if shards is not None and len(held_out) < shards.n_processes:
        shards = None  # each scores them all
    if shards is not None:
        own = held_out[slice(*shards.bounds(len(held_out)))]
    dataset = SliceDataset(
        problem.X[own],
        dtype=settings.dtype,
        copy=settings.copy_input,
        sparse=module.takes_sparse,
    )
    Y = problem.Y[held_out]
    stopping = settings.early_stopping
    return _HeldOutScore(stopping, dataset, Y, weight, problem.form, shards)


def _with_prefix(name, options):
    return {f"{name}__{key}": value for key, value in options.items()}


def _optimizer_options(settings, parts):
    """Return the optimizer's options, with the rates of parts of the network."""
    options = dict(settings.optimizer_options)
    given = options.get("param_groups", ())
    modules = (parts.module, parts.criterion)
    names = [name for m in modules for name, _ in m.named_parameters()]
    for pattern, _ in given:
        if not fnmatch.filter(names, pattern):
            raise InvalidParameterError(
                f"optimizer__param_groups has the pattern {pattern!r}, which no weight "
                f"has. There are {name_list(names)}."
            )
    # the first pattern that fits a weight counts: what the user says goes first
    options["param_groups"] = [*given, *parts.groups]
    return options


def _is_of_the_user(key):
    """Tell what history_ shows from what only callbacks of skorch look at."""
    return key != "batches" and not key.endswith("_best")


def _record(net):
    """Return what history_ shows of the epochs that a net was trained."""
    return [
        {key: value for key, value in epoch.items() if _is_of_the_user(key)}
        for epoch in net.history
        if "train_loss" in epoch  # not an epoch that was interrupted
    ]


def _say_what_is_kept(interruption, net, n_before):
    """Note at an interruption which weights there are, or raise it where none are.

    What is no longer a number is not kept: the error that says so is the cause.

    A warning would not do: where warnings are errors, it would take the place of the
    KeyboardInterrupt.
    """
    n_done = net.n_epochs_done - n_before
    said = f"Training was interrupted after {n_done} of {net.max_epochs} epochs."
    if n_done == 0:
        interruption.add_note(
            f"{said} What the estimator was before is what it is: what was learnt in "
            f"parts of an epoch is not kept."
        )
        raise interruption
    try:
        net.check_finite()
    except FloatingPointError as error:
        raise interruption from error
    kept = "it had then" if net.best is None else "of its best epoch"
    interruption.add_note(f"{said} The estimator is fitted with the weights {kept}.")
