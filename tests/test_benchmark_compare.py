"""What libraries do: a table printed from results, and tried again where it can be."""

import json

import numpy as np
import pytest

from benchmarks import compare_libraries as bench
from benchmarks.compare_parts import worker
from benchmarks.tables import README

FOUND = json.loads(bench.RESULTS.read_text())


def test_readme_and_page_are_printed_from_the_results():
    shown = README.read_text().split("<!-- libraries -->\n")[1]
    assert shown.split("<!-- /libraries -->\n")[0] == bench.readme_table(FOUND)
    assert bench.PAGE.read_text() == bench.page(FOUND)


def test_results_are_of_the_tries_and_versions_that_are_named():
    assert list(FOUND) == list(bench.INSTALL) == list(worker.LIBRARIES)
    for name, one in FOUND.items():
        assert list(one["cells"]) == list(worker.TRIES)
        for line in bench.INSTALL[name]:
            package, _, version = line.partition("==")
            assert not version or one["versions"][package] == version
    assert 5 <= len(bench.rows_of(FOUND)[1]) <= 7


@pytest.mark.parametrize(
    "name",
    ["MultiOutputClassifier", pytest.param("skhmc", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("row", worker.TRIES)
def test_a_try_ends_as_it_is_stored(name, row):
    cell = worker.attempt(worker.TRIES[row], worker.LIBRARIES[name])
    assert cell["works"] == FOUND[name]["cells"][row]["works"], cell["how"]


class Says:
    """A library that predicts what it is told to."""

    edges = worker.EDGES
    note = ""

    def __init__(self, labels, proba=None):
        self.labels, self.given = np.array(labels), proba

    def fit(self, X, Y):
        if np.isnan(Y).any():
            raise ValueError("no\n  NaN")
        return self

    def predict(self, model, X):
        return np.tile(self.labels, (X.shape[0], 1))

    def proba(self, model, X):
        return np.tile(self.given, (X.shape[0], 1))


def works(row, library):
    return worker.attempt(getattr(worker, f"try_{row}"), library)["works"]


def test_tries_can_fail_and_work():
    assert works("two_parents", Says([1, 1, 1, 0]))
    assert not works("two_parents", Says([1, 0, 1, 0]))  # c without b
    assert not works("two_parents", Says([1, 1, 0, 0]))  # c is never predicted
    assert works("probabilities", Says([0] * 4, [0.6, 0.5, 0.5, 0.6]))
    assert not works("probabilities", Says([0] * 4, [0.6, 0.4, 0.5, 0.1]))
    assert not works("several_labels", Says([1, 1, 1, 1]))  # right for a quarter
    assert works("sparse", Says([1, 1, 1, 1]))


def test_an_error_is_a_no_with_its_message():
    cell = worker.attempt(worker.try_unknown_labels, Says([1, 1, 1, 1]))
    assert cell == {"works": False, "how": "ValueError: no NaN", "note": ""}
    assert bench.said(cell) == "no"
    assert bench.said({"works": True, "note": "with it"}) == "yes, with it"


def test_the_data_are_closed_upward():
    for parent, child in worker.EDGES:
        p, c = worker.LABELS.index(parent), worker.LABELS.index(child)
        assert (worker.KINDS[:, p] >= worker.KINDS[:, c]).all()
