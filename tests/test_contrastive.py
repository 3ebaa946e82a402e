"""The contrastive loss of HCALClassifier: what it adds, and what it does not see."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import skhmc
from skhmc import HCALClassifier, Hierarchy
from skhmc.nn import HMCE

TREE = Hierarchy.from_edges([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
SMALL = {"hidden_layer_sizes": (8,), "embedding_dim": 4, "max_iter": 2}
SMALL |= {"dropout": 0.0, "perturbation": 0.0, "random_state": 0}
HMCE_OF_1 = ("hmce", 1.0)


@pytest.fixture
def data():
    random = np.random.default_rng(0)
    Y = np.array([[1, 1, 0, 0, 0, 0], [1, 1, 1, 1, 1, 0], [0, 0, 0, 1, 0, 1]])
    Y = Y[random.integers(0, 3, 30)]
    return random.normal(size=(30, 3)), Y


def fitted(X, Y, weight=None, **options):
    clf = HCALClassifier(TREE, **SMALL | options)
    return clf.fit(X, Y, sample_weight=weight)


def bits(clf):
    return [tensor.numpy() for tensor in clf.net_.module_.state_dict().values()]


def test_the_loss_is_that_of_the_embeddings_of_a_batch(data):
    X, Y = data
    # one step: what is recorded are the losses of the first weights
    one = {"batch_size": None, "max_iter": 1}
    record = fitted(X, Y, contrastive=("hmce", 0.25), **one).history_[0]
    without = fitted(X, Y, **one).history_[0]
    still = fitted(X, Y, learning_rate_init=1e-30, **one)
    module = still.net_.module_.train()
    with torch.no_grad():
        features = module(torch.tensor(X, dtype=torch.float32)).features
    columns = [TREE.position(name) for name in still.label_names_]
    assert columns == sorted(columns)
    expected = HMCE(TREE)(features, torch.tensor(Y, dtype=torch.float32)).item()
    assert record["loss_contrast"] == pytest.approx(expected, rel=1e-4)
    total = without["train_loss"] + 0.25 * expected
    assert record["train_loss"] == pytest.approx(total, rel=1e-4)
    assert "loss_contrast" not in without


def test_samples_of_equal_labels_come_nearer(data):
    X, Y = data

    def distance(clf):
        with torch.no_grad():
            module = clf.net_.module_.train()
            features = module(torch.tensor(X, dtype=torch.float32)).features
        features = torch.nn.functional.normalize(features)
        same = torch.tensor((Y[:, None] == Y).all(2))
        return (1 - features @ features.T)[same].mean().item()

    options = {"max_iter": 30, "learning_rate_init": 0.01}
    assert distance(fitted(X, Y, contrastive=HMCE_OF_1, **options)) < 0.5 * distance(
        fitted(X, Y, **options)
    )


def test_a_label_of_weight_0_is_unknown_to_it(data):
    X, Y = data
    weight = np.ones(Y.shape)
    weight[:7, 1] = weight[11] = 0
    unknown = np.where(weight > 0, Y, np.nan)
    first, second = (
        fitted(X, Y_of, given, contrastive=HMCE_OF_1, batch_size=None)
        for Y_of, given in [(Y, weight), (unknown, weight)]
    )
    # the same loss; the first weights have the log-odds of the same labels
    losses = [clf.history_[0]["loss_contrast"] for clf in (first, second)]
    assert losses[0] == losses[1]
    other = fitted(X, Y, contrastive=HMCE_OF_1, batch_size=None)
    assert losses[0] != other.history_[0]["loss_contrast"]


def test_several_networks_have_a_loss_each(data):
    clf = fitted(*data, contrastive="hmce", n_estimators=2)
    alone = fitted(*data, contrastive="hmce")
    assert clf.history_[0]["loss_contrast"] > 0
    assert not np.allclose(clf.predict_proba(data[0]), alone.predict_proba(data[0]))


def test_the_default_weight_is_the_one_that_was_chosen(data):
    named, pair = (fitted(*data, contrastive=c) for c in ("hmce", ["hmce", 0.03]))
    for one, other in zip(bits(named), bits(pair), strict=True):
        assert (one == other).all()


def test_single_paths(data):
    X, _ = data
    y = np.array(["b", "c", "e", "f"])[np.arange(30) % 4]
    clf = HCALClassifier(TREE, contrastive=HMCE_OF_1, **SMALL).fit(X, y)
    assert clf.label_loss_ == "softmax" and clf.history_[0]["loss_contrast"] > 0
    assert_allclose(clf.predict_proba(X).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    "wrong",
    [("hmce", 0), ("hmce",), ("hmce", "a"), ("hilecon", 0.1), ("hmce", np.nan), []],
)
def test_wrong_values(data, wrong):
    with pytest.raises(ValueError, match="must be None, 'hmce', or a pair of"):
        fitted(*data, contrastive=wrong)


def test_all_labels_are_needed(data):
    with pytest.raises(ValueError, match="contrastive='hmce' needs all of them"):
        fitted(*data, contrastive="hmce", n_sampled_labels=2)
    assert fitted(*data, contrastive="hmce").n_sampled_labels_ is None


def test_it_is_saved_and_goes_on(data, tmp_path):
    clf = fitted(*data, contrastive=HMCE_OF_1, warm_start=True)
    skhmc.save(clf, tmp_path / "m.skhmc")
    loaded = skhmc.load(tmp_path / "m.skhmc")
    assert loaded.contrastive == HMCE_OF_1
    for again in (clf, loaded):
        again.fit(*data)
    for one, other in zip(bits(clf), bits(loaded), strict=True):
        assert (one == other).all()
