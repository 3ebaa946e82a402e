"""Groups in ``fit``: what early stopping holds out, and the folds inside of others."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import CoherentClassifier, HierarchicalThresholdClassifier
from skhmc._networks import training
from skhmc.coherence import close_upward
from skhmc.model_selection import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedKFold,
)
from skhmc.preprocessing import HierarchicalPrototypeTransformer
from tests.contract import (
    KINDS,
    NETWORKS,
    assert_same_fit,
    build,
    every_estimator,
    one_estimator,
    task,
)
from tests.test_threshold import Says, said

GROUPS = np.repeat(np.arange(20), 3)  # of the 60 rows of a task
STOPS = {"early_stopping": True, "validation_fraction": 0.2, "max_iter": 2}


@pytest.fixture
def held_out(monkeypatch):
    """A list of the rows that fits hold out, and the groups that they got."""
    found = []
    split = training.Problem.split.func

    def spy(problem):
        rows, held_out = split(problem)
        groups = None if problem.groups is None else problem.groups.codes
        found.append((rows, held_out, groups))
        return rows, held_out

    monkeypatch.setattr(training.Problem.split, "func", spy)
    return found


def check_held_out(found, n_fits=1):
    """Every fit held out some groups, and trained on all others."""
    assert len(found) == n_fits
    for rows, held_out, codes in found:
        assert sorted([*rows, *held_out]) == list(range(len(codes)))
        assert len(rows) and len(held_out)
        assert not set(codes[rows]) & set(codes[held_out])


# -- networks --------------------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_holds_out_whole_groups(estimator, kind, held_out):
    hierarchy, X, Y = task(kind)
    names = [f"patient {g}" for g in GROUPS]
    clf = build(estimator, hierarchy, **STOPS).fit(X, Y, groups=names)
    check_held_out(held_out)
    assert len(held_out[0][1]) == 12  # a fifth of the rows
    series = pd.Series(names, index=np.arange(60) + 7)
    other = build(estimator, hierarchy, **STOPS).fit(sp.csr_matrix(X), Y, None, series)
    check_held_out(held_out, 2)
    np.testing.assert_array_equal(held_out[0][1], held_out[1][1])
    assert clf.history_[0].keys() == other.history_[0].keys()


@one_estimator
def test_without_early_stopping_groups_change_nothing(estimator):
    hierarchy, X, Y = task("many")
    one = build(estimator, hierarchy).fit(X, Y)
    assert_same_fit(one, build(estimator, hierarchy).fit(X, Y, groups=GROUPS), X)


@one_estimator
def test_held_out_groups_of_other_labels(estimator, held_out):
    hierarchy, X, Y = task("many")
    unknown = Y.astype(float)
    unknown[np.random.default_rng(0).random(Y.shape) < 0.1] = np.nan
    unknown = close_upward(unknown, hierarchy)
    leaves = np.array(hierarchy.labels)[hierarchy.leaves]
    y = leaves[np.random.default_rng(0).integers(0, len(leaves), 60)]
    for labels in (sp.csr_matrix(Y), unknown, pd.DataFrame(Y), y):
        named = hierarchy if labels is not y else None
        if isinstance(labels, pd.DataFrame):
            labels.columns = hierarchy.labels
        build(estimator, named, **STOPS).fit(X, labels, groups=GROUPS)
    check_held_out(held_out, 4)


@one_estimator
def test_one_label_and_labels_with_one_value(estimator, held_out):
    _, X, Y = task("many")
    build(estimator, **STOPS).fit(X, Y[:, :1], groups=GROUPS)
    constant = np.c_[Y[:, 0], np.ones(60, int), np.zeros(60, int)]
    with pytest.warns(UserWarning, match="1 with no positive row .* 1 with only"):
        build(estimator, **STOPS).fit(X, constant, groups=GROUPS)
    check_held_out(held_out, 2)


@one_estimator
@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (GROUPS[:-1], "groups to be one value per sample, 60, got 59"),
        (np.where(GROUPS == 2, np.nan, GROUPS), "3 of 60 samples have no .* rows 6, 7"),
        (np.zeros(60), r"early_stopping=True .* at least 2 groups.* in 1 \(0.0\).*Set"),
        ("patients", "one value per sample, as an array or a list, got 'patients'"),
    ],
)
def test_wrong_groups(estimator, groups, message):
    hierarchy, X, Y = task("many")
    with pytest.raises(ValueError, match=message):
        build(estimator, hierarchy, **STOPS).fit(X, Y, groups=groups)


# -- with metadata routing -------------------------------------------------------------


@one_estimator
def test_searches_hand_groups_to_networks(estimator, held_out):
    hierarchy, X, Y = task("many")
    clf = build(estimator, hierarchy, **STOPS)
    grid = {"standardscaler__with_std": [True]}
    with sklearn.config_context(enable_metadata_routing=True):
        pipe = make_pipeline(StandardScaler(), clf)
        search = GridSearchCV(pipe, grid, cv=GroupKFold(2), error_score="raise")
        search.fit(X, Y, groups=GROUPS)
        check_held_out(held_out, 3)
        refuses = clf.set_fit_request(groups=False)
        GridSearchCV(refuses, {}, cv=GroupKFold(2)).fit(X, Y, groups=GROUPS)
        assert [codes for _, _, codes in held_out[3:]] == [None] * 3


@pytest.mark.parametrize("routing", [False, True])
def test_thresholds_and_the_network_inside_get_groups(routing, held_out):
    hierarchy, X, Y = task("many")
    inner = build(NETWORKS[-1].values[0], hierarchy, **STOPS)
    with sklearn.config_context(enable_metadata_routing=routing):
        for estimator in (inner, CoherentClassifier(inner, hierarchy)):
            held_out.clear()
            clf = HierarchicalThresholdClassifier(estimator, cv=2)
            clf.fit(X, Y, groups=GROUPS)
            check_held_out(held_out, 3)


@pytest.mark.parametrize("routing", [False, True])
def test_coherent_classifiers_hand_groups_on(routing, held_out):
    hierarchy, X, Y = task("many")
    inner = build(NETWORKS[-1].values[0], None, **STOPS)
    with sklearn.config_context(enable_metadata_routing=routing):
        CoherentClassifier(inner, hierarchy).fit(X, Y, groups=GROUPS)
        check_held_out(held_out)
        plain = CoherentClassifier(LogisticRegression(), hierarchy)
        error = TypeError if routing else ValueError
        with pytest.raises(error, match="groups"):
            plain.fit(X, Y, groups=GROUPS)
    with pytest.raises(ValueError, match="groups were given, but Logistic.*takes none"):
        plain.fit(X, Y, groups=GROUPS)


# -- folds of others -------------------------------------------------------------------


class Splits(GroupKFold):
    """Keeps the groups it got."""

    seen = []

    def split(self, X, y=None, groups=None):
        Splits.seen.append(groups)
        return super().split(X, y, groups)


@pytest.mark.parametrize("routing", [False, True])
def test_inner_folds_keep_groups_together(routing):
    hierarchy, X, Y = task("many")
    forest = RandomForestClassifier(5, min_samples_leaf=5, random_state=0)
    with sklearn.config_context(enable_metadata_routing=routing):
        fits = [
            HierarchicalThresholdClassifier(forest, hierarchy, cv=cv).fit(
                X, Y, groups=GROUPS
            )
            for cv in (3, MultilabelStratifiedGroupKFold(3), GroupKFold(3))
        ]
        plain = HierarchicalThresholdClassifier(forest, hierarchy, cv=3).fit(X, Y)
    assert fits[0].best_score_ == fits[1].best_score_ != plain.best_score_
    same = HierarchicalThresholdClassifier(
        forest, hierarchy, cv=MultilabelStratifiedKFold(3)
    ).fit(X, Y)
    assert plain.best_score_ == same.best_score_


def test_splitters_get_the_groups_as_they_are():
    hierarchy, X, Y = task("many")
    Splits.seen.clear()
    inner = MultiOutputClassifier(LogisticRegression())
    clf = HierarchicalThresholdClassifier(inner, hierarchy, cv=Splits(2))
    clf.fit(X, Y, groups=GROUPS)
    assert Splits.seen[0] is GROUPS


def test_groups_of_a_search_reach_inner_folds():
    hierarchy, X, Y = task("many")
    Splits.seen.clear()
    inner = MultiOutputClassifier(LogisticRegression())
    with sklearn.config_context(enable_metadata_routing=True):
        clf = HierarchicalThresholdClassifier(inner, hierarchy, cv=Splits(2))
        GridSearchCV(clf, {}, cv=GroupKFold(2)).fit(X, Y, groups=GROUPS)
    assert [len(groups) for groups in Splits.seen] == [30, 30, 60]


def test_too_few_groups_for_inner_folds():
    X, Y = said(60, 3, 0)
    clf = HierarchicalThresholdClassifier(Says(), cv=5)
    with pytest.raises(ValueError, match="n_splits=5 needs at least 5 .* are in 2 "):
        clf.fit(X, Y, groups=np.arange(60) % 2)


def test_prototypes_of_other_groups_only():
    hierarchy, X, Y = task("many")
    make = HierarchicalPrototypeTransformer(hierarchy, cv=4)
    found = make.fit_transform(X, Y, groups=GROUPS)
    for rest, part in GroupKFold(4, shuffle=True, random_state=0).split(X, Y, GROUPS):
        one = HierarchicalPrototypeTransformer(hierarchy).fit(X[rest], Y[rest])
        np.testing.assert_allclose(found[part], one.transform(X[part]))
    splitter = GroupKFold(4, shuffle=True, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        make.set_params(cv=splitter)
        pipe = make_pipeline(make, MultiOutputClassifier(LogisticRegression()))
        pipe.fit(X, Y, groups=GROUPS)
