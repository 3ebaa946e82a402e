"""KernelHMC: kernel ridge regression on the labels, coherent with a hierarchy."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import check_is_fitted

from skhmc._data.flat_names import judge_flat
from skhmc._data.parent_counts import parent_counts
from skhmc._data.targets import read_targets, require_y
from skhmc._data.weights import (
    label_counts,
    read_sample_weight,
    smoothed_rates,
    warn_constant,
)
from skhmc._data.X import FileRows, check_X
from skhmc._kernels.choice import BANDWIDTHS, choose
from skhmc._kernels.kernels import KERNELS, Kernel, total_variance
from skhmc._kernels.model import fit_model
from skhmc._kernels.rows import merge_rows
from skhmc._scoring.answers import check_can_stop
from skhmc._scoring.outputs import Blocks, format_proba
from skhmc._scoring.proba_outputs import ProbaOutputsMixin
from skhmc._utils.memory import bytes_as_text, free_memory
from skhmc.coherence import RULES, RuleNames

__all__ = ["KernelHMC"]

MOST_EXACT = 20_000  # distinct rows up to which "auto" is exact
N_LANDMARKS = 2000  # beyond
TINY = np.finfo(np.float64).tiny


class KernelHMC(ProbaOutputsMixin, ClassifierMixin, BaseEstimator):
    r"""Kernel ridge regression on all labels at once, coherent with a hierarchy.

    Solves one system of linear equations for all labels. There are no epochs and there
    is nothing random: the same data give the same fit. Bandwidth and ridge are chosen
    by the scores that every training row would get without itself, which are known in
    closed form. The same scores calibrate the probabilities. It suits few rows, and
    sparse or nominal features. Scale numeric features first, with
    :class:`sklearn.preprocessing.StandardScaler` in a Pipeline.

    Parameters
    ----------
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Label hierarchy. None means that labels are flat. Columns of a DataFrame Y are
        matched by name.
    kernel : {"rbf", "linear", "cosine"} or callable, default="rbf"
        Similarity of two samples. "rbf" is :math:`\exp(-\gamma \lVert x - z
        \rVert^2)`, "linear" the inner product, "cosine" that of rows of length 1. With
        all three, a sparse X stays sparse. A callable gets two matrices of rows, X and
        Z, and returns their kernel (n_X, n_Z); it must be symmetric and positive
        semi-definite.
    gamma : "auto" or float, default="auto"
        Bandwidth :math:`\gamma` of "rbf"; other kernels have none. "auto" chooses from
        1/8, 1/4, 1/2, 1, 2 and 4 divided by the sum of the variances of all features
        (over distinct rows). This sum is about the number of features if they are
        standardised.
    ridge : "auto" or float, default="auto"
        Regularisation :math:`\lambda`, see the Notes, at least 1e-10. With n rows, it
        is the alpha of :class:`sklearn.kernel_ridge.KernelRidge` divided by n. "auto"
        chooses from 0.0001, 0.0003, 0.001, 0.003, 0.01 and 0.03 times the mean diagonal
        of the centred kernel, which is at most 1 for "rbf".
    n_components : "auto", int or None, default="auto"
        Number of rows that the kernel is approximated with (Nyström). None is exact:
        memory for two matrices of n x n numbers, 6.4 GB for 20,000 rows. "auto" is None
        up to 20,000 distinct rows, and 2000 beyond. Rows of "linear" and "cosine" that
        are dense, with at most half as many features as rows, need no approximation
        and no such matrices. A sparse X and a dense one have other rows drawn.
    coherence : str or None, default="average"
        Rule that makes probabilities coherent, from the table of
        :ref:`rules <coherence-rules>`. "max" raises labels to their highest descendant,
        "min" lowers them to their lowest ancestor, "average" is the mean of both. None
        gives the probabilities as they are. May change after ``fit``.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5. After a 1-D y, None
        predicts the most probable class. With a number, the prediction goes from the
        root towards this class, and stops at the deepest label above the number.
    proba_format : {"array", "list"}, default="array"
        Form of ``predict_proba``; "list" is MultiOutputClassifier's.
    random_state : int, RandomState instance or None, default=None
        Seed of the draw of the rows for ``n_components``. Nothing else is random.

    Attributes
    ----------
    gamma_ : float or None
        Bandwidth that was used. None for other kernels than "rbf", and where no label
        could be learnt.
    ridge_ : float or None
        Ridge that was used. None where no label could be learnt.
    n_components_ : int or None
        Number of rows of the Nyström approximation. None if the fit is exact.
    choice_ : list of dict
        ``gamma``, ``ridge``, and ``au_prc``, ``log_loss`` and ``squared_error`` of
        left-out rows, for all pairs that "auto" compared. Empty if nothing was to be
        chosen.
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,), object
        Names of the columns of all outputs.
    label_counts_ : ndarray of shape (n_labels, 2)
        Training samples that have a label, and that have all its parents: what
        scorers weigh labels by.
    classes_ : ndarray
        ``[[0, 1]] * n_labels``. After a 1-D y, its classes, sorted.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the features, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if there is not enough memory, if a callable kernel returns another
        shape than expected, or is seen not to be symmetric or positive semi-definite,
        if ``ridge`` is so small that the equations cannot be solved, if a sparse X is
        so far from 0 that its rows cannot be told apart, or for
        ``coherence="isotonic"`` if a label has several parents.

    Warns
    -----
    UserWarning
        In ``fit``, of labels with only one value, which are predicted at their prior.

    See Also
    --------
    skhmc.HCALClassifier : A network, for more rows.
    sklearn.kernel_ridge.KernelRidge : The regression alone.

    Notes
    -----
    A label y is fitted by a function f of the kernel's space and a constant b, which
    minimise

    .. math:: \frac1n \sum_i w_i (y_i - f(x_i) - b)^2 + \lambda \lVert f \rVert^2 .

    Weights of whole numbers count rows: 2 is a row twice, exactly. Other weights are
    scaled to a mean of 1, so that their scale does not matter. Equal rows are solved as
    one row with the mean of their labels and the sum of their weights.

    Without row i, at the same :math:`n \lambda`, the score of row i would be
    :math:`y_i - (y_i - f(x_i) - b) / (1 - h_i)`, where the leverage :math:`h_i` comes
    from the same matrix for all labels. "auto" takes the pair of bandwidth and ridge
    for which these scores, calibrated, have the greatest AU(PRC) over all rows and
    labels. It looks at 1000 rows, evenly spaced in an order of their values, and at the
    200 most frequent labels. Where fewer than 20 of these rows are positive, or
    negative, others that are join them, 500 at most. Unknown values count as the mean
    of their label there. A bandwidth costs one decomposition of these rows' kernel
    matrix, a ridge a multiplication. The fit then costs one Cholesky decomposition.

    Scores s may leave [0, 1]. A smooth cut brings them into it; a sigmoid
    :math:`\sigma(a \, \mathrm{logit}(s) + b)` with :math:`a \ge 0` per label, fitted
    to the scores of left-out rows, makes them probabilities. It is mixed with the
    sigmoid of the label's level with the share :math:`m / (m + 10)`, m being the
    label's positives or negatives, whichever are fewer; labels with m < 5 have the
    level's. No order within a label is turned round.

    NaN in Y is unknown: a label is fitted to the rows in which it is known, as if it
    were alone with them, and the same holds for weights (n_samples, n_labels). Labels
    that are known in the same rows share a decomposition. Where there are more than 50
    such patterns, labels with a pattern of their own are fitted by conjugate gradients,
    to a relative residual of 1e-8 (or, where this takes more than 500 steps, by a
    decomposition of their own). Their leverages are then computed as if all other rows
    had the mean of their weights. This changes their calibration and the scores of
    left-out rows alone. The page "KernelHMC" of the user guide says by how much.

    After a 1-D y, the classes are the labels, and their calibrated probabilities are
    divided by their sum.

    References
    ----------
    Saunders, Gammerman and Vovk, "Ridge Regression Learning Algorithm in Dual
    Variables", ICML 1998.

    Cawley and Talbot, "Fast exact leave-one-out cross-validation of sparse
    least-squares support vector machines", Neural Networks, 2004.

    Williams and Seeger, "Using the Nyström Method to Speed Up Kernel Machines", NIPS
    2001.

    Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons to
    Regularized Likelihood Methods", Advances in Large Margin Classifiers, 1999.

    Examples
    --------
    >>> from skhmc import KernelHMC
    >>> from skhmc.coherence import score_violations
    >>> from skhmc.datasets import load_digit_properties
    >>> digits = load_digit_properties()
    >>> X, Y, rows = digits.data / 16, digits.target, digits.train[:300]
    >>> clf = KernelHMC(digits.hierarchy).fit(X[rows], Y[rows])
    >>> clf.predict_labels(X[digits.test], most_specific=True)[3]
    ['digit 5']
    >>> proba = clf.predict_proba(X[digits.test])
    >>> score_violations(proba, digits.hierarchy).nnz
    0
    >>> clf.score(X[digits.test], Y[digits.test]) > 0.8
    True
    """

    _parameter_constraints: dict = {
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "kernel": [StrOptions(set(KERNELS)), callable],
        "gamma": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "ridge": [StrOptions({"auto"}), Interval(Real, 1e-10, None, closed="left")],
        "n_components": [
            StrOptions({"auto"}),
            Interval(Integral, 1, None, closed="left"),
            None,
        ],
        "coherence": [StrOptions(RuleNames()), None],
        "threshold": [None, Interval(Real, 0, 1, closed="both")],
        "proba_format": [StrOptions({"array", "list"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        hierarchy: Any = None,
        *,
        kernel: Any = "rbf",
        gamma: Any = "auto",
        ridge: Any = "auto",
        n_components: Any = "auto",
        coherence: str | None = "average",
        threshold: float | None = None,
        proba_format: str = "array",
        random_state: Any = None,
    ) -> None:
        self.hierarchy = hierarchy
        self.kernel = kernel
        self.gamma = gamma
        self.ridge = ridge
        self.n_components = n_components
        self.coherence = coherence
        self.threshold = threshold
        self.proba_format = proba_format
        self.random_state = random_state

    # -- fit ---------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit all labels.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Training samples. A ``numpy.memmap`` is read into memory.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, and NaN for unknown. Missing ancestors are added, with a
            warning. Or lists of label names; or one column of names per level, the root
            first; or most specific labels (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of samples, or of samples and labels (2-D Y only).

        Returns
        -------
        self
            The fitted estimator itself.
        """
        self._learn(X, y, sample_weight)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def leave_one_out_proba(
        self, X: Any, y: Any, sample_weight: Any = None
    ) -> np.ndarray | list[np.ndarray]:
        """Fit all labels, and return the probabilities of rows that were left out.

        They are what ``cross_val_predict`` with one fold per row would return, but for
        three things. Bandwidth and ridge are those of all rows. The calibration of a
        row is fitted to the scores of other rows, nine tenths of all, each left out
        alone. Of equal rows all are left out. It takes little longer than ``fit``.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Training samples, as ``fit`` takes them.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            Labels, as ``fit`` takes them.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights, as ``fit`` takes them.

        Returns
        -------
        ndarray of shape (n_samples, n_labels)
            Calibrated probabilities in the form of ``predict_proba``, made coherent by
            ``coherence``. Rows that weigh nothing, or of which nothing is known, have
            that of ``predict_proba``.
        """
        X, place, left_out = self._learn(X, y, sample_weight)
        proba = np.empty((len(place), len(self._priors)))
        fitted = place >= 0
        if left_out is None:
            proba[:] = self._filled(len(place), None)
        else:
            seen = left_out.proba()
            seen = self._filled(len(seen), seen)
            proba[fitted] = seen[place[fitted]]
            if not fitted.all():
                proba[~fitted] = self._raw_blocks_of(X[~fitted]).array()
        blocks = Blocks([proba], len(proba))
        made = blocks.map(partial(self._made_coherent, coherence=self.coherence))
        return format_proba(self, made.map(self._off_0_and_1))

    def _learn(self, X, y, sample_weight):
        """Read, choose, solve; return X, the place of its rows, and their LeftOut."""
        self.__dict__.pop("classes_", None)  # unfitted, should this fail
        require_y(self, y)
        X = self._check_X(X, reset=True)
        targets = read_targets(y, self.hierarchy)
        check_consistent_length(X, targets.Y)
        if self.hierarchy is None:
            judge_flat(targets.hierarchy)
        weight = read_sample_weight(sample_weight, y, targets, np.dtype(np.float64))
        if self.coherence is not None:
            RULES[self.coherence].check(targets.hierarchy)
        if targets.classes is None:
            Y, levels = _dense(targets.Y), targets.hierarchy.depth
            names = targets.hierarchy.labels
        else:
            check_can_stop(self.threshold, targets.hierarchy)
            Y, levels = _one_hot(targets)
            names = targets.classes
        self._find_learnt(Y, weight, names, priors=targets.classes is None)
        if weight is not None:
            weight = weight * _rows_per_weight(sample_weight)
        place, left_out = self._fit_learnt(X, Y, weight, levels)
        self.hierarchy_ = targets.hierarchy
        self.label_names_ = targets.label_names
        self.label_counts_ = parent_counts(targets.Y, targets.hierarchy)
        self.classes_ = targets.output_classes
        return X, place, left_out

    def _check_X(self, X, reset):
        X = check_X(self, X, dtype=np.float64, reset=reset, allow_nd=False)
        if isinstance(X, FileRows) and reset:
            X = X.read(slice(None))  # predictions read block by block
        if sp.issparse(X) and not X.has_canonical_format:  # sums are of one order
            X = X.copy()
            X.sum_duplicates()
        return X

    def _find_learnt(self, Y, weight, names, priors):
        """Set the priors of labels, and which have both values; warn of the others."""
        positive, known = label_counts(Y, weight)
        constant = (positive == 0) | (positive == known)
        warn_constant(positive, known, constant, names, priors=priors)
        self._priors = smoothed_rates(positive, known)
        self._learnt = np.flatnonzero(~constant)

    def _fit_learnt(self, X, Y, weight, levels):
        """Choose parameters and solve; return the places of rows, and their LeftOut."""
        self._model = self.gamma_ = self.ridge_ = self.n_components_ = None
        self.choice_ = []
        learnt = self._learnt
        if not len(learnt):
            return np.full(len(Y), -1), None
        if weight is not None and weight.shape[1] > 1:
            weight = weight[:, learnt]
        problem = merge_rows(X, Y[:, learnt], weight)
        n_rows = len(problem.target)
        by_features = Kernel(self.kernel).has_features(problem.X)
        landmarks = self._draw_landmarks(n_rows, by_features)
        if landmarks is not None:
            n_basis = len(landmarks)
        else:
            n_basis = problem.X.shape[1] if by_features else n_rows
        has_matrix = landmarks is None and not by_features
        _check_memory(n_rows, n_basis, len(learnt), has_matrix)
        kernel_of, gammas, ridges = self._kernel_candidates(problem.X)
        if len(gammas) == 1 and ridges is not None:
            self.gamma_, self.ridge_ = gammas[0], ridges[0]
        else:
            choice = choose(problem, kernel_of, gammas, ridges, levels[learnt])
            self.gamma_, self.ridge_ = choice.gamma, choice.ridge
            self.choice_ = choice.tried
        kernel = kernel_of(self.gamma_)
        found = fit_model(problem, kernel, self.ridge_, levels[learnt], landmarks)
        self._model, left_out = found
        self.n_components_ = None if landmarks is None else len(landmarks)
        return problem.place, left_out

    def _draw_landmarks(self, n_rows, by_features):
        """Return the rows of the approximation (n_components,); None is exact."""
        wanted = self.n_components
        if wanted == "auto":
            few = by_features or n_rows <= MOST_EXACT
            wanted = None if few else N_LANDMARKS
        if wanted is None or wanted >= n_rows:
            return None
        random = check_random_state(self.random_state)
        return np.sort(random.permutation(n_rows)[:wanted])

    def _kernel_candidates(self, X):
        """Return the Kernel of a gamma, gammas, and ridges or None for the table's."""
        variance = 1.0
        if not callable(self.kernel) and self.kernel != "cosine":
            variance = total_variance(X)  # raises where X is too large
        center = None
        gammas = [None]
        if self.kernel in ("linear", "rbf") and not sp.issparse(X):
            center = X.mean(axis=0)
        if self.kernel == "rbf":
            gammas = [float(self.gamma)] if self.gamma != "auto" else None
            if gammas is None:
                gammas = [factor / (variance or 1.0) for factor in BANDWIDTHS]
        kernel_of = partial(Kernel, self.kernel, center=center)
        ridges = None if self.ridge == "auto" else [float(self.ridge)]
        return kernel_of, gammas, ridges

    # -- predictions -------------------------------------------------------------------

    def _raw_proba_blocks(self, X):
        check_is_fitted(self, "classes_")
        return self._raw_blocks_of(self._check_X(X, reset=False))

    def _raw_blocks_of(self, X):
        """Return Blocks of probabilities before coherence, of an X that is checked."""
        n_samples = X.shape[0]
        if self._model is None:
            return Blocks([self._filled(n_samples, None)], n_samples)
        scores = Blocks(self._model.scores(X), n_samples)
        return scores.map(lambda s: self._filled(len(s), self._model.proba(s)))

    def _filled(self, n_samples, learnt):
        """Return probabilities of all labels or classes from those of learnt ones."""
        proba = np.tile(self._priors, (n_samples, 1))
        if learnt is not None:
            proba[:, self._learnt] = learnt
        if self._one_class:
            proba = np.maximum(proba, TINY)
            proba /= proba.sum(axis=1, keepdims=True)
        return proba

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.sparse = True
        return tags


def _dense(Y):
    """Return indicators as an array of float64, in C order."""
    Y = Y.toarray() if sp.issparse(Y) else Y
    return np.ascontiguousarray(Y, dtype=np.float64)


def _rows_per_weight(sample_weight):
    """Return how many rows weights of a mean of 1 stand for: whole numbers count."""
    given = np.asarray(sample_weight, dtype=np.float64)
    whole = given.max() < 2**53 and (given == np.round(given)).all()
    return given.mean() if whole else 1.0


def _one_hot(targets):
    """Return indicators of classes (n_samples, n_classes), and the classes' levels."""
    hierarchy = targets.hierarchy
    Y = np.zeros((len(targets.codes), len(targets.classes)))
    Y[np.arange(len(Y)), targets.codes] = 1
    return Y, hierarchy.depth[[hierarchy.position(x) for x in targets.classes]]


def _check_memory(n_rows, n_basis, n_labels, has_matrix):
    """Raise where a kernel matrix, or features, need more memory than there is."""
    matrices = 2 * n_basis**2 if has_matrix else 4 * n_rows * n_basis + n_basis**2
    needed = 8 * (matrices + 6 * n_rows * n_labels)
    there = free_memory()
    if there is None or needed <= there:
        return
    if has_matrix:
        what = f"The kernel matrix of {n_rows:,} distinct rows"
        advice = "Set n_components, to 2000 say, for the Nystroem approximation."
    else:
        what = f"{n_basis:,} features of {n_rows:,} distinct rows"
        advice = "Set n_components to a smaller number."
    raise InvalidParameterError(
        f"{what}, with the scores of {n_labels:,} labels, needs at least "
        f"{bytes_as_text(needed)}, but {bytes_as_text(there)} of memory are free. "
        f"{advice}"
    )
