"""Put the parameters of an estimator under headings, where its page is made.

Docstrings list parameters in the order of the signature. A page of the documentation
shows those of an estimator that has more than ``FEW`` of them group by group.
"""

import re

FEW = 5

GROUPS = {
    "Hierarchy": ("hierarchy", "structure", "parent_threshold"),
    "Estimator": ("estimator", "estimators", "min_positives", "cv", "refit"),
    "Scores": ("aggregate",),
    "Votes": ("weights", "average"),
    "Calibration": ("method", "per"),
    "Prototypes": ("level", "center"),
    "Features": (),
    "Kernel": ("kernel", "ridge", "n_components"),
    "Tuned thresholds": ("strategy", "metric", "shrinkage", "dependence"),
    "Given thresholds": ("thresholds", "max_labels"),
    "Promised thresholds": ("min_precision", "min_recall", "confidence"),
    "Network": (
        "encoder",
        "hidden_layer_sizes",
        "linear_path",
        "embedding_dim",
        "dropout",
        "temperature",
        "normalize_features",
        "linear_head",
        "geometry",
        "max_radius",
        "tangent_scores",
    ),
    "Loss": (
        "label_loss",
        "class_weight",
        "perturbation",
        "aggregation",
        "contrastive",
        "task_weighting",
        "gamma",
        "mode",
        "embedding_weight",
        "similarity",
        "ranking_sample",
    ),
    "Linear classifiers": (
        "loss",
        "negatives",
        "C",
        "slope",
        "normalize",
        "max_children",
        "weight_threshold",
    ),
    "Predictions": (
        "coherence",
        "threshold",
        "leaf_prediction",
        "proba_format",
        "sparse_output",
    ),
    "Training": (
        "optimizer",
        "learning_rate_init",
        "schedule",
        "batch_size",
        "max_iter",
        "n_estimators",
        "n_sampled_labels",
        "warm_start",
        "callbacks",
        "checkpoint",
    ),
    "When to stop": (
        "early_stopping",
        "validation_fraction",
        "n_iter_no_change",
        "tol",
    ),
    "Computation": ("precision", "device", "n_jobs", "random_state", "verbose"),
}
# What a word means in one estimator alone, by its name.
OWN_GROUPS = {
    "CoherentClassifier": {"strategy": "Estimator"},
    "HierarchicalCalibratedClassifier": {"shrinkage": "Calibration"},
    "HierarchicalPrototypeTransformer": {
        "aggregation": "Prototypes",
        "shrinkage": "Prototypes",
        "metric": "Features",
        "gamma": "Features",
        "cv": "Features",
    },
    "KernelHMC": {"gamma": "Kernel"},
}
ENTRY = re.compile(r"    \*\*(\w+)\*\* : ")


def read_entries(lines):
    """Return {parameter: its lines} of a section as numpydoc writes it."""
    entries = {}
    for line in lines:
        if found := ENTRY.match(line):
            entries[found[1]] = own = []
        if entries:
            own.append(line)
    return entries


def find_groups(entries, name):
    """Return {group: parameters} of a class, without groups that have none.

    Raises an error where a parameter has no group, before it is lost.
    """
    group_of = {one: group for group, names in GROUPS.items() for one in names}
    group_of |= OWN_GROUPS.get(name, {})
    missing = set(entries) - set(group_of)
    if missing:
        raise ValueError(
            f"{name} has parameters without a group: {sorted(missing)}. Expected all "
            "of them in GROUPS of docs/group_parameters.py; add them to one."
        )
    found = {group: [] for group in GROUPS}
    for one in entries:
        found[group_of[one]].append(one)
    return {group: names for group, names in found.items() if names}


def write_groups(entries, name):
    """Return the lines of the section, with a heading before each group."""
    lines = [""]
    for group, names in find_groups(entries, name).items():
        lines += [f"    .. rubric:: {group}", "       :class: parameter-group", ""]
        for one in names:
            lines += entries[one]
    return lines


def is_grouped(thing, n_parameters):
    """Tell whether the parameters of a class are shown in groups."""
    return hasattr(thing, "fit") and n_parameters > FEW


def group_parameters(app, what, name, obj, options, lines):
    """Group the parameters of a class, in place; numpydoc has been there before."""
    if what != "class" or ":Parameters:" not in lines:
        return
    start = lines.index(":Parameters:") + 1
    heads = [k for k, line in enumerate(lines) if k > start and line[:1].strip()]
    end = min(heads, default=len(lines))
    entries = read_entries(lines[start:end])
    if is_grouped(obj, len(entries)):
        lines[start:end] = write_groups(entries, obj.__name__)
