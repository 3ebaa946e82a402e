"""Random calls of everything public: right, or a clear error.

The cases are those of ``python -m benchmarks.soak_calls`` (``make soak``), which runs
many more.
"""

import numpy as np
import pytest

from benchmarks.command import RESULTS, read_results
from benchmarks.soak_calls import KINDS, run_case, run_kind, shares
from benchmarks.soak_parts.calls import Call, come_of
from benchmarks.soak_parts.classifiers import CLASSIFIERS
from benchmarks.soak_parts.outcome import REFUSED, RIGHT, WRONG
from skhmc import Hierarchy

N_FAST, N_SLOW = 6, 10_000  # cases of a kind; of all kinds together
N_KEPT = 200_000  # at least


@pytest.mark.parametrize("kind", sorted(set(KINDS) - set(CLASSIFIERS)))
def test_a_few_calls_are_right_or_refused(kind):
    _, texts = run_kind(kind, range(N_FAST), "test")
    assert not texts, texts[0]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))  # processes share them
@pytest.mark.parametrize("kind", KINDS)
def test_many_calls_are_right_or_refused(kind, part):
    counts, texts = run_kind(
        kind, range(part, shares(N_SLOW, list(KINDS))[kind], 4), "ci"
    )
    assert not texts, texts[0]
    assert counts[RIGHT] > counts[REFUSED]


@pytest.mark.parametrize("number", [1657, 1692, 2095])
def test_what_is_held_out_depends_on_the_order_of_the_labels(number):
    """Which a mapping of parents changes: then two fits are not compared."""
    assert run_case("HCALClassifier", number, 0) == (RIGHT, "")


def test_nothing_was_wrong_in_the_long_run_that_is_kept():
    made = read_results(RESULTS / "soak_calls.json")
    assert made["passed"] and made["cases"] >= N_KEPT
    assert made["outcomes"].keys() == KINDS.keys()
    counts = made["outcomes"].values()
    assert sum(n[WRONG] for n in counts) == 0
    assert sum(sum(n.values()) for n in counts) == made["cases"]


def test_cases_repeat():
    for kind in ("folds", "H-loss"):
        assert run_case(kind, 3, 0) == run_case(kind, 3, 0)


def test_a_wrong_answer_is_found():
    def call(answer, **options):
        return Call(
            answer, lambda found: "" if found == 1 else "not 1", "f()", **options
        )

    assert come_of(call(lambda: 1)) == (RIGHT, "")
    assert come_of(call(lambda: 2)) == (WRONG, "f(): not 1")
    assert come_of(call(lambda: 1, must_fail=True)) == (WRONG, "f(): no error")
    name, text = come_of(call(lambda: {}[0]))
    assert name == WRONG and "no error for users" in text
    name, text = come_of(call(lambda: np.zeros(2) @ np.zeros(3)))
    assert name == WRONG and "unclear" in text
    name, text = come_of(call(lambda: Hierarchy.from_edges([("a", "b"), ("b", "a")])))
    assert name == REFUSED and "a" in text
