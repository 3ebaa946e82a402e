"""Numbers that are large, small, or of another type than usual: right, or refused."""

import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
    HyperbolicHMC,
    MaxConstraintClassifier,
)
from skhmc.coherence import (
    average_constraint,
    isotonic_constraint,
    max_constraint,
    min_constraint,
    product_constraint,
    score_violations,
)

NETWORKS = [HCALClassifier, HyperbolicHMC, MaxConstraintClassifier]
EDGE = Hierarchy.from_edges([(0, 1)])
CONSTRAINTS = [
    average_constraint,
    isotonic_constraint,
    max_constraint,
    min_constraint,
    product_constraint,
]

H = Hierarchy.build({"a1": "a", "a2": "a"}, labels=["a", "a1", "a2"])
X = np.random.default_rng(0).normal(size=(40, 5))
Y = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1]])[np.arange(40) % 4]


def small(kind, **options):
    given = {"hidden_layer_sizes": (6,), "max_iter": 2, "random_state": 0}
    return kind(H, **(given | options))


# -- scores of any dtype ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "mean"),
    [
        (np.array([[200, 250]], np.uint8), 225.0),  # the sum is more than 255
        (np.array([[100, 127]], np.int8), 113.5),
        (np.array([[False, True]]), 0.5),
        (np.array([[True, True]]), 1.0),
        (np.array([[2**63, 2**63]], np.uint64), 2.0**63),
        (np.array([[0.25, 0.75]], np.float16), 0.5),
        (np.array([[60000, 65504]], np.float16), 62752.0),
        (np.array([[1e308, 1.5e308]]), 1.25e308),
        (np.array([[5e-324, 5e-324]]), 5e-324),
        (np.array([[1, 2]], object), 1.5),
        ([[1, 2]], 1.5),
    ],
)
def test_a_mean_is_right_in_every_dtype(scores, mean):
    found = average_constraint(scores, EDGE)
    assert found.dtype.kind == "f"
    np.testing.assert_array_equal(found, [[mean, mean]])


@pytest.mark.parametrize("constrain", CONSTRAINTS)
@pytest.mark.parametrize("dtype", ["?", "i1", "u1", "i8", "u8", "f2", "f4", "f8", "O"])
def test_every_dtype_has_the_result_of_floats(constrain, dtype):
    chain = Hierarchy.from_edges([(0, 1), (1, 2)])
    scores = np.random.default_rng(1).integers(0, 2, (20, 3))
    if dtype != "?":
        scores = scores * 100
    expected = constrain(scores.astype(float), chain)
    found = constrain(scores.astype(dtype), chain)
    np.testing.assert_allclose(found.astype(float), expected, rtol=1e-3)


@pytest.mark.parametrize("constrain", [*CONSTRAINTS, score_violations])
@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (np.array([["a", "b"]]), "Expected scores to be numbers, got dtype <U1"),
        (np.array([[1j, 2]]), "got dtype complex128"),
        (np.array([[1, None]], object), "NaN for label 1 in row 0"),
        (np.array([[0.5, 0.1], [0.5, np.nan]]), "got NaN for label 1 in row 1"),
    ],
)
def test_what_is_no_number_is_an_error(constrain, scores, message):
    with pytest.raises(ValueError, match=message):
        constrain(scores, EDGE)


@pytest.mark.parametrize("constrain", [average_constraint, isotonic_constraint])
def test_a_mean_of_infinite_scores_is_an_error(constrain):
    with pytest.raises(ValueError, match="finite scores, got -inf for label 0 in row"):
        constrain(np.array([[-np.inf, 1.0]]), EDGE)


def test_infinite_scores_can_be_compared():
    scores = np.array([[-np.inf, 1.0], [np.inf, -np.inf]])
    np.testing.assert_array_equal(
        max_constraint(scores, EDGE), [[1, 1], [np.inf, -np.inf]]
    )


# -- weights ---------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1e308, 1e-308])
def test_the_scale_of_sample_weights_means_nothing(scale):
    expected = small(MaxConstraintClassifier).fit(X, Y).predict_proba(X)
    weight = np.full(len(X), scale)
    found = small(MaxConstraintClassifier).fit(X, Y, weight).predict_proba(X)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_class_weight_that_no_float_can_hold_is_an_error():
    clf = small(MaxConstraintClassifier, class_weight={"a1": 1e308})
    with pytest.raises(InvalidParameterError, match=r"1e\+308 for label 'a1'"):
        clf.fit(X, Y)
    heavy = small(MaxConstraintClassifier, class_weight={"a1": 1e9}).fit(X, Y)
    assert np.isfinite(heavy.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (-np.ones(40), "at least 0, got -1.0"),
        (np.full(40, np.nan), "finite sample_weight"),
        (np.ones(39), r"shape \(40,\)"),
        (np.zeros(40), "only zeros"),
        (np.full(40, 1e308), "whose sum is finite"),
    ],
)
def test_weights_of_a_score_are_checked(weight, message):
    clf = CoherentClassifier(DummyClassifier(), H).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        clf.score(X, Y, weight)


def test_weights_of_a_score_count():
    clf = CoherentClassifier(DummyClassifier(), H, threshold=0.99).fit(X, Y)
    right = (clf.predict(X) == Y).all(axis=1)
    assert 0 < right.mean() < 1
    assert clf.score(X, Y, right.astype(float)) == 1.0


def test_weights_of_a_tuned_threshold_have_a_finite_sum():
    inner = small(MaxConstraintClassifier)
    clf = HierarchicalThresholdClassifier(inner, cv=2)
    with pytest.raises(ValueError, match="whose sum is finite"):
        clf.fit(X, Y, sample_weight=np.full(40, 1e308))


# -- X ---------------------------------------------------------------------------------


# of the sum by which scikit-learn looks for infinite values
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")
@pytest.mark.parametrize("kind", NETWORKS)
def test_scores_that_overflow_are_an_error(kind):
    clf = small(kind).fit(X, Y)
    with pytest.raises(FloatingPointError, match="X may hold much larger numbers"):
        clf.predict_proba(np.sign(X) * 3e38)
    with pytest.raises(FloatingPointError, match="scale X"):
        small(kind).fit(np.sign(X) * 3e38, Y)


# -- parameters ------------------------------------------------------------------------


def numbers_of_numpy(value):
    if isinstance(value, bool):
        return [np.bool_(value)]
    if isinstance(value, int):
        return [np.int64(value), np.int8(value)]
    if isinstance(value, float):
        return [np.float64(value)]
    if isinstance(value, tuple) and not any(isinstance(v, str) for v in value):
        return [np.array(value)]
    if isinstance(value, str):
        return [np.str_(value)]
    return []


GIVEN = {
    "threshold": 0.5,
    "n_sampled_labels": 2,
    "max_radius": 8.0,
    "optimizer__weight_decay": 0.1,
    "schedule__pct_start": 0.5,
}
SMALLER = {"max_iter": 2, "batch_size": 16, "embedding_dim": 4, "random_state": 0}
SMALLER |= {"hidden_layer_sizes": (6,), "ranking_sample": (8, 2)}


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_parameter_takes_numbers_of_numpy(kind):
    """All at once: where one fails or means something else, the test says so."""
    plain = kind().get_params()
    plain |= {k: v for k, v in SMALLER.items() if k in plain}
    plain |= {k: v for k, v in GIVEN.items() if k in plain or "__" in k}
    expected = kind(**(plain | {"hierarchy": H})).fit(X, Y).predict_proba(X)
    for turn in (0, -1):
        changed = {}
        for name, value in plain.items():
            found = numbers_of_numpy(value)
            changed[name] = found[turn] if found else value
        clf = kind(**(changed | {"hierarchy": H}))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = clf.fit(X, Y).predict_proba(X)
        np.testing.assert_array_equal(found, expected)


def test_a_search_over_a_range_of_numpy_tries_every_candidate():
    for n in np.arange(1, 4):
        assert small(HCALClassifier, max_iter=n).fit(X, Y).n_iter_ == n
