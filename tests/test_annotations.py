"""Annotation files: GAF and tables, and the labels that the names in them mean."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from skhmc import CoherentClassifier, Hierarchy, HierarchyWarning
from skhmc.datasets import read_annotations
from tests.test_obo import OBO, bomb, term


def gaf(sample, go, code="IDA", qualifier="involved_in", aspect="P", database="DB"):
    """Return one row of GAF 2.2."""
    cells = [database, sample, f"{sample}_symbol", qualifier, go, "REF:1", code]
    cells += ["DB:9|DB:8", aspect, "a name", "", "protein", "taxon:1", "20260101"]
    return "\t".join([*cells, "ME", "", ""])


GAF = "\n".join(
    [
        "!gaf-version: 2.2",
        "!date: 2026-01-01\tand a tab",
        gaf("p1", "T:4"),
        gaf("p2", "T:1", "IEA"),
        gaf("p1", "T:4", "IEA", "part_of|contributes_to"),
        gaf("p1", "T:30"),
        gaf("p3", "T:2", qualifier="NOT|involved_in"),
        gaf("p2", "T:5", qualifier="not"),
        "",
        gaf("p4", "P:2", "TAS", "located_in", "C"),
        gaf("p2", "P:1", "HDA", "located_in", "C"),
        gaf("p1", "T:2", "ISS"),
        "",
    ]
)


@pytest.fixture
def read(tmp_path):
    def read(text, **kwargs):
        path = tmp_path / "annotations.txt"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_annotations(path, **kwargs)

    return read


@pytest.fixture
def toy(tmp_path):
    def toy(text=OBO, **kwargs):
        path = tmp_path / "toy.obo"
        path.write_text(text)
        return Hierarchy.from_obo(path, **kwargs)

    return toy


def as_dict(found):
    assert len(found.samples) == len(found.labels)
    return dict(zip(found.samples, found.labels, strict=True))


# -- GAF -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "write",
    [
        str.encode,
        lambda text: gzip.compress(text.encode(), mtime=0),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("!gaf-version: 2.2\n", "").encode(),
        lambda text: text.replace("\t\t\n", "\n").encode(),  # 15 columns, as in 1.0
        lambda text: text.replace("a name", "ein Käse").encode("latin-1"),
    ],
)
def test_gaf(read, write):
    found = read(write(GAF))
    assert found.samples == ["p1", "p2", "p4"]
    assert found.labels == [["T:4", "T:30", "T:2"], ["T:1", "P:1"], ["P:2"]]
    assert found.counts == {"rows": 9, "NOT": 2}


def test_evidence_and_aspect(read):
    found = read(GAF, evidence=["IDA", "TAS", "EXP"])
    assert as_dict(found) == {"p1": ["T:4", "T:30"], "p4": ["P:2"]}
    assert found.counts == {"rows": 9, "NOT": 2, "other evidence": 4}
    assert as_dict(read(GAF, evidence="IEA")) == {"p2": ["T:1"], "p1": ["T:4"]}
    found = read(GAF, aspect="C", evidence=("TAS", "IDA"))
    assert as_dict(found) == {"p4": ["P:2"]}
    assert found.counts == {
        "rows": 9,
        "NOT": 2,
        "other evidence": 4,
        "other aspect": 2,
    }


@pytest.mark.parametrize(
    "kwargs, match",
    [
        ({"evidence": ["IDA", "IPII"]}, "evidence names 'IPII', which.*some of: EXP"),
        ({"aspect": "BP"}, "aspect names 'BP', which is neither.*some of: C, F, P"),
        ({"evidence": "EXP"}, "no annotation is left of 9 rows.*'other evidence': 7"),
        ({"aspect": "F"}, "no annotation is left of 9 rows.*'other aspect': 7"),
    ],
)
def test_filters_that_leave_nothing_or_name_what_is_not_there(read, kwargs, match):
    with pytest.raises(ValueError, match=match):
        read(GAF, **kwargs)


def test_codes_of_another_project_are_those_of_its_file(read):
    text = "\n".join([gaf("p", "T:1", "XYZ", aspect="O"), gaf("q", "T:2")])
    assert as_dict(read(text, evidence="XYZ", aspect="O")) == {"p": ["T:1"]}


@pytest.mark.parametrize("wrong", [(), 3, [None]])
def test_filters_of_the_wrong_type(read, wrong):
    for argument in ("evidence", "aspect"):
        with pytest.raises(TypeError, match=f"{argument} to be a string or several"):
            read(GAF, **{argument: wrong})


def test_an_id_of_two_databases_is_refused(read):
    text = "\n".join([gaf("p", "T:1"), gaf("p", "T:2", database="other")])
    with pytest.raises(
        ValueError, match="line 2: got 'p' of the database 'other', but"
    ):
        read(text)


# -- tables ----------------------------------------------------------------------------

TABLE = "s2\tcat\ns1\tdog;  pet ;\ns3\t\ns2\tpet\ns2\tcat\n"
READ = {"s2": ["cat", "pet"], "s1": ["dog", "pet"], "s3": []}


@pytest.mark.parametrize(
    "text",
    [
        TABLE,
        TABLE.replace("\n", "\r\n"),
        TABLE.rstrip("\n"),
        gzip.compress(TABLE.encode(), mtime=0),
        b"\xef\xbb\xbf" + TABLE.encode(),
        "!a comment\n# another\n\n" + TABLE + "! a\tcomment",
        "Protein ID\tGO_term\n" + TABLE,
        "#protein\tterm\n" + TABLE,
        "\tlabels\n" + TABLE,  # as a Series writes it
    ],
)
def test_table(read, text):
    assert as_dict(read(text)) == READ


def test_header(read):
    assert as_dict(read("term\tterm\na\tb")) == {"term": ["term"], "a": ["b"]}
    assert as_dict(read("gene\tterm\na\tb", header=False)) == {
        "gene": ["term"],
        "a": ["b"],
    }
    assert as_dict(read("x\ty\na\tb", header=True)) == {"a": ["b"]}
    with pytest.raises(ValueError, match="True, False or 'auto', got 'yes'"):
        read("x\ty\n", header="yes")


def test_labels_in_one_cell(read):
    text = "s\ta;b|c\n"
    assert read(text).labels == [["a", "b|c"]]
    assert read(text, sep="|").labels == [["a;b", "c"]]
    assert read(text, sep=None).labels == [["a;b|c"]]
    whole = Hierarchy.from_parents({"a;b|c": "root"})
    assert read(text, hierarchy=whole).labels == [["a;b|c"]]


def test_labels_that_are_no_strings(read):
    numbers = Hierarchy.from_edges([(1, 2), (1, "03")])
    assert read("s\t2;03\n", hierarchy=numbers).labels == [[2, "03"]]


@pytest.mark.parametrize(
    "text, match",
    [
        ("", "got no line that is not a comment"),
        ("! only\n\n", "got no line that is not a comment"),
        (
            "s1,cat\n",
            r"line 1: got 1 column\(s\) in 's1,cat', expected two, sample and.*"
            r"Is ',' between them\? pandas.read_csv\(path, sep=','\)",
        ),
        ("s1 cat\n", "Is a space between them"),
        (
            "a\tb\n\nc\td\te\n",
            r"line 3: got 3 column\(s\) in 'c\\td\\te', expected two.*cut -f1,2",
        ),
        (
            "!gaf-version: 2.2\na\tb\n",
            r"line 2: got 2 column\(s\).*the 15 to 17 of GAF,",
        ),
        (
            gaf("p", "T:1") + "\na\tb\n",
            r"line 2: got 2 column\(s\).*the 15 to 17 of GAF,",
        ),
        ("a\tb\n \tc\n", "line 2: got an empty column 1, expected the sample"),
        (gaf("", "T:1"), "line 1: got an empty column 2, expected the id of the annot"),
        (gaf("p", ""), "line 1: got an empty column 5, expected the term"),
        ("a\t\n", "no annotation is left of 1 rows"),
        (gzip.compress(TABLE.encode(), mtime=0)[:-9], "damaged or truncated gzip"),
        (TABLE.encode("utf-16"), "line 1: got a zero byte"),
    ],
)
def test_malformed_files(read, text, match):
    with pytest.raises(ValueError, match=match):
        read(text)


@pytest.mark.parametrize("kwargs", [{"evidence": "IDA"}, {"aspect": "P"}])
def test_a_table_has_no_evidence(read, kwargs):
    with pytest.raises(ValueError, match="for a table of two columns, which does not"):
        read(TABLE, **kwargs)


def test_a_small_file_that_unpacks_to_a_huge_one(read):
    with pytest.raises(ValueError, match="more than 1000000 bytes"):
        read(bomb(10**7, TABLE), max_bytes=10**6)


def test_many_rows_take_linear_time(read):
    rows = [f"s{k % 5_000}\tL:{k}" for k in range(50_000)]
    found = read("\n".join(rows))
    assert len(found.samples) == 5_000 and len(found.labels[0]) == 10
    flat = Hierarchy.flat(f"L:{k}" for k in range(50_000))
    assert read("\n".join(rows), hierarchy=flat).labels == found.labels


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1)
NAMES = NAMES.filter(lambda name: name[0] not in "!#" and ";" not in name)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, st.lists(NAMES, min_size=1, unique=True), min_size=1))
def test_round_trip(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("annotations") / "random.txt"
    path.write_text(
        "".join(f"{s}\t{';'.join(x)}\n" for s, x in labels.items()), "utf-8"
    )
    assert as_dict(read_annotations(path, header=False)) == labels
    pairs = [(sample, label) for sample, row in labels.items() for label in row]
    path.write_text("".join(f"{s}\t{x}\n" for s, x in reversed(pairs)), "utf-8")
    found = as_dict(read_annotations(path, header=False))
    assert {s: row[::-1] for s, row in found.items()} == labels
    path.write_text("".join(gaf(s, x) + "\n" for s, x in pairs), "utf-8")
    assert as_dict(read_annotations(path)) == labels


# -- with a hierarchy ------------------------------------------------------------------


def test_alternative_ids_become_their_term(read, toy):
    found = read(GAF, hierarchy=toy())
    assert as_dict(found) == {
        "p1": ["T:4", "T:3", "T:2"],
        "p2": ["T:1", "P:1"],
        "p4": ["P:2"],
    }
    assert found.counts == {"rows": 9, "NOT": 2, "alternative id": 1}
    assert read("s\tT:30;T:3;T:31", hierarchy=toy()).labels == [["T:3"]]


def test_terms_of_other_namespaces_are_left_out_with_their_samples(read, toy):
    found = read(GAF, hierarchy=toy(namespace="process"))
    assert as_dict(found) == {"p1": ["T:4", "T:3", "T:2"], "p2": ["T:1"]}
    assert found.counts["other namespace"] == 2
    with pytest.raises(
        ValueError, match="left of 9 rows.*'other namespace': 5.*Is the"
    ):
        read(GAF, hierarchy=toy(namespace="place"), aspect="P")


def test_obsolete_terms_are_replaced_or_left_out(read, toy):
    text = "s1\tT:90\ns2\tT:92;T:1\ns3\tT:91;T:4\ns4\tT:92\n"
    with pytest.warns(UserWarning) as caught:
        found = read(text, hierarchy=toy())
    assert as_dict(found) == {"s1": ["T:4"], "s2": ["T:1"], "s3": ["T:4"]}
    assert found.counts == {"rows": 4, "obsolete": 2, "replaced": 2}
    replaced, lost = (str(said.message) for said in caught)
    assert "2 annotations name obsolete terms, and are taken" in replaced
    assert "'T:90 by T:4', 'T:91 by T:4'" in replaced
    assert "2 annotations name obsolete terms that no label replaces" in lost
    assert lost.endswith("'T:92' is obsolete, consider T:5, T:6.")
    assert caught[0].filename == __file__


def test_terms_that_a_subset_left_out_are_said(read, toy):
    kept = toy().subset(["T:1", "T:2"])
    with pytest.warns(
        UserWarning, match="1 annotations name terms that.*: 'T:4'. They"
    ):
        found = read("s1\tT:4\ns2\tT:2", hierarchy=kept)
    assert as_dict(found) == {"s2": ["T:2"]}


def test_unknown_names(read, toy):
    text = "s1\tT:1\ns2\tT:8;T:1\ns3\tT:8\n"
    match = "2 annotations hold names that.*: 'T:8', first on line 2 .*header=True"
    with pytest.raises(ValueError, match=match) as error:
        read(text, hierarchy=toy())
    assert "from_obo" not in str(error.value)
    with pytest.warns(UserWarning, match="'T:8'. They are left out"):
        found = read(text, hierarchy=toy(), unknown="ignore")
    assert as_dict(found) == {"s1": ["T:1"], "s2": ["T:1"]}
    assert found.counts == {"rows": 3, "unknown": 2}
    with pytest.raises(ValueError, match="'T:8'.*Hierarchy.from_obo knows alternative"):
        read(text, hierarchy={"T:1": None})
    with pytest.raises(ValueError, match="must be 'error' or 'ignore', got 'drop'"):
        read(text, hierarchy=toy(), unknown="drop")


# -- and on to a classifier ------------------------------------------------------------


def test_from_files_to_a_classifier(read, toy):
    go = toy(namespace="process")
    genes = read(GAF + gaf("p5", "T:6") + "\n" + gaf("p6", "T:5"), hierarchy=go)
    X = [[float(k)] for k in range(len(genes.samples))]
    tree = DecisionTreeClassifier(random_state=0)
    model = CoherentClassifier(tree, hierarchy=go)
    with pytest.warns(UserWarning, match="T:1"):  # all have the root
        model.fit(X, genes.labels)
    assert type(model.hierarchy_) is type(go) and model.hierarchy_ == go
    found = model.predict(X)
    for row, labels in zip(found, genes.labels, strict=True):
        named = {go.labels[k] for k in row.nonzero()[0]}
        assert named == {*labels, *(a for x in labels for a in go.ancestors_of(x))}


@pytest.mark.parametrize(
    "label, match",
    [
        ("T:30", "not have: 'T:30'. 'T:30' is an alternative id of 'T:3'. Add them"),
        ("T:92", "'T:92' is obsolete, consider T:5, T:6. Add them"),
        ("P:1", "'P:1' is a term of 'place' that was left out. Add them"),
        ("X", "not have: 'X'. Add them"),
    ],
)
def test_fit_says_what_an_ontology_knows_of_unknown_labels(toy, label, match):
    model = CoherentClassifier(DecisionTreeClassifier(), toy(namespace="process"))
    with pytest.raises(ValueError, match=match):
        model.fit([[0], [1]], [["T:1", "T:2"], [label]])


def test_an_ontology_without_namespaces(read, toy):
    small = toy(term("A") + term("B", "is_a: A"))
    assert read("s\tB", hierarchy=small).labels == [["B"]]
    assert small.terms["A"].namespace is None
    assert small.subset(["A"]).explain(["B"]) == "'B' is a term that was left out."


def test_columns_the_other_way_round_are_noticed(read):
    with pytest.warns(HierarchyWarning, match="'GO:0001', look like terms.*'P1', do"):
        read("GO:0001\tP1\nGO:0002\tP1")
    assert read("P1\tGO:0001\nP1\tGO:0002").labels == [["GO:0001", "GO:0002"]]
    assert read("MGI:98834\tGO:0001").samples == ["MGI:98834"]


def test_columns_the_other_way_round_are_said_where_labels_are_known(read, toy):
    with pytest.raises(ValueError, match="'T:1', are labels.*'s', are not. Put the"):
        read("T:1\ts\nT:2\ts\n", hierarchy=toy())
    with pytest.raises(ValueError, match="names that the hierarchy does not have: 's'"):
        read("T:1\ts\np\tT:2\n", hierarchy=toy())  # one of two may be chance
