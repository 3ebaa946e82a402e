"""Estimators of several networks: the mean of what each would be alone."""

import pickle
import re
import warnings
from copy import deepcopy

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import HCALClassifier, HyperbolicHMC, MaxConstraintClassifier
from skhmc.metrics import hierarchical_violation_rate
from tests.contract import assert_same, build, estimators_with, task
from tests.instances import DETERMINISTIC
from tests.steps import CASES, every_case, fitted

KINDS = pytest.mark.parametrize("kind", ["many", "paths"])
EXACT = [pytest.param(e, id=type(e).__name__) for e in DETERMINISTIC]
SEVERAL = [
    pytest.param(clone(param.values[0]).set_params(n_estimators=3), id=param.id)
    for param in estimators_with("n_estimators")
]
several = pytest.mark.parametrize("estimator", SEVERAL)
ALONE = [
    pytest.param(*param.values, options, id="-".join([param.id, *options]))
    for options in (
        {},
        {"n_sampled_labels": 2, "label_loss": "bce"},
        {"task_weighting": "dwa"},
    )
    for param in estimators_with("n_estimators", *options, among=EXACT)
]
STILL = {"learning_rate_init": 1e-30, "schedule": "constant"}
STILL |= {"optimizer__weight_decay": 0.0}
fewer = pytest.mark.filterwarnings("ignore:Of [0-9]+ labels:UserWarning")


@KINDS
@pytest.mark.parametrize("plain, options", ALONE)
def test_each_network_is_trained_as_it_would_be_alone(plain, options, kind):
    hierarchy, X, Y = task(kind)
    options = {"max_iter": 5, "warm_start": True, "tol": 0.0, **options}
    moving = {"optimizer__weight_decay": 0.01, "schedule": plain.schedule}
    moving["learning_rate_init"] = plain.learning_rate_init
    clf = build(plain, hierarchy, n_estimators=2, **options)
    clf.set_params(**STILL).fit(X, Y)
    begin = deepcopy((clf.net_.module_.members, clf.net_.criterion_.members))
    clf.set_params(**moving).fit(X, Y)
    scores = []
    members = clf.net_.module_.members
    for start, criterion, member in zip(*begin, members, strict=True):
        one = build(plain, hierarchy, **options).set_params(**STILL).fit(X, Y)
        one.net_.module_.load_state_dict(start.state_dict())
        one.net_.criterion_.load_from(criterion)
        one.set_params(**moving).fit(X, Y)
        torch.testing.assert_close(member.state_dict(), one.net_.module_.state_dict())
        scores.append(one.set_params(coherence=None).raw_decision_function(X))
    assert np.abs(scores[0] - scores[1]).max() > 0.01
    if clf.coherence_ == "max":  # else log-odds are derived from the mean logits
        found = clf.raw_decision_function(X)
        np.testing.assert_allclose(found, np.mean(scores, axis=0), rtol=1e-6)


@KINDS
@several
def test_predictions_are_coherent_repeatable_and_survive_a_pickle(estimator, kind):
    hierarchy, X, Y = task(kind)
    clf = build(estimator, hierarchy).fit(X, Y)
    assert len(clf.net_.module_.members) == 3
    assert hierarchical_violation_rate(clf.predict(X), hierarchy) == 0
    again = build(estimator, hierarchy).fit(X, Y)
    copied = pickle.loads(pickle.dumps(clf))
    one = build(estimator, hierarchy, n_estimators=1).fit(X, Y)
    assert not hasattr(one.net_.module_, "members")
    for other in (again, copied):
        assert_same(clf.predict_proba(X), other.predict_proba(X))
    assert not np.allclose(clf.predict_proba(X), one.predict_proba(X))
    assert clf.history_[-1].keys() == one.history_[-1].keys()


@fewer
@every_case(SEVERAL)
def test_every_way_to_train(estimator, case):
    clf, _ = fitted(estimator, CASES[case])
    assert np.isfinite(clf.history_[0]["train_loss"])


@several
def test_an_encoder_early_stopping_and_mixed_precision(estimator):
    hierarchy, X, Y = task("many")
    options = {"encoder": lambda: torch.nn.Linear(5, 3), "early_stopping": True}
    clf = build(estimator, hierarchy, precision="mixed", **options).fit(X, Y)
    encoders = [member.encoder for member in clf.net_.module_.members]
    assert len(set(map(id, encoders))) == 3
    assert not torch.equal(encoders[0].weight, encoders[1].weight)
    assert 0 < clf.history_[-1]["valid_score"] <= 1


def test_an_encoder_given_as_an_instance_is_copied_as_it_is():
    hierarchy, X, Y = task("many")
    given = torch.nn.Linear(5, 3)
    begin = given.weight.detach().clone()
    clf = HCALClassifier(hierarchy, encoder=given, n_estimators=2, max_iter=1, **STILL)
    clf.fit(X, Y)
    for member in clf.net_.module_.members:
        assert member.encoder is not given
        assert torch.equal(member.encoder.weight, begin)
    assert torch.equal(given.weight, begin)


def test_networks_that_would_be_the_same_are_warned_of():
    hierarchy, X, Y = task("many")
    options = {"encoder": torch.nn.Linear(5, 3), "max_iter": 1}
    for n_estimators in (1, 2):
        clf = MaxConstraintClassifier(hierarchy, n_estimators=n_estimators, **options)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            clf.fit(X, Y)
        said = [str(warning.message) for warning in said]
        alike = [
            "All n_estimators=2 networks start from the same weights" in x for x in said
        ]
        assert alike == [True] * (n_estimators - 1)


def test_an_encoder_that_is_one_for_all_networks_is_an_error():
    hierarchy, X, Y = task("many")
    shared = torch.nn.Linear(5, 3)
    for n_estimators in (1, 2):
        clf = HCALClassifier(
            hierarchy, encoder=lambda: shared, n_estimators=n_estimators
        )
        if n_estimators == 1:
            clf.set_params(max_iter=1).fit(X, Y)
        else:
            with pytest.raises(ValueError, match="returned the same module twice"):
                clf.fit(X, Y)


@several
def test_wide_sparse_x_stays_sparse(estimator):
    hierarchy, X, Y = task("many")
    X = sp.random(len(Y), 1000, density=0.005, format="csr", random_state=0)
    clf = build(estimator, hierarchy).fit(X, Y)
    assert clf.net_.module_.takes_sparse
    np.testing.assert_allclose(
        clf.predict_proba(X), clf.predict_proba(X.toarray()), rtol=1e-5
    )


class WithPrototypes(torch.nn.Module):
    """An encoder that names its weights as the network does."""

    def __init__(self):
        super().__init__()
        draw = [torch.nn.Parameter(torch.rand(5)) for _ in range(2)]
        self.prototypes = torch.nn.ParameterList(draw)

    def forward(self, X):
        return X * self.prototypes[0] + self.prototypes[1]


def test_a_learning_rate_of_prototypes_is_for_all_networks():
    hierarchy, X, Y = task("many")
    clf = HCALClassifier(
        hierarchy,
        encoder=WithPrototypes,
        embedding_dim=2,
        n_estimators=2,
        max_iter=1,
        schedule="constant",
        learning_rate_init=(0.001, 0.5, 0.25),
    ).fit(X, Y)
    rates = {
        id(weight): group["lr"]
        for group in clf.net_.optimizer_.param_groups
        for weight in group["params"]
    }
    for member in clf.net_.module_.members:
        assert [rates[id(level)] for level in member.prototypes] == [0.25, 0.5]
        others = [member.embedding.weight, *member.encoder.prototypes]
        assert [rates[id(w)] for w in others] == [0.001] * 3


@several
def test_training_goes_on_with_as_many_networks(estimator):
    hierarchy, X, Y = task("many")
    clf = build(estimator, hierarchy)
    for rows in np.array_split(np.arange(len(X)), 2):
        clf.partial_fit(X[rows], Y[rows])
    assert clf.n_iter_ == 2
    before = clf.predict_proba(X)
    clf.set_params(n_estimators=2, warm_start=True)
    for method in (clf.partial_fit, clf.fit):
        message = "goes on with n_estimators=3, but got n_estimators=2. Set it back"
        with pytest.raises(ValueError, match=re.escape(message)):
            method(X, Y)
    assert_same(clf.predict_proba(X), before)
    clf.set_params(n_estimators=3).fit(X, Y)


def test_a_number_below_one_is_an_error():
    hierarchy, X, Y = task("many")
    with pytest.raises(InvalidParameterError, match="'n_estimators' parameter"):
        HCALClassifier(hierarchy, n_estimators=0).fit(X, Y)


def test_one_label_embedding_is_of_one_network():
    assert "n_estimators" not in HyperbolicHMC().get_params()
