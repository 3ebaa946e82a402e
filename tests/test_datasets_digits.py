"""Digit properties, checked against arithmetic."""

import networkx as nx
import numpy as np
import pytest
from sklearn.datasets import load_digits

from skhmc.coherence import violations
from skhmc.datasets import load_digit_properties


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, n))


ARITHMETIC = {
    "even": lambda n: n % 2 == 0,
    "odd": lambda n: n % 2 == 1,
    "multiple of 3": lambda n: n % 3 == 0,
    "multiple of 4": lambda n: n % 4 == 0,
    "multiple of 6": lambda n: n % 6 == 0,
    "prime": is_prime,
    "odd prime": lambda n: n % 2 == 1 and is_prime(n),
    "composite": lambda n: any(n % d == 0 for d in range(2, n)),
    "square": lambda n: any(k * k == n for k in range(n + 1)),
    "even square": lambda n: n % 2 == 0 and any(k * k == n for k in range(n + 1)),
    "cube": lambda n: any(k**3 == n for k in range(n + 1)),
    "power of two": lambda n: any(2**k == n for k in range(n + 1)),
} | {f"digit {d}": lambda n, d=d: n == d for d in range(10)}


@pytest.fixture(scope="module")
def digits():
    return load_digit_properties()


def test_labels_are_what_is_true_of_the_number(digits):
    assert set(digits.label_names) == set(ARITHMETIC)
    shown = load_digits().target
    truth = [[ARITHMETIC[name](n) for name in digits.label_names] for n in range(10)]
    np.testing.assert_array_equal(digits.target, np.array(truth, dtype=int)[shown])


def test_edges_are_true_of_all_numbers(digits):
    for parent, child in digits.hierarchy.to_networkx().edges:
        for n in range(200):
            assert ARITHMETIC[parent](n) or not ARITHMETIC[child](n), (parent, child, n)


def test_hierarchy_has_all_implications_and_no_redundant_edge(digits):
    extent = {
        name: {n for n in range(10) if ARITHMETIC[name](n)} for name in ARITHMETIC
    }
    implied = nx.DiGraph(
        (a, b) for a in extent for b in extent if extent[b] < extent[a]
    )
    expected = set(nx.transitive_reduction(implied).edges)
    assert set(digits.hierarchy.to_networkx().edges) == expected


def test_hierarchy_is_a_dag_and_target_is_closed(digits):
    assert not digits.hierarchy.is_tree
    assert violations(digits.target, digits.hierarchy).nnz == 0
    assert digits.target.any(axis=0).all()


def test_bunch(digits):
    n_labels = len(ARITHMETIC)
    assert digits.data.shape == (1797, 64) and digits.data.dtype == np.float64
    assert digits.data.min() == 0 and digits.data.max() == 16
    assert digits.target.shape == (1797, n_labels) and digits.target.dtype.kind == "i"
    assert digits.images.shape == (1797, 8, 8) and len(digits.feature_names) == 64
    assert digits.label_names == digits.target_names == list(digits.hierarchy.labels)
    assert digits.eval_mask.all() and digits.eval_mask.shape == (n_labels,)
    assert "odd prime" in digits.DESCR


def test_split_is_fixed_and_stratified(digits):
    again = load_digit_properties()
    np.testing.assert_array_equal(digits.train, again.train)
    both = np.sort(np.concatenate([digits.train, digits.test]))
    np.testing.assert_array_equal(both, np.arange(1797))
    shown = load_digits().target
    share = np.bincount(shown[digits.test]) / np.bincount(shown)
    np.testing.assert_allclose(share, 0.3, atol=0.01)


def test_return_X_y(digits):
    X, Y = load_digit_properties(return_X_y=True)
    np.testing.assert_array_equal(X, digits.data)
    np.testing.assert_array_equal(Y, digits.target)
