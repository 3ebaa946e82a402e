"""The reader of Clus ARFF files: the format, and what it says of malformed files."""

import gzip
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhmc.coherence import violations
from skhmc.datasets import load_clus_arff
from skhmc.datasets._arff_text import _before_comment, split_fields

TREE = """\
% a comment
@RELATION 'small tree'

@attribute weight REAL
@ATTRIBUTE 'has, % fur' {'0',1}   % quoted
@Attribute\tcolour\t{red,'dark, blue',"it's"}
@ATTRIBUTE legs integer
@ATTRIBUTE class hierarchical cat/siamese,cat,bird,fish/eel
@DATA
1.5,1,red,4,cat/siamese@bird
?,0,'dark, blue',2,bird % and a comment

-2e-1, ? , "it's" , ? , fish
3,1,?,4,cat@cat/siamese@cat
"""
DAG = """\
@RELATION dag
@ATTRIBUTE x numeric
@ATTRIBUTE class hierarchical root/a,root/b,a/c,b/c,c/d
@DATA
1,d
2,a@b
3,root
"""


@pytest.fixture
def load(tmp_path):
    def load(*texts):
        paths = [tmp_path / f"file{i}.arff" for i in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_clus_arff(paths)

    return load


def test_tree(load):
    data = load(TREE)
    nan = np.nan
    assert data.relation == "small tree"
    assert data.feature_names == [
        "weight",
        "has, % fur",
        "colour=red",
        "colour=dark, blue",
        "colour=it's",
        "legs",
    ]
    assert data.feature_group == ["weight", "has, % fur", *["colour"] * 3, "legs"]
    expected = [
        [1.5, 1, 1, 0, 0, 4],
        [nan, 0, 0, 1, 0, 2],
        [-0.2, nan, 0, 0, 1, nan],
        [3, 1, nan, nan, nan, 4],
    ]
    np.testing.assert_array_equal(data.data, expected)
    assert data.label_names == ["cat", "cat/siamese", "bird", "fish", "fish/eel"]
    assert data.hierarchy.is_tree and data.file_rows == [slice(0, 4)]
    expected = [[1, 1, 1, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 1, 0, 0, 0]]
    np.testing.assert_array_equal(data.target.toarray(), expected)
    assert data.target.format == "csr" and data.target.dtype == np.int64


def test_dag(load):
    data = load(DAG)
    assert data.label_names == ["a", "b", "c", "d"]
    assert data.hierarchy.parents_of("c") == ["a", "b"]
    expected = [[1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(data.target.toarray(), expected)


def test_root_as_a_class_of_its_own_is_a_tree(load):
    text = DAG.replace("root/a,root/b,a/c,b/c,c/d", "root,root/a,root/a/b")
    data = load(text.split("@DATA")[0] + "@DATA\n1,root/a/b\n")
    assert data.label_names == ["root", "root/a", "root/a/b"]
    assert data.target.toarray().tolist() == [[1, 1, 1]]


def test_class_need_not_be_the_last_attribute(load):
    text = "@ATTRIBUTE class hierarchical a,a/b\n@ATTRIBUTE x numeric\n@DATA\na/b,7\n"
    data = load(text)
    assert data.data.tolist() == [[7]] and data.target.toarray().tolist() == [[1, 1]]
    assert data.relation == "" and data.feature_names == ["x"]


def same(a, b):
    np.testing.assert_array_equal(a.data, b.data)
    np.testing.assert_array_equal(a.target.toarray(), b.target.toarray())
    assert a.hierarchy == b.hierarchy and a.feature_names == b.feature_names


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(TREE.encode(), mtime=0),
        TREE.replace("\n", "\r\n").encode(),
        TREE.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + TREE.encode(),
        TREE.rstrip("\n").encode(),
    ],
    ids=["gzip", "CRLF", "CR", "byte order mark", "no last newline"],
)
def test_same_content_in_other_bytes(load, content):
    same(load(content), load(TREE))


def test_latin_1(load):
    assert load(TREE.replace("weight", "wéight").encode("latin-1")).feature_names[
        0
    ] == ("wéight")


def test_path_as_str_or_path(tmp_path):
    path = tmp_path / "tree.arff"
    path.write_text(TREE)
    same(load_clus_arff(path), load_clus_arff(str(path)))
    same(load_clus_arff(path), load_clus_arff(iter([path])))


def test_several_files_are_concatenated(load):
    head, rows = TREE.split("@DATA\n")
    reordered = head.replace("cat,bird", "bird,cat") + "@DATA\n" + rows
    one, data = load(TREE), load(TREE, reordered)
    assert data.file_rows == [slice(0, 4), slice(4, 8)]
    for rows in data.file_rows:
        np.testing.assert_array_equal(data.data[rows], one.data)
        np.testing.assert_array_equal(data.target[rows].toarray(), one.target.toarray())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("weight REAL", "height REAL", "attribute 1 is 'weight' numeric and 'height'"),
        ("{red,", "{green,", "attribute 3 is 'colour' nominal .*'red'.*'green'"),
        ("fish/eel\n", "fish/eel,fox\n", "class 'fox' stands only in .*file1.arff"),
    ],
)
def test_headers_that_differ(load, old, new, message):
    with pytest.raises(
        ValueError, match=f"file0.arff and .*file1.arff differ: .*{message}"
    ):
        load(TREE, TREE.replace(old, new))


BAD_NUMBERS = "1_0 nan inf 1e999 abc 0x10 ١".split()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        *[
            (
                "\n3,1",
                f"\n{bad},1",
                f"line 14: attribute 'weight' got '{bad}', expected",
            )
            for bad in [*BAD_NUMBERS, ""]
        ],
        ("\n3,1", "\n3,1,1", "line 14: got more than 5 fields, expected 5"),
        ("\n3,1", "\n3,2", r"line 14: .*fur' got '2', expected one of \['0', '1'\]"),
        (",red,4", ",pink,4", "line 10: attribute 'colour' got 'pink', expected one"),
        ("fish\n", "frog\n", "line 13: attribute 'class' got the class 'frog', expec"),
        ("fish\n", "?\n", "line 13: attribute 'class' got '[?]', expected classes"),
        ("fish\n", "fish@\n", "line 13: attribute 'class' got 'fish@', expected cl"),
        ("\n3,1", "\n{0 3}\n3,1", "line 14: got a sparse row .*Write the rows in full"),
        ("@DATA\n", "", "line 9: got '1.5,1,.*expected @RELATION, @ATTRIBUTE or @DATA"),
        ("hierarchical", "string", "line 8: attribute 'class' got the type 'string"),
        (
            "legs integer",
            "legs string",
            "line 7: attribute 'legs' got the type 'string'",
        ),
        ("legs integer", "legs", "line 7: got '@ATTRIBUTE legs', expected '@ATTR"),
        ("legs integer", "legs {}", "line 7: attribute 'legs' got an empty value"),
        ("legs integer", "legs {a,b,a}", "line 7: attribute 'legs' got 'a' twice"),
        ("fish/eel", "fish/eel,bird", "line 8: attribute 'class' got 'bird' twice"),
        (
            "fish/eel",
            "fish//eel",
            ", attribute 'class': The path 'fish//eel' has",
        ),
        ("cat/siamese,cat,bird,fish/eel", "", "line 8: attribute 'class' got an empty"),
        ("legs integer", "legs hierarchical a", r"2 hierarchical attributes \['legs'"),
    ],
)
def test_malformed_files(load, old, new, message):
    assert old in TREE
    with pytest.raises(ValueError, match=f"file0.arff.*{message}"):
        load(TREE.replace(old, new))


def test_headers_of_other_length(load):
    longer = "@ATTRIBUTE x numeric\n@ATTRIBUTE class hierarchical a\n@DATA\n1,a\n"
    with pytest.raises(ValueError, match="attribute 2 is 'class' hier.* and 'y' num"):
        load(
            longer,
            longer.replace("@ATTRIBUTE c", "@ATTRIBUTE y real\n@ATTRIBUTE c").replace(
                "1,a", "1,1,a"
            ),
        )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "got to the end of the file after 0 lines without @DATA"),
        (TREE.split("@DATA")[0], "after 8 lines without @DATA, expected it before"),
        (TREE.split("1.5,")[0], "got no rows after @DATA"),
        ("@ATTRIBUTE x numeric\n@DATA\n1\n", "got 0 hierarchical attributes"),
        (
            "@ATTRIBUTE c hierarchical a\n@DATA\na\n",
            "got no attribute beside the class",
        ),
        (DAG.replace("c/d", "c/d/e"), "got the class 'c/d/e', expected a pair"),
        (DAG.replace("c/d", "c"), "got the class 'c', expected a pair"),
        (DAG.replace("c/d", "c/d,d/a"), "'class': The hierarchy has a cycle: .*a -> "),
        (gzip.compress(TREE.encode(), mtime=0)[:-20], "damaged or truncated gzip data"),
        (
            gzip.compress(TREE.encode(), mtime=0)[:30] + b"0" * 99,
            "damaged or truncated gzip",
        ),
    ],
)
def test_malformed_whole_files(load, text, message):
    with pytest.raises(ValueError, match=f"file0.arff.*{message}"):
        load(text)


def test_no_paths():
    with pytest.raises(ValueError, match="Got no paths, expected at least one"):
        load_clus_arff([])


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.arff"):
        load_clus_arff(tmp_path / "nowhere.arff")


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"])), min_size=1))
def test_quoted_fields_come_back(fields):
    def quote(text):
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    assert split_fields(" , ".join(map(quote, fields))) == fields


@given(
    st.lists(
        st.sets(st.sampled_from(["a", "a/b", "a/b/c", "d", "d/e"]), min_size=1),
        min_size=1,
        max_size=8,
    )
)
def test_targets_hold_every_ancestor(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("arff") / "random.arff"
    rows = "\n".join(f"0,{'@'.join(sorted(classes))}" for classes in samples)
    classes = "d/e,a/b/c"
    path.write_text(
        f"@ATTRIBUTE x real\n@ATTRIBUTE c hierarchical {classes}\n@DATA\n{rows}"
    )
    data = load_clus_arff(path)
    assert violations(data.target, data.hierarchy).nnz == 0
    for row, wanted in zip(data.target.toarray(), samples, strict=True):
        got = {name for name, on in zip(data.label_names, row, strict=True) if on}
        prefixes = {w[:k] for w in wanted for k in (1, 3, 5)}
        assert got == prefixes & set(data.label_names)


# -- files of strangers ----------------------------------------------------------------

SMALL = "@ATTRIBUTE x numeric\n@ATTRIBUTE class hierarchical a,a/b\n@DATA\n"


@st.composite
def quoted_lines(draw):
    """Lines of what quotes and comments are made of."""
    return "".join(draw(st.lists(st.sampled_from("'\"\\% ,ab"), max_size=14)))


@given(quoted_lines())
def test_comments_begin_outside_of_quotes(line):
    assert _before_comment(line) == naive_before_comment(line)


def naive_before_comment(line):
    """Return what stands before a comment, trying every quote to the end."""
    i = 0
    while i < len(line) and line[i] != "%":
        i = end_of_quoted(line, i) if line[i] in "'\"" else i + 1
    return line[:i]


def end_of_quoted(line, start):
    """Return where a quoted text ends; if it does not, the quote is all there is."""
    i = start + 1
    while i < len(line):
        if line[i] == line[start]:
            return i + 1
        i += 2 if line[i] == "\\" else 1
    return start + 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            SMALL + "9" * 200_000 + "x,a\n",
            "line 4: .* 'x' got '9+[.]{3}', expected a fi",
        ),
        (SMALL + "1,a'" + "\\'\\\"" * 200_000 + "%", "line 4: .* got the class"),
        (SMALL + "," * 200_000, "line 4: got more than 2 fields, expected 2"),
        (SMALL.replace("a/b", "a/" * 1000 + "a"), "line 2: .* of 1001 levels, .* 1000"),
    ],
    ids=["digits", "quotes", "commas", "levels"],
)
def test_long_lines_take_linear_time(load, text, message):
    with pytest.raises(ValueError, match=message):
        load(text)


def test_many_values_take_no_more_than_their_columns(load):
    values = [f"v{i}" for i in range(20_000)]
    text = f"@ATTRIBUTE c {{{','.join(values)}}}\n{SMALL}v7,1,a\n?,2,a\n"
    tracemalloc.start()
    data = load(text)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 50e6  # a table of all values has 3.2e9 bytes
    assert data.data.shape == (2, 20_001)
    assert np.flatnonzero(data.data[0]).tolist() == [7, 20_000]
    assert np.isnan(data.data[1, :-1]).all() and data.data[1, -1] == 2


def test_limits(tmp_path):
    path = tmp_path / "pets.arff"
    path.write_text(SMALL + "1,a\n2,a\n3,a\n")
    size = path.stat().st_size
    assert load_clus_arff(path, max_bytes=size, max_values=3).data.shape == (3, 1)
    message = f"pets.arff: got more than max_bytes={size - 1} .* raise max_bytes"
    with pytest.raises(ValueError, match=message):
        load_clus_arff(path, max_bytes=size - 1)
    with pytest.raises(
        ValueError, match=r"pets.arff, line 6: .* max_values=2 .* 'x' \(line 1\)"
    ):
        load_clus_arff(path, max_values=2)


def test_no_more_is_unpacked_than_the_limit(tmp_path):
    path = tmp_path / "bomb.arff.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    tracemalloc.start()
    with pytest.raises(
        ValueError, match="bomb.arff.gz: got more than max_bytes=1000000 "
    ):
        load_clus_arff(path, max_bytes=10**6)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 10e6
