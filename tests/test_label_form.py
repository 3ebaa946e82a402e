"""How labels enter a network, and what is weighed there."""

import numpy as np
import pytest

from skhmc import Hierarchy
from skhmc._scoring.label_form import ManyPaths, SinglePath

TREE = Hierarchy.from_paths(["a/1", "a/2", "b/1", "c"])


def form(stops=("a",), empty=True):
    return SinglePath(TREE, [TREE.position(x) for x in stops], empty)


def test_balanced_labels_of_the_deepest_frontier_count_alike():
    single = form()
    positive = np.arange(1.0, len(single.order) + 1)
    zeros, ones = single.balanced(positive, None, np.inf)
    assert (zeros == 1).all()
    deepest = single.frontiers[-1]
    counts = ones[deepest] * positive[deepest]
    np.testing.assert_allclose(counts, counts[0])
    assert counts.sum() == pytest.approx(positive[deepest].sum())


def test_a_stop_weighs_what_its_label_weighs_and_no_label_weighs_1():
    single = form()
    weight = np.arange(2.0, 2 + TREE.n_labels)
    by_name = dict(
        zip(single.hierarchy.labels, single.encode_class_weight(weight), strict=True)
    )
    assert by_name["stop", "a"] == by_name["a"] == weight[TREE.position("a")]
    assert by_name["stop", None] == 1
    many = ManyPaths(TREE)
    np.testing.assert_array_equal(many.encode_class_weight(weight), weight[many.order])


def test_labels_of_one_text_but_two_types_have_one_order():
    labels = [1, "1", 2, "2"]
    orders = {
        ManyPaths(Hierarchy.flat(order)).hierarchy.labels
        for order in (labels, labels[::-1])
    }
    assert len(orders) == 1


@pytest.mark.parametrize(
    "rows, message",
    [
        ([["b"]], "stop at 'b', where none did before"),
        ([["a", "b"]], "no single paths"),
    ],
)
def test_later_rows_that_a_softmax_cannot_score_are_refused(rows, message):
    Y = np.array([[int(x in row) for x in TREE.labels] for row in rows])
    with pytest.raises(ValueError, match=message):
        form().check_targets(Y, "auto")
    with pytest.raises(ValueError, match="stop at no label at all"):
        form(empty=False).check_targets(0 * Y, "auto")
    form(empty=False).check_targets(0 * Y, "mandatory")
    form().check_targets(0 * Y, "auto")
    ManyPaths(TREE).check_targets(Y, "auto")
