"""Every form of Y gives the fit of a plain array."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression

from skhmc.coherence import close_upward
from tests.contract import (
    DAG,
    KINDS,
    TREE,
    assert_same,
    assert_same_fit,
    baseline,
    build,
    every_estimator,
    looks,
    task,
)

every_kind = pytest.mark.parametrize("kind", KINDS)


def names_of(frame, close=True):
    """Return the lists of label names of every row, or only the most specific ones."""
    found = []
    for row in frame.to_numpy():
        names = {name for name, on in zip(frame, row, strict=True) if on == 1}
        if not close:
            hierarchy = DAG if set(frame) == set(DAG.labels) else TREE
            names -= {p for name in names for p in hierarchy.parents_of(name)}
        found.append(sorted(names))
    return found


def strided(frame):
    """Return a view into a larger array, neither C- nor F-ordered."""
    large = np.zeros((2 * len(frame), 2 * frame.shape[1]), int)
    large[::2, ::2] = frame
    return large[::2, ::2]


def fits(estimator, kind, *forms, unknown=False):
    """Fit to the plain array and to other forms; return the estimators and X."""
    hierarchy, X, Y = task(kind)
    if unknown:
        Y = np.where(np.random.default_rng(0).random(Y.shape) < 0.2, np.nan, Y)
        Y = close_upward(Y, hierarchy)
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    ys = [Y, *(form(frame) for form in forms)]
    return [build(estimator, hierarchy).fit(X, y) for y in ys], X


# -- indicators ------------------------------------------------------------------------

INTEGERS = [f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)]
SPARSE = ("csr", "csc", "coo", "lil", "dok")


@every_estimator
@every_kind
@pytest.mark.parametrize("dtype", [*INTEGERS, "bool", "float32", "float64", "object"])
def test_any_dtype_gives_the_same_fit(estimator, kind, dtype):
    clfs, X = fits(estimator, kind, lambda frame: frame.to_numpy().astype(dtype))
    assert_same_fit(*clfs, X)


@every_estimator
@every_kind
@pytest.mark.parametrize("format", SPARSE)
@pytest.mark.parametrize("container", ["matrix", "array"])
def test_any_sparse_matrix_gives_the_same_fit(estimator, kind, format, container):
    make = getattr(sp, f"{format}_{container}")
    clfs, X = fits(
        estimator,
        kind,
        lambda frame: make(frame.to_numpy()),
        lambda frame: make(frame.to_numpy().astype(bool)),
        lambda frame: make(frame.to_numpy().astype("float32")),
    )
    for clf in clfs[1:]:
        assert_same_fit(clf, clfs[0], X)


@every_estimator
@every_kind
@pytest.mark.parametrize(
    "form",
    [
        np.asfortranarray,
        strided,
        lambda frame: frame.to_numpy().tolist(),
        lambda frame: [tuple(row) for row in frame.to_numpy()],
        lambda frame: list(frame.to_numpy()),
        lambda frame: frame.astype(bool),
        lambda frame: frame.astype("float32"),
        lambda frame: frame.astype("Int64"),
        lambda frame: frame.astype("boolean"),
        lambda frame: frame.astype("Float32"),
        lambda frame: frame.astype(object),
        lambda frame: frame.astype(pd.SparseDtype("int64", 0)),
        lambda frame: frame.astype({frame.columns[0]: bool, frame.columns[1]: "Int8"}),
        lambda frame: frame.set_index(np.arange(len(frame))[::-1] * 7),
    ],
    ids=[
        *("fortran", "strided", "lists", "tuples", "rows", "bool", "float", "Int64"),
        *("boolean", "Float32", "object", "sparse", "mixed", "index"),
    ],
)
def test_any_container_gives_the_same_fit(estimator, kind, form):
    clfs, X = fits(estimator, kind, form)
    assert_same_fit(*clfs, X)


@every_estimator
@every_kind
@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("row", [list, tuple, set, frozenset])
def test_names_of_labels_give_the_same_fit(estimator, kind, close, row):
    clfs, X = fits(estimator, kind, lambda f: [row(x) for x in names_of(f, close)])
    assert_same_fit(*clfs, X)


# -- unclosed, unknown and empty -------------------------------------------------------

SPECIFIC = [
    lambda frame: frame.to_numpy(),
    lambda frame: frame,
    lambda frame: frame.astype("boolean"),
    lambda frame: sp.csr_matrix(frame.to_numpy()),
    lambda frame: frame.to_numpy().tolist(),
]


@every_estimator
@every_kind
@pytest.mark.parametrize(
    "form", SPECIFIC, ids=["array", "frame", "boolean", "csr", "lists"]
)
def test_y_that_is_not_closed_gives_the_same_fit_with_one_warning(
    estimator, kind, form
):
    hierarchy, X, Y = task(kind)
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    n_removed = 0
    for child in hierarchy.labels:  # children come after parents
        for parent in hierarchy.parents_of(child):
            rows = (frame[child] == 1) & (frame[parent] == 1)
            frame.loc[rows, parent] = 0
            n_removed += rows.sum()
    assert n_removed > 10
    plain, other = (build(estimator, hierarchy) for _ in range(2))
    message = f"Y is not closed upward: added {n_removed} missing ancestor labels"
    with pytest.warns(UserWarning, match=message) as caught:
        other.fit(X, form(frame))
    assert len(caught) == 1
    assert_same_fit(other, plain.fit(X, Y), X)


def with_none(frame):
    return frame.astype(object).where(frame.notna(), None)


@every_estimator
@pytest.mark.parametrize(
    "form",
    [
        lambda frame: frame.to_numpy().astype("float32"),
        lambda frame: frame.to_numpy().tolist(),
        lambda frame: frame,
        lambda frame: frame.astype("Int64"),
        lambda frame: frame.astype("boolean"),
        with_none,
        lambda frame: with_none(frame).to_numpy(),
        lambda frame: frame.astype("Int64").astype(object),
        lambda frame: sp.csr_matrix(frame.to_numpy()),
        lambda frame: sp.coo_array(frame.to_numpy()),
    ],
    ids=[
        *("float32", "lists", "frame", "Int64", "boolean", "None", "None-array"),
        *("object", "csr", "coo"),
    ],
)
def test_unknown_labels_in_any_form_give_the_same_fit(estimator, form):
    clfs, X = fits(estimator, "many", form, unknown=True)
    assert_same_fit(*clfs, X)


@every_estimator
def test_labels_that_follow_from_others_need_not_be_known(estimator):
    hierarchy, X, Y = task("many")
    partly = Y.astype(float)
    for child in hierarchy.labels:
        for parent in hierarchy.parents_of(child):
            p, c = hierarchy.position(parent), hierarchy.position(child)
            partly[(Y[:, c] == 1), p] = np.nan  # 1, since the child is
            partly[(Y[:, p] == 0), c] = np.nan  # 0, since the parent is
    assert np.isnan(partly).mean() > 0.3
    plain = build(estimator, hierarchy).fit(X, Y)
    with pytest.warns(UserWarning, match="not closed upward"):
        other = build(estimator, hierarchy).fit(X, partly)
    assert_same_fit(other, plain, X)


@every_estimator
@every_kind
def test_rows_without_labels_or_known_labels_are_taken(estimator, kind):
    hierarchy, X, Y = task(kind)
    Y = Y.astype(float)
    Y[::5] = 0
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    clfs = [
        build(estimator, hierarchy).fit(X, y)
        for y in (Y, frame, sp.csr_matrix(Y), names_of(frame))
    ]
    for clf in clfs[1:]:
        assert_same_fit(clf, clfs[0], X)
    Y[1::5] = np.nan
    clf = build(estimator, hierarchy).fit(X, Y)
    assert np.isfinite(clf.predict_proba(X)).all()
    with pytest.raises(ValueError, match="NaN"):
        baseline().fit(X, Y)


# -- one label per row -----------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "form",
    [
        list,
        tuple,
        lambda y: y.astype(object),
        pd.Series,
        lambda y: pd.Series(y, dtype="string"),
        lambda y: pd.Series(y, dtype="category", index=np.arange(len(y))[::-1]),
    ],
    ids=["list", "tuple", "object", "Series", "string", "category"],
)
def test_one_label_per_row_in_any_form_gives_the_same_fit(estimator, known, form):
    X = task("many")[1]
    y = np.array(["a/1", "a/2", "b/1", "b/2", "c"])[np.arange(len(X)) % 5]
    hierarchy = TREE if known else None
    plain, other = (build(estimator, hierarchy).fit(X, z) for z in (y, form(y)))
    proba, predicted = other.predict_proba(X), other.predict(X)
    assert_same(proba, plain.predict_proba(X))
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert other.classes_.tolist() == sorted(set(y))
    np.testing.assert_array_equal(other.classes_[proba.argmax(axis=1)], predicted)
    np.testing.assert_array_equal(predicted, plain.predict(X))
    assert looks(predicted) == looks(LogisticRegression().fit(X, form(y)).predict(X))
    assert other.score(X, form(y)) == plain.score(X, y)


@every_estimator
def test_a_column_of_classes_is_one_label_per_row(estimator):
    X = task("many")[1]
    y = np.array(TREE.labels)[np.arange(len(X)) % 7]
    plain, other = (build(estimator, TREE) for _ in range(2))
    with pytest.warns(DataConversionWarning, match="column-vector"):
        other.fit(X, y[:, None])
    assert_same_fit(other, plain.fit(X, y), X)


@every_estimator
@pytest.mark.parametrize("hierarchy", [None, {1: 7, 2: 8}], ids=["none", "tree"])
def test_classes_keep_their_type(estimator, hierarchy):
    X = task("many")[1]
    y = np.array([1, 2])[np.arange(len(X)) % 2]
    for given_y in (y, y.astype("int8"), y.tolist(), pd.Series(y)):
        clf = build(estimator, hierarchy).fit(X, given_y)
        assert clf.classes_.dtype.kind == "i" and clf.classes_.tolist() == [1, 2]
        assert clf.predict(X).shape == (len(X),)
        assert set(clf.predict(X).tolist()) <= {1, 2}
        assert clf.decision_function(X).shape == (len(X),)
