"""Tests of the splitters of groups: none in two parts, labels in all parts."""

import datetime

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    GroupShuffleSplit,
    StratifiedGroupKFold,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier

from skhmc import Hierarchy
from skhmc._data.groups import read_groups
from skhmc._data.hold_out import hold_out_groups
from skhmc._data.stratify_groups import SLACK
from skhmc.coherence import close_upward
from skhmc.model_selection import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedGroupShuffleSplit,
    MultilabelStratifiedKFold,
    RepeatedMultilabelStratifiedGroupKFold,
    multilabel_train_test_split,
)
from tests.test_model_selection import (
    counts_of,
    deviation,
    missing_of,
    n_missing,
    skewed,
)

KINDS = [MultilabelStratifiedGroupKFold, MultilabelStratifiedGroupShuffleSplit]
every_kind = pytest.mark.parametrize("kind", KINDS)


@st.composite
def grouped(draw):
    """Random Y (n_samples, n_labels), groups of unequal sizes, and a number of folds.

    There are as many groups as folds at least.
    """
    n_samples, n_labels = draw(st.integers(6, 24)), draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_groups = draw(st.integers(3, n_samples))
    rate = 0.5 * rng.random(n_labels)
    Y = (rng.random((n_samples, n_labels)) < rate).astype(int)
    largest = rng.integers(n_groups)  # has all samples that would be in one after it
    groups = np.minimum(rng.integers(0, n_groups, n_samples), largest)
    groups[:3] = [100, 101, 102]
    n_folds = draw(st.integers(2, min(5, len(np.unique(groups)))))
    return Y, groups, n_folds


def folds(Y, groups, n_splits=5, **options):
    """Return the test fold of every sample, after checking partition and groups."""
    n_samples = len(Y) if isinstance(Y, list) else Y.shape[0]
    part = np.full(n_samples, -1)
    cv = MultilabelStratifiedGroupKFold(n_splits, **options)
    for fold, (train, test) in enumerate(cv.split(np.zeros(n_samples), Y, groups)):
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(n_samples))
        assert len(test) and (part[test] == -1).all()
        part[test] = fold
    assert (part >= 0).all()
    return part


def parts_of_groups(part, groups):
    """Return the part of every group, after checking that each is in one."""
    codes = read_groups(groups, len(part)).codes
    found = [np.unique(part[codes == g]) for g in range(codes.max() + 1)]
    assert all(len(parts) == 1 for parts in found)
    return np.concatenate(found)


def unequal_groups(n_samples, seed=0):
    """Return groups of which few are large: the largest has a tenth of the samples."""
    rng = np.random.default_rng(seed)
    size = np.minimum(n_samples // 10, 1 + (2 * rng.pareto(1.0, n_samples)).astype(int))
    return rng.permutation(np.repeat(np.arange(n_samples), size)[:n_samples])


# -- folds -----------------------------------------------------------------------------


@settings(max_examples=30)
@given(grouped(), st.booleans())
def test_no_group_is_in_two_folds(case, shuffle):
    Y, groups, n_splits = case
    parts_of_groups(folds(Y, groups, n_splits, shuffle=shuffle), groups)


def check_no_change_puts_more_labels_where_they_are_missing(Y, groups, n_splits):
    """Try all moves and swaps that leave sizes about as even as they are."""
    codes = read_groups(groups, len(Y)).codes
    part = parts_of_groups(folds(Y, groups, n_splits), groups)
    has = np.array([Y[codes == g].any(axis=0) for g in range(len(part))]).astype(int)
    size = np.bincount(codes)
    fair = len(Y) / n_splits
    before = n_missing(counts_of(has, part, n_splits))

    def is_even(changed, touched):
        off = [
            max(abs(size[p == f].sum() - fair) for f in touched)
            for p in (part, changed)
        ]
        return off[1] <= max(off[0], SLACK * fair)

    for g in range(len(part)):
        moved = [(g, f) for f in range(n_splits)]
        swapped = [(h, None) for h in range(g)]
        for other, to in moved + swapped:
            changed = part.copy()
            if to is None:
                changed[[g, other]] = part[[other, g]]
            else:
                changed[g] = to
            emptied = len(np.unique(changed)) < n_splits
            if not emptied and is_even(changed, {part[g], changed[g]}):
                assert n_missing(counts_of(has, changed, n_splits)) >= before


@settings(max_examples=20)
@given(grouped())
def test_no_change_would_put_more_labels_where_they_are_missing(case):
    check_no_change_puts_more_labels_where_they_are_missing(*case)


@pytest.mark.parametrize("n_splits", [2, 3, 4])
def test_rare_labels_come_where_they_are_missing_and_sizes_stay(n_splits):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(5 * n_splits), 2)
        Y = (rng.random((len(groups), 20)) < 0.15).astype(int)
        check_no_change_puts_more_labels_where_they_are_missing(Y, groups, n_splits)
        assert np.ptp(np.bincount(folds(Y, groups, n_splits))) == 0


@settings(max_examples=10)
@given(grouped())
def test_sparse_and_dense_and_any_names_are_split_alike(case):
    Y, groups, n_splits = case
    part = folds(Y, groups, n_splits)
    for same in (sp.csr_matrix(Y), Y.astype(bool), Y.tolist()):
        np.testing.assert_array_equal(folds(same, groups, n_splits), part)
    names = [f"patient {g}" for g in groups]
    days = [datetime.date(2020, 1, 1) + datetime.timedelta(int(g)) for g in groups]
    pairs = [("site", int(g)) for g in groups]
    mixed = [int(g) if g % 2 else str(g) for g in groups]
    for same in (
        names,
        days,
        pairs,
        mixed,
        pd.Series(names, index=names),
        groups + 0.5,
    ):
        np.testing.assert_array_equal(folds(Y, same, n_splits), part)


def test_groups_of_one_sample_are_about_as_even_as_samples():
    Y = skewed(600, 30)
    samples = np.empty(600, dtype=int)
    for fold, (_, test) in enumerate(MultilabelStratifiedKFold(5).split(Y, Y)):
        samples[test] = fold
    groups = folds(Y, np.arange(600))
    assert np.ptp(np.bincount(groups)) <= 6
    assert deviation(Y, groups, 5) < 1.3 * deviation(Y, samples, 5)
    assert n_missing(counts_of(Y, groups, 5)) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_labels_are_more_even_than_by_folds_that_do_not_see_them(seed):
    groups = unequal_groups(1500, seed)
    Y = skewed(1500, 40, seed)
    ours = folds(Y, groups)
    theirs = np.empty(1500, dtype=int)
    for fold, (_, test) in enumerate(GroupKFold(5).split(Y, groups=groups)):
        theirs[test] = fold
    assert deviation(Y, ours, 5) < 0.6 * deviation(Y, theirs, 5)
    size = np.bincount(ours)
    assert 0.9 * 300 < size.min() and size.max() < 1.1 * 300
    missing, others = (n_missing(counts_of(Y, part, 5)) for part in (ours, theirs))
    assert missing <= others


def test_classes_are_as_even_as_by_stratified_group_k_fold():
    ours, theirs = [], []
    for seed in range(6):
        groups = unequal_groups(600, seed)
        rng = np.random.default_rng(seed)
        y = rng.choice(list("abcd"), 600, p=[0.6, 0.2, 0.15, 0.05])
        Y = (y[:, None] == np.unique(y)).astype(int)
        part = np.empty(600, dtype=int)
        for fold, (_, test) in enumerate(StratifiedGroupKFold(5).split(y, y, groups)):
            part[test] = fold
        for found, split in ((theirs, part), (ours, folds(y, groups))):
            found.append([deviation(Y, split, 5), np.ptp(np.bincount(split))])
    assert (np.mean(ours, axis=0) <= np.mean(theirs, axis=0)).all()


def test_a_group_that_is_most_of_the_data():
    groups = np.r_[np.zeros(90, int), 1, 2, 3, np.full(7, 4)]
    part = folds(np.ones((100, 2)), groups, 4)
    assert sorted(np.bincount(part)) == [1, 2, 7, 90]


def test_random_states():
    Y, groups = skewed(200, 10), unequal_groups(200)
    once, again = (folds(Y, groups, shuffle=True, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert (once != folds(Y, groups, shuffle=True, random_state=4)).any()
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(folds(Y, groups), folds(Y, groups))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_hierarchies_and_unknown_labels():
    animals = Hierarchy.from_parents({"cat": ["mammal"], "dog": ["mammal"]})
    rng = np.random.default_rng(0)
    Y = (rng.random((200, 3)) < [0.3, 0.2, 0.0]).astype(float)
    groups = rng.integers(0, 60, 200)
    frame = pd.DataFrame(Y, columns=["cat", "dog", "mammal"])
    closed = close_upward(Y, animals.subset(frame.columns))
    assert (folds(Y, groups) != folds(closed, groups)).any()
    expected = folds(closed, groups)
    np.testing.assert_array_equal(folds(frame, groups, hierarchy=animals), expected)
    unknown = np.where((Y == 0) & (rng.random(Y.shape) < 0.5), np.nan, Y)
    np.testing.assert_array_equal(folds(unknown, groups), folds(Y, groups))


def test_labels_with_one_value():
    Y = np.c_[np.ones(30), np.zeros(30), np.arange(30) % 2]
    part = folds(Y, np.arange(30) // 3)
    assert (counts_of(Y, part, 5)[0] == 6).all()


# -- train and test --------------------------------------------------------------------


@settings(max_examples=30)
@given(grouped(), st.floats(0.2, 0.6), st.integers(0, 100))
def test_train_and_test_parts(case, test_size, seed):
    Y, groups, _ = case
    options = {"test_size": test_size, "random_state": seed}
    cv = MultilabelStratifiedGroupShuffleSplit(2, **options)
    plain = next(GroupShuffleSplit(1, **options).split(Y, groups=groups))
    for train, test in cv.split(Y, Y, groups):
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(Y)))
        assert not set(groups[train]) & set(groups[test])
        assert [len(set(groups[part])) for part in (train, test)] == [
            len(set(groups[part])) for part in plain
        ]


def test_parts_have_their_share_of_samples_and_labels():
    Y, groups = skewed(2000, 40), unequal_groups(2000)
    cv = MultilabelStratifiedGroupShuffleSplit(4, test_size=0.25, random_state=0)
    assert cv.get_n_splits() == 4
    tests = set()
    share = np.asarray(Y.mean(axis=0)).ravel()
    for train, test in cv.split(Y, Y, groups):
        assert 0.23 < len(test) / 2000 < 0.27
        there = np.asarray(Y[test].mean(axis=0)).ravel()
        assert np.abs(there - share).max() < 0.03
        assert missing_of(Y.toarray(), train, test)[:2] == (0, 0)
        tests.add(frozenset(test.tolist()))
    assert len(tests) == 4
    part = MultilabelStratifiedGroupShuffleSplit(1, train_size=9, test_size=7)
    train, test = next(part.split(Y, Y, groups))
    assert [len(set(groups[rows])) for rows in (train, test)] == [9, 7]


@settings(max_examples=30)
@given(grouped(), st.floats(0.05, 0.6), st.integers(0, 9))
def test_held_out_groups(case, fraction, seed):
    Y, groups, _ = case
    rows, held_out = hold_out_groups(Y, read_groups(groups, len(Y)), fraction, seed)
    assert len(rows) and len(held_out)
    assert sorted([*rows, *held_out]) == list(range(len(Y)))
    assert not set(groups[rows]) & set(groups[held_out])


# -- what groups are for ---------------------------------------------------------------


def test_labels_by_chance_of_patients_that_are_alike():
    rng = np.random.default_rng(0)
    patients = np.repeat(np.arange(80), 5)
    X = rng.normal(size=(80, 10))[patients] + 0.1 * rng.normal(size=(400, 10))
    Y = (rng.random((80, 4)) < 0.4).astype(int)[patients]  # nothing to be learnt

    def auc(cv):
        nearest = KNeighborsClassifier(1)
        proba = cross_val_predict(
            nearest, X, Y, groups=patients, cv=cv, method="predict_proba"
        )
        return roc_auc_score(Y, np.transpose([pair[:, 1] for pair in proba]))

    grouped = MultilabelStratifiedGroupKFold(5, shuffle=True, random_state=0)
    assert auc(grouped) == pytest.approx(0.5, abs=0.05)
    with pytest.warns(UserWarning, match="groups parameter is ignored"):
        assert auc(MultilabelStratifiedKFold(5)) > 0.95


# -- scikit-learn ----------------------------------------------------------------------


@every_kind
@pytest.mark.parametrize("routing", [False, True])
def test_in_cross_validation_and_searches(kind, routing):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    Y = (X @ rng.normal(size=(4, 3)) > 0.5).astype(int)
    groups = np.arange(120) // 4
    options = {"shuffle": True} if kind is KINDS[0] else {"test_size": 0.3}
    cv = kind(3, random_state=0, **options)
    model = MultiOutputClassifier(LogisticRegression())
    with sklearn.config_context(enable_metadata_routing=routing):
        more = {"params": {"groups": groups}} if routing else {"groups": groups}
        scores = cross_val_score(model, X, Y, cv=cv, **more)
        assert scores.shape == (3,)
        again = cross_val_score(model, X, Y, cv=cv, **more)
        np.testing.assert_array_equal(scores, again)
        grid = {"estimator__C": [0.1, 1.0]}
        search = GridSearchCV(model, grid, cv=cv).fit(X, Y, groups=groups)
        assert search.n_splits_ == cv.get_n_splits() == 3
    assert "n_splits=3" in repr(cv)


def test_repeated_folds_are_shuffled_folds():
    Y, groups = np.tile(np.eye(4), (6, 1)), np.arange(24) // 2
    cv = RepeatedMultilabelStratifiedGroupKFold(n_splits=3, n_repeats=2, random_state=5)
    rng = np.random.RandomState(5)
    expected = []
    for _ in range(2):
        one = MultilabelStratifiedGroupKFold(3, shuffle=True, random_state=rng)
        expected += [test.tolist() for _, test in one.split(Y, Y, groups)]
    found = [test.tolist() for _, test in cv.split(Y, iter(Y.tolist()), groups)]
    assert found == expected and cv.get_n_splits() == 6
    with pytest.raises(ValueError, match="take RepeatedMultilabelStratifiedKFold"):
        next(cv.split(Y, Y))
    for routing in (False, True):
        with sklearn.config_context(enable_metadata_routing=routing):
            more = {"params": {"groups": groups}} if routing else {"groups": groups}
            model = DummyClassifier(strategy="prior")
            assert len(cross_val_score(model, Y, Y, cv=cv, **more)) == 6


@pytest.mark.parametrize("stratified", [False, True])
def test_one_train_and_one_test_part_of_groups(stratified):
    Y, groups = np.tile(np.eye(4, dtype=int), (6, 1)), np.arange(24) // 2
    options = {"groups": groups, "stratify": Y if stratified else None}
    train, test, _, Y_test = multilabel_train_test_split(
        groups, Y, random_state=0, **options
    )
    assert not set(train) & set(test) and set(test) | set(train) == set(groups)
    assert len(set(test)) == 3  # a quarter of the groups
    assert not stratified or np.ptp(Y_test.sum(axis=0)) <= 1
    again = multilabel_train_test_split(groups, Y, random_state=0, **options)
    np.testing.assert_array_equal(again[1], test)
    _, two = multilabel_train_test_split(groups, test_size=2, **options)
    assert len(set(two)) == 2
    with pytest.raises(ValueError, match="shuffle=False keeps the order"):
        multilabel_train_test_split(groups, shuffle=False, **options)
    with pytest.raises(ValueError, match="1 of 24 samples have no group"):
        options["groups"] = [None, *groups[1:]]
        multilabel_train_test_split(groups, **options)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        multilabel_train_test_split(groups, Y[:-1], **options)


# -- errors ----------------------------------------------------------------------------


@every_kind
def test_what_cannot_be_split(kind):
    X, Y, groups = np.zeros((6, 1)), np.eye(6), list("aabbcc")
    name = kind.__name__
    for y, of_rows, message in [
        (None, groups, f"{name} needs y, got None"),
        (Y, None, f"{name} needs groups, got None.*split\\(X, Y, groups\\)"),
        (Y, groups[:5], "one value per sample, 6, got 5"),
        (Y, [*groups, "d"], "one value per sample, 6, got 7"),
        (Y, np.ones((6, 2)), r"one value per sample, got the shape \(6, 2\)"),
        (Y, dict.fromkeys(range(6), "a"), "an array or a list, got a dict. Pass the v"),
        (Y, set(range(6)), "an array or a list, got a set. Pass the values in the ord"),
        (Y, "abcdef", "one value per sample, as an array or a list, got 'abcdef'"),
        (Y, [[1]] * 6, r"such as a number or a name, got \[1\] in row 0"),
        (Y, 3, "one value per sample, as an array or a list, got 3"),
        (Y, ["a", None, "b", np.nan, "c", "d"], "2 of 6 samples have no .* rows 1, 3"),
        (Y, pd.Series([1, pd.NA, 2, 2, 3, 3]), "1 of 6 samples have no group.*rows 1"),
        (Y, [("a", 1), ("a", np.nan)] * 3, "3 of 6 samples have no .* rows 1, 3, 5"),
        (Y, list("aaaaaa"), "at least 2 groups.*the 6 samples are in 1 \\('a'\\)"),
        (3 * Y, groups, "0, 1 or NaN"),
    ]:
        with pytest.raises(ValueError, match=message):
            next(kind(2).split(X, y, of_rows))
    with pytest.raises(ValueError, match="n_splits to be an int of at least"):
        next(kind(0).split(X, Y, groups))


@pytest.mark.parametrize("text", ["nan", "None", "NaT", "<NA>"])
def test_texts_that_missing_values_become(text):
    groups = np.array(["a", "a", text, "b", "b", text])
    with pytest.warns(UserWarning, match=f"2 of 6 .*{text}' \\(rows 2, 5\\)"):
        folds(np.eye(6), groups, 2)


def test_more_folds_than_groups():
    with pytest.raises(ValueError, match=r"n_splits=5 needs at least 5 .* are in 3 \("):
        folds(np.eye(6), list("aabbcc"))
    with pytest.raises(ValueError, match="random_state=0 has no effect"):
        folds(np.eye(6), list("aabbcc"), 2, random_state=0)


def test_sizes_that_groups_do_not_have():
    cv = MultilabelStratifiedGroupShuffleSplit(1, test_size=4)
    with pytest.raises(ValueError, match="test_size=4") as caught:
        next(cv.split(np.eye(6), np.eye(6), list("aabbcc")))
    assert "are 3 groups: test_size and train_size" in caught.value.__notes__[0]
