"""Beside the tests of other libraries: what differed by our fault, and no longer does.

One short test per example, with its right value by hand or from the other library.
"""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import has_fit_parameter
from skorch.callbacks import Callback, Checkpoint, LoadInitState, TrainEndCheckpoint

from skhmc import CoherentClassifier, HCALClassifier, Hierarchy, MaxConstraintClassifier
from skhmc.metrics import hierarchical_f1_score
from skhmc.model_selection import MultilabelStratifiedKFold
from skhmc.model_selection import MultilabelStratifiedShuffleSplit as ShuffleSplit
from skhmc.preprocessing import AncestorClosure, HierarchicalLabelBinarizer

H = Hierarchy.from_edges([("a", "a1"), ("a", "a2")], labels=["a", "a1", "a2"])
X = np.random.default_rng(0).normal(size=(40, 4))
Y = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1]])[np.arange(40) % 4]
NAMES = [["a", "a1"], ["a", "a2"], [], ["a", "a1", "a2"]] * 10
SMALL = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0}


def network(**options):
    return MaxConstraintClassifier(H, **(SMALL | options))


# -- what can be read once only --------------------------------------------------------


def test_iterators_as_rows():
    found = HierarchicalLabelBinarizer().fit_transform([iter("ab"), iter("a")])
    assert found.tolist() == [[1, 1], [1, 0]]
    theirs = MultiLabelBinarizer().fit_transform([iter("ab"), iter("a")])
    np.testing.assert_array_equal(found, theirs)


def test_an_iterator_of_rows():
    found = HierarchicalLabelBinarizer().fit_transform(iter([["a"], ["b"]]))
    assert found.tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    "once",
    [
        lambda: iter([("a", "a1"), ("a", "a2")]),
        lambda: (pair for pair in [("a", "a1"), ("a", "a2")]),
        lambda: zip("aa", ["a1", "a2"], strict=True),
        lambda: map(tuple, [["a", "a1"], ["a", "a2"]]),
    ],
)
def test_edges_that_can_be_read_once(once):
    assert {*Hierarchy.from_edges(once()).labels} == {"a", "a1", "a2"}
    assert len(Hierarchy.build(once()).edges) == 2
    frame = pd.DataFrame(Y, columns=["a", "a1", "a2"])
    clf = CoherentClassifier(DecisionTreeClassifier(), once()).fit(X, frame)
    assert len(clf.hierarchy_.edges) == 2
    assert hierarchical_f1_score(frame, frame, hierarchy=once()) == 1
    closed = AncestorClosure(once()).fit_transform(frame)
    np.testing.assert_array_equal(closed, Y)
    splits = MultilabelStratifiedKFold(2, hierarchy=once()).split(X, frame)
    assert sum(len(test) for _, test in splits) == 40


@pytest.mark.parametrize(
    ("read", "rows"),
    [
        (Hierarchy.from_edges, [("a", "a1")]),
        (Hierarchy.from_paths, ["a/a1"]),
        (Hierarchy.from_levels, [("a", "a1")]),
        (Hierarchy.build, [("a", "a1")]),
    ],
)
def test_what_was_read_before_is_an_error(read, rows):
    once = iter(rows)
    assert len(read(once).edges) == 1
    with pytest.raises(ValueError, match="nothing left.*read once only"):
        read(once)


# -- skorch ----------------------------------------------------------------------------


class Recorder(Callback):
    def __init__(self):
        self.losses = []

    def on_epoch_end(self, net, **kwargs):
        self.losses.append(net.history[-1, "train_loss"])


class Reader(Callback):
    def __init__(self, recorder):
        self.recorder = recorder
        self.seen = []

    def on_epoch_end(self, net, **kwargs):
        self.seen.append(len(self.recorder.losses))


def test_a_callback_that_reads_the_record_of_another():
    recorder = Recorder()
    clf = network(callbacks=[recorder, Reader(recorder)]).fit(X, Y)
    assert dict(clf.net_.callbacks_)["Reader"].seen == [1, 2, 3]
    assert recorder.losses == []  # the user's own is left as it was


def test_a_checkpoint_and_the_callback_that_loads_it(tmp_path):
    checkpoint = TrainEndCheckpoint(dirname=tmp_path, sink=lambda text: None)
    options = {"callbacks": [checkpoint, LoadInitState(checkpoint)]}
    first = network(schedule="constant", **options).fit(X, Y)
    assert network(schedule="constant", **options).fit(X, Y).n_iter_ == 6
    assert first.n_iter_ == 3


def test_the_net_predicts():
    clf = network().fit(X, Y)
    np.testing.assert_array_equal(clf.net_.predict_proba(X), clf.predict_proba(X))
    np.testing.assert_array_equal(clf.net_.predict(X), clf.predict(X))


def test_a_checkpoint_of_the_training_loss(tmp_path):
    best = Checkpoint("train_loss_best", dirname=tmp_path, sink=lambda text: None)
    network(callbacks=[best]).fit(X, Y)
    assert (tmp_path / "params.pt").exists()


# -- splits ----------------------------------------------------------------------------


def test_a_shuffle_split_leaves_no_label_of_five_out_of_its_test_part():
    rng = np.random.default_rng(0)
    rare = np.zeros((200, 60), int)
    for label in range(60):  # every label has 5 rows: one of them belongs into the test
        rare[rng.choice(200, 5, replace=False), label] = 1
    _, test = next(ShuffleSplit(1, test_size=0.2, random_state=0).split(rare, rare))
    folds = MultilabelStratifiedKFold(5, shuffle=True, random_state=0)
    _, fold = next(folds.split(rare, rare))
    missing = (rare[test].sum(axis=0) == 0).sum()
    assert missing <= (rare[fold].sum(axis=0) == 0).sum() + 1
    assert missing <= 3  # by chance a third of 60 would


# -- weights of meta-estimators --------------------------------------------------------


def test_positional_weights():
    tree = CoherentClassifier(DecisionTreeClassifier(max_depth=1, random_state=0), H)
    weight = np.arange(40.0)
    assert has_fit_parameter(tree, "sample_weight")
    found = tree.fit(X, Y, weight).predict_proba(X)
    named = tree.fit(X, Y, sample_weight=weight).predict_proba(X)
    np.testing.assert_array_equal(found, named)
    assert not np.array_equal(found, tree.fit(X, Y).predict_proba(X))


@pytest.mark.filterwarnings("ignore:divide by zero")  # boosting of certain trees
@pytest.mark.parametrize(
    "around",
    [
        lambda inner: AdaBoostClassifier(inner, n_estimators=2, random_state=0),
        lambda inner: CalibratedClassifierCV(inner, cv=2),
    ],
)
def test_weights_reach_through_other_estimators(around):
    stump = DecisionTreeClassifier(max_depth=1, random_state=0)
    y, weight = Y[:, 1], np.arange(40.0)
    ours = around(CoherentClassifier(stump)).fit(X, y, sample_weight=weight)
    theirs = around(stump).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X))


# -- names and numbers of columns ------------------------------------------------------


def test_columns_0_to_n_beside_a_hierarchy_with_names():
    clf = CoherentClassifier(DecisionTreeClassifier(random_state=0), H)
    found = clf.fit(X, pd.DataFrame(Y)).predict(X)
    np.testing.assert_array_equal(found, clf.fit(X, Y).predict(X))
    assert clf.fit(X, pd.DataFrame(Y)).label_names_.tolist() == ["a", "a1", "a2"]
    assert hierarchical_f1_score(pd.DataFrame(Y), Y, hierarchy=H) == 1


# -- probabilities of 0 and 1 ----------------------------------------------------------


def test_raw_probabilities_of_0_stay_0():
    forest = RandomForestClassifier(3, random_state=0)
    clf = CoherentClassifier(forest, H, strategy="per_label").fit(X, Y)
    theirs = MultiOutputClassifier(forest).fit(X, Y).predict_proba(X)
    expected = np.column_stack([proba[:, 1] for proba in theirs])
    assert (expected == 0).any() and (expected == 1).any()
    np.testing.assert_array_equal(clf.raw_predict_proba(X), expected)


# -- metrics ---------------------------------------------------------------------------


@pytest.mark.parametrize("average", ["micro", "samples"])
def test_flat_f1_is_that_of_scikit_learn(average):
    rng = np.random.default_rng(1)
    true, pred = rng.integers(0, 2, (2, 50, 6))
    true[0] = pred[0] = 1  # a row without a label has its own convention
    flat = Hierarchy.flat(6)
    ours = hierarchical_f1_score(true, pred, hierarchy=flat, average=average)
    theirs = f1_score(true, pred, average=average, zero_division=1)
    assert ours == pytest.approx(theirs)


def test_f1_of_a_paper_s_kind_of_example():
    # true G, predicted F, below B < D and B: ancestors without the root B D G / B D F
    tree = Hierarchy.from_parents({"D": "B", "G": "D", "F": "D"})
    found = hierarchical_f1_score([["G"]], [["F"]], hierarchy=tree)
    assert found == pytest.approx(2 / 3)


def test_indicators_and_names_say_the_same():
    by_name = HCALClassifier(H, **SMALL).fit(X, NAMES)
    by_column = HCALClassifier(H, **SMALL).fit(X, Y)
    np.testing.assert_array_equal(by_name.predict_proba(X), by_column.predict_proba(X))


def test_logistic_regression_per_label_is_that_of_multi_output_classifier():
    theirs = MultiOutputClassifier(LogisticRegression()).fit(X, Y).predict_proba(X)
    ours = CoherentClassifier(LogisticRegression(), H).fit(X, Y).raw_predict_proba(X)
    np.testing.assert_array_equal(ours, np.column_stack([p[:, 1] for p in theirs]))
