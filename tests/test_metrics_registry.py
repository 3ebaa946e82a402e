"""One entry in the table makes a metric whatever it can serve as."""

import numpy as np
import pytest

from skhmc import Hierarchy, MaxConstraintClassifier
from skhmc.metrics import (
    METRICS,
    HierarchicalScorer,
    au_prc_score,
    find_metric,
    get_scorer,
    get_scorer_names,
    hierarchical_f1_score,
    metric_names,
)
from skhmc.metrics._registry import USES, Metric
from tests.contract import task
from tests.fake_estimators import FakeHMC

H = Hierarchy(["a", "b", "c"], [("a", "b")])
Y = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 1], [1, 1, 1]])
SCORES = np.array([[0.9, 0.8, 0.1], [0.7, 0.2, 0.6], [0.4, 0.3, 0.2], [0.6, 0.5, 0.4]])


def leaf_hits(y_true, y_pred, *, hierarchy, sample_weight=None, power=1):
    """Share of true leaves that are predicted; a metric that somebody adds."""
    leaves = Hierarchy.build(hierarchy).leaves
    hits = (y_true * y_pred)[:, leaves].sum() / y_true[:, leaves].sum()
    return float(hits**power)


def test_an_entry_makes_a_scorer_and_a_goal(monkeypatch):
    entry = Metric(leaf_hits, "predict", ("scorer", "tuning"), options={"power": 2})
    monkeypatch.setitem(METRICS, "leaf_hits", entry)
    assert "leaf_hits" in get_scorer_names()
    X = np.eye(4)
    model = FakeHMC(H).fit(X, Y)
    expected = leaf_hits(Y, model.predict(X), hierarchy=H, power=2)
    assert get_scorer("leaf_hits")(model, X, Y) == expected
    assert find_metric("leaf_hits", "tuning").measure(Y, Y, H) == 1
    with pytest.raises(ValueError, match=r"'leaf_hits' is not a score for early stopp"):
        find_metric("leaf_hits", "stopping")


def test_an_entry_of_scores_can_stop_training(monkeypatch):
    entry = Metric(au_prc_score, "predict_proba", ("stopping",), {"average": "macro"})
    monkeypatch.setitem(METRICS, "au_prc_macro", entry)
    assert {"au_prc", "au_prc_macro"} <= set(metric_names("stopping"))
    assert "au_prc_macro" not in get_scorer_names()
    found = find_metric("au_prc_macro", "stopping").measure(Y, SCORES, H, [1, 2, 1, 1])
    options = {"average": "macro", "sample_weight": [1, 2, 1, 1]}
    assert found == au_prc_score(Y, SCORES, hierarchy=H, **options)


def test_a_metric_that_judges_what_its_arguments_do_not_tell():
    """A scorer goes by the names of arguments, the entry by what it says."""
    entry = Metric(leaf_hits, "predict_proba", ("scorer",))
    assert entry.make_scorer().judged_response() == "predict_proba"
    negated = Metric(leaf_hits, "predict", ("scorer",), greater_is_better=False)
    X = np.eye(4)
    model = FakeHMC(H).fit(X, Y)
    assert negated.make_scorer()(model, X, Y) <= 0


def test_goals_of_tuned_thresholds():
    averages = {name: METRICS[name].f1_average for name in metric_names("tuning")}
    assert averages.pop("exact_match") is None
    assert averages == {
        "f1_macro": "macro",
        "f1_micro": "micro",
        "hierarchical_f1": "micro",
    }
    for name, average in averages.items():
        expected = hierarchical_f1_score(Y, Y[::-1], H, average=average)
        assert METRICS[name].measure(Y, Y[::-1], H) == expected


def test_what_entries_say_holds():
    for name, metric in METRICS.items():
        assert metric.uses and set(metric.uses) <= set(USES)
        scorer = metric.make_scorer()
        assert isinstance(scorer, HierarchicalScorer)
        assert scorer.judged_response() == metric.response
        assert scorer.greater_is_better == metric.greater_is_better
        goals = set(metric.uses) - {"scorer"}
        assert "tuning" not in goals or metric.response == "predict", name
        assert metric.greater_is_better or not goals


@pytest.mark.parametrize("response", ["predict", "predict_proba"])
def test_a_fit_is_stopped_by_any_metric_that_is_one_entry(monkeypatch, response):
    seen = []

    def falls(y_true, response, hierarchy, sample_weight=None):
        seen.append(response)
        return -float(len(seen))

    entry = Metric(falls, response, ("stopping",))
    monkeypatch.setitem(METRICS, "falls", entry)
    hierarchy, X, Y_task = task("many")
    clf = MaxConstraintClassifier(
        hierarchy,
        hidden_layer_sizes=(4,),
        schedule="constant",
        early_stopping="falls",
        n_iter_no_change=2,
        max_iter=20,
        random_state=0,
    ).fit(X, Y_task)
    assert clf.n_iter_ == len(seen) == 3  # the first is the best
    assert [epoch["valid_score"] for epoch in clf.history_] == [-1, -2, -3]
    indicators = {bool(np.isin(part, (0, 1)).all()) for part in seen}
    assert indicators == {response == "predict"}


def test_a_metric_that_cannot_stop_a_fit_is_an_error_that_lists_those_that_can():
    hierarchy, X, Y_task = task("many")
    clf = MaxConstraintClassifier(hierarchy, early_stopping="hvr", max_iter=1)
    with pytest.raises(ValueError, match="'hvr' is not a score for early.*'au_prc'"):
        clf.fit(X, Y_task)
