"""What the contract tests share: every estimator, small data, MultiOutputClassifier."""

import functools
import warnings

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.multioutput import MultiOutputClassifier

from skhmc import Hierarchy
from skhmc.coherence import close_upward
from tests.instances import AROUND, DETERMINISTIC, FAST, KERNELS, LABEL_TREES

SIZES = (1, 2, 3, 5, 50)
FEW_SIZES = (1, 5)
KINDS = ("many", "paths")

NETWORKS = [pytest.param(instance, id=name) for name, instance in FAST]
every_estimator = pytest.mark.parametrize("estimator", NETWORKS)
# What does not depend on training holds of estimators around others, too.
OUTER = [
    pytest.param(instance, id=name) for name, instance in AROUND + KERNELS + LABEL_TREES
]
every_classifier = pytest.mark.parametrize("estimator", NETWORKS + OUTER)
# Where all estimators run the same code, one of them shows what it does.
one_estimator = pytest.mark.parametrize("estimator", NETWORKS[:1])


def every_size(smallest=1):
    """Parametrize by estimators and numbers of labels: one at all, others at few.

    All give their outputs the shapes by the same functions, of skhmc/_scoring. The
    largest number is left to ``make slow``, and what is no network at one label.
    """
    alone = {name for name, _ in KERNELS}
    pairs = [
        pytest.param(
            *param.values,
            n_labels,
            id=f"{param.id}-{n_labels}",
            marks=(
                pytest.mark.slow
                if n_labels == max(SIZES) or (n_labels == 1 and param.id in alone)
                else ()
            ),
        )
        for param in NETWORKS + OUTER
        for n_labels in (SIZES if param is NETWORKS[0] else FEW_SIZES)
        if n_labels >= smallest
    ]
    return pytest.mark.parametrize("estimator, n_labels", pairs)


every_deterministic = pytest.mark.parametrize(
    "estimator", [pytest.param(e, id=type(e).__name__) for e in DETERMINISTIC]
)
# Fits that have no randomness, of networks or not: weights are repeated rows.
every_exact = pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(e, id=type(e).__name__)
        for e in [
            *DETERMINISTIC,
            *(clone(e).set_params(ridge="auto") for _, e in KERNELS),
        ]
    ],
)


def build(estimator, hierarchy=None, **options):
    """Return a new estimator with a hierarchy, unless it learns its own."""
    if "hierarchy" in estimator.get_params(deep=False):
        options["hierarchy"] = hierarchy
    return clone(estimator).set_params(**options)


def estimators_with(*names, among=NETWORKS):
    """Return those of some pytest.param(estimator) that have all these parameters."""
    return [
        param
        for param in among
        if set(names) <= set(param.values[0].get_params(deep=False))
    ]


def every_estimator_with(*names):
    """Parametrize a test that is about parameters which not all estimators have."""
    return pytest.mark.parametrize("estimator", estimators_with(*names))


def baseline():
    return MultiOutputClassifier(LogisticRegression(max_iter=1000))


# -- data ------------------------------------------------------------------------------


def _frozen(*arrays):
    for array in arrays:
        array.flags.writeable = False  # nobody may write into what a user hands over
    return arrays


def _check_both_halves(Y):
    for half in np.array_split(Y, 2):
        assert (np.ptp(half, axis=0) == 1).all()


@functools.cache
def problem(n_labels, n_samples=60):
    """Return a DAG of labels 0, 1, ..., X and a closed Y with several paths per row.

    Every label has both values in both halves of the rows, as MultiOutputClassifier
    needs it.
    """
    edges = [((k - 1) // 4, k) for k in range(1, n_labels) if k != 2]
    edges += [(k - 1, k) for k in range(3, n_labels, 3)]
    hierarchy = Hierarchy.from_edges(edges, labels=range(n_labels))
    rng = np.random.default_rng(n_labels)
    X = rng.normal(size=(n_samples, 5))
    scores = X @ rng.normal(size=(5, n_labels)) + rng.normal(size=(n_samples, n_labels))
    Y = (scores > np.quantile(scores, 0.25, axis=0)).astype(int)
    for label in range(n_labels):  # parents come first
        for parent in hierarchy.parents_of(label):
            Y[:, label] &= Y[:, parent]
    _check_both_halves(Y)
    return hierarchy, *_frozen(X, Y)


DAG = Hierarchy.from_parents(
    {"cat": ["mammal", "pet"], "cow": ["mammal"], "parrot": ["bird", "pet"]}
)
TREE = Hierarchy.from_paths(["a/1", "a/2", "b/1", "b/2", "c"])  # c is a shallow leaf


@functools.cache
def task(kind, n_samples=60):
    """Return a named hierarchy, X and a closed Y.

    "many": any sets of labels of a DAG. "paths": one path per row in a tree, some of
    them ending above a leaf.
    """
    hierarchy = {"many": DAG, "paths": TREE}[kind]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 5))
    scores = X @ rng.normal(size=(5, hierarchy.n_labels))
    if kind == "paths":  # one label per row, each about as often
        scores = (scores - scores.mean(axis=0)) / scores.std(axis=0)
    last = scores.argmax(axis=1)[:, None] == np.arange(hierarchy.n_labels)
    ends = last if kind == "paths" else last | (scores > 1.0)
    Y = close_upward(ends.astype(int), hierarchy)
    _check_both_halves(Y)
    return hierarchy, *_frozen(X, Y)


# -- comparing -------------------------------------------------------------------------


class Answers:
    """What a fitted estimator says, asked once for each X.

    Scorers ask every label's classifier, which would predict all labels each time.
    """

    def __init__(self, source):
        self.source = source
        self.known = {}

    def ask(self, method, X):
        key = method, id(X)
        if key not in self.known:
            answer = dense(getattr(self.source, method)(X))
            self.known[key] = X, answer  # with X, whose id is then nobody else's
        return self.known[key][1]


class Replay(ClassifierMixin, BaseEstimator):
    """A binary classifier that says what a fitted estimator says of one label."""

    def __init__(self, source=None, column=0):
        self.source = source
        self.column = column
        self.classes_ = np.array([0, 1])

    def predict(self, X):
        return self.source.ask("predict", X)[:, self.column]

    def predict_proba(self, X):
        p = self.source.ask("predict_proba", X)[:, self.column]
        return np.column_stack([1 - p, p])


def replayed(clf):
    """Return a fitted MultiOutputClassifier with the predictions of an estimator."""
    moc = MultiOutputClassifier(Replay())
    answers = Answers(clf)
    moc.estimators_ = [Replay(answers, k) for k in range(len(clf.label_names_))]
    moc.classes_ = [estimator.classes_ for estimator in moc.estimators_]
    return moc


def dense(proba):
    """Return the probabilities of either ``proba_format`` as (n_samples, n_labels)."""
    if isinstance(proba, list):
        return np.column_stack([pair[:, 1] for pair in proba])
    return proba


def looks(output):
    """Return type, shape and kind of number of an output or a list of outputs."""
    if isinstance(output, list):
        return [looks(part) for part in output]
    return type(output), output.shape, output.dtype.kind


def assert_same(one, other):
    """Two outputs are equal bit for bit, and of the same types and shapes."""
    assert looks(one) == looks(other)
    np.testing.assert_array_equal(one, other)


def assert_same_fit(one, other, X):
    """Two fitted estimators say the same of all labels, bit for bit."""
    assert list(one.label_names_) == list(other.label_names_)
    for method in ("predict", "predict_proba", "decision_function"):
        assert_same(getattr(one, method)(X), getattr(other, method)(X))


def every_score(estimator, X, Y):
    """Return the scores of all scorers of scikit-learn that take such an estimator."""
    scores = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in get_scorer_names():
            try:
                scores[name] = get_scorer(name)(estimator, X, Y)
            except Exception:  # the scorer is not for many labels
                continue
    return scores
