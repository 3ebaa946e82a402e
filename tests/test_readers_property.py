"""Every reader, fed with random hierarchies: right, warned, refused, never silent.

The cases are those of ``python -m benchmarks.soak`` (``make soak``), which runs many
more.
"""

import json
from collections import Counter

import pytest

from benchmarks.command import RESULTS
from benchmarks.soak import KINDS, OUTCOMES, is_passed, run_case
from benchmarks.soak_parts.outcome import (
    FALSE_ALARM,
    RIGHT,
    WARNED,
    WRONG,
    Case,
    outcome,
)
from skhmc import Hierarchy

N_CASES = 60  # of every kind


@pytest.mark.parametrize("kind", KINDS)
def test_random_hierarchies_are_read_right_or_not_without_a_word(kind, tmp_path):
    found = [run_case(kind, number, "test", tmp_path) for number in range(N_CASES)]
    bad = [text for name, text in found if name in (WRONG, FALSE_ALARM)]
    assert not bad, bad[0]


def test_a_wrong_reading_is_found():
    paths = ["a/b", "a/c"]

    def case(read, allowed=(RIGHT,)):
        return Case(lambda: read(paths), lambda h: len(h.edges) == 2, paths, allowed)

    assert outcome(case(Hierarchy.from_paths)) == (RIGHT, "")
    name, text = outcome(case(Hierarchy.flat, (RIGHT, WARNED)))
    assert name == WRONG and "without a word as Hierarchy(2 labels, 0 edges" in text
    name, text = outcome(case(Hierarchy.from_edges))
    assert name == WRONG and "refused, ValueError" in text
    assert outcome(case(lambda x: {}[0]))[0] == WRONG


def test_one_wrong_case_or_two_false_alarms_of_a_thousand_fail():
    kind = "right way up, with Y"
    assert is_passed({kind: Counter({RIGHT: 999, FALSE_ALARM: 1})})
    assert not is_passed({kind: Counter({RIGHT: 998, FALSE_ALARM: 2})})
    assert not is_passed({"from_obo": Counter({RIGHT: 9999, WRONG: 1})})


def test_the_long_run_that_is_kept_passed():
    kept = json.loads((RESULTS / "soak.json").read_text())
    assert kept["passed"] and kept["cases"] >= 100_000
    assert list(kept["outcomes"]) == list(KINDS)
    assert sum(sum(n.values()) for n in kept["outcomes"].values()) == kept["cases"]
    assert all(set(n) == set(OUTCOMES) for n in kept["outcomes"].values())
