"""A hierarchy that is upside down is never taken without a word once there is a Y."""

import warnings
from itertools import pairwise

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from benchmarks.npz_sets import load_npz_set
from skhmc import (
    CoherentClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
    HierarchyWarning,
    MaxConstraintClassifier,
)
from skhmc._data.judge import DirectionJudge
from skhmc._data.targets import read_targets
from skhmc.coherence import close_upward, most_specific
from skhmc.datasets import fetch_clus
from skhmc.metrics import HierarchicalScorer, au_prc_score, hierarchical_f1_score
from skhmc.model_selection import MultilabelStratifiedKFold, multilabel_train_test_split
from skhmc.preprocessing import (
    AncestorClosure,
    HierarchicalLabelBinarizer,
    HierarchicalPrototypeTransformer,
)
from tests.hierarchies import hierarchies, random_hierarchy
from tests.real_data import real_data_home

CHILDREN = {"root": ["A", "B"], "A": ["A1", "A2"]}  # parent -> children
RIGHT = Hierarchy.from_parents({"A": "root", "B": "root", "A1": "A", "A2": "A"})
LEAVES = ["A1", "A2", "B"]
FULL = [["A1", "A", "root"], ["A2", "A", "root"], ["B", "root"]]
FRAME = pd.DataFrame([[int(x in row) for x in RIGHT.labels] for row in FULL])
FRAME.columns = list(RIGHT.labels)
LEAVES_ONLY = FRAME.assign(root=0, A=0)
X = np.eye(3)


def turned(hierarchy):
    """Return a hierarchy upside down."""
    edges = [(c, p) for p, c in hierarchy.edges]
    names = hierarchy.labels
    return Hierarchy(names, [(names[p], names[c]) for p, c in edges])


def suspicions(call, *arguments, **options):
    """Return the texts of all doubts about the hierarchy that a call raises."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*arguments, **options)
    return [str(w.message) for w in caught if w.category is HierarchyWarning]


def is_suspicious(Y, hierarchy):
    return bool(suspicions(read_targets, Y, hierarchy))


# -- children read as parents ----------------------------------------------------------


def test_it_is_a_user_warning():
    assert issubclass(HierarchyWarning, UserWarning)


@pytest.mark.parametrize("Y", [FULL, FRAME], ids=["names", "frame"])
def test_labels_with_their_ancestors_contradict_the_direction(Y):
    (text,) = suspicions(read_targets, Y, CHILDREN)
    assert "As given, 'A2' is a parent of 'A', " in text or "'B' is a parent" in text
    # in the rows of A1, A2 and B: root without B or A, A without the other child
    assert "in 5 of 10 cases a label stands without a parent" in text
    assert "it would be 0 of 5 cases" in text
    assert "Hierarchy.from_children(mapping)" in text
    assert not is_suspicious(Y, RIGHT)


@pytest.mark.parametrize(
    "Y",
    [LEAVES, pd.Series(LEAVES), [[x] for x in LEAVES], LEAVES_ONLY],
    ids=["1-D", "series", "names", "frame"],
)
def test_leaves_that_are_all_roots_are_suspicious(Y):
    (text,) = suspicions(read_targets, Y, CHILDREN)
    assert "3 of 3 positive labels in Y have no parent, 0 have no child" in text
    assert "These are 3 of its 3 roots, which stand above 1 leaves" in text
    assert "As given, 'A1' is a parent of 'A'" in text or "'B' is a parent" in text
    assert "Hierarchy.from_children(mapping)" in text
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Y is not closed upward")
        warnings.simplefilter("error", HierarchyWarning)
        read_targets(Y, RIGHT)


@pytest.mark.parametrize(
    ("source", "advice"),
    [
        (turned(RIGHT), "by Hierarchy.from_children"),
        (turned(RIGHT).to_networkx(), r"from_networkx\(graph, reverse=True\)"),
        ([("A", "root"), ("B", "root"), ("A1", "A"), ("A2", "A")], "turn them round"),
        (nx.to_pandas_adjacency(turned(RIGHT).to_networkx(), dtype=int), "transpose"),
    ],
    ids=["Hierarchy", "graph", "pairs", "matrix"],
)
def test_the_advice_suits_what_was_given(source, advice):
    with pytest.warns(HierarchyWarning, match=advice):
        read_targets(FULL, source)


def fit(estimator):
    return lambda Y, source: estimator(source).fit(np.tile(X, (4, 1)), Y * 4)


def tree(source):
    return CoherentClassifier(DecisionTreeClassifier(), source)


def tuned(source):
    return HierarchicalThresholdClassifier(tree(source), hierarchy=source, cv=2)


def calibrated(source):
    return HierarchicalCalibratedClassifier(tree(source), hierarchy=source, cv=2)


CALLS = {
    "CoherentClassifier": fit(tree),
    "HierarchicalCalibratedClassifier": fit(calibrated),
    "HierarchicalThresholdClassifier": fit(tuned),
    "fit": fit(lambda source: MaxConstraintClassifier(source, max_iter=1)),
    "early stopping": fit(
        lambda source: MaxConstraintClassifier(
            source,
            max_iter=1,
            early_stopping="hierarchical_f1",
            validation_fraction=0.5,
        )
    ),
    "partial_fit": lambda Y, source: MaxConstraintClassifier(source).partial_fit(X, Y),
    "prototypes": fit(HierarchicalPrototypeTransformer),
    "binarizer": lambda Y, h: HierarchicalLabelBinarizer(h).fit_transform(Y),
    "closure": lambda Y, h: AncestorClosure(h).fit_transform(Y),
    "folds": lambda Y, h: list(
        MultilabelStratifiedKFold(2, hierarchy=h).split(np.tile(X, (4, 1)), Y * 4)
    ),
    "split": lambda Y, h: multilabel_train_test_split(
        Y * 4, stratify=Y * 4, hierarchy=h
    ),
    "F1": lambda Y, h: hierarchical_f1_score(Y, Y, h),
    "AU(PRC)": lambda Y, h: au_prc_score(Y, FRAME, hierarchy=h),
}


@pytest.mark.parametrize("Y", [FULL, [[x] for x in LEAVES]], ids=["full", "leaves"])
@pytest.mark.parametrize("name", CALLS)
def test_every_reader_of_labels_warns_once(name, Y):
    assert len(suspicions(CALLS[name], Y, CHILDREN)) == 1
    assert not suspicions(CALLS[name], Y, RIGHT)


def test_scorers_warn_once():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = tree(CHILDREN).fit(np.tile(X, (4, 1)), FULL * 4)
    scorer = HierarchicalScorer(hierarchical_f1_score)
    assert len(suspicions(scorer, estimator, X, FULL)) == 1
    assert not suspicions(estimator.score, X, FULL)  # fit has said it


def test_closing_silences_what_is_right():
    wrong = turned(RIGHT)
    closed = close_upward(FRAME[list(wrong.labels)].to_numpy(), wrong)
    assert not is_suspicious(closed, wrong)


def test_labels_in_a_file_are_judged_in_blocks(tmp_path, monkeypatch):
    monkeypatch.setattr("skhmc._data.X.ENTRIES_PER_BLOCK", 10)
    empty = np.zeros((4, 5), np.int8)
    np.save(tmp_path / "Y.npy", np.vstack([empty, FRAME]).astype(np.int8))
    Y = np.load(tmp_path / "Y.npy", mmap_mode="r")
    (text,) = suspicions(read_targets, Y, turned(RIGHT))
    assert "in 5 of 10 cases" in text and "in row 4." in text
    assert not is_suspicious(Y, RIGHT)


# -- numbers and false alarms ----------------------------------------------------------


def count(Y, hierarchy):
    judge = DirectionJudge(hierarchy, None)
    judge.read(Y)
    return judge


def draw_labels(n_samples, n_labels, seed, rate=0.4):
    return (np.random.default_rng(seed).random((n_samples, n_labels)) < rate) * 1.0


@given(hierarchies(), st.integers(1, 9), st.integers(0, 999), st.sampled_from([0, 0.3]))
def test_counts_are_those_of_a_loop(hierarchy, n_samples, seed, unknown):
    Y = draw_labels(n_samples, hierarchy.n_labels, seed)
    Y[draw_labels(*Y.shape, seed + 1, unknown) == 1] = np.nan
    ends = [(row[p], row[c]) for row in Y for p, c in hierarchy.edges]
    expected = [ends.count(pair) for pair in [(1, 1), (0, 1), (1, 0)]]
    for labels in (Y, sp.csr_matrix(Y)):
        judge = count(labels, hierarchy)
        found = [judge.n_both, judge.n_child_only, judge.n_parent_only]
        assert found == expected
    judge = DirectionJudge(hierarchy, None)
    for start, stop in pairwise([0, n_samples // 2, n_samples]):
        judge.read(Y[start:stop], start)
    assert [judge.n_both, judge.n_child_only, judge.n_parent_only] == expected


@given(hierarchies(), st.integers(1, 40), st.integers(0, 999))
def test_right_closed_labels_never_contradict(hierarchy, n_samples, seed):
    Y = close_upward(draw_labels(n_samples, hierarchy.n_labels, seed, 0.2), hierarchy)
    judge = count(Y, hierarchy)
    mirrored = count(Y, turned(hierarchy))
    assert judge.n_child_only == mirrored.n_parent_only == 0
    assert judge.n_parent_only == mirrored.n_child_only
    assert not judge.is_contradicted()
    assert not count(most_specific(Y, hierarchy), hierarchy).is_contradicted()


def chains(n_labels, length):
    edges = [(i, i + 1) for i in range(n_labels - 1) if (i + 1) % length]
    return Hierarchy(range(n_labels), edges)


def labels_of(kind, hierarchy, n_samples, rng):
    """Return random labels of one form, as they might be given for a hierarchy."""
    n_labels = hierarchy.n_labels
    Y = (rng.random((n_samples, n_labels)) < rng.choice([0.05, 0.2, 0.5])) * 1.0
    if kind == "one label":
        return np.eye(n_labels)[rng.integers(n_labels, size=n_samples)]
    if kind == "path":
        return close_upward(
            labels_of("one label", hierarchy, n_samples, rng), hierarchy
        )
    if kind == "leaves":
        return Y * np.isin(np.arange(n_labels), hierarchy.leaves)
    if kind == "not closed":
        return Y
    Y = close_upward(Y, hierarchy)
    if kind == "unknown":
        Y[rng.random(Y.shape) < 0.3] = np.nan
    return most_specific(Y, hierarchy) if kind == "most specific" else Y


KINDS = ["closed", "path", "leaves", "most specific", "one label", "unknown"]


def random_case(seed, kinds=KINDS):
    rng = np.random.default_rng(seed)
    n_labels, n_samples = int(rng.integers(1, 25)), int(rng.choice([1, 2, 3, 5, 9, 40]))
    hierarchy = random_hierarchy(
        n_labels, seed, *[(1, 0.2), (3, 0.2), (3, 0.5)][seed % 3]
    )
    if seed % 7 == 0:
        hierarchy = chains(n_labels, int(rng.integers(2, 9)))
    return hierarchy, labels_of(kinds[seed % len(kinds)], hierarchy, n_samples, rng)


def alarms(cases):
    judges = [count(Y, hierarchy) for hierarchy, Y in cases]
    return [j.is_contradicted() or j.is_at_roots() for j in judges]


def test_right_hierarchies_raise_no_alarm():
    cases = [random_case(seed, [*KINDS, "not closed"]) for seed in range(500)]
    assert sum(alarms(cases)) == 0


def test_wrong_hierarchies_raise_an_alarm():
    found = {}
    for kind in ("closed", "path"):
        cases = [random_case(seed, [kind]) for seed in range(150)]
        cases = [(turned(h), Y) for h, Y in cases if len(h.edges) > 3 and len(Y) > 8]
        found[kind] = np.mean(alarms(cases))
    assert found["closed"] > 0.9 and found["path"] > 0.9


@pytest.mark.slow
def test_fewer_than_one_in_a_thousand_right_hierarchies_raises_an_alarm():
    cases = (random_case(seed, [*KINDS, "not closed"]) for seed in range(20_000))
    assert np.mean(alarms(cases)) < 0.001


def test_flat_hierarchies_are_flat_on_purpose():
    Y = draw_labels(50, 6, 0)
    assert not is_suspicious(Y, Hierarchy.flat(6)) and not is_suspicious(Y, None)


def test_two_rows_decide_nothing():
    assert not is_suspicious(FULL[:2], CHILDREN)
    assert not is_suspicious(LEAVES[:2], CHILDREN)


def test_coarse_labels_alone_are_no_sign():
    fine = Hierarchy.from_parents({f"{x}{i}": x for x in "abc" for i in range(9)})
    assert not is_suspicious([["a"], ["b"], ["c"]] * 20, fine)


CLUS = [
    *(f"{x}_FUN" for x in ("cellcycle", "church", "eisen", "gasch1", "pheno", "seq")),
    *(f"{x}_GO" for x in ("cellcycle", "eisen", "gasch1", "pheno", "seq")),
    *("diatoms", "enron", "imclef07a"),
]
NPZ = ["anuran", "cei", "clinc150", "goemotions", "grocery32", "ng20", "rcv1_subset1"]


def real_labels(name):
    if name in NPZ:
        data = load_npz_set(name, real_data_home("npz"))
    else:
        data = fetch_clus(name, data_home=real_data_home(), download_if_missing=False)
    return sp.csr_matrix(data.target), data.hierarchy


FAST = ["anuran", "cei", "diatoms", "enron", "ng20", "pheno_GO"]
SETS = [
    name if name in FAST else pytest.param(name, marks=pytest.mark.slow)
    for name in (*CLUS, *NPZ)
]


@pytest.mark.parametrize("name", SETS)
def test_real_hierarchies_alarm_upside_down_only(name):
    Y, hierarchy = real_labels(name)
    wrong = turned(hierarchy)
    rng = np.random.default_rng(0)
    few = rng.choice(Y.shape[0], Y.shape[0] // 20, replace=False)
    for labels in (Y, most_specific(Y, hierarchy)):
        for part in (labels, labels[few]):
            assert not is_suspicious(part, hierarchy)
            assert is_suspicious(part, wrong)


# -- columns for leaves only -----------------------------------------------------------

ONLY = FRAME[["B", "A2", "A1"]]
ORDER = ["B", "A2", "A1", "root", "A"]  # the columns, then what was missing
ADDED = "no columns for 2 of the 5 labels of the hierarchy: 'root', 'A'"


@pytest.mark.parametrize(
    "source",
    [RIGHT, {"A": "root", "B": "root"} | dict.fromkeys(["A1", "A2"], "A")],
    ids=["Hierarchy", "mapping"],
)
def test_missing_ancestors_are_added_and_said(source):
    with pytest.warns(UserWarning, match=ADDED) as caught:
        targets = read_targets(ONLY, source)
    assert [w.category for w in caught] == [UserWarning]
    assert targets.label_names.tolist() == ORDER
    np.testing.assert_array_equal(targets.Y, FRAME[ORDER])
    assert targets.hierarchy == Hierarchy.build(RIGHT, ORDER)


def test_unknown_leaves_leave_their_ancestors_unknown():
    Y = pd.DataFrame([[0, np.nan, 0], [1, np.nan, 0], [0, np.nan, 1]])
    Y.columns = ["B", "A2", "A1"]
    with pytest.warns(UserWarning, match=ADDED):
        targets = read_targets(Y, RIGHT)
    expected = [[np.nan, np.nan], [1, np.nan], [1, 1]]
    np.testing.assert_array_equal(targets.Y[:, 3:], expected)
    np.testing.assert_array_equal(targets.Y[:, :3], Y)


# with a sample without labels, so that each label has both values
SAMPLES = np.tile(np.eye(4), (4, 1))
TRUTH = pd.concat([pd.concat([FRAME, FRAME[:1] * 0])] * 4, ignore_index=True)


@pytest.mark.parametrize("make", [tree, tuned])
def test_missing_ancestors_in_estimators(make):
    Y = TRUTH[ONLY.columns]
    with pytest.warns(UserWarning, match=ADDED) as caught:
        estimator = make(RIGHT).fit(SAMPLES, Y)
    assert len(caught) == 1
    assert estimator.label_names_.tolist() == ORDER
    np.testing.assert_array_equal(estimator.predict(SAMPLES), TRUTH[ORDER])
    assert estimator.score(SAMPLES, Y) == 1
    assert HierarchicalScorer(hierarchical_f1_score)(estimator, SAMPLES, Y) == 1


def test_missing_ancestors_in_the_closure():
    closure = AncestorClosure(RIGHT).set_output(transform="pandas")
    with pytest.warns(UserWarning, match=ADDED) as caught:
        closed = closure.fit_transform(ONLY)
    assert len(caught) == 1
    pd.testing.assert_frame_equal(closed, FRAME[ORDER])
    assert closure.get_feature_names_out().tolist() == ORDER


def test_missing_ancestors_in_metrics_and_splitters():
    assert hierarchical_f1_score(ONLY, FRAME, RIGHT) == 1
    assert hierarchical_f1_score(FRAME, ONLY, RIGHT) == 1
    assert au_prc_score(ONLY, FRAME[ORDER], hierarchy=RIGHT) == 1
    wrong = ONLY.assign(A1=[0, 0, 0], A2=[1, 1, 0])  # 7 of 8 labels: one leaf is wrong
    assert hierarchical_f1_score(FRAME, wrong, RIGHT) == pytest.approx(14 / 16)
    splitter = MultilabelStratifiedKFold(3, hierarchy=RIGHT)
    assert len(list(splitter.split(X, ONLY))) == 3


def test_edges_that_can_be_read_once_only():
    edges = [("root", "A"), ("root", "B"), ("A", "A1"), ("A", "A2")]
    with pytest.warns(UserWarning, match=ADDED):
        assert read_targets(ONLY, iter(edges)).hierarchy == Hierarchy.build(
            RIGHT, ORDER
        )
    assert hierarchical_f1_score(ONLY, FRAME, iter(edges)) == 1
    assert hierarchical_f1_score(FULL, [[x] for x in LEAVES], iter(edges)) == 1


def test_columns_that_may_be_leaves_have_to_be_named():
    message = (
        r"its 3 leaves, say in which order: pd.DataFrame\(Y, columns=\['B', 'A1', "
    )
    with pytest.raises(ValueError, match=message):
        read_targets(ONLY.to_numpy(), RIGHT)
    with pytest.raises(ValueError, match=message):
        hierarchical_f1_score(ONLY.to_numpy(), ONLY.to_numpy(), RIGHT)


def test_leaf_columns_of_a_hierarchy_that_is_upside_down():
    message = (
        r"the 3 roots of the hierarchy only .*none for 'A', 'root'.*perhaps upside "
        r"down.*Hierarchy.from_children\(mapping\)"
    )
    with pytest.raises(ValueError, match=message):
        read_targets(ONLY, CHILDREN)


def test_other_missing_columns_stay_an_error():
    with pytest.raises(ValueError, match="Only in the hierarchy: 'A2'"):
        read_targets(FRAME.drop(columns="A2"), RIGHT)
    with pytest.raises(ValueError, match="Only in Y: 'C'"):
        read_targets(ONLY.assign(C=1), RIGHT)


# -- columns that only count -----------------------------------------------------------


def test_columns_that_were_given_no_names_are_positions():
    Y = pd.DataFrame(FRAME.to_numpy())
    assert read_targets(Y, RIGHT).hierarchy == RIGHT
    assert hierarchical_f1_score(Y, FRAME, RIGHT) == 1
    assert hierarchical_f1_score(FRAME, Y, RIGHT) == 1
    with pytest.raises(ValueError, match="columns have no names"):
        read_targets(Y, {"cat": "mammal"})


@pytest.mark.parametrize("make", [tree, tuned])
def test_columns_without_names_in_estimators(make):
    Y = pd.DataFrame(TRUTH.to_numpy())
    estimator = make(RIGHT).fit(SAMPLES, Y)
    assert estimator.label_names_.tolist() == list(RIGHT.labels)
    assert estimator.score(SAMPLES, Y) == 1
    assert HierarchicalScorer(hierarchical_f1_score)(estimator, SAMPLES, Y) == 1


def test_numbers_that_are_labels_are_names():
    order = Hierarchy([2, 0, 1], edges=[(2, 0)])
    Y = pd.DataFrame([[1, 0, 1]])
    assert read_targets(Y, order).hierarchy.labels == (0, 1, 2)
    with pytest.raises(ValueError, match="Only in Y: 0. Only in the hierarchy: 3"):
        read_targets(Y, Hierarchy([1, 2, 3], edges=[(1, 2)]))


def test_numbers_from_1_are_noticed():
    source = {2: 1, 3: 1, 4: 2}  # a fifth label stands alone
    Y = [[1, 1, 0, 0, 0], [1, 0, 1, 0, 0], [1, 1, 0, 1, 0], [1, 0, 1, 0, 0]]
    Y = np.array(Y * 3)
    (text,) = suspicions(read_targets, Y, source)
    # 2 below 1 in six rows, 3 and 4 stand without 1 and 2
    assert "labels=range(1, 6)" in text and "it would be 0 of 15 cases" in text
    assert "such as 2 without 1 in row 1" in text
    named = Hierarchy.build(source, labels=range(1, 6))
    assert not is_suspicious(Y, named)
    assert not is_suspicious(np.roll(Y, 1, axis=1), source)  # numbers from 0 are right


def test_numbers_that_are_no_columns_ask():
    with pytest.raises(ValueError, match=r"1 to 3, and the 3 columns.*range\(1, 4\)"):
        read_targets(np.eye(3), {2: 1, 3: 1})
    with pytest.raises(ValueError, match="labels 7, which are no positions of the 3"):
        read_targets(np.eye(3), {7: 1, 2: 1})


# -- padding ---------------------------------------------------------------------------

PADDED = [["A1", "", None], ["A2", "A", np.nan], ["B", pd.NA, ""]]


def test_padding_is_no_label():
    message = "3 of 3 rows of label names are filled up .*the first is row 0"
    with pytest.warns(UserWarning, match=message) as caught:
        targets = read_targets(PADDED, RIGHT)
    assert len(caught) == 1
    np.testing.assert_array_equal(targets.Y.toarray(), FRAME)
    with pytest.warns(UserWarning, match=message):
        assert read_targets(PADDED, None).hierarchy.labels == ("A", "A1", "A2", "B")
    with pytest.warns(UserWarning, match="1 of 2 rows .*the first is row 1"):
        read_targets([["A1"], ["B", ""]], RIGHT)


def test_padding_is_left_out_everywhere_and_said_once():
    calls = [
        lambda: AncestorClosure(RIGHT).fit_transform(PADDED),
        lambda: HierarchicalLabelBinarizer(RIGHT).fit_transform(PADDED),
    ]
    for call in calls:
        with pytest.warns(UserWarning, match="filled up") as caught:
            np.testing.assert_array_equal(call(), FRAME)
        assert len(caught) == 1
    levels = np.array([["A1", ""], ["A2", ""], ["B", ""]])  # that end early
    binarizer = HierarchicalLabelBinarizer(RIGHT)
    np.testing.assert_array_equal(binarizer.fit_transform(levels), FRAME)
    with pytest.warns(UserWarning, match="filled up"):
        assert hierarchical_f1_score(PADDED, FRAME, RIGHT) == 1


def test_padding_is_left_out_by_estimators():
    labels = [*PADDED, [None, None, ""]] * 4
    with pytest.warns(UserWarning, match="16 of 16 rows") as caught:
        estimator = tuned(RIGHT).fit(SAMPLES, labels)
    assert len(caught) == 1
    np.testing.assert_array_equal(estimator.predict(SAMPLES), TRUTH)


def test_padding_at_the_end_of_paths():
    binarizer = HierarchicalLabelBinarizer()
    with pytest.warns(UserWarning, match="2 of 3 rows") as caught:
        Y = binarizer.fit_transform([[("a", "b", "")], [("a", None, None)], ["a/b"]])
    assert len(caught) == 1
    assert binarizer.classes_.tolist() == ["a", "a/b"]
    np.testing.assert_array_equal(Y, [[1, 1], [1, 0], [1, 1]])
