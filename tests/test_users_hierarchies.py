"""What users bring as a hierarchy: read as it is meant, warned of, or refused.

One short test per example, with its right value by hand. Properties over random
hierarchies stand in test_readers.py and test_hierarchy_judge.py.
"""

import warnings

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
    HierarchyWarning,
    MaxConstraintClassifier,
)
from skhmc.datasets import read_annotations
from skhmc.metrics import hierarchical_f1_score
from skhmc.preprocessing import (
    AncestorClosure,
    HierarchicalLabelBinarizer,
    TaxonomyEncoder,
)

X = np.arange(24.0).reshape(12, 2)
ANIMALS = ["Animals > Mammals > Cats", "Animals > Mammals > Dogs", "Animals > Birds"]
ANIMAL_EDGES = {
    ("Animals", "Animals > Mammals"),
    ("Animals > Mammals", "Animals > Mammals > Cats"),
    ("Animals > Mammals", "Animals > Mammals > Dogs"),
    ("Animals", "Animals > Birds"),
}


def edges(hierarchy):
    return {(hierarchy.labels[a], hierarchy.labels[b]) for a, b in hierarchy.edges}


def neighbours(hierarchy=None):
    return CoherentClassifier(KNeighborsClassifier(1), hierarchy)


# -- parents that are children ---------------------------------------------------------

CHILDREN = {"root": ["A", "B"], "A": ["A1", "A2"]}
TRUE = [["root", "A", "A1"], ["root", "A", "A2"], ["root", "B"], []] * 3


def test_lists_of_children():
    found = edges(Hierarchy.from_children(CHILDREN))
    assert found == {("root", "A"), ("root", "B"), ("A", "A1"), ("A", "A2")}


def test_lists_of_children_as_a_mapping_to_parents_are_noticed_in_fit():
    with pytest.warns(HierarchyWarning, match=r"'B' is a parent of 'root'.*from_child"):
        neighbours(CHILDREN).fit(X, TRUE)


def test_and_in_metrics():
    wrong = [["root", "A", "A2"], ["root", "A", "A2"], ["root", "B"], []] * 3
    with pytest.warns(HierarchyWarning, match="upside down"):
        hierarchical_f1_score(TRUE, wrong, hierarchy=CHILDREN)
    # of 8 labels in four rows, 7 are found and 1 of 8 predicted is wrong
    right = Hierarchy.from_children(CHILDREN)
    assert hierarchical_f1_score(TRUE, wrong, hierarchy=right) == pytest.approx(7 / 8)


def test_nested_children():
    nested = {"root": {"A": {"A1": {}, "A2": None}, "B": []}}
    assert Hierarchy.from_children(nested) == Hierarchy.build(nested)
    assert edges(Hierarchy.build(nested)) == edges(Hierarchy.from_children(CHILDREN))
    with pytest.raises(ValueError, match="use Hierarchy.from_children"):
        Hierarchy.from_parents(nested)


# -- graphs of ontology readers --------------------------------------------------------


def ontology_graph():
    rows = [("cat", "mammal", "is_a"), ("paw", "cat", "part_of")]
    return nx.MultiDiGraph([*rows, ("mammal", "fur", "has_part")])


@pytest.mark.parametrize(
    "read",
    [Hierarchy.from_networkx, Hierarchy.build, lambda g: neighbours(g).fit(X, TRUE)],
)
def test_a_graph_of_several_relations_asks_which(read):
    with pytest.raises(ValueError, match="'has_part': 1.*reverse=True"):
        read(ontology_graph())


def test_relations_that_were_chosen():
    options = {"relations": ["is_a", "part_of"], "reverse": True}
    found = Hierarchy.from_networkx(ontology_graph(), **options)
    assert edges(found) == {("mammal", "cat"), ("cat", "paw")}


OBO = """[Term]
id: T:1

[Term]
id: T:2
name: two
alt_id: T:20
is_a: T:1
relationship: has_part T:3

[Term]
id: T:3
relationship: part_of T:1

[Term]
id: T:9
is_obsolete: true
replaced_by: T:3
"""


@pytest.fixture
def ontology(tmp_path):
    path = tmp_path / "toy.obo"
    path.write_text(OBO)
    return Hierarchy.from_obo(path)


def test_an_ontology_file(ontology):
    assert edges(ontology) == {("T:1", "T:2"), ("T:1", "T:3")}
    assert ontology.terms["T:2"].name == "two"


def test_ids_that_were_replaced(ontology, tmp_path):
    path = tmp_path / "samples.tsv"
    path.write_text("s1\tT:20\ns2\tT:9\n")
    with pytest.warns(UserWarning, match="T:9"):
        found = read_annotations(path, hierarchy=ontology)
    assert found.labels == [["T:2"], ["T:3"]]
    with pytest.raises(ValueError, match="'T:20' is an alternative id of 'T:2'"):
        neighbours(ontology).fit(X[:2], [["T:20"], ["T:3"]])


# -- taxonomy strings ------------------------------------------------------------------


@pytest.mark.parametrize(
    "read",
    [
        Hierarchy.from_paths,
        Hierarchy.build,
        lambda paths: Hierarchy.from_paths(paths, sep=" > "),
        lambda paths: Hierarchy.from_paths(paths, sep=">"),
        lambda paths: HierarchicalLabelBinarizer().fit(paths).hierarchy_,
        lambda paths: neighbours(paths).fit(X, paths * 4).hierarchy_,
        lambda paths: TaxonomyEncoder("paths").fit([[p] for p in paths]).taxonomies_[0],
    ],
)
def test_taxonomy_strings(read):
    assert edges(read(ANIMALS)) == ANIMAL_EDGES


def test_spaces_are_no_part_of_names():
    found = Hierarchy.from_paths(["Pets>Cats", "Pets > Dogs", " Pets >Birds "])
    assert sum(depth == 0 for depth in found.depth) == 1
    assert found.n_labels == 4


def test_ids_before_paths():
    lines = ["1 - Animals", "3237 - Animals > Live > Cats", "12 - Food"]
    found = Hierarchy.from_paths(lines)
    assert edges(found) == {("Animals", "Animals > Live")} | {
        ("Animals > Live", "Animals > Live > Cats")
    }
    assert "Food" in found


ONE_NETWORK = {"hidden_layer_sizes": (2,), "max_iter": 1, "random_state": 0}


@pytest.mark.parametrize(
    "make",
    [
        neighbours,
        lambda: HCALClassifier(**ONE_NETWORK),
        lambda: MaxConstraintClassifier(**ONE_NETWORK),
    ],
)
@pytest.mark.parametrize(
    "y",
    [ANIMALS * 4, [[path] for path in ANIMALS] * 4, ANIMALS * 2 + ["Animals"] * 6],
    ids=["classes", "sets", "inner"],
)
def test_paths_without_a_hierarchy_are_noticed(make, y):
    with pytest.warns(HierarchyWarning, match=r"look like paths.*from_paths\(names\)"):
        clf = make().fit(X, y)
    assert not len(clf.hierarchy_.edges)  # what hierarchy=None says


def test_columns_that_are_paths_are_noticed():
    Y = pd.DataFrame(np.eye(3, dtype=int)[np.arange(12) % 3], columns=ANIMALS)
    with pytest.warns(HierarchyWarning, match="look like paths"):
        neighbours().fit(X, Y)


def test_categories_that_are_paths_are_noticed():
    with pytest.warns(HierarchyWarning, match="pass taxonomies='paths'"):
        TaxonomyEncoder().fit([[path] for path in ANIMALS])


@pytest.mark.parametrize(
    "names",
    [
        ["TCP/IP", "Java", "C/C++"],
        ["and/or", "black/white", "km/h"],
        ["v1.0", "v1.1", "v2.0"],
        ["GO:0001", "GO:0002", "GO:0003"],
        ["New York, NY", "Boston, MA", "Reno, NV"],
        ["2020-01", "2020-02", "2021-01"],
    ],
)
def test_names_that_hold_a_separator_by_chance(names):
    assert not len(neighbours().fit(X, names * 4).hierarchy_.edges)
    TaxonomyEncoder().fit([[name] for name in names])


def test_flat_on_purpose_is_silent():
    neighbours(Hierarchy.flat(sorted(ANIMALS))).fit(X, ANIMALS * 4)
    TaxonomyEncoder(sep=None).fit([[path] for path in ANIMALS])


# -- one column per level --------------------------------------------------------------

LEVELS = [["Pets", "Cats", "Other"], ["Pets", "Dogs", "Other"], ["Food", "", None]]


@pytest.mark.parametrize(
    "make",
    [list, lambda rows: pd.DataFrame(rows, columns=["l1", "l2", "l3"]), np.array],
)
def test_levels(make):
    found = Hierarchy.from_levels(make(LEVELS))
    assert edges(found) == {
        ("Pets", "Pets/Cats"),
        ("Pets", "Pets/Dogs"),
        ("Pets/Cats", "Pets/Cats/Other"),
        ("Pets/Dogs", "Pets/Dogs/Other"),
    }
    assert found.n_labels == 6  # with Food, but neither '' nor None


def test_levels_are_no_table_of_parents():
    with pytest.raises(ValueError, match="one column per level use .*from_levels"):
        Hierarchy.build(pd.DataFrame(LEVELS[:2], columns=["l1", "l2", "l3"]))


# -- a table of codes and their parents ------------------------------------------------

CODES = pd.DataFrame({"code": ["A", "A1", "A2"], "parent": [np.nan, "A", "A"]})


@pytest.mark.parametrize(
    "read",
    [
        lambda: Hierarchy.from_parents(CODES),
        lambda: Hierarchy.from_parents(CODES, child="code", parent="parent"),
        lambda: Hierarchy.from_parents(CODES[["parent", "code"]]),
        lambda: Hierarchy.from_parents(CODES.set_index("code")["parent"]),
        lambda: Hierarchy.from_parents(dict(CODES.to_numpy())),
        lambda: Hierarchy.build(CODES),
        lambda: Hierarchy.from_edges(CODES),
    ],
)
def test_a_table_of_parents(read):
    assert edges(read()) == {("A", "A1"), ("A", "A2")}


def test_a_table_whose_columns_say_nothing_asks():
    table = pd.DataFrame({"x": ["b", "c"], "y": ["a", "a2"]})
    with pytest.raises(ValueError, match=r"from_parents\(table, child=..., parent="):
        Hierarchy.build(table)


TEXT_CODES = CODES.assign(parent=["nan", "A", "A"])


@pytest.mark.parametrize(
    "read",
    [
        lambda: Hierarchy.from_parents(TEXT_CODES),
        lambda: Hierarchy.from_parents(TEXT_CODES.set_index("code")["parent"]),
        lambda: Hierarchy.build(dict(TEXT_CODES.to_numpy())),
        lambda: Hierarchy.from_edges([("nan", "A"), ("A", "A1")]),
    ],
)
def test_a_missing_parent_that_became_text_is_noticed(read):
    with pytest.warns(HierarchyWarning, match="such as 'A', is called 'n"):
        read()


def test_a_label_may_be_called_none():
    Hierarchy.from_parents({"None": None, "A": "None"})


def test_codes_as_text_beside_parents_as_numbers_are_noticed():
    table = pd.DataFrame({"code": ["1", "2", "3"], "parent": [np.nan, 1, 1]})
    with pytest.warns(HierarchyWarning, match="such as 1 and '1'"):
        Hierarchy.from_parents(table)


def test_lines_of_a_published_taxonomy_go_in_as_they_are():
    lines = ["# Product_Taxonomy_Version: 1", "1 - Pets", "12 - Pets > Cats"]
    for read in (Hierarchy.build, Hierarchy.from_paths):
        assert edges(read(lines)) == {("Pets", "Pets > Cats")}
    assert Hierarchy.build(["# version", "cats"]).n_labels == 2


@pytest.mark.parametrize("sign", ["\u21d2", "\u25b8", "\uff1e", "\uff5c"])
def test_other_arrows_and_full_width_signs_separate(sign):
    lines = [path.replace(">", sign) for path in ANIMALS]
    expected = {tuple(x.replace(">", sign) for x in edge) for edge in ANIMAL_EDGES}
    assert edges(Hierarchy.build(lines)) == edges(Hierarchy.from_paths(lines))
    assert edges(Hierarchy.build(lines)) == expected


@pytest.mark.parametrize("sign", ["_", "~", "-", "#"])
def test_paths_without_a_known_separator_are_noticed(sign):
    lines = [path.replace(" > ", sign) for path in ANIMALS]
    with pytest.warns(HierarchyWarning, match=f"No separator.*sep={sign!r}"):
        assert not len(Hierarchy.from_paths(lines).edges)
    Hierarchy.from_paths(["New York", "Ann's", "Tea & Milk (hot)"])


@pytest.mark.parametrize("missing", [-1, -1.0, "-1"])
def test_minus_one_is_noticed_where_it_stands_for_nothing(missing):
    with pytest.warns(HierarchyWarning, match="such as 1, is called .*-1"):
        Hierarchy.from_parents({1: missing, 2: 1})
    with pytest.warns(HierarchyWarning, match=r"such as \('a', '-1'\)"):
        Hierarchy.from_levels([["a", "b"], ["a", int(missing)]])
    Hierarchy.from_parents({-1: None, 1: -1})


@pytest.mark.parametrize("y", [["nan", "b"], [["nan"], ["b", "c"]]])
def test_nan_as_text_is_noticed_among_labels(y):
    with pytest.warns(UserWarning, match="the text 'nan', which is what missing"):
        neighbours().fit(X, y * 6)
    neighbours(Hierarchy.flat(["nan", "b", "c"])).fit(X, y * 6)


@pytest.mark.parametrize("attribute", ["type", "label", "relation"])
@pytest.mark.parametrize("name", ["is_a", "rdfs:subClassOf", "http://x.org/y#part_of"])
def test_graphs_whose_relations_run_upward_ask(attribute, name):
    graph = nx.DiGraph()
    graph.add_edge("cat", "mammal", **{attribute: name})
    with pytest.raises(ValueError, match="runs child -> parent"):
        Hierarchy.build(graph)
    found = Hierarchy.from_networkx(graph, reverse=True)
    assert edges(found) == {("mammal", "cat")}
    nx.set_edge_attributes(graph, "solid", attribute)
    assert edges(Hierarchy.build(graph)) == {("cat", "mammal")}


def test_a_table_from_child_to_parent_is_noticed():
    table = pd.DataFrame({"source": list("bcdefghijk"), "target": list("aaabbbbccc")})
    with pytest.warns(HierarchyWarning, match=r"turned round.*child='source'"):
        Hierarchy.build(table)
    Hierarchy.build(table.rename(columns={"source": "to", "target": "from"}))


def test_labels_of_another_type_than_the_hierarchy_s_are_explained():
    with pytest.raises(ValueError, match="has the text '1': give both one type"):
        neighbours({"1": "2", "3": "2"}).fit(X, [1, 3] * 6)
    with pytest.raises(ValueError, match="has the number 1: give both one type"):
        neighbours({1: 2, 3: 2}).fit(X, ["1", "3"] * 6)


# -- one doubt, said once --------------------------------------------------------------

DOUBTFUL = ["Rock", "Rock/Pop", "a", "b", "c"]  # one string of five holds a "/"
DOUBTFUL_Y = pd.DataFrame([[1, 1, 0, 0, 0], [0, 0, 1, 0, 1]] * 6, columns=DOUBTFUL)


@pytest.mark.parametrize(
    "call",
    [
        lambda h: neighbours(h).fit(X, DOUBTFUL_Y),
        lambda h: neighbours(h).fit(X, [["Rock/Pop"], ["a", "c"]] * 6),
        lambda h: hierarchical_f1_score(DOUBTFUL_Y, DOUBTFUL_Y, hierarchy=h),
        lambda h: AncestorClosure(h).fit_transform(DOUBTFUL_Y),
        lambda h: HierarchicalThresholdClassifier(neighbours(h), cv=2).fit(
            X, DOUBTFUL_Y
        ),
    ],
)
def test_a_call_says_a_doubt_once_and_the_next_call_again(call):
    for _ in range(2):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(DOUBTFUL)
        found = [w for w in caught if w.category is HierarchyWarning]
        assert len(found) == 1
        assert "1 of 5 strings hold '/'" in str(found[0].message)


PATH_COLUMNS = pd.DataFrame([[1, 0], [0, 1]] * 3, columns=["A > B", "A > C"])


@pytest.mark.parametrize(
    "call",
    [
        lambda h: hierarchical_f1_score(PATH_COLUMNS, PATH_COLUMNS, hierarchy=h),
        lambda h: AncestorClosure(h).fit(PATH_COLUMNS),
        lambda h: AncestorClosure(h).fit([["A > B"], ["A > C"]]),
    ],
)
def test_columns_called_as_paths_are_flat_on_purpose_only(call):
    with pytest.warns(HierarchyWarning, match="'A > B' is below 'A'.*knows no edges"):
        call(None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        call(Hierarchy.flat(PATH_COLUMNS.columns))


# -- columns that do not fit -----------------------------------------------------------


def test_leaf_columns_alone():
    Y = pd.DataFrame([[1, 0], [0, 1], [0, 0]] * 4, columns=["A1", "A2"])
    parents = {"A1": "A", "A2": "A"}
    with pytest.warns(UserWarning, match="no columns for 1 of the 3 labels.*'A'"):
        clf = neighbours(parents).fit(X, Y)
    assert clf.label_names_.tolist() == ["A1", "A2", "A"]
    assert edges(clf.hierarchy_) == {("A", "A1"), ("A", "A2")}
    with pytest.warns(UserWarning, match="'A'"):
        closed = AncestorClosure(parents).fit_transform(Y)
    assert np.asarray(closed)[:3].tolist() == [[1, 0, 1], [0, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize("source", [{2: 1, 3: 1}, [(1, 2), (1, 3)]])
def test_integers_from_1_are_no_columns(source):
    Y = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0]] * 4)
    with pytest.raises(ValueError, match="are 1 to 3"):
        neighbours(source).fit(X, Y)
    named = Hierarchy.build(source, labels=[1, 2, 3])
    assert neighbours(named).fit(X, Y).score(X, Y) == 1
