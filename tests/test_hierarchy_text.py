"""A hierarchy as text, and as a collapsible tree of a notebook."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given

from skhmc import Hierarchy
from skhmc.hierarchy import _text
from tests.hierarchies import hierarchies

DAG = Hierarchy.from_edges(
    [("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "e"), ("x", "y")]
)


def test_a_label_of_several_parents_stands_under_each_and_is_followed_once():
    assert DAG.to_text().splitlines() == [
        "a",
        "├── b",
        "│   └── d (also under c)",
        "│       └── e",
        "└── c",
        "    └── d (also under b; see above)",
        "x",
        "└── y",
    ]


def test_names_of_terms_stand_behind_their_ids(tmp_path):
    path = tmp_path / "small.obo"
    path.write_text(
        "[Term]\nid: T:1\nname: growth\n\n"
        "[Term]\nid: T:2\nname: growth  of roots\nis_a: T:1\n\n[Term]\nid: T:3\n"
    )
    go = Hierarchy.from_obo(path)
    assert go.to_text() == "T:1 growth\n└── T:2 growth of roots\nT:3"
    assert "T:2 growth of roots" in go._repr_html_()


def test_what_is_cut_is_counted():
    assert DAG.to_text(max_rows=3).splitlines()[2:] == [
        "│   └── d (also under c)",
        "… 4 more",  # e, c, x and y
    ]
    assert DAG.to_text(max_rows=8) == DAG.to_text(max_rows=None)
    assert DAG.to_text(max_depth=0).splitlines() == [
        "a (2 children below)",
        "x (1 child below)",
    ]
    assert DAG.to_text(max_depth=2) == DAG.to_text().replace(
        "│       └── e\n", ""
    ).replace("d (also under c)", "d (also under c; 1 child below)").replace(
        "d (also under b; see above)", "d (also under b; 1 child below)"
    )


def test_rows_that_only_repeat_labels_are_cut_without_a_number():
    twice = Hierarchy.from_edges([("a", "c"), ("b", "c")])
    assert twice.to_text(max_rows=3).splitlines()[-2:] == ["b", "…"]


def test_below_the_limit_is_shown_where_a_label_stands_higher():
    h = Hierarchy.from_edges([("a", "b"), ("b", "c"), ("c", "d"), ("x", "c")])
    lines = h.to_text(max_depth=2).splitlines()
    assert lines[2] == "    └── c (also under x; 1 child below)"
    assert lines[4:] == ["└── c (also under b)", "    └── d"]


@given(hierarchies(max_labels=20))
def test_every_edge_is_a_line_but_below_repeated_labels(hierarchy):
    lines = hierarchy.to_text(max_rows=None).splitlines()
    names = [re.sub(r"^[│├└─ ]*", "", line).split(" ")[0] for line in lines]
    assert set(names) == {str(label) for label in hierarchy.labels}
    # every edge is walked once: the children of a label stand below it once
    assert len(lines) == len(hierarchy.roots) + len(hierarchy.edges)


def test_long_chains_and_many_parents():
    chain = Hierarchy.from_edges([(k, k + 1) for k in range(3000)])
    assert len(chain.to_text(max_rows=None).splitlines()) == 3001
    assert chain.to_text(max_rows=2).endswith("… 2,999 more")
    many = Hierarchy.from_edges([(f"p{k}", "z") for k in range(7)])
    assert "└── z (also under p1, p2, p3, 3 more)" in many.to_text()


def test_names_that_do_not_fit_a_line():
    odd = Hierarchy.flat(["two\nlines", "", ("a", 1), 3])
    assert odd.to_text().splitlines() == ["'two\\nlines'", "''", "('a', 1)", "3"]
    assert Hierarchy.flat([]).to_text() == ""


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "all", True])
def test_wrong_limits(wrong):
    with pytest.raises(ValueError, match="max_rows=.*integer of at least 1, or None"):
        DAG.to_text(max_rows=wrong)
    if wrong != 0:
        with pytest.raises(ValueError, match="max_depth=.*at least 0, or None"):
            DAG.to_text(max_depth=wrong)
    assert DAG.to_text(max_rows=np.int64(1)).splitlines()[0] == "a"


def test_str_and_repr_stay_short():
    assert str(DAG) == repr(DAG) == "Hierarchy(7 labels, 6 edges, DAG of depth 3)"


# -- notebooks -------------------------------------------------------------------------


class Tags(HTMLParser):
    """Checks that tags are closed in turn, and collects the texts."""

    def __init__(self):
        super().__init__()
        self.open = []
        self.texts = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def read(hierarchy):
    tags = Tags()
    tags.feed(hierarchy._repr_html_())
    tags.close()
    assert not tags.open
    return tags.texts


def test_a_collapsible_tree():
    below_c = ["d (also under b) ", "… 1 below"]  # e stands below the first d
    expected = ["a", "b", "d (also under c)", "e", "c", *below_c, "x", "y"]
    assert read(DAG) == [repr(DAG), *expected]
    assert DAG._repr_html_().count("<details") == 6  # the whole, and below 5 labels


def test_names_are_escaped_and_cut():
    texts = read(Hierarchy.flat(["<script>alert(1)</script>", "a & b", "w" * 200]))
    assert texts[1:] == ["<script>alert(1)</script>", "a & b", "w" * 79 + "…"]
    assert "<script" not in Hierarchy.flat(["<script>"])._repr_html_()


@pytest.mark.parametrize("fan", [1, 3, 10**6])
def test_its_size_is_bounded(fan):
    n = 500_000
    child = np.arange(1, n)
    if fan == 1:  # a chain, whose depths take long
        child = child[:5_000]
    edges = np.column_stack([(child - 1) // fan, child])
    h = Hierarchy._from_positions(tuple(range(len(child) + 1)), edges)
    _ = h.children, h.parents
    html = h._repr_html_()
    text = h.to_text()
    assert len(html) < 100_000 and len(text) < 100_000
    shown = sum(text.strip().isdigit() for text in read(h))
    assert shown == _text.MAX_HTML_ROWS
    flat = Hierarchy.flat(10_000)
    assert read(flat)[-1] == "… 9,700 more"
