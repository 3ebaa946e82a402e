"""Every form of Y gives the fit of a plain array.

Every estimator is fitted to every container; one of them also to all that these may
hold, since all read Y by the same function (tests/test_target_forms.py).
"""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression

from skhmc.coherence import close_upward
from tests.contract import (
    KINDS,
    TREE,
    assert_same,
    assert_same_fit,
    baseline,
    build,
    every_classifier,
    every_estimator,
    looks,
    one_estimator,
    task,
)
from tests.test_target_forms import (
    CLASS_FORMS,
    DENSE_FORMS,
    DTYPES,
    ROWS_OF_NAMES,
    SPARSE_FORMS,
    UNKNOWN_FORMS,
    names_of,
)

every_kind = pytest.mark.parametrize("kind", KINDS)


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

CONTAINERS = {
    "array of bool": lambda frame: frame.to_numpy().astype(bool),
    "csr": lambda frame: sp.csr_matrix(frame.to_numpy()),
    "frame": lambda frame: frame,
    "lists": lambda frame: frame.to_numpy().tolist(),
    "names": names_of,
    "specific names": lambda frame: names_of(frame, close=False),
}


@every_classifier
@pytest.mark.parametrize(
    "kind", ["many", pytest.param("paths", marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("container", CONTAINERS)
def test_any_container_gives_the_same_fit(estimator, kind, container):
    clfs, X = fits(estimator, kind, CONTAINERS[container])
    assert_same_fit(*clfs, X)


@one_estimator
@pytest.mark.parametrize("dtype", DTYPES)
def test_any_dtype_gives_the_same_fit(estimator, dtype):
    clfs, X = fits(estimator, "many", lambda frame: frame.to_numpy().astype(dtype))
    assert_same_fit(*clfs, X)


@one_estimator
@pytest.mark.parametrize("form", SPARSE_FORMS)
def test_any_sparse_matrix_gives_the_same_fit(estimator, form):
    make = SPARSE_FORMS[form]
    clfs, X = fits(
        estimator,
        "many",
        lambda frame: make(frame.to_numpy()),
        lambda frame: make(frame.to_numpy().astype(bool)),
        lambda frame: make(frame.to_numpy().astype("float32")),
    )
    for clf in clfs[1:]:
        assert_same_fit(clf, clfs[0], X)


@one_estimator
@pytest.mark.parametrize("form", DENSE_FORMS)
def test_any_dense_form_gives_the_same_fit(estimator, form):
    clfs, X = fits(estimator, "many", DENSE_FORMS[form])
    assert_same_fit(*clfs, X)


@one_estimator
@pytest.mark.parametrize("close", [True, False])
@pytest.mark.parametrize("row", ROWS_OF_NAMES)
def test_names_of_labels_give_the_same_fit(estimator, close, row):
    clfs, X = fits(estimator, "many", lambda f: [row(x) for x in names_of(f, close)])
    assert_same_fit(*clfs, X)


# -- unclosed, unknown and empty -------------------------------------------------------

SPECIFIC = {
    "array": lambda frame: frame.to_numpy(),
    "frame": lambda frame: frame,
    "boolean": lambda frame: frame.astype("boolean"),
    "csr": lambda frame: sp.csr_matrix(frame.to_numpy()),
    "lists": lambda frame: frame.to_numpy().tolist(),
}


@one_estimator
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", SPECIFIC)
def test_y_that_is_not_closed_gives_the_same_fit_with_one_warning(
    estimator, kind, form
):
    hierarchy, X, Y = task(kind)
    frame = pd.DataFrame(Y.copy(), columns=hierarchy.labels)
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
        other.fit(X, SPECIFIC[form](frame))
    assert len(caught) == 1
    assert_same_fit(other, plain.fit(X, Y), X)


@one_estimator
@pytest.mark.parametrize("form", UNKNOWN_FORMS)
def test_unknown_labels_in_any_form_give_the_same_fit(estimator, form):
    clfs, X = fits(estimator, "many", UNKNOWN_FORMS[form], unknown=True)
    assert_same_fit(*clfs, X)


@every_classifier
@every_kind
@pytest.mark.parametrize("form", ["frame", "csr"])
def test_unknown_labels_give_the_same_fit(estimator, kind, form):
    clfs, X = fits(estimator, kind, UNKNOWN_FORMS[form], unknown=True)
    assert_same_fit(*clfs, X)


@every_classifier
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


@one_estimator
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("form", CLASS_FORMS)
def test_one_label_per_row_in_any_form_gives_the_same_fit(estimator, known, form):
    X = task("many")[1]
    y = np.array(["a/1", "a/2", "b/1", "b/2", "c"])[np.arange(len(X)) % 5]
    hierarchy = TREE if known else None
    given = CLASS_FORMS[form](y)
    plain, other = (build(estimator, hierarchy).fit(X, z) for z in (y, given))
    proba, predicted = other.predict_proba(X), other.predict(X)
    assert_same(proba, plain.predict_proba(X))
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    assert other.classes_.tolist() == sorted(set(y))
    np.testing.assert_array_equal(other.classes_[proba.argmax(axis=1)], predicted)
    np.testing.assert_array_equal(predicted, plain.predict(X))
    assert looks(predicted) == looks(LogisticRegression().fit(X, given).predict(X))
    assert other.score(X, given) == plain.score(X, y)


@every_classifier
def test_a_column_of_classes_is_one_label_per_row(estimator):
    X = task("many")[1]
    y = np.array(TREE.labels)[np.arange(len(X)) % 7]
    plain, other = (build(estimator, TREE) for _ in range(2))
    with pytest.warns(DataConversionWarning, match="column-vector"):
        other.fit(X, y[:, None])
    assert_same_fit(other, plain.fit(X, y), X)


@every_classifier
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
