"""CAFA's measures: equal to the field's own program, and by hand."""

import tracemalloc
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given as draw
from hypothesis import settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline

from skhmc import CoherentClassifier, Hierarchy, MaxConstraintClassifier
from skhmc._data.parent_counts import parent_counts
from skhmc.coherence import close_upward, max_constraint
from skhmc.datasets import read_annotations
from skhmc.metrics import (
    HierarchicalScorer,
    cafa_curves,
    f_max_score,
    f_max_scorer,
    information_accretion,
    propensity_scored_precision_at_k_score,
    s_min_score,
    s_min_scorer,
    weighted_f_max_score,
    weighted_f_max_scorer,
)
from skhmc.metrics import _cafa as module
from skhmc.metrics._threshold_sums import threshold_finder
from tests.contract import task
from tests.hierarchies import hierarchies, random_labels

SEEDS = st.integers(0, 2**32 - 1)


# -- beside cafaeval -------------------------------------------------------------------


def random_ontology(rng, folder):
    """Write an OBO file of three namespaces, with edges between them, and bits."""
    lines = ["format-version: 1.2", ""]
    terms = []
    for namespace in ("process", "function", "component"):
        first = len(terms)
        for k in range(int(rng.integers(2, 12))):
            lines += ["[Term]", f"id: T:{len(terms)}", f"name: t{len(terms)}"]
            lines += [f"namespace: {namespace}"]
            n_parents = min(k, int(rng.integers(1, 4)))
            for p in rng.choice(k, n_parents, replace=False) if k else ():
                relation = ("is_a: ", "relationship: part_of ")[rng.integers(2)]
                lines += [f"{relation}T:{first + p}"]
            if first and rng.random() < 0.3:
                lines += [f"relationship: part_of T:{rng.integers(first)}"]
            lines += [""]
            terms.append(f"T:{len(terms)}")
    obo = Path(folder, "terms.obo")
    obo.write_text("\n".join(lines))
    bits = np.where(rng.random(len(terms)) < 0.2, 0, rng.random(len(terms)) * 5)
    bits = dict(zip(terms, bits.round(3).tolist(), strict=True))
    table = Path(folder, "bits.tsv")
    table.write_text("".join(f"{t}\t{b}\n" for t, b in bits.items()))
    return obo, terms, bits, table


def write_annotations(rng, folder, terms):
    """Write true annotations, and predictions of these samples and of others."""
    n_samples = int(rng.integers(3, 15))
    truth = Path(folder, "truth.tsv")
    rows = [
        f"p{i}\t{term}\n"
        for i in range(n_samples)
        for term in rng.choice(terms, int(rng.integers(1, 4)), replace=False)
    ]
    truth.write_text("".join(rows))
    predictions = Path(folder, "predictions")
    predictions.mkdir()
    rows = []
    for i in range(n_samples + 2):
        n = int(rng.integers(0, len(terms)))
        for term in rng.choice(terms, n, replace=False):
            score = rng.integers(1, 101) / 100 if rng.random() < 0.5 else rng.random()
            rows.append(f"p{i}\t{term}\t{max(score, 0.011):.4f}\n")
    predictions.joinpath("method.tsv").write_text("".join(rows))
    return truth, predictions


def read_scores(path, samples, labels):
    """Return the scores (n_samples, n_labels) of a file of predictions."""
    table = pd.read_csv(path, sep="\t", names=["sample", "label", "score"])
    table = table[table["sample"].isin(samples)]
    rows = {name: k for k, name in enumerate(samples)}
    columns = {name: k for k, name in enumerate(labels)}
    scores = np.zeros((len(rows), len(columns)))
    place = table["sample"].map(rows), table["label"].map(columns)
    np.maximum.at(scores, place, table["score"])
    return scores


def theirs(obo, predictions, truth, bits=None, step=0.01):
    """Return cafaeval's table: a row per file, namespace and threshold."""
    from cafaeval.evaluation import cafa_eval

    files = str(obo), str(predictions), str(truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, _ = cafa_eval(*files, ia=bits and str(bits), th_step=step)
    return table


OURS = {
    "pr": "precision",
    "rc": "recall",
    "f": "f",
    "cov": "coverage",
    "ru": "remaining_uncertainty",
    "mi": "misinformation",
    "s": "semantic_distance",
}
MICRO = {"pr_micro": "precision", "rc_micro": "recall", "f_micro": "f"}


def compare(curves, table, names, suffix=""):
    """Every threshold of theirs, and the best ones; returns how many were compared."""
    n_compared = 0
    for namespace, curve in curves.items():
        if namespace not in table.index.unique("ns"):
            assert curve.f_max == 0  # nothing is predicted, and they are silent
            continue
        rows = table.xs(namespace, level="ns")
        at = np.searchsorted(curve.thresholds, rows.index - 1e-9)
        for name, attribute in names.items():
            expected = rows[name + suffix].to_numpy(float)
            found = getattr(curve, attribute)
            np.testing.assert_allclose(found[at], expected, rtol=0, atol=1e-9)
            n_compared += len(at)
        f = rows["f_micro" + suffix if "f_micro" in names else "f" + suffix]
        assert curve.f_max == pytest.approx(f.max(), abs=1e-9)
        assert curve.s_min == pytest.approx(rows["s" + suffix].min(), abs=1e-9)
    return n_compared


def check_one(seed, folder, step=0.01):
    rng = np.random.default_rng(seed)
    obo, terms, bits, table = random_ontology(rng, folder)
    truth, predictions = write_annotations(rng, folder, terms)
    h = Hierarchy.from_obo(obo)
    annotations = read_annotations(truth, hierarchy=h)
    scores = read_scores(predictions / "method.tsv", annotations.samples, h.labels)
    table = theirs(obo, predictions, truth, table, step).loc["method.tsv"]
    exact = {"hierarchy": h, "information": bits}
    grid = {"hierarchy": h, "thresholds": "cafa"}
    if step != 0.01:
        grid["thresholds"] = np.arange(step, 1, step)
    given = annotations.labels, sp.csr_matrix(scores)
    with warnings.catch_warnings():  # where all true labels have 0 bits
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        assert compare(cafa_curves(*given, **grid), table, OURS) > 40
        compare(cafa_curves(*given, average="micro", **grid), table, MICRO)
        grid["information"] = bits
        weighted = cafa_curves(annotations.labels, scores, **grid)
        compare(weighted, table, OURS, "_w")
        pooled = cafa_curves(annotations.labels, scores, average="micro", **grid)
        compare(pooled, table, MICRO, "_w")
        for name, curve in cafa_curves(annotations.labels, scores, **exact).items():
            assert curve.f_max >= weighted[name].f_max - 1e-12
            assert curve.s_min <= weighted[name].s_min + 1e-12


needs_cafaeval = pytest.mark.skipif(
    not find_spec("cafaeval"), reason="cafaeval is not installed"
)


@needs_cafaeval
@pytest.mark.parametrize("seed", range(10))
def test_like_cafaeval(seed, tmp_path):
    check_one(seed, tmp_path, 0.01 if seed == 0 else 0.1)


@pytest.mark.slow
@needs_cafaeval
@pytest.mark.parametrize("seed", range(200))
def test_like_cafaeval_on_many(seed, tmp_path):
    check_one(seed, tmp_path)


@needs_cafaeval
def test_like_cafaeval_on_its_example(tmp_path):
    import cafaeval

    folder = Path(cafaeval.__path__[0], "data", "example")
    h = Hierarchy.from_obo(folder / "IDPO_disorder_function.obo")
    truth = read_annotations(folder / "ground_truth.tsv", hierarchy=h)
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    # one of five: all are read by the same lines, and theirs take their time
    text = (folder / "predictions" / "pred_3.tsv").read_text()
    (predictions / "pred_3.tsv").write_text(text)
    files = folder / "IDPO_disorder_function.obo", predictions
    table = theirs(*files, folder / "ground_truth.tsv", step=0.05).loc["pred_3.tsv"]
    scores = read_scores(predictions / "pred_3.tsv", truth.samples, h.labels)
    options = {"hierarchy": h, "thresholds": np.arange(0.05, 1, 0.05)}
    assert compare(cafa_curves(truth.labels, scores, **options), table, OURS) > 100


@pytest.mark.slow
@needs_cafaeval
@pytest.mark.parametrize("number", range(1, 6))
def test_like_cafaeval_on_all_its_examples(number, tmp_path):
    import cafaeval

    folder = Path(cafaeval.__path__[0], "data", "example")
    obo = folder / "IDPO_disorder_function.obo"
    h = Hierarchy.from_obo(obo)
    annotations = read_annotations(folder / "ground_truth.tsv", hierarchy=h)
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    file = f"pred_{number}.tsv"
    (predictions / file).write_text((folder / "predictions" / file).read_text())
    table = theirs(obo, predictions, folder / "ground_truth.tsv").loc[file]
    scores = read_scores(predictions / file, annotations.samples, h.labels)
    options = {"hierarchy": h, "thresholds": "cafa"}
    assert compare(cafa_curves(annotations.labels, scores, **options), table, OURS)


# -- by hand, and by a naive loop ------------------------------------------------------

ANIMALS = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
BITS = {"mammal": 0.0, "cat": 1.0, "dog": 3.0}


def test_by_hand():
    true = [["cat"], ["dog"]]
    scores = np.array([[0.9, 0.4, 0.2], [0.5, 0.7, 0.4]])  # closed: .9 .4 .2, .7 .7 .4
    curve = cafa_curves(true, scores, hierarchy=ANIMALS)["all"]
    np.testing.assert_allclose(curve.thresholds, [0.4, 0.7, 0.9])
    np.testing.assert_allclose(curve.precision, [(1 + 2 / 3) / 2, (1 + 1 / 2) / 2, 1])
    np.testing.assert_allclose(curve.recall, [1, (1 / 2 + 1 / 2) / 2, 1 / 4])
    np.testing.assert_allclose(curve.coverage, [1, 1, 1 / 2])
    np.testing.assert_allclose(curve.remaining_uncertainty, [0, 1, 3 / 2])
    np.testing.assert_allclose(curve.misinformation, [1 / 2, 1 / 2, 0])
    assert curve.f_max == pytest.approx(2 * 5 / 6 / (5 / 6 + 1))
    assert curve.f_max_threshold == 0.4
    assert curve.s_min == 0.5
    # in bits: cat of the first, cat 1 and dog 3 of the second
    options = {"hierarchy": ANIMALS, "information": BITS}
    weighted = cafa_curves(true, scores, **options)["all"]
    np.testing.assert_allclose(weighted.precision, [(1 + 3 / 4) / 2, 0, 0])
    np.testing.assert_allclose(weighted.remaining_uncertainty, [0, 2, 2])
    np.testing.assert_allclose(weighted.misinformation, [1 / 2, 1 / 2, 0])
    assert weighted_f_max_score(true, scores, **options) == pytest.approx(14 / 15)
    assert s_min_score(true, scores, **options) == 0.5
    assert weighted.summary()["recall"] == 1
    assert "f_max=0.9333" in repr(weighted) and weighted == weighted != curve


def naive(Y, S, h, bits, thresholds):
    """Loops over thresholds and samples."""
    T, S = close_upward(Y, h) == 1, max_constraint(S, h)
    rows = np.flatnonzero(T.any(axis=1))
    found = []
    for t in thresholds:
        precision, recall, ru, mi = [], [], 0, 0
        for i in rows:
            P = (S[i] >= t) & (S[i] > 0)
            hit, all_P, all_T = (bits[A].sum() for A in (P & T[i], P, T[i]))
            precision += [hit / all_P] if all_P else []
            recall += [hit / all_T if all_T else 0]
            ru += all_T - hit
            mi += all_P - hit
        pr = np.mean(precision) if precision else 0
        found.append([pr, np.mean(recall), ru / len(rows), mi / len(rows)])
    return np.array(found).T


@random_labels
@settings(max_examples=12, deadline=None)
@draw(hierarchies(), SEEDS, st.booleans(), st.booleans())
def test_like_a_naive_loop(h, seed, grid, sparse):
    rng = np.random.default_rng(seed)
    Y = (rng.random((7, h.n_labels)) < 0.3).astype(float)
    Y[0, 0] = 1
    S = rng.random(Y.shape).round(2) * (rng.random(Y.shape) < 0.6)
    bits = rng.integers(0, 4, h.n_labels) * 1.0 + 0.5
    options = {"hierarchy": h, "information": bits}
    options["thresholds"] = [0.2, 0.5, 0.50005] if grid else None
    given = (sp.csr_matrix(Y), sp.csr_matrix(S)) if sparse else (Y, S)
    curve = cafa_curves(*given, **options)["all"]
    expected = naive(Y, S, h, bits, curve.thresholds)
    found = [curve.precision, curve.recall]
    found += [curve.remaining_uncertainty, curve.misinformation]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    if not grid:  # no threshold is better than those of true labels
        everywhere = np.unique(np.append(max_constraint(S, h)[S > 0], 1))
        at_all = naive(Y, S, h, bits, everywhere)
        best = 2 * at_all[0] * at_all[1] / np.maximum(at_all[0] + at_all[1], 1e-9)
        assert curve.f_max == pytest.approx(best.max())


def test_blocks_change_nothing_and_sparse_is_never_dense(monkeypatch):
    rng = np.random.default_rng(0)
    Y = sp.random(300, 2000, 0.002, "csr", random_state=0)
    Y.data[:] = 1
    S = sp.random(300, 2000, 0.01, "csr", random_state=1)
    h = Hierarchy.flat(2000)
    weight = rng.integers(0, 3, 300)
    options = {"hierarchy": h, "sample_weight": weight}
    whole = cafa_curves(Y, S, **options)["all"]
    monkeypatch.setattr(module, "CELLS_PER_BLOCK", 20_000)
    tracemalloc.start()
    parts = cafa_curves(Y, S, **options)["all"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 * 2000 * 8
    np.testing.assert_allclose(parts.f, whole.f, atol=1e-12)
    # weights are repeated rows
    rows = np.repeat(np.arange(300), weight)
    again = cafa_curves(Y[rows], S[rows], hierarchy=h)["all"]
    np.testing.assert_allclose(again.f, whole.f, atol=1e-12)


def test_unknown_labels_do_not_count():
    Y = np.array([[1, 1, np.nan], [1, 0, 1]])
    S = np.array([[0.9, 0.8, 0.85], [0.9, 0.1, 0.8]])
    assert f_max_score(Y, S, hierarchy=ANIMALS) == pytest.approx(1)
    assert f_max_score(np.nan_to_num(Y), S, hierarchy=ANIMALS) < 1


def test_namespaces():
    h = Hierarchy(["a", "a1", "b", "b1"], [("a", "a1"), ("b", "b1"), ("a1", "b1")])
    of = {"a": "A", "a1": "A", "b": "B", "b1": "B"}
    Y = np.array([[0, 0, 0, 1], [0, 1, 0, 0]])
    S = np.array([[0.2, 0.1, 0.9, 0.8], [0.9, 0.8, 0.7, 0.1]])
    curves = cafa_curves(Y, S, hierarchy=h, namespaces=of)
    # the edge a1 -> b1 carries nothing: the first sample has no label of A
    assert {name: c.n_samples for name, c in curves.items()} == {"A": 1, "B": 1}
    assert f_max_score(Y, S, hierarchy=h, namespaces=of) == pytest.approx(1)
    assert cafa_curves(Y, S, hierarchy=h)["all"].n_samples == 2
    with pytest.raises(ValueError, match="No namespace is known of the labels 'b1'"):
        cafa_curves(Y, S, hierarchy=h, namespaces={"a": 1, "a1": 1, "b": 2})
    message = "No sample has a true label that counts in 'A'"
    with pytest.warns(UndefinedMetricWarning, match=message):
        assert set(cafa_curves(Y[:1], S[:1], hierarchy=h, namespaces=of)) == {"B"}
    with pytest.warns(UndefinedMetricWarning, match="counts in 'all'"):
        assert np.isnan(f_max_score(Y * 0, S, hierarchy=h))


def test_nothing_predicted_and_all_right():
    Y = np.array([[1, 1, 0], [1, 0, 1]])
    curve = cafa_curves(Y, Y * 0.0, hierarchy=ANIMALS)["all"]
    assert (curve.f_max, curve.s_min) == (0, 2)
    perfect = cafa_curves(Y, Y * 0.7, hierarchy=ANIMALS)["all"]
    assert (perfect.f_max, perfect.s_min) == (pytest.approx(1), 0)


@draw(SEEDS)
@settings(max_examples=20, deadline=None)
def test_thresholds_are_found_by_a_table_as_by_a_search(seed):
    rng = np.random.default_rng(seed)
    thresholds = np.unique(rng.integers(1, 1025, rng.integers(1, 30)) / 1024)
    if seed % 2:
        thresholds = np.arange(0.01, 1, 0.01)
    scores = np.concatenate([rng.random(200), thresholds, [0.0, 1.0]])
    scores = np.concatenate([scores, np.nextafter(scores, 0), np.nextafter(scores, 1)])
    expected = np.searchsorted(thresholds, scores, side="right")
    np.testing.assert_array_equal(threshold_finder(thresholds)(scores), expected)
    small = scores.astype(np.float32)
    expected = np.searchsorted(thresholds, small.astype(float), side="right")
    np.testing.assert_array_equal(threshold_finder(thresholds)(small), expected)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"thresholds": "grid"}, "thresholds must be None, 'cafa' or numbers"),
        ({"thresholds": [0.0]}, "numbers above 0 and at most 1"),
        ({"average": "macro"}, "average must be one of"),
        ({"namespaces": "all"}, "namespaces must be 'auto', None or a mapping"),
        ({"information": [1, 2]}, "information must hold one number for each of 3"),
        ({"information": {"cat": 1}}, "information lacks labels: 'mammal', 'dog'"),
        ({"information": [1, -2, 0]}, "information of 'cat' is -2"),
    ],
)
def test_messages(options, message):
    with pytest.raises(ValueError, match=message):
        cafa_curves([[1, 1, 0]], [[0.5, 0.5, 0.5]], hierarchy=ANIMALS, **options)


def test_messages_of_scores():
    with pytest.raises(ValueError, match="between 0 and 1, got -2.0. Pass prob"):
        f_max_score([[1, 1, 0]], [[0.5, -2.0, 0.5]], hierarchy=ANIMALS)
    with pytest.raises(ValueError, match="information is None, expected what"):
        s_min_score([[1, 1, 0]], [[0.5, 0.2, 0.5]], hierarchy=ANIMALS)


# -- information -----------------------------------------------------------------------


def test_numbers_without_names_are_refused_where_labels_have_two_orders():
    h = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    names = ["cat", "dog", "mammal"]  # h has mammal first
    true = pd.DataFrame([[1, 0, 1], [0, 1, 1]], columns=names)
    scores = pd.DataFrame([[0.9, 0.1, 0.95], [0.9, 0.3, 0.9]], columns=names)
    bits = [0.0, 1.0, 5.0]
    by_name = dict(zip(h.labels, bits, strict=True))
    given = {"hierarchy": h, "information": by_name}
    expected = weighted_f_max_score(true, scores, **given)
    ordered = true[list(h.labels)].to_numpy(), scores[list(h.labels)].to_numpy()
    given["information"] = bits
    assert weighted_f_max_score(*ordered, **given) == expected
    with pytest.raises(ValueError, match="two orders"):
        weighted_f_max_score(true, scores, **given)
    with pytest.raises(ValueError, match="two orders"):
        propensity_scored_precision_at_k_score(
            true, scores, k=1, hierarchy=h, propensity=[0.5, 0.2, 0.1]
        )


def test_information_by_hand():
    h = Hierarchy.from_parents({"cat": "mammal", "tabby": ["cat", "pet"]})
    train = [["tabby"], ["cat", "pet"], ["cat"], ["mammal"], ["pet"], [], [], []]
    found = information_accretion(train, h)
    # 4 of 8 are mammals, 3 of these 4 cats, 3 of 8 pets, 1 of the 2 cats and pets tabby
    bits = [-np.log2(4 / 8), -np.log2(3 / 4), -np.log2(3 / 8), -np.log2(1 / 2)]
    expected = dict(zip(["mammal", "cat", "pet", "tabby"], bits, strict=True))
    assert found == pytest.approx(expected)
    unseen = information_accretion(train[1:], h)
    assert unseen["tabby"] == 0
    assert information_accretion(train[1:], h, pseudocount=1)["tabby"] == 1
    with pytest.raises(ValueError, match="pseudocount must not be negative, got -1"):
        information_accretion(train, h, pseudocount=-1)


@random_labels
@settings(max_examples=12, deadline=None)
@draw(hierarchies(), SEEDS, st.booleans())
def test_information_like_a_naive_loop(h, seed, unknown):
    rng = np.random.default_rng(seed)
    Y = (rng.random((12, h.n_labels)) < 0.3).astype(float)
    if unknown:
        Y[rng.random(Y.shape) < 0.2] = np.nan
    closed = close_upward(Y, h)
    found = information_accretion(sp.csr_matrix(Y) if seed % 2 else Y, h)
    for k, label in enumerate(h.labels):
        above = [h.position(x) for x in h.parents_of(label)]
        rows = (closed[:, above] == 1).all(axis=1) & ~np.isnan(closed[:, k])
        n = (closed[rows, k] == 1).sum()
        assert found[label] == pytest.approx(-np.log2(n / rows.sum()) if n else 0)


# -- scorers ---------------------------------------------------------------------------


def test_scorers_read_the_training_counts():
    hierarchy, X, Y = task("many")
    clf = CoherentClassifier(DummyClassifier(strategy="prior"), hierarchy)
    clf.fit(X[:30], Y[:30])
    bits = information_accretion(Y[:30], clf.hierarchy_)
    proba = clf.predict_proba(X)
    given = {"information": bits, "hierarchy": clf.hierarchy_}
    expected = s_min_score(Y, proba, **given)
    assert s_min_scorer(clf, X, Y) == pytest.approx(-expected)
    found = weighted_f_max_scorer(make_pipeline("passthrough", clf), X, Y)
    assert found == pytest.approx(weighted_f_max_score(Y, proba, **given))
    assert f_max_scorer(clf, X, Y) == f_max_score(Y, proba, hierarchy=clf.hierarchy_)
    fixed = HierarchicalScorer(s_min_score, hierarchy, information=bits)
    assert fixed(clf, X, Y) == pytest.approx(expected)
    other = MultiOutputClassifier(DummyClassifier(strategy="prior")).fit(X, Y)
    with pytest.raises(ValueError, match="found no label_counts_ in MultiOutputClass"):
        HierarchicalScorer(s_min_score, hierarchy)(other, X, Y)


def test_partial_fits_count_all_parts():
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, hidden_layer_sizes=(2,), max_iter=1)
    clf.partial_fit(X[:20], Y[:20]).partial_fit(X[20:], Y[20:])
    h = clf.hierarchy_
    expected = parent_counts(close_upward(np.asarray(Y), h), h)
    np.testing.assert_array_equal(clf.label_counts_, expected)
