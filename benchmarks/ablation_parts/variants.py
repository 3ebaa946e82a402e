"""The variants of HCALClassifier: what each changes about the defaults.

A variant has changed parameters and nothing else, so that it follows the defaults when
these change. What differs from the defaults by its coherence step alone is not fitted:
it is scored by the network of the defaults.
"""

from functools import partial

from benchmarks.accuracy_parts import jobs, rows
from benchmarks.accuracy_parts.jobs import Job
from benchmarks.accuracy_parts.rows import (
    PUBLISHED_MECHANISMS,
    Row,
    constant,
    network,
)
from benchmarks.accuracy_parts.sets import GROUPS as SET_GROUPS
from benchmarks.accuracy_parts.sets import KINDS, SINGLE_PATH
from skhmc import HCALClassifier, MaxConstraintClassifier

__all__ = [
    "CHANGES",
    "DEFAULTS",
    "ESTIMATORS",
    "GROUPS",
    "ROWS",
    "SCORED",
    "SEEDS",
    "SETS",
    "changes_nothing",
    "fit_and_score",
    "jobs_of",
    "said_changes",
    "sets_of",
    "without_auto",
]

SEEDS = 2
SETS = (  # those with a published figure; what takes least comes first
    "enron",
    "diatoms",
    "eisen_FUN",
    "cellcycle_FUN",
    "gasch1_FUN",
    "seq_FUN",
    "imclef07a",
    "eisen_GO",
    "cellcycle_GO",
    "gasch1_GO",
    "seq_GO",
)
DAGS = [name for name in SETS if name in SET_GROUPS["Gene Ontology"]]
WIDE = [name for name in SETS if KINDS[name] == "wide table"]
DEFAULTS = "defaults"
ESTIMATORS = {"no prototypes (MaxConstraintClassifier)": MaxConstraintClassifier}
GROUPS = {
    "Prototypes": {
        **dict.fromkeys(ESTIMATORS, {}),
        "no linear head": {"linear_head": False},
        "unit features": {"normalize_features": True},
        "features of any length": {"normalize_features": False},
        "temperature 1": {"temperature": 1.0},
    },
    "Perturbation": {
        "no perturbation": {"perturbation": 0.0},
        "perturbation .1": {"perturbation": 0.1},
    },
    "Aggregation": {
        "aggregation .1": {"aggregation": 0.1},
        "aggregation 1 (the paper)": {"aggregation": 1.0},
    },
    "Task weights": {
        "equal weights": {"task_weighting": "equal"},
        "DWA": {"task_weighting": "dwa"},
        "gamma 2": {"gamma": 2.0},
    },
    "Coherence": {
        "no coherence step": {"coherence": None},
        "max constraint": {"coherence": "max"},
        "isotonic": {"coherence": "isotonic"},
        "in training (MCLoss)": {"label_loss": "mcloss"},
        "sigmoids": {"label_loss": "bce"},
    },
    "Regularisation": {
        "no input dropout": {"dropout": (0.0, "auto", "auto")},
        "input dropout .4": {"dropout": (0.4, "auto", "auto")},
        "dropout .5": {"dropout": ("auto", 0.5, "auto")},
    },
    "Budget": {
        "30 epochs": {"max_iter": 30},
        "120 epochs": {"max_iter": 120},
        "two networks": {"n_estimators": 2},
        "two networks of 30 epochs": {"n_estimators": 2, "max_iter": 30},
        "one hidden layer of 1000": {"hidden_layer_sizes": (1000,)},
        "hidden layers of 500": {"hidden_layer_sizes": (500, 500)},
        "hidden layers of 2000 and 1000": {"hidden_layer_sizes": (2000, 1000)},
    },
    "Published mechanisms": {"published mechanisms": PUBLISHED_MECHANISMS},
}
TREES_ALONE = ("Regularisation", "Budget")  # for the time that DAGs take
CHANGES = {DEFAULTS: {}} | {
    name: changes for group in GROUPS.values() for name, changes in group.items()
}
SCORED = [name for name, changes in CHANGES.items() if set(changes) == {"coherence"}]


# -- what is fitted --------------------------------------------------------------------


def under(coherence, clf, X, hierarchy):
    """Read a fitted network under another coherence step, if it has that."""
    if coherence == "isotonic" and not hierarchy.is_tree:
        return None
    usual = clf.coherence
    clf.set_params(coherence=coherence)
    try:
        return rows.from_network(clf, X, hierarchy)
    finally:
        clf.set_params(coherence=usual)


ALSO = {name: partial(under, CHANGES[name]["coherence"]) for name in SCORED}
ROWS = {
    name: Row(
        network(ESTIMATORS.get(name, HCALClassifier), **changes),
        also=ALSO if name == DEFAULTS else {},
    )
    for name, changes in CHANGES.items()
    if name not in SCORED
}


def fit_and_score(job, quick=False, device="cpu"):
    """Fit on the training rows, score on the validation rows; return the figures."""
    return jobs.fit_and_score(job, quick, ROWS, "valid", device)


def jobs_of(variants=None, data_sets=None, seeds=None):
    """Return the jobs in the order to run them; None is all variants, all data sets.

    Those of the defaults come first, whatever is chosen; then variant by variant.
    """
    chosen = {DEFAULTS, *(variants or ROWS)}
    return [
        Job(data_set, variant, seed)
        for variant in ROWS
        for data_set in sets_of(variant)
        if variant in chosen and data_set in (data_sets or SETS)
        for seed in range(seeds or SEEDS)
        if not changes_nothing(variant, data_set)
    ]


def sets_of(variant):
    """Return the data sets of a variant: all, or those whose hierarchy is a tree."""
    small = any(variant in GROUPS[group] for group in TREES_ALONE)
    if small or CHANGES[variant].get("coherence") == "isotonic":
        return [name for name in SETS if name not in DAGS]
    return list(SETS)


# -- what "auto" makes of a variant ----------------------------------------------------


def changes_nothing(variant, data_set):
    """Tell whether a variant is what the defaults are anyway, for a data set."""
    if variant == DEFAULTS or variant in ESTIMATORS:
        return False
    usual, kind = (
        HCALClassifier().get_params(),
        (data_set in SINGLE_PATH, data_set in WIDE),
    )
    return without_auto(usual | CHANGES[variant], *kind) == without_auto(usual, *kind)


def without_auto(params, single, wide):
    """Return parameters of HCALClassifier with what "auto" decides in their place.

    Of labels that form single paths in a tree, or do not; of more features than
    samples, or fewer; fewer labels than would be sampled; and enough features to drop
    some.
    """
    loss = params["label_loss"]
    if loss == "auto":
        loss = "softmax" if single else "bce"
    single = loss == "softmax"
    said = {"label_loss": loss, "linear_head": True}
    has_head = params.get("linear_head") is not False
    said["normalize_features"] = single and has_head
    said["coherence"] = "path" if single else "max"
    found = {
        name: said[name] if name in said and value == "auto" else value
        for name, value in params.items()
    }
    shares = constant("DROPOUT")["single" if single else "many"]
    if wide and not single:
        shares = (constant("WIDE_DROPOUT"), *shares[1:])
    found["dropout"] = dropout_of(params["dropout"], shares)
    return found


def dropout_of(given, shares):
    """Return the dropout of every layer, where "auto" is the layer's of ``shares``."""
    each = given if isinstance(given, tuple) else (given,) * len(shares)
    pairs = zip(each, shares, strict=True)
    return tuple(share if own == "auto" else own for own, share in pairs)


def said_changes(variant):
    """Return the parameters of a variant as code."""
    changes = dict(CHANGES[variant])
    if variant in ESTIMATORS:
        return f"``{ESTIMATORS[variant].__name__}()``"
    said = []
    if HCALClassifier.PUBLISHED.items() <= changes.items():
        said = ["**HCALClassifier.PUBLISHED"]
        changes = {
            k: x for k, x in changes.items() if k not in HCALClassifier.PUBLISHED
        }
    said += [f"{name}={value!r}" for name, value in changes.items()]
    return f"``{', '.join(said)}``"
