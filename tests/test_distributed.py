"""One fit on two processes: the weights of one process, or an error in both."""

from functools import partial

import numpy as np
import pytest
import scipy.sparse as sp

import skhmc
from skhmc import HCALClassifier, HyperbolicHMC, MaxConstraintClassifier
from skhmc.coherence import close_upward
from tests.contract import task
from tests.processes import Workers

pytestmark = pytest.mark.distributed

# 71 rows in 5 batches of 14 or 15: processes have 7 or 8 of them
N_ROWS = 71
SMALL = {"hidden_layer_sizes": (12,), "max_iter": 3, "batch_size": 15}
SMALL |= {"random_state": 0, "device": "cpu", "precision": "float64"}
EMBEDDED = {"embedding_dim": 6}
NETWORKS = {
    "hcal": partial(HCALClassifier, **SMALL, **EMBEDDED),
    "hyperbolic": partial(HyperbolicHMC, **SMALL, **EMBEDDED),
    "max": partial(MaxConstraintClassifier, **SMALL),
}
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    workers = Workers(2, tmp_path_factory.mktemp("group"))
    yield workers
    workers.stop()


# -- fits, in processes or not ---------------------------------------------------------


def make_data(kind):
    """Return a hierarchy, X, Y and what else fit takes, by name."""
    hierarchy, X, Y = task("paths" if kind == "paths" else "many")
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(X), size=N_ROWS)
    X, Y = X[chosen] + rng.normal(size=(N_ROWS, X.shape[1])), Y[chosen].astype(float)
    given = {}
    if kind == "unknown":
        known = rng.random(Y.shape) > 0.1
        Y = close_upward(np.where(known, Y, np.nan), hierarchy)
    if kind == "weights":
        given["sample_weight"] = rng.random(N_ROWS)
    if kind == "label weights":
        given["sample_weight"] = rng.random(Y.shape) * (rng.random(Y.shape) > 0.1)
    if kind in ("sparse", "sparse Y"):
        Y = sp.csr_matrix(Y)
    if kind == "sparse":
        empty = sp.random(N_ROWS, 1200, 0.005, "csr", random_state=0)
        X = sp.csr_matrix(sp.hstack([X[:, :2], empty]))
    return hierarchy, X, Y, given


def learnt(clf):
    """Return the weights and the record of a fit, without durations."""
    weights = {k: v.numpy() for k, v in clf.net_.module_.state_dict().items()}
    names = [k for k in clf.history_[0] if k != "dur"]
    return weights, {k: [epoch[k] for epoch in clf.history_] for k in names}


def fit(name, kind, how="fit", **options):
    """Return what a fit learns of data of a kind."""
    hierarchy, X, Y, given = make_data(kind)
    clf = NETWORKS[name](hierarchy, **options)
    if how == "partial_fit":
        for rows in (slice(0, 40), slice(40, None)):
            clf.partial_fit(X[rows], Y[rows])
    else:
        clf.fit(X, Y, **given)
    return *learnt(clf), clf.predict_proba(X)


def fit_together(*args, **options):
    """Return what all processes together learn, each by itself."""
    with skhmc.distributed():
        return fit(*args, **options)


def assert_close(found, expected):
    for part, other in zip(found, expected, strict=True):
        if not isinstance(part, dict):
            part, other = {"proba": part}, {"proba": other}
        assert part.keys() == other.keys()
        for name, values in part.items():
            np.testing.assert_allclose(
                values, other[name], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
            )


def assert_equal(found, expected):
    for part, other in zip(found, expected, strict=True):
        np.testing.assert_equal(part, other)


CASES = {
    "many": {},
    "paths": {"kind": "paths"},
    "unknown": {"kind": "unknown"},
    "weights": {"kind": "weights"},
    "label weights": {"kind": "label weights"},
    "sparse": {"kind": "sparse"},
    "sampled": {"kind": "sparse Y", "n_sampled_labels": 2},
    "sampled, sparse": {"kind": "sparse", "n_sampled_labels": 2},
    "class weights": {"class_weight": "balanced"},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 1},
    "parts": {"how": "partial_fit"},
    "linear path": {"kind": "sparse", "linear_path": True},
}
OTHERS = {
    "published": ("hcal", HCALClassifier.PUBLISHED),
    "published, paths": ("hcal", HCALClassifier.PUBLISHED | {"kind": "paths"}),
    "aggregation": ("hcal", {"kind": "unknown", "aggregation": (0.5, 4)}),
    "equal": ("hcal", {"task_weighting": "equal", "label_loss": "mcloss"}),
    "dwa": ("hcal", {"task_weighting": "dwa", "label_loss": "asl"}),
    "zlpr": ("hcal", {"kind": "label weights", "label_loss": "zlpr"}),
    "ensemble": ("hcal", {"n_estimators": 2, "aggregation": 0.5}),
    "siblings": ("max", {"kind": "sparse Y", "n_sampled_labels": (3, "siblings")}),
    "one batch": ("max", {"batch_size": None}),
    "one row": ("hcal", {"batch_size": 1, "max_iter": 1, "aggregation": 0.5}),
    "mcloss": ("max", {"label_loss": "mcloss"}),
    "cascade": ("hyperbolic", {"mode": "cascade"}),
    "euclidean": ("hyperbolic", {"geometry": "euclidean"}),
}
EVERY = [
    pytest.param(name, given, id=f"{name}-{case}")
    for case, given in CASES.items()
    for name in NETWORKS
] + [pytest.param(*pair, id=f"{pair[0]}-{case}") for case, pair in OTHERS.items()]


@pytest.mark.parametrize("name, given", EVERY)
def test_two_processes_learn_what_one_does(workers, name, given):
    given = {"kind": "many", **given}
    one = fit(name, **given)
    first, second = workers.run(partial(fit_together, name, **given))
    assert_equal(first, second)
    assert_close(first, one)
