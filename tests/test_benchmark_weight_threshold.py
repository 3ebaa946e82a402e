"""Tests of benchmarks.weight_threshold: dropping later, and what the page says."""

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks import weight_threshold
from benchmarks.command import read_results
from benchmarks.many_labels_parts import sets
from skhmc import LabelTreeClassifier


@pytest.mark.filterwarnings("ignore:Of 310 labels:UserWarning")
def test_weights_dropped_later_are_those_of_a_fit():
    X, Y, hierarchy = sets.make_pairs(300)
    X = sp.csr_matrix(X, dtype=np.float32)
    fixed = {"C": 1.0, "random_state": 0}
    clf = LabelTreeClassifier(hierarchy, weight_threshold=0.01, **fixed).fit(X, Y)
    before = clf._weights.nnz
    clf._search(X)  # what it keeps is of the weights of before
    weight_threshold.drop_small(clf, 0.2)
    fitted = LabelTreeClassifier(hierarchy, weight_threshold=0.2, **fixed).fit(X, Y)
    assert fitted._weights.nnz < before
    assert (clf.coef_ != fitted.coef_).nnz == 0
    assert (clf.predict_proba(X) == fitted.predict_proba(X)).all()
    found, expected = (
        one._search(X).best(3, np.ones(one.n_nodes_, bool), None)
        for one in (clf, fitted)
    )
    for part, other in zip(found, expected, strict=True):
        assert (part == other).all()


def test_the_documentation_has_the_table_of_the_results():
    results = read_results(weight_threshold.STORED)
    assert weight_threshold.PAGE.read_text() == weight_threshold.page(results)
    assert {run["set"] for run in results["runs"]} == set(weight_threshold.SETS)
    for run in results["runs"]:
        sizes = [row[3] for row in run["rows"]]
        assert sizes == sorted(sizes, reverse=True)
