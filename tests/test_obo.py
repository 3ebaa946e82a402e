"""OBO files: terms and edges counted by hand, and what is said of malformed files."""

import copy
import gzip
import pickle
import random
import tracemalloc
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc._utils import lines as text_lines
from skhmc.hierarchy import Ontology, Term
from skhmc.hierarchy._obo import plain_value
from tests.hierarchies import hierarchies

# Two namespaces beside the default one. Not obsolete: T:1 to T:6 of "process", P:1 and
# P:2 of "place". Their links, child relation parent:
#   T:2 is_a T:1, T:3 is_a T:1, T:4 is_a T:2, T:4 is_a T:3, T:4 part_of T:3 (again),
#   T:5 part_of T:2, T:5 is_a T:3 (by the alternative id T:30), T:6 regulates T:5,
#   T:6 is_a T:1, T:2 has_part T:5 (a cycle with T:5 part_of T:2),
#   P:2 is_a P:1, T:6 part_of P:2 (across namespaces)
OBO = r"""format-version: 1.4
data-version: toy/2026 ! a header
subsetdef: slim "A subset: [of] {terms}"
default-namespace: process
! a line of comment

[Term]
id: T:1
name: process\: whole \{all\}
def: "A \"process\"! [Term] is_a\: T:9" [X:1, Y:2 "is_a: T:8"]
synonym: "whole ! part" EXACT []

[Term]
id: T:2 ! begins
name: begins
is_a: T:1 {source="X:1", note="a } ! b"} ! process
relationship: has_part T:5 ! makes a cycle with T:5

[Term]
id: T:3
name: goes on
alt_id: T:30
alt_id: T:31
is_a: T:1 ! process
xref: X:3 "is_a: T:2"
xref: Y:3

[Term]
id: T:4
name: begins and\
 goes on
is_a: T:2
is_a: T:3
relationship: part_of T:3 {gci_relation="part_of"} ! twice

[Term]
id: T:5
namespace: process
relationship: part_of T:2 ! begins
is_a: T:30

[Term]
id: T:6
name: is said to regulate
intersection_of: T:1
intersection_of: regulates T:5
is_a: T:1
relationship: regulates T:5
relationship: part_of P:2

[Term]
id: P:1
name: place
namespace: place

[Term]
id: P:2
name: inner place
namespace: place
is_a: P:1

[Term]
id: T:90
name: obsolete old
is_obsolete: true
alt_id: T:91
replaced_by: T:4

[Term]
id: T:92
name: obsolete older
is_obsolete: true
consider: T:5
consider: T:6

[Typedef]
id: part_of
name: part of
is_transitive: true
is_a: overlaps

[Typedef]
id: has_part
name: has part

[Typedef]
id: happens_in
name: happens in

[Instance]
id: I:1
instance_of: T:1
"""
IS_A = {
    ("T:1", "T:2"),
    ("T:1", "T:3"),
    ("T:2", "T:4"),
    ("T:3", "T:4"),
    ("T:3", "T:5"),
    ("T:1", "T:6"),
}
LABELS = ("T:1", "T:2", "T:3", "T:4", "T:5", "T:6", "P:1", "P:2")
CYCLE = r"cycle: ('T:2 has_part T:5', 'T:5 part_of T:2'|'T:5 part_of T:2', 'T:2 has_)"


@pytest.fixture
def read(tmp_path):
    def read(text=OBO, *args, **kwargs):
        path = tmp_path / "toy.obo"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Hierarchy.from_obo(path, *args, **kwargs)

    return read


def edges_of(hierarchy):
    return {(hierarchy.labels[p], hierarchy.labels[c]) for p, c in hierarchy.edges}


def term(name, *lines):
    return "\n".join(["[Term]", f"id: {name}", *lines, "", ""])


# -- terms and edges -------------------------------------------------------------------


def windows(text):
    return text.encode().replace(b"\n", b"\r\n")


def marked(text):
    return b"\xef\xbb\xbf" + text.encode()


def packed(text):
    return gzip.compress(text.encode(), mtime=0)


@pytest.mark.parametrize("write", [str.encode, windows, marked, packed])
def test_terms_and_edges_are_those_counted_by_hand(read, write):
    toy = read(write(OBO))
    assert toy.labels == LABELS
    part_of = {("T:3", "T:4"), ("T:2", "T:5"), ("P:2", "T:6")}
    assert edges_of(toy) == IS_A | part_of | {("P:1", "P:2")}
    assert len(toy.edges) == 9


@pytest.mark.parametrize(
    "relations, expected",
    [
        ("is_a", IS_A | {("P:1", "P:2")}),
        (["part_of"], {("T:3", "T:4"), ("T:2", "T:5"), ("P:2", "T:6")}),
        (("is_a", "regulates"), IS_A | {("P:1", "P:2"), ("T:5", "T:6")}),
        (("has_part",), {("T:5", "T:2")}),
        (("is_a", "happens_in"), IS_A | {("P:1", "P:2")}),  # declared, never used
    ],
)
def test_relations_are_those_chosen(read, relations, expected):
    toy = read(OBO, relations)
    assert edges_of(toy) == expected and toy.labels == LABELS


def test_a_namespace_keeps_its_terms_and_edges_among_them(read):
    process = read(OBO, namespace="process")
    assert process.labels == LABELS[:6]
    assert edges_of(process) == IS_A | {("T:2", "T:5")}
    place = read(OBO, namespace="place")
    assert place.labels == ("P:1", "P:2") and edges_of(place) == {("P:1", "P:2")}
    assert read(OBO, namespace=["place", "process"]) == read(OBO)


def test_links_may_use_the_id_that_a_relation_has_elsewhere(read):
    """The ids of part_of and has_part in the Relation Ontology, as some files use."""
    text = "[Term]\nid: A\n\n[Term]\nid: B\nrelationship: BFO:0000050 A ! part of A\n"
    text += "[Term]\nid: C\nis_a: A\nrelationship: BFO:0000051 B\n"
    text += "[Typedef]\nid: part_of\nname: part of\nxref: BFO:0000050\nxref: RO:9\n"
    text += "[Typedef]\nid: has_part\nxref: BFO:0000051\n"
    ontology = read(text)
    assert edges_of(ontology) == {("A", "B"), ("A", "C")}


def test_part_of_may_be_only_the_name_of_a_relation(read):
    text = term("A") + term("B", "relationship: BFO:50 A", "is_a: C") + term("C")
    text += "[Typedef]\nid: BFO:50\nname: part of\n"
    assert edges_of(read(text)) == {("A", "B"), ("C", "B")}
    assert edges_of(read(text, "BFO:50")) == {("A", "B")}


def test_a_file_need_not_have_the_relations_that_are_the_default(read):
    assert edges_of(read(term("A") + term("B", "is_a: A"))) == {("A", "B")}
    assert edges_of(read(term("A") + term("B", "relationship: part_of A"))) == {
        ("A", "B")
    }
    assert not len(read(term("A") + term("B")).edges)  # flat, as it is said to be


def test_stanzas_without_blank_lines_between_them(read):
    text = "id-space: x\n[Term]\nid: A\n[Typedef]\nid: eats\n[Term] ! b\nid: B\nis_a: A"
    assert read(text) == Hierarchy.from_edges([("A", "B")])


@pytest.mark.parametrize(
    "text, expected",
    [
        (r" GO:1 ! name", "GO:1"),
        (r' GO:1 {a="b ! c", d="}"} ! name', "GO:1"),
        (r" a\!b \{c\} \(d\) \[e\] \"f\" \, \: \\", r'a!b {c} (d) [e] "f" , : ' + "\\"),
        (r" one\ntwo\tthree\Wfour", "one\ntwo\tthree four"),
        (" Achoo! and 5-{2-oxo}", "Achoo! and 5-{2-oxo}"),
        ("! only a comment", ""),
    ],
)
def test_values(text, expected):
    assert plain_value(text) == expected


@settings(max_examples=40, deadline=None)
@given(hierarchy=hierarchies(), seed=st.integers(0, 2**20))
def test_round_trip(tmp_path_factory, hierarchy, seed):
    """Whatever the order of the stanzas, the relation and the text around each edge."""
    rng = random.Random(seed)
    stanzas = [term(f"L:{k}", *links_of(hierarchy, k, rng)) for k in hierarchy.labels]
    order = rng.sample(range(len(stanzas)), len(stanzas))
    path = tmp_path_factory.mktemp("obo") / "random.obo"
    path.write_text("".join(stanzas[k] for k in order))
    found = Hierarchy.from_obo(path)
    assert found.labels == tuple(f"L:{hierarchy.labels[k]}" for k in order)
    names = [(f"L:{parent}", f"L:{child}") for parent, child in edges_of(hierarchy)]
    assert edges_of(found) == set(names)


def links_of(hierarchy, label, rng):
    for parent in hierarchy.parents_of(label):
        relation = rng.choice(["is_a: ", "relationship: part_of "])
        yield f"{relation}L:{parent}{rng.choice(['', ' ! name', ' {a=1} ! b'])}"


def test_agrees_with_obonet(read, tmp_path):
    obonet = pytest.importorskip("obonet", reason="obonet is not installed")
    # what it does not do: quotes in modifiers, continued lines, alternative ids
    text = OBO.replace('note="a } ! b"', "note=b").replace("is_a: T:30", "is_a: T:3")
    toy = read(text.replace("\\\n", ""), ("is_a", "part_of", "regulates"))
    graph = obonet.read_obo(tmp_path / "toy.obo")
    assert set(graph.nodes) == set(toy.labels)
    triples = [e for e in graph.edges(keys=True) if e[2] != "has_part"]
    assert edges_of(toy) == {(parent, child) for child, parent, _ in triples}
    for label in ("T:2", "T:4", "P:2"):
        assert toy.names[label] == graph.nodes[label]["name"]


# -- what else it knows ----------------------------------------------------------------


def test_names_alternative_ids_and_obsolete_terms_are_kept(read):
    toy = read()
    assert isinstance(toy, Ontology)
    assert toy.names == {
        "T:1": "process: whole {all}",
        "T:2": "begins",
        "T:3": "goes on",
        "T:4": "begins and goes on",
        "T:5": "T:5",
        "T:6": "is said to regulate",
        "P:1": "place",
        "P:2": "inner place",
    }
    assert toy.alt_ids == {"T:30": "T:3", "T:31": "T:3", "T:91": "T:90"}
    assert toy.obsolete == ("T:90", "T:92")
    assert len(toy.terms) == 10
    assert toy.terms["P:1"] == Term("P:1", "place", "place")
    assert toy.terms["T:92"] == Term(
        "T:92",
        "obsolete older",
        "process",
        obsolete=True,
        consider=("T:5", "T:6"),
    )
    assert read(OBO, namespace="place").terms == toy.terms


def test_resolve(read):
    toy = read(OBO, namespace="process")
    meant = {"T:1": "T:1", "T:31": "T:3", "T:90": "T:4", "T:91": "T:4"}
    meant |= {"T:92": None, "P:1": None, "T:77": None, np.str_("T:30"): "T:3"}
    assert {name: toy.resolve(name) for name in meant} == meant


def test_resolve_ends_where_terms_replace_one_another(read):
    text = term("A") + term("B", "is_obsolete: true", "replaced_by: C")
    text += term("C", "is_obsolete: true", "replaced_by: B")
    text += term("D", "is_obsolete: true", "replaced_by: A", "replaced_by: B")
    text += term("E", "is_obsolete: true", "replaced_by: A")
    text += term("F", "is_obsolete: true", "replaced_by: E")
    found = read(text)
    assert [found.resolve(name) for name in "BCDEF"] == [None] * 3 + ["A", "A"]


def test_an_alternative_id_of_several_terms_means_none(read):
    text = term("A", "alt_id: C", "alt_id: D", "alt_id: D") + term("B", "alt_id: C")
    found = read(text + term("E", "alt_id: A"))
    assert found.alt_ids == {"D": "A"} and found.resolve("A") == "A"


def test_explain(read):
    toy = read(OBO, namespace="process")
    assert toy.explain(["T:31", "T:90", "T:92", "P:1", "T:77"]) == (
        "'T:31' is an alternative id of 'T:3'; 'T:90' is obsolete, replaced by T:4; "
        "'T:92' is obsolete, consider T:5, T:6; 'P:1' is a term of 'place' that was "
        "left out."
    )
    assert toy.explain(["T:77"]) == ""
    assert "; ... (6 in all)" in toy.explain(["T:90"] * 6)


def test_an_ontology_is_a_hierarchy(read):
    toy = read()
    same = Hierarchy(toy.labels, edges_of(toy))
    assert toy == same and same == toy and hash(toy) == hash(same)
    assert repr(toy) == "Ontology(8 labels, 9 edges, DAG of depth 2)"
    assert Hierarchy.build(toy) is toy and copy.deepcopy(toy) is toy
    with pytest.raises(AttributeError, match="immutable"):
        toy.terms = {}
    with pytest.raises(TypeError):
        toy.terms["T:1"] = None
    made = Ontology(["a", 1], [("a", 1)])  # by hand: nothing known beside the edges
    assert made.names == {"a": "a", 1: "1"} and not made.terms and not made.alt_ids
    assert made.resolve(1) == 1 and made.resolve(2) is None


@pytest.mark.parametrize(
    "change",
    [
        lambda toy: pickle.loads(pickle.dumps(toy)),
        copy.copy,
        lambda toy: toy.subset(reversed(toy.labels)),
        lambda toy: Hierarchy.build(toy, labels=sorted(toy.labels)),
    ],
)
def test_what_it_knows_stays(read, change):
    toy = read()
    toy.names  # noqa: B018  what is cached is made again
    changed = change(toy)
    assert type(changed) is Ontology and set(edges_of(changed)) == edges_of(toy)
    assert changed.terms == toy.terms and changed.alt_ids == toy.alt_ids
    assert changed.resolve("T:30") == "T:3" and changed.names == toy.names


def test_subset(read):
    kept = read().subset(["T:4", "T:1"])
    assert edges_of(kept) == {("T:1", "T:4")}
    assert kept.names == {"T:4": "begins and goes on", "T:1": "process: whole {all}"}
    assert kept.resolve("T:30") is None and kept.resolve("T:90") == "T:4"


# -- what is refused or warned of ------------------------------------------------------


def test_unknown_relations_are_refused_with_those_there_are(read):
    match = (
        r"no relation 'partof'\. There are: 'is_a' \(7\), 'part_of' \(3\), "
        r"'has_part' \(1\), 'regulates' \(1\), 'happens_in' \(0\)"
    )
    with pytest.raises(ValueError, match=match):
        read(OBO, ("is_a", "partof"))
    with pytest.raises(ValueError, match="'is_a' twice"):
        read(OBO, ("is_a", "is_a"))
    for wrong in ((), None, [1]):
        with pytest.raises(TypeError, match="relations to be a string or several"):
            read(OBO, wrong)


def test_relations_that_make_it_flat_are_refused(read):
    match = r"'happens_in' relate none of the 8 terms.*'is_a' \(7\)"
    with pytest.raises(ValueError, match=match):
        read(OBO, "happens_in")
    with pytest.raises(ValueError, match=r"relate none of the 2 terms.*'eats' \(1\)"):
        read(term("A") + term("B", "relationship: eats A"))


def test_unknown_namespaces_are_refused_with_those_there_are(read):
    match = r"namespace 'proces'\. There are: 'process' \(6\), 'place' \(2\)"
    with pytest.raises(ValueError, match=match):
        read(OBO, namespace=["proces", "place"])
    with pytest.raises(TypeError, match="namespace to be a string or several"):
        read(OBO, namespace=[])


def test_a_cycle_is_named_with_its_relations(read):
    with pytest.raises(ValueError, match=CYCLE + ".*leave one of '"):
        read(OBO, ("is_a", "part_of", "has_part"))
    with pytest.raises(ValueError, match="cycle: 'A is_a A'"):
        read(term("A", "is_a: A"))
    # where the default relations have it, too
    text = term("A", "is_a: B") + term("B", "relationship: part_of A")
    with pytest.raises(
        ValueError, match="cycle: ('A is_a B', 'B part_of A'|'B part_of A', 'A is_a B')"
    ):
        read(text)


def test_links_that_lead_nowhere_are_counted(read):
    text = OBO + term("T:7", "is_a: T:90", "is_a: T:1", "relationship: part_of CL:1")
    with pytest.warns(UserWarning) as caught:
        toy = read(text)
    assert toy.parents_of("T:7") == ["T:1"]
    (said,) = caught
    assert "2 links" in str(said.message)
    assert "'T:7 is_a T:90', 'T:7 part_of CL:1'" in str(said.message)
    assert said.filename == __file__
    with warnings.catch_warnings():  # of relations that are not chosen
        warnings.simplefilter("error")
        read(OBO + term("T:7", "relationship: happens_in CL:1", "is_a: T:1"))


@pytest.mark.parametrize(
    "text, match",
    [
        ("", r"toy\.obo: got no \[Term\] stanza"),
        ("<rdf:RDF>\n<owl:x>\n", r"got no \[Term\] stanza.*an OBO file\?"),
        ("<?xml version='1.0'?>\n", r"line 1: got \"<\?xml.*expected 'tag: value'"),
        ("\n[Term]\nid: A\nis_a A\n", r"line 4: got 'is_a A', expected 'tag: value'"),
        ("[Term]\nname: x\n", r"line 1: got a \[Term\] without 'id: \.\.\.'"),
        ("[Term\nid: A\n", r"line 1: got '\[Term', expected the heading"),
        (
            "[Term]\nid: A\nid: B\n",
            r"line 3: got a second 'id' .* line 1, expected one",
        ),
        ("[Term]\nid: A\nis_a: ! A\n", "line 3: got 'is_a' without a value"),
        (term("A") + term("A"), r"line 4: got the term 'A' again"),
        (term("A", "is_obsolete: yes"), "line 3: got is_obsolete: yes, expected true"),
        (term("A", "relationship: B"), "line 3: got 'relationship: B', expected a rel"),
        (term("A", "is_obsolete: true"), "all 1 terms are obsolete"),
        (gzip.compress(OBO.encode(), mtime=0)[:-20], "damaged or truncated gzip"),
        (b"\x1f\x8b\x08 no gzip", "damaged or truncated gzip"),
        (OBO.encode("utf-16"), "line 1: got a zero byte, expected text in UTF-8"),
    ],
)
def test_malformed_files(read, text, match):
    with pytest.raises(ValueError, match=match):
        read(text)


def test_a_continued_line_counts_for_the_number_of_lines(read):
    with pytest.raises(ValueError, match="line 5: got 'oops'"):
        read("[Term]\nid: A\nname: a\\\nb\noops\n")
    assert read("[Term]\nid: A\nname: ends\\").names == {"A": "ends"}
    with pytest.raises(ValueError, match="line 2: got a line that is continued .* 100"):
        read("[Term]\n" + "id: A\\\n" * 200)


def test_comments_and_escaped_backslashes_continue_nothing(read):
    text = "! kept in C:\\\n[Term]\nid: A\nname: back\\\\\nalt_id: B\n"
    found = read(text)
    assert found.names == {"A": "back\\"} and found.alt_ids == {"B": "A"}


def test_latin_1_where_it_is_not_utf_8(read):
    assert read("[Term]\nid: A\nname: é\n".encode("latin-1")).names == {"A": "é"}


# -- files from strangers --------------------------------------------------------------


def bomb(n_bytes, start):
    """Return gzip of a long file of short lines, without ever holding it."""
    pack = zlib.compressobj(wbits=31)
    parts = [pack.compress(start.encode())]
    parts += [pack.compress(b"! nothing\n" * 100_000) for _ in range(n_bytes // 10**6)]
    return b"".join([*parts, pack.flush()])


def test_a_small_file_that_unpacks_to_a_huge_one_takes_no_memory(read):
    content = bomb(10**7, term("A"))
    assert len(content) < 10**5
    tracemalloc.start()
    try:
        with pytest.raises(
            ValueError, match="more than 1000000 bytes.*Raise max_bytes"
        ):
            read(content, max_bytes=1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 2 * 10**6
    finally:
        tracemalloc.stop()


def test_a_line_without_end_is_refused(read, monkeypatch):
    monkeypatch.setattr(text_lines, "MAX_LINE", 1000)
    with pytest.raises(ValueError, match="line 3: got a line of more than 1000 bytes"):
        read("[Term]\nid: A\nname: " + "a" * 1000)
    assert read("[Term]\nid: A\nname: " + "a" * 990).n_labels == 1


@pytest.mark.parametrize("piece", ["{", "\\", "! ", " {", "a ", "[", '"', "\\! {"])
def test_long_values_take_linear_time(read, piece):
    text = term("A", "name: x" + piece * (900_000 // len(piece)) + "y")
    assert read(text).labels == ("A",)


def test_a_file_of_many_terms(read):
    n_terms = 20_000
    stanzas = [term("L:0")]
    stanzas += [term(f"L:{k}", f"is_a: L:{k // 2}") for k in range(1, n_terms)]
    found = read("".join(stanzas))
    assert found.n_labels == n_terms and len(found.edges) == n_terms - 1
