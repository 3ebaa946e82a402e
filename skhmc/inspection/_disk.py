"""Geometry of the Poincaré disk: what is drawn where, in numpy alone."""

from __future__ import annotations

import numpy as np

__all__ = ["geodesic", "project"]

N_POINTS = 65  # of an arc
MEAN_WEIGHT = 1e-3  # of the mean beside the scatter, when axes are chosen


def geodesic(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    r"""Return points of the geodesic arcs between points of the disk.

    In complex numbers :math:`w = (b - a) / (1 - \bar a b)` is b as seen from a. The
    points at equal hyperbolic steps towards it are :math:`w_s = s\, w / |w|`,
    :math:`s = \tanh(t\, \mathrm{artanh} |w|)`, and, seen from the origin again,
    :math:`(w_s + a) / (1 + \bar a w_s)`. Lines through the origin are no special case.

    Parameters
    ----------
    a, b : ndarray of shape (n, 2)
        Ends, in the open unit disk.

    Returns
    -------
    ndarray of shape (n, N_POINTS, 2)
        Points from a to b, both included.
    """
    a = a[:, :1] + 1j * a[:, 1:]
    b = b[:, :1] + 1j * b[:, 1:]
    w = (b - a) / (1 - a.conj() * b)
    length = np.abs(w)
    steps = np.linspace(0, 1, N_POINTS)
    # rounding can make |w| 1, whose artanh is infinite
    s = np.tanh(steps * np.arctanh(length.clip(max=1 - 1e-15)))
    w = s * w / np.where(length > 0, length, 1)
    points = (w + a) / (1 + a.conj() * w)
    points[:, :1] = a  # the ends are free of rounding
    points[:, -1:] = b
    return np.stack([points.real, points.imag], axis=-1)


def project(embeddings: np.ndarray, geometry: str) -> tuple[np.ndarray, float]:
    """Return positions in the plane and the share of squared lengths kept there.

    Parameters
    ----------
    embeddings : ndarray of shape (n_labels, d)
        Points, in the open unit ball if they are hyperbolic.
    geometry : {"hyperbolic", "euclidean"}
        Hyperbolic points keep their radius, and get the angle that their tangent
        vectors at the origin have in the plane of the first two principal components.
        Euclidean points are projected on theirs. Up to two dimensions all is kept.

    Returns
    -------
    positions : ndarray of shape (n_labels, 2)
    explained : float
    """
    n_labels, d = embeddings.shape
    if d <= 2:
        return np.pad(embeddings, ((0, 0), (0, 2 - d))), 1.0
    mean = embeddings.sum(axis=0) / max(n_labels, 1)
    if geometry == "euclidean":
        return _onto_plane(embeddings - mean, np.zeros_like(mean))
    norm = np.linalg.norm(embeddings, axis=1, keepdims=True)
    tangent = embeddings * 2 * np.arctanh(norm) / np.where(norm > 0, norm, 1)
    # hyperbolic points are not centred: the origin, the disk's middle, has a meaning
    flat, explained = _onto_plane(tangent, tangent.sum(axis=0) / max(n_labels, 1))
    angle = np.arctan2(flat[:, 1:], flat[:, :1])
    return norm * np.hstack([np.cos(angle), np.sin(angle)]), explained


def _onto_plane(vectors: np.ndarray, mean: np.ndarray) -> tuple[np.ndarray, float]:
    """Return vectors projected on principal axes, and the share of squares kept.

    The mean counts for the axes only where the scatter about it leaves them open:
    vectors that lie in a plane are kept whole.
    """
    centred = np.vstack([vectors - mean, MEAN_WEIGHT * mean])
    axes = np.linalg.eigh(centred.T @ centred)[1][:, [-1, -2]]
    # an axis has no sign of its own: make its greatest coordinate positive
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1, 1)
    flat = vectors @ axes
    whole = np.square(vectors).sum()
    kept = np.square(flat).sum() / whole if whole > 0 else 1.0
    return flat, min(float(kept), 1.0)
