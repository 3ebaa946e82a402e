"""The table of coherence rules: rows are true, and every estimator reads them."""

import re
import runpy
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from numpydoc.docscrape import ClassDoc
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    Hierarchy,
    HyperbolicHMC,
    MaxConstraintClassifier,
)
from skhmc._scoring.label_form import ManyPaths, SinglePath
from skhmc._utils.top_k import top_k
from skhmc.coherence import RULES, RuleNames, close_upward, score_violations, violations
from skhmc.coherence._rules import Rule
from skhmc.nn.coherence import MaxConstraint
from tests.contract import task
from tests.hierarchies import random_hierarchy
from tests.instances import FAST

TREE = random_hierarchy(14, seed=3)
DAG = random_hierarchy(14, seed=3, max_parents=3)
FORMS = {
    "many, tree": ManyPaths(TREE),
    "many, DAG": ManyPaths(DAG),
    "single": SinglePath(TREE, stops=np.setdiff1d(range(14), TREE.leaves), empty=True),
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
NETWORKS = [type(estimator) for _, estimator in FAST]
MODULES = {"max": MaxConstraint}  # of torch, which do the same to a batch
DOCS = Path(__file__).parents[1] / "docs"


def rules_of(form):
    """Return the rules that a form, with its hierarchy, can follow, by name."""
    names = RuleNames(paths=form.has_paths)
    if not form.hierarchy_of_Y.is_tree:
        names = [name for name in names if not RULES[name].needs_tree]
    return {name: form.rule(name) for name in names}


def some_logits(form, dtype=np.float32, n_samples=200):
    rng = np.random.default_rng(0)
    return (3 * rng.normal(size=(n_samples, len(form.order)))).astype(dtype)


def least_of_all(values, hierarchy):
    """A rule of no use, which is easily recognised: the least score for every label."""
    return np.broadcast_to(values.min(axis=0), values.shape).copy()


LEAST = Rule("All scores become the least one.", least_of_all)


# -- what rows say ---------------------------------------------------------------------


@every_form
def test_every_rule_differs_from_none_and_from_every_other(form):
    logits = some_logits(form)
    rules = rules_of(form) | {None: None}
    assert len(rules) > 4
    for one, other in combinations(rules, 2):
        for scores in (form.proba, form.logits):
            apart = scores(logits, rules[one]) - scores(logits, rules[other])
            assert np.abs(apart).max() > 0.01, (one, other)


@every_form
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_outputs_are_coherent_by_every_rule(form, dtype):
    hierarchy = form.hierarchy_of_Y
    logits = some_logits(form, dtype)
    for name, rule in rules_of(form).items():
        proba = form.proba(logits, rule)
        log_odds = form.logits(logits, rule)
        assert proba.dtype == log_odds.dtype == dtype and np.isfinite(log_odds).all()
        assert not score_violations(proba, hierarchy).nnz, name
        assert not score_violations(log_odds, hierarchy).nnz, name
        np.testing.assert_allclose(expit(log_odds), proba, atol=1e-6)
        for threshold in (None, 0.0, 0.05, 0.5, 0.9):
            chosen = form.predict(logits, rule, threshold)
            assert not violations(chosen, hierarchy).nnz, (name, threshold)
            listed = form.predict(logits, rule, threshold, sparse=True)
            np.testing.assert_array_equal(listed.toarray(), chosen)
            if threshold is not None:
                np.testing.assert_array_equal(chosen, proba > threshold)
        for k in (1, 3, 7):
            columns, _ = top_k(proba, k, hierarchy.depth)
            sets = np.zeros(proba.shape, int)
            np.put_along_axis(sets, columns, 1, axis=1)
            assert not violations(sets, hierarchy).nnz, (name, k)


@every_form
def test_forms_apply_the_rule_to_the_scores_before_it(form):
    logits = some_logits(form, np.float64)
    raw = form.proba(logits, None)
    for rule in rules_of(form).values():
        if not rule.needs_paths:
            expected = rule.apply(raw, form.hierarchy_of_Y)
            np.testing.assert_allclose(form.proba(logits, rule), expected, atol=1e-12)


@pytest.mark.parametrize("name", RULES)
def test_flags_are_true(name):
    rule = RULES[name]
    rng = np.random.default_rng(0)
    for hierarchy in (TREE, DAG):
        if rule.needs_tree and not hierarchy.is_tree:
            with pytest.raises(ValueError, match="needs a tree"):
                rule.check(hierarchy)
            continue
        rule.check(hierarchy)
        scores = rng.random((50, hierarchy.n_labels))
        coherent = rule.apply(scores, hierarchy)
        if rule.takes_logits:
            cubes = rule.apply(scores**3 - 1, hierarchy)
            np.testing.assert_array_equal(cubes, coherent**3 - 1)
        if rule.closes_predictions:
            for threshold in (0.2, 0.5, 0.8):
                closed = close_upward(scores > threshold, hierarchy)
                np.testing.assert_array_equal(coherent > threshold, closed)
        if name in MODULES:
            found = MODULES[name](hierarchy)(torch.from_numpy(scores)).numpy()
            np.testing.assert_array_equal(found, coherent)


def test_at_least_one_rule_needs_each_thing():
    for flag in ("needs_tree", "needs_paths", "takes_logits", "closes_predictions"):
        assert 0 < sum(getattr(rule, flag) for rule in RULES.values()) < len(RULES)


# -- a new row -------------------------------------------------------------------------


@every_form
def test_networks_follow_a_new_rule(form, monkeypatch):
    with pytest.raises(ValueError, match="Got coherence='least', expected 'auto', 'av"):
        form.rule("least")
    monkeypatch.setitem(RULES, "least", LEAST)
    rule = form.rule("least")
    logits = some_logits(form)
    raw = form.proba(logits, None)
    least = np.broadcast_to(raw.min(axis=1, keepdims=True), raw.shape)
    np.testing.assert_array_equal(form.proba(logits, rule), least)
    np.testing.assert_allclose(expit(form.logits(logits, rule)), least, rtol=1e-5)
    for sparse in (False, True):
        chosen = form.predict(logits, rule, 0.01, sparse=sparse)
        chosen = chosen.toarray() if sparse else chosen
        np.testing.assert_array_equal(chosen, least > 0.01)
    for network in NETWORKS:
        network(coherence="least")._validate_params()
    monkeypatch.delitem(RULES, "least")
    for network in NETWORKS:
        with pytest.raises(InvalidParameterError, match="'coherence' parameter"):
            network(coherence="least")._validate_params()


def test_coherent_classifier_follows_a_new_rule(monkeypatch):
    hierarchy, X, Y = task("many")
    clf = CoherentClassifier(LogisticRegression(), hierarchy, coherence="least")
    with pytest.raises(InvalidParameterError, match="'coherence' parameter"):
        clf.fit(X, Y)
    monkeypatch.setitem(RULES, "least", LEAST)
    proba = clf.fit(X, Y).predict_proba(X)
    raw = clf.raw_predict_proba(X)
    np.testing.assert_array_equal(proba, np.tile(raw.min(axis=1)[:, None], 6))


def test_a_new_rule_of_paths_is_one_of_single_paths_alone(monkeypatch):
    rule = Rule("The least, of paths.", least_of_all, needs_paths=True)
    monkeypatch.setitem(RULES, "least path", rule)
    single = FORMS["single"]
    logits = some_logits(single)
    paths = single.proba(logits, single.rule("path"))
    least = np.broadcast_to(paths.min(axis=1, keepdims=True), paths.shape)
    found = single.proba(logits, single.rule("least path"))
    np.testing.assert_allclose(found, least, atol=1e-6)
    with pytest.raises(ValueError, match="'least path' needs single paths and a softm"):
        FORMS["many, tree"].rule("least path")
    HCALClassifier(coherence="least path")._validate_params()
    for estimator in (
        MaxConstraintClassifier(coherence="least path"),
        CoherentClassifier(LogisticRegression(), coherence="least path"),
    ):
        with pytest.raises(InvalidParameterError, match="'coherence' parameter"):
            estimator._validate_params()


@every_form
def test_a_rule_that_the_table_has_no_more_is_refused(form, monkeypatch):
    assert form.rule("min") is RULES["min"]
    monkeypatch.delitem(RULES, "min")
    with pytest.raises(ValueError, match="Got coherence='min', expected 'auto'"):
        form.rule("min")


def test_auto_and_none():
    assert FORMS["many, tree"].rule("auto") is RULES["max"]
    assert FORMS["single"].rule("auto") is RULES["path"]
    for form in FORMS.values():
        assert form.rule(None) is None
    with pytest.raises(ValueError, match="'path' needs single paths and a softmax"):
        FORMS["many, tree"].rule("path")
    with pytest.raises(ValueError, match="Isotonic coherence needs a tree"):
        FORMS["many, DAG"].rule("isotonic")


def test_another_hierarchy_for_the_same_labels():
    form = ManyPaths(DAG)
    other = form.with_hierarchy(TREE)
    logits = some_logits(form)
    raw = form.proba(logits, None)
    np.testing.assert_array_equal(other.proba(logits, None), raw)
    for name in ("max", "min", "isotonic"):
        expected = RULES[name].apply(raw, TREE)
        np.testing.assert_array_equal(other.proba(logits, other.rule(name)), expected)
    assert form.hierarchy_of_Y is DAG


def test_names_are_a_set():
    assert RuleNames() == set(RULES) - {"path"}
    assert RuleNames("auto", paths=True) == {"auto", *RULES}
    assert RuleNames() | {"auto"} == RuleNames("auto")
    assert len(RuleNames()) == len(RULES) - 1 and "path" not in RuleNames()


# -- what is written about them --------------------------------------------------------


def test_the_page_has_a_table_that_is_made_of_the_rules(monkeypatch):
    make_table = runpy.run_path(str(DOCS / "list_rules.py"))["table"]
    assert ".. include:: coherence_rules.inc\n" in (DOCS / "coherence.rst").read_text()
    monkeypatch.setitem(RULES, "least", LEAST)
    lines = make_table().splitlines()
    for name, rule in RULES.items():
        row = lines.index(f'   * - ``"{name}"``')
        assert lines[row + 1] == f"     - {rule.description}"
    assert sum(line.startswith("   * -") for line in lines) == len(RULES) + 1


@pytest.mark.parametrize(
    "kind, others, paths",
    [
        (HCALClassifier, ["auto"], True),
        (MaxConstraintClassifier, ["auto"], False),
        (HyperbolicHMC, ["auto", "learned"], False),
        (CoherentClassifier, [], False),
    ],
)
def test_docstrings_name_rules_that_there_are(kind, others, paths):
    """As examples: they point to the table, so that a new rule changes none."""
    (row,) = (row for row in ClassDoc(kind)["Parameters"] if row.name == "coherence")
    text = " ".join(row.desc)
    assert row.type.startswith("str or None, default=")
    assert "one in the table of :ref:`rules <coherence-rules>`, such as" in text
    names = set(re.findall(r'"(\w+)"', text))
    assert {"max", "min"} < names <= set(RuleNames(*others, paths=paths))
    assert {*others} <= names
    assert ".. _coherence-rules:\n" in (DOCS / "coherence.rst").read_text()


def test_an_isotonic_rule_on_a_hierarchy_by_name():
    several = Hierarchy.from_edges([("a", "c"), ("b", "c")])
    with pytest.raises(ValueError, match="label 'c' has the parents"):
        ManyPaths(several).rule("isotonic")
