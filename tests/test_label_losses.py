"""The table of label losses: one row is all that a new loss needs."""

import numpy as np
import pytest
import torch
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import HCALClassifier, MaxConstraintClassifier
from skhmc.nn import LOSSES, Loss
from tests.contract import assert_same, task

KINDS = pytest.mark.parametrize("kind", [HCALClassifier, MaxConstraintClassifier])
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}


def squared(logits, targets):
    return (torch.sigmoid(logits) - targets).square()


def squared_of_sets(logits, targets):
    return squared(logits, targets).sum(1)


def fitted(kind, **options):
    hierarchy, X, Y = task("many")
    clf = kind(hierarchy, **SMALL, **options).fit(X, Y)
    return clf, clf.decision_function(X)


@KINDS
def test_a_loss_is_added_by_one_row(kind, monkeypatch):
    monkeypatch.setitem(LOSSES, "mine", Loss(squared))
    clf, scores = fitted(kind, label_loss="mine")
    assert_same(scores, fitted(kind, label_loss=squared)[1])
    assert not np.allclose(scores, fitted(kind, label_loss="bce")[1])
    assert clf.n_sampled_labels_ is None


@KINDS
def test_a_sample_of_labels_is_refused_unless_the_row_allows_it(kind, monkeypatch):
    monkeypatch.setitem(LOSSES, "mine", Loss(squared))
    options = {"label_loss": "mine", "n_sampled_labels": 2}
    with pytest.raises(ValueError, match="label_loss='mine' needs all of them"):
        fitted(kind, **options)
    monkeypatch.setitem(LOSSES, "mine", Loss(squared, needs_all_labels=False))
    clf, _ = fitted(kind, **options)
    assert clf.n_sampled_labels_ == 2


@KINDS
def test_a_loss_of_sets_and_one_that_needs_the_hierarchy(kind, monkeypatch):
    monkeypatch.setitem(LOSSES, "sets", Loss(squared_of_sets, elementwise=False))
    asked = []

    def of_hierarchy(hierarchy):
        asked.append(hierarchy)
        return squared

    monkeypatch.setitem(LOSSES, "mine", Loss(of_hierarchy, needs_hierarchy=True))
    _, scores = fitted(kind, label_loss="sets")
    assert np.isfinite(scores).all()
    _, scores = fitted(kind, label_loss="mine")
    assert_same(scores, fitted(kind, label_loss=squared)[1])
    assert set(asked[0].labels) == set(task("many")[0].labels)


@KINDS
def test_a_name_that_is_in_no_row_is_an_error_that_lists_them(kind, monkeypatch):
    monkeypatch.setitem(LOSSES, "mine", Loss(squared))
    monkeypatch.setitem(LOSSES, "paths", Loss(squared, single_paths=True))
    with pytest.raises(InvalidParameterError, match="'label_loss'.*'mine'") as error:
        fitted(kind, label_loss="other")
    assert ("'paths'" in str(error.value)) == (kind is HCALClassifier)
