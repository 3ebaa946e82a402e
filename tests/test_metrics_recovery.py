import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import average_precision_score

from skhmc import Hierarchy
from skhmc.metrics import _recovery, hierarchy_recovery_report
from tests.hierarchies import hierarchies, random_hierarchy

SEEDS = st.integers(0, 2**32 - 1)
#  r -- a -- a1, a2      learnt: a2 hangs from r, b1 from a, and b is a root of its own
#   `-- b -- b1
NAMES = ["r", "a", "b", "a1", "a2", "b1"]
TRUE = Hierarchy(NAMES, [("r", "a"), ("r", "b"), ("a", "a1"), ("a", "a2"), ("b", "b1")])
LEARNT = Hierarchy(NAMES, [("r", "a"), ("a", "a1"), ("r", "a2"), ("a", "b1")])


def random_distances(n_labels, seed, n_values=None):
    """Return symmetric distances; with ``n_values``, many are equal."""
    rng = np.random.default_rng(seed)
    drawn = rng.random((n_labels, n_labels))
    drawn = drawn if n_values is None else np.floor(drawn * n_values)
    return np.triu(drawn, 1) + np.triu(drawn, 1).T


def hops_by_networkx(hierarchy):
    graph = hierarchy.to_networkx().to_undirected()
    roots = [hierarchy.labels[i] for i in hierarchy.roots]
    graph.add_edges_from((root, "above all roots") for root in roots)
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    labels = hierarchy.labels
    return np.array([[lengths[i][j] for j in labels] for i in labels])


# -- edges and ancestors -----------------------------------------------------------


def test_pairs_by_hand():
    report = hierarchy_recovery_report(TRUE, LEARNT)
    # of 5 true and 4 learnt edges r-a and a-a1 agree
    assert report.edge_precision == 2 / 4
    assert report.edge_recall == 2 / 5
    assert report.edge_f1 == 4 / 9
    # above a: r, b: r, a1: a r, a2: a r, b1: b r; learnt a: r, a1: a r, a2: r, b1: a r
    assert report.ancestor_precision == 5 / 6
    assert report.ancestor_recall == 5 / 8
    assert report["ancestor_f1"] == 10 / 14
    assert report.n_labels == report.n_judged == 6


@settings(max_examples=60, deadline=None)
@given(hierarchies(), SEEDS)
def test_pairs_against_networkx(true, seed):
    learnt = random_hierarchy(true.n_labels, seed, max_parents=2)
    report = hierarchy_recovery_report(true, learnt)
    closed = [nx.transitive_closure(h.to_networkx()) for h in (true, learnt)]
    plain = [h.to_networkx() for h in (true, learnt)]
    for kind, graphs in (("edge", plain), ("ancestor", closed)):
        T, L = (set(graph.edges) for graph in graphs)
        expected = {
            "precision": len(T & L) / len(L) if L else np.nan,
            "recall": len(T & L) / len(T) if T else np.nan,
            "f1": 2 * len(T & L) / (len(T) + len(L)) if T or L else np.nan,
        }
        for name, value in expected.items():
            np.testing.assert_equal(report[f"{kind}_{name}"], value)


@settings(max_examples=60, deadline=None)
@given(hierarchies())
def test_the_truth_recovers_itself(true):
    report = hierarchy_recovery_report(true, true)
    assume(len(true.edges))
    for kind in ("edge", "ancestor"):
        for name in ("precision", "recall", "f1"):
            assert report[f"{kind}_{name}"] == 1
    assert report.ancestor_map == report.ancestor_map_of_hops
    np.testing.assert_allclose(report.radius_spearman, 1)
    if not np.isnan(report.hop_spearman):
        np.testing.assert_allclose(report.hop_spearman, 1)


@settings(max_examples=60, deadline=None)
@given(hierarchies(), SEEDS)
def test_the_order_of_labels_changes_nothing(true, seed):
    rng, n_labels = np.random.default_rng(seed), true.n_labels
    learnt = random_hierarchy(n_labels, seed, max_parents=2)
    distance, radius = random_distances(n_labels, seed, 5), rng.random(n_labels)
    before = hierarchy_recovery_report(true, learnt, distances=distance, radius=radius)
    order = rng.permutation(n_labels)
    after = hierarchy_recovery_report(
        Hierarchy.build(true, rng.permutation(n_labels)),
        Hierarchy.build(learnt, order),
        distances=distance[np.ix_(order, order)],
        radius=radius[order],
    )
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_allclose(after[name], before[name], err_msg=name)


# -- distances ---------------------------------------------------------------------


def test_ranking_by_hand():
    distance = 10 * (1 - np.eye(6))
    order = {"a": "r a1 a2 b b1", "b": "a r b1 a1 a2", "a1": "a b a2 r b1"}
    order |= {"a2": "b b1 r a a1", "b1": "b r a a1 a2"}
    for label, others in order.items():
        for rank, other in enumerate(others.split(), 1):
            distance[NAMES.index(label), NAMES.index(other)] = rank
    report = hierarchy_recovery_report(TRUE, LEARNT, distances=distance)
    # a: r 1st. b: r 2nd. a1: a 1st, r 4th. a2: r 3rd, a 4th. b1: b and r 1st and 2nd
    ap = [1, 1 / 2, (1 + 2 / 4) / 2, (1 / 3 + 2 / 4) / 2, 1]
    assert report.ancestor_map == pytest.approx(np.mean(ap))
    # ranks among those that are no ancestors: a 1; b 2; a1 1, 3; a2 3, 3; b1 1, 1
    assert report.ancestor_mean_rank == pytest.approx(15 / 8)


def test_spearman_by_hand():
    # a chain of 3: hops 1, 2, 1 of the pairs 01, 02, 12; two of three are equal
    chain = Hierarchy(range(3), [(0, 1), (1, 2)])
    distance = np.array([[0, 1, 3], [1, 0, 2], [3, 2, 0.0]])
    report = hierarchy_recovery_report(
        chain, chain, distances=distance, radius=[3, 2, 1]
    )
    # ranks 1.5, 3, 1.5 and 1, 3, 2: 1.5 / sqrt(1.5 * 2), the ceiling
    assert report.hop_spearman == pytest.approx(np.sqrt(3) / 2)
    assert report.hop_spearman_ceiling == pytest.approx(np.sqrt(1 - 6 / 24))
    # depth sums 1, 2, 3: ranks 1.5, 3, 1.5 against 1, 2, 3
    assert report.hop_spearman_of_depth == 0
    assert report.radius_spearman == pytest.approx(-1)
    assert report.radius_spearman_ceiling == 1


@settings(max_examples=60, deadline=None)
@given(hierarchies(), SEEDS, st.sampled_from([None, 4]))
def test_distances_against_oracles(true, seed, n_values):
    n_labels = true.n_labels
    distance = random_distances(n_labels, seed, n_values)
    radius = random_distances(n_labels, seed + 1, n_values)[0]
    report = hierarchy_recovery_report(
        true, Hierarchy.flat(n_labels), distances=distance, radius=radius
    )
    hops, ancestors = hops_by_networkx(true), true.ancestors.toarray()
    ap, ap_of_hops, ranks = [], [], []
    for i in np.flatnonzero(ancestors.any(axis=1)):
        others = np.arange(n_labels) != i
        is_above = ancestors[i, others]
        ap.append(average_precision_score(is_above, -distance[i, others]))
        ap_of_hops.append(average_precision_score(is_above, -hops[i, others]))
        rest = distance[i, others][~is_above]
        for d in distance[i, others][is_above]:
            ranks.append(1 + (rest < d).sum() + (rest == d).sum() / 2)
    if ap:
        assert report.ancestor_map == pytest.approx(np.mean(ap))
        assert report.ancestor_map_of_hops == pytest.approx(np.mean(ap_of_hops))
        assert report.ancestor_mean_rank == pytest.approx(np.mean(ranks))
    i, j = np.triu_indices(n_labels, 1)
    depth = true.depth[i] + true.depth[j]
    for name, a, b in (
        ("hop_spearman", hops[i, j], distance[i, j]),
        ("hop_spearman_of_depth", hops[i, j], depth),
        ("radius_spearman", true.depth, radius),
    ):
        varied = len(a) > 1 and np.ptp(a) and np.ptp(b)
        expected = spearmanr(a, b)[0] if varied else np.nan
        np.testing.assert_allclose(report[name], expected, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(hierarchies(), SEEDS)
def test_the_ceiling_is_reached_and_not_exceeded(true, seed):
    assume(true.n_labels > 2)
    hops = hops_by_networkx(true)
    noise = random_distances(true.n_labels, seed)
    best = hierarchy_recovery_report(true, true, distances=hops + noise)
    assert (
        best.hop_spearman_ceiling > 0
        or np.ptp(hops[np.triu_indices_from(hops, 1)]) == 0
    )
    if not np.isnan(best.hop_spearman):
        assert best.hop_spearman == pytest.approx(best.hop_spearman_ceiling)
    random = hierarchy_recovery_report(true, true, distances=noise)
    assert not random.hop_spearman > best.hop_spearman_ceiling + 1e-12


def test_default_distances_are_the_hops_of_the_learnt_hierarchy():
    hops = hops_by_networkx(LEARNT)
    default = hierarchy_recovery_report(TRUE, LEARNT)
    assert default == hierarchy_recovery_report(
        TRUE, LEARNT, distances=hops, radius=LEARNT.depth
    )
    assert hops[0].tolist() == [0, 1, 2, 2, 1, 2]  # b, a root of its own, is 2 from r


def test_self_pairs_do_not_count():
    distance = random_distances(6, 0)
    moved = distance + 7 * np.eye(6)
    assert hierarchy_recovery_report(
        TRUE, LEARNT, distances=distance
    ) == hierarchy_recovery_report(TRUE, LEARNT, distances=moved)


def test_rows_in_blocks(monkeypatch):
    true, distance = random_hierarchy(40, 0, 2), random_distances(40, 0)
    whole = hierarchy_recovery_report(true, true, distances=distance)
    monkeypatch.setattr(_recovery, "CELLS_PER_BLOCK", 130)
    asked = []

    def rows_of(rows):
        asked.append(len(rows))
        return distance[rows]

    blocks = hierarchy_recovery_report(true, true, distances=rows_of)
    assert max(asked) == 3 and sum(asked) == 40
    assert blocks == whole


def test_a_sample_of_many_labels():
    true = random_hierarchy(300, 0, root_rate=0.05)
    noise = random_distances(300, 1)
    distance = hops_by_networkx(true) + 2 * noise
    whole = hierarchy_recovery_report(true, true, distances=distance)
    some = {"distances": distance, "max_pairs": 9000}
    sample = hierarchy_recovery_report(true, true, **some)
    assert whole.n_judged == 300 and sample.n_judged == 30
    assert sample == hierarchy_recovery_report(true, true, **some)
    assert sample != hierarchy_recovery_report(true, true, **some, random_state=1)
    for name in ("ancestor_map", "hop_spearman", "hop_spearman_ceiling"):
        assert sample[name] == pytest.approx(whole[name], abs=0.1)
    # with one label fewer pairs than there are, every pair counts at most once
    almost = hierarchy_recovery_report(true, true, distances=distance, max_pairs=44_849)
    assert almost.n_judged == 149


@pytest.mark.parametrize("n_labels", [1, 2, 5])
def test_nothing_to_say(n_labels):
    flat = Hierarchy.flat(n_labels)
    report = hierarchy_recovery_report(flat, flat)
    numbers = {k: v for k, v in report.items() if k not in ("n_labels", "n_judged")}
    ceilings = {
        numbers.pop("hop_spearman_ceiling"),
        numbers.pop("radius_spearman_ceiling"),
    }
    assert all(np.isnan(value) for value in numbers.values())
    assert all(value == 0 or np.isnan(value) for value in ceilings)


def test_takes_what_builds_a_hierarchy():
    paths = ["r", "r/a", "r/b"]
    matrix = np.array([[0, 1, 1], [0, 0, 0], [0, 0, 0]])
    report = hierarchy_recovery_report(paths, {"r/a": "r", "r/b": "r"})
    assert report.edge_f1 == 1
    assert hierarchy_recovery_report(matrix, [(0, 2), (0, 1)]).edge_f1 == 1


# -- errors ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "learnt, options, message",
    [
        (
            LEARNT.subset(NAMES[:4]),
            {},
            "Only in true: 'a2', 'b1'. Only in learnt: none",
        ),
        (Hierarchy([*NAMES, "c"]), {}, "Only in true: none. Only in learnt: 'c'"),
        (LEARNT, {"distances": np.ones((6, 5))}, r"shape \(6, 6\), .* got \(6, 5\)"),
        (
            LEARNT,
            {"distances": lambda rows: np.ones(6)},
            r"must have shape \(6, 6\) for 6 rows, got \(6,\)",
        ),
        (
            LEARNT,
            {"distances": np.where(np.eye(6)[::-1], np.nan, 1)},
            "must not be NaN, as between 'r', 'b1'",
        ),
        (LEARNT, {"radius": np.ones(5)}, r"6 of them and none NaN, got shape \(5,\)"),
        (LEARNT, {"radius": np.full(6, np.nan)}, "none NaN"),
        (LEARNT, {"max_pairs": 0}, "max_pairs must be a positive integer, got 0"),
        (LEARNT, {"max_pairs": 1e6}, "got 1000000.0"),
    ],
)
def test_errors(learnt, options, message):
    with pytest.raises(ValueError, match=message):
        hierarchy_recovery_report(TRUE, learnt, **options)


def test_sparse_distances_are_refused():
    with pytest.raises(TypeError, match="an array or callable, got a sparse matrix"):
        hierarchy_recovery_report(TRUE, LEARNT, distances=LEARNT.ancestors)
