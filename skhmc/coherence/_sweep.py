"""Sweeps over the levels of a hierarchy."""

__all__ = ["ROWS_PER_BLOCK", "check_width", "sweep"]

ROWS_PER_BLOCK = 1024


def sweep(values, plan, reduce):
    """Update rows of ``values`` (n_labels, n_samples) in place along a plan."""
    for targets, sources in plan:
        best = reduce.reduce(values[sources], axis=1)
        values[targets] = reduce(values[targets], best)
    return values


def check_width(Y, hierarchy):
    """Raise unless ``Y`` has one column per label."""
    if not hasattr(hierarchy, "upward_plan"):
        raise TypeError(
            f"Expected a Hierarchy in the order of the columns, got "
            f"{type(hierarchy).__name__}. Build it: Hierarchy.build(source, labels)."
        )
    if Y.ndim != 2 or Y.shape[1] != hierarchy.n_labels:
        raise ValueError(
            f"Expected an array of shape (n_samples, {hierarchy.n_labels}), one column "
            f"per label of the hierarchy, got shape {Y.shape}."
        )
