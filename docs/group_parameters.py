"""Put the many parameters of an estimator under headings, where its page is made.

Docstrings list parameters in the order of the signature. A page of the documentation
shows those of an estimator that has more than ``FEW`` of them group by group.
"""

import re

FEW = 12

GROUPS = {
    "Hierarchy": ("hierarchy", "structure", "parent_threshold"),
    "Estimator": ("estimator", "cv", "refit"),
    "Tuned thresholds": ("strategy", "metric", "shrinkage"),
    "Given thresholds": ("thresholds", "max_labels"),
    "Promised thresholds": ("min_precision", "min_recall", "confidence"),
    "Network": (
        "encoder",
        "hidden_layer_sizes",
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
        "task_weighting",
        "gamma",
        "mode",
        "embedding_weight",
        "similarity",
        "ranking_sample",
    ),
    "Linear classifiers": (
        "loss",
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
    ),
    "When to stop": (
        "early_stopping",
        "validation_fraction",
        "n_iter_no_change",
        "tol",
    ),
    "Computation": ("precision", "device", "n_jobs", "random_state", "verbose"),
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


def check_groups(entries, name):
    """Raise an error where a parameter has no group, before it is lost."""
    missing = set(entries) - {one for group in GROUPS.values() for one in group}
    if missing:
        raise ValueError(
            f"{name} has parameters without a group: {sorted(missing)}. Expected all "
            "of them in GROUPS of docs/group_parameters.py; add them to one."
        )


def write_groups(entries):
    """Return the lines of the section, with a heading before each group."""
    lines = [""]
    for group, names in GROUPS.items():
        known = [name for name in names if name in entries]
        if known:
            lines += [f"    .. rubric:: {group}", "       :class: parameter-group", ""]
        for name in known:
            lines += entries[name]
    return lines


def group_parameters(app, what, name, obj, options, lines):
    """Group the parameters of a class, in place; numpydoc has been there before."""
    if what != "class" or ":Parameters:" not in lines:
        return
    start = lines.index(":Parameters:") + 1
    heads = [k for k, line in enumerate(lines) if k > start and line[:1].strip()]
    end = min(heads, default=len(lines))
    entries = read_entries(lines[start:end])
    if len(entries) > FEW:
        check_groups(entries, name)
        lines[start:end] = write_groups(entries)
