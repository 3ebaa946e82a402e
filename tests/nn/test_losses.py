"""Losses: values by hand, extremes, and the max constraint in training."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc.coherence import close_upward
from skhmc.nn.coherence import MaxConstraint
from skhmc.nn.losses import MCLoss, asl, bce, softmax_loss, zlpr
from tests.hierarchies import hierarchies

EXTREME = torch.tensor([[-1e4, -30.0, 0.0, 30.0, 1e4]])


@pytest.mark.parametrize("target", [0.0, 1.0])
@pytest.mark.parametrize("loss", [bce, asl, zlpr, softmax_loss])
def test_values_and_gradients_are_finite_at_extreme_logits(loss, target):
    logits = EXTREME.clone().requires_grad_()
    value = loss(logits, torch.full_like(EXTREME, target))
    value.sum().backward()
    assert value.isfinite().all() and logits.grad.isfinite().all()


def test_bce_by_hand():
    value = bce(torch.tensor([[0.0, math.log(3)]]), torch.tensor([[1.0, 0.0]]))
    assert value.tolist()[0] == pytest.approx([math.log(2), math.log(4)])


def test_asl_by_hand():
    # p = .5: positive (1-.5) log .5; negative p_m = .45: .45^4 log .55
    logits = torch.zeros(1, 2)
    value = asl(logits, torch.tensor([[1.0, 0.0]]))
    expected = [0.5 * math.log(2), -(0.45**4) * math.log(0.55)]
    assert value.tolist()[0] == pytest.approx(expected)


def test_asl_leaves_very_easy_negatives_alone():
    logits = torch.tensor([[-4.0]], requires_grad=True)  # p = .018 < margin
    value = asl(logits, torch.zeros(1, 1))
    value.sum().backward()
    assert value.item() == 0 and logits.grad.item() == 0


def test_asl_without_focus_and_margin_is_bce():
    logits = torch.linspace(-5, 5, 7)[None].double()
    for target in (0.0, 1.0):
        y = torch.full_like(logits, target)
        torch.testing.assert_close(asl(logits, y, 0.0, 0.0, 0.0), bce(logits, y))


def test_zlpr_by_hand_and_unknown_labels_are_in_neither_sum():
    # log(1 + e^1) + log(1 + e^-2)
    logits = torch.tensor([[1.0, 2.0, 9.0]])
    value = zlpr(logits, torch.tensor([[0.0, 1.0, math.nan]]))
    expected = math.log1p(math.e) + math.log1p(math.exp(-2))
    assert value.item() == pytest.approx(expected)


def test_softmax_loss_by_hand_and_rows_without_label_are_left_out():
    logits = torch.tensor([[0.0, math.log(3)], [5.0, -5.0]])
    value = softmax_loss(logits, torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    assert value.tolist() == pytest.approx([math.log(4 / 3), 0])


@given(hierarchies(max_labels=12), st.integers(0, 2**32 - 1))
def test_mcloss_scores_positives_among_positives_and_negatives_among_all(h, seed):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(4, h.n_labels))
    y = close_upward((rng.random((4, h.n_labels)) < 0.3).astype(float), h)
    reach = h.descendants.toarray() | np.eye(h.n_labels, dtype=bool)
    expected = np.empty_like(scores)
    for i, a in np.ndindex(*scores.shape):
        among = reach[a] & ((y[i] == 1) | (y[i, a] == 0))
        top = scores[i, among].max()
        expected[i, a] = np.logaddexp(0, top) - y[i, a] * top
    loss = MCLoss(MaxConstraint(h))
    got = loss(torch.from_numpy(scores), torch.from_numpy(y))
    np.testing.assert_allclose(got.numpy(), expected, atol=1e-12)


def test_mcloss_does_not_lift_a_positive_parent_through_a_negative_child():
    # Giunchiglia & Lukasiewicz: parent positive, child negative but scored high:
    # the parent's loss must see its own low score.
    loss = MCLoss(MaxConstraint(Hierarchy.from_edges([(0, 1)])))
    logits = torch.tensor([[-2.0, 3.0]], requires_grad=True)
    value = loss(logits, torch.tensor([[1.0, 0.0]]))
    assert value[0, 0].item() == pytest.approx(math.log1p(math.exp(2)))
    value[0, 0].backward()
    assert logits.grad[0, 0] < 0 and logits.grad[0, 1] == 0
