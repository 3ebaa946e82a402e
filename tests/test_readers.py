"""What people have, read as the hierarchy that is meant: right, or refused."""

import re
import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from skhmc import CoherentClassifier, Hierarchy, HierarchyWarning
from skhmc.metrics import hierarchical_f1_score
from skhmc.preprocessing import (
    AncestorClosure,
    HierarchicalLabelBinarizer,
    TaxonomyEncoder,
)
from tests.hierarchies import hierarchies

SEEDS = st.integers(0, 2**32 - 1)
Y = np.array([[1, 1, 0], [1, 0, 1], [1, 1, 0]])  # of a root and two leaves
NONE = [None, np.nan, pd.NA, pd.NaT, "", "  "]


def pairs(hierarchy):
    """Return the edges by name."""
    return {(hierarchy.labels[a], hierarchy.labels[b]) for a, b in hierarchy.edges}


def same(found, expected):
    """Tell hierarchies of the same labels and edges, whatever their order."""
    return set(found.labels) == set(expected.labels) and pairs(found) == pairs(expected)


# -- tables of other libraries, which are not needed to test them ----------------------


class PolarsColumn:
    def __init__(self, values):
        self.values = values

    def to_list(self):
        return list(self.values)

    def to_numpy(self):
        return np.array(self.values, dtype=object)

    def __iter__(self):
        return iter(self.values)


class PolarsFrame:
    def __init__(self, columns):
        self.values = columns

    @property
    def columns(self):
        return list(self.values)

    def get_columns(self):
        return [PolarsColumn(values) for values in self.values.values()]


class LazyFrame(PolarsFrame):
    def get_columns(self):
        raise AttributeError("a lazy frame has no columns before it is collected")

    def collect(self):
        return PolarsFrame(self.values)


class ArrowColumn:
    def __init__(self, values):
        self.values = values

    def index(self, value):  # a method, unlike that of pandas
        return self.values.index(value)

    def to_numpy(self, zero_copy_only=True):
        return np.array(self.values, dtype=object)

    def to_pylist(self):
        return list(self.values)

    def __iter__(self):
        return iter(self.values)


class ArrowTable:
    def __init__(self, columns):
        self.column_names = list(columns)
        self.columns = [ArrowColumn(values) for values in columns.values()]


def polars(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def pyarrow(columns):
    return pytest.importorskip("pyarrow").table(columns)


FRAMES = [pd.DataFrame, PolarsFrame, LazyFrame, ArrowTable, polars, pyarrow]
every_frame = pytest.mark.parametrize("frame", FRAMES)


# -- children by parent ----------------------------------------------------------------


TREE = Hierarchy(
    ["root", "A", "B", "A1", "A2"],
    [("root", "A"), ("root", "B"), ("A", "A1"), ("A", "A2")],
)


@pytest.mark.parametrize(
    "children",
    [
        {"root": ["A", "B"], "A": ["A1", "A2"]},
        {"root": ("A", "B"), "A": ("A1", "A2"), "A1": [], "B": None},
        {"root": iter(["A", "B"]), "A": (x for x in ["A1", "A2"])},
        {"root": {"A": ["A1", "A2"], "B": []}},
        {"root": {"A": {"A1": {}, "A2": {}}, "B": {}}},
        {"root": [{"A": ["A1", "A2"]}, "B"]},
        {"root": ["A", "B", ""], "A": ["A1", None, "A2"]},
        pd.Series({"root": ["A", "B"], "A": ["A1", "A2"]}),
        pd.Series(["A", "B", "A1", "A2"], index=["root", "root", "A", "A"]),
    ],
)
def test_children(children):
    assert same(Hierarchy.from_children(children), TREE)


def test_children_stand_after_their_parents():
    children = {"root": ["A", "B"], "A": ["A1", "A2"]}
    assert Hierarchy.from_children(children) == TREE
    order = TREE.labels[::-1]
    assert Hierarchy.from_children(children, labels=order).labels == order
    assert Hierarchy.from_children({3: [1], 1: [2.0]}).labels == (1, 2, 3)


def test_a_nested_mapping_goes_to_the_children_wherever_it_is_given():
    nested = {"root": {"A": ["A1", "A2"], "B": {}}}
    assert same(Hierarchy.build(nested), TREE)
    with pytest.raises(ValueError, match="'root' are a mapping.*from_children"):
        Hierarchy.from_parents(nested)


def test_deeply_nested_mappings():
    nested = {}
    for k in range(3000, 0, -1):
        nested = {k: nested}
    assert Hierarchy.from_children(nested).depth.max() == 2999


@settings(max_examples=30)
@given(hierarchies(), SEEDS)
def test_children_and_parents_of_random_hierarchies(h, seed):
    order = np.random.default_rng(seed).permutation(h.labels).tolist()
    below = {x: h.children_of(x) for x in order}
    above = {x: h.parents_of(x) for x in order}
    for found in (
        Hierarchy.from_children(below),
        Hierarchy.from_children(pd.Series(below)),
        Hierarchy.from_parents(above),
        Hierarchy.from_parents(pd.Series(above)),
        Hierarchy.from_networkx(h.to_networkx().reverse(), h.labels, reverse=True),
    ):
        assert found == h


# -- parents by child ------------------------------------------------------------------


@pytest.mark.parametrize("missing", NONE)
def test_parents_that_are_missing(missing):
    parents = {
        "root": missing,
        "A": "root",
        "B": "root",
        "A1": "A",
        "A2": ["A", missing],
    }
    assert same(Hierarchy.from_parents(parents), TREE)
    column = pd.Series([missing, *"rra"], ["root", "A", "B", "A1"], dtype=object)
    column = column.replace({"r": "root", "a": "A"})
    expected = TREE.subset(["root", "A", "B", "A1"])
    assert same(Hierarchy.from_parents(column), expected)
    assert same(Hierarchy.build(column), expected)


CODES = {
    "code": ["root", "A", "B", "A1", "A2"],
    "above": [None, "root", "root", "A", "A"],
    "title": ["all", "first", "second", "one", "two"],
}
TWO = {name: CODES[name] for name in ("code", "above")}


@every_frame
def test_tables_of_parents(frame):
    table = frame(CODES)
    assert same(Hierarchy.from_parents(table, child="code", parent="above"), TREE)
    with pytest.raises(ValueError, match="which column holds labels.*'title'.*child="):
        Hierarchy.from_parents(table)
    with pytest.raises(ValueError, match="no column 'cod', only 'code', 'above'"):
        Hierarchy.from_parents(table, child="cod", parent="above")
    for build in (Hierarchy.build, Hierarchy.from_parents):
        assert same(build(frame(TWO)), TREE)
    named = {"code": TWO["code"], "parent": TWO["above"]}
    assert same(Hierarchy.from_edges(frame(named)), TREE)


@pytest.mark.parametrize(
    "columns",
    [
        {"parent": ["A", "A"], "child": ["x", "y"]},
        {"child": ["x", "y"], "parent": ["A", "A"]},
        {"note": ["1", "2"], "child": ["x", "y"], "parent": ["A", "A"]},
        {"code": ["x", "y"], "Parent Code": ["A", "A"]},
        {"parent_id": ["A", "A"], "id": ["x", "y"]},
        {"from": ["A", "A"], "to": ["x", "y"]},
        {"target": ["x", "y"], "source": ["A", "A"]},
    ],
)
def test_names_or_data_say_which_column_holds_parents(columns):
    expected = Hierarchy("Axy", [("A", "x"), ("A", "y")])
    assert same(Hierarchy.build(pd.DataFrame(columns)), expected)
    assert same(Hierarchy.from_edges(pd.DataFrame(columns)), expected)


def test_data_say_which_column_holds_parents():
    expected = Hierarchy("Axy", [("A", "x"), ("A", "y")])
    for names in (["a", "b"], ["b", "a"]):  # a root has a row
        table = pd.DataFrame({"a": ["x", "y", "A"], "b": ["A", "A", ""]})[names]
        assert same(Hierarchy.build(table), expected)
        assert same(Hierarchy.from_parents(table), expected)
    children = pd.DataFrame({"a": ["x", "y"], "b": ["A", "A"]})
    assert same(Hierarchy.from_parents(children), expected)
    assert same(Hierarchy.from_edges(children[["b", "a"]]), expected)
    for build, table in (
        (Hierarchy.build, children),  # or two parents of one label
        (Hierarchy.build, children[["b", "a"]]),
        (Hierarchy.from_parents, children[["b", "a"]]),
        (Hierarchy.from_edges, children),
    ):
        with pytest.raises(ValueError, match="Nothing says which column"):
            build(table)


@pytest.mark.parametrize(
    "columns",
    [
        {"x": ["a", "b"], "y": ["b", "c"]},  # a chain, up or down
        {"x": ["A", "A", "B"], "y": ["p", "q", "p"]},
        {"x": ["A", "A", "B"], "y": ["p", "q", None]},  # levels, of which one is short
        {"x": ["A", "B"], "y": ["p", None]},
        {"x": ["A", None], "y": ["p", None]},
        {"x": ["A", "A", "B"], "y": ["p", "q", "p"], "z": ["r", "s", "t"]},
    ],
)
def test_tables_that_say_nothing_are_refused(columns):
    table = pd.DataFrame(columns)
    for build in (Hierarchy.build, Hierarchy.from_parents):
        with pytest.raises(ValueError, match="Nothing says.*'x', 'y'.*from_levels"):
            build(table)


def test_one_name_of_two_is_enough():
    chain = pd.DataFrame({"x": ["a", "b"], "y": ["b", "c"]})
    assert pairs(Hierarchy.from_edges(chain)) == {("a", "b"), ("b", "c")}
    found = Hierarchy.from_parents(chain, child="x", parent="y")
    assert pairs(found) == {("b", "a"), ("c", "b")}
    assert same(Hierarchy.from_parents(chain, parent="y"), found)
    assert same(Hierarchy.from_parents(chain, child="x"), found)


def test_repeated_rows_are_several_parents_and_numbers_stay_whole():
    table = pd.DataFrame({"code": [1, 2, 3, 3], "up": [np.nan, 1, 1, 2]})
    found = Hierarchy.from_parents(table, child="code", parent="up")
    assert found == Hierarchy([1, 2, 3], [(1, 2), (1, 3), (2, 3)])
    assert {type(label) for label in found.labels} == {int}


@pytest.mark.parametrize(
    "column, expected",
    [
        (pd.Series({"x": "A", "y": "A"}), {("A", "x"), ("A", "y")}),
        (pd.Series({"x": "A", "A": "T"}), {("A", "x"), ("T", "A")}),
        (pd.Series([np.nan, 1, 1], [1, 2, 3]), {(1, 2), (1, 3)}),
        (pd.Series([None, 0, 0]), {(0, 1), (0, 2)}),
        (pd.Series({"x": "A00.1", "A00.1": "A00"}), {("A00.1", "x"), ("A00", "A00.1")}),
        (pd.Series(["A/x", "A/y"]), {("A", "A/x"), ("A", "A/y")}),
        (pd.Series({"r": "A > x", "s": "A"}), {("A", "A > x")}),
        (pd.Series([("A", "x"), ("A", "y")]), {("A", "x"), ("A", "y")}),
        (pd.Series(["A", "B"]), set()),
    ],
)
def test_a_series_is_paths_or_parents(column, expected):
    assert pairs(Hierarchy.build(column)) == expected


@pytest.mark.parametrize(
    "column",
    [
        pd.Series({"x": "A", "y": "B"}),  # a flat list, or two trees?
        pd.Series({"A": ["x", "y"]}),
        pd.Series(["A/x", None]),
    ],
)
def test_a_series_that_says_nothing_is_refused(column):
    with pytest.raises(ValueError, match="paths, or parents.*from_parents"):
        Hierarchy.build(column)


# -- one column per level --------------------------------------------------------------


LEVELS = Hierarchy.from_paths(["food/other", "toys/other/big", "toys/cars", "books"])


@pytest.mark.parametrize("missing", NONE)
@pytest.mark.parametrize("kind", [list, np.array, pd.DataFrame])
def test_levels_end_where_names_are_missing(missing, kind):
    rows = [
        ["food", "other", missing],
        ["toys ", "other", "big"],
        [" toys", "cars", missing],
        ["books", missing, missing],
        [missing, missing, missing],
    ]
    rows = np.array(rows, dtype=object) if kind is np.array else kind(rows)
    assert Hierarchy.from_levels(rows) == LEVELS


@every_frame
def test_tables_of_levels(frame):
    columns = {
        "l1": ["food", "toys", "toys", "books"],
        "l2": ["other", "other", "cars", None],
        "l3": [None, "big", None, None],
    }
    assert Hierarchy.from_levels(frame(columns)) == LEVELS


def test_short_rows_and_rows_that_repeat():
    rows = [("food", "other"), ["toys", "other", "big"], ("toys", "cars"), ("books",)]
    assert Hierarchy.from_levels(rows + rows[::-1]) == LEVELS
    assert Hierarchy.from_levels(iter(rows)) == LEVELS
    assert Hierarchy.from_levels([["A", "A"], ["B"]]).labels == ("A", "A/A", "B")
    dotted = Hierarchy.from_levels([["a/b"], ["a", "b"]], sep=" > ")
    assert dotted.labels == ("a/b", "a", "a > b")


def test_levels_of_numbers():
    for table in (
        pd.DataFrame({"a": [1, 1, 2], "b": [11, 12, None]}),
        np.array([[1, 11], [1, 12], [2, np.nan]]),
        np.ma.masked_equal([[1, 11], [1, 12], [2, 0]], 0),
        [[1, 11], [1, 12], [2]],
    ):
        assert Hierarchy.from_levels(table).labels == ("1", "1/11", "1/12", "2")


@pytest.mark.parametrize(
    "levels, error, message",
    [
        ([["a", "b", "c"], ["a", "", "c"]], ValueError, "Row 1 has no name at level 1"),
        ([[None, "b"]], ValueError, "Row 0 has no name at level 0"),
        (np.array([["a", "b"], ["c", np.nan]]), ValueError, "Row 1 ends.*text 'nan'"),
        (pd.DataFrame([["a", "<NA>"]]), ValueError, "text '<NA>'.*Give None or ''"),
        ([["a/b"], ["a", "b"]], ValueError, "both be named 'a/b'.*sep that no name"),
        (["a/b", "c"], TypeError, r"one column per level.*'a/b'.*from_paths"),
        ({"l1": ["a"]}, TypeError, "one column per level"),
        (3, TypeError, "one column per level.*got 3"),
        ([[["a"], "b"]], TypeError, r"A level must be a name or a number, got \['a'\]"),
    ],
)
def test_levels_that_are_refused(levels, error, message):
    with pytest.raises(error, match=message):
        Hierarchy.from_levels(levels)
    with pytest.raises(ValueError, match="sep must be text that joins names, got ''"):
        Hierarchy.from_levels([["a"]], sep="")


# -- paths -----------------------------------------------------------------------------


ANIMALS = ["Animals > Mammals > Cats", "Animals > Mammals > Dogs", "Animals > Birds"]
ANIMAL_EDGES = {
    ("Animals", "Animals > Mammals"),
    ("Animals", "Animals > Birds"),
    ("Animals > Mammals", "Animals > Mammals > Cats"),
    ("Animals > Mammals", "Animals > Mammals > Dogs"),
}


@pytest.mark.parametrize("kind", [list, iter, np.array, pd.Series, tuple, ArrowColumn])
def test_the_separator_is_found_in_every_container(kind):
    for build in (Hierarchy.build, Hierarchy.from_paths):
        assert pairs(build(kind(ANIMALS))) == ANIMAL_EDGES


SEPARATORS = ["/", ">", "|", "::", ";", "\\", "->", "=>", ">>", " - ", "__", ".", ":"]
SEPARATORS += [
    f" {sep} " for sep in ("/", ">", "|", "::", ";", "->", "\u203a", "\u2192")
]
SEPARATORS += ["; ", "\u00bb"]


@pytest.mark.parametrize("sep", SEPARATORS)
def test_every_usual_separator_is_found(sep):
    paths = [path.replace(" > ", sep) for path in ANIMALS]
    edges = {tuple(x.replace(" > ", sep) for x in edge) for edge in ANIMAL_EDGES}
    for build in (Hierarchy.build, Hierarchy.from_paths):
        assert pairs(build(paths)) == edges
    assert pairs(Hierarchy.from_paths(paths, sep=sep)) == edges


def test_parts_are_stripped():
    expected = Hierarchy.from_paths(["Pets > Cats", "Pets > Dogs", "Pets > Emus"])
    assert expected.labels[0] == "Pets" and expected.n_labels == 4
    ragged = ["Pets > Cats", "Pets  > Dogs ", " Pets >Emus\n", "Pets "]
    assert Hierarchy.from_paths(ragged) == expected
    assert Hierarchy.from_paths(ragged, sep=">") == expected
    assert Hierarchy.build(ragged) == expected
    for mixed in (["Food / Coffee/Tea", "Food / Bread"], ["Code > R>5", "Code > C"]):
        assert Hierarchy.from_paths(mixed).labels == (mixed[0][:4], *mixed)
    wifi = ["Wi-Fi - Routers", "Wi-Fi - Cards - Old"]
    assert Hierarchy.build(wifi).labels[:2] == ("Wi-Fi", "Wi-Fi - Routers")
    hyphens = ["Books - Fiction/Crime", "Books - Plays - Old", "Books"]
    assert pairs(Hierarchy.from_paths(hyphens)) == {
        ("Books", "Books - Fiction/Crime"),
        ("Books", "Books - Plays"),
        ("Books - Plays", "Books - Plays - Old"),
    }


def test_a_published_taxonomy_with_ids():
    lines = [
        "# Google_Product_Taxonomy_Version: 2021-09-21\n",
        "1 - Animals & Pet Supplies\n",
        "3237 - Animals & Pet Supplies > Live Animals\n",
        "2 - Animals & Pet Supplies > Pet Supplies\n",
        "499954 - Animals & Pet Supplies > Pet Supplies > Bird/Fish Supplies\n",
        "\n",
    ]
    root = "Animals & Pet Supplies"
    expected = [root, f"{root} > Live Animals", f"{root} > Pet Supplies"]
    expected.append(f"{root} > Pet Supplies > Bird/Fish Supplies")
    for sep in ("auto", ">", " > "):
        assert list(Hierarchy.from_paths(lines, sep=sep).labels) == expected
    assert list(Hierarchy.build(lines[1:-1]).labels) == expected
    tabs = [line.replace(" - ", "\t") for line in lines]
    assert list(Hierarchy.from_paths(tabs).labels) == expected


@pytest.mark.parametrize(
    "names",
    [
        ["cat", "dog", "emu"],
        ["a.b", "c", "d", "e"],  # one name in four holds a full stop
        ["x > 5", "y", "z"],
        ["New York - USA", "Boston - USA"],  # no part is shared from the root on
        ["cat.png", "dog.png"],
        ["yes", "no", "N/A"],
        ["GO:0008150", "GO:0003674"],
        ["R&D", "Wi-Fi", "snake_case", "a, b", "12:30"],
        ["one label"],
        ["Paris, Texas", "Paris, Ontario"],
        ["new_york_city", "new_york_state"],
    ],
)
def test_flat_on_purpose_stays_flat(names):
    for found in (Hierarchy.build(names), Hierarchy.build(pd.Series(names))):
        assert found == Hierarchy.flat(names)
    assert Hierarchy.from_paths(names, sep=None) == Hierarchy.flat(names)
    Y = HierarchicalLabelBinarizer().fit([[name] for name in names])
    assert Y.classes_.tolist() == sorted(names) and not len(Y.hierarchy_.edges)


def test_flat_hierarchies_keep_separators_in_names():
    assert Hierarchy.flat(ANIMALS).labels == tuple(ANIMALS)
    assert Hierarchy.build(None, ANIMALS).labels == tuple(ANIMALS)


@pytest.mark.parametrize(
    "paths, options, message",
    [
        (["A > B/x", "A > B/y"], {}, r"Several separators fit.*' > ', '/'.*sep=' > '"),
        (["a.b", "a.c"], {}, r"hold '\.', such as 'a.b'.*sep='\.'.*Hierarchy\.flat"),
        (["Action|War", "War|Drama"], {}, "'War' stand first.*later.*several labels"),
        (
            ["A > B", "A > C"],
            {"sep": "/"},
            r"No path holds .* '/', but they hold ' > '",
        ),
        (["a:b", "a:c"], {}, "hold ':', such as 'a:b'"),
        (["A, B, C", "A, B, D"], {}, "hold ', ', such as"),
        (["a/b"], {"sep": ""}, "sep must be what separates.*got ''"),
        (["a/b"], {"sep": 3}, "sep must be what separates.*got 3"),
        (["A > B", "A > > C"], {}, "'A > > C' has an empty part.*'a > b'"),
        (
            ["/a/b"],
            {},
            r"'/a/b' has .*path\.strip\('/'\).*from_paths\(paths, sep=None\)",
        ),
    ],
)
def test_paths_that_are_refused(paths, options, message):
    with pytest.raises(ValueError, match=message):
        Hierarchy.from_paths(paths, **options)


def test_what_was_asked_for_can_be_said():
    two = ["A > B/x", "A > B/y"]
    assert Hierarchy.from_paths(two, sep=" > ").labels == ("A", *two)
    assert Hierarchy.from_paths(["a.b", "a.c"], sep=".").labels == ("a", "a.b", "a.c")
    genres = Hierarchy.from_paths(["Action|War", "War|Drama"], sep="|")
    assert pairs(genres) == {("Action", "Action|War"), ("War", "War|Drama")}


@settings(max_examples=60)
@given(
    hierarchies(max_parents=1, max_labels=16),
    SEEDS,
    st.sampled_from([" > ", ">", "/", " / ", "|", "::", " -> ", "; ", "\\"]),
)
def test_paths_and_levels_of_random_forests(h, seed, sep):
    rng = np.random.default_rng(seed)
    path = {}
    for k in np.argsort(h.depth, kind="stable"):
        label = h.labels[k]
        above = path[h.parents_of(label)[0]] if h.parents_of(label) else []
        path[label] = [*above, f"n{label} x"]
    joined = {label: sep.join(parts) for label, parts in path.items()}
    edges = [(joined[a], joined[b]) for a, b in pairs(h)]
    expected = Hierarchy(joined.values(), edges)
    leaves = [h.labels[k] for k in rng.permutation(h.leaves)]
    padded = [
        f"{' ' * rng.integers(2)}{joined[x]}{' ' * rng.integers(3)}" for x in leaves
    ]
    with warnings.catch_warnings():  # of one path "a/b", which may be a name
        warnings.simplefilter("ignore", HierarchyWarning)
        assert same(Hierarchy.from_paths(padded), expected)
    assert same(Hierarchy.from_paths(padded, sep=sep), expected)
    if 2 * sum(sep in joined[x] for x in leaves) >= len(leaves):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", HierarchyWarning)
            built = Hierarchy.build(padded)
        # a single "a/b" among names is one, as "Rock/Pop" is
        may_be_name = sep.strip() == "/" and len(expected.edges) == 1
        stays_flat = len(built.edges) == 0
        assert same(built, expected) or (may_be_name and stays_flat)
    width = max(map(len, path.values()))
    rows = [path[x] + [None] * (width - len(path[x])) for x in leaves]
    for levels in (rows, pd.DataFrame(rows), [path[x] for x in leaves]):
        assert same(Hierarchy.from_levels(levels, sep=sep), expected)


# -- paths in the binarizer, the encoder and estimators --------------------------------


def test_the_binarizer_finds_the_separator():
    rows = [["Animals > Mammals > Cats"], ["Animals > Birds", "Plants"], []]
    binarizer = HierarchicalLabelBinarizer()
    Y = binarizer.fit_transform(rows)
    names = ["Animals", "Animals > Birds", "Animals > Mammals", ANIMALS[0], "Plants"]
    assert binarizer.classes_.tolist() == names
    assert Y.tolist() == [[1, 0, 1, 1, 0], [1, 1, 0, 0, 1], [0] * 5]
    for other in ("Animals>Mammals", " Animals > Mammals ", ("Animals", "Mammals")):
        assert binarizer.transform([[other]]).tolist() == [[1, 0, 1, 0, 0]]
    given = HierarchicalLabelBinarizer(Hierarchy.from_paths(ANIMALS)).fit(None)
    for other in (ANIMALS[0], "Animals>Mammals>Cats", ("Animals", "Mammals", "Cats")):
        assert given.inverse_transform(given.transform([[other]])) == [(ANIMALS[0],)]
    by_name = HierarchicalLabelBinarizer({"cat": "mammal"}).fit(None)
    assert by_name.transform([["mammal > cat"]]).tolist() == [[1, 1]]


def test_the_binarizer_asks_too():
    for names in (["a.b", "a.c"], ["A > B/x", "A > B/y"]):
        with pytest.raises(ValueError, match="sep="):
            HierarchicalLabelBinarizer().fit([names])
        flat = HierarchicalLabelBinarizer(sep=None).fit([names])
        assert flat.classes_.tolist() == names
    with pytest.raises(ValueError, match="No path holds .* '/', but they hold ' > '"):
        HierarchicalLabelBinarizer(sep="/").fit([ANIMALS])
    with pytest.raises(ValueError, match="sep must be what separates"):
        HierarchicalLabelBinarizer(sep="").fit([ANIMALS])


def test_what_can_be_read_once_is_read_once():
    binarizer = HierarchicalLabelBinarizer()
    rows = [iter("ab"), iter("a")]
    assert binarizer.fit_transform(rows).tolist() == [[1, 1], [1, 0]]
    assert binarizer.fit_transform(map(iter, ["ab", "a"])).tolist() == [[1, 1], [1, 0]]
    above = {"cat": iter(["mammal"]), "dog": {"mammal": 1}.keys()}
    expected = Hierarchy(
        ["mammal", "cat", "dog"], [("mammal", "cat"), ("mammal", "dog")]
    )
    assert Hierarchy.from_parents(above) == expected
    assert Hierarchy.build(iter(ANIMALS)) == Hierarchy.build(ANIMALS)


def test_hierarchies_that_can_be_read_once():
    edges = [(0, 1), (0, 2)]
    for make in (lambda: iter(edges), lambda: zip([0, 0], [1, 2], strict=True)):
        assert hierarchical_f1_score(Y, Y[[1, 0, 2]], hierarchy=make()) == 2 / 3
        closed = AncestorClosure(make()).fit_transform([[0, 1, 0], [0, 0, 1]])
        assert closed.tolist() == [[1, 1, 0], [1, 0, 1]]
    once = iter(edges)
    AncestorClosure(once).fit([[0, 1, 0]])
    with pytest.raises(ValueError, match="list_iterator has nothing left.*Pass a list"):
        AncestorClosure(once).fit([[0, 1, 0]])


def test_the_encoder_finds_the_separator():
    X = [[path] for path in ANIMALS]
    expected = sorted(Hierarchy.from_paths(ANIMALS).labels)
    for taxonomies in ("paths", ANIMALS):
        encoder = TaxonomyEncoder(taxonomies, sparse_output=False).fit(X)
        assert sorted(encoder.taxonomies_[0].labels) == expected
        assert encoder.transform([["Animals>Birds"]]).sum() == 2
        assert encoder.transform([["Animals > Birds > Emu"]]).sum() == 2


def test_estimators_and_metrics_take_taxonomy_strings():
    y = [[ANIMALS[k]] for k in (0, 1, 2, 0, 1, 2)] + [[], []]
    X = [[0.0], [1], [2], [0], [1], [2], [3], [3]]
    clf = CoherentClassifier(DecisionTreeClassifier(), hierarchy=ANIMALS).fit(X, y)
    assert pairs(clf.hierarchy_) == ANIMAL_EDGES
    worse = [[ANIMALS[1]], *y[1:]]  # wrong in one leaf, right above it
    assert hierarchical_f1_score(y, worse, hierarchy=ANIMALS) == pytest.approx(15 / 16)


# -- graphs ----------------------------------------------------------------------------


ONTOLOGY = nx.MultiDiGraph()  # as ontology readers give it: edges child -> parent
for _edge in [("cat", "mammal", "is_a"), ("dog", "mammal", "is_a")]:
    ONTOLOGY.add_edge(*_edge[:2], key=_edge[2])
ONTOLOGY.add_edge("tail", "cat", key="part_of")
ONTOLOGY.add_edge("cat", "tail", key="has_part")


def test_relations_of_a_multigraph_are_chosen():
    up = {"relations": "is_a", "reverse": True}
    found = Hierarchy.from_networkx(ONTOLOGY, **up)
    assert pairs(found) == {("mammal", "cat"), ("mammal", "dog")}
    up["relations"] = ["is_a", "part_of"]
    found = Hierarchy.from_networkx(ONTOLOGY, **up)
    assert pairs(found) == {("mammal", "cat"), ("mammal", "dog"), ("cat", "tail")}
    down = Hierarchy.from_networkx(ONTOLOGY, relations="has_part")
    assert pairs(down) == {("cat", "tail")}
    as_it_is = Hierarchy.from_networkx(ONTOLOGY, relations="is_a", reverse=False)
    assert pairs(as_it_is) == {("cat", "mammal"), ("dog", "mammal")}


@pytest.mark.parametrize(
    "options, message",
    [
        ({}, "'is_a': 2, 'has_part': 1, 'part_of': 1"),
        ({"reverse": True}, "Choose those that join labels"),
        ({"relations": "isa"}, r"names 'isa', but.*'is_a': 2"),
        ({"relations": []}, "names none, but"),
        ({"relations": "is_a"}, "'is_a' runs child -> parent.*reverse=True where"),
    ],
)
def test_relations_that_must_be_chosen(options, message):
    with pytest.raises(ValueError, match=message):
        Hierarchy.from_networkx(ONTOLOGY, **options)
    with pytest.raises(ValueError, match="Choose those that join labels"):
        Hierarchy.build(ONTOLOGY)


def test_graphs_without_relations_are_read_as_before():
    for kind in (nx.DiGraph, nx.MultiDiGraph):
        graph = kind([("mammal", "cat")])
        assert pairs(Hierarchy.build(graph)) == {("mammal", "cat")}
        back = Hierarchy.from_networkx(graph, reverse=True)
        assert pairs(back) == {("cat", "mammal")}
    with pytest.raises(ValueError, match="names 'is_a'.*the keys none"):
        Hierarchy.from_networkx(nx.DiGraph([("a", "b")]), relations="is_a")
    with pytest.raises(TypeError, match="networkx.DiGraph, got a dict"):
        Hierarchy.from_networkx({"a": "b"})


# -- integers that may be counted from 1 -----------------------------------------------


def test_integers_from_1_are_asked_about():
    ids = {2: 1, 3: 1}
    with pytest.raises(
        ValueError, match=r"1 to 3, and the 3 columns.*range\(1, 4\)\)\."
    ):
        hierarchical_f1_score(Y, Y, hierarchy=ids)
    wide = np.column_stack([Y, [0, 1, 0]])
    assert hierarchical_f1_score(wide, wide, hierarchy=ids) == 1  # there is a 0, too
    first = Hierarchy.build(ids, labels=range(1, 4))
    assert hierarchical_f1_score(Y, Y, hierarchy=first) == 1
    second = Hierarchy.build(ids, labels=range(4))
    assert hierarchical_f1_score(wide, wide, hierarchy=second) == 1
    with pytest.raises(ValueError, match="labels 7, which are no positions.*Which col"):
        hierarchical_f1_score(Y, Y, hierarchy={7: 0})


def test_integers_from_0_are_positions():
    assert hierarchical_f1_score(Y, Y, hierarchy={1: 0, 2: 0}) == 1
    assert hierarchical_f1_score(Y, Y, hierarchy={2: 1, 1: 0}) == 1


# -- errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "build, error, message",
    [
        (
            lambda: Hierarchy.build(["a/b", ("a", "c")]),
            TypeError,
            r"'a/b' together with",
        ),
        (lambda: Hierarchy.from_paths("a/b"), TypeError, "a list of paths, got one"),
        (lambda: Hierarchy.from_edges([(["a"], "b")]), TypeError, r"hashable.*\['a'\]"),
        (lambda: Hierarchy("ab", [(["a"], "b")]), TypeError, r"hashable.*\['a'\]"),
        (lambda: Hierarchy([("a", ["b"])]), TypeError, r"hashable.*\('a', \['b'\]\)"),
        (lambda: Hierarchy.from_children({"a": [["b"]]}), TypeError, r"got \['b'\]"),
        (lambda: Hierarchy.from_children(["a"]), TypeError, "children by parent.*list"),
        (lambda: Hierarchy.from_children({None: ["a"]}), ValueError, "parent is miss"),
        (lambda: Hierarchy.from_parents(["a"]), TypeError, "parents by child.*list"),
        (lambda: Hierarchy.from_parents({"": "a"}), ValueError, "A child is missing"),
        (
            lambda: Hierarchy.from_parents({"a": "b"}, child="x"),
            ValueError,
            "columns of a table, got a dict",
        ),
        (
            lambda: Hierarchy.from_edges([("a", None)]),
            ValueError,
            "end missing.*from_p",
        ),
        (lambda: Hierarchy.from_edges([{"a", "b"}]), ValueError, "must be a pair"),
        (
            lambda: Hierarchy.from_children({"a": ["b"], "b": ["a"]}),
            ValueError,
            "cycle: (a -> b -> a|b -> a -> b)",
        ),
        (lambda: Hierarchy.from_children({"a": {"a": []}}), ValueError, "parent: 'a'"),
        (
            lambda: Hierarchy.from_parents(
                pd.DataFrame([["a", "b"]], columns=["x"] * 2)
            ),
            ValueError,
            "need different names, got 'x', 'x'",
        ),
    ],
)
def test_errors_name_what_was_got(build, error, message):
    with pytest.raises(error, match=message):
        build()


# -- size ------------------------------------------------------------------------------


def test_ancestors_of_a_long_chain():
    n_labels = 3000
    chain = Hierarchy.from_parents({k: k - 1 for k in range(1, n_labels)})
    counts = np.diff(chain.ancestors.indptr)
    assert counts.tolist() == list(range(n_labels))
    assert chain.ancestors[[2999]].indices.tolist() == list(range(2999))
    assert np.diff(chain.descendants.indptr).tolist() == list(range(n_labels))[::-1]


def test_ancestors_that_do_not_fit_are_refused():
    n_labels = 100_000
    chain = Hierarchy.from_edges([(k, k + 1) for k in range(n_labels - 1)])
    with pytest.raises(ValueError, match="100000 labels have 4999950000 pairs.*79 GiB"):
        _ = chain.ancestors
    assert chain.ancestors_of(3) == [0, 1, 2]
    assert chain.descendants_of(n_labels - 2) == [n_labels - 1]


@settings(max_examples=30)
@given(hierarchies())
def test_ancestors_by_name_are_those_of_the_matrix(h):
    for matrix, named in (
        (h.ancestors, h.ancestors_of),
        (h.descendants, h.descendants_of),
    ):
        for label in h.labels:
            row = matrix[[h.position(label)]].indices
            assert named(label) == [h.labels[k] for k in row]


def test_names_of_a_path_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="has 30000 parts.*would take 1 GiB"):
        Hierarchy.from_paths(["/".join(["a"] * 30_000)])
    assert Hierarchy.from_paths(["/".join(["a"] * 2000)]).n_labels == 2000


def test_a_cycle_is_shown_by_ten_labels():
    edges = [(f"n{k}", f"n{(k + 1) % 1000}") for k in range(1000)]
    edges += [("top", "n0"), ("n0", "below")]
    with pytest.raises(ValueError, match=r"-> \.\.\. -> n\d+ \(1000 labels") as caught:
        Hierarchy.from_edges(edges)
    assert str(caught.value).count("->") == 11
    long = [("x" * 10**6, "y" * 10**6), ("y" * 10**6, "x" * 10**6)]
    with pytest.raises(ValueError, match=r"cycle: .*\(1000002 characters\)") as caught:
        Hierarchy.from_edges(long)
    assert len(str(caught.value)) < 1000


# -- names and paths that look alike ---------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ["R&B", "Rock/Pop", "Jazz", "N/A"],
        ["Rock/Pop", "Folk", "Jazz", "Soul"],
        ["USB 3.0", "USB 3.1", "HDMI", "St. Louis"],
        ["income > 50", "age", "sex"],
        ["1 - Cats", "2 - Dogs"],
        ["12:30", "12:45"],
    ],
)
def test_plain_names_stay_flat_without_a_word(names):
    assert Hierarchy.build(names) == Hierarchy.flat(names)
    flat = HierarchicalLabelBinarizer().fit([names]).hierarchy_
    assert set(flat.labels) == set(names) and not len(flat.edges)


@pytest.mark.parametrize(
    "names, n_edges, message",
    [
        (["Pets > Cats", "Toys", "Books", "Tea"], 0, "1 of 4.*names.*sep=' > '.*flat"),
        (["topic:art", "topic:sport"], 0, "2 of 2 strings hold ':'.*read as names"),
        (["Rock", "Rock/Pop", "Jazz", "Soul"], 1, "1 of 4.*'Rock' is a parent of"),
        (["Rock/Pop", "Soul/Funk", "Jazz"], 2, "2 of 3 strings hold '/'.*as paths"),
        (["A > B>C", "A > D"], 2, r"1 of 2 paths hold '>' without.*sep=' > '.*sep='>'"),
    ],
)
def test_doubtful_paths_warn_with_both_readings(names, n_edges, message):
    with pytest.warns(HierarchyWarning, match=message) as caught:
        assert len(Hierarchy.build(names).edges) == n_edges
    assert len(caught) == 1


@pytest.mark.parametrize(
    "paths, first",
    [
        (["Pets\tCats\tTabby", "Pets\tDogs"], "Pets\tCats"),
        (["1:2:3", "1:2", "1"], "1:2"),
        (["7 - A: B: C", "8 - A: B", "9 - A"], "A: B"),
        (["A \\ B\\C", "A\\B \\ D", "A \\ B"], "A \\ B"),
    ],
)
def test_paths_that_were_flat(paths, first):
    found = Hierarchy.build(paths)
    assert first in found and found.children_of(first)
    assert found == Hierarchy.from_paths(paths)


@pytest.mark.parametrize(
    "paths, message",
    [
        (["Animals > Cats", "Cats > Tabby"], r"'Cats' stand first.*from_edges\(\["),
        (["AC/DC - Live", "AC/DC - Studio"], "Several separators fit.*'/', ' - '"),
        (["code\ttitle", "code\tname"], "Most of the strings hold"),
    ],
)
def test_strings_that_are_asked_about(paths, message):
    for read in (Hierarchy.build, Hierarchy.from_paths):
        with pytest.raises(ValueError, match=message):
            read(paths)


# -- labels that look alike ------------------------------------------------------------


def test_a_tuple_is_one_label_where_labels_are_tuples():
    expected = Hierarchy([("r", 0), ("a", 1)], [(("r", 0), ("a", 1))])
    for parents in ({("a", 1): ("r", 0)}, {("a", 1): ("r", 0), ("r", 0): None}):
        assert Hierarchy.from_parents(parents) == expected
        assert Hierarchy.build(parents) == expected
    assert Hierarchy.from_children({("r", 0): ("a", 1)}) == expected
    several = Hierarchy.from_parents({("a", 1): (("r", 0), ("s", 0))})
    assert several.parents_of(("a", 1)) == [("r", 0), ("s", 0)]
    assert Hierarchy.from_parents({"x": ("a", "b")}).parents_of("x") == ["a", "b"]


def test_labels_that_differ_in_spaces_only():
    table = pd.DataFrame({"child": ["cat", "dog"], "parent": ["pet", "pet "]})
    message = "1 of 4 labels differ.*'pet ' and 'pet'.*name.strip"
    for read in (Hierarchy.from_parents, Hierarchy.build):
        with pytest.warns(HierarchyWarning, match=message):
            assert read(table).n_labels == 4
    names = ["cat", "dog", "pet", "pet "]
    assert Hierarchy.from_parents(table, names).n_labels == 4  # said to be different
    for edge in [("", "a"), ("a", " ")]:
        with pytest.raises(ValueError, match="has an end missing"):
            Hierarchy.from_edges([edge])


def test_two_rows_of_numbers_are_edges_where_columns_say_so():
    table = pd.DataFrame({"parent": [101, 101], "child": [102, 103]})
    expected = Hierarchy([101, 102, 103], [(101, 102), (101, 103)])
    assert Hierarchy.build(table) == expected
    table.columns = ["source", "target"]
    assert Hierarchy.build(table) == expected


# -- nodes of graphs -------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [(0, 1), (("a", 1), ("b", 2)), (2.5, 3.5), ("a", 1), (np.int64(3), np.int64(4))],
)
def test_nodes_of_any_kind(names):
    found = Hierarchy.from_networkx(nx.DiGraph([names]))
    assert pairs(found) == {names}
    assert not any(isinstance(label, np.generic) for label in found.labels)


@pytest.mark.parametrize("missing", [np.nan, pd.NA, pd.NaT, "", " "])
def test_nodes_without_a_name(missing):
    graph = nx.DiGraph([(missing, "a")])
    for read in (Hierarchy.build, Hierarchy.from_networkx):
        with pytest.raises((TypeError, ValueError), match="not NaN|without a name"):
            read(graph)


def test_relations_in_an_attribute_are_asked_about():
    graph = nx.DiGraph()
    graph.add_edge("cat", "mammal", relation="is_a")
    with pytest.raises(ValueError, match="'is_a' runs child -> parent"):
        Hierarchy.build(graph)
    up = Hierarchy.from_networkx(graph, reverse=True)
    assert pairs(up) == {("mammal", "cat")}
    graph.add_edge("cat", "fish", relation="eats")
    with pytest.raises(ValueError, match="'is_a': 1, 'eats': 1"):
        Hierarchy.from_networkx(graph, reverse=True)
    chosen = Hierarchy.from_networkx(graph, relations="is_a", reverse=True)
    assert pairs(chosen) == {("mammal", "cat")}
    with pytest.raises(TypeError, match="reverse to be True.*got 'yes'"):
        Hierarchy.from_networkx(graph, reverse="yes")
    with pytest.raises(TypeError, match="relations to be names of edges, got 3"):
        Hierarchy.from_networkx(graph, relations=3)


# -- several paths in one cell of a file -----------------------------------------------

CELLS = ["Home > Pans;Garden > Plants", "Garden > Plants", "Home > Pans"]


@pytest.mark.parametrize("joiner", [";", "|", ","])
def test_several_paths_in_a_string_are_not_read_as_one(joiner):
    cells = [cell.replace(";", joiner) for cell in CELLS]
    advice = rf"str\.split\('{re.escape(joiner)}'\).*from_paths\(labels\.explode\(\)\)"
    with pytest.warns(HierarchyWarning, match=advice):
        Hierarchy.from_paths(cells, sep=" > ")
    with pytest.warns(HierarchyWarning, match=f"{advice}.*hierarchy=None"):
        CoherentClassifier(DecisionTreeClassifier()).fit([[0]] * 3, cells)
    labels = pd.Series(cells).str.split(joiner)
    expected = {"Home", "Home > Pans", "Garden", "Garden > Plants"}
    assert set(Hierarchy.from_paths(labels.explode()).labels) == expected


def test_two_separators_of_which_one_joins_paths():
    with pytest.raises(ValueError, match=r"Several separators.*explode\(\)\).*sep=' >"):
        Hierarchy.from_paths([*CELLS, "Garden > Plants;Home > Pans"])


@pytest.mark.parametrize(
    "paths",
    [
        ["Home > Pots; pans > Steel", "Home > Beds"],  # "pans" is no root
        ["Home > Pots, Home", "Garden > Rakes, spades"],
        ["Rock/Pop > Live, loud", "Jazz > Live"],
    ],
)
def test_names_with_what_also_joins_paths_are_names(paths):
    with warnings.catch_warnings():
        warnings.simplefilter("error", HierarchyWarning)
        found = Hierarchy.from_paths(paths, sep=" > ")
    assert set(paths) <= set(found.labels)


def test_joined_paths_that_are_meant_are_silenced_as_the_warning_says():
    with warnings.catch_warnings():
        warnings.simplefilter("error", HierarchyWarning)
        found = Hierarchy.from_levels([x.split(" > ") for x in CELLS], sep=" > ")
    with pytest.warns(HierarchyWarning, match="from_levels"):
        assert Hierarchy.from_paths(CELLS, sep=" > ") == found


def test_rows_of_whole_paths_are_no_levels():
    rows = [["Home > Pans", "Garden > Plants"], ["Garden > Plants"]]
    with pytest.warns(HierarchyWarning, match=r"whole paths: 'Home > Pans'.*explode"):
        Hierarchy.from_levels(rows)
    with pytest.warns(HierarchyWarning, match="whole paths"):
        Hierarchy.from_levels(pd.Series(rows))


@pytest.mark.parametrize(
    "rows",
    [
        [["Rock/Pop", "AC/DC"], ["Jazz"]],  # no name begins with "AC"
        [["Home > Pans", "steel"], ["Home > Pots"]],
        [["Pans;Pots", "Pots;Pans"], ["Pots"]],
    ],
)
def test_names_of_levels_with_separators_are_silent(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("error", HierarchyWarning)
        found = Hierarchy.from_levels(rows, sep=" | ")
    assert " | ".join(rows[0]) in found.labels


def test_a_table_of_one_column_is_that_column():
    table = pd.DataFrame({"path": ["A > B", "A > C"], "price": [1, 2]})
    expected = Hierarchy.from_paths(["A > B", "A > C"])
    assert Hierarchy.from_paths(table[["path"]]) == expected
    with pytest.raises(TypeError, match=r"one column.*'path', 'price'.*from_levels"):
        Hierarchy.from_paths(table)


@pytest.mark.parametrize(
    "paths, message",
    [
        (["A > B", None], r"paths\.dropna\(\)"),
        (["A > B", np.nan], r"paths\.dropna\(\)"),
        ([["A > B"], ["A > C", "D"]], r"from_levels.*paths\.explode\(\)"),
        ([("A", "B")], r"from_levels.*paths\.explode\(\)"),
    ],
)
def test_no_path_says_what_to_do(paths, message):
    with pytest.raises(TypeError, match=message):
        Hierarchy.from_paths(paths)


@pytest.mark.parametrize(
    "y, message",
    [
        (["A > B;A > C", "A > B"], "';' joins several labels: split them at ';'"),
        ([["A > B"], [" A > C"]], "differ only in spaces around them"),
        ([["A > B"], ["A > D"]], "'A > D'. Add them"),
    ],
)
def test_unknown_names_made_up_of_known_ones_say_so(y, message):
    hierarchy = Hierarchy.from_paths(["A > B", "A > C"])
    with pytest.raises(ValueError, match=message):
        CoherentClassifier(DecisionTreeClassifier(), hierarchy).fit([[0], [1]], y)
