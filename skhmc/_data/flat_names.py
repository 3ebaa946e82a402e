"""Whether labels without a hierarchy have names that are paths through one.

Without a hierarchy every label stands by itself. Where names such as "Animals > Cats"
say what is above what, that is perhaps not what was meant, and no score shows it.
"""

import numpy as np

from skhmc._utils.messages import plain
from skhmc._utils.warnings import HierarchyWarning, warn_of_input
from skhmc.hierarchy import Hierarchy

__all__ = ["judge_flat", "paths_among"]

MANY = 1000  # names that are looked at; more say the same
OFTEN = 0.5  # share of names below others, where some of these stand by themselves


def paths_among(names):
    """Return the hierarchy that names describe as paths, or None where they do not.

    Parameters
    ----------
    names : iterable of hashable
        Names of labels, each once.
    """
    names = [plain(name) for _, name in zip(range(MANY), names, strict=False)]
    if len(names) < 2 or not all(isinstance(name, str) and name for name in names):
        return None
    try:
        found = Hierarchy.build(names)
    except ValueError:  # nothing says whether these are paths
        return None
    n_children = {label: len(found.children_of(label)) for label in found.labels}
    tops = {found.labels[i] for i in np.flatnonzero(found.depth == 0)}
    n_below = sum(name.strip() not in tops for name in names)
    if n_below == len(names):  # "km/h" and "m/s" have nothing in common
        return found if max(n_children.values()) > 1 or found.depth.max() > 1 else None
    given = any(n_children.get(name.strip()) for name in names)
    return found if given and n_below >= OFTEN * len(names) else None


def judge_flat(hierarchy):
    """Warn where nobody gave a hierarchy and the names of labels describe one.

    Parameters
    ----------
    hierarchy : Hierarchy
        Of what was read.
    """
    if len(hierarchy.edges):
        return
    found = paths_among(hierarchy.labels)
    if found is None:
        return
    child = found.labels[found.edges[0, 1]]
    parent = found.parents_of(child)[0]
    warn_of_input(
        f"The names of the labels look like paths, by which {child!r} is below "
        f"{parent!r}, but hierarchy=None knows no edges: each of the "
        f"{hierarchy.n_labels} labels stands by itself. For the hierarchy pass "
        f"hierarchy=Hierarchy.from_paths(names); where labels are flat on purpose, "
        f"hierarchy=Hierarchy.flat(names) silences this.",
        HierarchyWarning,
    )
