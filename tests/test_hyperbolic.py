"""HyperbolicHMC: points of labels, the hierarchy that is learnt, what is frozen."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse as sp
from scipy.spatial.distance import cdist
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import Callback

from skhmc import Hierarchy, HyperbolicHMC
from skhmc._data.hold_out import hold_out
from skhmc._networks import label_embedding
from skhmc._networks.label_embedding import LabelPoints
from skhmc._networks.training import draw_seeds
from skhmc.coherence import score_violations, violations
from skhmc.datasets import make_hidden_hierarchy
from skhmc.induction import (
    cooccurrence,
    label_rates,
    learn_dag,
    learn_tree,
    rates_of_counts,
    subsumption_hierarchy,
)
from skhmc.metrics import hierarchy_recovery_report
from skhmc.nn.ranking import ExactRanking, SampledRanking

FAST = {
    "hidden_layer_sizes": (20,),
    "embedding_dim": 8,
    "dropout": 0.0,
    "learning_rate_init": 0.01,
    "max_iter": 5,
    "random_state": 0,
}


def fast(hierarchy=None, **options):
    return HyperbolicHMC(hierarchy, **{**FAST, **options})


def frame(points, rows=slice(None)):
    """Columns that say which labels they are; the root, which all have, is left out."""
    return pd.DataFrame(points.target[rows, 1:], columns=points.label_names[1:])


@pytest.fixture(scope="module")
def points():
    return make_hidden_hierarchy(400, random_state=0)


@pytest.fixture(scope="module")
def data(points):
    return points.data, frame(points)


@pytest.fixture(scope="module")
def true(points):
    return points.hierarchy.subset(points.label_names[1:])


@pytest.fixture(scope="module")
def incomplete():
    return make_hidden_hierarchy(1200, drop_probability=0.4, random_state=0)


@pytest.fixture(scope="module")
def wide():
    """More labels than are ranked exactly, few of which occur together."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    return X, np.eye(300, dtype=int) | np.eye(300, k=1, dtype=int)


@pytest.fixture
def quick_cascade(monkeypatch):
    """Cascades of fewer steps; what each learns is recorded."""
    tables = []

    def record(*args):
        tables.append(learn(*args))
        return tables[-1].clone()

    learn = label_embedding.train_table
    monkeypatch.setattr(label_embedding, "STEPS_OF_CASCADE", 100)
    monkeypatch.setattr(label_embedding, "train_table", record)
    return tables


def table_of(clf):
    return clf.net_.module_.table.detach()


def upper(distances):
    return distances[np.triu_indices(len(distances), 1)]


# -- every mode, geometry, similarity and rule -----------------------------------------


def combinations():
    """Yield modes, geometries and similarities; the fast suite has all pairs of them.

    In its combinations at most two differ from the defaults.
    """
    for mode in ("joint", "cascade", "flat"):
        for geometry in ("hyperbolic", "euclidean"):
            for similarity in ("cosine", "count", "jaccard", "ppmi"):
                defaults = {"joint", "hyperbolic", "cosine"}
                changed = {mode, geometry, similarity} - defaults
                marks = pytest.mark.slow if len(changed) == 3 else ()
                yield pytest.param(mode, geometry, similarity, marks=marks)


@pytest.mark.parametrize("mode, geometry, similarity", list(combinations()))
def test_every_mode_geometry_and_similarity(
    data, quick_cascade, mode, geometry, similarity
):
    options = {"mode": mode, "geometry": geometry, "similarity": similarity}
    clf = fast(**options, max_iter=30).fit(*data)
    assert clf.label_embeddings_.shape == (20, 8)
    assert np.isfinite(clf.label_embeddings_).all() and (clf.label_radius_ > 0).all()
    assert clf.learned_hierarchy_.labels == tuple(data[1].columns)
    assert clf.hierarchy_ == Hierarchy.flat(data[1].columns)
    right = (clf.predict(data[0]) == data[1].to_numpy()).mean()
    assert right > (0.93 if mode == "cascade" else 0.95)  # 0.9 if none is predicted


def test_every_parameter_of_the_points_is_connected(incomplete):
    data = incomplete.data, frame(incomplete)
    base = upper(fast(max_iter=2).fit(*data).label_distances())
    for options in (
        {"similarity": "count"},
        {"similarity": "jaccard"},
        {"similarity": "ppmi"},
        {"geometry": "euclidean"},
        {"temperature": 1.0},
        {"embedding_weight": 1.0},
        {"tangent_scores": False},
        {"mode": "flat"},
    ):
        other = upper(fast(**options, max_iter=2).fit(*data).label_distances())
        assert np.abs(other - base).max() > 1e-3, options


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
@pytest.mark.parametrize("structure", ["tree", "dag"])
def test_the_learnt_hierarchy_is_what_the_rule_says(incomplete, structure, geometry):
    X, Y = incomplete.data, frame(incomplete)
    given = {"structure": structure, "geometry": geometry, "parent_threshold": 0.5}
    clf = fast(**given, max_iter=2).fit(X, Y)
    rates = rates_of_counts(cooccurrence(Y))
    options = {"threshold": 0.5, "radius": clf.label_radius_}
    if structure == "tree":
        distances = clf.label_distances()
        expected = learn_tree(rates, Y.columns, distances=distances, **options)
    else:
        expected = learn_dag(rates, Y.columns, **options)
    assert clf.learned_hierarchy_ == expected and len(expected.edges)


def test_a_dag_keeps_two_parents_and_a_tree_the_nearest():
    Y = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0]] * 10)
    X = np.column_stack([Y[:, 0], Y[:, 1]]).astype(float)
    Y = pd.DataFrame(Y, columns=["pet", "mammal", "cat"])
    dag = fast(structure="dag").fit(X, Y).learned_hierarchy_
    assert sorted(dag.parents_of("cat")) == ["mammal", "pet"]
    clf = fast().fit(X, Y)
    nearest = Y.columns[clf.label_distances([2])[0, :2].argmin()]
    assert clf.learned_hierarchy_.parents_of("cat") == [nearest]


def test_the_way_to_a_label_leads_through_its_parent_not_by_what_is_nearest():
    rows = [[1, 1, 1], [1, 1, 0], [1, 0, 0], [0, 0, 0]] * 5
    Y = pd.DataFrame(rows, columns=["root", "mid", "leaf"])
    for geometry in ("hyperbolic", "euclidean"):
        clf = fast(geometry=geometry, embedding_dim=2, max_iter=1)
        clf.fit(np.random.default_rng(0).normal(size=(20, 2)), Y)
        places = torch.tensor([[0.1, 0.0], [8.0, 0.1], [1.0, 0.0]])
        clf.net_.module_.table.data = places[clf._form.order]
        learnt = clf._learnt_of_labels(clf._former, clf._form)["learned_hierarchy_"]
        assert clf.label_distances([2])[0, :2].argmin() == 0
        assert learnt.parents_of("leaf") == ["mid"]


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
def test_pairs_are_apart_by_distance_less_the_radius_of_the_parent(geometry):
    points = LabelPoints(torch.randn(6, 3), geometry)
    child, parent = np.array([0, 1, 4]), np.array([5, 0, 2])
    expected = points.rows()[child, parent] - points.radius[parent]
    found = points.distance_less_radius(child, parent)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_positions_of_labels(data):
    clf = fast(max_iter=1).fit(*data)
    d = clf.label_distances()
    for chosen in ([3, 1], np.array([3, 1], np.uint8), np.array([3, 1], np.int16)):
        np.testing.assert_allclose(clf.label_distances(chosen), d[[3, 1]])
    assert clf.label_distances([]).shape == (0, 20)
    for wrong in (3, ["root/0"], d[0] > 1, [[1, 2]]):
        with pytest.raises(ValueError, match="list of positions of labels.*got"):
            clf.label_distances(wrong)


def test_the_threshold_says_how_much_a_parent_must_cover(incomplete):
    X, Y = incomplete.data, frame(incomplete)
    n_edges = [
        len(fast(parent_threshold=share, max_iter=1).fit(X, Y).learned_hierarchy_.edges)
        for share in (0.3, 0.8, 1.0)
    ]
    assert n_edges[0] == 16 and n_edges[0] >= n_edges[1] > n_edges[2] == 0


# -- points and scores -----------------------------------------------------------------


def test_points_of_the_ball_have_their_distances(data):
    clf = fast().fit(*data)
    u, d = clf.label_embeddings_, clf.label_distances()
    gap = 1 - np.square(u).sum(axis=1)
    cosh = 1 + 2 * cdist(u, u, "sqeuclidean") / np.outer(gap, gap)
    np.testing.assert_allclose(d, np.arccosh(cosh), rtol=1e-6, atol=1e-7)
    norm = np.linalg.norm(u, axis=1)
    np.testing.assert_allclose(clf.label_radius_, 2 * np.arctanh(norm), rtol=1e-10)
    np.testing.assert_allclose(clf.label_distances([3, 1]), d[[3, 1]])
    assert d.dtype == np.float64 and (np.diag(d) == 0).all() and (norm < 1).all()


def test_euclidean_points_have_their_distances(data):
    clf = fast(geometry="euclidean").fit(*data)
    u = clf.label_embeddings_
    np.testing.assert_allclose(clf.label_distances(), cdist(u, u), atol=1e-12)
    np.testing.assert_allclose(clf.label_radius_, np.linalg.norm(u, axis=1))


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
@pytest.mark.parametrize("tangent", [True, False])
def test_scores_are_products_with_the_points(data, geometry, tangent):
    options = {"geometry": geometry, "tangent_scores": tangent, "precision": "float64"}
    clf = fast(**options).fit(*data)
    module, X = clf.net_.module_, torch.from_numpy(data[0])
    v = table_of(clf).numpy()
    if tangent and geometry == "hyperbolic":
        r = np.linalg.norm(v, axis=1, keepdims=True)
        v = v * np.arcsinh(r) / r
    with torch.no_grad():
        h = module.projection(module.encoder(X)).numpy()
    expected = (h @ v.T + module.bias.detach().numpy())[:, clf._form.inverse]
    np.testing.assert_allclose(clf.raw_decision_function(data[0]), expected, rtol=1e-8)


def test_labels_start_at_their_log_odds(data):
    clf = fast(max_iter=1, learning_rate_init=1e-9).fit(*data)
    rates = data[1].mean().to_numpy()
    bias = clf.net_.module_.bias.detach().numpy()[clf._form.inverse]
    np.testing.assert_allclose(bias, np.log(rates / (1 - rates)), rtol=1e-2)


def test_the_radius_is_limited_softly(data, quick_cascade):
    options = {"mode": "cascade", "max_iter": 1, "temperature": 0.3}
    free, at_8, at_1 = (
        fast(**options, max_radius=limit).fit(*data).label_radius_.max()
        for limit in (None, 8.0, 1.0)
    )
    assert free == at_8 > 1.5  # nothing is pulled within the limit
    assert 1 < at_1 < free - 0.3  # no wall
    far = torch.zeros(20, 8, dtype=torch.float64)
    far[:, 0] = np.sinh(10.0)
    limited, unlimited = (
        fast(max_radius=limit, max_iter=1).fit(*data).net_.criterion_.embedding_loss
        for limit in (8.0, None)
    )
    extra = limited(far) - unlimited(far)
    np.testing.assert_allclose(extra, (10 - 8) ** 2, rtol=1e-10)


def test_a_lambda_of_zero_is_the_flat_mode(data):
    zero, flat = fast(embedding_weight=0.0).fit(*data), fast(mode="flat").fit(*data)
    np.testing.assert_array_equal(
        zero.predict_proba(data[0]), flat.predict_proba(data[0])
    )
    np.testing.assert_array_equal(zero.label_embeddings_, flat.label_embeddings_)


def test_what_was_learnt_does_not_follow_parameters(data):
    clf = fast().fit(*data)
    before = clf.label_embeddings_, clf.label_radius_, clf.label_distances()
    clf.set_params(geometry="euclidean", structure="dag", mode="flat")
    clf.set_params(parent_threshold=0.1)
    after = clf.label_embeddings_, clf.label_radius_, clf.label_distances()
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_follow_the_columns(data):
    X, Y = data
    order = np.random.default_rng(0).permutation(20)
    one, other = (
        fast(embedding_weight=1.0).fit(X, Y),
        fast(embedding_weight=1.0).fit(X, Y.iloc[:, order]),
    )
    np.testing.assert_array_equal(one.label_embeddings_[order], other.label_embeddings_)
    np.testing.assert_array_equal(one.label_radius_[order], other.label_radius_)
    np.testing.assert_array_equal(
        one.label_distances()[np.ix_(order, order)], other.label_distances()
    )
    assert (one.cooccurrence_[order][:, order] != other.cooccurrence_).nnz == 0
    assert other.learned_hierarchy_.labels == tuple(Y.columns[order])
    assert one.learned_hierarchy_.subset(Y.columns[order]) == other.learned_hierarchy_
    np.testing.assert_array_equal(
        one.predict_proba(X)[:, order], other.predict_proba(X)
    )


# -- joint, cascade, flat --------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"optimizer__weight_decay": 0.5},
        {"optimizer": "sgd", "learning_rate_init": 0.1},
        {"early_stopping": True},
        {"precision": "float64"},
        {"class_weight": "balanced"},
    ],
    ids=str,
)
def test_a_cascade_leaves_the_points_as_they_were_learnt(data, quick_cascade, options):
    clf = fast(mode="cascade", **options).fit(*data)
    (learnt,) = quick_cascade
    assert torch.equal(table_of(clf), learnt.to(table_of(clf)))
    assert not clf.net_.module_.table.requires_grad
    assert clf.net_.criterion_.ranking is None
    assert {epoch["loss_embedding"] for epoch in clf.history_} == {0.0}
    losses = [epoch["loss_labels"] for epoch in clf.history_]
    assert losses[-1] < losses[0]  # the classifier is trained


def test_points_of_a_cascade_depend_on_labels_and_seed_alone(data, quick_cascade):
    X, Y = data
    for seed, features in ((0, X), (0, X[::-1].copy()), (1, X)):
        fast(mode="cascade", random_state=seed, max_iter=1).fit(features, Y)
    first, second, third = quick_cascade
    assert torch.equal(first, second) and not torch.equal(first, third)


def test_going_on_from_a_cascade_keeps_its_points(data, quick_cascade):
    clf = fast(mode="cascade", warm_start=True).fit(*data)
    before = clf.label_embeddings_
    clf.fit(*data)
    np.testing.assert_array_equal(clf.label_embeddings_, before)


def test_joint_training_moves_the_points(data):
    still, moved = (
        fast(learning_rate_init=rate).fit(*data).label_radius_ for rate in (1e-9, 0.01)
    )
    assert np.abs(moved - still).min() > 0.01


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
def test_without_weight_the_points_say_nothing(data, geometry):
    # with 256 labels or fewer, where no pairs are drawn
    X, Y = data
    options = {"geometry": geometry, "dropout": (0.0, 0.3, 0.0)}
    none = fast(embedding_weight=0.0, **options).fit(X, Y)
    flat = fast(mode="flat", **options).fit(X, Y)
    np.testing.assert_array_equal(none.predict_proba(X), flat.predict_proba(X))
    np.testing.assert_array_equal(none.label_embeddings_, flat.label_embeddings_)
    assert none.learned_hierarchy_ == flat.learned_hierarchy_
    assert (
        none.history_[-1]["loss_embedding"] > 0 == flat.history_[-1]["loss_embedding"]
    )


def test_the_history_adds_up(data):
    clf = fast(embedding_weight=0.3).fit(*data)
    history = pd.DataFrame(clf.history_)
    expected = history["loss_labels"] + 0.3 * history["loss_embedding"]
    np.testing.assert_allclose(history["train_loss"], expected, rtol=1e-5)
    for name in ("loss_labels", "loss_embedding"):
        assert history[name].iloc[-1] < history[name].iloc[0]
    # 1 is the loss of who knows the frequencies only, which is where labels start
    assert 0.8 < history["loss_labels"].iloc[0] < 1.1


@pytest.mark.slow
def test_more_labels_than_are_ranked_exactly(wide):
    X, Y = wide
    clf = fast(max_iter=2).fit(X, Y)
    assert isinstance(clf.net_.criterion_.ranking, SampledRanking)
    few = fast(max_iter=2).fit(X, Y[:, :256])
    assert isinstance(few.net_.criterion_.ranking, ExactRanking)
    again = fast(max_iter=2).fit(X, Y)
    np.testing.assert_array_equal(clf.label_embeddings_, again.label_embeddings_)
    np.testing.assert_array_equal(clf.predict_proba(X), again.predict_proba(X))
    for options in (
        {"ranking_sample": (32, 20)},
        {"ranking_sample": (256, 3)},
        {"random_state": 1},
    ):
        other = fast(**{"max_iter": 2, **options}).fit(X, Y)
        assert not np.array_equal(clf.label_embeddings_, other.label_embeddings_)
    heavy = {"embedding_weight": 10.0, "max_iter": 60}
    d = fast(**heavy).fit(X, Y).label_distances()
    together = np.arange(299), np.arange(1, 300)
    assert d[together].mean() < 0.6 * upper(d).mean()


def test_a_cascade_of_sampled_pairs_is_repeatable(wide, quick_cascade):
    clf = fast(mode="cascade", max_iter=1)
    one, other = (clf.fit(*wide).label_embeddings_ for _ in range(2))
    np.testing.assert_array_equal(one, other)


# -- hierarchies, learnt and given -----------------------------------------------------


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("mode", ["joint", "cascade"])
def test_a_hidden_tree_is_recovered(mode, seed, monkeypatch):
    monkeypatch.setattr(label_embedding, "STEPS_OF_CASCADE", 300)
    hidden = make_hidden_hierarchy(1200, drop_probability=0.4, random_state=seed)
    X, Y = hidden.data, pd.DataFrame(hidden.target, columns=hidden.label_names)
    reports = {}
    for kind in (mode, "flat"):
        clf = fast(
            mode=kind,
            embedding_weight=1.0,
            parent_threshold=0.6,
            max_iter=20,
            random_state=seed,
        )
        clf.fit(X, Y)
        learnt = clf.learned_hierarchy_
        options = {"distances": clf.label_distances(), "radius": clf.label_radius_}
        reports[kind] = hierarchy_recovery_report(hidden.hierarchy, learnt, **options)
    assert reports[mode].ancestor_f1 == reports[mode].edge_f1 == 1
    assert reports[mode].hop_spearman > reports["flat"].hop_spearman + 0.05
    assert reports[mode].hop_spearman > 0.8


@pytest.mark.parametrize("geometry", ["hyperbolic", "euclidean"])
def test_given_ancestors_are_nearer_than_unrelated_labels(data, true, geometry):
    clf = fast(true, geometry=geometry, embedding_weight=1.0, max_iter=40).fit(*data)
    assert clf.hierarchy_ == true
    d, above = clf.label_distances(), true.ancestors.toarray()
    unrelated = ~(above | above.T | np.eye(20, dtype=bool))
    for label in np.flatnonzero(above.any(axis=1)):
        assert d[label, above[label]].max() < d[label, unrelated[label]].min()


def test_a_given_hierarchy_is_not_learnt_from_counts(data, true):
    X, Y = data
    wrong = Hierarchy.from_parents({Y.columns[-1]: Y.columns[0]}, labels=Y.columns)
    with pytest.warns(UserWarning, match="closed upward|ancestor"):
        clf = fast(wrong, embedding_weight=1.0, max_iter=40).fit(X, Y)
    d = clf.label_distances([19])[0]
    assert d[0] == np.delete(d, 19).min()


def test_predictions_are_coherent_with_what_was_learnt_if_asked(incomplete):
    X, Y = incomplete.data, frame(incomplete)
    clf = fast(parent_threshold=0.6, threshold=0.4).fit(X, Y)
    learnt = clf.learned_hierarchy_
    raw = clf.predict_proba(X)
    assert len(learnt.edges) and score_violations(raw, learnt).nnz > 0
    clf.coherence = "learned"  # after fit
    for scores in (clf.predict_proba(X), clf.decision_function(X)):
        assert score_violations(scores, learnt).nnz == 0
    assert violations(clf.predict(X), learnt).nnz == 0
    assert (clf.predict_proba(X) >= raw).all()
    assert clf.coherence_ == "learned"
    np.testing.assert_array_equal(clf.predict_raw(X), raw > 0.4)
    proba = fast(parent_threshold=0.6, coherence="learned").fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(proba, clf.predict_proba(X))
    clf.coherence = "auto"
    np.testing.assert_array_equal(clf.predict_proba(X), raw)


def test_predictions_are_coherent_with_what_was_given(data, true):
    X, Y = data
    heavy = dict.fromkeys(Y.columns[4:], 20.0)  # above their parents
    clf = fast(true, class_weight=heavy).fit(X, Y)
    for coherence in ("auto", "max", "isotonic"):
        clf.coherence = coherence
        assert score_violations(clf.predict_proba(X), true).nnz == 0
    clf.coherence = None
    assert score_violations(clf.predict_proba(X), true).nnz > 0


def test_isotonic_coherence_needs_a_tree():
    Y = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 0]] * 5)
    clf = fast([(0, 2), (1, 2)], coherence="isotonic", max_iter=1)
    with pytest.raises(ValueError, match="tree"):
        clf.fit(Y.astype(float), Y)


# -- weights, training in parts, pickles -----------------------------------------------


def test_pairs_are_counted(data):
    X, Y = data
    clf = fast(max_iter=1).fit(X, Y)
    assert (clf.cooccurrence_ != cooccurrence(Y)).nnz == 0
    weight = np.random.default_rng(0).random(len(X))
    weighted = fast(max_iter=1).fit(X, Y, sample_weight=weight).cooccurrence_
    expected = cooccurrence(Y, weight / weight.mean())
    np.testing.assert_allclose(weighted.toarray(), expected.toarray(), rtol=1e-5)


def test_only_the_samples_that_are_trained_on_are_counted(data):
    X, Y = data
    weight = np.random.default_rng(0).random(len(X))
    rows, held_out = hold_out(Y.to_numpy(), 0.2, draw_seeds(0, None)[3])
    options = {"early_stopping": True, "validation_fraction": 0.2, "max_iter": 1}
    assert len(held_out) == 80
    clf = fast(**options).fit(X, Y)
    assert (clf.cooccurrence_ != cooccurrence(Y.iloc[rows])).nnz == 0
    clf = fast(**options).fit(X, Y, sample_weight=weight)
    expected = cooccurrence(Y.iloc[rows], (weight / weight.mean())[rows])
    np.testing.assert_allclose(clf.cooccurrence_.toarray(), expected.toarray(), 1e-5)


@pytest.mark.parametrize("sparse", [False, True])
def test_what_is_unknown_is_no_evidence_against_a_parent(data, sparse):
    X, Y = data[0], data[1].to_numpy(float, copy=True)
    Y[np.random.default_rng(0).random(Y.shape) < 0.3] = np.nan
    expected = subsumption_hierarchy(Y, data[1].columns)
    assert len(expected.edges) == 16
    options = {"max_iter": 1, "parent_threshold": 0.8}
    given = sp.csr_matrix(Y) if sparse else Y
    clf = fast(**options).fit(X, given)
    np.testing.assert_array_equal(clf.learned_hierarchy_.edges, expected.edges)
    parts = fast(**options)
    for rows in np.split(np.arange(400), 4):
        parts.partial_fit(X[rows], given[rows])
    np.testing.assert_array_equal(parts.learned_hierarchy_.edges, expected.edges)
    rates, once = parts._former.extra.pairs.rates, label_rates(Y)
    np.testing.assert_allclose(rates.given.toarray(), once.given.toarray())
    np.testing.assert_allclose(rates.frequency, once.frequency)


def test_a_weight_of_zero_makes_a_label_unknown(data):
    X, Y = data[0], data[1].to_numpy(float)
    weight = (np.random.default_rng(0).random(Y.shape) > 0.3).astype(float)
    hidden = np.where(weight > 0, Y, np.nan)
    options = {"embedding_weight": 1.0, "precision": "float64", "batch_size": None}
    one, other = (fast(**options).fit(X, y, sample_weight=weight) for y in (Y, hidden))
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    assert one.learned_hierarchy_ == other.learned_hierarchy_
    counts = one.cooccurrence_.toarray() * weight.mean()
    np.testing.assert_allclose(counts, cooccurrence(hidden).toarray(), rtol=1e-10)


@pytest.mark.parametrize("similarity", ["cosine", "count", "jaccard", "ppmi"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_are_repeated_rows_for_the_points(similarity, dtype):
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(60, 5)), (rng.random((60, 8)) < 0.4).astype(int)
    weight = rng.integers(0, 4, 60)
    rows = np.repeat(np.arange(60), weight)
    options = {"similarity": similarity, "embedding_weight": 1.0}
    options |= {"precision": dtype, "batch_size": None}
    one = fast(**options).fit(X, Y, sample_weight=weight).label_distances()
    other = fast(**options).fit(X[rows], Y[rows]).label_distances()
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_weights_of_classes_are_not_counted(points):
    leaves = np.array(points.label_names)[points.hierarchy.leaves]
    y = leaves[points.target[:, points.hierarchy.leaves].argmax(axis=1)]
    with pytest.warns(UserWarning, match="root"):
        clf = fast(points.hierarchy, class_weight={leaves[0]: 10.0}, max_iter=1)
        clf.fit(points.data, y)
    assert (clf.cooccurrence_ != cooccurrence(points.target)).nnz == 0


def test_class_weights(data):
    X, Y = data
    plain = fast().fit(X, Y)
    weight = dict.fromkeys(Y.columns[4:], 5.0)
    clf = fast(class_weight=weight).fit(X, Y)
    ones = clf.net_.criterion_.ones_weight.numpy()[clf._form.inverse]
    np.testing.assert_array_equal(ones, [1] * 4 + [5] * 16)
    more = clf.predict_proba(X).mean(axis=0) > plain.predict_proba(X).mean(axis=0)
    assert more[4:].all()
    assert (clf.cooccurrence_ != plain.cooccurrence_).nnz == 0
    balanced = fast(class_weight="balanced").fit(X, Y).predict_proba(X)
    assert balanced.mean() > plain.predict_proba(X).mean()


def test_parts_are_counted_together(data):
    X, Y = data
    clf = fast()
    for start in range(0, 400, 100):
        part = slice(start, start + 100)
        columns = Y.columns[::-1] if start else Y.columns  # known by name
        clf.partial_fit(X[part], Y.loc[:, columns].iloc[part])
    assert (clf.cooccurrence_ != cooccurrence(Y)).nnz == 0
    assert clf.learned_hierarchy_.labels == tuple(Y.columns)
    assert clf.n_iter_ == 4
    clf.fit(X[:100], Y[:100])  # starts anew
    assert (clf.cooccurrence_ != cooccurrence(Y[:100])).nnz == 0


def test_a_part_that_fails_is_not_counted(data):
    X, Y = data
    clf = fast().partial_fit(X, Y)
    before = clf.label_embeddings_
    with pytest.raises(ValueError, match="mode='cascade'"):
        clf.set_params(mode="cascade").partial_fit(X, Y)
    assert (clf.cooccurrence_ != cooccurrence(Y)).nnz == 0
    np.testing.assert_array_equal(clf.label_embeddings_, before)


@pytest.mark.parametrize("mode", ["joint", "cascade"])
def test_points_of_one_geometry_are_none_of_the_other(data, quick_cascade, mode):
    clf = fast(mode=mode, warm_start=True).fit(*data)
    before = clf.label_embeddings_
    with pytest.raises(ValueError, match="geometry='euclidean', since.*'hyperbolic'"):
        clf.set_params(geometry="euclidean").fit(*data)
    np.testing.assert_array_equal(clf.label_embeddings_, before)
    clf.set_params(warm_start=False).fit(*data)
    assert np.linalg.norm(clf.label_embeddings_, axis=1).max() > 0


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_points_have_a_learning_rate_of_their_own(data, optimizer):
    constant = {"schedule": "constant", "optimizer": optimizer}
    constant["learning_rate_init"] = 0.01, 0.05
    for clf in (
        fast(**constant).fit(*data),
        fast(**constant).partial_fit(*data),
        fast(**constant, warm_start=True).fit(*data).fit(*data),
        fast(**constant | {"learning_rate_init": (1.0, 0.05)}, optimizer__lr=0.01).fit(
            *data
        ),
        fast(**constant, optimizer__param_groups=[("enc*", {"lr": 0.1})]).fit(*data),
    ):
        found = {
            parameter: group
            for group in clf.net_.optimizer_.param_groups
            for parameter in group["params"]
        }
        module = clf.net_.module_
        assert found[module.table]["lr"] == 0.05
        assert found[module.table]["weight_decay"] == 0
        assert found[module.bias]["lr"] == found[module.projection.weight]["lr"] == 0.01
        assert found[module.bias]["weight_decay"] == 0.01
        assert {epoch["learning_rate"] for epoch in clf.history_} == {0.01}
    own = [("table", {"lr": 0.0})]
    clf = fast(**constant, optimizer__param_groups=own, warm_start=True).fit(*data)
    before = clf.label_embeddings_
    np.testing.assert_array_equal(clf.fit(*data).label_embeddings_, before)


def test_points_follow_the_one_cycle_at_their_own_rate(data):
    rates = []

    class Watch(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            rates.append([group["lr"] for group in net.optimizer_.param_groups])

    fast(learning_rate_init=(0.01, 0.04), callbacks=[Watch]).fit(*data)
    of_points, of_net = np.transpose(rates)
    np.testing.assert_allclose(of_points, 4 * of_net)
    assert of_net.max() > 0.009 and of_net[-1] < 1e-6


def test_a_cascade_needs_all_data_at_once(data):
    with pytest.raises(ValueError, match="Use mode='joint' with partial_fit"):
        fast(mode="cascade").partial_fit(*data)


def test_a_pickle_keeps_what_was_learnt_and_not_what_ranks_pairs(wide):
    X, Y = wide[0], wide[1][:, :250]
    clf, flat = fast(max_iter=1).fit(X, Y), fast(max_iter=1, mode="flat").fit(X, Y)
    assert clf.net_.criterion_.ranking.order.numel() == 250**2
    size, of_flat = len(pickle.dumps(clf)), len(pickle.dumps(flat))
    assert abs(size - of_flat) < 1000 and size < 250**2 * 8
    other = pickle.loads(pickle.dumps(clf))
    assert other.net_.criterion_.ranking is None
    for name in ("label_embeddings_", "label_radius_"):
        np.testing.assert_array_equal(getattr(other, name), getattr(clf, name))
    np.testing.assert_array_equal(other.label_distances(), clf.label_distances())
    assert other.learned_hierarchy_ == clf.learned_hierarchy_
    assert (other.cooccurrence_ != clf.cooccurrence_).nnz == 0
    assert other.history_ == clf.history_
    np.testing.assert_array_equal(other.predict_proba(X), clf.predict_proba(X))


def test_training_goes_on_after_a_pickle(data):
    X, Y = data
    clf = fast().partial_fit(X[:200], Y[:200])
    other = pickle.loads(pickle.dumps(clf)).partial_fit(X[200:], Y[200:])
    clf.partial_fit(X[200:], Y[200:])
    np.testing.assert_array_equal(other.label_embeddings_, clf.label_embeddings_)
    assert other.history_[-1]["loss_embedding"] > 0


# -- corners ---------------------------------------------------------------------------


@pytest.mark.parametrize("similarity", ["cosine", "count", "jaccard", "ppmi"])
def test_labels_that_are_never_seen(data, similarity):
    X, Y = data[0], data[1].to_numpy(copy=True)
    Y[:, [2, 7]] = 0
    with pytest.warns(UserWarning, match="no positive|without"):
        clf = fast(similarity=similarity).fit(X, Y)
    assert np.isfinite(clf.label_distances()).all()
    assert np.isfinite(clf.predict_proba(X)).all()
    for label in (2, 7):
        assert clf.learned_hierarchy_.parents_of(label) == []
        assert clf.learned_hierarchy_.children_of(label) == []
    table = torch.zeros_like(table_of(clf)).requires_grad_()  # all in one point
    clf.net_.criterion_.embedding_loss(table).backward()
    assert torch.isfinite(table.grad).all()
    table = table_of(clf).requires_grad_()
    clf.net_.criterion_.embedding_loss(table).backward()
    assert torch.isfinite(table.grad).all() and (table.grad != 0).any(1).all()


@pytest.mark.parametrize("mode", ["joint", "cascade", "flat"])
def test_labels_that_never_occur_together(mode, quick_cascade):
    Y = np.eye(4, dtype=int)[np.arange(80) % 4]
    X = Y + 0.1 * np.random.default_rng(0).normal(size=Y.shape)
    clf = fast(mode=mode).fit(X, Y)
    assert len(clf.learned_hierarchy_.edges) == 0
    assert clf.history_[-1]["loss_embedding"] == 0
    one = fast(mode=mode).fit(X, Y[:, :1])
    assert one.label_distances().tolist() == [[0.0]]


@pytest.mark.parametrize("rate", [1.0, 100.0])
def test_far_points_stay_finite(data, rate):
    clf = fast(learning_rate_init=rate, max_radius=None, embedding_weight=1.0).fit(
        *data
    )
    assert clf.label_radius_.max() > 2
    assert np.isfinite(clf.label_distances()).all()


def test_one_label_per_sample(points):
    leaves = np.array(points.label_names)[points.hierarchy.leaves]
    y = leaves[points.target[:, points.hierarchy.leaves].argmax(axis=1)]
    with pytest.warns(UserWarning, match="root"):
        clf = fast(points.hierarchy, max_iter=20).fit(points.data, y)
    assert clf.learned_hierarchy_.edges.shape == (20, 2)
    assert clf.classes_.tolist() == sorted(leaves) and clf.score(points.data, y) > 0.9


def test_the_published_setting(data):
    published = HyperbolicHMC.PUBLISHED
    clf = HyperbolicHMC(
        **published, hidden_layer_sizes=(50,), max_iter=60, random_state=0
    ).fit(*data)
    module, criterion = clf.net_.module_, clf.net_.criterion_
    assert published["embedding_weight"] == 0.1 and published["similarity"] == "count"
    assert module.tangent is None and criterion.penalty is None
    assert criterion.ranking.temperature == 1
    assert clf.dropout_ == (0, 0, 0)
    assert isinstance(clf.net_.optimizer_, torch.optim.Adam)
    groups = clf.net_.optimizer_.param_groups
    assert {g["weight_decay"] for g in groups} == {0.0}
    assert (clf.predict(data[0]) == data[1].to_numpy()).mean() > 0.98


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("embedding_dim", 0),
        ("mode", "joined"),
        ("embedding_weight", -0.1),
        ("geometry", "spherical"),
        ("similarity", "dice"),
        ("ranking_sample", (0, 5)),
        ("ranking_sample", (5, 0)),
        ("ranking_sample", (5,)),
        ("ranking_sample", ("a", 1)),
        ("ranking_sample", (5.0, 1)),
        ("ranking_sample", 5),
        ("ranking_sample", {256, 20}),
        ("ranking_sample", (True, 5)),
        ("learning_rate_init", (0.1, True)),
        ("learning_rate_init", (0.1, 0.2, 0.3)),
        ("learning_rate_init", ()),
        ("dropout", (0.1, 0.2)),
        ("temperature", 0.0),
        ("max_radius", 0.0),
        ("max_radius", 16.0),
        ("tangent_scores", "yes"),
        ("structure", "forest"),
        ("parent_threshold", 0.0),
        ("parent_threshold", 1.1),
        ("coherence", "path"),
    ],
)
def test_wrong_parameters(data, name, value):
    with pytest.raises(InvalidParameterError, match=f"'{name}' parameter"):
        fast(**{name: value}).fit(*data)


def test_there_are_no_points_before_fit():
    for ask in (
        lambda clf: clf.label_distances(),
        lambda clf: clf.label_embeddings_,
        lambda clf: clf.label_radius_,
    ):
        with pytest.raises(NotFittedError):
            ask(fast())


def test_the_most_probable_labels_are_coherent_with_what_was_learnt(data):
    X, Y = data
    clf = fast(coherence="learned").fit(X, Y)
    hierarchy = clf.learned_hierarchy_
    assert len(hierarchy.edges)
    columns, proba = clf.predict_top_k(X, Y.shape[1])
    np.testing.assert_array_equal(np.sort(proba)[:, ::-1], proba)
    for k in range(1, Y.shape[1] + 1):
        chosen = np.zeros(Y.shape, int)
        np.put_along_axis(chosen, columns[:, :k], 1, axis=1)
        assert violations(chosen, hierarchy).nnz == 0
