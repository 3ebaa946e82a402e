"""Outputs block by block: the same bits, bounded memory, CSR, the most probable."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.base import clone
from sklearn.metrics import accuracy_score, f1_score, hamming_loss, jaccard_score
from sklearn.model_selection import KFold, cross_val_predict, cross_val_score

from skhmc import (
    CoherentClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
    MaxConstraintClassifier,
)
from skhmc._networks import skorch_net
from skhmc._networks.batches import SliceDataset
from skhmc._scoring.outputs import Blocks, above, format_proba, sigmoid, to_csr
from skhmc._utils.levels import transposed
from skhmc._utils.top_k import top_k
from skhmc.coherence import RULES, close_upward, max_constraint, violations
from skhmc.inspection import HierarchyDisplay
from skhmc.metrics import get_scorer, get_scorer_names, hierarchical_violation_rate
from tests.contract import KINDS, build, every_estimator, task
from tests.hierarchies import hierarchies

every_kind = pytest.mark.parametrize("kind", KINDS)
METHODS = ("predict", "predict_proba", "decision_function")
RAW = ("predict_raw", "raw_decision_function")


def fit(estimator, kind, one_label=False, **options):
    hierarchy, X, Y = task(kind)
    if one_label:
        last = [np.flatnonzero(row)[-1] if row.any() else 0 for row in Y]
        Y = np.array(hierarchy.labels)[last]
    return build(estimator, hierarchy, **options).fit(X, Y), X, Y


def coherences(clf):
    """Return the kinds of coherence that a fitted network can have."""
    for kind in ("auto", "learned", *RULES, None):
        try:
            clone(clf).set_params(coherence=kind)._validate_params()
            clf._form.rule("max" if kind == "learned" else kind)
        except ValueError:
            continue
        yield kind


# -- putting blocks together -----------------------------------------------------------


def cut(array, n_blocks):
    return Blocks(iter(np.array_split(array, n_blocks)), len(array))


@pytest.mark.parametrize("n_blocks", [1, 2, 7])
def test_blocks_make_up_the_array(n_blocks):
    whole = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)
    again = cut(whole, n_blocks).map(lambda block: 2 * block).array()
    np.testing.assert_array_equal(again, 2 * whole)
    assert again.dtype == np.float32 and again.flags.c_contiguous
    assert cut(np.asfortranarray(whole), n_blocks).array().flags.c_contiguous
    chosen = cut(whole > 0, n_blocks).indicators(sparse=False)
    np.testing.assert_array_equal(chosen, whole > 0)
    assert chosen.dtype == np.int64
    listed = cut(whole > 0, n_blocks).map(to_csr).indicators(sparse=True)
    assert isinstance(listed, sp.csr_matrix) and listed.dtype == np.int64
    assert listed.has_canonical_format
    np.testing.assert_array_equal(listed.toarray(), chosen)


@pytest.mark.parametrize("n_blocks", [1, 3])
def test_pairs_are_one_array_per_label(n_blocks):
    p = np.random.default_rng(0).random((6, 4)).astype(np.float32)
    estimator = MaxConstraintClassifier(proba_format="list")
    estimator.classes_ = np.tile([0, 1], (4, 1))
    pairs = format_proba(estimator, cut(p, n_blocks))
    assert isinstance(pairs, list) and len(pairs) == 4
    for pair, column in zip(pairs, p.T, strict=True):
        np.testing.assert_array_equal(pair, np.column_stack([1 - column, column]))
        assert pair.dtype == np.float32 and pair.flags.c_contiguous


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.sampled_from(["f4", "f8"]))
def test_only_logits_near_the_threshold_are_looked_at_and_none_is_missed(
    seed, threshold, dtype
):
    rng = np.random.default_rng(seed)
    middle = np.log(np.maximum(threshold, 1e-30)) - np.log(max(1 - threshold, 1e-16))
    logits = middle + rng.normal(size=(5, 40)) * 10.0 ** rng.integers(-8, 3, (5, 40))
    logits = logits.astype(dtype)
    chosen = above(logits, threshold)
    np.testing.assert_array_equal(chosen.toarray(), sigmoid(logits) > threshold)
    fortran = above(np.asfortranarray(logits), threshold)
    np.testing.assert_array_equal(fortran.toarray(), chosen.toarray())


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_sigmoid_is_that_of_scipy_and_the_same_wherever_a_number_stands(dtype):
    logits = np.random.default_rng(0).normal(scale=20, size=(317, 211)).astype(dtype)
    logits[0, :4] = -np.inf, np.inf, -1e4, 1e4
    proba = sigmoid(logits)
    tiny = np.finfo(dtype).tiny
    np.testing.assert_allclose(
        proba, expit(logits), rtol=4 * np.finfo(dtype).eps, atol=tiny
    )
    assert proba[0, :4].tolist() == [0, 1, 0, 1]
    np.testing.assert_array_equal(sigmoid(logits.T), proba.T)
    np.testing.assert_array_equal(sigmoid(logits[5:9, 3:8]), proba[5:9, 3:8])
    order = np.argsort(logits, axis=None)
    assert (np.diff(proba.ravel()[order]) >= 0).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (200, 1), (63, 65), (256, 128)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_transpose_is_a_copy_in_c_order(shape, order):
    values = np.asarray(np.random.default_rng(0).normal(size=shape), order=order)
    result = transposed(values)
    np.testing.assert_array_equal(result, values.T)
    assert result.flags.c_contiguous and not np.shares_memory(result, values)


# -- the same bits ---------------------------------------------------------------------


def whole(clf, X, method):
    """Return what a method gives of all logits at once."""
    data = SliceDataset(X.astype(np.float32), dtype=clf.net_.dtype)
    logits = np.concatenate(list(clf.net_.logits(data)))
    form, rule = clf._scored()
    if method == "predict":
        chosen = form.predict(logits, rule, clf.threshold)
        return clf.classes_[chosen] if clf.classes_.ndim == 1 else chosen
    if method == "predict_raw":
        return clf._form.predict(logits, None, clf.threshold)
    if method == "raw_decision_function":
        return clf._form.logits(logits, None)
    return {"predict_proba": form.proba, "decision_function": form.logits}[method](
        logits, rule
    )


@every_estimator
@every_kind
@pytest.mark.parametrize("one_label", [False, True])
def test_blocks_change_no_bit(estimator, kind, one_label, monkeypatch):
    clf, X, _ = fit(estimator, kind, one_label)
    for coherence in coherences(clf):
        clf.set_params(coherence=coherence)
        one = {m: getattr(clf, m)(X) for m in METHODS + RAW}
        for method, output in one.items():
            np.testing.assert_array_equal(output, whole(clf, X, method))
        with monkeypatch.context() as small:  # the same batches, in blocks of few rows
            small.setattr(skorch_net, "BLOCK_ENTRIES", 5 * clf.hierarchy_.n_labels)
            small.setattr(skorch_net, "LEAST_ROWS", 1)
            data = SliceDataset(X.astype(np.float32), dtype=clf.net_.dtype)
            assert len(list(clf.net_.logits(data))) > 5
            for method, output in one.items():
                np.testing.assert_array_equal(getattr(clf, method)(X), output)


@every_estimator
@every_kind
def test_batches_change_no_more_than_rounding_does(estimator, kind, monkeypatch):
    clf, X, _ = fit(estimator, kind)
    one = clf.predict_proba(X)
    monkeypatch.setattr(skorch_net, "INFERENCE_ROWS", (7, 7))
    np.testing.assert_allclose(clf.predict_proba(X), one, rtol=1e-5)


def test_early_stopping_scores_all_held_out_rows(monkeypatch):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(
        hierarchy,
        hidden_layer_sizes=(8,),
        max_iter=4,
        early_stopping=True,
        validation_fraction=0.5,
        random_state=0,
    )
    scores = [epoch["valid_score"] for epoch in clone(clf).fit(X, Y).history_]
    monkeypatch.setattr(skorch_net, "BLOCK_ENTRIES", 3 * hierarchy.n_labels)
    monkeypatch.setattr(skorch_net, "LEAST_ROWS", 1)
    again = [epoch["valid_score"] for epoch in clone(clf).fit(X, Y).history_]
    assert again == scores


# -- memory ----------------------------------------------------------------------------


def many_labels(n_labels, **options):
    """Return a network of many labels, fitted a little, and what makes its samples."""
    rng = np.random.default_rng(0)
    edges = np.column_stack([np.arange(n_labels - 1) // 4, np.arange(1, n_labels)])
    hierarchy = Hierarchy.from_edges(edges.tolist())
    cells = np.ones(320, int), (np.arange(320) % 64, rng.integers(0, n_labels, 320))
    Y = close_upward(sp.csr_matrix(cells, shape=(64, n_labels)) > 0, hierarchy)
    clf = MaxConstraintClassifier(
        hierarchy,
        hidden_layer_sizes=(8,),
        max_iter=1,
        batch_size=None,
        random_state=0,
        **options,
    )
    with pytest.warns(UserWarning, match="no positive"):
        clf.fit(rng.normal(size=(64, 5)), Y.astype(int))
    return clf, lambda n: rng.normal(size=(n, 5)).astype(np.float32)


def extra_bytes(function, X):
    """Return the most that is allocated at a time beside what a function returns."""
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    output = function(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    parts = output if isinstance(output, (list, tuple)) else [output]
    return peak - before - sum(part.nbytes for part in parts)


@pytest.mark.parametrize("form", ["array", "list"])
def test_memory_does_not_grow_with_the_samples(form):
    clf, draw = many_labels(500, proba_format=form)
    few, many = draw(2_000), draw(20_000)
    for method in METHODS + RAW:
        clf.predict_proba(few)  # what is kept for later
        one, ten = (extra_bytes(getattr(clf, method), X) for X in (few, many))
        assert ten < 1.5 * one + 2**20, f"{method}: {one} bytes, then {ten}"
        assert ten < len(many) * 500 * 4 / 2, method  # half of the probabilities


@pytest.mark.slow
def test_sparse_predictions_of_many_labels_need_little_memory():
    clf, draw = many_labels(20_000, threshold=0.3, sparse_output=True)
    X, status = draw(20_000), Path("/proc/self/status")  # dense: 3.2 GB

    def megabytes(what):
        return int(status.read_text().split(f"{what}:")[1].split()[0]) / 1024

    clf.predict(X[:100])
    resettable = status.exists()
    if resettable:  # Linux: torch's memory, too
        (status.parent / "clear_refs").write_text("5")
        before = megabytes("VmRSS")
    tracemalloc.start()
    predicted = clf.predict(X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert predicted.shape == (20_000, 20_000) and predicted.nnz > 20_000
    assert peak < 2e8
    if resettable:
        assert megabytes("VmHWM") - before < 400
    some = clf.set_params(sparse_output=False).predict(X[:50])
    np.testing.assert_array_equal(predicted[:50].toarray(), some)


def test_scoring_sparse_labels_needs_no_dense_predictions():
    clf, draw = many_labels(2_000, threshold=0.3)
    X = draw(20_000)
    truth = clf.set_params(sparse_output=True).predict(X)
    truth = truth.tolil()
    truth[::4, -1] = 1  # no row is predicted to have the last label
    truth = truth.tocsr()
    expected = clf.score(X, truth)
    clf.set_params(sparse_output=False)
    tracemalloc.start()
    found = clf.score(X, truth)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == expected == 0.75
    assert peak < 20_000 * 2_000 * 8 / 2  # half of the dense predictions


# -- CSR indicators --------------------------------------------------------------------


@every_estimator
@every_kind
@pytest.mark.parametrize("threshold", [None, 0.0, 0.4, 1.0])
def test_sparse_predictions_are_the_dense_ones(estimator, kind, threshold):
    clf, X, _ = fit(estimator, kind, threshold=threshold)
    for coherence in coherences(clf):
        for method in ("predict", "predict_raw"):
            clf.set_params(coherence=coherence, sparse_output=False)
            one = getattr(clf, method)(X)
            assert isinstance(one, np.ndarray)
            other = getattr(clf.set_params(sparse_output=True), method)(X)
            assert isinstance(other, sp.csr_matrix) and other.dtype == one.dtype
            assert other.has_canonical_format and (other.data == 1).all()
            np.testing.assert_array_equal(other.toarray(), one)


@every_estimator
def test_sparse_output_means_nothing_after_one_label_per_sample(estimator):
    clf, X, y = fit(estimator, "paths", one_label=True, sparse_output=True)
    one = [getattr(clf, m)(X) for m in ("predict", "predict_raw")] + [clf.score(X, y)]
    clf.set_params(sparse_output=False)
    two = [getattr(clf, m)(X) for m in ("predict", "predict_raw")] + [clf.score(X, y)]
    for a, b in zip(one, two, strict=True):
        assert type(a) is type(b)
        np.testing.assert_array_equal(a, b)


def unknown(Y):
    Y = Y.astype(float)
    Y[np.random.default_rng(0).random(Y.shape) < 0.2] = np.nan
    return Y


@every_estimator
@every_kind
@pytest.mark.parametrize("change", [lambda Y: Y, unknown])
@pytest.mark.parametrize("container", [np.asarray, sp.csr_matrix])
def test_scores_of_sparse_predictions(estimator, kind, change, container):
    clf, X, Y = fit(estimator, kind)
    predicted = clf.predict(X)
    right = np.arange(len(Y)) % 2  # rows that are, all others are off by one label
    truth = np.where(right[:, None], predicted, Y)
    truth = change(truth)
    names = [
        name for name in get_scorer_names() if change is not unknown or "f1" in name
    ]
    dense = [clf.score(X, truth), clf.score(X, truth, right + 1)]
    dense += [get_scorer(name)(clf, X, truth) for name in names]
    assert dense[0] > 0
    clf.set_params(sparse_output=True)
    given = container(truth)
    sparse = [clf.score(X, given), clf.score(X, given, right + 1)]
    sparse += [get_scorer(name)(clf, X, given) for name in names]
    assert sparse == pytest.approx(dense, abs=1e-12)


@every_estimator
def test_scikit_learn_takes_sparse_predictions(estimator):
    clf, X, Y = fit(estimator, "many")
    dense, sparse = clf.predict(X), clf.set_params(sparse_output=True).predict(X)
    for metric, options in [
        (f1_score, {"average": "micro"}),
        (f1_score, {"average": "samples", "zero_division": 0}),
        (jaccard_score, {"average": "macro", "zero_division": 0}),
        (accuracy_score, {}),
        (hamming_loss, {}),
    ]:
        assert metric(Y, sparse, **options) == metric(Y, dense, **options)
    assert hierarchical_violation_rate(sparse, clf.hierarchy_) == 0
    out_of_fold = cross_val_predict(clf, X, Y, cv=KFold(2))
    assert sp.issparse(out_of_fold)
    clf.set_params(sparse_output=False)
    np.testing.assert_array_equal(
        out_of_fold.toarray(), cross_val_predict(clf, X, Y, cv=KFold(2))
    )
    scores = [
        cross_val_score(clf.set_params(sparse_output=x), X, Y, cv=KFold(2), scoring=s)
        for s in ("f1_micro", None)
        for x in (False, True)
    ]
    np.testing.assert_array_equal(scores[0], scores[1])
    np.testing.assert_array_equal(scores[2], scores[3])


@every_estimator
@pytest.mark.parametrize(
    "outer",
    [
        CoherentClassifier,
        HierarchicalCalibratedClassifier,
        HierarchicalThresholdClassifier,
    ],
)
def test_meta_estimators_around_sparse_output(estimator, outer):
    hierarchy, X, Y = task("many")
    options = {} if outer is CoherentClassifier else {"cv": KFold(2)}
    inner = clone(estimator)
    fits = [
        outer(clone(inner).set_params(sparse_output=x), hierarchy=hierarchy, **options)
        for x in (False, True)
    ]
    one, other = (f.fit(X, Y) for f in fits)
    np.testing.assert_array_equal(one.predict(X), other.predict(X))
    assert one.score(X, Y) == other.score(X, Y)
    for raw in (clf.predict_raw(X) for clf in (one, other)):
        raw = raw.toarray() if sp.issparse(raw) else raw
        np.testing.assert_array_equal(raw, one.predict_raw(X))
    scorer = get_scorer("hvr_raw")
    assert scorer(one, X, Y) == scorer(other, X, Y)


def test_a_picture_of_a_sparse_prediction():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    clf, X, _ = fit(MaxConstraintClassifier(max_iter=1, random_state=0), "many")
    display = HierarchyDisplay.from_estimator(
        clf.set_params(sparse_output=True), X, sample=3
    )
    np.testing.assert_array_equal(display.y_pred, clf.predict(X).toarray()[3])
    matplotlib.pyplot.close(display.figure_)


# -- the most probable labels ----------------------------------------------------------


def naive_top_k(scores, k, depth):
    """Sort every row by (-score, depth, column)."""
    columns = [
        sorted(range(len(row)), key=lambda j, row=row: (-row[j], depth[j], j))[:k]
        for row in scores
    ]
    return np.array(columns), np.take_along_axis(scores, np.array(columns), axis=1)


@given(hierarchies(max_labels=60), st.integers(0, 2**32 - 1), st.data())
def test_the_highest_scores_come_first_and_every_prefix_is_coherent(
    hierarchy, seed, data
):
    k = data.draw(st.integers(1, hierarchy.n_labels))
    levels = data.draw(st.sampled_from([1, 3, 1000]))  # few: many ties
    scores = np.random.default_rng(seed).integers(levels, size=(6, hierarchy.n_labels))
    scores = max_constraint(scores / levels, hierarchy)
    columns, best = top_k(scores, k, hierarchy.depth)
    expected = naive_top_k(scores, k, hierarchy.depth)
    np.testing.assert_array_equal(columns, expected[0])
    np.testing.assert_array_equal(best, expected[1])
    for n in range(1, k + 1):
        sets = np.zeros(scores.shape, int)
        np.put_along_axis(sets, columns[:, :n], 1, axis=1)
        assert sets.sum() == 6 * n and violations(sets, hierarchy).nnz == 0


@every_estimator
@every_kind
@pytest.mark.parametrize("one_label", [False, True])
def test_networks_name_the_most_probable_labels(
    estimator, kind, one_label, monkeypatch
):
    clf, X, _ = fit(estimator, kind, one_label)
    proba = clf.predict_proba(X)
    depth = np.zeros(proba.shape[1]) if one_label else clf.hierarchy_.depth
    monkeypatch.setattr(skorch_net, "BLOCK_ENTRIES", 5 * clf.hierarchy_.n_labels)
    monkeypatch.setattr(skorch_net, "LEAST_ROWS", 1)
    for k in (1, 3, proba.shape[1]):
        columns, best = clf.set_params(proba_format="list").predict_top_k(X, k)
        expected = naive_top_k(proba, k, depth)
        np.testing.assert_array_equal(columns, expected[0])
        np.testing.assert_array_equal(best, expected[1])
        assert columns.dtype.kind == "i" and best.dtype == proba.dtype
    if one_label:
        np.testing.assert_array_equal(clf.classes_[columns[:, 0]], clf.predict(X))
    else:
        assert set(clf.label_names_[columns[0]]) == set(clf.hierarchy_.labels)


@pytest.mark.parametrize("coherence", ["average", "max", "min", "product"])
def test_the_most_probable_labels_of_any_classifier(coherence):
    hierarchy, X, Y = task("many")
    inner = MaxConstraintClassifier(hidden_layer_sizes=(8,), max_iter=3, random_state=0)
    clf = CoherentClassifier(inner, hierarchy, coherence=coherence).fit(X, Y)
    proba = clf.predict_proba(X)
    for got, expected in zip(
        clf.predict_top_k(X, 4), naive_top_k(proba, 4, hierarchy.depth), strict=True
    ):
        np.testing.assert_array_equal(got, expected)


@every_estimator
@pytest.mark.parametrize("k", [0, -1, 7, 2.0, "all", None])
def test_a_wrong_number_of_labels(estimator, k):
    clf, X, _ = fit(estimator, "many")
    with pytest.raises(ValueError, match="integer from 1 to 6, the number of labels"):
        clf.predict_top_k(X, k)
    clf, X, y = fit(estimator, "paths", one_label=True)
    n = len(set(y))
    with pytest.raises(ValueError, match=f"from 1 to {n}, the number of classes"):
        clf.predict_top_k(X, n + 1)
