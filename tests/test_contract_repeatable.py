"""Same seed, same bits, in threads and processes too; global state is left alone."""

import logging
import os
import random
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sklearn
import torch
from joblib import parallel_config
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    cross_val_predict,
    cross_val_score,
)

from skhmc import HierarchicalThresholdClassifier
from tests.contract import (
    KINDS,
    assert_same,
    assert_same_fit,
    build,
    every_estimator,
    task,
)
from tests.instances import FAST

every_kind = pytest.mark.parametrize("kind", KINDS)


# -- the same bits ---------------------------------------------------------------------


@every_estimator
@every_kind
@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_same_seed_gives_the_same_bits_and_another_does_not(
    estimator, kind, early_stopping
):
    hierarchy, X, Y = task(kind)
    clfs = [
        build(
            estimator, hierarchy, random_state=seed, early_stopping=early_stopping
        ).fit(X, Y)
        for seed in (0, 0, np.random.RandomState(0), 1)
    ]
    for clf in clfs[1:3]:
        assert_same_fit(clf, clfs[0], X)
    assert not np.array_equal(clfs[3].predict_proba(X), clfs[0].predict_proba(X))


@every_estimator
@every_kind
def test_fitting_again_starts_anew(estimator, kind):
    hierarchy, X, Y = task(kind)
    clf = build(estimator, hierarchy).fit(X, Y)
    again = clone(clf).fit(X[:, :3], Y)  # another width, other weights
    assert_same_fit(again.fit(X, Y), clf, X)


@every_estimator
def test_a_random_state_is_used_up_as_in_scikit_learn(estimator):
    hierarchy, X, Y = task("many")
    state = np.random.RandomState(0)
    one, other = (
        build(estimator, hierarchy).set_params(random_state=state).fit(X, Y)
        for _ in range(2)
    )
    assert not np.array_equal(one.predict_proba(X), other.predict_proba(X))


@every_estimator
def test_without_a_seed_the_seed_of_numpy_decides(estimator):
    hierarchy, X, Y = task("many")
    state, found = np.random.get_state(), []
    try:
        for seed in (0, 0, 1):
            np.random.seed(seed)
            clf = build(estimator, hierarchy, random_state=None)
            found.append(clf.fit(X, Y).predict_proba(X))
    finally:
        np.random.set_state(state)
    assert_same(found[0], found[1])
    assert not np.array_equal(found[1], found[2])


@every_estimator
@every_kind
def test_rows_are_predicted_alike_alone_and_together(estimator, kind):
    hierarchy, X, Y = task(kind)
    clf = build(estimator, hierarchy).fit(X, Y)
    for method in ("predict_proba", "decision_function"):
        together = getattr(clf, method)(X)
        alone = np.concatenate([getattr(clf, method)(x[None]) for x in X])
        assert_same(getattr(clf, method)(X), together)
        np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-6)


@every_estimator
@every_kind
def test_eight_threads_at_once_give_the_same_bits(estimator, kind):
    hierarchy, X, Y = task(kind)
    plain = build(estimator, hierarchy).fit(X, Y)
    expected, stop = plain.predict_proba(X), threading.Event()

    def disturb():
        while not stop.wait(1e-4):
            torch.rand(3), np.random.rand(3), random.random()

    def work(k):
        fitted = build(estimator, hierarchy).fit(X, Y)
        return fitted.predict_proba(X), plain.predict_proba(X)

    other = threading.Thread(target=disturb)
    other.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(work, range(24)))
    finally:
        stop.set()
        other.join()
    for fresh, shared in found:
        assert_same(fresh, expected)
        assert_same(shared, expected)


def check_two_jobs(estimator, kind, backend, **inner):
    hierarchy, X, Y = task(kind)
    clf = build(estimator, hierarchy)
    options = {"cv": KFold(2), "method": "predict_proba"}
    expected = cross_val_predict(clf, X, Y, **options)
    search = GridSearchCV(clf, {"random_state": [0, 1]}, cv=2).fit(X, Y)
    with parallel_config(backend=backend, **inner):
        found = cross_val_predict(clf, X, Y, n_jobs=2, **options)
        parallel = clone(search).set_params(n_jobs=2).fit(X, Y)
    assert_same(found, expected)
    for name in ("split0_test_score", "split1_test_score"):
        assert_same(parallel.cv_results_[name], search.cv_results_[name])
    assert_same_fit(parallel.best_estimator_, search.best_estimator_, X)


@every_estimator
def test_two_threads_give_the_same_bits_as_one(estimator):
    check_two_jobs(estimator, "paths", "threading")


@pytest.mark.slow
def test_two_processes_give_the_same_bits_as_one():
    """All estimators at once, since each new process imports everything."""
    for _, estimator in FAST:
        check_two_jobs(estimator, "many", "loky", inner_max_num_threads=1)


# -- global state ----------------------------------------------------------------------


def global_state():
    """Return what a library must leave as it is, as values that can be compared."""
    numpy_state = np.random.get_state()
    matmul, cudnn = torch.get_float32_matmul_precision(), torch.backends.cudnn
    return {
        "torch's seed": torch.get_rng_state().numpy().tobytes(),
        "numpy's seed": (numpy_state[1].tobytes(), *numpy_state[2:]),
        "random's seed": random.getstate(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "only warn": torch.is_deterministic_algorithms_warn_only_enabled(),
        "precision": (matmul, cudnn.deterministic, cudnn.benchmark, cudnn.enabled),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "anomalies": torch.is_anomaly_enabled(),
        "numpy's errors": np.geterr(),
        "printing": str(np.get_printoptions()),
        "warnings": [str(f) for f in warnings.filters],
        "logging": (logging.root.level, len(logging.root.handlers)),
        "scikit-learn": sklearn.get_config(),
        "environment": dict(os.environ) | {"PYTEST_CURRENT_TEST": ""},
    }


@pytest.fixture
def left_alone():
    """Compare the global state before and after a test."""
    torch.rand(3), np.random.rand(3), random.random()  # not what a seed would set
    before = global_state()
    yield
    after = global_state()
    changed = [name for name in before if before[name] != after[name]]
    assert not changed


@every_estimator
@every_kind
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.usefixtures("left_alone")
def test_global_state_is_left_alone(estimator, kind, dtype):
    hierarchy, X, Y = task(kind)
    clf = build(estimator, hierarchy, precision=dtype).fit(
        X, Y, sample_weight=np.ones(60)
    )
    clf.predict(X), clf.predict_proba(X), clf.decision_function(X), clf.score(X, Y)


class Failing(torch.nn.Linear):
    """An encoder that raises at some step of training, counted from 1."""

    def __init__(self, error, step, width=5):
        super().__init__(width, 4)
        self.error, self.step, self.n_steps = error, step, 0

    def forward(self, X):
        if self.training:
            self.n_steps += 1
            if self.n_steps == self.step:
                raise self.error
        return super().forward(X)


def failing(error, step):
    state = torch.get_rng_state()  # torch's initialisation is the user's business
    try:
        return Failing(error, step)
    finally:
        torch.set_rng_state(state)


@every_estimator
@pytest.mark.usefixtures("left_alone")
def test_global_state_is_left_alone_when_fit_fails(estimator):
    hierarchy, X, Y = task("many")
    encoder = failing(RuntimeError("out of luck"), 3)
    with pytest.raises(RuntimeError, match="out of luck"):
        build(estimator, hierarchy, encoder=encoder).fit(X, Y)
    diverging = {"optimizer": "sgd", "learning_rate_init": 1e30}
    with pytest.raises(FloatingPointError):
        build(estimator, hierarchy, **diverging).fit(X, Y)
    with pytest.raises(ValueError, match="Y has 2 columns"):
        build(estimator, hierarchy).fit(X, Y[:, :2])
    clf = build(estimator, hierarchy).fit(X, Y)
    with pytest.raises(ValueError, match="features"):
        clf.predict(X[:, :2])


@every_estimator
@every_kind
def test_settings_of_torch_do_not_change_the_fit(estimator, kind):
    hierarchy, X, Y = task(kind)
    plain = build(estimator, hierarchy).fit(X, Y)
    try:
        torch.set_default_dtype(torch.float64)
        torch.use_deterministic_algorithms(True)
        with torch.no_grad():
            before = global_state()
            other = build(estimator, hierarchy).fit(X, Y)
            assert_same_fit(other, plain, X)
            assert global_state() == before
    finally:
        torch.set_default_dtype(torch.float32)
        torch.use_deterministic_algorithms(False)


# -- training that ends early ----------------------------------------------------------


@every_estimator
@every_kind
@pytest.mark.parametrize("stop", [False, True])
def test_early_stopping_keeps_the_weights_of_the_best_epoch(estimator, kind, stop):
    hierarchy, X, Y = task(kind)
    options = {"early_stopping": True, "schedule": "constant", "tol": 0.0}
    options |= {"learning_rate_init": 0.1, "validation_fraction": 0.3}
    options |= {"n_iter_no_change": 3 if stop else 40, "max_iter": 40}
    clf = build(estimator, hierarchy, **options).fit(X, Y)
    scores = [epoch["valid_score"] for epoch in clf.history_]
    best = int(np.argmax(scores)) + 1
    assert best < len(scores) == clf.n_iter_
    assert (clf.n_iter_ < 40) == stop
    # the first epochs of both are alike, and the best is the last of this one
    short = build(estimator, hierarchy, **options | {"max_iter": best}).fit(X, Y)
    assert_same_fit(clf, short, X)


@every_estimator
@pytest.mark.parametrize(
    "kind, step, n_epochs", [("many", 9, 2), ("paths", 9, 2), ("many", 12, 2)]
)
def test_an_interrupted_fit_keeps_what_it_has_learnt_and_lets_the_program_stop(
    estimator, kind, step, n_epochs
):
    hierarchy, X, Y = task(kind)
    options = {"batch_size": 15, "max_iter": 10}  # four steps per epoch
    clf = build(estimator, hierarchy, **options)
    clf.set_params(encoder=failing(KeyboardInterrupt, step))
    with pytest.raises(KeyboardInterrupt) as caught:
        clf.fit(X, Y)
    (note,) = caught.value.__notes__
    assert f"interrupted after {n_epochs} of 10 epochs" in note
    assert "is fitted with the weights it had then" in note
    assert clf.n_iter_ == len(clf.history_) == n_epochs
    for method in ("predict", "predict_proba", "decision_function"):
        assert np.isfinite(getattr(clf, method)(X)).all()
    assert clf.predict(X).shape == Y.shape


@every_estimator
@pytest.mark.parametrize("step", [1, 4])
@pytest.mark.parametrize("before", [False, True])
def test_a_fit_that_is_interrupted_in_its_first_epoch_leaves_nothing_fitted(
    estimator, step, before
):
    hierarchy, X, Y = task("many")
    clf = build(estimator, hierarchy, batch_size=15)
    if before:
        clf.fit(X, Y)
    clf.set_params(encoder=failing(KeyboardInterrupt, step))
    with pytest.raises(KeyboardInterrupt) as caught:
        clf.fit(X, Y)
    assert "interrupted after 0 of 3 epochs" in caught.value.__notes__[0]
    with pytest.raises(NotFittedError):
        clf.predict(X)


@every_estimator
def test_an_interrupted_warm_start_leaves_what_was_fitted(estimator):
    hierarchy, X, Y = task("many")
    options = {"warm_start": True, "batch_size": 15}
    encoder = failing(KeyboardInterrupt, 14)  # in the first epoch of the second fit
    clf = build(estimator, hierarchy, encoder=encoder, **options).fit(X, Y)
    before = clf.predict_proba(X)
    encoder.step = 2
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, Y)
    assert_same(clf.predict_proba(X), before)
    assert clf.n_iter_ == 3


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_no_fold_that_was_interrupted_is_scored(n_jobs):
    hierarchy, X, Y = task("many")
    encoder = failing(KeyboardInterrupt, 9)
    clf = build(FAST[0][1], hierarchy, encoder=encoder, batch_size=15, max_iter=10)
    with parallel_config("threading"), pytest.raises(KeyboardInterrupt):
        cross_val_score(clf, X, Y, cv=KFold(2), n_jobs=n_jobs)
    tuned = HierarchicalThresholdClassifier(clf, hierarchy, cv=KFold(2))
    with pytest.raises(KeyboardInterrupt):
        tuned.fit(X, Y)
    with pytest.raises(NotFittedError):
        tuned.predict(X)
    search = GridSearchCV(clf, {"tol": [1e-3, 1e-4]}, cv=KFold(2))
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, Y)
    assert not hasattr(search, "cv_results_")


@every_estimator
@every_kind
def test_a_loss_that_is_not_a_number_says_when_and_what_to_lower(estimator, kind):
    hierarchy, X, Y = task(kind)
    clf = build(estimator, hierarchy, optimizer="sgd", learning_rate_init=1e30)
    message = r"infinite or NaN in epoch \d+. Lower learning_rate_init \(got 1e\+30\)"
    with pytest.raises(FloatingPointError, match=message):
        clf.fit(X, Y)
    assert not hasattr(clf, "net_")
