"""Y as people have it: every container means the same to everyone who takes labels.

One small data set is handed over in many containers to one consumer of every kind. The
result is that of the plain indicators, exactly.
"""

import warnings
from collections import deque

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score
from sklearn.tree import DecisionTreeClassifier

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
    HierarchyWarning,
    HyperbolicHMC,
)
from skhmc._data.targets import read_targets
from skhmc.induction import cooccurrence, label_rates, subsumption_hierarchy
from skhmc.metrics import (
    HierarchicalScorer,
    au_prc_score,
    hierarchical_f1_score,
    hierarchical_violation_rate,
    precision_at_k_score,
)
from skhmc.model_selection import (
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
    RepeatedMultilabelStratifiedKFold,
    multilabel_train_test_split,
)
from skhmc.preprocessing import (
    AncestorClosure,
    HierarchicalLabelBinarizer,
    HierarchicalPrototypeTransformer,
)

# "Cats" stands under two parents; rows end early; two samples have no label
ROWS = [
    ["Animals", "Mammals", "Cats"],
    ["Animals", "Birds"],
    ["Pets", "Cats"],
    ["Animals", "Mammals", "Dogs"],
    ["Pets"],
    [],
    ["Pets", "Birds", "Small"],
] * 2
NAMES = [
    "Animals",
    "Animals/Mammals",
    "Animals/Mammals/Cats",
    "Animals/Birds",
    "Pets",
    "Pets/Cats",
    "Animals/Mammals/Dogs",
    "Pets/Birds",
    "Pets/Birds/Small",
]  # in the order in which they are met
H = Hierarchy(
    NAMES,
    [(name.rpartition("/")[0], name) for name in NAMES if "/" in name],
)
N_SAMPLES = len(ROWS)
LABELS = [["/".join(row)] if row else [] for row in ROWS]
Y = np.array(
    [[f"{'/'.join(row)}/".startswith(f"{name}/") for name in NAMES] for row in ROWS]
).astype(int)
X = np.random.default_rng(0).random((N_SAMPLES, 3))
PREDICTED = Y[::-1]


def test_the_data_by_hand():
    assert Hierarchy.from_levels(ROWS) == H
    np.testing.assert_array_equal(
        Y[:7],
        [
            [1, 1, 1, 0, 0, 0, 0, 0, 0],
            [1, 0, 0, 1, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 1, 1, 0, 0, 0],
            [1, 1, 0, 0, 0, 0, 1, 0, 0],
            [0, 0, 0, 0, 1, 0, 0, 0, 0],
            [0, 0, 0, 0, 0, 0, 0, 0, 0],
            [0, 0, 0, 0, 1, 0, 0, 1, 1],
        ],
    )


# -- containers ------------------------------------------------------------------------


def filled(blank):
    return [[*row, blank, blank, blank][:3] for row in ROWS]


# of numpy 2
STRINGS = np.dtypes.StringDType() if hasattr(np.dtypes, "StringDType") else object
FRAME = pd.DataFrame(filled(None), columns=["l1", "l2", "l3"])


def arrow(encode=False):
    columns = [pa.array(column) for column in zip(*filled(None), strict=True)]
    if encode:
        columns = [column.dictionary_encode() for column in columns]
    return pa.table(columns, names=["l1", "l2", "l3"])


def masked_text():
    values = np.array(filled("?"), dtype=object)
    return np.ma.array(values, mask=values == "?")


LEVELS = {
    "frame": lambda: FRAME,
    "frame of ''": lambda: FRAME.fillna(""),
    "frame of object": lambda: FRAME.astype(object),
    "frame of category": lambda: FRAME.astype("category"),
    "frame of string": lambda: FRAME.astype("string"),
    "frame of arrow": lambda: FRAME.astype("string[pyarrow]"),
    "frame with an index": lambda: FRAME.set_index(np.arange(N_SAMPLES)[::-1] * 3),
    "frame with spaces": lambda: (" " + FRAME + "  ").fillna(" "),
    "MultiIndex": lambda: pd.MultiIndex.from_frame(FRAME),
    "polars": lambda: pl.from_pandas(FRAME),
    "polars of categories": lambda: pl.from_pandas(FRAME).cast(pl.Categorical),
    "pyarrow": arrow,
    "pyarrow dictionaries": lambda: arrow(encode=True),
    "pyarrow batch": lambda: pa.RecordBatch.from_pandas(FRAME),
    "array of None": lambda: np.array(filled(None), dtype=object),
    "array of NaN": lambda: np.array(filled(np.nan), dtype=object),
    "array of NA": lambda: np.array(filled(pd.NA), dtype=object),
    "array of text": lambda: np.array(filled("")),
    "array of StringDType": lambda: np.array(filled(""), dtype=STRINGS),
    "Fortran array": lambda: np.asfortranarray(np.array(filled(""))),
    "masked array": masked_text,
    "a level more": lambda: FRAME.assign(l4=None),
}
ROWS_OF_NAMES = {
    "lists": lambda: LABELS,
    "tuple of tuples": lambda: tuple(map(tuple, LABELS)),
    "sets": lambda: [set(row) for row in LABELS],
    "all names": lambda: [[n for n, on in zip(NAMES, y, strict=True) if on] for y in Y],
    "names alone": lambda: [row[0] if row else [] for row in LABELS],
    "dict views": lambda: [dict.fromkeys(row).keys() for row in LABELS],
    "deques": lambda: deque(deque(row) for row in LABELS),
    "generator of generators": lambda: ((x for x in row) for row in LABELS),
    "iterator of lists": lambda: iter(LABELS),
    "map": lambda: map(frozenset, LABELS),
    "arrays": lambda: [np.array(row) for row in LABELS],
    "Series rows": lambda: [pd.Series(row, dtype=object) for row in LABELS],
    "Series": lambda: pd.Series(LABELS, index=range(5, 5 + N_SAMPLES)),
    "Series of arrow": lambda: pd.Series(
        LABELS, dtype=pd.ArrowDtype(pa.list_(pa.string()))
    ),
    "array of lists": lambda: pd.Series(LABELS).to_numpy(),
    "array of arrays": lambda: pd.Series(
        [np.array(row, dtype=object) for row in LABELS]
    ).to_numpy(),
    "polars": lambda: pl.Series(LABELS),
    "pyarrow": lambda: pa.array(LABELS),
    "pyarrow chunks": lambda: pa.chunked_array([LABELS[:4], LABELS[4:]]),
    "frame of one column": lambda: pd.DataFrame({"labels": LABELS}),
    "polars of one column": lambda: pl.DataFrame({"labels": LABELS}),
    "pyarrow of one column": lambda: pa.table({"labels": LABELS}),
}
PADDED_ROWS = {
    "None": lambda: [[*row, None] for row in LABELS],
    "NaN": lambda: pd.Series([[*row, np.nan, ""] for row in LABELS]),
    "polars with nulls": lambda: pl.Series([row or None for row in LABELS]),
    "polars with nulls in rows": lambda: pl.Series([[*row, None] for row in LABELS]),
    "pyarrow with nulls": lambda: pa.array([row or None for row in LABELS]),
    "Series with NaN": lambda: pd.Series([row or np.nan for row in LABELS]),
    "None for a row": lambda: [row or None for row in LABELS],
}


def frame(values=Y):
    return pd.DataFrame(values, columns=NAMES)


def arrow_columns(make):
    return pa.table([make(column) for column in Y.T], names=NAMES)


INDICATORS = {
    "frame": frame,
    "frame of category": lambda: frame().astype("category"),
    "frame of Int64": lambda: frame().astype("Int64"),
    "frame of arrow": lambda: frame(Y > 0).astype("bool[pyarrow]"),
    "frame of arrow integers": lambda: frame().astype("int8[pyarrow]"),
    "frame that only counts": lambda: pd.DataFrame(Y),
    "frame that counts in text": lambda: pd.DataFrame(Y).rename(columns=str),
    "polars": lambda: pl.DataFrame(Y, schema=NAMES),
    "polars of booleans": lambda: pl.DataFrame(Y > 0, schema=NAMES),
    "polars that only counts": lambda: pl.DataFrame(Y),
    "pyarrow": lambda: arrow_columns(pa.array),
    "pyarrow of booleans": lambda: arrow_columns(lambda column: pa.array(column > 0)),
    "pyarrow dictionaries": lambda: arrow_columns(
        lambda column: pa.array(column).dictionary_encode()
    ),
    "pyarrow decimals": lambda: arrow_columns(
        lambda column: pa.array(column).cast(pa.decimal128(20))
    ),
    "array of objects": lambda: Y.astype(object),
    "generator of rows": lambda: (row for row in Y.tolist()),
}
CONTAINERS = {
    f"{kind}: {name}": make
    for kind, group in [
        ("levels", LEVELS),
        ("names", ROWS_OF_NAMES),
        ("padded", PADDED_ROWS),
        ("indicators", INDICATORS),
    ]
    for name, make in group.items()
}


# -- consumers -------------------------------------------------------------------------


def tree():
    return DecisionTreeClassifier(max_depth=2, random_state=0)


def network(hierarchy=H):
    return HCALClassifier(hierarchy, max_iter=1, random_state=0)


FITTED = network()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    FITTED.fit(X, Y)


def answers(estimator, y):
    estimator.fit(X, y)
    return np.vstack([estimator.predict_proba(X), estimator.predict(X)])


def rows_of(splitter, y):
    splits = splitter.split(X, y)
    return [part.tolist() for split in splits for part in split]


def threshold(hierarchy=H):
    return HierarchicalThresholdClassifier(tree(), hierarchy=hierarchy, cv=2)


CONSUMERS = {
    "closure": lambda y: AncestorClosure(H).fit_transform(y),
    "fitted closure": lambda y: AncestorClosure(H).fit(Y).transform(y),
    "most specific": lambda y: AncestorClosure(H).fit(Y).inverse_transform(y),
    "binarizer": lambda y: HierarchicalLabelBinarizer(H).fit_transform(y),
    "fitted binarizer": lambda y: HierarchicalLabelBinarizer(H).fit(None).transform(y),
    "truth": lambda y: hierarchical_f1_score(y, PREDICTED, H),
    "prediction": lambda y: hierarchical_f1_score(PREDICTED, y, H),
    "ranking": lambda y: au_prc_score(y, PREDICTED * 0.5, hierarchy=H),
    "at k": lambda y: precision_at_k_score(y, PREDICTED * 0.5, k=1, hierarchy=H),
    "violations": lambda y: hierarchical_violation_rate(
        AncestorClosure(H).fit_transform(y), H
    ),
    "folds": lambda y: rows_of(MultilabelStratifiedKFold(3, hierarchy=H), y),
    "shuffled": lambda y: rows_of(
        MultilabelStratifiedShuffleSplit(2, random_state=0, hierarchy=H), y
    ),
    "repeated": lambda y: rows_of(
        RepeatedMultilabelStratifiedKFold(
            n_splits=2, n_repeats=2, random_state=0, hierarchy=H
        ),
        y,
    ),
    "parts": lambda y: multilabel_train_test_split(
        np.arange(N_SAMPLES), stratify=y, random_state=0, hierarchy=H
    ),
    "network": lambda y: answers(network(), y),
    "partial fit": lambda y: network().partial_fit(X, y).predict_proba(X),
    "coherent": lambda y: answers(CoherentClassifier(tree(), H), y),
    "threshold": lambda y: answers(threshold(), y),
    "prototypes": lambda y: HierarchicalPrototypeTransformer(H).fit_transform(X, y),
    "score": lambda y: FITTED.score(X, y),
    "scorer": lambda y: HierarchicalScorer(hierarchical_f1_score)(FITTED, X, y),
    "scorer of scores": lambda y: HierarchicalScorer(au_prc_score)(FITTED, X, y),
}
quiet = pytest.mark.filterwarnings("ignore:.*(filled up|nothing can be learnt|too few)")


# which take longer, and read Y as the others do
COSTLY = {
    "network",
    "partial fit",
    "threshold",
    "repeated",
    "prototypes",
    "scorer",
    "scorer of scores",
}
FEW = {
    "levels: frame",
    "levels: array of text",
    "levels: pyarrow dictionaries",
    "levels: MultiIndex",
    "names: generator of generators",
    "names: polars",
    "names: array of lists",
    "padded: pyarrow with nulls",
    "indicators: frame of category",
    "indicators: polars that only counts",
    "indicators: pyarrow of booleans",
}


def test_the_few_containers_are_there():
    assert set(CONTAINERS) > FEW and set(CONSUMERS) > COSTLY


def assert_same(found, plain, name):
    if sp.issparse(found):
        found = found.toarray()
    if isinstance(plain, list):  # of parts, which differ in length
        assert len(found) == len(plain)
        pairs = zip(found, plain, strict=True)
    else:
        pairs = [(found, plain)]
    for one, other in pairs:
        np.testing.assert_array_equal(one, other, err_msg=name)


@quiet
@pytest.mark.parametrize("consumer", CONSUMERS)
def test_every_container_means_the_same(consumer):
    use = CONSUMERS[consumer]
    plain = use(Y)
    for name, make in CONTAINERS.items():
        if consumer not in COSTLY or name in FEW:
            assert_same(use(make()), plain, name)


SLOW = ("network", "hyperbolic", "threshold", "prototypes")

# what needs no hierarchy makes that of the levels
WITHOUT_HIERARCHY = {
    "closure": lambda y, h: AncestorClosure(h).fit_transform(y),
    "network": lambda y, h: answers(network(h), y),
    "hyperbolic": lambda y, h: answers(HyperbolicHMC(h, max_iter=1, random_state=0), y),
    "coherent": lambda y, h: answers(CoherentClassifier(tree(), h), y),
    "threshold": lambda y, h: answers(threshold(h), y),
    "folds": lambda y, h: rows_of(MultilabelStratifiedKFold(3, hierarchy=h), y),
    "prototypes": lambda y, h: HierarchicalPrototypeTransformer(h).fit_transform(X, y),
}


@quiet
@pytest.mark.parametrize("consumer", WITHOUT_HIERARCHY)
def test_levels_without_a_hierarchy_are_those_of_from_levels(consumer):
    use = WITHOUT_HIERARCHY[consumer]
    plain = use(Y, H)
    for name, make in LEVELS.items():
        if consumer in SLOW and f"levels: {name}" not in FEW:
            continue
        assert_same(use(make(), None), plain, name)


def test_the_binarizer_learns_levels_as_from_levels_does():
    by_hand = HierarchicalLabelBinarizer(hierarchy=Hierarchy.from_levels(ROWS))
    for name, make in LEVELS.items():
        binarizer = HierarchicalLabelBinarizer()
        np.testing.assert_array_equal(
            binarizer.fit_transform(make()), by_hand.fit_transform(LABELS), err_msg=name
        )
        assert binarizer.hierarchy_ == H and list(binarizer.classes_) == NAMES
        np.testing.assert_array_equal(binarizer.transform(LABELS), Y)
    joined = HierarchicalLabelBinarizer(sep=" > ").fit(FRAME)
    assert joined.classes_[1] == "Animals > Mammals"
    np.testing.assert_array_equal(joined.transform(FRAME), Y)
    with pytest.raises(ValueError, match="sep=None has nothing to join names by"):
        HierarchicalLabelBinarizer(sep=None).fit(FRAME)


def test_the_binarizer_ignores_what_it_does_not_know_of_levels():
    binarizer = HierarchicalLabelBinarizer(H, unknown="ignore").fit(None)
    table = np.array([["Animals", "Fish", "Cod"], ["Plants", "", ""], ["Pets", "", ""]])
    expected = np.zeros((3, len(NAMES)))
    expected[0, 0] = expected[2, 4] = 1
    np.testing.assert_array_equal(binarizer.transform(table), expected)
    strict = HierarchicalLabelBinarizer(H).fit(None)
    with pytest.raises(ValueError, match=r"not have \('Animals', 'Fish', 'Cod'\)"):
        strict.transform(table)


def test_the_binarizer_takes_indicators_beside_a_hierarchy():
    open_ = np.zeros((2, len(NAMES)), int)
    open_[0, 2] = 1
    given = frame(open_)[NAMES[::-1]]
    found = HierarchicalLabelBinarizer(H, closed=False).fit_transform(given)
    np.testing.assert_array_equal(found, open_)
    found = HierarchicalLabelBinarizer(H).fit_transform(given)
    np.testing.assert_array_equal(found[0], Y[0])
    with pytest.raises(ValueError, match="AncestorClosure keeps what is unknown"):
        HierarchicalLabelBinarizer(H).fit_transform(given.replace(0, np.nan))


def test_metrics_of_levels_alone_have_one_hierarchy_of_both():
    truth, predicted = FRAME, FRAME[::-1].reset_index(drop=True)
    expected = hierarchical_f1_score(Y, PREDICTED, H)
    assert 0 < expected < 1
    assert hierarchical_f1_score(truth, predicted, None) == expected
    known = predicted.head(2), predicted.tail(2)
    assert hierarchical_f1_score(*known, None) == hierarchical_f1_score(*known, H)
    with pytest.raises(ValueError, match="no hierarchy says in which order"):
        hierarchical_f1_score(truth, PREDICTED, None)


def test_induction_takes_levels():
    names = NAMES[::-1]
    expected = cooccurrence(Y[:, ::-1]).toarray()
    for name, make in LEVELS.items():
        found = cooccurrence(make(), labels=names).toarray()
        np.testing.assert_array_equal(found, expected, err_msg=name)
    found = subsumption_hierarchy(FRAME, threshold=0.6)
    assert found == subsumption_hierarchy(Y, NAMES, threshold=0.6)
    for nameless in (cooccurrence, label_rates):
        with pytest.raises(ValueError, match="would not say which row"):
            nameless(FRAME)
    with pytest.raises(ValueError, match="'Pets/Birds/Small', which are not in labels"):
        cooccurrence(FRAME, labels=NAMES[:-1])


def test_levels_hold_the_labels_above():
    assert hierarchical_violation_rate(FRAME, H) == 0
    metric = {"hierarchy": H, "close": False}
    assert hierarchical_f1_score(FRAME, Y, **metric) == 1
    as_given = HierarchicalLabelBinarizer(closed=False).fit_transform(FRAME)
    np.testing.assert_array_equal(as_given, Y)
    below = HierarchicalLabelBinarizer(PLAIN, closed=False)
    found = below.fit_transform(np.array([["Mammals", "Cats"]]))
    assert found.sum() == 2  # Animals is not named


def test_closed_levels_keep_their_index():
    closure = AncestorClosure().set_output(transform="pandas")
    found = closure.fit_transform(FRAME.set_index(np.arange(N_SAMPLES) + 7))
    expected = frame().set_index(np.arange(N_SAMPLES) + 7)
    pd.testing.assert_frame_equal(found, expected)


def test_partial_fit_needs_the_hierarchy_of_all_levels():
    with pytest.raises(ValueError, match=r"hierarchy=Hierarchy.from_levels\(all rows"):
        network(None).partial_fit(X, FRAME)


# -- names of levels and of labels -----------------------------------------------------

PLAIN = Hierarchy.from_parents(
    {"Cats": "Mammals", "Dogs": "Mammals", "Mammals": "Animals", "Birds": "Animals"}
)
PLAIN_ROWS = [["Animals", "Mammals", "Cats"], ["Animals", "Birds", ""], ["", "", ""]]


def names_of(y, hierarchy):
    """Return the names of the labels of every row, sorted."""
    read = read_targets(y, hierarchy)
    dense = read.Y.toarray() if sp.issparse(read.Y) else read.Y
    labels = read.hierarchy.labels
    return [sorted(labels[k] for k in np.flatnonzero(row == 1)) for row in dense]


def test_levels_of_a_hierarchy_with_plain_names():
    expected = [["Animals", "Cats", "Mammals"], ["Animals", "Birds"], []]
    table = np.array(PLAIN_ROWS)
    assert names_of(table, PLAIN) == expected
    assert names_of(table[:, 1:], PLAIN) == expected  # below the root
    assert names_of(table, PLAIN.to_networkx()) == expected


def test_levels_of_a_DAG():
    dag = Hierarchy.from_parents({"Cats": ["Mammals", "Pets"], "Mammals": "Animals"})
    table = np.array([["Pets", "Cats", ""], ["Animals", "Mammals", "Cats"]])
    expected = ["Animals", "Cats", "Mammals", "Pets"]
    assert names_of(table, dag) == [expected, expected]


@pytest.mark.parametrize("sep", ["/", " > ", ".", "__", "::", " - "])
def test_levels_of_a_hierarchy_with_any_separator(sep):
    rows = [["Food / Drinks", "Tea"], ["Food / Drinks", "(other)"], ["Toys", "_misc"]]
    hierarchy = Hierarchy.from_levels(rows, sep=sep)
    found = names_of(np.array(rows), hierarchy)
    assert found == [sorted([row[0], sep.join(row)]) for row in rows]


def test_names_that_may_be_two_labels_are_asked_about():
    message = "'Cats' may be any of 'Animals/Mammals/Cats', 'Pets/Cats': give the col"
    with pytest.raises(ValueError, match=message):
        AncestorClosure(H).fit(np.array([["Cats", ""], ["Mammals", "Dogs"]]))
    found = names_of(np.array([["Mammals", "Cats"], ["Birds", "Small"]]), H)
    assert found == [
        ["Animals", "Animals/Mammals", "Animals/Mammals/Cats"],
        ["Pets", "Pets/Birds", "Pets/Birds/Small"],  # no other Birds has such a child
    ]


def test_levels_of_numbers():
    codes = np.array([[1, 11], [1, 12], [2, 21]])
    expected = [["1", "1/11"], ["1", "1/12"], ["2", "2/21"]]
    assert names_of(codes, Hierarchy.from_levels(codes)) == expected
    assert names_of(pd.DataFrame(codes), Hierarchy.from_levels(codes)) == expected
    ended = np.array([[1, 11], [1, np.nan]])
    assert names_of(ended, {11: 1, 12: 1}) == [[1, 11], [1]]
    with pytest.raises(ValueError, match=r"of levels hierarchy=Hierarchy.from_levels"):
        read_targets(codes, None)
    text = pd.DataFrame({"group": ["A", "A", "B"], "code": [1, 2, 1]})
    assert names_of(text, None) == [["A", "A/1"], ["A", "A/2"], ["B", "B/1"]]


def test_lists_of_names_stay_sets_of_names():
    rows = [["Cats", "Birds"], ["Mammals", "Dogs"]]
    expected = [["Animals", "Birds", "Cats", "Mammals"], ["Animals", "Dogs", "Mammals"]]
    assert names_of(rows, PLAIN) == expected
    message = r"Row 0 of Y, \('Cats', 'Birds'\), is no path .* read as sets of label"
    with pytest.warns(HierarchyWarning, match=message):
        assert names_of(np.array(rows), PLAIN) == expected


# -- what is asked or warned about -----------------------------------------------------


def wide(*columns):
    return pd.DataFrame(dict(zip(["Cats", "Dogs"], columns, strict=True)))


@pytest.mark.parametrize(
    ("y", "hierarchy", "message"),
    [
        (np.array([["0", "1"], ["1", "1"]]), None, "strings: '0', '1' and nothing"),
        (wide(["0", "1"], ["1", "1"]), None, r"as numbers, \(Y == '1'\).astype\(int"),
        (wide(["0", "1"], ["1", "1"]).astype("category"), None, "strings: '0', '1'"),
        (pl.from_pandas(wide(["0", "1"], ["1", "1"])), None, "strings: '0', '1' and"),
        (wide(["no", "yes"], ["no", "no"]), None, r"\(Y == 'yes'\).astype\(int\)"),
        (wide(["True", "False"], ["True", "True"]), None, "0, 1 or NaN, got strings"),
        (wide(["x", "x"], ["", "x"]), None, r"strings: 'x' and nothing else"),
        (wide(["x", ""], ["", "x"]), None, r"strings: 'x' and nothing else"),
        (wide(["x", ""], ["", "z"]), PLAIN, "columns are named as labels: write 1"),
        (wide(["x", "y"], ["z", "z"]), PLAIN, "such as 'x'. Its columns are named"),
        ([["0", "1"], ["1", "1"]], None, "rows of '0', '1' and nothing else"),
        (
            np.array([["0", "1", "0"]]),
            PLAIN,
            r"not have \('0', '1', '0'\).*0 and 1 as text write numbers",
        ),
        (
            pd.DataFrame({"id": ["s1", "s2"], "Cats": [0, 1], "Dogs": [1, np.nan]}),
            None,
            "'Cats', 'Dogs' of Y hold 0 and 1, the columns 'id' text. Leave out",
        ),
        (
            np.array([["Animals", "Fish", ""]]),
            PLAIN,
            r"\('Animals', 'Fish'\). Its labels are 'Mammals', .* one per sample",
        ),
        (
            np.array([["Cats", "Animals/Mammals", "x"], ["", "", ""]]),
            H,
            "one column per level, the root first, and the hierarchy does not have",
        ),
        (
            np.array([["Mammals", "Animals"], ["Small", "Birds"]]),
            Hierarchy.from_levels([["Animals", "Mammals"], ["Birds", "Small"]]),
            "stand in reverse: put the most general one first",
        ),
        (
            np.array([["Animals", "", "Cats"]]),
            H,
            "Row 0 has no name at level 1.*root first.*list of lists",
        ),
        (
            FRAME.astype(object).to_numpy().astype(str),
            None,
            "the text '(nan|None)'.*missing values become in an array of strings",
        ),
        (np.array([["", ""], ["", ""]]), None, "holds no label at all"),
        (pd.DataFrame({"a": ["x", "y"], "b": ["", ""]})[[]], H, "at least one label"),
        ([1, "a", 2], None, r"text, such as 'a', and numbers, such as 1.*str\(label\)"),
        (np.array(["a", 2.5], dtype=object), None, "text, such as 'a', and numbers"),
        (pd.Series(["a", True]), None, "and numbers, such as True"),
        (pl.Series(["a", None]), None, "1 of 2 samples have no label.*row 1. Leave"),
        (pa.array(["a", None]), None, "1 of 2 samples have no label"),
        (pd.Series(["a", None], dtype="category"), None, "samples have no label"),
        ([1, None, 2], None, "1 of 3 samples have no label"),
    ],
)
def test_what_decides_nothing_is_asked_about(y, hierarchy, message):
    with pytest.raises(ValueError, match=message):
        read_targets(y, hierarchy)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ({"a": [1, 0]}, "a mapping with the keys 'a'. .*pandas.DataFrame"),
        ({"samples": ["s"], "labels": [["a"]], "counts": {}}, "pass .labels"),
        ([{"a": 1}, {"b": 1}], r"labels of a sample. Expected a list .* such as \['a'"),
        ({"a", "b"}, "a set, whose order does not say"),
        ("abc", "got a str: 'abc'"),
        (np.array([b"a", b"b"]), r"bytes .*b'a'.*astype\(str\)"),
        ([[b"a"], b"b"], "bytes b'b' as a label"),
        (np.array([("a", 1)], dtype=[("x", "U1"), ("n", int)]), "fields 'x', 'n'"),
        (pl.DataFrame({"l1": ["a"], "l2": ["b"]}).lazy(), r"Call its collect\(\)"),
    ],
)
def test_what_has_no_rows_is_refused_everywhere(y, message):
    calls = [
        lambda: read_targets(y, H),
        lambda: AncestorClosure(H).fit(y),
        lambda: HierarchicalLabelBinarizer().fit(y),
        lambda: hierarchical_f1_score(y, y, H),
        lambda: rows_of(MultilabelStratifiedKFold(2), y),
        lambda: cooccurrence(y),
        lambda: threshold().fit(X[:2], y),
    ]
    for call in calls:
        with pytest.raises(TypeError, match=message):
            call()


def test_what_was_read_before_is_no_empty_y():
    spent = iter([])
    for call in (
        lambda: network().fit(X, spent),
        lambda: hierarchical_f1_score(spent, Y, H),
        lambda: HierarchicalLabelBinarizer().fit_transform(spent),
    ):
        with pytest.raises(ValueError, match="nothing left: it can be read once only"):
            call()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [["cat", "pet"], ["pet", "dog"], ["cat", ""]],
            "'pet' stand in the first column and in later ones.*sets of label names",
        ),
        (
            [["tabby", "cat", "animal"], ["lynx", "cat", "animal"], ["pug", "dog", "x"]]
            * 2,
            "3 names in 6 rows, the second 2. Are the levels in reverse.*'tabby' is ab",
        ),
        (
            [[f"s{k}", "ab"[k // 3], "xyzuvw"[k]] for k in range(6)],
            "6 names in 6 rows, the second 2.* is the first column an id",
        ),
    ],
)
def test_columns_that_are_perhaps_no_levels_are_warned_about(rows, message):
    for call in (
        lambda: HierarchicalLabelBinarizer().fit(np.array(rows)),
        lambda: read_targets(pd.DataFrame(rows), None),
        lambda: HierarchicalLabelBinarizer().fit_transform(np.array(rows)),
    ):
        with pytest.warns(HierarchyWarning, match=message) as caught:
            call()
        assert len(caught) == 1
    sure = Hierarchy.from_levels(rows)
    read_targets(np.array(rows), sure)  # said: nothing to warn about


def test_codes_that_stand_at_every_level_are_no_doubt():
    rows = [[f"{a:02}", f"{b:02}"] for a in range(1, 4) for b in range(1, 4)]
    assert len(HierarchicalLabelBinarizer().fit(np.array(rows)).classes_) == 12
    rows = [["Other", "Misc"], ["Toys", "Other"], ["Food", "Tea"], ["Home", "Bed"]]
    assert len(HierarchicalLabelBinarizer().fit(np.array(rows)).classes_) == 8


LEVEL_LISTS = [
    ["Animals", "Mammals", "Cats"],
    ["Animals", "Birds", "Owls"],
    ["Animals", "Mammals", "Dogs"],
    ["Plants", "Trees", "Oaks"],
    ["Plants", "Moss", ""],
]


@pytest.mark.filterwarnings("ignore:.*filled up")
def test_lists_that_look_like_levels_are_said():
    shorter = [row[: 3 - k % 2] for k, row in enumerate(LEVEL_LISTS)]
    message = r"look like levels.*\('Animals', 'Mammals', 'Cats'\).*pandas.DataFrame"
    for rows in (LEVEL_LISTS, shorter, pl.Series(LEVEL_LISTS)):
        for read in (
            lambda y: read_targets(y, None),
            lambda y: HierarchicalLabelBinarizer().fit_transform(y),
        ):
            with pytest.warns(HierarchyWarning, match=message):
                read(rows)
    flat = Hierarchy.flat(sorted({name for row in LEVEL_LISTS for name in row if name}))
    read_targets(LEVEL_LISTS, flat)  # said: nothing to warn about
    assert names_of(pd.DataFrame(LEVEL_LISTS), None)[4] == ["Plants", "Plants/Moss"]


@pytest.mark.parametrize("seed", range(20))
def test_sets_of_names_are_no_levels(seed):
    rng = np.random.default_rng(seed)
    names = [f"tag {k}" for k in range(rng.integers(3, 30))]
    rows = [
        sorted(rng.choice(names, size=rng.integers(1, 4), replace=False).tolist())
        for _ in range(rng.integers(5, 40))
    ]
    assert read_targets(rows, None).hierarchy.labels


# -- one label per sample --------------------------------------------------------------

ONE_EACH = ["Cats", "Birds", "Dogs", "Cats"] * 3
ONE_LABEL = {
    "tuple": tuple,
    "iterator": iter,
    "map": lambda y: map(str, y),
    "deque": deque,
    "Index": pd.Index,
    "Categorical": pd.Categorical,
    "Series": pd.Series,
    "Series of arrow": lambda y: pd.Series(y, dtype="string[pyarrow]"),
    "array of StringDType": lambda y: np.array(y, dtype=STRINGS),
    "polars": pl.Series,
    "polars categories": lambda y: pl.Series(y, dtype=pl.Categorical),
    "polars enum": lambda y: pl.Series(y, dtype=pl.Enum(sorted(set(y)))),
    "pyarrow": pa.array,
    "pyarrow dictionary": lambda y: pa.array(y).dictionary_encode(),
    "pyarrow chunks": lambda y: pa.chunked_array([y[:5], y[5:]]),
    "frame of one column": lambda y: pd.DataFrame({"y": y}),
    "polars of one column": lambda y: pl.DataFrame({"y": y}),
    "pyarrow of one column": lambda y: pa.table({"y": y}),
}
SEVERAL = ("iterator", "Categorical", "polars", "pyarrow", "frame of one column")
ONE_LABEL_CONSUMERS = {
    "network": lambda y: network(PLAIN).fit(X[:12], y).predict_proba(X),
    "coherent": lambda y: CoherentClassifier(tree(), PLAIN).fit(X[:12], y).predict(X),
    "threshold": lambda y: threshold(PLAIN).fit(X[:12], y).predict_proba(X),
    "folds": lambda y: [
        part.tolist()
        for split in MultilabelStratifiedKFold(2, hierarchy=PLAIN).split(X[:12], y)
        for part in split
    ],
    "binarizer": lambda y: HierarchicalLabelBinarizer(PLAIN).fit_transform(y),
    "metric": lambda y: hierarchical_f1_score(y, ONE_EACH[::-1], PLAIN),
    "score": lambda y: network(PLAIN).fit(X[:12], ONE_EACH).score(X[:12], y),
    "scorer": lambda y: HierarchicalScorer(hierarchical_f1_score)(
        network(PLAIN).fit(X[:12], ONE_EACH), X[:12], y
    ),
}


@quiet
@pytest.mark.parametrize("consumer", ONE_LABEL_CONSUMERS)
def test_one_label_per_sample_in_any_container(consumer):
    use = ONE_LABEL_CONSUMERS[consumer]
    plain = use(ONE_EACH)
    for name, make in ONE_LABEL.items():
        if name == "array of StringDType" and consumer != "binarizer":
            continue  # scikit-learn does not take it as classes
        if consumer in ("network", "score", "scorer", "threshold"):
            if name not in SEVERAL:
                continue
        np.testing.assert_array_equal(use(make(ONE_EACH)), plain, err_msg=name)


def test_one_number_per_sample_in_any_container():
    y = [3, 5, 3, 5, 5, 3]
    expected = network(None).fit(X[:6], y).predict_proba(X)
    for make in (pl.Series, pa.array, pd.array, iter, pd.Series):
        found = network(None).fit(X[:6], make(y))
        assert found.classes_.tolist() == [3, 5]
        np.testing.assert_array_equal(found.predict_proba(X), expected)


def test_a_class_without_a_name_is_said():
    with pytest.warns(UserWarning, match="y holds '' in 1 of 3 samples.*row 1. That"):
        assert read_targets(["a", "", "b"], None).classes.tolist() == ["", "a", "b"]


def test_labels_that_are_tuples():
    ab, ac = ("a", "b"), ("a", "c")
    hierarchy = Hierarchy.from_edges([(("a",), ab), (("a",), ac)])
    expected = np.array([[1, 1, 0], [1, 0, 1], [1, 0, 0]])
    rows = [ab, ac, ("a",)]
    array = np.empty(3, dtype=object)
    array[:] = rows
    for given in (rows, pd.Series(rows), array, iter(rows), [[row] for row in rows]):
        given = list(given) if isinstance(given, list) else given
        found = read_targets(given, hierarchy).Y.toarray()
        np.testing.assert_array_equal(found, expected)
    binarizer = HierarchicalLabelBinarizer(hierarchy)
    np.testing.assert_array_equal(binarizer.fit_transform(rows), expected)
    assert hierarchical_f1_score(rows, rows, hierarchy) == 1
    # names of which a row has several are names as before
    assert names_of([("Cats", "Birds")], PLAIN)[0][1] == "Birds"


def test_labels_of_two_types_in_lists():
    hierarchy = Hierarchy.from_edges([("a", 1), ("a", 2)])
    assert hierarchical_f1_score([[1], ["a"]], [[1], ["a"]], hierarchy) == 1


# -- unknown labels --------------------------------------------------------------------

UNKNOWN = {
    "frame": lambda Y: pd.DataFrame(Y, columns=NAMES),
    "Int64": lambda Y: pd.DataFrame(Y, columns=NAMES).astype("Int64"),
    "boolean": lambda Y: pd.DataFrame(Y, columns=NAMES).astype("boolean"),
    "boolean of arrow": lambda Y: (
        pd.DataFrame(Y, columns=NAMES).astype("boolean").astype("bool[pyarrow]")
    ),
    "category": lambda Y: pd.DataFrame(Y, columns=NAMES).astype("category"),
    "polars": lambda Y: pl.DataFrame(nullable(Y, int)),
    "polars of booleans": lambda Y: pl.DataFrame(nullable(Y, bool)),
    "pyarrow": lambda Y: pa.table(nullable(Y, int)),
    "pyarrow of booleans": lambda Y: pa.table(nullable(Y, bool)),
    "pyarrow dictionaries": lambda Y: pa.table(
        {n: pa.array(v).dictionary_encode() for n, v in nullable(Y, int).items()}
    ),
}


def nullable(Y, kind):
    """Return columns as lists in which None is unknown."""
    columns = [[None if np.isnan(x) else kind(x) for x in column] for column in Y.T]
    return dict(zip(NAMES, columns, strict=True))


@pytest.mark.parametrize("name", UNKNOWN)
def test_nulls_are_unknown(name):
    unknown = Y.astype(float)
    unknown[1, 3] = unknown[4, 4] = unknown[5, 0] = np.nan
    given = UNKNOWN[name](unknown)
    expected = read_targets(unknown, H).Y
    np.testing.assert_array_equal(read_targets(given, H).Y, expected, strict=True)
    closed = AncestorClosure(H).fit_transform(given)
    np.testing.assert_array_equal(np.asarray(closed, float), expected)
    metric = hierarchical_f1_score(given, PREDICTED, H)
    assert metric == hierarchical_f1_score(unknown, PREDICTED, H)


# -- weights beside leaf columns -------------------------------------------------------

added = pytest.mark.filterwarnings("ignore:Y has no columns for")
LEAVES = [NAMES[k] for k in H.leaves]


@added
@quiet
@pytest.mark.parametrize("in_frame", [False, True])
def test_weights_of_leaf_columns(in_frame):
    leaves = frame()[LEAVES]
    rows = np.arange(1, N_SAMPLES + 1)
    weight = np.repeat(rows[:, None], len(LEAVES), axis=1)
    if in_frame:
        weight = pd.DataFrame(weight, columns=LEAVES)[LEAVES[::-1]]
    for make in (
        network,
        lambda: CoherentClassifier(tree(), H, strategy="per_label"),
        lambda: HierarchicalThresholdClassifier(network(), hierarchy=H, cv=2),
    ):
        # ancestors weigh what all columns below them weigh
        found = make().fit(X, leaves, sample_weight=weight).predict_proba(X)
        expected = make().fit(X, leaves, sample_weight=rows).predict_proba(X)
        np.testing.assert_allclose(found, expected, rtol=1e-5)


@added
def test_what_added_ancestors_weigh():
    from skhmc._data.weights import match_weight

    tree_ = Hierarchy.from_parents({"a": "r", "b": "r"})
    table = pd.DataFrame({"a": [1, 0, 1], "b": [0, 0, 1]})
    targets = read_targets(table, tree_)
    weight = np.array([[2.0, 5.0], [2.0, 5.0], [2.0, 5.0]])
    found = match_weight(weight, table, targets)
    # one positive below; none of them; both
    np.testing.assert_array_equal(found, [[2, 5, 2], [2, 5, 2], [2, 5, 5]])
    with pytest.raises(ValueError, match=r"of shape \(14,\) or \(14, 9\), got \(14, 4"):
        network().fit(X, frame()[LEAVES], sample_weight=np.ones((N_SAMPLES, 4)))


# -- through scikit-learn --------------------------------------------------------------


@quiet
@pytest.mark.parametrize(
    "make", [lambda: FRAME, lambda: np.array(filled("")), lambda: LABELS]
)
def test_cross_validation_of_levels(make):
    options = {
        "cv": MultilabelStratifiedKFold(2, hierarchy=H),
        "scoring": HierarchicalScorer(hierarchical_f1_score, H),
    }
    estimator = CoherentClassifier(tree(), H)
    expected = cross_val_score(estimator, X, Y, **options)
    np.testing.assert_array_equal(
        cross_val_score(estimator, X, make(), **options), expected
    )


def test_rows_without_a_name_stay_and_that_is_said():
    rows = [["a"], [None], ["b", ""], [np.nan]]
    with pytest.warns(UserWarning, match="2 of these rows have no name left, .* row 1"):
        clf = CoherentClassifier(DummyClassifier(strategy="prior")).fit(
            np.zeros((4, 1)), rows
        )
    np.testing.assert_allclose(clf.predict_proba([[0.0]]), [[0.25, 0.25]])
    with pytest.warns(UserWarning) as record:
        HierarchicalLabelBinarizer().fit_transform([["a"], ["b", ""]])
    assert "no name left" not in str(record[0].message)
