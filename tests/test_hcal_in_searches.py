"""HCALClassifier with our scorers in cross-validation, searches and Pipelines."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import HCALClassifier, Hierarchy
from skhmc.datasets import load_digit_properties
from skhmc.metrics import (
    HierarchicalViolationRate,
    au_prc_scorer,
    hierarchical_f1_scorer,
    hierarchical_violation_rate,
    hvr_scorer,
)

DIGITS = load_digit_properties()
ROWS = DIGITS.train[::3]
X, Y = DIGITS.data[ROWS], DIGITS.target[ROWS]
SCORING = {
    "hvr": hvr_scorer,
    "hvr_raw": HierarchicalViolationRate(raw=True),
    "auprc": au_prc_scorer,
    "f1": hierarchical_f1_scorer,
}


@pytest.fixture
def pipeline():
    clf = HCALClassifier(
        DIGITS.hierarchy,
        hidden_layer_sizes=(32,),
        embedding_dim=16,
        dropout=(0.0, 0.0, "auto"),
        learning_rate_init=0.01,
        max_iter=5,
        random_state=0,
    )
    return make_pipeline(StandardScaler(), clf)


def test_cross_val_score(pipeline):
    scores = cross_val_score(pipeline, X, Y, scoring=hvr_scorer, cv=2)
    assert scores.tolist() == [0, 0]


@pytest.mark.parametrize("n_jobs", [None, pytest.param(2, marks=pytest.mark.slow)])
def test_cross_validate_with_every_scorer(pipeline, n_jobs):
    found = cross_validate(pipeline, X, Y, scoring=SCORING, cv=2, n_jobs=n_jobs)
    assert found["test_hvr"].tolist() == [0, 0]
    assert (found["test_hvr_raw"] < 0).all()  # the network alone breaks the hierarchy
    assert (found["test_auprc"] > 0.8).all() and (found["test_f1"] > 0.6).all()


def test_grid_search_single_dict_and_nested(pipeline):
    grid = {"hcalclassifier__temperature": [0.1, 100.0]}
    search = GridSearchCV(pipeline, grid, scoring=au_prc_scorer, cv=2).fit(X, Y)
    assert search.best_params_ == {"hcalclassifier__temperature": 0.1}
    assert hvr_scorer(search, X, Y) == 0
    several = GridSearchCV(pipeline, grid, scoring=SCORING, refit="auprc", cv=2)
    several.fit(X, Y)
    assert several.best_params_ == search.best_params_
    assert (several.cv_results_["mean_test_hvr"] == 0).all()
    nested = cross_val_score(several, X, Y, scoring=hierarchical_f1_scorer, cv=2)
    assert nested.shape == (2,) and (nested > 0.6).all()


def test_unknown_labels_with_an_explicit_splitter(pipeline):
    partly = Y.astype(float)
    digits = np.flatnonzero([name.startswith("digit") for name in DIGITS.label_names])
    partly[::4, digits] = np.nan
    cv = KFold(2, shuffle=True, random_state=0)
    scores = [au_prc_scorer, hvr_scorer]
    for scorer in scores:
        assert np.isfinite(
            cross_val_score(pipeline, X, partly, scoring=scorer, cv=cv)
        ).all()


def test_scorers_follow_the_columns_of_y_also_when_they_are_numbered():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    Y = (X[:, :3] @ rng.normal(size=(3, 3)) > 0).astype(int)
    Y[:, 0] |= Y[:, 1]
    frame = pd.DataFrame(Y)
    clf = HCALClassifier([(0, 1)], hidden_layer_sizes=(16,), max_iter=5, random_state=0)
    for order in ([0, 1, 2], [2, 0, 1], [1, 0, 2]):
        clf.fit(X, frame[order])
        assert hvr_scorer(clf, X, frame) == 0
        assert hierarchical_violation_rate(clf.predict(X), clf.hierarchy_) == 0
        for scorer in (au_prc_scorer, hierarchical_f1_scorer, hvr_scorer):
            expected = scorer(clf, X, frame[order])
            assert scorer(clf, X, frame[[2, 1, 0]]) == pytest.approx(expected)
            assert scorer(clf, X, Y[:, order]) == pytest.approx(expected)
        assert clf.score(X, frame) == clf.score(X, Y[:, order])


def test_the_raw_rate_of_single_labels_is_read_by_name():
    rng = np.random.default_rng(0)
    tree = Hierarchy.build({"b1": "a", "b2": "a", "d1": "c", "d2": "c"})
    X, y = rng.normal(size=(60, 5)), rng.choice(["b1", "b2", "d1", "d2"], 60)
    clf = HCALClassifier(tree, hidden_layer_sizes=(16,), max_iter=2, random_state=0)
    clf.fit(X, y)
    orders = [None, tree, tree.subset(tree.labels[::-1])]
    rates = {HierarchicalViolationRate(h, raw=True)(clf, X, y) for h in orders}
    assert len(rates) == 1 and rates.pop() < 0
