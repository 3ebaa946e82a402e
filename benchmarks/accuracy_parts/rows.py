"""What benchmarks.accuracy fits: a row of its tables each, and what defines it.

Functions take other rows than those of ``ROWS``, too: a dict of the same form.

The flat networks are plain ones that skhmc has no part in, but for what closes their
labels: a torch loop, with torch's own initial weights. They have the widths, dropout,
epochs, batches and optimiser of the network that they stand beside. The default loss of
MaxConstraintClassifier knows of no hierarchy either; what the flat network lacks is the
start at the labels' frequencies, and the priors of those without a training row.
"""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline

from benchmarks.accuracy_parts.results import named
from benchmarks.accuracy_parts.sets import (
    CLUS,
    GROUPS,
    PUBLISHED,
    SINGLE_PATH,
    steps,
)
from benchmarks.encoders import SmallCNN
from benchmarks.peers import (
    FlatNetwork,
    HiClassPaths,
    PriorForConstantLabels,
    has_hiclass,
)
from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
    HierarchicalVotingClassifier,
    HyperbolicHMC,
    MaxConstraintClassifier,
)
from skhmc._meta.recommended import recommended
from skhmc.coherence import max_constraint

__all__ = [
    "BLEND",
    "OURS",
    "PARTS",
    "PUBLISHED_MECHANISMS",
    "ROWS",
    "SEEDS",
    "Row",
    "constant",
    "definition",
    "from_network",
    "model_of",
    "n_seeds",
    "network",
    "plain",
]

OURS = "HCALClassifier"
BLEND = "recommended blend"
SEEDS = {  # fits per data set
    OURS: 10,
    BLEND: 3,
    "HCAL, published mechanisms": 3,
    "HyperbolicHMC": 3,
    "MaxConstraintClassifier": 3,
    "MaxConstraintClassifier, MCLoss": 3,
    "flat MLP + closing": 3,
    "random forest": 3,
    "logistic regression": 1,
    "flat softmax": 3,
    "HiClass per node, logistic regression": 1,
    "HiClass per parent, logistic regression": 1,
    "HiClass per node, random forest": 3,
    "HiClass per parent, random forest": 3,
}
FEWER = {("random forest", name): 1 for name in GROUPS["Gene Ontology"]}
# ten where there is a published mean of ten
OTHERS = [*CLUS, *SINGLE_PATH]
OTHERS = [name for name in OTHERS if name not in PUBLISHED["C-HMCNN(h)"]]
FEWER |= dict.fromkeys([(OURS, name) for name in OTHERS], 3)
LAST_OF_CLUS = list(SEEDS).index("logistic regression") + 1
PARTS = {  # data sets and rows
    "clus": (CLUS, tuple(SEEDS)[:LAST_OF_CLUS]),
    "single_path": (SINGLE_PATH, (OURS, *tuple(SEEDS)[LAST_OF_CLUS:])),
}
# what does not define a row; where it was fitted stands beside every run
NOT_OF_A_ROW = ("random_state", "hierarchy", "steps", "memory", "transform_input")
NOT_OF_A_ROW += ("device",)
# those of classifiers around others, which show bars and came when figures were stored
BARS = {
    f"{kind.__name__.lower()}__verbose"
    for kind in (
        CoherentClassifier,
        HierarchicalCalibratedClassifier,
        HierarchicalThresholdClassifier,
        HierarchicalVotingClassifier,
    )
}
# parameters that came when figures were stored, and the values at which these are the
# same: definitions leave them out there
LATER = {
    "checkpoint": None,
    "contrastive": None,
    "input_norm": None,
    "linear_path": False,
}
# parameters that became "auto" when figures were stored, and what that stands for where
# X is not sparse: definitions of such rows have this value
BECAME_AUTO = {"hidden_layer_sizes": "WIDTHS", "max_iter": "N_EPOCHS"}
# constants that figures depend on beside the parameters: their names in stored fits,
# which stay, and where skhmc has them now
CONSTANTS = {
    "BALANCED_CAP": "skhmc._networks.parameters.BALANCED_CAP",
    "CHUNK": "skhmc._networks.parameters.CHUNK",
    "COARSE_WEIGHT": "skhmc.paths.COARSE_WEIGHT",
    "DROPOUT": "skhmc._networks.parameters.DROPOUT",
    "FEW_FEATURES": "skhmc._networks.parameters.FEW_FEATURES",
    "FEW_OR_NOMINAL": "skhmc._meta.recommended.FEW_OR_NOMINAL",
    "INPUT_NORM": "skhmc._networks.parameters.INPUT_NORM",
    "LEAST_EPOCHS": "skhmc._networks.parameters.LEAST_EPOCHS",
    "LEAST_STEPS": "skhmc._networks.parameters.LEAST_STEPS",
    "MAX_HEAD_WEIGHTS": "skhmc._networks.parameters.MAX_HEAD_WEIGHTS",
    "MAX_LABELS_WITH_HEAD": "skhmc._networks.parameters.MAX_LABELS_WITH_HEAD",
    "NUMERIC": "skhmc._meta.recommended.NUMERIC",
    "N_EPOCHS": "skhmc._networks.parameters.N_EPOCHS",
    "POINTS_FACTOR": "skhmc._networks.hyperbolic.POINTS_FACTOR",
    "ROWS_PER_FEATURE": "skhmc._meta.recommended.ROWS_PER_FEATURE",
    "SINGLE_PATHS": "skhmc._meta.recommended.SINGLE_PATHS",
    "SPARSE": "skhmc._meta.recommended.WIDE",  # no set with this row is sparse
    "WEIGHT_DECAY": "skhmc._networks.parameters.WEIGHT_DECAY",
    "WIDE_DROPOUT": "skhmc._networks.parameters.WIDE_DROPOUT",
    "WIDTHS": "skhmc._networks.parameters.WIDTHS",
    "WIDTHS_SPARSE": "skhmc._networks.parameters.WIDTHS_SPARSE",
}
# those of networks where X is sparse: its length, and what "auto" stands for
OF_TEXTS = ("INPUT_NORM", "LEAST_EPOCHS", "LEAST_STEPS", "WIDTHS_SPARSE")
# those of a row, by what it fits: shares of dropout="auto", the cap of balanced class
# weights, the weight decay of a named optimizer; samples per class mean, what
# linear_head="auto" is decided by, and the weight in scores of paths; how much faster
# points of labels move
OF_NETWORKS = (
    "BALANCED_CAP",
    "DROPOUT",
    "FEW_FEATURES",
    "WEIGHT_DECAY",
    "WIDE_DROPOUT",
)
OF_HCAL = (
    *OF_NETWORKS,
    "CHUNK",
    "COARSE_WEIGHT",
    "MAX_HEAD_WEIGHTS",
    "MAX_LABELS_WITH_HEAD",
)
# parts of the mean by the shape of the data, and what tells shapes apart
OF_MEMBERS = (
    "FEW_OR_NOMINAL",
    "NUMERIC",
    "ROWS_PER_FEATURE",
    "SINGLE_PATHS",
    "SPARSE",
)
DEPENDS_ON = {
    HCALClassifier: OF_HCAL,
    HierarchicalVotingClassifier: (*OF_HCAL, *OF_MEMBERS),
    HyperbolicHMC: (*OF_NETWORKS, "POINTS_FACTOR"),
    MaxConstraintClassifier: OF_NETWORKS,
}


# -- what a fitted classifier says: probabilities (or None), raw and final labels ------


def from_network(clf, X, hierarchy):
    """Of a network of skhmc."""
    return clf.predict_proba(X), clf.predict_raw(X), clf.predict(X)


def from_coherent(clf, X, hierarchy):
    """Of CoherentClassifier; raw is what the classifier in it says."""
    proba = clf.predict_proba(X)
    return proba, clf.raw_decision_function(X) > 0, proba > 0.5


def from_flat(clf, X, hierarchy):
    """Of one that is closed by the max constraint after training."""
    raw = clf.predict_proba(X)
    closed = max_constraint(raw, hierarchy)
    return closed, raw > 0.5, closed > 0.5


def from_unclosed(clf, X, hierarchy):
    """Of one that nobody closes."""
    proba = clf.predict_proba(X)
    return proba, proba > 0.5, proba > 0.5


def from_most_specific(clf, X, hierarchy):
    """Of a softmax over most specific labels: the path to the most probable one."""
    paths = clf.predict(X)
    return clf.predict_proba(X), paths, paths


def from_paths(clf, X, hierarchy):
    """Of HiClass, which goes down from label to label: paths and nothing else."""
    paths = clf.predict(X)
    return None, paths, paths


# -- the rows --------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """How a row is fitted and read."""

    build: Callable  # of hierarchy, seed and the kind of data
    read: Callable = from_network  # of the fitted classifier, X and hierarchy
    random: bool = True  # whether seeds change anything
    as_rows: bool = False  # whether images become rows of pixels
    needs_hiclass: bool = False
    also: dict = field(default_factory=dict)  # other ways to read, by name

    @property
    def available(self):
        return has_hiclass() or not self.needs_hiclass


def constant(name):
    """Return the value of one of ``CONSTANTS``."""
    module, _, own_name = CONSTANTS[name].rpartition(".")
    return getattr(import_module(module), own_name)


def encoder(kind):
    """Return what networks read images with."""
    return {"encoder": SmallCNN} if kind == "images" else {}


def network(estimator, **options):
    """Return how one of skhmc's networks is built."""
    return lambda hierarchy, seed, kind: estimator(
        hierarchy, random_state=seed, **encoder(kind), **options
    )


def flat(estimator, head, form, hierarchy, seed, kind):
    """Return a plain network with the size and the budget of an estimator's defaults.

    ``form`` is how that scores labels, on which its dropout depends.
    """
    has = estimator().get_params()
    if (has["optimizer"], has["schedule"]) != ("adamw", "onecycle"):
        raise ValueError(
            f"The plain loop has adamw and onecycle, {estimator.__name__} now has "
            f"{has['optimizer']!r} and {has['schedule']!r}: let FlatNetwork follow."
        )
    texts = "_SPARSE" if kind == "sparse" else ""
    budget = {name: has[name] for name in ("learning_rate_init", "batch_size")}
    for name, stands_for in BECAME_AUTO.items():
        budget[name] = has[name]
        if has[name] == "auto" and not texts:
            budget[name] = constant(stands_for)
    if texts and budget["hidden_layer_sizes"] == "auto":
        budget["hidden_layer_sizes"] = constant("WIDTHS_SPARSE")
    input_dropout, hidden, embedded = constant("DROPOUT")[form]
    return FlatNetwork(
        hierarchy,
        head,
        **encoder(kind),
        **budget,
        **({"input_norm": constant("INPUT_NORM")} if texts else {}),
        input_dropout=input_dropout,
        wide_dropout=constant("WIDE_DROPOUT") if form == "many" else None,
        dropout=embedded if kind == "images" else hidden,
        weight_decay=constant("WEIGHT_DECAY"),
        random_state=seed,
    )


def blend(hierarchy, seed, kind):
    """Return the members that skhmc recommends, with one seed."""
    return HierarchicalVotingClassifier(None, hierarchy, random_state=seed)


def forest(hierarchy, seed, kind):
    """Return a forest that knows of all labels at once."""
    trees = RandomForestClassifier(min_samples_leaf=5, n_jobs=1, random_state=seed)
    return CoherentClassifier(trees, hierarchy)


def logistic(hierarchy, seed, kind):
    """Return what many people start with."""
    each = LogisticRegression(max_iter=1000)
    return PriorForConstantLabels(MultiOutputClassifier(each))


def hiclass(policy, classifier, hierarchy, seed, kind):
    """Return a classifier of HiClass."""
    import hiclass

    local = LogisticRegression(max_iter=1000)
    if classifier == "random forest":
        local = RandomForestClassifier(n_jobs=1, random_state=seed)
    kinds = {"node": "LocalClassifierPerNode", "parent": "LocalClassifierPerParentNode"}
    return HiClassPaths(getattr(hiclass, kinds[policy])(local, n_jobs=1), hierarchy)


PUBLISHED_MECHANISMS = {**HCALClassifier.PUBLISHED, "max_iter": 30}  # as many steps
ROWS = {
    OURS: Row(network(HCALClassifier)),
    BLEND: Row(blend),
    "HCAL, published mechanisms": Row(network(HCALClassifier, **PUBLISHED_MECHANISMS)),
    "HyperbolicHMC": Row(network(HyperbolicHMC)),
    "MaxConstraintClassifier": Row(network(MaxConstraintClassifier)),
    "MaxConstraintClassifier, MCLoss": Row(
        network(MaxConstraintClassifier, label_loss="mcloss")
    ),
    "flat MLP + closing": Row(
        partial(flat, MaxConstraintClassifier, "sigmoid", "many"), from_flat
    ),
    "random forest": Row(forest, from_coherent),
    "logistic regression": Row(logistic, from_unclosed, random=False),
    "flat softmax": Row(
        partial(flat, HCALClassifier, "softmax", "single"), from_most_specific
    ),
}
ROWS |= {
    f"HiClass per {policy}, {classifier}": Row(
        partial(hiclass, policy, classifier),
        from_paths,
        random=classifier == "random forest",
        as_rows=True,
        needs_hiclass=True,
    )
    for classifier in ("logistic regression", "random forest")
    for policy in ("node", "parent")
}


def n_seeds(row, data_set, asked=None):
    """Return how many seeds a row is fitted with to a data set.

    ``asked`` replaces the numbers of ``SEEDS`` and ``FEWER``, where seeds change
    anything.
    """
    planned = FEWER.get((row, data_set), SEEDS[row])
    return asked if asked and ROWS[row].random else planned


def model_of(row, kind, hierarchy=None, seed=0, rows=ROWS, device="cpu"):
    """Return a Pipeline, not fitted: the steps for a kind of data, then the row.

    Rows that are no network of skhmc are on the CPU whatever ``device`` is.
    """
    clf = rows[row].build(hierarchy, seed, kind)
    if "device" in clf.get_params():
        clf.set_params(device=device)
    return make_pipeline(*steps(kind, rows[row].as_rows), clf)


# -- what defines a row ----------------------------------------------------------------


def definition(row, kind, rows=ROWS):
    """Return what a row's figures depend on but data and seed, and a short name of it.

    That are all parameters of the Pipeline, the constants that ``DEPENDS_ON`` has for
    its classifier, and how else it is read. Code is not among it, and no name of a
    module: where code lies changes no figure.

    Returns
    -------
    dict, str
    """
    model = model_of(row, kind, rows=rows)
    found = {
        name: stored(name.rpartition("__")[2], value, kind)
        for name, value in model.get_params().items()
        if name not in BARS and defines(name.rpartition("__")[2], value)
    }
    if isinstance(model[-1], HierarchicalVotingClassifier):
        found |= of_members()
    names = constants_of(model[-1])
    names += OF_TEXTS if names and kind == "sparse" else ()
    found |= {name: constant(name) for name in names}
    if kind != "wide table":  # nothing depends on it
        names = [name for name in found if name.lower().endswith("wide_dropout")]
        found = {name: value for name, value in found.items() if name not in names}
    found |= {"also": list(rows[row].also)} if rows[row].also else {}
    return named(found)


def of_members():
    """Return the parameters of the members that skhmc recommends."""
    X, Y = np.random.default_rng(0).normal(size=(9, 2)), np.zeros((9, 2))
    members, _ = recommended(X, Y, single_path=False, random_state=None)
    return {
        f"{name}__{parameter}": stored(parameter, value, "table")
        for name, member in members
        for parameter, value in member.get_params(deep=False).items()
        if defines(parameter, value)
    }


def defines(parameter, value):
    """Tell whether a parameter belongs to the definition of a row."""
    if parameter in NOT_OF_A_ROW:
        return False
    return parameter not in LATER or plain(value) != LATER[parameter]


def stored(parameter, value, kind):
    """Return a parameter as definitions have it."""
    if kind != "sparse" and parameter in BECAME_AUTO and value == "auto":
        value = constant(BECAME_AUTO[parameter])
    return plain(value)


def constants_of(clf):
    """Return the names of the constants that the figures of a classifier depend on."""
    found = [names for kind, names in DEPENDS_ON.items() if isinstance(clf, kind)]
    return found[0] if found else ()


def is_plain(value):
    """Tell whether JSON can hold a value."""
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def plain(value):
    """Return a parameter as JSON can hold it, the same in every process.

    Estimators, classes and functions are their names, without that of their module.
    """
    if isinstance(value, BaseEstimator):
        return type(value).__qualname__
    if inspect.isclass(value) or inspect.isroutine(value):
        return value.__qualname__
    return value if is_plain(value) else repr(value)
