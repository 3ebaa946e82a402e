"""Ranking losses against naive loops, and samples against what they stand for."""

import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from skhmc import Hierarchy
from skhmc._networks.label_similarity import ancestry
from skhmc.nn.hyperbolic import exp0
from skhmc.nn.ranking import (
    EUCLIDEAN,
    HYPERBOLIC,
    ExactRanking,
    SampledRanking,
    exact_ranking_loss,
    ranking_loss,
)
from tests.nn.test_pairs import generator, random_similarity, ranked

seeds = st.integers(0, 2**32 - 1)
geometries = pytest.mark.parametrize(
    "geometry", [HYPERBOLIC, EUCLIDEAN], ids=["hyperbolic", "euclidean"]
)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)


def random_table(n_labels, seed, dtype=torch.float64, scale=1.0):
    draws = torch.randn(n_labels, 3, generator=generator(seed), dtype=torch.float64)
    return (scale * draws).to(dtype).requires_grad_()


def naive_losses(S, distances, temperature):
    """Return the losses of all similar pairs by the formula, loop in loop in loop."""
    losses, labels = [], range(len(S))
    for i in labels:
        for j in labels:
            if S[i, j] > 0:
                own = torch.exp(-distances[i, j] / temperature)
                others = torch.zeros_like(own)
                for z in labels:
                    if z != i and S[i, z] < S[i, j]:
                        others = others + torch.exp(-distances[i, z] / temperature)
                losses.append(-torch.log(own / (own + others)))
    return torch.stack(losses) if losses else distances.new_zeros(0)


# -- the loss of given pairs -------------------------------------------------------


@given(seeds, st.sampled_from([0.3, 1.0, 2.0]), st.booleans())
def test_ranking_loss_is_the_formula(seed, temperature, corrected):
    draws = generator(seed)
    positive = torch.rand(4, generator=draws, dtype=torch.float64)
    negative = torch.rand(4, 5, generator=draws, dtype=torch.float64)
    strict = torch.rand(4, 5, generator=draws) < 0.5
    n_strict = torch.randint(1, 9, (4,), generator=draws)
    n_strict = n_strict * strict.any(1)
    found = ranking_loss(
        positive, negative, strict, temperature, n_strict if corrected else None
    )
    for i in range(4):
        own = math.exp(-positive[i] / temperature)
        others = [
            math.exp(-d / temperature)
            for d, is_negative in zip(negative[i], strict[i], strict=True)
            if is_negative
        ]
        factor = n_strict[i].item() / len(others) if corrected and others else 1
        expected = -math.log(own / (own + factor * sum(others)))
        assert found[i].item() == pytest.approx(expected, rel=1e-12, abs=1e-15)


@dtypes
def test_pairs_without_negatives_count_nothing(dtype):
    positive = torch.tensor([2.0, 2.0], dtype=dtype, requires_grad=True)
    negative = torch.tensor([[1.0, 0.0], [1.0, 3.0]], dtype=dtype, requires_grad=True)
    strict = torch.tensor([[False, False], [False, True]])
    for n_strict in (None, torch.tensor([0, 1]), torch.tensor([5, 1])):
        positive.grad = negative.grad = None
        loss = ranking_loss(positive, negative, strict, 1.0, n_strict)
        loss.sum().backward()
        assert loss[0] == 0 and loss[1] > 0
        assert positive.grad[0] == 0 and positive.grad[1] > 0
        assert (negative.grad[~strict] == 0).all() and negative.grad[1, 1] < 0


def test_ranking_loss_of_no_pairs_and_of_no_candidates():
    none = torch.zeros(0, 4)
    assert ranking_loss(none[:, 0], none, none.bool(), 1.0).shape == (0,)
    empty = torch.zeros(3, 0)
    loss = ranking_loss(torch.ones(3), empty, empty.bool(), 1.0, torch.ones(3).long())
    assert loss.tolist() == [0, 0, 0]


@dtypes
@pytest.mark.parametrize("temperature", [0.01, 1.0])
def test_losses_and_gradients_are_finite_for_far_and_near_pairs(dtype, temperature):
    far = torch.tensor([0.0, 1e-15, 30.0, 1e4], dtype=dtype)
    positive = far.repeat_interleave(4).requires_grad_()
    negative = far.repeat(4)[:, None].clone().requires_grad_()
    strict = torch.ones_like(negative, dtype=torch.bool)
    n_strict = torch.full((16,), 50_000)
    loss = ranking_loss(positive, negative, strict, temperature, n_strict)
    loss.sum().backward()
    assert loss.isfinite().all()
    assert positive.grad.isfinite().all() and negative.grad.isfinite().all()
    distances = torch.cat([far, far.flip(0)]).repeat(8, 1).requires_grad_()
    distances.retain_grad()
    pairs = ranked(random_similarity(3, 8))
    loss = exact_ranking_loss(distances, pairs.order(), pairs.pairs(), temperature)
    loss.sum().backward()
    assert loss.isfinite().all() and distances.grad.isfinite().all()


# -- all pairs with all negatives --------------------------------------------------


@settings(max_examples=30)
@given(seeds, st.sampled_from([0.3, 1.0]), st.sampled_from([HYPERBOLIC, EUCLIDEAN]))
def test_exact_losses_are_those_of_three_loops(seed, temperature, geometry):
    S = random_similarity(seed)
    table = random_table(len(S), seed)
    found = ExactRanking(ranked(S), geometry, temperature=temperature)(table)
    (gradient,) = torch.autograd.grad(found.sum(), table)
    distances = geometry.distance(table[:, None], table[None])
    expected = naive_losses(S, distances, temperature)
    torch.testing.assert_close(found, expected)
    if len(expected) and expected.requires_grad:
        (expected,) = torch.autograd.grad(expected.sum(), table)
        torch.testing.assert_close(gradient, expected)


def test_exact_losses_by_hand():
    # label 0: 1 before 2 and 3, which tie; 0 and 4 never occur together
    S = np.zeros((5, 5))
    S[0, 1:4] = S[1:4, 0] = [0.5, 0.2, 0.2]
    distances = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0]).repeat(5, 1).double()
    pairs = ranked(S)
    loss = exact_ranking_loss(distances, pairs.order(), pairs.pairs(), 1.0)
    e = [math.exp(-d) for d in range(5)]
    assert loss[0].item() == pytest.approx(math.log((e[1] + e[2] + e[3] + e[4]) / e[1]))
    assert loss[1].item() == pytest.approx(math.log((e[2] + e[4]) / e[2]))
    assert loss[2].item() == pytest.approx(math.log((e[3] + e[4]) / e[3]))


@settings(max_examples=30)
@given(seeds)
def test_losses_follow_a_permutation_of_the_labels(seed):
    S = random_similarity(seed)
    p = np.random.default_rng(seed).permutation(len(S))
    table = random_table(len(S), seed)
    found = ExactRanking(ranked(S[np.ix_(p, p)]), HYPERBOLIC)(table[torch.tensor(p)])
    expected = ExactRanking(ranked(S), HYPERBOLIC)(table)
    torch.testing.assert_close(found.sort().values, expected.sort().values)


def test_losses_of_a_hierarchy():
    h = Hierarchy.from_paths(["a/b", "a/c", "d"])
    table = random_table(4, 0)
    found = ExactRanking(ranked(*ancestry(h)), HYPERBOLIC)(table)
    d = HYPERBOLIC.matrix(table, table)
    a, b, c, other = (h.position(name) for name in ("a", "a/b", "a/c", "d"))
    expected = [
        -torch.log_softmax(-d[b, [a, c, other]], 0)[0],
        -torch.log_softmax(-d[c, [a, b, other]], 0)[0],
    ]
    torch.testing.assert_close(found.sort().values, torch.stack(expected).sort().values)


# -- samples -----------------------------------------------------------------------


def sampled(S, geometry=HYPERBOLIC, seed=0, **options):
    loss = SampledRanking(ranked(S), geometry, **options)
    loss.generator = generator(seed)
    return loss


@pytest.mark.parametrize("seed", range(3))
def test_the_corrected_sum_is_unbiased_given_a_negative(seed):
    S = random_similarity(seed, 7)
    pairs, d = ranked(S), HYPERBOLIC.matrix(*[random_table(7, seed).detach()] * 2)
    draw = pairs.draw(200_000, 3, generator(seed))
    loss = ranking_loss(
        d[draw.anchor, draw.positive],
        d[draw.anchor[:, None], draw.candidates],
        draw.strict,
        1.0,
        draw.n_strict,
    )
    sums = loss.expm1()  # sum of e^(d - d') over the negatives
    row, col, _ = pairs.pairs()
    exact = exact_ranking_loss(d, pairs.order(), pairs.pairs(), 1.0).expm1()
    for i, j, expected in zip(row, col, exact, strict=True):
        mine = (draw.anchor == i) & (draw.positive == j) & draw.strict.any(1)
        if mine.sum() > 100:
            error = sums[mine].std() / math.sqrt(mine.sum())
            assert abs(sums[mine].mean() - expected) < 5 * error + 1e-12


@geometries
def test_sampled_losses_converge_to_the_exact_ones(geometry):
    S = random_similarity(5, 8)
    table = random_table(8, 5)
    pairs = ranked(S)
    draw = pairs.draw(40, 50_000, generator())
    d = geometry.matrix(table, table)
    negative = d[draw.anchor[:, None], draw.candidates]
    own = d[draw.anchor, draw.positive]
    found = ranking_loss(own, negative, draw.strict, 0.7, draw.n_strict)
    exact = torch.zeros(8, 8, dtype=torch.float64)
    row, col, _ = pairs.pairs()
    exact[row, col] = exact_ranking_loss(d, pairs.order(), pairs.pairs(), 0.7)
    torch.testing.assert_close(
        found, exact[draw.anchor, draw.positive], rtol=0.02, atol=1e-3
    )
    plain = ranking_loss(own, negative, draw.strict, 0.7)
    assert plain.mean() > found.mean() + 5, "without the factor it grows with N"


@geometries
def test_mean_gradients_of_samples_point_where_the_exact_one_does(geometry):
    S = random_similarity(11, 30)
    table = random_table(30, 11, scale=0.5)
    exact = ExactRanking(ranked(S), geometry)(table).mean()
    (expected,) = torch.autograd.grad(exact, table)

    def cosine(n_negatives, corrected):
        options = {"n_negatives": n_negatives, "corrected": corrected}
        loss = sampled(S, geometry, n_pairs=20_000, **options)(table).mean()
        (found,) = torch.autograd.grad(loss, table)
        return torch.cosine_similarity(found.ravel(), expected.ravel(), 0).item()

    assert cosine(10, True) > 0.97
    assert cosine(50, True) > 0.995


def test_draws_are_those_of_the_generator_and_stay_so_on_the_way():
    S = random_similarity(3, 6)
    table = random_table(6, 0)
    before = torch.get_rng_state()
    options = {"n_pairs": 16, "n_negatives": 4}
    first, same = sampled(S, **options), sampled(S, **options)
    one = first(table)
    assert torch.equal(one, same(table))
    assert not torch.equal(one, first(table)), "the next draw"
    assert torch.equal(torch.get_rng_state(), before)
    copy = pickle.loads(pickle.dumps(first))
    assert copy.generator is None and first.generator is not None
    copy.generator = generator()
    assert torch.equal(one, copy(table))


@geometries
@dtypes
@pytest.mark.parametrize("radius", [0.0, 1e-15, 1.0, 15.0])
def test_gradients_are_finite_wherever_the_labels_lie(geometry, dtype, radius):
    S = random_similarity(3, 12)
    far = torch.nn.functional.normalize(random_table(12, 3).detach(), dim=1) * radius
    table = (exp0(far) if geometry is HYPERBOLIC else far).to(dtype)
    table[1] = table[0]  # coincident points
    options = {"n_pairs": 200, "n_negatives": 5}
    for loss in (sampled(S, geometry, **options), ExactRanking(ranked(S), geometry)):
        table.requires_grad_().grad = None
        value = loss(table)
        value.sum().backward()
        assert value.dtype == table.dtype
        assert value.isfinite().all() and table.grad.isfinite().all()


def test_gradients_are_those_of_finite_differences():
    S = random_similarity(4, 5)
    table = random_table(5, 4)
    assert torch.autograd.gradcheck(ExactRanking(ranked(S), HYPERBOLIC), table)

    def same_draw(table):
        return sampled(S, n_pairs=8, n_negatives=4)(table)

    assert torch.autograd.gradcheck(same_draw, table)


@pytest.mark.parametrize("n_labels", [1, 2])
def test_where_there_is_nothing_to_rank(n_labels):
    similar = random_similarity(0, n_labels)
    for S in (similar * 0, similar):
        table = random_table(n_labels, 0)
        options = {"n_pairs": 4, "n_negatives": 3}
        for loss in (sampled(S, **options), ExactRanking(ranked(S), HYPERBOLIC)):
            table.grad = None
            loss(table).sum().backward()
            assert (loss(table) == 0).all() and (table.grad == 0).all()


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "sampled"])
def test_ancestors_of_a_tree_come_to_be_the_nearest(exact):
    h = Hierarchy.from_edges([((i - 1) // 3, i) for i in range(1, 40)])
    pairs = ranked(*ancestry(h))
    table = random_table(40, 0, scale=0.01)
    if exact:
        loss = ExactRanking(pairs, HYPERBOLIC, temperature=0.5)
    else:
        options = {"n_pairs": 64, "n_negatives": 10, "temperature": 0.5}
        loss = SampledRanking(pairs, HYPERBOLIC, **options)
        loss.generator = generator()
    optimizer = torch.optim.Adam([table], lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        loss(table).mean().backward()
        optimizer.step()
    d = HYPERBOLIC.matrix(table, table)
    row, col, n_strict = pairs.pairs()
    negative = d.gather(1, pairs.order())
    among = torch.arange(40) < n_strict[:, None]
    nearer = (d[row, col][:, None] < negative[row])[among].double().mean()
    assert nearer > 0.95
