"""The same on a CUDA device; run with ``pytest -m gpu`` where there is one."""

import pickle
import warnings

import numpy as np
import pytest
import torch

from skhmc import HCALClassifier, HyperbolicHMC, MaxConstraintClassifier
from skhmc._networks.parameters import CHUNK
from skhmc.coherence import score_violations
from skhmc.datasets import load_digit_properties
from skhmc.nn.coherence import MaxConstraint
from tests.contract import build, every_estimator, task
from tests.hierarchies import random_hierarchy
from tests.steps import CASES, every_case, fitted, steps

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    # of torch 2.11 and 2.12, although check_invariants is given
    pytest.mark.filterwarnings("ignore:Sparse invariant checks:UserWarning"),
]
DIGITS = load_digit_properties()
NO_INPUT_DROPOUT = {
    HCALClassifier: (0.0, "auto", "auto"),
    HyperbolicHMC: (0.0, "auto", 0.2),
    MaxConstraintClassifier: (0.0, "auto"),
}
X, Y = DIGITS.data[DIGITS.train] / 16, DIGITS.target[DIGITS.train]


def test_the_max_constraint_and_its_gradient_are_those_of_the_cpu():
    constraint = MaxConstraint(random_hierarchy(200, seed=0, max_parents=3))
    scores = torch.randn(8, 200, generator=torch.Generator().manual_seed(0))
    results = []
    for device in ("cpu", "cuda"):
        x = scores.to(device, copy=True).requires_grad_()
        out = constraint.to(device)(x)
        out.square().sum().backward()
        results.append((out.cpu(), x.grad.cpu()))
    for on_cpu, on_gpu in zip(*results, strict=True):
        torch.testing.assert_close(on_cpu, on_gpu)


@pytest.mark.parametrize("aggregation", [0.0, 0.5])
def test_a_fit_learns_and_its_pickle_predicts_the_same_on_the_cpu(aggregation):
    clf = HCALClassifier(
        DIGITS.hierarchy,
        hidden_layer_sizes=(200,),
        dropout=(0.0, 0.2, "auto"),
        aggregation=aggregation,
        max_iter=20,
        device="auto",
        random_state=0,
    ).fit(X, Y)
    assert clf.net_.device == "cuda"
    assert next(clf.net_.module_.parameters()).is_cuda
    proba = clf.predict_proba(X)
    assert (clf.predict(X) == Y).mean() > 0.95
    assert score_violations(proba, DIGITS.hierarchy).nnz == 0
    again = pickle.loads(pickle.dumps(clf))
    again.net_.set_params(device="cpu")
    again.net_.module_.to("cpu")
    np.testing.assert_allclose(again.predict_proba(X), proba, atol=1e-4)


@every_estimator
def test_a_pickle_made_on_a_gpu_goes_on_without_one(estimator):
    hierarchy, X, Y = task("many")
    clf = build(estimator, hierarchy, device="cuda").partial_fit(X, Y).partial_fit(X, Y)
    again = pickle.loads(pickle.dumps(clf)).set_params(device="cpu")
    np.testing.assert_allclose(again.predict_proba(X), clf.predict_proba(X), atol=1e-4)
    again.partial_fit(X, Y)
    assert again.net_.device == "cpu" and again.n_iter_ == 3


@every_estimator
@pytest.mark.parametrize("precision", ["float32", "tf32", "mixed"])
def test_every_precision_learns(estimator, precision):
    clf = build(estimator, DIGITS.hierarchy, device="cuda", precision=precision)
    options = {"hidden_layer_sizes": (200,), "max_iter": 20}
    options["dropout"] = NO_INPUT_DROPOUT[type(clf)]
    clf.set_params(**options).fit(X, Y)
    assert (clf.predict(X) == Y).mean() > 0.9


@every_case()
def test_no_step_waits_for_the_gpu(estimator, case):
    clf, dataset = fitted(estimator, CASES[case], "cuda")
    if "aggregation" in CASES[case]:
        assert min(clf.net_.criterion_.max_means) >= CHUNK
    taken = steps(clf.net_, dataset.move_to("cuda"), "cuda")
    next(taken)  # the optimizer's memory, and the first that is pinned
    try:
        with warnings.catch_warnings():  # that this does not see every wait
            warnings.simplefilter("ignore", UserWarning)
            torch.cuda.set_sync_debug_mode("error")
        assert len(list(taken)) > 1
    finally:
        torch.cuda.set_sync_debug_mode("default")
