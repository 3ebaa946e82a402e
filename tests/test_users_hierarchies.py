"""What users bring as a hierarchy: read as it is meant, warned of, or refused.

One short test per example, with its right value by hand. Properties over random
hierarchies stand in test_readers.py and test_hierarchy_judge.py.
"""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
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
