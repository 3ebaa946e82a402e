"""Predictions of few rows: as of many, without their detours, and nothing piles up."""

import gc
import pickle
import tracemalloc

import numpy as np
import pytest
import torch

from skhmc import HCALClassifier, HyperbolicHMC, MaxConstraintClassifier
from skhmc._data.X import _finite
from skhmc.nn.functional import unit

TREE = [(0, 1), (0, 2), (3, 4)]
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
KINDS = [HCALClassifier, HyperbolicHMC, MaxConstraintClassifier]


def fitted(kind=HCALClassifier, **options):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4)).astype(np.float32)
    Y = rng.integers(0, 2, (100, 5))
    Y[:, 0] |= Y[:, 1] | Y[:, 2]
    Y[:, 3] |= Y[:, 4]
    options = {"embedding_dim": 4} | options if kind is not KINDS[2] else options
    return kind(TREE, **(SMALL | options)).fit(X, Y), X, Y


@pytest.mark.parametrize("kind", KINDS)
def test_few_rows_have_the_bits_that_a_block_has(kind, monkeypatch):
    clf, X, _ = fitted(kind)
    found = [clf.predict_proba(X[:n]) for n in (1, 3, 64)]
    monkeypatch.setattr(type(clf.net_), "logits_at_once", lambda net, X: None)
    for proba in found:
        assert np.array_equal(proba, clf.predict_proba(X[: len(proba)]))


def test_a_plain_array_is_checked_as_any_other():
    clf, X, _ = fitted()
    expected = clf.predict_proba(X[:3])
    frozen = X[:3].copy()
    frozen.flags.writeable = False
    for given in (frozen, X[:3].tolist(), np.asfortranarray(X[:3]), X[:6:2][:2]):
        np.testing.assert_allclose(
            clf.predict_proba(given)[:1], expected[:1], rtol=1e-6
        )
    wrong = X[:2].copy()
    wrong[0, 0] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        clf.predict_proba(wrong)
    with pytest.raises(ValueError, match="3 features, but HCALClassifier is exp"):
        clf.predict_proba(X[:, 1:])
    assert _finite(np.full((1, 4), 1e300), np.float32) is None  # too large for it
    # a sum that overflows says nothing: then scikit-learn looks, and finds no fault
    assert _finite(np.full((1, 4), 3e38, dtype=np.float32), np.float32) is None
    small = np.full((1, 4), 3e37, dtype=np.float32)
    assert _finite(small, np.float32) is small


def test_what_predictions_read_is_validated():
    clf, X, _ = fitted()
    for name, value in [
        ("coherence", "best"),
        ("threshold", 2.0),
        ("proba_format", "tuple"),
        ("sparse_output", "yes"),
    ]:
        before = getattr(clf, name)
        with pytest.raises(ValueError, match=f"'{name}' parameter of HCALClassifier"):
            clf.set_params(**{name: value}).predict_proba(X[:1])
        clf.set_params(**{name: before})


# -- vectors of labels that are kept ---------------------------------------------------


def kept(clf):
    return clf.net_.module_._kept


def is_fresh(clf):
    """Tell whether predictions use the unit prototypes of the weights there are."""
    module = clf.net_.module_
    with torch.inference_mode():
        expected = unit(torch.cat(list(module.prototypes)))
        return torch.equal(module.label_vectors(), expected)


def test_prototypes_are_made_once():
    clf, X, _ = fitted()
    clf.predict_proba(X[:1])
    first = kept(clf)
    clf.predict_proba(X[:1])
    assert first is not None and kept(clf) is first
    assert is_fresh(clf)


def test_prototypes_follow_their_weights():
    clf, X, Y = fitted()
    clf.predict_proba(X[:1])
    clf.partial_fit(X, Y)
    clf.predict_proba(X[:1])
    assert is_fresh(clf)
    with torch.no_grad():  # as an optimizer, or a user, does
        clf.net_.module_.prototypes[0].add_(1)
    assert is_fresh(clf)
    other, _, _ = fitted(random_state=1)
    clf.net_.module_.load_state_dict(other.net_.module_.state_dict())
    assert np.array_equal(clf.predict_proba(X), other.predict_proba(X))
    clf.net_.module_.to(torch.float64).to(torch.float32)  # other memory
    assert is_fresh(clf)


def test_prototypes_follow_weights_that_lie_where_others_lay():
    clf, X, _ = fitted()
    module = clf.net_.module_
    weight = module.prototypes[0]
    for number in range(20):
        assert is_fresh(clf)
        for _ in range(2):  # what is freed first is where the second comes to lie
            weight.data = torch.randn(weight.shape) + number
        assert is_fresh(clf)
    clf.predict_proba(X[:1])
    clf.net_.module_.to(torch.bfloat16).to(torch.float32)  # rounds
    assert kept(clf) is None and is_fresh(clf)


def test_prototypes_are_not_pickled_twice():
    clf, X, _ = fitted()
    before = len(pickle.dumps(clf))
    expected = clf.predict_proba(X)
    assert kept(clf) is not None
    data = pickle.dumps(clf)
    assert len(data) == before
    assert np.array_equal(pickle.loads(data).predict_proba(X), expected)


def test_gradients_reach_prototypes_after_predictions():
    clf, X, _ = fitted()
    clf.predict_proba(X)
    module = clf.net_.module_.eval()
    module(torch.from_numpy(X)).sum().backward()
    assert module.prototypes[0].grad is not None


def test_a_thousand_small_predictions_leave_memory_flat():
    clf, X, _ = fitted()
    one = X[:1]

    def predict(n):
        for _ in range(n):
            clf.predict_proba(one)
        gc.collect()

    predict(20)
    tracemalloc.start()
    predict(20)  # what is remembered of a line of code is remembered by now
    before, _ = tracemalloc.get_traced_memory()
    predict(1000)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 20_000  # 20 bytes per call


# -- on devices other than the CPU -----------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_made_on_the_device(kind, monkeypatch):
    """The CPU stands for a GPU: the module that follows the network is the same."""
    clf, X, _ = fitted(kind)
    expected = clf.predict_proba(X)
    monkeypatch.setattr(type(clf.net_), "is_on_cpu", False)
    monkeypatch.setattr(type(clf._form), "proba", None)  # arrays are not asked
    np.testing.assert_allclose(clf.predict_proba(X), expected, rtol=0, atol=1e-6)
    made = vars(clf.net_)["_followed"]
    clf.predict_proba(X[:2])
    assert vars(clf.net_)["_followed"] is made
    assert "_followed" not in vars(pickle.loads(pickle.dumps(clf)).net_)
    with torch.no_grad():
        clf.net_.module_.bias.fill_(torch.nan)
    with pytest.raises(FloatingPointError, match="infinite or NaN"):
        clf.predict_proba(X)


def test_what_has_no_module_is_made_with_arrays(monkeypatch):
    clf, X, _ = fitted(coherence="isotonic")
    expected = clf.predict_proba(X)
    monkeypatch.setattr(type(clf.net_), "is_on_cpu", False)
    assert np.array_equal(clf.predict_proba(X), expected)
