"""The synthetic data with a hidden hierarchy: counts, places, what is dropped."""

import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import Hierarchy
from skhmc.coherence import violations
from skhmc.datasets import make_hidden_hierarchy

BRANCHINGS = [(4, 4), (2,), (3,), (2, 2, 2), (5, 2, 3), (7, 3), (9, 4), (2,) * 6]


def n_labels_of(branching):
    return sum(int(np.prod(branching[:k])) for k in range(len(branching) + 1))


@pytest.fixture(scope="module")
def points():
    return make_hidden_hierarchy(random_state=0)


@pytest.fixture(scope="module")
def dropped():
    return make_hidden_hierarchy(drop_probability=0.4, random_state=0)


# -- the published case ------------------------------------------------------------


def test_bunch(points):
    assert points.data.shape == (12000, 2) and points.data.dtype == np.float64
    assert points.target.shape == (12000, 21) and points.target.dtype.kind == "i"
    assert points.label_names == points.target_names == list(points.hierarchy.labels)
    assert points.feature_names == ["x", "y"] and points.centers.shape == (16, 2)
    assert points.eval_mask.all() and points.eval_mask.shape == (21,)
    assert "16 Gaussians" in points.DESCR and "9600" in points.DESCR
    assert max(map(len, points.DESCR.splitlines())) <= 88


def test_hierarchy_is_the_tree_of_root_quadrants_and_leaves(points):
    edges = [("root", f"root/{q}") for q in range(4)]
    edges += [(f"root/{q}", f"root/{q}/{k}") for q in range(4) for k in range(4)]
    assert points.hierarchy == Hierarchy.from_edges(edges, points.label_names)
    assert [len(level) for level in points.hierarchy.levels] == [1, 4, 16]


def test_centers_are_those_of_the_publication(points):
    grid = {(x, y) for x in (-2, -1, 0, 1) for y in (-2, -1, 0, 1)}
    assert set(map(tuple, points.centers.tolist())) == grid


def test_quadrants_lie_in_quadrants(points):
    below = (points.centers < 0).reshape(4, 4, 2)  # quadrant, leaf, coordinate
    assert (below == below[:, :1]).all()
    assert len(np.unique(below[:, 0], axis=0)) == 4


def test_each_gaussian_has_its_mean_and_variance(points):
    leaves = points.target[:, points.hierarchy.leaves]
    counts = leaves.sum(axis=0)
    assert counts.sum() == 12000 and abs(counts - 750).max() < 5 * np.sqrt(750)
    for center, members in zip(points.centers, leaves.T, strict=True):
        x = points.data[members == 1]
        np.testing.assert_allclose(x.mean(axis=0), center, atol=5 * 0.1 / np.sqrt(600))
        covariance = np.cov(x.T) / 0.01
        np.testing.assert_allclose(covariance, np.eye(2), atol=5 * np.sqrt(2 / 600))


def test_split(points):
    assert len(points.train) == 9600 and len(points.test) == 2400
    both = np.sort(np.concatenate([points.train, points.test]))
    np.testing.assert_array_equal(both, np.arange(12000))


def test_without_dropping_every_row_is_a_path(points):
    np.testing.assert_array_equal(points.target, points.complete_target)
    assert (points.target.sum(axis=1) == 3).all()
    assert violations(points.target, points.hierarchy).nnz == 0


# -- what is dropped ---------------------------------------------------------------


def test_exactly_one_label_is_dropped_at_the_rate_asked_for(dropped):
    missing = dropped.complete_target - dropped.target
    assert missing.min() == 0  # nothing is added
    per_row = missing[dropped.train].sum(axis=1)
    assert set(per_row) == {0, 1}
    n = len(per_row)
    assert abs(per_row.mean() - 0.4) < 5 * np.sqrt(0.4 * 0.6 / n)
    per_level = [missing[:, level].sum() for level in dropped.hierarchy.levels]
    assert np.abs(np.divide(per_level, n) - 0.4 / 3).max() < 5 * np.sqrt(0.4 / 3 / n)
    assert f"{per_row.sum()} of 9600 rows do" in dropped.DESCR


def test_test_part_is_clean(dropped):
    clean = dropped.complete_target[dropped.test]
    np.testing.assert_array_equal(dropped.target[dropped.test], clean)
    assert (clean.sum(axis=1) == 3).all()


def test_probability_one_drops_from_every_training_row():
    points = make_hidden_hierarchy(500, 1.0, random_state=0)
    assert (points.target[points.train].sum(axis=1) == 2).all()
    assert (points.target[points.test].sum(axis=1) == 3).all()


def test_points_do_not_depend_on_the_probability(points, dropped):
    np.testing.assert_array_equal(points.data, dropped.data)
    np.testing.assert_array_equal(points.complete_target, dropped.complete_target)
    fewer = make_hidden_hierarchy(drop_probability=0.2, random_state=0)
    assert (dropped.target <= fewer.target).all()


# -- other parameters --------------------------------------------------------------


def test_repeatable(dropped):
    again = make_hidden_hierarchy(drop_probability=0.4, random_state=0)
    generator = np.random.RandomState(0)
    third = make_hidden_hierarchy(drop_probability=0.4, random_state=generator)
    for other in (again, third):
        np.testing.assert_array_equal(other.data, dropped.data)
        np.testing.assert_array_equal(other.target, dropped.target)
    different = make_hidden_hierarchy(drop_probability=0.4, random_state=1)
    assert not np.array_equal(different.data, dropped.data)


def test_return_X_y(dropped):
    X, Y = make_hidden_hierarchy(drop_probability=0.4, random_state=0, return_X_y=True)
    np.testing.assert_array_equal(X, dropped.data)
    np.testing.assert_array_equal(Y, dropped.target)


@pytest.mark.parametrize("branching", BRANCHINGS)
def test_any_branching_makes_its_tree(branching):
    points = make_hidden_hierarchy(800, 0.5, 0, branching=branching)
    hierarchy = points.hierarchy
    assert hierarchy.is_tree and hierarchy.n_labels == n_labels_of(branching)
    assert hierarchy.depth.max() == len(branching)
    for level, n_children in zip(hierarchy.levels, branching, strict=False):
        assert (hierarchy.children[level].sum(axis=1) == n_children).all()
    np.testing.assert_array_equal(
        hierarchy.leaves, np.arange(hierarchy.n_labels)[-len(points.centers) :]
    )
    assert (points.complete_target.sum(axis=1) == len(branching) + 1).all()
    assert violations(points.complete_target, hierarchy).nnz == 0
    assert set((points.complete_target - points.target).sum(axis=1)) == {0, 1}


@pytest.mark.parametrize("branching", BRANCHINGS)
def test_leaves_are_apart_and_labels_hold_blocks(branching):
    points = make_hidden_hierarchy(800, 0, 0, branching=branching)
    leaf = points.target[:, points.hierarchy.leaves].argmax(axis=1)
    apart = np.linalg.norm(points.data[:, None] - points.centers, axis=2)
    np.testing.assert_array_equal(apart.argmin(axis=1), leaf)
    between = np.linalg.norm(points.centers[:, None] - points.centers, axis=2)
    assert between[np.triu_indices_from(between, 1)].min() == 1
    below = points.hierarchy.descendants.toarray()[:, points.hierarchy.leaves] != 0
    for label in np.flatnonzero(below.sum(axis=1) > 1):
        inside = points.centers[below[label]]
        low, high = inside.min(axis=0), inside.max(axis=0)
        caught = ((points.centers >= low) & (points.centers <= high)).all(axis=1)
        np.testing.assert_array_equal(caught, below[label])


def test_the_grid_stays_nearly_square():
    centers = make_hidden_hierarchy(10, branching=(2,) * 6).centers
    assert set(map(tuple, centers.tolist())) == {
        (x, y) for x in range(-4, 4) for y in range(-4, 4)
    }


def test_cluster_std():
    points = make_hidden_hierarchy(100, random_state=0, cluster_std=0)
    leaf = points.target[:, points.hierarchy.leaves].argmax(axis=1)
    np.testing.assert_array_equal(points.data, points.centers[leaf])


@pytest.mark.parametrize(
    "n_samples, test_size, n_test", [(10, 0.2, 2), (2, 0.9, 1), (3, 0.01, 1)]
)
def test_test_size(n_samples, test_size, n_test):
    points = make_hidden_hierarchy(n_samples, test_size=test_size)
    assert len(points.test) == n_test and len(points.train) == n_samples - n_test


@pytest.mark.parametrize(
    "name, value",
    [
        ("n_samples", 1),
        ("n_samples", 10.0),
        ("drop_probability", -0.1),
        ("drop_probability", 1.1),
        ("random_state", "seed"),
        ("branching", 4),
        ("branching", "44"),
        ("cluster_std", -1),
        ("test_size", 0),
        ("test_size", 1),
        ("return_X_y", "yes"),
    ],
)
def test_wrong_parameters(name, value):
    with pytest.raises(InvalidParameterError, match=f"The '{name}' parameter"):
        make_hidden_hierarchy(**{name: value})


@pytest.mark.parametrize("branching", [(), (4, 1), (2.5, 2), (4, "4"), [[4, 4]]])
def test_wrong_branching(branching):
    with pytest.raises(ValueError, match="expected an integer above 1 for every level"):
        make_hidden_hierarchy(branching=branching)
