"""model_card: what it says is true, and its scores are those of a naive count."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from skhmc import CoherentClassifier, Hierarchy, model_card

TREE = Hierarchy.from_edges([("a|b", "c"), ("a|b", "d")])


def fitted():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    Y = (X + rng.normal(size=X.shape) > 0).astype(int)
    Y[:, 0] = Y[:, 1] | Y[:, 2]
    Y = pd.DataFrame(Y, columns=["a|b", "c", "d"])
    return CoherentClassifier(LogisticRegression(), TREE, threshold=0.4).fit(X, Y), X, Y


def test_it_tells_shape_hierarchy_parameters_and_scores():
    clf, X, Y = fitted()
    card = model_card(clf, X, Y[["d", "a|b", "c"]])  # matched by name
    assert "Predicts 3 labels of samples with 3 features." in card
    assert "3 labels, 2 edges, tree." in card
    assert "a\\|b" in card  # ends no cell
    assert "| `threshold` | 0.4 |" in card and "min_positives" not in card
    proba, found = clf.predict_proba(X)[:, 1:], clf.predict(X)[:, 1:]
    true = Y.to_numpy()[:, 1:]
    area = average_precision_score(true.ravel(), proba.ravel())
    f1 = f1_score(true.ravel(), found.ravel())
    assert f"| 1 | 2 | {area:.3f} | {f1:.3f} |" in card


def test_unknown_labels_do_not_count():
    clf, X, Y = fitted()
    some = Y.astype(float)
    some.iloc[40:] = np.nan
    of_half = model_card(clf, X[:40], Y[:40]).splitlines()
    scores = [line for line in of_half if line.startswith("| 1 | 2 |")]
    assert scores[-1] in model_card(clf, X, some)


def test_after_classes_there_are_levels_too():
    X = np.repeat(np.eye(3), 20, axis=0)
    y = np.repeat(["c", "d", "e"], 20)
    tree = Hierarchy.from_edges([("a", "c"), ("a", "d"), ("b", "e")])
    clf = CoherentClassifier(DecisionTreeClassifier(random_state=0), tree).fit(X, y)
    card = model_card(clf, X, y)
    assert "one of 3 classes, and 5 labels" in card
    assert "| 0 | 2 | 1.000 | 1.000 |" in card


def test_what_is_refused():
    clf, X, Y = fitted()
    with pytest.raises(TypeError, match="estimator of skhmc, got GaussianNB"):
        model_card(GaussianNB().fit(X, Y["c"]))
    with pytest.raises(ValueError, match="only one of X and y"):
        model_card(clf, X)
    with pytest.raises(ValueError, match="X has 80 samples, y has 79"):
        model_card(clf, X, Y[1:])
