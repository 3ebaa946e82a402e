"""HCALClassifier: forms, mechanisms, coherence, determinism, what it accepts."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import HCALClassifier, Hierarchy
from skhmc._data.hold_out import hold_out
from skhmc._networks import training
from skhmc._networks.skorch_net import Net
from skhmc.coherence import close_upward, score_violations, violations
from skhmc.datasets import load_digit_properties

FAST = {
    "hidden_layer_sizes": (32,),
    "embedding_dim": 16,
    "dropout": (0.0, 0.0, 0.1),
    "learning_rate_init": 0.01,
    "batch_size": 32,
    "max_iter": 15,
    "random_state": 0,
}
TREE = Hierarchy.from_paths(["a/1", "a/2", "b/1", "b/2", "c"])  # c is a shallow leaf
DAG = Hierarchy.from_parents(
    {"cat": ["mammal", "pet"], "cow": ["mammal"], "parrot": ["bird", "pet"]}
)


def fast(hierarchy=None, **options):
    return HCALClassifier(hierarchy, **{**FAST, **options})


def blobs(hierarchy, ends, n=40, noise=0.3, seed=0):
    """One Gaussian blob of n samples for every list of most specific labels."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(len(ends), 6))
    X = np.repeat(centres, n, axis=0) + noise * rng.normal(size=(n * len(ends), 6))
    Y = np.zeros((len(ends), hierarchy.n_labels), int)
    for row, labels in zip(Y, ends, strict=True):
        row[[hierarchy.position(label) for label in labels]] = 1
    order = rng.permutation(len(X))
    return X[order], close_upward(np.repeat(Y, n, axis=0), hierarchy)[order]


@pytest.fixture(scope="module")
def single():
    return blobs(TREE, [["a/1"], ["a/2"], ["b/1"], ["b/2"], ["c"]])


@pytest.fixture(scope="module")
def stopping():
    return blobs(TREE, [["a/1"], ["a/2"], ["a"], ["b/1"], ["b/2"], [], ["c"]])


@pytest.fixture(scope="module")
def many():
    return blobs(DAG, [["cat"], ["cow"], ["parrot"], ["cow", "parrot"], ["pet"]])


def clone_fitted(clf):
    return pickle.loads(pickle.dumps(clf))


def assert_differ(one, other, X):
    """Two fits say different things, though their random numbers are the same."""
    assert np.abs(one.predict_proba(X) - other.predict_proba(X)).max() > 1e-5


# -- which form ------------------------------------------------------------------------


def test_single_paths_in_a_tree_are_scored_by_a_softmax(single):
    X, Y = single
    clf = fast(TREE).fit(X, Y)
    assert clf.label_loss_ == "softmax" and clf.coherence_ == "path"
    assert clf.leaf_prediction_ == "mandatory"
    assert clf.dropout_ == (0.0, 0.0, 0.1)
    assert (clf.predict(X) == Y).all(axis=1).mean() > 0.95
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba[:, TREE.roots].sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(
        proba[:, TREE.position("a")],
        proba[:, [TREE.position("a/1"), TREE.position("a/2")]].sum(axis=1),
        rtol=1e-5,
    )


def test_several_paths_or_a_dag_are_scored_by_sigmoids(many, single):
    X, Y = many
    clf = fast(DAG).fit(X, Y)
    assert clf.label_loss_ == "bce" and clf.coherence_ == "max"
    assert (clf.predict(X) == Y).all(axis=1).mean() > 0.95
    X, Y = single
    Y = Y.copy()
    Y[0] = 1  # one sample with several paths
    assert fast(TREE, max_iter=1).fit(X, Y).label_loss_ == "bce"


def test_auto_dropout_follows_the_form_and_the_number_of_features(single, many):
    def times(data, k):
        return np.tile(data[0], (1, k)), data[1]

    enough = len(many[0]) // many[0].shape[1] + 1
    for clf, data, shares in (
        (HCALClassifier(TREE, max_iter=1), single, (0.0, 0.5, 0.2)),  # of 5 features
        (HCALClassifier(TREE, max_iter=1), times(single, 2), (0.1, 0.5, 0.2)),
        (HCALClassifier(DAG, max_iter=1), many, (0.0, 0.7, 0.5)),  # of 6 features
        (HCALClassifier(DAG, max_iter=1), times(many, 2), (0.2, 0.7, 0.5)),
        (HCALClassifier(DAG, max_iter=1), times(many, enough), (0.4, 0.7, 0.5)),
    ):
        clf.fit(*data)
        assert clf.dropout_ == shares
    sure = HCALClassifier(TREE, max_iter=1)  # single paths
    enough = len(single[0]) // single[0].shape[1] + 1
    assert sure.fit(*times(single, enough)).dropout_[0] == 0.1
    enough = len(many[0]) // many[0].shape[1] + 1
    part = HCALClassifier(DAG).partial_fit(*times(many, enough))  # others will follow
    assert part.dropout_[0] == 0.2


def test_where_a_path_stops_is_predicted(stopping):
    X, Y = stopping
    clf = fast(TREE).fit(X, Y)
    assert clf.leaf_prediction_ == "optional"
    assert (clf.predict(X) == Y).all(axis=1).mean() > 0.95
    a = TREE.position("a")
    only_a = (Y.sum(axis=1) == 1) & (Y[:, a] == 1)
    below = [TREE.position("a/1"), TREE.position("a/2")]
    proba = clf.predict_proba(X[only_a])
    assert (proba[:, a] > 0.8).mean() > 0.9 and (proba[:, below].max(1) < 0.5).all()


def test_mandatory_leaves_always_end_at_a_leaf(stopping):
    X, Y = stopping
    clf = fast(TREE, leaf_prediction="mandatory").fit(X, Y)
    assert clf.leaf_prediction_ == "mandatory"
    assert (clf.predict(X)[:, TREE.leaves].sum(axis=1) == 1).all()


def test_optional_leaves_may_stop_under_any_internal_label(single):
    X, Y = single  # nothing stops above a leaf here
    clf = fast(TREE, leaf_prediction="optional").fit(X, Y)
    assert clf.leaf_prediction_ == "optional"
    stops = [TREE.labels[k] for k in clf._form.space.stops]
    assert stops == ["a", "b"]
    assert (clf.predict(X) == Y).all(axis=1).mean() > 0.95


def test_raw_predictions_of_uneven_paths_leave_deeper_levels_empty(single):
    X, Y = single
    raw = fast(TREE).fit(X, Y).predict_raw(X)
    c = TREE.position("c")
    ends_above = Y[:, c] == 1
    assert (raw[ends_above][:, TREE.levels[1]].sum(axis=1) == 0).mean() > 0.9
    assert (raw == Y).all(axis=1).mean() > 0.9


@pytest.mark.parametrize("loss", ["softmax", "bce", "mcloss", "asl", "zlpr"])
def test_every_label_loss_learns(single, loss):
    X, Y = single
    clf = fast(TREE, label_loss=loss, max_iter=40).fit(X, Y)
    assert clf.label_loss_ == loss
    assert (clf.predict(X) == Y).all(axis=1).mean() > 0.9
    if loss != "bce":
        assert_differ(clf, fast(TREE, label_loss="bce", max_iter=40).fit(X, Y), X)
    assert np.isfinite([e["train_loss"] for e in clf.history_]).all()


def test_a_callable_label_loss(many):
    X, Y = many

    def squared(logits, targets):
        return (torch.sigmoid(logits) - targets) ** 2

    clf = fast(DAG, label_loss=squared, max_iter=30).fit(X, Y)
    assert clf.label_loss_ is squared
    assert (clf.predict(X) == Y).mean() > 0.9


# -- the four mechanisms ---------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"aggregation": 1.0},
        {"aggregation": (0.3, 8)},
        {"perturbation": 0.2},
        {"perturbation": 0.0},
        {"gamma": 0.1},
        {"gamma": 5.0},
        {"task_weighting": "dwa"},
        {"task_weighting": "equal"},
        {"normalize_features": False},
        {"temperature": 0.2},
        {"dropout": (0.0, 0.0, 0.4)},
        {"dropout": (0.0, 0.2, 0.1)},
        {"dropout": (0.1, 0.0, 0.1)},
        {"optimizer__weight_decay": 0.3},
    ],
    ids=str,
)
def test_every_mechanism_can_be_switched(single, options):
    X, Y = single
    clf = fast(TREE, **options).fit(X, Y)
    assert (clf.predict(X) == Y).all(axis=1).mean() > 0.9
    assert_differ(clf, fast(TREE).fit(X, Y), X)  # the switch is connected


def test_aggregation_says_nothing_on_one_level(many):
    X, Y = many
    flat = [fast(aggregation=share).fit(X, Y[:, :2]) for share in (0.0, 1.0)]
    np.testing.assert_array_equal(*(clf.predict_proba(X) for clf in flat))


def test_the_published_setting(single):
    X, Y = single
    even = TREE.subset(["a", "b", "a/1", "a/2", "b/1", "b/2"])
    rows = Y[:, TREE.position("c")] == 0
    X, Y = X[rows], Y[rows][:, [TREE.position(label) for label in even.labels]]
    published = HCALClassifier.PUBLISHED
    clf = HCALClassifier(
        even, **published, hidden_layer_sizes=(32,), max_iter=40, random_state=0
    ).fit(X, Y)
    assert (published["temperature"], published["perturbation"]) == (0.1, 0.01)
    assert (published["gamma"], published["batch_size"]) == (0.5, 32)
    assert published["aggregation"] == 1 and published["task_weighting"] == "adaptive"
    assert clf.label_loss_ == "softmax" and clf.coherence_ is None
    module = clf.net_.module_
    assert module.bias is None and module.normalize_features
    groups = clf.net_.optimizer_.param_groups
    rates = {g["lr"]: [p.shape[0] for p in g["params"]] for g in groups}
    assert rates[0.05] == [4] and rates[0.1] == [2]  # fine .05, coarse .1
    assert 0.01 in rates and {g["momentum"] for g in groups} == {0.9}
    assert {g["weight_decay"] for g in groups} == {1e-4}
    raw = clf.predict(X)  # one label per level, each level by itself
    assert all((raw[:, level].sum(axis=1) == 1).all() for level in even.levels)
    np.testing.assert_array_equal(raw, clf.predict_raw(X))
    assert (raw == Y).all(axis=1).mean() > 0.9


def test_features_have_length_one_for_single_paths_with_a_linear_head(single):
    X, Y = single
    clf = fast(TREE, max_iter=1).fit(X, Y)
    assert clf.label_loss_ == "softmax" and clf.normalize_features_
    assert clf.net_.module_.normalize_features
    for other in ({"label_loss": "bce"}, {"linear_head": False}):
        assert not fast(TREE, max_iter=1, **other).fit(X, Y).normalize_features_
    given = fast(TREE, max_iter=1, normalize_features=np.False_).fit(X, Y)
    assert given.normalize_features_ is False
    assert not given.net_.module_.normalize_features


def test_a_linear_head_is_there_unless_labels_are_very_many(monkeypatch):
    X, Y = blobs(Hierarchy.flat(3), [[0], [1], [2]])
    clf = fast(max_iter=1).fit(X, Y)
    assert clf.linear_head_ and clf.net_.module_.weight.abs().max() > 0
    for name, most in (("MAX_HEAD_WEIGHTS", 95), ("MAX_LABELS_WITH_HEAD", 2)):
        with monkeypatch.context() as patch:
            patch.setattr(f"skhmc._networks.parameters.{name}", most)
            assert not clf.fit(X, Y).linear_head_
    monkeypatch.setattr("skhmc._networks.parameters.MAX_LABELS_WITH_HEAD", 2)
    clf.fit(X, Y)
    assert clf.net_.module_.weight is None
    assert clf.set_params(linear_head=True).fit(X, Y).net_.module_.weight is not None


def test_a_flat_hierarchy_is_a_plain_prototype_classifier():
    X, Y = blobs(Hierarchy.flat(3), [[0], [1], [2]])
    options = {"normalize_features": True, "linear_head": False}
    clf = fast(label_loss="softmax", **options).fit(X, Y)
    module = clf.net_.module_
    with torch.no_grad():
        embedded = module.encoder(torch.from_numpy(X).float())
        f = torch.nn.functional.normalize(module.embedding(embedded))
        p = torch.nn.functional.normalize(module.prototypes[0])
        expected = torch.softmax(f @ p.T / clf.temperature, dim=1).numpy()
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=1e-4, atol=1e-6)


def test_labels_start_at_their_log_odds(many):
    X, Y = many
    clf = fast(DAG, max_iter=1, learning_rate_init=1e-9).fit(X, Y)
    rates = Y.mean(axis=0)
    expected = np.log(rates / (1 - rates))
    bias = clf.net_.module_.bias.detach().numpy()[clf._form.inverse]
    np.testing.assert_allclose(bias, expected, rtol=1e-2)


def test_the_history_logs_every_loss_and_weight(many):
    clf = fast(DAG, task_weighting="adaptive", max_iter=4).fit(*many)
    frame = pd.DataFrame(clf.history_)
    assert len(frame) == 4 == clf.n_iter_
    wanted = {"epoch", "train_loss", "learning_rate", "dur"}
    wanted |= {f"{kind}_depth_{k}" for kind in ("loss", "weight") for k in (0, 1)}
    assert wanted <= set(frame) and frame["epoch"].tolist() == [1, 2, 3, 4]
    weights = frame["weight_depth_0"] + frame["weight_depth_1"]
    np.testing.assert_allclose(weights, 1, rtol=1e-5)
    assert frame["train_loss"].iloc[-1] < frame["train_loss"].iloc[0]


# -- coherence -------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [None, 0.05, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("coherence", ["auto", "max", "path", "isotonic"])
def test_scores_and_predictions_are_coherent(stopping, coherence, threshold):
    X, Y = stopping
    clf = fast(TREE, max_iter=2, coherence=coherence, threshold=threshold).fit(X, Y)
    for scores in (clf.predict_proba(X), clf.decision_function(X)):
        assert scores.shape == Y.shape and np.isfinite(scores).all()
        assert score_violations(scores, TREE).nnz == 0
    assert violations(clf.predict(X), TREE).nnz == 0


def test_coherence_is_switched_after_fit_without_refitting(many):
    X, Y = many
    clf = fast(DAG, max_iter=2).fit(X, Y)
    coherent = clf.predict_proba(X)
    clf.coherence = None
    raw = clf.predict_proba(X)
    assert score_violations(raw, DAG).nnz > 0
    assert (coherent >= raw).all() and clf.coherence_ is None
    np.testing.assert_array_equal(
        clf.decision_function(X), clf.raw_decision_function(X)
    )
    np.testing.assert_array_equal(clf.predict(X), clf.predict_raw(X))
    np.testing.assert_allclose(1 / (1 + np.exp(-clf.decision_function(X))), raw, 1e-5)


def test_raw_scores_do_not_depend_on_the_coherence(single):
    X, Y = single
    clf = fast(TREE, max_iter=2).fit(X, Y)
    raw = clf.raw_decision_function(X)
    clf.coherence = None
    np.testing.assert_array_equal(clf.raw_decision_function(X), raw)


def test_threshold_cuts_the_probabilities(many):
    X, Y = many
    clf = fast(DAG, max_iter=2).fit(X, Y)
    for threshold in (0.1, 0.4, 0.8):
        clf.threshold = threshold
        expected = clf.predict_proba(X) > threshold
        np.testing.assert_array_equal(clf.predict(X), expected)


# -- one label per sample --------------------------------------------------------------


@pytest.mark.parametrize("hierarchy", [None, TREE, "dag"])
def test_one_label_per_sample(single, hierarchy):
    X, Y = single
    names = np.array(TREE.labels, dtype=object)[TREE.leaves]
    y = names[Y[:, TREE.leaves].argmax(axis=1)]
    if hierarchy == "dag":
        hierarchy = Hierarchy.from_parents(
            {
                "a/1": ["a", "odd"],
                "b/1": ["b", "odd"],
                "a/2": "a",
                "b/2": "b",
                "c": None,
            }
        )
    clf = fast(hierarchy).fit(X, y)
    assert clf.classes_.tolist() == sorted(names)
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert clf.score(X, y) > 0.95
    np.testing.assert_array_equal(clf.classes_[proba.argmax(axis=1)], clf.predict(X))
    assert clf.decision_function(X).shape == proba.shape


def test_one_label_per_sample_may_be_internal(stopping):
    X, Y = stopping
    rows = Y.sum(axis=1) > 0
    deepest = np.where(Y == 1, TREE.depth + 1, 0).argmax(axis=1)
    y = np.array(TREE.labels)[deepest]
    clf = fast(TREE).fit(X[rows], y[rows])
    assert "a" in clf.classes_ and clf.score(X[rows], y[rows]) > 0.95


def test_mandatory_leaves_refuse_internal_classes(single):
    X, _ = single
    y = np.array(["a", "c"])[np.arange(len(X)) % 2]
    with pytest.raises(ValueError, match="labels that are no leaves: 'a'"):
        fast(TREE, leaf_prediction="mandatory").fit(X, y)


def test_two_classes_decide_at_zero(single):
    X, Y = single
    y = Y[:, TREE.position("a")]
    clf = fast().fit(X, y)
    decision = clf.decision_function(X)
    assert decision.shape == (len(X),)
    np.testing.assert_array_equal(clf.predict(X), (decision > 0).astype(int))


# -- data ------------------------------------------------------------------------------


def test_sparse_x_is_made_dense_batch_by_batch(many, monkeypatch):
    X, Y = many
    X = np.where(np.abs(X) > 0.3, X, 0)
    largest = []
    toarray = sp.csr_matrix.toarray

    def spy(self, *args, **kwargs):
        largest.append(self.shape)
        return toarray(self, *args, **kwargs)

    dense = fast(DAG, max_iter=3).fit(X, Y)
    monkeypatch.setattr(sp.csr_matrix, "toarray", spy)
    sparse = fast(DAG, max_iter=3).fit(sp.csr_matrix(X), Y)
    assert max(n for n, width in largest if width == X.shape[1]) <= FAST["batch_size"]
    monkeypatch.undo()
    np.testing.assert_array_equal(
        dense.predict_proba(X), sparse.predict_proba(sp.csr_matrix(X))
    )


def test_unknown_labels_are_masked(many):
    X, Y = many
    known = np.random.default_rng(0).random(Y.shape) < 0.7
    partly = np.where(known, Y, np.nan)
    with pytest.warns(UserWarning, match="not closed upward") as caught:
        partly[0] = np.where(DAG.depth == 0, 0.0, np.nan)
        partly[0, DAG.position("cat")] = 1.0  # a contradiction
        clf = fast(DAG, max_iter=30).fit(X, partly)
    assert len(caught) == 1
    assert (clf.predict(X) == Y).all(axis=1).mean() > 0.9


def test_labels_that_say_nothing_keep_their_prior(many):
    X, Y = many
    Y = Y.astype(float)
    Y = np.column_stack([Y, np.zeros(len(Y)), np.ones(len(Y)), np.full(len(Y), np.nan)])
    names = [*DAG.labels, "never", "always", "unknown"]
    hierarchy = Hierarchy(names, [(DAG.labels[p], DAG.labels[c]) for p, c in DAG.edges])
    message = (
        r"Of 9 labels, 1 with no known value \('unknown'\); 1 with no positive row "
        r"\('never'\); 1 with only positive rows \('always'\)"
    )
    with pytest.warns(UserWarning, match=message):
        clf = fast(hierarchy).fit(X, Y)
    proba = clf.predict_proba(X)
    assert (proba[:, 6] < 0.01).all() and (proba[:, 7] > 0.99).all()
    assert np.ptp(proba[:, 6:], axis=0).tolist() == [0, 0, 0]
    assert (clf.predict(X)[:, :6] == Y[:, :6]).all(axis=1).mean() > 0.95


def test_images_through_an_encoder():
    rng = np.random.default_rng(0)
    Y = np.eye(2, dtype=int)[np.arange(40) % 2]
    X = rng.normal(size=(40, 1, 6, 6)) + 3 * Y[:, :1, None, None]

    class Convolution(torch.nn.Sequential):
        def __init__(self, input_shape):
            super().__init__(torch.nn.Conv2d(input_shape[0], 4, 3), torch.nn.ReLU())

    for encoder in (Convolution, Convolution((1, 6, 6))):
        clf = fast(encoder=encoder, max_iter=20).fit(X, Y)
        assert (clf.predict(X) == Y).mean() > 0.9
    given = encoder[0].weight.detach().clone()
    fast(encoder=encoder, max_iter=2).fit(X, Y)
    assert torch.equal(encoder[0].weight, given)  # the parameter is not trained itself


# -- weights ---------------------------------------------------------------------------

EXACT = {
    "precision": "float64",
    "batch_size": None,
    "dropout": 0.0,
    "perturbation": 0.0,
    "max_iter": 10,
}


@pytest.mark.parametrize("form", ["single", "many"])
def test_weight_two_is_a_row_twice_and_weight_zero_a_row_left_out(form, request):
    X, Y = request.getfixturevalue(form)
    hierarchy = TREE if form == "single" else DAG
    weight = np.random.default_rng(0).integers(0, 3, len(X))
    rows = np.repeat(np.arange(len(X)), weight)
    for aggregation in (0.0, 0.5):
        options = {**EXACT, "aggregation": (aggregation, 10**6)}
        weighted = fast(hierarchy, **options).fit(X, Y, sample_weight=weight)
        repeated = fast(hierarchy, **options).fit(X[rows], Y[rows])
        np.testing.assert_allclose(
            weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-8
        )


def test_a_stop_weighs_what_its_label_weighs(stopping):
    X, Y = stopping
    form = fast(TREE, max_iter=1).fit(X, Y)._form
    weight = np.arange(1.0, 8.0)[None]
    encoded = form.encode_weight(weight)[:, form.inverse]
    assert encoded.tolist() == [[1, 2, 3, 4, 5, 6, 7, TREE.position("a") + 1, 4]]


@pytest.mark.parametrize(
    "batch_size", [pytest.param(1, marks=pytest.mark.slow), 8, None]
)
@pytest.mark.parametrize("loss", ["softmax", "bce"])
def test_weights_count_across_batches(loss, batch_size):
    rng = np.random.default_rng(0)
    rare = np.arange(200) % 20 == 0
    X = rng.normal(size=(200, 2)) + 0.5 * rare[:, None]
    Y = np.column_stack([rare, ~rare]).astype(int)
    options = {"batch_size": batch_size, "label_loss": loss, "hidden_layer_sizes": ()}
    options |= {"max_iter": {1: 10, 8: 40, None: 400}[batch_size], "dropout": 0.0}
    clf = fast(**options).fit(X, Y, sample_weight=np.where(rare, 19.0, 1.0))
    # both classes weigh the same: each has about half of the probability
    assert 0.35 < clf.predict_proba(X)[:, 0].mean() < 0.65


def test_the_scale_of_weights_does_not_matter(stopping):
    X, Y = stopping
    weight = np.random.default_rng(0).random(len(X))
    for loss in ("softmax", "bce"):
        fits = [
            fast(TREE, label_loss=loss, precision="float64", max_iter=3).fit(X, Y, w)
            for w in (weight, weight / weight.sum())
        ]
        np.testing.assert_allclose(*(f.predict_proba(X) for f in fits), atol=1e-8)


def test_weights_per_label_leave_the_scale_of_path_losses(single):
    X, Y = single
    weight = np.ones(Y.shape)
    weight[:, TREE.position("a")] = 9
    options = {**EXACT, "max_iter": 1, "learning_rate_init": 1e-9}
    losses = [
        fast(TREE, **options).fit(X, Y, sample_weight=w).history_[0]["loss_depth_1"]
        for w in (None, weight * Y.size / weight.sum())
    ]
    # weights of other labels only rescale the mean 1 of all; level 1 is a plain mean
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_weights_per_label(stopping):
    X, Y = stopping
    weight = np.ones(Y.shape)
    weight[:, TREE.position("b")] = 0
    for loss in ("bce", "softmax", "zlpr"):
        clf = fast(TREE, label_loss=loss, max_iter=3)
        with pytest.warns(UserWarning, match=r"1 with no known value \('b'\)"):
            clf.fit(X, Y, sample_weight=weight)
        assert np.isfinite(clf.predict_proba(X)).all()


# -- training --------------------------------------------------------------------------


def test_early_stopping_restores_the_best_weights(many, monkeypatch):
    X, Y = many
    seen = []
    score = training._HeldOutScore.__call__

    def spy(self, net):
        seen.append(self)
        return score(self, net)

    monkeypatch.setattr(training._HeldOutScore, "__call__", spy)
    clf = fast(
        DAG,
        early_stopping=True,
        n_iter_no_change=3,
        max_iter=200,
        schedule="constant",
        perturbation=0.3,
    ).fit(X, Y)
    scores = [epoch["valid_score"] for epoch in clf.history_]
    assert clf.n_iter_ < 200 and np.argmax(scores) < len(scores) - 1
    assert score(seen[-1], clf.net_) == max(scores) > 0.9


def test_early_stopping_holds_out_what_it_is_told_to(many, monkeypatch):
    X, Y = many
    weight = np.arange(len(X)) % 3
    sizes, fit = {}, Net.train

    def spy(self, dataset, *rest):
        sizes["train"] = len(dataset)
        # weights stay with their rows: each row of X says which it is
        rows = [
            np.flatnonzero((x == X.astype("f")).all(1))[0]
            for x in dataset.arrays[0].numpy()
        ]
        expected = weight[rows] / weight.mean()
        np.testing.assert_allclose(dataset.arrays[2][:, 0], expected, rtol=1e-5)
        return fit(self, dataset, *rest)

    monkeypatch.setattr(Net, "train", spy)
    options = {"early_stopping": True, "validation_fraction": 0.25, "max_iter": 2}
    fast(DAG, **options).fit(X, Y, sample_weight=weight)
    assert sizes["train"] == 150


def test_tol_says_what_counts_as_a_rise(many):
    options = {"early_stopping": True, "n_iter_no_change": 3, "schedule": "constant"}
    clf = fast(DAG, tol=2.0, max_iter=50, **options).fit(*many)
    assert clf.n_iter_ == 4  # nothing rises by 2: the first epoch, and three more


def test_early_stopping_waits_while_the_learning_rate_rises(many):
    options = {"early_stopping": True, "n_iter_no_change": 2, "tol": 2.0}
    assert fast(DAG, max_iter=50, **options).fit(*many).n_iter_ >= 15


def test_held_out_rows_are_stratified_by_rarest_label():
    Y = np.zeros((400, 3), int)
    Y[:, 0] = 1
    Y[:100, 1] = 1
    Y[90:130, 2] = 1
    for kind in (np.asarray, sp.csr_matrix):
        rows, held_out = hold_out(kind(Y), 0.1, 0)
        assert len(held_out) == 40 and len(np.intersect1d(rows, held_out)) == 0
        assert len(rows) == 360
        assert Y[held_out][:, 2].sum() == 4 and 9 <= Y[held_out][:, 1].sum() <= 11


@pytest.mark.parametrize("n_samples", [2, 5, 12])
@pytest.mark.parametrize("fraction", [0.01, 0.1, 0.9, 0.99])
def test_some_rows_are_held_out_and_some_are_not(n_samples, fraction):
    for seed in range(10):
        rows, held_out = hold_out(np.ones((n_samples, 1)), fraction, seed)
        assert len(rows) and len(held_out)
        assert sorted([*rows, *held_out]) == list(range(n_samples))


def test_held_out_rows_without_a_positive_are_an_error():
    Y = np.zeros((50, 2))
    Y[:, 1] = np.nan
    with (
        pytest.raises(ValueError, match="held out 5 samples and none of them has"),
        pytest.warns(UserWarning, match="Of 2 labels"),
    ):
        fast(early_stopping=True).fit(np.random.default_rng(0).normal(size=(50, 3)), Y)


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
@pytest.mark.parametrize("schedule", ["onecycle", "constant"])
def test_optimizers_and_schedules(many, optimizer, schedule):
    clf = fast(DAG, optimizer=optimizer, schedule=schedule, max_iter=3).fit(*many)
    rates = [epoch["learning_rate"] for epoch in clf.history_]
    assert (rates[-1] < rates[0]) == (schedule == "onecycle")


def test_momentum_stays_what_it_is_and_matters(many):
    X, Y = many
    options = {"optimizer": "sgd", "max_iter": 3}
    fits = [fast(DAG, optimizer__momentum=m, **options).fit(X, Y) for m in (0.0, 0.9)]
    assert fits[1].net_.optimizer_.param_groups[0]["momentum"] == 0.9
    assert_differ(*fits, X)
    default = fast(DAG, **options).fit(X, Y)  # is 0.9
    np.testing.assert_array_equal(default.predict_proba(X), fits[1].predict_proba(X))


def test_progress_is_shown_when_asked_for(many, capsys):
    fast(DAG, max_iter=3, verbose=1).fit(*many)
    shown = capsys.readouterr()
    assert "HCALClassifier" in shown.err and "3/3" in shown.err
    assert "train_loss" in shown.err
    fast(DAG, max_iter=3).fit(*many)
    assert capsys.readouterr() == ("", "")


# -- in parts --------------------------------------------------------------------------


def test_parts_of_single_paths_are_scored_by_sigmoids_unless_asked(stopping):
    X, Y = stopping
    clf = fast(TREE).partial_fit(X[:20], Y[:20])
    assert clf.label_loss_ == "bce"
    clf = fast(TREE, label_loss="softmax").partial_fit(X[:1], Y[:1])
    for _ in range(60):
        clf.partial_fit(X, Y)  # stops anywhere, also at no label at all
    assert clf.leaf_prediction_ == "optional"
    assert (clf.predict(X) == Y).all(axis=1).mean() > 0.9


def test_one_label_per_sample_in_parts_may_end_at_leaves_only(single):
    X, Y = single
    y = np.array(TREE.labels)[np.where(Y, TREE.depth + 1, 0).argmax(axis=1)]
    clf = fast(TREE, leaf_prediction="mandatory")
    with pytest.raises(ValueError, match="classes hold .* no leaves.*as classes"):
        clf.partial_fit(X, y)
    clf.partial_fit(X, y, classes=np.array(TREE.labels)[TREE.leaves])
    assert sorted(clf.classes_) == sorted(np.array(TREE.labels)[TREE.leaves])


def test_going_on_keeps_the_loss_and_the_stops(single, stopping):
    for options, data, message in (
        ({}, stopping, "stop at 'a', where none did before"),
        ({"label_loss": "bce"}, single, "label_loss='softmax', but got 'bce'"),
        ({"leaf_prediction": "optional"}, single, "leaf_prediction='mandatory', but"),
    ):
        clf = fast(TREE, max_iter=1).fit(*single).set_params(**options)
        with pytest.raises(ValueError, match=message):
            clf.partial_fit(*data)
    clf = fast(TREE, max_iter=1, leaf_prediction="mandatory").fit(*single)
    assert clf.partial_fit(*stopping).n_iter_ == 2  # their deeper levels are left out


@pytest.mark.parametrize("form", ["single", "many"])
def test_going_on_keeps_the_length_of_the_features(form, request):
    X, Y = request.getfixturevalue(form)
    usual = form == "single"
    hierarchy = TREE if usual else DAG
    for first in ("auto", not usual):
        clf = fast(hierarchy, max_iter=1, normalize_features=first).fit(X, Y)
        unit = usual if first == "auto" else first
        for given in ("auto", unit):
            clf.set_params(normalize_features=given, warm_start=True).fit(X, Y)
            clf.partial_fit(X, Y)
            assert clf.normalize_features_ is clf.net_.module_.normalize_features
            assert clf.normalize_features_ is unit
        clf.set_params(normalize_features=not unit)
        message = f"goes on with normalize_features={unit}, but got {not unit}"
        for go_on in (clf.fit, clf.partial_fit):
            with pytest.raises(ValueError, match=message):
                go_on(X, Y)
        clf.set_params(warm_start=False).fit(X, Y)
        assert clf.normalize_features_ is not unit


def test_dwa_looks_back_over_parts(many):
    X, Y = many
    clf = fast(DAG, task_weighting="dwa")
    for _ in range(3):
        clf.partial_fit(X, Y)
    weights = [[e["weight_depth_0"], e["weight_depth_1"]] for e in clf.history_]
    np.testing.assert_allclose(weights[:2], 0.5)
    assert abs(weights[2][0] - 0.5) > 1e-4


def test_class_weights_move_where_labels_start(many):
    X, Y = many
    still = {"learning_rate_init": 1e-30, "schedule": "constant", "max_iter": 1}
    plain = fast(DAG, **still).fit(X, Y).net_.module_.bias
    still |= {"class_weight": ("balanced", 1e9)}
    balanced = fast(DAG, **still).fit(X, Y).net_.module_.bias
    assert balanced.abs().max() < 1e-3 < plain.abs().min()  # log-odds of one half


@pytest.mark.parametrize("aggregation", [0.0, 1.0])
def test_class_weights_count_in_aggregated_levels_too(single, aggregation):
    X, Y = single
    column = TREE.position("a")
    options = {"aggregation": aggregation, "coherence": None, "max_iter": 5}
    low, high = (
        fast(TREE, class_weight={"a": w}, **options).fit(X, Y).predict_proba(X)
        for w in (0.01, 20.0)
    )
    assert low[:, column].mean() + 0.1 < high[:, column].mean()


# -- repeatable ------------------------------------------------------------------------


def test_pickle_and_clone(stopping):
    X, Y = stopping
    clf = fast(TREE, early_stopping=True).fit(X, Y)
    again = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(again.predict_proba(X), clf.predict_proba(X))
    assert again.history_ == clf.history_
    assert clone(clf).get_params()["hierarchy"] == TREE
    assert len(pickle.dumps(clf)) < 400_000  # no data, no validation set inside


def test_a_failed_refit_leaves_no_half_fitted_estimator(many):
    X, Y = many
    clf = fast(DAG, max_iter=2).fit(X, Y)
    with pytest.raises(ValueError, match="Y has 2 columns"):
        clf.fit(X, Y[:, :2])
    with pytest.raises(NotFittedError):
        clf.predict(X)


def test_the_coherence_set_after_fit_is_checked(many, single):
    clf = fast(DAG, max_iter=1).fit(*many)
    for wrong, message in [
        ("Max", "'coherence' parameter"),
        ("path", "single paths"),
    ]:
        with pytest.raises(ValueError, match=message):
            clf.set_params(coherence=wrong).predict(many[0])
    clf = fast(TREE, max_iter=1).fit(*single)
    for change in ({"coherence": "none"}, {"threshold": 7}, {"proba_format": "x"}):
        with pytest.raises(ValueError, match=f"'{next(iter(change))}' parameter"):
            clone_fitted(clf).set_params(**change).predict(single[0])


def test_score_reads_y_as_fit_does(many):
    X, Y = many
    frame = pd.DataFrame(Y, columns=DAG.labels)
    clf = fast(DAG).fit(X, frame)
    assert (
        clf.score(X, frame)
        == clf.score(X, frame[list(DAG.labels[::-1])].astype(bool))
        > 0.9
    )
    names = [[x for x, on in zip(DAG.labels, row, strict=True) if on] for row in Y]
    assert clf.score(X, names) == clf.score(X, frame)
    unknown = frame.astype(float).where(frame == clf.predict(X))
    assert clf.score(X, unknown) == 1


def test_an_encoder_cannot_overwrite_x_and_batches_are_even():
    class Careless(torch.nn.Sequential):
        def __init__(self):
            super().__init__(
                torch.nn.ReLU(inplace=True),
                torch.nn.Linear(5, 4),
                torch.nn.BatchNorm1d(4),  # refuses batches of one sample
            )

    rng = np.random.default_rng(0)
    X = rng.normal(size=(33, 5)).astype("float32")
    before, Y = X.copy(), rng.integers(0, 2, (33, 2))
    fast(encoder=Careless, max_iter=1, batch_size=32).fit(X, Y).predict(X)
    np.testing.assert_array_equal(X, before)


def test_inference_of_wide_sparse_x_is_cut_into_small_batches(monkeypatch):
    X = sp.random(300, 50_000, density=0.031, format="csr", random_state=0)
    clf = fast(hidden_layer_sizes=(4,), max_iter=1).fit(
        X[:50], np.eye(2, dtype=int)[np.arange(50) % 2]
    )
    sizes, toarray = [], sp.csr_matrix.toarray
    monkeypatch.setattr(
        sp.csr_matrix, "toarray", lambda a: sizes.append(a.shape[0]) or toarray(a)
    )
    clf.predict(X)
    assert len(sizes) > 3 and max(sizes) <= 2**22 // 50_000 + 1


# -- wrong input -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X": [["a", "b"]] * 200}, ValueError, "text .*TfidfVectorizer"),
        ({"X": np.full((200, 6), np.nan)}, ValueError, "(?s)contains NaN.*impute"),
        ({"X": np.full((200, 6), np.inf)}, ValueError, "(?s)infinity.*SimpleImputer"),
        ({"X": np.zeros((7, 6))}, ValueError, "inconsistent numbers of samples"),
        ({"X": np.zeros(6)}, ValueError, "Expected 2D array"),
        ({"X": np.zeros((200, 2, 3))}, ValueError, "dim 3"),
        ({"X": np.zeros((0, 6))}, ValueError, "0 sample"),
        ({"y": None}, ValueError, "requires y to be passed"),
        ({"y": np.zeros((200, 0))}, ValueError, "at least one label"),
        (
            {"y": np.full((200, 6), 2)},
            ValueError,
            "hold 0, 1 or NaN .*got 2 for label 'mammal'",
        ),
        ({"y": np.zeros((200, 4), int)}, ValueError, "Y has 4 columns.*6 labels"),
        ({"sample_weight": -np.ones(200)}, ValueError, "at least 0, got .*-1.0"),
        ({"sample_weight": np.ones(3)}, ValueError, r"shape \(200,\) or \(200, 6\)"),
        ({"device": "tpu9"}, ValueError, "Unknown device 'tpu9'; expected 'auto'"),
        ({"device": "cuda:99"}, ValueError, "torch sees . CUDA devices"),
        ({"hierarchy": {"a": "b", "b": "a"}}, ValueError, "cycle: b -> a -> b"),
        ({"hierarchy": 3}, TypeError, "Cannot build a hierarchy from 3"),
        ({"label_loss": "softmax"}, ValueError, "needs a tree"),
        ({"coherence": "path"}, ValueError, "Got coherence='path', expected 'auto'"),
        ({"coherence": "isotonic"}, ValueError, "Isotonic coherence needs a tree"),
        ({"max_iter": 0}, ValueError, "'max_iter' parameter .* must be an int"),
        ({"max_iter": -3}, ValueError, "Got -3 instead"),
        ({"temperature": 0}, ValueError, "'temperature' parameter"),
        ({"dropout": 1.0}, ValueError, "'dropout' parameter"),
        ({"coherence": "mean"}, ValueError, "'coherence' parameter"),
        ({"label_loss": "hinge"}, ValueError, "'label_loss' parameter"),
        ({"threshold": 2}, ValueError, "'threshold' parameter"),
        (
            {"dropout": (0.1,)},
            ValueError,
            "'dropout' parameter .*a tuple of 3 of these",
        ),
        ({"dropout": (0.1, "auto", 1)}, ValueError, "'dropout' parameter .*got .*1\\)"),
        ({"dropout": (0.1, "car", 0)}, ValueError, "for the input, the hidden layers"),
        ({"learning_rate_init": ()}, ValueError, "'learning_rate_init' parameter .*()"),
        ({"learning_rate_init": (0.1, -1)}, ValueError, "'learning_rate_init' .*-1"),
        ({"learning_rate_init": 0}, ValueError, "'learning_rate_init' parameter"),
        ({"aggregation": (0.5, 0)}, ValueError, "'aggregation' parameter .*at least 1"),
        ({"aggregation": (0.5, 2.5)}, ValueError, "'aggregation' parameter .*2.5"),
        ({"aggregation": (1.5, 8)}, ValueError, "'aggregation' parameter .*1.5"),
        ({"aggregation": (0.5,)}, ValueError, "'aggregation' parameter .*a pair"),
        ({"aggregation": -0.5}, ValueError, "'aggregation' parameter"),
        ({"hidden_layer_sizes": (10.5,)}, ValueError, "'hidden_layer_sizes' parameter"),
        ({"leaf_prediction": "mandatory"}, ValueError, "needs labels that form single"),
    ],
    ids=str,
)
def test_wrong_input_says_what_is_wrong(many, change, error, message):
    X, Y = many
    given = {"X": X, "y": Y, "sample_weight": None} | change
    options = {k: v for k, v in change.items() if k not in ("X", "y", "sample_weight")}
    clf = fast(**{"hierarchy": DAG, "max_iter": 1, **options})
    with pytest.raises(error, match=message):
        clf.fit(given["X"], given["y"], given["sample_weight"])


def test_labels_that_y_or_the_hierarchy_lacks_are_named(many):
    X, Y = many
    frame = pd.DataFrame(Y, columns=DAG.labels)
    with pytest.raises(ValueError, match="Only in Y: none. Only in the hier.*'cow'"):
        fast(DAG).fit(X, frame.drop(columns="cow"))
    with pytest.raises(ValueError, match="Only in Y: 'dog'. Only in the hier.*'cow'"):
        fast(DAG).fit(X, frame.rename(columns={"cow": "dog"}))


def test_predicting_before_fitting_and_with_other_columns(many):
    X, Y = many
    with pytest.raises(NotFittedError, match="not fitted yet"):
        fast(DAG).predict(X)
    clf = fast(DAG, max_iter=1).fit(X, Y)
    with pytest.raises(ValueError, match="X has 5 features, but HCALClassifier is"):
        clf.predict(X[:, :5])


def test_digits_end_to_end_in_a_pipeline():
    digits = load_digit_properties()
    X, Y = digits.data, digits.target
    clf = HCALClassifier(
        digits.hierarchy,
        hidden_layer_sizes=(200,),
        dropout=("auto", 0.3, "auto"),
        max_iter=30,
        random_state=0,
    )
    clf = make_pipeline(StandardScaler(), clf)
    clf.fit(X[digits.train], Y[digits.train])
    predicted = clf.predict(X[digits.test])
    assert (predicted == Y[digits.test]).all(axis=1).mean() > 0.85
    assert violations(predicted, digits.hierarchy).nnz == 0
