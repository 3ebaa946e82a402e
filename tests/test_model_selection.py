"""Tests of the splitters: partitions, sizes, and labels in all parts."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn
from hypothesis import given
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.multioutput import MultiOutputClassifier

from benchmarks.npz_sets import load_npz_set
from skhmc import Hierarchy
from skhmc.coherence import close_upward
from skhmc.datasets import load_clus_arff
from skhmc.model_selection import (
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
    RepeatedMultilabelStratifiedKFold,
    multilabel_train_test_split,
)
from tests.hierarchies import random_hierarchy
from tests.real_data import real_data_home


@st.composite
def label_matrices(draw, most=1.0):
    """Random Y (n_samples, n_labels) and a number of folds."""
    n_samples, n_labels = draw(st.integers(4, 30)), draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    Y = rng.random((n_samples, n_labels)) < most * rng.random(n_labels)
    return Y.astype(int), draw(st.integers(2, min(5, n_samples)))


def folds(Y, n_splits=5, **options):
    """Return the test fold of every sample, after checking the partition."""
    n_samples = len(Y) if isinstance(Y, list) else Y.shape[0]
    part = np.full(n_samples, -1)
    cv = MultilabelStratifiedKFold(n_splits, **options)
    for fold, (train, test) in enumerate(cv.split(np.zeros(n_samples), Y)):
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(n_samples))
        assert (part[test] == -1).all()
        part[test] = fold
    assert (part >= 0).all()
    return part


def counts_of(Y, part, n_splits):
    """Return the positives (n_labels, n_splits) in every test fold."""
    return np.stack(
        [np.asarray(Y[part == f].sum(axis=0)).ravel() for f in range(n_splits)], 1
    )


def n_missing(counts):
    """Say how often training parts lack a label, and test folds one they could have."""
    total, there = counts.sum(axis=1), (counts > 0).sum(axis=1)
    alone = (there == 1) & (total > 1)
    return alone.sum(), (np.minimum(total, counts.shape[1]) - there).sum()


def deviation(Y, part, n_splits):
    """Return the mean absolute difference of labels' shares in folds and in all."""
    shares = counts_of(Y, part, n_splits) / np.bincount(part)
    return np.abs(shares - np.asarray(Y.mean(axis=0)).reshape(-1, 1)).mean()


# -- folds -----------------------------------------------------------------------------


@given(label_matrices(), st.booleans())
def test_folds_are_a_partition_of_even_sizes(case, shuffle):
    Y, n_splits = case
    part = folds(Y, n_splits, shuffle=shuffle)
    sizes = np.bincount(part, minlength=n_splits)
    assert sizes.max() - sizes.min() <= 1


@given(label_matrices())
def test_sparse_and_dense_are_split_alike(case):
    Y, n_splits = case
    part = folds(Y, n_splits)
    stored = sp.csr_matrix(Y + 1)  # with explicit zeros
    stored.data -= 1
    for same in (sp.csr_matrix(Y), sp.coo_array(Y), stored, Y.astype(bool), Y.tolist()):
        np.testing.assert_array_equal(folds(same, n_splits), part)


@given(label_matrices(most=0.5))
def test_no_swap_would_put_more_labels_where_they_are_missing(case):
    Y, n_splits = case
    part = folds(Y, n_splits)
    before = n_missing(counts_of(Y, part, n_splits))
    for i in range(len(Y)):
        for j in range(i):
            swapped = part.copy()
            swapped[[i, j]] = part[[j, i]]
            assert n_missing(counts_of(Y, swapped, n_splits)) >= before


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
def test_single_labels_are_in_every_fold(seed, n_splits):
    rng = np.random.default_rng(seed)
    y = rng.choice(8, size=60, p=rng.dirichlet(np.ones(8)))
    Y = np.eye(8, dtype=int)[y]
    counts = counts_of(Y, folds(Y, n_splits), n_splits)
    assert (counts > 0)[Y.sum(axis=0) >= n_splits].all()
    np.testing.assert_array_equal(folds(y, n_splits), folds(Y, n_splits))


@pytest.mark.parametrize("shuffle", [False, True])
def test_classes_are_as_even_as_those_of_stratified_k_fold(shuffle):
    y = np.random.default_rng(0).choice(list("abcd"), 90, p=[0.6, 0.2, 0.15, 0.05])
    options = {"shuffle": shuffle, "random_state": 0 if shuffle else None}
    Y = y[:, None] == np.unique(y)
    ours = counts_of(Y, folds(y, 4, **options), 4)
    for _, test in StratifiedKFold(4, **options).split(y, y):
        theirs = Y[test].sum(axis=0)
        assert (np.abs(ours - theirs[:, None]) <= 1).all()


def skewed(n_samples, n_labels, seed=0):
    """Return sparse labels, few of them frequent."""
    rng = np.random.default_rng(seed)
    rate = np.minimum(0.5, 0.05 * rng.pareto(1.2, n_labels) + 5 / n_samples)
    return sp.csr_matrix(rng.random((n_samples, n_labels)) < rate)


def as_published(Y, n_splits, rng):
    """Iterative stratification as in the paper: the rarest label alone decides."""
    Y, n_samples = Y.toarray(), Y.shape[0]
    wanted = np.repeat(Y.sum(axis=0)[:, None] / n_splits, n_splits, axis=1)
    room, part = np.full(n_splits, n_samples / n_splits), np.full(n_samples, -1)
    while (left := Y[part < 0].sum(axis=0)).any():
        label = np.where(left > 0, left, n_samples + 1).argmin()
        for i in np.flatnonzero(Y[:, label] & (part < 0)):
            part[i] = np.lexsort((rng.random(n_splits), room, wanted[label]))[-1]
            wanted[Y[i], part[i]] -= 1
            room[part[i]] -= 1
    for i in np.flatnonzero(part < 0):
        part[i] = room.argmax()
        room[part[i]] -= 1
    return part


@pytest.mark.parametrize("seed", range(3))
def test_shares_of_labels_are_nearer_than_by_the_published_algorithm(seed):
    Y = skewed(2000, 60, seed)
    published = as_published(Y, 5, np.random.default_rng(seed))
    ours = folds(Y, 5, shuffle=True, random_state=seed)
    assert deviation(Y, ours, 5) < 0.7 * deviation(Y, published, 5)
    missing, theirs = (n_missing(counts_of(Y, p, 5)) for p in (ours, published))
    assert missing <= theirs


def test_the_order_of_columns_hardly_matters():
    Y = skewed(2000, 60)
    rng = np.random.default_rng(0)
    found = [deviation(Y, folds(Y), 5)]
    for _ in range(5):
        permuted = Y[:, rng.permutation(60)]
        found.append(deviation(permuted, folds(permuted), 5))
        assert n_missing(counts_of(permuted, folds(permuted), 5)) == (0, 0)
    assert max(found) < 1.3 * min(found)


def test_twenty_thousand_samples():  # benchmarks.tune splitters times it
    Y = skewed(20_000, 500)
    part = folds(Y)
    assert n_missing(counts_of(Y, part, 5)) == (0, 0)


def seq_fun():
    home = real_data_home() / "clus"
    parts = [
        load_clus_arff(home / f"seq_FUN.{part}.arff.gz") for part in ("train", "valid")
    ]
    return sp.vstack([part.target for part in parts]).tocsr()


def cei():
    real_data_home("npz")
    return load_npz_set("cei").target


@pytest.mark.parametrize("n_splits", [2, 3, 5, 10])
@pytest.mark.parametrize("read", [seq_fun, cei])
@pytest.mark.parametrize("shuffle", [False, True])
def test_no_label_is_absent_from_real_data(read, n_splits, shuffle):
    Y = read()
    options = {"shuffle": shuffle, "random_state": 0 if shuffle else None}
    counts = counts_of(Y, folds(Y, n_splits, **options), n_splits)
    total = counts.sum(axis=1)
    assert (counts > 0)[total >= n_splits].all()  # in every test fold
    assert (counts < total[:, None])[total >= 2].all()  # in every training part


def test_random_states():
    Y = skewed(200, 10)
    once, again = (folds(Y, shuffle=True, random_state=3) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    assert (once != folds(Y, shuffle=True, random_state=4)).any()
    rng = np.random.RandomState(0)
    assert (folds(Y, shuffle=True, random_state=rng) != once).any()
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(folds(Y), folds(Y))
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_repeated_folds_are_those_of_one_random_state_after_another():
    Y = skewed(100, 6)
    cv = RepeatedMultilabelStratifiedKFold(n_splits=3, n_repeats=2, random_state=0)
    assert cv.get_n_splits() == 6
    rng = np.random.RandomState(0)
    expected = [folds(Y, 3, shuffle=True, random_state=rng) for _ in range(2)]
    found = [test for _, test in cv.split(Y, Y)]
    for number, test in enumerate(found):
        part = expected[number // 3]
        np.testing.assert_array_equal(test, np.flatnonzero(part == number % 3))
    with pytest.raises(ValueError, match="n_splits to be an int of at least 2"):
        next(RepeatedMultilabelStratifiedKFold(n_splits=1).split(Y, Y))
    assert "n_splits=3" in repr(cv) and "hierarchy=None" in repr(cv)


# -- forms of y ------------------------------------------------------------------------

ANIMALS = Hierarchy.from_parents(
    {"cat": ["mammal"], "dog": ["mammal"], "mammal": None, "bird": None}
)


def test_unknown_labels_do_not_count():
    Y = skewed(100, 6).toarray().astype(float)
    unknown = Y.copy()
    unknown[(np.random.default_rng(0).random(Y.shape) < 0.3) & (Y == 0)] = np.nan
    np.testing.assert_array_equal(folds(unknown), folds(Y))
    np.testing.assert_array_equal(folds(sp.csr_matrix(unknown)), folds(Y))


def test_a_hierarchy_adds_the_ancestors():
    specific = [["cat"], ["dog"], ["bird"], ["cat", "bird"], ["dog"], ["cat"]] * 4
    columns = list(ANIMALS.labels)
    Y = np.array([[label in row for label in columns] for row in specific])
    closed = close_upward(Y.astype(int), ANIMALS)
    expected = folds(closed, 3)
    assert (folds(Y, 3) != expected).any()
    np.testing.assert_array_equal(folds(Y, 3, hierarchy=ANIMALS), expected)
    np.testing.assert_array_equal(folds(specific, 3, hierarchy=ANIMALS), expected)
    frame = pd.DataFrame(Y, columns=columns, index=range(50, 74))
    parents = {"cat": "mammal", "dog": "mammal", "bird": None}
    np.testing.assert_array_equal(folds(frame, 3, hierarchy=parents), expected)


def test_label_sets_without_a_hierarchy():
    sets = [{"a"}, {"a", "b"}, {"b"}, set()] * 3
    Y = np.array([[label in row for label in "ab"] for row in sets])
    np.testing.assert_array_equal(folds(sets, 3), folds(Y, 3))


# -- scikit-learn ----------------------------------------------------------------------


def problem(n_samples=120):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_samples, 4))
    return X, (X @ rng.normal(size=(4, 3)) > 0.5).astype(int)


@pytest.mark.parametrize(
    "cv",
    [
        MultilabelStratifiedKFold(3, shuffle=True, random_state=0),
        MultilabelStratifiedShuffleSplit(3, test_size=0.3, random_state=0),
    ],
)
def test_in_cross_validation_and_searches(cv):
    X, Y = problem()
    forest = RandomForestClassifier(n_estimators=5, random_state=0)
    scores = cross_val_score(forest, X, Y, cv=cv)
    assert scores.shape == (3,)
    np.testing.assert_array_equal(scores, cross_val_score(forest, X, Y, cv=cv))
    search = GridSearchCV(forest, {"max_depth": [2, 3]}, cv=cv).fit(X, Y)
    assert search.n_splits_ == cv.get_n_splits() == 3


def test_metadata_routing():
    X, Y = problem()
    y, weight = Y[:, 0], np.ones(len(Y))
    with sklearn.config_context(enable_metadata_routing=True):
        model = LogisticRegression().set_fit_request(sample_weight=True)
        model = model.set_score_request(sample_weight=False)
        params, cv = {"sample_weight": weight}, MultilabelStratifiedKFold(3)
        assert len(cross_val_score(model, X, y, cv=cv, params=params)) == 3
        with pytest.raises(TypeError, match="groups.*not routed to any object"):
            cross_val_score(model, X, y, cv=cv, params={"groups": y})
    for kind in (MultilabelStratifiedKFold, MultilabelStratifiedShuffleSplit):
        assert not hasattr(kind, "set_split_request")  # as those that take no groups
        assert not hasattr(KFold, "set_split_request")


def test_repr():
    assert repr(MultilabelStratifiedKFold(3)).startswith("MultilabelStratifiedKFold(")
    assert "n_splits=3" in repr(MultilabelStratifiedKFold(3))
    assert "test_size=0.2" in repr(MultilabelStratifiedShuffleSplit(test_size=0.2))


# -- train and test --------------------------------------------------------------------


@given(label_matrices(most=0.6), st.floats(0.1, 0.6), st.integers(0, 100))
def test_train_and_test_parts(case, test_size, seed):
    Y, _ = case
    cv = MultilabelStratifiedShuffleSplit(2, test_size=test_size, random_state=seed)
    plain = train_test_split(Y, test_size=test_size)
    for train, test in cv.split(Y, Y):
        np.testing.assert_array_equal(np.sort(np.r_[train, test]), np.arange(len(Y)))
        assert [len(train), len(test)] == [len(part) for part in plain]
        # as few labels are missing as any swap would allow
        now = missing_of(Y, train, test)
        for i in train:
            for j in test:
                swapped = np.append(train[train != i], j), np.append(test[test != j], i)
                assert missing_of(Y, *swapped) >= now


def missing_of(Y, train, test):
    """Count labels that train lacks, then test, then those of one row in train."""
    total = Y.sum(axis=0)
    untrained = ~Y[train].any(axis=0)
    untested = (total * len(test) >= len(Y)) & ~Y[test].any(axis=0)
    return (
        (untrained & (total > 1)).sum(),
        untested.sum(),
        (untrained & (total == 1)).sum(),
    )


def test_rows_with_a_label_of_their_own_do_not_keep_others_untested():
    rows = np.arange(5)
    Y = np.zeros((25, 6), dtype=int)
    Y[rows, 0] = 1  # the label of five, all of whose rows have one of their own
    Y[rows, rows + 1] = 1
    cv = MultilabelStratifiedShuffleSplit(5, test_size=0.2, random_state=0)
    for train, test in cv.split(Y, Y):
        assert missing_of(Y, train, test) == (0, 0, 1)


def test_a_shuffle_split_of_very_many_labels_is_as_even_as_a_fold():
    home = real_data_home() / "clus"
    parts = [f"cellcycle_GO.{part}.arff.gz" for part in ("train", "valid", "test")]
    Y = load_clus_arff([home / part for part in parts]).target
    total = np.asarray(Y.sum(axis=0)).ravel()
    often = total >= 5
    share = total / Y.shape[0]

    def measure(cv):
        missing, uneven = [], []
        for _, test in cv.split(Y, Y):
            count = np.asarray(Y[test].sum(axis=0)).ravel()
            missing.append((count[often] == 0).sum())
            uneven.append(np.abs(count / len(test) - share)[often].mean())
        return np.mean(missing), np.mean(uneven)

    options = {"random_state": 0}
    folds = measure(MultilabelStratifiedKFold(5, shuffle=True, **options))
    split = measure(MultilabelStratifiedShuffleSplit(2, test_size=0.2, **options))
    assert split[0] <= folds[0]
    assert split[1] < 1.3 * folds[1]  # it also has to keep rare labels in training


def test_training_parts_have_every_label_and_tests_the_frequent_ones():
    Y = skewed(1000, 60)
    rare = sp.csr_matrix(([True], ([0], [0])), (1000, 1))
    Y = sp.hstack([Y, rare]).tocsr()
    cv = MultilabelStratifiedShuffleSplit(4, test_size=0.2, random_state=0)
    tests = []
    for train, test in cv.split(Y, Y):
        assert Y[train].sum(axis=0).all()
        often = np.asarray(Y.sum(axis=0)).ravel() >= 5
        assert np.asarray(Y[test].sum(axis=0)).ravel()[often].all()
        tests.append(frozenset(test.tolist()))
    assert len(set(tests)) == 4  # drawn anew


def test_parts_may_leave_samples_out():
    Y = skewed(1000, 20)
    cv = MultilabelStratifiedShuffleSplit(
        1, train_size=300, test_size=100, random_state=0
    )
    train, test = next(cv.split(Y, Y))
    assert len(train) == 300 and len(test) == 100
    assert not set(train) & set(test)
    share = Y.mean(axis=0)
    assert np.abs(Y[train].mean(axis=0) - share).max() < 0.005
    assert np.abs(Y[test].mean(axis=0) - share).max() < 0.015


def test_train_test_split_of_any_arrays():
    X, Y = problem()
    names = [str(k) for k in range(len(X))]
    frame = pd.DataFrame(Y, columns=list("abc"), index=range(1000, 1120))
    arrays = (X, sp.csr_matrix(X), frame, names)
    parts = multilabel_train_test_split(*arrays, stratify=frame, random_state=0)
    train, test = ([int(name) for name in part] for part in parts[-2:])
    assert len(test) == 30  # a quarter, as in scikit-learn
    np.testing.assert_array_equal(parts[0], X[train])
    np.testing.assert_array_equal(parts[1], X[test])
    np.testing.assert_array_equal(parts[2].toarray(), X[train])
    pd.testing.assert_frame_equal(parts[5], frame.iloc[test])
    again = multilabel_train_test_split(*arrays, stratify=frame, random_state=0)
    assert again[-1] == parts[-1]


def test_train_test_split_without_stratify_is_that_of_scikit_learn():
    X, Y = problem()
    for options in ({"shuffle": False}, {"random_state": 1, "train_size": 7}):
        ours = multilabel_train_test_split(X, Y, **options)
        for one, other in zip(ours, train_test_split(X, Y, **options), strict=True):
            np.testing.assert_array_equal(one, other)


def test_ancestors_are_shared_out_by_train_test_split():
    hierarchy = random_hierarchy(12, seed=0)
    rng = np.random.default_rng(0)
    Y = (rng.random((400, 12)) < 0.1).astype(int)
    closed = close_upward(Y, hierarchy)
    one, other = (
        multilabel_train_test_split(np.arange(400), random_state=0, **options)[1]
        for options in (
            {"stratify": Y, "hierarchy": hierarchy},
            {"stratify": closed},
        )
    )
    np.testing.assert_array_equal(one, other)


# -- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize("n_splits", [1, 2.5, "5"])
def test_wrong_number_of_folds(n_splits):
    with pytest.raises(ValueError, match="n_splits to be an int of at least 2"):
        folds(np.eye(3), n_splits)


@pytest.mark.parametrize("n_splits", [0, 2.5, "5"])
def test_wrong_number_of_splits(n_splits):
    cv = MultilabelStratifiedShuffleSplit(n_splits)
    with pytest.raises(ValueError, match="n_splits to be an int of at least 1, got"):
        list(cv.split(np.eye(3), np.eye(3)))


def test_more_folds_than_samples():
    with pytest.raises(ValueError, match="n_splits=5 is more than .* samples, 3"):
        folds(np.eye(3))


def test_a_random_state_without_shuffle():
    with pytest.raises(ValueError, match="random_state=0 has no effect.*shuffle=True"):
        folds(np.eye(6), 2, random_state=0)


@pytest.mark.parametrize(
    "kind", [MultilabelStratifiedKFold, MultilabelStratifiedShuffleSplit]
)
def test_what_cannot_be_split(kind):
    X = np.zeros((6, 1))
    with pytest.raises(ValueError, match=f"{kind.__name__} needs y, got None"):
        next(kind(2).split(X, None))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        next(kind(2).split(X, np.eye(5)))
    with pytest.raises(ValueError, match="0, 1 or NaN"):
        next(kind(2).split(X, 3 * np.eye(6)))
    with pytest.warns(UserWarning, match=f"groups .* ignored by {kind.__name__}"):
        next(kind(2).split(X, np.eye(6), groups=np.arange(6)))


def test_wrong_sizes():
    with pytest.raises(ValueError, match="test_size"):
        multilabel_train_test_split(np.eye(4), stratify=np.eye(4), test_size=1.5)
    with pytest.raises(ValueError, match="shuffle=False keeps the order"):
        multilabel_train_test_split(np.eye(4), stratify=np.eye(4), shuffle=False)
    with pytest.raises(ValueError, match="at least one array"):
        multilabel_train_test_split(stratify=np.eye(4))


def test_a_random_state_that_others_set_has_no_effect_either():
    Y = np.eye(6)[np.arange(60) % 6].astype(int)
    clf = LogisticRegression()
    cv = MultilabelStratifiedKFold(2)
    inner = [("a", MultiOutputClassifier(clf))]
    final = RandomForestClassifier(5, random_state=0)
    model = StackingClassifier(inner, final, cv=cv)  # sets cv.random_state
    model.fit(np.random.default_rng(0).normal(size=(60, 3)), Y)
    assert cv.random_state is not None
