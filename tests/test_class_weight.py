"""What a dict of class weights means: labels by name, or the values 0 and 1."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import HCALClassifier, Hierarchy, MaxConstraintClassifier
from skhmc._data.weights import read_label_weights
from tests.contract import task

NAMED = Hierarchy.flat(["a", "b", "c"])
COUNTED = Hierarchy.flat(3)


def read(class_weight, hierarchy, **options):
    return [
        part.tolist() for part in read_label_weights(class_weight, hierarchy, **options)
    ]


@pytest.mark.parametrize(
    "class_weight, zero, one",
    [
        ({0: 1, 1: 20}, 1, 20),
        ({1: 20}, 1, 20),
        ({0: 0.5}, 0.5, 1),
        ({np.int64(0): 2, np.int64(1): 3}, 2, 3),
        ({False: 2, True: 3}, 2, 3),
    ],
)
def test_values_where_no_label_has_their_names(class_weight, zero, one):
    assert read(class_weight, NAMED) == [[zero] * 3, [one] * 3]
    ones = Hierarchy.flat([1, 2, 3])  # no label is 0, so that it can only be a value
    if len(class_weight) == 2:
        assert read(class_weight, ones) == [[zero] * 3, [one] * 3]


def test_labels_by_name():
    assert read({"a": 5}, NAMED) == [[1] * 3, [5, 1, 1]]
    assert read({2: 5}, COUNTED) == [[1] * 3, [1, 1, 5]]
    assert read({0: 2, 1: 3, 2: 1}, COUNTED) == [[1] * 3, [2, 3, 1]]
    assert read({1: 3, 2: 1}, COUNTED) == [[1] * 3, [1, 3, 1]]
    assert read({}, COUNTED) == [[1] * 3, [1] * 3]


@pytest.mark.parametrize("n_labels", [2, 3])
def test_both_readings_are_told_where_both_are_possible(n_labels):
    message = "may mean the labels 0 and 1.*or the values 0 and 1.*{False: 1, True: 20}"
    with pytest.raises(ValueError, match=message):
        read({0: 1, 1: 20}, Hierarchy.flat(n_labels))
    clear = read({False: 1, True: 20}, Hierarchy.flat(n_labels))
    assert clear == [[1] * n_labels, [20] * n_labels]


def test_one_key_is_the_label_with_a_warning():
    message = (
        re.escape("read as the weight of the positives of label 1") + ".*{True: 20}"
    )
    with pytest.warns(UserWarning, match=message):
        assert read({1: 20}, COUNTED) == [[1] * 3, [1, 20, 1]]


def test_wrong_weights_of_values():
    with pytest.raises(InvalidParameterError, match="at least 0, got -1 for label 1"):
        read({0: 1, 1: -1}, NAMED)
    with pytest.raises(ValueError, match="labels that there are not: 0, 2"):
        read({0: 1, 2: 1}, NAMED)


def test_values_mean_nothing_to_a_softmax():
    message = "a softmax scores them.*label_loss='bce'"
    with pytest.raises(ValueError, match=message):
        read({0: 1, 1: 20}, NAMED, exclusive=True)
    assert read({0: 2, 1: 2}, NAMED, exclusive=True) == [[2] * 3, [2] * 3]
    hierarchy, X, Y = task("paths")
    clf = HCALClassifier(hierarchy, class_weight={0: 1, 1: 20})
    with pytest.raises(ValueError, match=message):
        clf.fit(X, Y)


SMALL = {
    "hidden_layer_sizes": (4,),
    "max_iter": 2,
    "batch_size": None,
    "random_state": 0,
}


def test_a_fit_with_weights_of_values():
    hierarchy, X, Y = task("many")
    frame = pd.DataFrame(Y, columns=hierarchy.labels)
    found = [
        MaxConstraintClassifier(hierarchy, class_weight=weight, **SMALL)
        .fit(X, frame)
        .predict_proba(X)
        for weight in ({0: 1, 1: 20}, dict.fromkeys(hierarchy.labels, 20), {1: 1}, None)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[2], found[3])
    assert found[0].mean() > found[3].mean() + 0.1
    fewer = MaxConstraintClassifier(hierarchy, class_weight={0: 20, 1: 1}, **SMALL)
    assert fewer.fit(X, frame).predict_proba(X).mean() < found[3].mean() - 0.1
    with pytest.raises(ValueError, match="may mean the labels 0 and 1"):
        MaxConstraintClassifier(None, class_weight={0: 1, 1: 20}).fit(X, Y)


def test_after_a_1d_y_of_0_and_1_they_are_the_classes():
    X = np.arange(20.0).reshape(-1, 1) / 10
    y = np.tile([0, 1], 10)
    weighted = MaxConstraintClassifier(class_weight={0: 1, 1: 20}, **SMALL).fit(X, y)
    by_sample = MaxConstraintClassifier(**SMALL).fit(X, y, 1 + 19.0 * y)
    np.testing.assert_allclose(
        weighted.predict_proba(X), by_sample.predict_proba(X), rtol=1e-4
    )
    plain = MaxConstraintClassifier(**SMALL).fit(X, y)
    assert weighted.predict_proba(X)[:, 1].min() > plain.predict_proba(X)[:, 1].max()
