"""The default score of estimators, and the weights of samples that it takes."""

import numpy as np
import pytest

from skhmc._scoring.subset_accuracy import subset_accuracy
from tests.fake_estimators import FakeHMC


class Says(FakeHMC):
    """Predicts X."""

    def predict(self, X):
        return X


class SaysClasses(Says):
    """Predicts X, one class per sample."""

    classes_ = np.array([0, 1])


Y = np.array([[1, 0], [1, 1], [0, 0], [1, 0]])
PREDICTED = np.array([[1, 0], [1, 0], [0, 0], [0, 0]])  # right in rows 0 and 2
BOTH = {
    "label sets": (Says().fit(np.zeros((4, 1)), Y), PREDICTED, Y),
    "classes": (SaysClasses(), np.array([0, 1, 1, 0]), np.array([0, 0, 1, 1])),
}
both = pytest.mark.parametrize("estimator, X, y", BOTH.values(), ids=BOTH)


@both
@pytest.mark.parametrize(
    "weight, expected",
    [(None, 1 / 2), ([3, 1, 2, 2], 5 / 8), ([0, 1, 0, 0], 0), (2, 1 / 2)],
)
def test_samples_weigh_as_they_should(estimator, X, y, weight, expected):
    assert subset_accuracy(estimator, X, y, weight) == expected


@both
@pytest.mark.parametrize(
    "weight, message",
    [
        ([1, -1, 1, 1], r"of at least 0, got -1.0 at \(1,\)"),
        ([1, np.nan, 1, 1], "finite sample_weight, got NaN"),
        ([1, 1, 1], r"of shape \(4,\), one weight per sample, got \(3,\)"),
        (np.ones((4, 2)), r"of shape \(4,\), one weight per sample, got \(4, 2\)"),
        ([0, 0, 0, 0], "some positive sample weight, got only zeros"),
        ([1e308, 1e308, 1, 1], "whose sum is finite, got weights up to 1e.308"),
    ],
)
def test_weights_without_a_meaning_are_refused(estimator, X, y, weight, message):
    with pytest.raises(ValueError, match=message):
        subset_accuracy(estimator, X, y, weight)
