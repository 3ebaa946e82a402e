"""Similarities to the prototypes of labels, as features."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.model_selection import GroupKFold, KFold, check_cv
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from skhmc._data.groups import read_groups
from skhmc._data.targets import read_targets
from skhmc._data.versions import VersionedMixin
from skhmc._data.weights import read_row_weights
from skhmc._utils.doc_link import DocLinkMixin
from skhmc.preprocessing._prototypes import METRICS, learn_prototypes, similarities

__all__ = ["HierarchicalPrototypeTransformer"]

FORM = {"accept_sparse": "csr", "dtype": (np.float64, np.float32)}


def _choose(hierarchy, level):
    """Return the positions of the labels of a level."""
    if level is None:
        return np.arange(hierarchy.n_labels)
    if level == "leaves":
        return hierarchy.leaves
    if level >= len(hierarchy.levels):
        raise ValueError(
            f"Got level={level!r}, but the hierarchy has the levels 0 to "
            f"{len(hierarchy.levels) - 1}. Choose one of these, 'leaves' or None."
        )
    return hierarchy.levels[level]


def _folds(cv, X, y, groups):
    """Return pairs of rows to learn from and rows to compare with them."""
    n_samples = X.shape[0]
    if groups is not None:
        groups = read_groups(groups, n_samples).codes
    if isinstance(cv, Integral):
        kind = KFold if groups is None else GroupKFold
        cv = kind(cv, shuffle=True, random_state=0)  # labels may come sorted
    given = {} if groups is None else {"groups": groups}
    folds = list(check_cv(cv).split(X, y, **given))
    parts = np.concatenate([part for _, part in folds])
    wrong = np.count_nonzero(np.bincount(parts, minlength=n_samples) != 1)
    if wrong:
        raise ValueError(
            f"Expected cv to put every sample into one test part, but {wrong} of "
            f"{n_samples} samples are in none, or in several, got cv={cv!r}. Use "
            f"a splitter such as KFold."
        )
    return folds


class HierarchicalPrototypeTransformer(
    VersionedMixin, DocLinkMixin, TransformerMixin, BaseEstimator
):
    r"""Similarities of samples to a prototype of every label.

    A label's prototype is the mean of its samples. The prototypes of labels with few
    samples are moved towards those of their parents, level by level. The similarities
    are few, dense features: they say where in the hierarchy a sample lies. A
    FeatureUnion puts them beside ``X``.

    Parameters
    ----------
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels and edges. None is flat.
    level : int, "leaves" or None, default=None
        Labels that get a feature: those of one depth (roots have depth 0), those
        without children ("leaves"), or all (None).
    metric : {"cosine", "euclidean", "rbf"}, default="cosine"
        The cosine of the angle between sample and prototype, seen from ``center_``;
        minus their distance; or :math:`e^{-\gamma d^2}` of their distance d.
    aggregation : {"samples", "children"}, default="samples"
        Rule by which the means of children make the mean of their parent: with every
        sample counted once; or with every child counted once, and once the mean of the
        samples that have none of the children.
    shrinkage : float, default=1.0
        Number of samples that a parent's prototype counts as. The mean of a label is
        shrunk towards it. With 0, means stay as they are.
    center : bool, default=True
        Whether the mean of all samples is the origin, from which angles are seen and
        towards which roots shrink. Otherwise the origin is 0. X itself is not changed,
        so a sparse X stays sparse.
    gamma : float or None, default=None
        Factor :math:`\gamma` of the squared distance in the metric "rbf". None is one
        over the mean squared distance of the training samples from their mean.
    cv : int, splitter, iterable or None, default=None
        Splitter of the training samples in ``fit_transform``, so that no sample is part
        of the prototypes that it is compared with. An int is a number of shuffled
        folds, which keep ``groups`` of ``fit_transform`` together. A splitter gets
        ``y`` and ``groups``. It must put every sample into one test part. With None,
        samples are part of the prototypes that they are compared with.

    Attributes
    ----------
    hierarchy_ : Hierarchy
        The hierarchy in the order of the columns of ``y``.
    label_names_ : ndarray of shape (n_labels,), object
        Names of the labels.
    prototypes_ : ndarray of shape (n_labels, n_features), float64
        The prototypes of all labels.
    support_ : ndarray of shape (n_labels,)
        Weight of every label's positive samples; without ``sample_weight``, their
        number.
    center_ : ndarray of shape (n_features,)
        The origin: the mean of all samples, or 0.
    gamma_ : float
        The factor that the metric "rbf" uses.
    n_features_in_ : int
        Number of features of ``X``.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features, if ``X`` was a DataFrame with strings as names.

    See Also
    --------
    skhmc.HCALClassifier : Learns prototypes together with an embedding.
    sklearn.neighbors.NearestCentroid : Classifies by flat class means.

    Notes
    -----
    Let :math:`n_c` be the number (weight) of a label's positive samples, :math:`m_c`
    their mean, s the shrinkage, and :math:`\bar p_{pa(c)}` the mean of the parents'
    prototypes or, of a root, the origin. From the roots down,

    .. math:: p_c = \frac{n_c m_c + s \, \bar p_{pa(c)}}{n_c + s},

    and a label without positives has :math:`p_c = \bar p_{pa(c)}`. Labels are closed
    upward first; an unknown label (NaN) is not positive. The cosine is 0 where a
    prototype, or a sample, is the origin.

    With ``cv=None`` a training sample is part of the prototypes of its labels, and a
    large part for rare labels. So ``fit_transform`` gives it greater similarities than
    ``transform`` gives to a similar new sample. ``cv`` and ``shrinkage`` reduce this.

    The prototypes are dense: n_labels x n_features numbers.

    References
    ----------
    McCallum, Rosenfeld, Mitchell and Ng, "Improving text classification by shrinkage
    in a hierarchy of classes", ICML 1998.

    Jiang, Liu, Liu and Yu, "Hierarchy-Consistent Learning and Adaptive Loss Balancing
    for Hierarchical Multi-Label Classification", CIKM 2025, arXiv 2508.13452. There the
    samples' means make the features with which prototypes are compared that are learnt.

    Examples
    --------
    >>> from skhmc.preprocessing import HierarchicalPrototypeTransformer
    >>> X = [[0.0, 1.0], [0.0, 3.0], [4.0, 0.0]]
    >>> y = [["animal/cat"], ["animal/dog"], ["plant"]]
    >>> transformer = HierarchicalPrototypeTransformer(
    ...     ["animal/cat", "animal/dog", "plant"], metric="euclidean", shrinkage=0
    ... )
    >>> transformer.fit_transform(X, y).round(1)
    array([[-1. , -0. , -2. , -4.1],
           [-1. , -2. , -0. , -5. ],
           [-4.5, -4.1, -5. , -0. ]])
    >>> transformer.get_feature_names_out()[1]
    'similarity_animal/cat'
    """

    _parameter_constraints: dict = {
        "level": [
            Interval(Integral, 0, None, closed="left"),
            StrOptions({"leaves"}),
            None,
        ],
        "metric": [StrOptions(set(METRICS))],
        "aggregation": [StrOptions({"samples", "children"})],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "center": ["boolean"],
        "gamma": [Interval(Real, 0, None, closed="neither"), None],
        "cv": ["cv_object"],
    }

    def __init__(
        self,
        hierarchy: Any = None,
        *,
        level: int | str | None = None,
        metric: str = "cosine",
        aggregation: str = "samples",
        shrinkage: float = 1.0,
        center: bool = True,
        gamma: float | None = None,
        cv: Any = None,
    ) -> None:
        self.hierarchy = hierarchy
        self.level = level
        self.metric = metric
        self.aggregation = aggregation
        self.shrinkage = shrinkage
        self.center = center
        self.gamma = gamma
        self.cv = cv

    # whoever hands groups to a search means them for the folds in here, too
    __metadata_request__fit = {"groups": True}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> HierarchicalPrototypeTransformer:
        """Learn the prototypes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training samples: finite numbers.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; closed upward here, with a warning.
            Or lists of label names, or a column of names per level, the root first; or
            (n_samples,) most specific labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of samples; 2 is the same as the sample twice.
        groups : array-like of shape (n_samples,), default=None
            Ignored: only ``fit_transform`` compares training samples.

        Returns
        -------
        HierarchicalPrototypeTransformer
            The transformer itself.
        """
        self._learn(*self._read(X, y, sample_weight))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Any:
        """Learn the prototypes, and return the similarities of the training samples.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training samples: finite numbers.
        y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; closed upward here, with a warning.
            Or lists of label names, or a column of names per level, the root first; or
            (n_samples,) most specific labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of samples; 2 is the same as the sample twice.
        groups : array-like of shape (n_samples,), default=None
            Group of every sample, such as its patient: with ``cv``, no sample is
            compared with prototypes of its own group.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features_out)
            With ``cv=None`` the same as of ``transform``.
        """
        X, targets, weight = self._read(X, y, sample_weight)
        folds = [] if self.cv is None else _folds(self.cv, X, y, groups)
        self._learn(X, targets, weight)
        if self.cv is None:
            return self._similarities(X, self.prototypes_, self.center_)
        found = np.empty((X.shape[0], self._n_features_out), X.dtype)
        for rest, part in folds:
            prototypes, _, center, _ = self._prototypes(
                X[rest], targets.Y[rest], weight[rest]
            )
            found[part] = self._similarities(X[part], prototypes, center)
        return found

    def transform(self, X: Any) -> Any:
        """Return how similar samples are to the prototypes.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Samples to compare with the prototypes. A sparse X is not made dense.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_features_out)
            Greater is more similar.
        """
        check_is_fitted(self, "prototypes_")
        X = validate_data(self, X, reset=False, **FORM)
        return self._similarities(X, self.prototypes_, self.center_)

    def get_feature_names_out(
        self, input_features: ArrayLike | None = None
    ) -> np.ndarray:
        """Return the names of the features: ``similarity_`` and the label's name.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of X; those that ``fit`` saw, where it saw names.

        Returns
        -------
        ndarray of shape (n_features_out,), object
            The names.
        """
        check_is_fitted(self, "prototypes_")
        _check_feature_names_in(self, input_features, generate_names=False)
        names = self.label_names_[self._columns]
        return np.array([f"similarity_{name}" for name in names], dtype=object)

    def _read(self, X, y, sample_weight):
        vars(self).pop("prototypes_", None)  # unfitted, should this fail
        needed = None if y is None else "no_validation"  # None is an error there
        X = validate_data(self, X, needed, **FORM)
        targets = read_targets(y, self.hierarchy)
        check_consistent_length(X, targets.Y)
        n_samples = X.shape[0]
        weight = read_row_weights(sample_weight, n_samples)
        if weight is None:
            weight = np.ones(n_samples)
        return X, targets, weight

    def _learn(self, X, targets, weight):
        self.hierarchy_ = hierarchy = targets.hierarchy
        self.label_names_ = np.empty(hierarchy.n_labels, dtype=object)
        self.label_names_[:] = hierarchy.labels
        self._columns = _choose(hierarchy, self.level)
        self._n_features_out = len(self._columns)
        found = self._prototypes(X, targets.Y, weight)
        self.prototypes_, self.support_, self.center_, spread = found
        self.gamma_ = self.gamma or 1 / (spread or 1)

    def _prototypes(self, X, Y, weight):
        return learn_prototypes(
            X,
            Y,
            weight,
            self.hierarchy_,
            aggregation=self.aggregation,
            shrinkage=self.shrinkage,
            center=self.center,
        )

    def _similarities(self, X, prototypes, center):
        prototypes = prototypes[self._columns]
        found = similarities(X, prototypes, self.metric, center, self.gamma_)
        return found.astype(X.dtype, copy=False)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.target_tags.required = True
        tags.target_tags.one_d_labels = True
        tags.target_tags.two_d_labels = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
