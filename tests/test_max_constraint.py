"""MaxConstraintClassifier: scores, every loss, unknown labels, coherence."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import Hierarchy, MaxConstraintClassifier
from skhmc.coherence import close_upward, score_violations
from skhmc.datasets import make_hidden_hierarchy
from skhmc.metrics import au_prc_score, hierarchical_violation_rate
from skhmc.nn.criteria import LabelCriterion, label_tasks
from skhmc.nn.losses import bce
from tests.contract import task
from tests.hierarchies import hierarchies

FAST = {
    "hidden_layer_sizes": (20,),
    "dropout": 0.0,
    "learning_rate_init": 0.01,
    "max_iter": 5,
    "random_state": 0,
}
EXACT = {"batch_size": None, "precision": "float64"}
LOSSES = ["bce", "mcloss", "asl", "zlpr"]
every_loss = pytest.mark.parametrize("label_loss", LOSSES)


def fast(hierarchy=None, **options):
    return MaxConstraintClassifier(hierarchy, **{**FAST, **options})


@pytest.fixture(scope="module")
def points():
    """Points of the plane, a hierarchy of depth 1 and labels; few labels per point."""
    hidden = make_hidden_hierarchy(600, random_state=0)
    names = hidden.label_names[1:]  # without the root, which all have
    return hidden.data, hidden.target[:, 1:], hidden.hierarchy.subset(names)


def reach(hierarchy):
    """Return who is at or below whom, (n_labels, n_labels)."""
    return hierarchy.descendants.toarray() | np.eye(hierarchy.n_labels, dtype=bool)


# -- what is learnt --------------------------------------------------------------------


@pytest.mark.parametrize("label_loss", [*LOSSES, bce], ids=[*LOSSES, "callable"])
def test_every_loss_learns_labels_of_new_samples(points, label_loss):
    data, target, hierarchy = points
    clf = fast(hierarchy, label_loss=label_loss, max_iter=60)
    clf.fit(data[:400], target[:400])
    X, Y, leaves = data[400:], target[400:], hierarchy.leaves
    assert au_prc_score(Y[:, leaves], clf.predict_proba(X)[:, leaves]) > 0.98
    assert (clf.predict(X)[:, leaves] == Y[:, leaves]).mean() > 0.96  # 0.94 if none
    assert hierarchical_violation_rate(clf.predict(X), hierarchy) == 0
    losses = [epoch["train_loss"] for epoch in clf.history_]
    assert losses[-1] < 0.3 * losses[0]


def test_losses_differ():
    hierarchy, X, Y = task("many")
    heavy = {"cat": 20.0}  # above its parents, else "mcloss" is "bce"
    *found, same = (
        fast(hierarchy, label_loss=loss, class_weight=heavy)
        .fit(X, Y)
        .raw_decision_function(X)
        for loss in [*LOSSES, bce]
    )
    for k, one in enumerate(found):
        for other in found[:k]:
            assert np.abs(one - other).max() > 0.01
    np.testing.assert_array_equal(same, found[0])


def test_without_edges_mcloss_is_bce():
    _, X, Y = task("many")
    one, other = (
        fast(label_loss=loss).fit(X, Y).decision_function(X)
        for loss in ("bce", "mcloss")
    )
    np.testing.assert_array_equal(one, other)


@every_loss
def test_one_label_per_sample(label_loss):
    hierarchy, X, Y = task("paths")
    y = np.array(hierarchy.labels)[np.where(Y, hierarchy.depth + 1, 0).argmax(axis=1)]
    clf = fast(hierarchy, label_loss=label_loss, max_iter=200).fit(X, y)
    assert clf.score(X, y) > 0.75  # of 7 classes
    proba = clf.predict_proba(X)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(clf.classes_[proba.argmax(axis=1)], clf.predict(X))


def test_the_published_setting():
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, **MaxConstraintClassifier.PUBLISHED)
    clf.set_params(hidden_layer_sizes=(20, 20), max_iter=2).fit(X, Y)
    rates = [epoch["learning_rate"] for epoch in clf.history_]
    assert rates == [1e-4] * 2 and clf.dropout_ == (0, 0.7)
    assert hierarchical_violation_rate(clf.predict(X), hierarchy) == 0


# -- scores ----------------------------------------------------------------------------


def test_a_label_scores_as_its_highest_descendant():
    hierarchy, X, Y = task("many")
    heavy = {"cat": 20.0, "cow": 20.0}  # above their parents
    clf = fast(hierarchy, class_weight=heavy, **EXACT).fit(X, Y)
    raw = clf.raw_decision_function(X)
    assert score_violations(raw, hierarchy).nnz > 0
    below = reach(hierarchy)
    expected = np.stack([raw[:, row].max(axis=1) for row in below], axis=1)
    np.testing.assert_array_equal(clf.decision_function(X), expected)
    np.testing.assert_allclose(clf.predict_proba(X), 1 / (1 + np.exp(-expected)))
    np.testing.assert_array_equal(clf.predict_raw(X), raw > 0)
    assert clf.coherence_ == "max"
    clf.coherence = None  # after fit
    np.testing.assert_array_equal(clf.decision_function(X), raw)


def test_scores_are_linear_in_what_the_encoder_gives():
    hierarchy, X, Y = task("many")
    clf = fast(hierarchy, **EXACT).fit(X, Y)
    module = clf.net_.module_
    with torch.no_grad():
        h = module.encoder(torch.from_numpy(X.copy()))
        expected = (h @ module.weight.t() + module.bias).numpy()[:, clf._form.inverse]
    np.testing.assert_allclose(clf.raw_decision_function(X), expected, rtol=1e-8)


@every_loss
def test_labels_start_at_their_log_odds(label_loss):
    hierarchy, X, Y = task("many")
    options = {"learning_rate_init": 1e-9, "max_iter": 1, "label_loss": label_loss}
    raw = fast(hierarchy, **options).fit(X, Y).raw_decision_function(X)
    rates = np.broadcast_to(Y.mean(axis=0), Y.shape)
    np.testing.assert_allclose(1 / (1 + np.exp(-raw)), rates, atol=2e-4)


def test_isotonic_coherence():
    hierarchy, X, Y = task("paths")
    heavy = dict.fromkeys(hierarchy.labels[-2:], 20.0)
    clf = fast(hierarchy, coherence="isotonic", class_weight=heavy).fit(X, Y)
    assert score_violations(clf.predict_proba(X), hierarchy).nnz == 0
    isotonic = clf.predict_proba(X)
    assert (isotonic <= clf.set_params(coherence="max").predict_proba(X) + 1e-6).all()
    with pytest.raises(ValueError, match="tree"):
        fast(task("many")[0], coherence="isotonic").fit(*task("many")[1:])


@pytest.mark.parametrize(
    "options, message",
    [
        ({"label_loss": "softmax"}, "'label_loss' parameter.*Got 'softmax'"),
        ({"coherence": "path"}, "'coherence' parameter.*Got 'path'"),
    ],
)
def test_wrong_parameters(options, message):
    hierarchy, X, Y = task("paths")
    with pytest.raises(InvalidParameterError, match=message):
        fast(hierarchy, **options).fit(X, Y)


@pytest.mark.parametrize("reduced", [torch.sum, lambda loss: loss.mean(1)])
def test_a_loss_that_reduces_is_refused(reduced):
    hierarchy, X, Y = task("paths")
    clf = fast(hierarchy, label_loss=lambda logits, y: reduced(bce(logits, y)))
    with pytest.raises(ValueError, match="loss per sample and label, .* reduction="):
        clf.fit(X, Y)


# -- the losses ------------------------------------------------------------------------


def criterion(loss, hierarchy, frequencies, **options):
    tasks = label_tasks(loss, hierarchy, [hierarchy.n_labels], frequencies)
    return LabelCriterion(tasks, **options).double()


def test_mcloss_by_hand():
    """A has the child B, which has C; y = (1, 1, 0) and h = (.2, .5, .9).

    A and B look at their positive descendants only, and score .5; C scores .9.
    """
    chain = Hierarchy.from_edges([("A", "B"), ("B", "C")])
    h = torch.tensor([[0.2, 0.5, 0.9]], dtype=torch.float64)
    y = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)
    half = torch.full((3,), 0.5, dtype=torch.float64)  # an entropy of 3 log 2
    loss = criterion("mcloss", chain, half)(torch.logit(h), y, None)
    expected = -(2 * math.log(0.5) + math.log(0.1)) / (3 * math.log(2))
    assert loss.item() == pytest.approx(expected)


def paper_loss(h, y, hierarchy):
    """Return MCLoss as the paper writes it, of probabilities and closed labels."""
    below = reach(hierarchy)
    raised = (below[None] * h[:, None, :]).max(axis=2)
    among_positive = (below[None] * (y * h)[:, None, :]).max(axis=2)
    o = (1 - y) * raised + y * among_positive
    return -(y * np.log(o) + (1 - y) * np.log(1 - o))


@given(hierarchies(max_labels=10), st.integers(0, 2**32 - 1))
def test_mcloss_is_the_papers_and_its_gradient_too(hierarchy, seed):
    rng = np.random.default_rng(seed)
    s = rng.normal(size=(4, hierarchy.n_labels))
    y = close_upward((rng.random(s.shape) < 0.3).astype(float), hierarchy)
    weight = rng.random((4, 1)) + 0.1
    p = rng.uniform(0.1, 0.9, hierarchy.n_labels)
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum()

    def paper(s):
        losses = paper_loss(1 / (1 + np.exp(-s)), y, hierarchy)
        return (weight * losses).sum() / 4 / entropy

    loss = criterion("mcloss", hierarchy, torch.from_numpy(p))
    logits = torch.from_numpy(s).requires_grad_()
    total = loss(logits, torch.from_numpy(y), torch.from_numpy(weight))
    total.backward()
    assert total.item() == pytest.approx(paper(s))
    step = 1e-6 * rng.normal(size=s.shape)
    change = (logits.grad.numpy() * step).sum()
    assert paper(s + step) - paper(s - step) == pytest.approx(2 * change, abs=1e-10)


@pytest.mark.parametrize("label_loss", ["bce", "mcloss", "asl"])
def test_losses_do_not_grow_with_the_number_of_labels(label_loss):
    _, X, Y = task("many")
    options = {**EXACT, "label_loss": label_loss, "max_iter": 1}
    one, many = (
        fast(**options).fit(X, y).history_[0]["train_loss"]
        for y in (Y, np.hstack([Y] * 50))
    )
    assert one == pytest.approx(many)
    if label_loss != "asl":  # the frequencies and nothing else
        assert one == pytest.approx(1, abs=1e-3)


def test_zlpr_grows_with_the_logarithm_of_the_number_of_labels():
    _, X, Y = task("many")
    options = {**EXACT, "label_loss": "zlpr", "max_iter": 1}
    one, many = (
        fast(**options).fit(X, y).history_[0]["train_loss"]
        for y in (Y, np.hstack([Y] * 50))
    )
    assert one < many < one + 2 * math.log(50)


@every_loss
def test_unknown_labels_and_labels_of_weight_zero_are_not_looked_at(label_loss):
    hierarchy, X, Y = task("many")
    leaf = hierarchy.position("cow")
    rows = np.flatnonzero(Y[:, leaf])[::2]
    weight, other, unknown = np.ones(Y.shape), Y.copy(), Y.astype(float)
    weight[rows, leaf], other[rows, leaf], unknown[rows, leaf] = 0, 0, np.nan
    clf = fast(hierarchy, label_loss=label_loss, **EXACT)
    plain, *found = (
        clf.fit(X, y, sample_weight=weight).decision_function(X)
        for y in (Y, other, unknown)
    )
    for decision in found:
        np.testing.assert_allclose(decision, plain, rtol=1e-7)
    assert np.abs(clf.fit(X, other).decision_function(X) - plain).max() > 1e-3
    mostly = np.where(np.random.default_rng(0).random(Y.shape) < 0.5, np.nan, Y)
    mostly = close_upward(mostly, hierarchy)
    assert np.isfinite(clf.fit(X, mostly).decision_function(X)).all()


def test_no_label_is_raised_by_an_unknown_one_or_one_of_weight_zero():
    chain = Hierarchy.from_edges([("A", "B")])
    half = torch.full((2,), 0.5, dtype=torch.float64)
    s = torch.tensor([[-1.0, 2.0]], dtype=torch.float64)
    y = torch.ones(1, 2, dtype=torch.float64)
    loss = criterion("mcloss", chain, half)
    alone = math.log1p(math.e) / math.log(4)
    assert loss(s, y, torch.tensor([[1.0, 0.0]])).item() == pytest.approx(alone)
    y[0, 1] = math.nan
    assert loss(s, y, None).item() == pytest.approx(alone)


@every_loss
def test_labels_without_positives_stay_at_their_prior(label_loss):
    hierarchy, X, Y = task("many")
    Y = Y.copy()
    Y[:, hierarchy.position("parrot")] = 0
    with pytest.warns(UserWarning, match="1 with no positive row .'parrot'"):
        clf = fast(hierarchy, label_loss=label_loss).fit(X, Y)
    proba = clf.predict_proba(X)[:, hierarchy.position("parrot")]
    np.testing.assert_allclose(proba, 1e-4, rtol=1e-3)


@every_loss
def test_class_weights_raise_what_they_weigh(label_loss):
    hierarchy, X, Y = task("many")
    leaf = hierarchy.position("cat")
    plain, heavy = (
        fast(hierarchy, label_loss=label_loss, class_weight=weight, **EXACT)
        .fit(X, Y)
        .predict_proba(X)[:, leaf]
        .mean()
        for weight in (None, {"cat": 20.0})
    )
    assert heavy > plain + 0.05


def test_the_class_of_a_loss_is_refused():
    hierarchy, X, Y = task("many")
    clf = fast(hierarchy, label_loss=torch.nn.BCEWithLogitsLoss)
    with pytest.raises(ValueError, match=r"got the class BCEWithLogitsLoss. Call it: "):
        clf.fit(X, Y)
