"""What users of scikit-learn expect of estimators, transformers and scorers."""

import re

import matplotlib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.datasets import make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import PrecisionRecallDisplay, RocCurveDisplay
from sklearn.model_selection import LearningCurveDisplay, ValidationCurveDisplay
from sklearn.naive_bayes import GaussianNB
from sklearn.utils.fixes import parse_version
from sklearn.utils.validation import check_is_fitted

from skhmc import CoherentClassifier, Hierarchy, KernelHMC
from skhmc.metrics import get_scorer, get_scorer_names
from skhmc.preprocessing import HierarchicalLabelBinarizer

matplotlib.use("Agg")
H = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal", "bird": None})


@pytest.fixture(scope="module")
def animals():
    """Return samples of cats, dogs and birds, and their closed labels."""
    X, found = make_blobs(60, random_state=0)
    rows = {"cat": "mammal cat", "dog": "mammal dog", "bird": "bird"}
    sets = [list(rows.values())[k].split() for k in found]
    return X, HierarchicalLabelBinarizer(H).fit_transform(sets)


# -- scorers in displays ---------------------------------------------------------------


@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_in_displays_of_scikit_learn(animals, name):
    scorer = get_scorer(name)
    # one split of the samples: many fits would say no more
    options = {"scoring": scorer, "cv": [(np.arange(40), np.arange(40, 60))]}
    clf = CoherentClassifier(GaussianNB(), H)
    learning = LearningCurveDisplay.from_estimator(
        clf, *animals, train_sizes=[0.5, 1.0], **options
    )
    smoothing = {"param_name": "estimator__var_smoothing", "param_range": [1e-9, 1]}
    validation = ValidationCurveDisplay.from_estimator(
        clf, *animals, **smoothing, **options
    )
    assert np.isfinite(learning.test_scores).all()
    assert np.isfinite(validation.test_scores).all()
    words = set(learning.ax_.get_ylabel().lower().replace("-", " ").split())
    metric = scorer.__name__.removesuffix("_score").removesuffix("_rate")
    assert set(metric.lower().split("_")) - {"neg"} <= words
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("kind", [PrecisionRecallDisplay, RocCurveDisplay])
def test_displays_of_two_classes_take_one_label(animals, kind):
    X, Y = animals
    clf = CoherentClassifier(GaussianNB(), H).fit(X, Y)
    cat = list(clf.label_names_).index("cat")
    shown = kind.from_predictions(Y[:, cat], clf.predict_proba(X)[:, cat], name="cat")
    assert "cat" in shown.line_.get_label()
    with pytest.raises(ValueError, match="binary"):
        kind.from_estimator(clf, X, Y)
    matplotlib.pyplot.close("all")


# -- what is shown ---------------------------------------------------------------------


def text_of(html):
    """Return what is read in a page, with single spaces."""
    html = re.sub(r"(?s)<(style|script).*?</\1>", "", html)
    return re.sub(r"(\s|<[^>]*>)+", " ", html)


@pytest.mark.parametrize(
    ("hierarchy", "size"),
    [
        (H, "4 labels, tree, depth 1"),
        (Hierarchy.flat(["a"]), "1 label, flat"),
        (Hierarchy.from_edges([(0, 2), (1, 2), (0, 1)]), "3 labels, DAG, depth 2"),
        (Hierarchy.flat(123_456), "123456 labels, flat"),
    ],
)
def test_html_says_how_large_the_hierarchy_is(hierarchy, size):
    html = KernelHMC(hierarchy)._repr_html_()
    if parse_version(sklearn.__version__) < parse_version("1.7"):
        pytest.skip("this scikit-learn shows no table of parameters")
    assert f" {size} " in text_of(html)


def test_html_of_a_fitted_estimator_has_the_hierarchy_that_was_built(animals):
    edges = {"cat": "mammal", "dog": "mammal", "bird": None}
    clf = CoherentClassifier(GaussianNB(), edges)
    assert "labels, tree" not in text_of(clf._repr_html_())
    Y = pd.DataFrame(animals[1], columns=H.labels)
    html = clf.fit(animals[0], Y)._repr_html_()
    if parse_version(sklearn.__version__) < parse_version("1.7"):
        pytest.skip("this scikit-learn shows no table of parameters")
    assert "4 labels, tree, depth 1" in text_of(html)


# -- fitted or not ---------------------------------------------------------------------


def test_a_fit_that_fails_leaves_the_estimator_unfitted(animals):
    X, Y = animals
    clf = CoherentClassifier(GaussianNB(), H)
    with pytest.raises(NotFittedError):
        check_is_fitted(clf)
    check_is_fitted(clf.fit(X, Y))
    clf.set_params(estimator=LogisticRegression(C="much"))
    with pytest.raises(ValueError, match="'C' parameter"):
        clf.fit(X, Y)
    assert hasattr(clf, "hierarchy_")  # of the former fit
    with pytest.raises(NotFittedError):
        check_is_fitted(clf)


# -- the binarizer ---------------------------------------------------------------------


def test_binarizer_makes_data_frames():
    sets = pd.Series([["cat"], ["bird"]], index=["x", "y"])
    binarizer = HierarchicalLabelBinarizer(H).set_output(transform="pandas")
    for Y in (binarizer.fit_transform(sets), binarizer.transform(y=sets)):
        assert isinstance(Y, pd.DataFrame)
        assert Y.columns.tolist() == list(H.labels)
        np.testing.assert_array_equal(Y["mammal"], [1, 0])
    assert binarizer.inverse_transform(Y) == [("cat",), ("bird",)]
    plain = binarizer.set_output(transform="default").transform(sets)
    assert isinstance(plain, np.ndarray)
    binarizer.set_params(sparse_output=True).set_output(transform="pandas")
    with pytest.raises(ValueError, match="sparse matrix"):
        binarizer.transform(sets)


def test_binarizer_names_its_columns():
    binarizer = HierarchicalLabelBinarizer(sep="/")
    with pytest.raises(NotFittedError):
        binarizer.get_feature_names_out()
    binarizer.fit([["a/b"], ["c"]])
    assert binarizer.get_feature_names_out().tolist() == ["a", "a/b", "c"]
    numbers = HierarchicalLabelBinarizer([(0, 1)]).fit([])
    assert numbers.get_feature_names_out().tolist() == ["0", "1"]
