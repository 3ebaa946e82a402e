r"""How alike labels are that occur together, and what a hierarchy says of it.

Everything is a CSR matrix of shape (n_labels, n_labels). Time and memory grow with its
stored entries, at most :math:`\sum_i k_i^2` for samples of :math:`k_i` labels, never
with n_labels squared.
"""

import numpy as np
import scipy.sparse as sp

__all__ = ["SIMILARITIES", "ancestry", "similarity"]


def similarity(counts, kind, n_samples):
    r"""Return how alike labels are that occur together.

    Parameters
    ----------
    counts : csr_matrix of shape (n_labels, n_labels)
        Of :func:`skhmc.induction.cooccurrence`: :math:`c_{lm}`, with the counts
        :math:`c_l` of the single labels on the diagonal.
    kind : {"count", "cosine", "jaccard", "ppmi"}
        What is counted, see Notes.
    n_samples : float
        The number n of samples, or their total weight; only PPMI depends on it.

    Returns
    -------
    csr_matrix of shape (n_labels, n_labels), float64
        Symmetric, positive, without diagonal, with sorted indices. What is not stored
        is 0: two labels that never occur together and, with PPMI, two that do so no
        more often than by chance.

    Notes
    -----
    - ``"count"``: :math:`c_{lm}`;
    - ``"cosine"``: :math:`c_{lm} / \sqrt{c_l c_m}`;
    - ``"jaccard"``: :math:`c_{lm} / (c_l + c_m - c_{lm})`;
    - ``"ppmi"``: :math:`\max(0, \log(n c_{lm} / (c_l c_m)))`.

    On label sets that are closed upward, counts are the same for all ancestors of a
    label; the others set the parent before the grandparent. PPMI makes a label that
    all samples have similar to none.

    Where the counts are whole numbers, similarities that are equal by the formula are
    equal in the last bit, which matters to whoever asks which of two is *strictly*
    smaller: each is a monotone function of one quotient of whole numbers, of which
    equal ones round alike.

    Examples
    --------
    >>> from skhmc.induction import cooccurrence
    >>> Y = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 1], [0, 0, 1]])
    >>> similarity(cooccurrence(Y), "jaccard", 4).toarray().round(2)
    array([[0.  , 0.33, 0.25],
           [0.33, 0.  , 0.  ],
           [0.25, 0.  , 0.  ]])
    >>> similarity(cooccurrence(Y), "ppmi", 4).toarray().round(2)
    array([[0.  , 0.29, 0.  ],
           [0.29, 0.  , 0.  ],
           [0.  , 0.  , 0.  ]])
    """
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    single = counts.diagonal()
    c, a, b = (v * 1.0 for v in (counts.data, single[rows], single[counts.indices]))
    values = _VALUES[kind](c, a, b, n_samples)
    keep = (rows != counts.indices) & (values > 0)
    kept = np.concatenate([[0], keep.cumsum()])[counts.indptr]
    return sp.csr_matrix((values[keep], counts.indices[keep], kept), counts.shape)


# quotients of whole numbers, and monotone functions of them, so that ties are exact
_VALUES = {
    "count": lambda c, a, b, n: c,
    "cosine": lambda c, a, b, n: np.sqrt(c * c / (a * b)),
    "jaccard": lambda c, a, b, n: c / (a + b - c),
    "ppmi": lambda c, a, b, n: np.log(np.maximum(n * c / (a * b), 1)),
}
SIMILARITIES = tuple(_VALUES)


def ancestry(hierarchy):
    """Return a hierarchy as a similarity: ancestors and descendants are 1, others 0.

    Parameters
    ----------
    hierarchy : Hierarchy
        Its labels are the rows and columns.

    Returns
    -------
    related : csr_matrix of shape (n_labels, n_labels), float64
        Symmetric, without diagonal, with sorted indices.
    upward : ndarray of shape (nnz,), bool
        Which of the stored entries, in their order, are (label, ancestor). Since all
        tie, what is less similar than an ancestor is neither ancestor nor descendant.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> related, upward = ancestry(Hierarchy.from_paths(["a/b", "c"]))
    >>> related.toarray()
    array([[0., 1., 0.],
           [1., 0., 0.],
           [0., 0., 0.]])
    >>> upward
    array([False,  True])
    """
    up = hierarchy.ancestors.astype(np.int8)
    marked = (2 * up + up.T).tocsr()  # 2: an ancestor, 1: a descendant
    marked.sort_indices()
    related = sp.csr_matrix(
        (np.ones(marked.nnz), marked.indices, marked.indptr), shape=marked.shape
    )
    return related, marked.data == 2
