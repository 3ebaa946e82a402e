"""Random hierarchies for property tests."""

import numpy as np
import pytest
from hypothesis import strategies as st

from skhmc import Hierarchy

# labels drawn one by one, not closed, may speak for either direction by chance
random_labels = pytest.mark.filterwarnings("ignore::skhmc.HierarchyWarning")


def random_hierarchy(n_labels, seed, max_parents=1, root_rate=0.2):
    """Return a random forest (``max_parents=1``) or DAG, label order shuffled."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(n_labels).tolist()
    edges = []
    for child in range(1, n_labels):
        if rng.random() > root_rate:
            n_parents = min(child, int(rng.integers(1, max_parents + 1)))
            parents = rng.choice(child, n_parents, replace=False)
            edges += [(names[p], names[child]) for p in parents]
    return Hierarchy.from_edges(edges, labels=range(n_labels))


def hierarchies(max_labels=24, max_parents=3):
    """Hypothesis strategy: trees, forests, DAGs and flat hierarchies."""
    return st.builds(
        random_hierarchy,
        n_labels=st.integers(1, max_labels),
        seed=st.integers(0, 2**32 - 1),
        max_parents=st.integers(1, max_parents),
        root_rate=st.sampled_from([0.0, 0.2, 1.0]),
    )
