"""Hyperbolic geometry: against mpmath and geoopt, as a metric space, and its gradients.

``random_pairs`` and ``points`` give float64 points by radius and direction. Distances
are compared within a small multiple of epsilon times cosh r, the accuracy that the
functions promise.
"""

import math
import warnings

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from skhmc.nn.hyperbolic import (
    clamp_radius,
    distance,
    distance_matrix,
    exp0,
    from_ball,
    log0,
    radius,
    radius_penalty,
    to_ball,
)

with warnings.catch_warnings():  # it still uses torch.jit.script
    warnings.filterwarnings("ignore", ".*torch.jit")
    import geoopt

DTYPES = [torch.float32, torch.float64]
RADII = [0, 1e-15, 1e-12, 1e-8, 1e-4, 1e-2, 0.5, 1, 2, 5, 8, 10, 12, 15]


def directions(n, d, seed):
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return v / v.norm(dim=1, keepdim=True)


def random_pairs(r, kind, n=1000, d=32, gap=0.5):
    """Return pairs of points that are ``gap`` apart, the first ones at radius r."""
    u = directions(n, d, seed=0)
    if kind == "radial":
        return math.sinh(r) * u, math.sinh(r + gap) * u
    w = directions(n, d, seed=1)
    w = w - (w * u).sum(1, keepdim=True) * u
    w = w / w.norm(dim=1, keepdim=True)
    angle = 2 * math.asin(math.sinh(gap / 2) / math.sinh(r))
    other = math.cos(angle) * u + math.sin(angle) * w
    return math.sinh(r) * u, math.sinh(r) * other


def exact_distance(x, y):
    """Return arcosh(x0 y0 - <x, y>) with 60 digits."""
    with mpmath.workdps(60):
        x = [mpmath.mpf(value) for value in x.double().tolist()]
        y = [mpmath.mpf(value) for value in y.double().tolist()]
        x0, y0 = (mpmath.sqrt(1 + mpmath.fdot(v, v)) for v in (x, y))
        return float(mpmath.acosh(max(1, x0 * y0 - mpmath.fdot(x, y))))


def accuracy(*points):
    """Return epsilon times cosh of the largest radius of the points."""
    r = max(radius(p.double()).max().item() for p in points)
    return torch.finfo(points[0].dtype).eps * math.cosh(r)


@st.composite
def points(draw, n, max_radius=15.0):
    """Draw n points of the same dimension, float64."""
    d = draw(st.integers(1, 4))
    unit = st.floats(-1, 1, allow_subnormal=False)
    chosen = []
    for _ in range(n):
        v = torch.tensor(draw(st.lists(unit, min_size=d, max_size=d))).double()
        r = draw(st.floats(0, max_radius, allow_subnormal=False))
        chosen.append(v / v.norm().clamp_min(1e-300) * math.sinh(r))
    return chosen


# -- the distance against oracles --------------------------------------------------


@pytest.mark.parametrize("kind", ["tangential", "radial"])
@pytest.mark.parametrize(
    "r, of_the_mean, of_each", [(5, 5e-5, 5e-5), (8, 5e-5, 5e-4), (10, 5e-4, 3e-3)]
)
def test_distance_of_one_half_far_out_in_float32(r, of_the_mean, of_each, kind):
    got = distance(*(p.float() for p in random_pairs(r, kind)))
    assert got.mean().item() == pytest.approx(0.5, abs=of_the_mean)
    assert (got - 0.5).abs().max() < of_each


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["tangential", "radial"])
def test_radius_15_is_finite_in_float32_and_right_in_float64(dtype, kind):
    got = distance(*(p.to(dtype) for p in random_pairs(15, kind)))
    assert got.isfinite().all()
    if dtype == torch.float64:
        torch.testing.assert_close(got, torch.full_like(got, 0.5), atol=1e-8, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("r", RADII)
def test_distance_agrees_with_mpmath(r, dtype):
    u, w = directions(10, 3, seed=0), directions(10, 3, seed=1)
    x = math.sinh(r) * u
    others = [math.sinh(q) * w for q in (0, 1e-15, 1e-3, r / 2, r)]
    others += [-x, x * (1 - 1e-6), x + 1e-6 * w, x]
    x = x.to(dtype)
    for y in others:
        y = y.to(dtype)
        matrix = distance_matrix(x, y).diagonal().tolist()
        for i, got in enumerate(distance(x, y).tolist()):
            expected = exact_distance(x[i], y[i])
            close = pytest.approx(expected, rel=0, abs=3 * accuracy(x[i], y[i]))
            assert got == close and matrix[i] == close


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gap", [1e-15, 1e-12, 1e-6, 1e-2])
def test_small_distances_near_the_origin_are_relatively_right(gap, dtype):
    u, w = directions(5, 3, seed=0), directions(5, 3, seed=1)
    x, y = (gap * u).to(dtype), (2 * gap * w).to(dtype)
    for i, got in enumerate(distance(x, y).tolist()):
        expected = exact_distance(x[i], y[i])
        assert got == pytest.approx(expected, rel=10 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("r", [0.01, 0.5, 1, 3, 5])
def test_maps_and_distance_agree_with_geoopt(r):
    x, y = (
        math.sinh(r) * directions(50, 4, 0),
        math.sinh(0.7 * r) * directions(50, 4, 1),
    )
    ball, lorentz = geoopt.PoincareBall(), geoopt.Lorentz()

    def on_sheet(v):
        return torch.cat([(1 + v.square().sum(1, True)).sqrt(), v], 1)

    close = {"atol": 1e-9, "rtol": 1e-9}
    torch.testing.assert_close(
        distance(x, y), ball.dist(to_ball(x), to_ball(y)), **close
    )
    expected = lorentz.dist(on_sheet(x), on_sheet(y))
    torch.testing.assert_close(distance(x, y), expected, **close)
    torch.testing.assert_close(radius(x), ball.dist0(to_ball(x)), **close)
    # geoopt's maps of the ball take tangent vectors of half the length
    torch.testing.assert_close(log0(x), 2 * ball.logmap0(to_ball(x)), **close)
    t = r * directions(50, 4, 2)
    torch.testing.assert_close(to_ball(exp0(t)), ball.expmap0(t / 2), **close)
    tangent = torch.nn.functional.pad(t, (1, 0))
    torch.testing.assert_close(on_sheet(exp0(t)), lorentz.expmap0(tangent), **close)


# -- hyperbolic space is what it should be -----------------------------------------


@given(points(2))
def test_distance_is_symmetric_and_zero_for_coincident_points(pair):
    x, y = pair
    assert distance(x, y) == distance(y, x) >= 0
    assert distance(x, x) == 0


@given(points(3))
def test_triangle_inequality(three):
    x, y, z = three
    slack = 10 * accuracy(x, y, z)
    assert distance(x, z) <= distance(x, y) + distance(y, z) + slack


@given(points(2, max_radius=4.0))
def test_ball_is_isometric(pair):
    x, y = pair
    u, w = to_ball(x), to_ball(y)
    assert u.norm() < 1
    gaps = (1 - u.square().sum()) * (1 - w.square().sum())
    expected = 1 + 2 * (u - w).square().sum() / gaps
    torch.testing.assert_close(distance(x, y).cosh(), expected, rtol=1e-10, atol=1e-10)


@given(points(1))
def test_distance_from_the_origin_is_the_radius(one):
    v = one[0]
    origin = torch.zeros_like(v)
    close = {"rtol": 1e-13, "atol": 1e-150}  # squares below 1e-300 are rounded
    torch.testing.assert_close(distance(v, origin), radius(v), **close)
    torch.testing.assert_close(log0(v).norm(), radius(v), **close)


@given(points(1))
def test_maps_are_inverse_to_each_other(one):
    v = one[0]
    torch.testing.assert_close(exp0(log0(v)), v, rtol=1e-13, atol=1e-300)
    slack = 3 * accuracy(v)  # of the ball, far out
    torch.testing.assert_close(from_ball(to_ball(v)), v, rtol=slack, atol=1e-300)


@given(points(1), st.floats(0.01, 15))
def test_geodesics_through_the_origin_have_unit_speed(one, t):
    v = one[0]
    u = log0(v)
    if u.norm() > 1e-3:
        x, y = exp0(t / 2 * u / u.norm()), exp0(-t / 2 * u / u.norm())
        assert distance(x, y).item() == pytest.approx(t, rel=1e-13)


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_of_a_ball_point_may_round_to_one(dtype):
    u = torch.tensor([1.0, 0.0], dtype=dtype, requires_grad=True)
    v = from_ball(u)
    v[0].backward()
    assert v.isfinite().all() and u.grad.isfinite().all()
    assert radius(v) > 16


# -- all pairs ---------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7, 5), (1, 30), (0, 3), (30, 40)])
def test_matrix_is_the_distance_of_all_pairs(shape, dtype):
    n, m = shape
    x, y = (3 * directions(k, 6, seed).to(dtype) for seed, k in enumerate(shape))
    expected = distance(x[:, None], y[None])
    assert expected.shape == (n, m)
    torch.testing.assert_close(distance_matrix(x, y), expected)


@pytest.mark.parametrize("r", [0.5, 8, 15])
def test_matrix_keeps_close_pairs_apart(r):
    x = math.sinh(r) * directions(30, 8, seed=0)
    y = x * (1 + 1e-6)
    got = distance_matrix(torch.cat([x, y]), torch.cat([x, y]))
    assert got.diagonal().eq(0).all() and got.equal(got.mT)
    gap = math.asinh(math.sinh(r) * (1 + 1e-6)) - r
    expected = torch.full((30,), gap, dtype=torch.float64)
    slack = 3 * accuracy(y)
    torch.testing.assert_close(got[:30, 30:].diagonal(), expected, atol=slack, rtol=0)


def test_matrix_has_the_gradient_of_the_distance():
    x = 5 * directions(6, 3, seed=0)
    x[1] = x[0]
    weights = directions(6, 6, seed=1)
    grads = []
    for both in (distance_matrix, lambda a, b: distance(a[:, None], b[None])):
        leaf = x.clone().requires_grad_()
        (weights * both(leaf, leaf)).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads)


class Largest(TorchDispatchMode):
    """Remember the size of the largest tensor that any operation makes."""

    size = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, torch.Tensor):
                self.size = max(self.size, tensor.numel())
        return out


def test_matrix_needs_no_memory_for_all_pairs_times_coordinates():
    x, y = directions(20, 100, 0).requires_grad_(), directions(30, 100, 1)
    with Largest() as largest:
        distance_matrix(x, y).sum().backward()
    assert largest.size == 30 * 100  # y itself
    with Largest() as largest:
        distance(x[:, None], y[None])
    assert largest.size == 20 * 30 * 100


def test_broadcasting():
    x, y = directions(12, 3, 0).view(4, 1, 3, 3), directions(5, 3, 1).view(5, 1, 3)
    got = distance(x, y)
    assert got.shape == (4, 5, 3)
    assert got[2, 3, 1] == distance(x[2, 0, 1], y[3, 0])


# -- gradients ---------------------------------------------------------------------

ONE_POINT = {
    "to_ball": to_ball,
    "from_ball": lambda v: from_ball(to_ball(v)),
    "exp0": lambda v: exp0(log0(v)),
    "log0": log0,
    "radius": radius,
    "radius_penalty": lambda v: radius_penalty(v, 1.0),
    "clamp_radius": lambda v: clamp_radius(v, 1.0),
}
TWO_POINTS = {
    "distance": distance,
    "distance_matrix": lambda x, y: distance_matrix(x[:, None], y[:, None]),
}


def gradients(function, *points):
    """Return the result and its gradients; NaN on the way is an error."""
    leaves = [p.clone().requires_grad_() for p in points]
    with torch.autograd.set_detect_anomaly(True):
        out = function(*leaves)
        out.sum().backward()
    return out, *(leaf.grad for leaf in leaves)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ONE_POINT)
def test_gradients_of_one_point_are_finite(name, dtype):
    lengths = torch.tensor(RADII, dtype=torch.float64).sinh()
    v = (lengths[:, None, None] * directions(5, 3, seed=0)).to(dtype)
    for value in gradients(ONE_POINT[name], v):
        assert value.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", TWO_POINTS)
@pytest.mark.parametrize("r", RADII)
def test_gradients_of_two_points_are_finite(r, name, dtype):
    u, w = directions(2, 3, seed=0)
    lengths = torch.tensor(RADII, dtype=torch.float64).sinh()
    y = (lengths[:, None, None] * torch.stack([u, -u, w])).reshape(-1, 3)
    x = (math.sinh(r) * u).expand_as(y)
    for value in gradients(TWO_POINTS[name], x.to(dtype), y.to(dtype)):
        assert value.isfinite().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("r", RADII)
def test_gradients_of_coincident_points_are_zero(r, dtype):
    x = (math.sinh(r) * directions(4, 3, seed=0)).to(dtype)
    for function in TWO_POINTS.values():
        for value in gradients(function, x, x):
            assert value.eq(0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("r", [1e-15, 1e-10, 1e-5, 0])
def test_maps_are_linear_near_the_origin(r, dtype):
    v = (r * directions(1, 3, seed=0)[0]).to(dtype)
    eye = torch.eye(3, dtype=dtype)
    tol = {"atol": 1e-5 if dtype == torch.float32 else 1e-9, "rtol": 0}
    for function, slope in ((exp0, 1), (log0, 1), (to_ball, 0.5), (from_ball, 2)):
        got = torch.autograd.functional.jacobian(function, v)
        torch.testing.assert_close(got, slope * eye, **tol)


@pytest.mark.parametrize("r", [1e-3, 0.3, 1, 3])
def test_gradients_agree_with_finite_differences(r):
    x = (math.sinh(r) * directions(4, 3, seed=0)).requires_grad_()
    y = (math.sinh(r / 2) * directions(4, 3, seed=1)).requires_grad_()
    step = {"eps": 1e-6 * min(r, 1), "atol": 1e-4}
    for name in ("to_ball", "exp0", "log0", "radius"):
        assert torch.autograd.gradcheck(ONE_POINT[name], (x,), **step)
    assert torch.autograd.gradcheck(from_ball, (to_ball(x).detach().requires_grad_(),))
    for limit in (r / 2, 2 * r):
        for function in (radius_penalty, clamp_radius):
            assert torch.autograd.gradcheck(function, (x, limit), **step)
    assert torch.autograd.gradcheck(distance, (x, y), **step)
    assert torch.autograd.gradcheck(distance_matrix, (x, y), **step)


@given(points(2, max_radius=10.0))
def test_distance_has_a_gradient_of_riemannian_length_one(pair):
    """In free coordinates the inverse metric is I + v v^T."""
    x, y = (v.requires_grad_() for v in pair)
    d = distance(x, y)
    if d < 0.1:
        return
    d.backward()
    for v in pair:
        length = v.grad.square().sum() + (v.grad @ v.detach()) ** 2
        torch.testing.assert_close(length.item(), 1.0, rtol=1e-6, atol=0)


# -- the limit of the radius -------------------------------------------------------


def test_penalty_is_zero_within_the_limit_and_a_parabola_outside():
    v = exp0(torch.tensor([[2.0], [7.9], [8.0], [9.0], [-11.0]]).double())
    expected = torch.tensor([0, 0, 0, 1, 9]).double()
    torch.testing.assert_close(radius_penalty(v, 8.0), expected)


def test_penalty_pulls_inward():
    v = (math.sinh(9) * directions(5, 3, seed=0)).requires_grad_()
    radius_penalty(v, 8.0).sum().backward()
    assert ((v.grad * v).sum(1) > 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_clamp_moves_only_what_is_outside_and_only_along_the_radius(dtype):
    u = directions(6, 3, seed=0)
    r = torch.tensor([0, 1e-15, 2, 7.99, 8.5, 15]).double()
    v = exp0(r[:, None] * u).to(dtype)
    got = clamp_radius(v, 8.0)
    assert got[:4].equal(v[:4])
    small = 10 * torch.finfo(dtype).eps
    torch.testing.assert_close(radius(got[4:]), torch.full((2,), 8, dtype=dtype))
    along = torch.nn.functional.cosine_similarity(got[4:].double(), u[4:], dim=1)
    torch.testing.assert_close(along, torch.ones(2).double(), atol=small, rtol=0)
