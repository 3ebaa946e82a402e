r"""Hyperbolic space of curvature -1, in coordinates that any optimizer may move.

A point is given by *free coordinates* :math:`v \in \mathbb R^d`, the spatial part of
the point :math:`(v_0, v)`, :math:`v_0 = \sqrt{1 + \|v\|^2}`, of the Lorentz model:
every vector is a point, none has to be projected. Coordinates are the last axis.

Every function has finite gradients from radius 0 to 15 in float32 and float64, also at
the origin and for coincident points, where the gradient of a distance is set to 0. What
has to be right far out, not merely finite, needs float64: rounding coordinates by a
relative u displaces a point at radius r by up to :math:`u \sinh r`, that is in float32
by 1e-4 at radius 8 and by .1 at radius 15, in float64 by 2e-10 there.

References
----------
Chatterjee, Maheshwari, Ramakrishnan and Jagarlapudi, "Joint Learning of Hyperbolic
Label Embeddings for Hierarchical Multi-label Classification", EACL 2021, arXiv
2101.04997.

Nickel and Kiela, "Learning Continuous Hierarchies in the Lorentz Model of Hyperbolic
Geometry", ICML 2018.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

__all__ = [
    "clamp_radius",
    "distance",
    "distance_matrix",
    "exp0",
    "from_ball",
    "log0",
    "radius",
    "radius_penalty",
    "to_ball",
]


def _norm(v: Tensor) -> Tensor:
    """Return the norms (...) of vectors (..., d); the gradient at zero is zero.

    The inner ``where`` keeps the square root, and so its gradient, away from zero; the
    outer one puts the value right. An added constant would do so, but would also make
    the distance of a point from itself .01 at radius 10, and 1.5 at radius 15.
    """
    square = v.square().sum(-1)
    positive = square > 0
    root = torch.where(positive, square, 1.0).sqrt()
    return torch.where(positive, root, 0.0)


def _stretch(v: Tensor, length: Callable[[Tensor], Tensor]) -> Tensor:
    """Give vectors of norm r the norm length(r), which is r to first order at zero."""
    r = _norm(v)[..., None]
    positive = r > 0
    divisor = torch.where(positive, r, 1.0)
    return v * torch.where(positive, length(divisor) / divisor, 1.0)


def _one_plus_time(v: Tensor) -> Tensor:
    r"""Return :math:`1 + \sqrt{1 + \|v\|^2}`: (..., d) to (..., 1)."""
    return 1 + (1 + v.square().sum(-1, keepdim=True)).sqrt()


def to_ball(v: Tensor) -> Tensor:
    r"""Map free coordinates into the Poincaré ball.

    :math:`\Pi(v) = v / (1 + \sqrt{1 + \|v\|^2})`, of norm :math:`\tanh(r / 2)` at
    radius r. The ball's coordinates are less exact far out: what remains to its
    boundary, :math:`1 - \|\Pi(v)\|^2 = 2 / (1 + \sqrt{1 + \|v\|^2})`, is rounded away
    at radius 17 in float32, at 37 in float64.

    Examples
    --------
    >>> to_ball(torch.tensor([[0.75, 0.0], [0.0, 0.0]]))
    tensor([[0.3333, 0.0000],
            [0.0000, 0.0000]])
    """
    return v / _one_plus_time(v)


def from_ball(u: Tensor) -> Tensor:
    r"""Map the Poincaré ball to free coordinates: the inverse of :func:`to_ball`.

    :math:`\Pi^{-1}(u) = 2 u / (1 - \|u\|^2)`, where the denominator is at least the
    dtype's epsilon: a norm that was rounded to 1 gives a point far out, not infinity.

    Examples
    --------
    >>> from_ball(torch.tensor([[1 / 3, 0.0], [0.0, 0.0]]))
    tensor([[0.7500, 0.0000],
            [0.0000, 0.0000]])
    """
    gap = 1 - u.square().sum(-1, keepdim=True)
    return 2 * u / gap.clamp_min(torch.finfo(u.dtype).eps)


def exp0(t: Tensor) -> Tensor:
    r"""Map tangent vectors at the origin to free coordinates.

    :math:`\exp_0(t) = \sinh(\|t\|)\, t / \|t\|`, and :math:`\exp_0(0) = 0`: the end of
    the geodesic that leaves the origin towards t and is :math:`\|t\|` long.

    Examples
    --------
    >>> exp0(torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    tensor([[1.1752, 0.0000],
            [0.0000, 0.0000]])
    """
    return _stretch(t, torch.sinh)


def log0(v: Tensor) -> Tensor:
    r"""Map free coordinates to tangent vectors at the origin: the inverse of exp0.

    :math:`\log_0(v) = \mathrm{asinh}(\|v\|)\, v / \|v\|`, and :math:`\log_0(0) = 0`:
    its norm is the :func:`radius` of v.

    Examples
    --------
    >>> log0(exp0(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))).round(decimals=4)
    tensor([[3., 4.],
            [0., 0.]])
    """
    return _stretch(v, torch.asinh)


def radius(v: Tensor) -> Tensor:
    r"""Return the distances from the origin, :math:`\mathrm{asinh} \|v\|`.

    The shape is (..., d) to (...).

    Examples
    --------
    >>> radius(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([2.3124, 0.0000])
    """
    return torch.asinh(_norm(v))


def distance(x: Tensor, y: Tensor) -> Tensor:
    r"""Return the geodesic distances of points: (..., d) and (..., d) to (...).

    The leading axes are broadcast. With :math:`x_0 = \sqrt{1 + \|x\|^2}`, :math:`y_0`
    likewise,

    .. math::
        d(x, y) = 2\, \mathrm{asinh}\left(\tfrac12
            \left\| \frac{x}{1 + x_0} - \frac{y}{1 + y_0} \right\|
            \sqrt{(1 + x_0)(1 + y_0)} \right),

    which is :math:`\mathrm{arcosh}(1 + 2 \|u - w\|^2 / ((1 - \|u\|^2)(1 - \|w\|^2)))`
    of the points u and w of the ball, without its cancellations: the argument of asinh
    is 0 where that of arcosh is 1, and nothing is subtracted from 1.

    The absolute error is about the dtype's epsilon times :math:`\cosh r` at the larger
    radius r. The gradient for coincident points is 0.

    Examples
    --------
    >>> x = exp0(torch.tensor([[2.0, 0.0], [0.0, 5.0]]))
    >>> distance(x, exp0(torch.tensor([-1.0, 0.0])))
    tensor([3.0000, 5.4338])
    """
    a, b = _one_plus_time(x), _one_plus_time(y)
    scale = (a.sqrt() * b.sqrt()).squeeze(-1)
    return 2 * torch.asinh(0.5 * scale * _norm(x / a - y / b))


def distance_matrix(x: Tensor, y: Tensor) -> Tensor:
    r"""Return the distances of all pairs: (n, d) and (m, d) to (n, m).

    The formula of :func:`distance`, and its accuracy. The chord between points of the
    ball is summed up coordinate by coordinate, pair after pair: nothing of size
    (n, m, d) is made, forward or backward. A matrix product,
    :math:`\|u\|^2 + \|w\|^2 - 2 u \cdot w`, would be faster, but loses half of the
    digits, which is everything for close pairs far out. For less than (n, m) at a time,
    give blocks of x.

    Examples
    --------
    >>> x = exp0(torch.tensor([[2.0], [-1.0]]))
    >>> distance_matrix(x, x).round(decimals=4)
    tensor([[0., 3.],
            [3., 0.]])
    """
    a, b = _one_plus_time(x), _one_plus_time(y)
    chord = torch.cdist(x / a, y / b, compute_mode="donot_use_mm_for_euclid_dist")
    return 2 * torch.asinh(0.5 * (a.sqrt() * b.sqrt().mT) * chord)


def radius_penalty(v: Tensor, limit: float) -> Tensor:
    r"""Return :math:`\max(0, \mathrm{asinh} \|v\| - R)^2`: (..., d) to (...).

    A soft limit R of the radius: nothing within it, and a force that grows from zero
    outside of it.

    Examples
    --------
    >>> radius_penalty(exp0(torch.tensor([[9.5, 0.0], [3.0, 0.0]])), limit=8.0)
    tensor([2.2500, 0.0000])
    """
    return (radius(v) - limit).clamp_min(0).square()


def clamp_radius(v: Tensor, limit: float) -> Tensor:
    r"""Move points beyond the radius R back to it, along the way to the origin.

    :math:`v \min(1, \sinh(R) / \|v\|)`. Within the limit the result is v itself, bit
    for bit; beyond it the gradient has no radial part.

    Examples
    --------
    >>> v = clamp_radius(exp0(torch.tensor([[9.0, 0.0], [3.0, 0.0]])), limit=8.0)
    >>> radius(v).round(decimals=4)
    tensor([8., 3.])
    """
    longest = math.sinh(limit)
    return v * (longest / _norm(v)[..., None].clamp_min(longest))
