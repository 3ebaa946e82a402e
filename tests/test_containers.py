"""Labels in every container give the same as plain indicators, wherever they go."""

from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp

from skhmc import Hierarchy
from skhmc._data.targets import read_targets
from skhmc.coherence import close_upward
from skhmc.induction import cooccurrence, label_rates, subsumption_hierarchy
from skhmc.metrics import (
    HierarchicalScorer,
    au_prc_score,
    hierarchical_f1_score,
    hierarchical_fbeta_score,
    hierarchical_precision_score,
    hierarchical_recall_score,
    hierarchical_violation_rate,
    ndcg_at_k_score,
    precision_at_k_score,
)
from skhmc.model_selection import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedGroupShuffleSplit,
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
    multilabel_train_test_split,
)
from skhmc.preprocessing import AncestorClosure, HierarchicalPrototypeTransformer

NAMES = ["root", "b", "a", "b1", "a1", "a2"]  # neither sorted nor by level
EDGES = [("root", "a"), ("root", "b"), ("a", "a1"), ("a", "a2"), ("b", "b1")]
H = Hierarchy(NAMES, EDGES)
N_SAMPLES = 40

rng = np.random.default_rng(0)
TRUE = close_upward((rng.random((N_SAMPLES, 6)) < 0.25).astype(int), H)
PREDICTED = close_upward((rng.random((N_SAMPLES, 6)) < 0.25).astype(int), H)
OPEN = (rng.random((N_SAMPLES, 6)) < 0.3).astype(int)
SCORES = rng.random((N_SAMPLES, 6)).round(1)  # with ties
WITHOUT_TIES = SCORES + np.arange(SCORES.size).reshape(SCORES.shape) / 1e4
WEIGHT = rng.integers(0, 4, N_SAMPLES)
UNKNOWN = TRUE.astype(float)
UNKNOWN[(rng.random(TRUE.shape) < 0.2) & (TRUE == 0)] = np.nan
SHUFFLED = ["a2", "root", "b1", "a", "b", "a1"]


def names_of(Y):
    return [[NAMES[j] for j in np.flatnonzero(row == 1)] for row in Y]


def in_frame(Y, **options):
    return pd.DataFrame(Y, columns=NAMES, **options)


def nullable(Y):
    return in_frame(Y).astype("Int64")


def objects(Y):
    """An object array with pandas.NA, as a nullable DataFrame gives it."""
    return nullable(Y).astype(object).to_numpy()


def masked(Y):
    return np.ma.array(np.nan_to_num(Y, nan=7), mask=np.isnan(Y))


WITHOUT_NAMES = {
    "list": lambda Y: Y.tolist(),
    "bool": lambda Y: Y.astype(bool),
    "float32": lambda Y: Y.astype(np.float32),
    "object": lambda Y: Y.astype(object),
    "masked": masked,
    "csr_matrix": sp.csr_matrix,
    "csc_array": sp.csc_array,
    "coo_matrix": sp.coo_matrix,
}
FRAMES = {
    "frame": in_frame,
    "shuffled frame": lambda Y: in_frame(Y)[SHUFFLED],
    "nullable frame": nullable,
    "bool frame": lambda Y: in_frame(Y.astype(bool)),
    "frame with an index": lambda Y: in_frame(Y, index=range(100, 100 + len(Y))),
}
SETS = {
    "lists of names": names_of,
    "sets": lambda Y: [set(row) for row in names_of(Y)],
    "tuples, shuffled": lambda Y: [tuple(reversed(row)) for row in names_of(Y)],
    "names twice": lambda Y: [row + row for row in names_of(Y)],
    "series of lists": lambda Y: pd.Series(names_of(Y)),
}
ALL = WITHOUT_NAMES | FRAMES | SETS
WITH_UNKNOWN = {
    "list": lambda Y: Y.tolist(),
    "csr_matrix": sp.csr_matrix,
    "object": objects,
    "masked": masked,
    "frame": in_frame,
    "shuffled frame": lambda Y: in_frame(Y)[SHUFFLED],
    "nullable frame": nullable,
}


def beside(name, Y):
    """Y as columns without names must stand beside a container: in its order."""
    if name == "shuffled frame":
        return Y[:, [NAMES.index(label) for label in SHUFFLED]]
    return Y


LABEL_METRICS = {
    "f1": hierarchical_f1_score,
    "f1 samples": partial(hierarchical_f1_score, average="samples"),
    "f1 macro": partial(hierarchical_f1_score, average="macro", exclude=["a2"]),
    "fbeta": partial(hierarchical_fbeta_score, beta=2, exclude="roots"),
    "precision": partial(hierarchical_precision_score, close=False),
    "recall": hierarchical_recall_score,
}
SCORE_METRICS = {
    average: partial(au_prc_score, average=average)
    for average in ("micro", "macro", "weighted")
}
AT_K = {  # of equal scores the first column comes first
    "precision at k": partial(precision_at_k_score, k=1),
    "ndcg at k": partial(ndcg_at_k_score, k=2, among="all", exclude="roots"),
}


# -- metrics ---------------------------------------------------------------------------


@pytest.mark.parametrize("metric", LABEL_METRICS.values(), ids=LABEL_METRICS)
def test_metrics_of_labels(metric):
    expected = metric(TRUE, PREDICTED, H, sample_weight=WEIGHT)
    for name, make in ALL.items():
        options = {"sample_weight": pd.Series(WEIGHT)}
        plain = beside(name, PREDICTED)
        assert metric(make(TRUE), plain, H, **options) == expected, name
        plain = beside(name, TRUE)
        assert metric(plain, make(PREDICTED), H, **options) == expected, name
        assert metric(make(TRUE), make(PREDICTED), H, **options) == expected, name


@pytest.mark.parametrize(
    "metric, scores",
    [
        *((metric, SCORES) for metric in SCORE_METRICS.values()),
        *((metric, WITHOUT_TIES) for metric in AT_K.values()),
    ],
    ids=[*SCORE_METRICS, *AT_K],
)
def test_metrics_of_scores(metric, scores):
    expected = metric(TRUE, scores, hierarchy=H, sample_weight=WEIGHT)
    for name, make in ALL.items():
        beside_it = [beside(name, scores), beside(name, scores).tolist()]
        if name not in WITHOUT_NAMES:
            beside_it += [in_frame(scores), in_frame(scores)[SHUFFLED]]
        for given in beside_it:
            found = metric(make(TRUE), given, hierarchy=H, sample_weight=WEIGHT)
            # summed up in another order where the columns have another one
            assert found == pytest.approx(expected, rel=1e-12), name
    assert metric(names_of(TRUE), scores, hierarchy=H) == metric(
        TRUE, scores, hierarchy=H
    )


def test_unknown_labels():
    for name, make in WITH_UNKNOWN.items():
        for metric in LABEL_METRICS.values():
            expected = metric(UNKNOWN, PREDICTED, H)
            plain = beside(name, PREDICTED)
            assert metric(make(UNKNOWN), plain, H) == expected, name
            assert metric(make(UNKNOWN), names_of(PREDICTED), H) == expected, name
        expected = au_prc_score(UNKNOWN, SCORES, hierarchy=H)
        found = au_prc_score(make(UNKNOWN), beside(name, SCORES), hierarchy=H)
        assert found == pytest.approx(expected, rel=1e-12), name


@pytest.mark.parametrize("unit", ["sample", "edge", "prediction"])
def test_violation_rates(unit):
    expected = hierarchical_violation_rate(OPEN, H, unit=unit)
    assert 0 < expected < 1
    for name, make in ALL.items():
        found = hierarchical_violation_rate(make(OPEN), H, unit=unit)
        assert found == expected, name


def test_label_sets_alone_need_no_order_of_columns():
    """Neither of them has columns, so that edges in any order will do."""
    expected = hierarchical_f1_score(TRUE, PREDICTED, H)
    sets = (names_of(TRUE), names_of(PREDICTED))
    for source in (
        EDGES,
        EDGES[::-1],
        {"a1": "a", "a2": "a", "b1": "b", "a": "root", "b": "root"},
    ):
        assert hierarchical_f1_score(*sets, source) == expected
    assert hierarchical_violation_rate(sets[0], EDGES) == 0
    frame = in_frame(PREDICTED)[SHUFFLED]
    assert hierarchical_f1_score(sets[0], frame, EDGES) == expected
    flat = au_prc_score(TRUE, SCORES)
    found = au_prc_score(sets[0], in_frame(SCORES))
    assert found == pytest.approx(flat, rel=1e-12)


def test_one_name_per_sample_is_a_label_set():
    y = np.array(["a1", "b1", "a2"])
    Y = np.array([[0, 0, 0, 0, 1, 0], [0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 0, 1]])
    expected = hierarchical_f1_score(Y, PREDICTED[:3], H)
    for given in (y, y.tolist(), pd.Series(y), y.astype(object)):
        assert hierarchical_f1_score(given, PREDICTED[:3], H) == expected


def test_integers_as_names():
    hierarchy = Hierarchy.from_edges([(0, 1), (0, 2)])
    Y = np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]])
    expected = hierarchical_f1_score(Y, Y[::-1], hierarchy)
    assert hierarchical_f1_score([[1], [2], [0]], Y[::-1], hierarchy) == expected
    assert hierarchical_f1_score([[1], [0, 2], [0]], Y[::-1], [(0, 1), (0, 2)]) == (
        expected
    )


class Fixed:
    """Predicts what it was made with."""

    hierarchy_ = H
    label_names_ = NAMES

    def predict(self, X):
        return PREDICTED

    def predict_proba(self, X):
        return SCORES


@pytest.mark.parametrize("metric", [hierarchical_f1_score, au_prc_score])
def test_scorers(metric):
    scorer = HierarchicalScorer(metric)
    expected = scorer(Fixed(), None, TRUE)
    for name, make in ALL.items():
        found = scorer(Fixed(), None, make(TRUE))
        assert found == pytest.approx(expected, rel=1e-12), name


def test_a_scorer_does_not_guess_the_order_of_columns():
    class Nameless(Fixed):
        hierarchy_ = EDGES
        label_names_ = None

    scorer = HierarchicalScorer(hierarchical_f1_score)
    with pytest.raises(ValueError, match="columns have no names, so their order"):
        scorer(Nameless(), None, names_of(TRUE))


# -- splitters, induction, preprocessing -----------------------------------------------


def rows_of(splitter, Y):
    groups = {}
    if "Group" in type(splitter).__name__:
        groups["groups"] = np.arange(len(TRUE)) // 2
    return [
        part.tolist()
        for split in splitter.split(np.zeros(len(TRUE)), Y, **groups)
        for part in split
    ]


@pytest.mark.parametrize("hierarchy", [None, H])
def test_splitters(hierarchy):
    splitters = [
        MultilabelStratifiedKFold(3, hierarchy=hierarchy),
        MultilabelStratifiedShuffleSplit(2, random_state=0, hierarchy=hierarchy),
        MultilabelStratifiedGroupKFold(3, hierarchy=hierarchy),
        MultilabelStratifiedGroupShuffleSplit(2, random_state=0, hierarchy=hierarchy),
    ]
    for splitter in splitters:
        expected = rows_of(splitter, TRUE)
        for name, make in WITHOUT_NAMES.items():
            assert rows_of(splitter, make(TRUE)) == expected, name
        if hierarchy is not None:
            for name, make in SETS.items():
                assert rows_of(splitter, make(TRUE)) == expected, name
        unknown = rows_of(splitter, UNKNOWN)
        for name in ("list", "csr_matrix", "object", "masked"):
            assert rows_of(splitter, WITH_UNKNOWN[name](UNKNOWN)) == unknown, name
        frame = rows_of(splitter, in_frame(TRUE))
        for name in ("nullable frame", "bool frame", "frame with an index"):
            assert rows_of(splitter, FRAMES[name](TRUE)) == frame == expected, name


def test_train_and_test_parts():
    X = np.arange(N_SAMPLES)
    options = {"random_state": 0, "hierarchy": H}
    expected = multilabel_train_test_split(X, stratify=TRUE, **options)
    for name, make in (WITHOUT_NAMES | SETS).items():
        found = multilabel_train_test_split(X, stratify=make(TRUE), **options)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other, err_msg=name)


@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_induction(weight):
    counts = cooccurrence(UNKNOWN, weight).toarray()
    rates = label_rates(UNKNOWN, weight)
    options = {"threshold": 0.6, "sample_weight": weight}
    tree = subsumption_hierarchy(UNKNOWN, NAMES, **options)
    assert len(tree.edges)
    for name, make in WITH_UNKNOWN.items():
        given = make(UNKNOWN)
        found = cooccurrence(given, weight, labels=NAMES).toarray()
        np.testing.assert_array_equal(found, counts, err_msg=name)
        found = label_rates(given, weight, labels=NAMES)
        np.testing.assert_array_equal(found.frequency, rates.frequency)
        np.testing.assert_array_equal(found.given.toarray(), rates.given.toarray())
        assert subsumption_hierarchy(given, NAMES, **options) == tree, name


def test_induction_from_names():
    counts = cooccurrence(TRUE).toarray()
    tree = subsumption_hierarchy(TRUE, NAMES, threshold=0.6)
    for name, make in SETS.items():
        given = make(TRUE)
        found = cooccurrence(given, labels=NAMES).toarray()
        np.testing.assert_array_equal(found, counts, err_msg=name)
        assert subsumption_hierarchy(given, NAMES, threshold=0.6) == tree, name
        for nameless in (cooccurrence, label_rates):
            with pytest.raises(ValueError, match="would not say which row.*labels="):
                nameless(given)
        # without the order of a user it is that of the sorted names
        learnt = subsumption_hierarchy(given, threshold=0.6)
        assert learnt == tree.subset(sorted(NAMES))
    with pytest.raises(ValueError, match="hierarchy does not have: 'cow'"):
        cooccurrence([["cow"]], labels=NAMES)


@pytest.mark.parametrize("make", ALL.values(), ids=ALL)
def test_closure(make):
    closure = AncestorClosure(H).fit(np.zeros((1, 6)))
    closed = closure.transform(make(OPEN))
    closed = closed.toarray() if sp.issparse(closed) else np.asarray(closed)
    np.testing.assert_array_equal(closed, close_upward(OPEN, H))


def test_prototypes():
    X = np.random.default_rng(0).normal(size=(N_SAMPLES, 3))
    transformer = HierarchicalPrototypeTransformer(H)
    expected = transformer.fit_transform(X, TRUE, sample_weight=WEIGHT)
    for name, make in (WITHOUT_NAMES | SETS).items():
        found = transformer.fit_transform(X, make(TRUE), sample_weight=WEIGHT)
        np.testing.assert_array_equal(found, expected, err_msg=name)


# -- never silently wrong --------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: au_prc_score(names_of(TRUE), SCORES),
            "y_true holds label names, but the columns of y_score have no names and "
            "no hierarchy says .*DataFrame, or hierarchy=Hierarchy.flat",
        ),
        (
            lambda: au_prc_score(names_of(TRUE), SCORES, hierarchy=EDGES),
            "columns have no names, so their order is unknown. Pass DataFrames",
        ),
        (
            lambda: hierarchical_f1_score(names_of(TRUE), PREDICTED, EDGES),
            "columns have no names, so their order is unknown",
        ),
        (
            lambda: hierarchical_f1_score(names_of(TRUE), names_of(TRUE), None),
            "y_true and y_pred hold label names, and no hierarchy says which",
        ),
        (
            lambda: hierarchical_f1_score([["cow"], ["a"]], PREDICTED[:2], H),
            "y_true holds labels that the hierarchy does not have: 'cow'",
        ),
        (
            lambda: hierarchical_f1_score(PREDICTED[:2], [["a"], ["cow"]], H),
            "y_pred holds labels that the hierarchy does not have: 'cow'",
        ),
        (
            lambda: hierarchical_f1_score([["a", 7.5]], PREDICTED[:1], H),
            "y_true holds labels that the hierarchy does not have: 7.5",
        ),
        (
            lambda: hierarchical_f1_score(names_of(TRUE)[:3], PREDICTED, H),
            "y_pred has 40 samples, but y_true has 3|y_true has 3 samples",
        ),
        (
            lambda: hierarchical_f1_score(TRUE, masked(UNKNOWN), H),
            "y_pred must hold 0 and 1, got the value nan. Leave no NaN",
        ),
        (
            lambda: au_prc_score(TRUE, np.ma.array(SCORES, mask=SCORES > 0.5)),
            "y_score holds NaN",
        ),
        (
            lambda: hierarchical_f1_score(TRUE[0], PREDICTED[0], H),
            r"y_true must be .* got shape \(6,\) .*list of lists, one per sample",
        ),
        (
            lambda: hierarchical_f1_score(in_frame(TRUE).astype(str), PREDICTED, H),
            "Y to hold 0, 1 or NaN, got strings.* columns are named as labels",
        ),
        (
            lambda: (
                MultilabelStratifiedKFold(2, hierarchy=H)
                .split([0, 1], [["cow"], ["a"]])
                .__next__()
            ),
            "y holds labels that the hierarchy does not have: 'cow'",
        ),
    ],
)
def test_what_cannot_be_read_says_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("scale", [1e-320, 1e-200, 1e200, 1e308])
def test_weights_of_any_scale_give_the_same_metric(scale):
    weight = np.ones(N_SAMPLES)
    weight[::3] = 0
    for metric in LABEL_METRICS.values():
        expected = metric(TRUE, PREDICTED, H, sample_weight=weight)
        found = metric(TRUE, PREDICTED, H, sample_weight=weight * scale)
        assert found == pytest.approx(expected)
    expected = au_prc_score(TRUE, SCORES, sample_weight=weight)
    found = au_prc_score(TRUE, SCORES, sample_weight=weight * scale)
    assert found == pytest.approx(expected)


def test_weights_that_cannot_be_added_up_are_no_counts():
    X = np.zeros((N_SAMPLES, 2))
    huge = np.full(N_SAMPLES, 1e308)
    with pytest.raises(ValueError, match=r"whose sum is finite, got .* 1e\+308. Divid"):
        cooccurrence(TRUE, huge)
    with pytest.raises(ValueError, match="whose sum is finite"):
        HierarchicalPrototypeTransformer(H).fit(X, TRUE, sample_weight=huge)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([1.0], r"shape \(40,\), one weight per sample, got \(1,\)"),
        (np.full(N_SAMPLES, np.nan), "finite sample_weight, got NaN"),
        (np.r_[np.ones(39), -2], r"at least 0, got -2.0 at \(39,\)"),
        (np.ma.array(np.ones(N_SAMPLES), mask=WEIGHT == 0), "finite sample_weight"),
    ],
)
def test_wrong_weights_have_one_message_everywhere(weight, message):
    X = np.zeros((N_SAMPLES, 2))
    calls = [
        partial(hierarchical_f1_score, TRUE, PREDICTED, H),
        partial(au_prc_score, TRUE, SCORES),
        partial(label_rates, TRUE),
        partial(subsumption_hierarchy, TRUE),
        partial(HierarchicalPrototypeTransformer(H).fit, X, TRUE),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=message):
            call(sample_weight=weight)


# -- tables of other libraries ---------------------------------------------------------

TABLE = {"a": [1, 1, 0, 1], "a1": [1, 0, 0, None], "a2": [0, 1, 0, 1]}
TABLE_EDGES = {"a1": "a", "a2": "a"}


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
def test_tables_are_read_by_the_names_of_their_columns(make):
    expected = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0], [1, np.nan, 1]])
    order = ["a2", "a", "a1"]
    read = read_targets(make({name: TABLE[name] for name in order}), TABLE_EDGES)
    assert read.hierarchy.labels == tuple(order)
    columns = [order.index(name) for name in TABLE]
    np.testing.assert_array_equal(read.Y[:, columns], expected)
    known = make({name: values[:3] for name, values in TABLE.items()})
    assert hierarchical_f1_score(known, known, hierarchy=TABLE_EDGES) == 1
    truth = hierarchical_f1_score(make(TABLE), expected == 1, hierarchy=TABLE_EDGES)
    assert truth == 1  # what is unknown does not count
    closed = AncestorClosure(TABLE_EDGES).fit_transform(make(TABLE))
    np.testing.assert_array_equal(closed, expected)
    assert (
        len(list(MultilabelStratifiedKFold(2).split(expected, known_twice(make)))) == 2
    )


def known_twice(make):
    return make({name: (values[:3] * 2)[:4] for name, values in TABLE.items()})


@pytest.mark.parametrize("make", [pl.DataFrame, pa.table], ids=["polars", "pyarrow"])
def test_text_in_tables_is_no_indicator(make):
    with pytest.raises(ValueError, match="0, 1 or NaN, got strings"):
        read_targets(make({"a": ["x", "y"], "a1": ["0", "1"]}), {"a1": "a"})


def test_a_frame_without_data_is_an_error():
    lazy = pl.DataFrame({"a": [1, 0], "a1": [1, 0]}).lazy()
    with pytest.raises(TypeError, match=r"LazyFrame, which holds no data.*collect\(\)"):
        read_targets(lazy, {"a1": "a"})
    with pytest.raises(TypeError, match="Call its collect"):
        hierarchical_f1_score(lazy, lazy, hierarchy={"a1": "a"})
