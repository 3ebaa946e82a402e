"""Geometry of the Poincaré disk: what is drawn where, in numpy alone."""

import numpy as np

__all__ = ["geodesic", "project"]

N_POINTS = 65  # of an arc
MEAN_WEIGHT = 1e-3


def geodesic(a, b):
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
    a, b = (x[:, :1] + 1j * x[:, 1:] for x in (a, b))
    w = (b - a) / (1 - a.conj() * b)
    length = np.abs(w)
    steps = np.linspace(0, 1, N_POINTS)
    s = np.tanh(steps * np.arctanh(length.clip(max=1 - 1e-15)))
    w = s * w / np.where(length > 0, length, 1)
    points = (w + a) / (1 + a.conj() * w)
    points[:, :1], points[:, -1:] = a, b  # free of rounding
    return np.stack([points.real, points.imag], axis=-1)


def project(embeddings, geometry):
    """Return positions in the plane and the share of squared lengths kept there.

    Parameters
    ----------
    embeddings : ndarray of shape (n_labels, d)
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
        return _onto_plane(embeddings - mean, 0 * mean)
    norm = np.linalg.norm(embeddings, axis=1, keepdims=True)
    tangent = embeddings * 2 * np.arctanh(norm) / np.where(norm > 0, norm, 1)
    flat, explained = _onto_plane(tangent, tangent.sum(axis=0) / max(n_labels, 1))
    angle = np.arctan2(flat[:, 1:], flat[:, :1])
    return norm * np.hstack([np.cos(angle), np.sin(angle)]), explained


def _onto_plane(vectors, mean):
    """Return vectors projected on principal axes, and the share of squares kept.

    The mean counts for the axes only where the scatter about it leaves them open:
    vectors that lie in a plane are kept whole.
    """
    centred = np.vstack([vectors - mean, MEAN_WEIGHT * mean])
    axes = np.linalg.eigh(centred.T @ centred)[1][:, [-1, -2]]
    axes *= np.where(axes[np.abs(axes).argmax(axis=0), [0, 1]] < 0, -1, 1)
    flat, whole = vectors @ axes, np.square(vectors).sum()
    kept = np.square(flat).sum() / whole if whole > 0 else 1.0
    return flat, min(float(kept), 1.0)
