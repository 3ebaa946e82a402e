"""LabelTreeClassifier: a sparse linear classifier per label, beside its siblings."""

from __future__ import annotations

import time
from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from skhmc._data.flat_names import judge_flat
from skhmc._data.parent_counts import parent_counts
from skhmc._data.targets import read_targets, require_y
from skhmc._data.weights import (
    check_finite_sum,
    check_sample_weight,
    label_counts,
    match_weight,
    warn_constant,
)
from skhmc._linear.binary import LOSSES, fit_binary
from skhmc._linear.choice import choose_C_and_slope
from skhmc._linear.chunks import Chunks
from skhmc._linear.clusters import add_nodes
from skhmc._linear.lengths import mean_length, of_length_1
from skhmc._linear.memory import check_memory, plan_memory
from skhmc._linear.search import Families, Search
from skhmc._linear.siblings import (
    Siblings,
    counted_rows,
    fit_siblings,
    group_siblings,
    is_constant,
)
from skhmc._scoring.answers import check_among, check_can_stop, check_k
from skhmc._scoring.outputs import DEFAULT_THRESHOLD, Blocks, sigmoid, to_csr
from skhmc._scoring.proba_outputs import ProbaOutputsMixin
from skhmc._utils.levels import over_sources, ranges
from skhmc._utils.memory import bytes_as_text
from skhmc._utils.warnings import warn_user

__all__ = ["LabelTreeClassifier"]

CELLS_PER_BLOCK = 2**22  # margins that are made at a time
ROWS_PER_SEARCH = 2**13
WORTH_SEARCHING = 2**21  # margins
LEAST_SEARCHED = 0.05  # there may be very many labels that are more probable than less
N_PARTS = 20  # of the work: what is told about, or done in another process
MOST_STORED = 2**31 - 1  # numbers of X: the solver has positions of 32 bits
GREATEST = 1e15  # of X, unless rows are scaled
TINY = np.finfo(np.float32).tiny
RULES = {"product": np.multiply, "min": np.minimum}
READ_BY_PREDICTIONS = (
    "normalize",
    "coherence",
    "threshold",
    "proba_format",
    "sparse_output",
)
ALMOST_1 = 1 - np.finfo(np.float32).epsneg


class LabelTreeClassifier(ProbaOutputsMixin, ClassifierMixin, BaseEstimator):
    """Linear classifiers along the hierarchy, for sparse texts and very many labels.

    Each label has a linear classifier that is fitted to the samples with all its
    parents: it tells which of these have the label. So most classifiers see few
    samples, and hard ones. The probability of a label is what its classifier says,
    times the least probability of its parents: no label is more probable than a parent.
    With ``negatives="all"``, each classifier sees all samples.

    Parameters
    ----------
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Label hierarchy. None means that labels are flat; then inner nodes are learnt
        where there are more than ``max_children`` labels. Columns of a DataFrame Y are
        matched by name.
    loss : {"squared_hinge", "log_loss"}, default="squared_hinge"
        Loss of a classifier: that of a support vector machine, or of logistic
        regression.
    negatives : {"siblings", "all"}, default="siblings"
        Samples that a label's classifier sees beside those that have the label.
        "siblings" are those that have all its parents; each classifier then sees few,
        and very many labels are possible. "all" are all samples. This takes as long as
        one classifier per label without a hierarchy, and ranks labels below improbable
        parents better. The mean of both, by :class:`HierarchicalVotingClassifier`, may
        be better than either.
    C : float or "auto", default="auto"
        Weight of the losses beside that of the squared weights. Larger values fit the
        training data more closely. "auto" is the smallest value of 0.1, 0.3, 1, 3 and
        10 whose log loss on held-out rows of some labels is nearly the least.
    slope : float or "auto", default="auto"
        Factor of margins in the sigmoid that makes them probabilities.
        "auto" is the number with the least log loss on held-out rows of some labels.
    normalize : bool, default=True
        Whether samples are scaled to length 1. This suits texts. For tables, scale the
        features instead, as by StandardScaler.
    max_children : int, default=100
        Most children that a label may have before inner nodes are learnt between the
        label and its children, by balanced 2-means of the samples' means. Smaller
        values fit and predict faster, larger ones are often more precise.
    weight_threshold : float, default=0.05
        Weights that are not larger than this are dropped. This is what makes the model
        small. 0 keeps all weights. With ``normalize=False``, the number is divided by
        the root mean square of the samples' lengths.
    tol : float, default=0.1
        When the solver stops, as in :class:`sklearn.svm.LinearSVC`. Smaller values take
        longer.
    max_iter : int, default=1000
        Largest number of walks of the solver over the samples of a label.
    coherence : {"auto", "product", "min"} or None, default="auto"
        Rule that makes probabilities coherent: the product of what the classifier of a
        label says and the least probability of its parents, or the lesser of these.
        "auto" is "product" with ``negatives="siblings"``, whose classifiers say how
        probable a label is given its parents, and "min" with ``negatives="all"``. None
        returns what the classifiers say. May change after ``fit``.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5. After a 1-D y, None
        predicts the most probable class. With a number, the prediction goes from the
        root towards this class, and stops at the deepest label above the number.
    proba_format : {"array", "list"}, default="array"
        Form of the output of ``predict_proba``. "list" is the form of
        MultiOutputClassifier.
    sparse_output : bool, default=False
        Whether ``predict`` returns a CSR matrix. It is then found from the roots down,
        and only below labels that are probable enough.
    n_jobs : int, default=None
        Number of processes that fit classifiers. The result does not depend on it.
    random_state : int, RandomState or None, default=None
        Seed of the solver's order of samples, and of learnt nodes.
    verbose : int, default=0
        Verbosity: 1 prints how far ``fit`` has come, and how long it will take.

    Attributes
    ----------
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,), object
        Names of the columns of all outputs.
    label_counts_ : ndarray of shape (n_labels, 2)
        Training samples that have a label, and that have all its parents: what
        scorers weigh labels by.
    classes_ : ndarray
        ``[[0, 1]] * n_labels``. After a 1-D y, its classes, sorted.
    coef_ : csc_matrix of shape (n_features, n_labels), float32
        Weights of every label's classifier.
    intercept_ : ndarray of shape (n_labels,), float32
        Bias of every label's classifier.
    C_ : float
        C, with "auto" replaced.
    slope_ : float
        The slope, with "auto" replaced.
    n_iter_ : int
        Largest number of walks over samples that a classifier took.
    n_nodes_ : int
        Number of labels and of learnt inner nodes.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the features, if X had names.

    Raises
    ------
    ValueError
        In ``fit``, if there is not enough memory, or if a sparse X stores more than
        2,147,483,647 numbers. With ``normalize=False``, if X has values above 1e15.

    Warns
    -----
    UserWarning
        In ``fit``, of labels with only one value, of which nothing can be learnt.
    sklearn.exceptions.ConvergenceWarning
        In ``fit``, if ``max_iter`` was too small for ``tol`` for some classifiers.

    See Also
    --------
    HCALClassifier : Network for up to some thousand labels.
    CoherentClassifier : Any other classifier, one per label, made coherent.

    Notes
    -----
    Let :math:`f_l(x)` be the margin of label l's classifier. Then

    .. math::
        q_l(x) = \\frac{1}{1 + e^{-s f_l(x)}},
        \\qquad
        P(l \\mid x) = q_l(x) \\min_{p \\in parents(l)} P(p \\mid x),

    where the minimum is 1 for a root. The slope s is one number for all labels, that
    with the least log loss on held-out rows of some labels. In a tree, P is the product
    of conditional probabilities. In a graph, it is as large as the parents allow. A
    label that all samples with its parents have, or none, has no weights, and its share
    of these samples as :math:`q_l`.

    With ``negatives="all"``, :math:`q_l` is the probability of the label itself, and

    .. math::
        P(l \\mid x) = \\min \\Big(
            q_l(x), \\min_{p \\in parents(l)} P(p \\mid x)
        \\Big).

    After a 1-D y, the probability that a sample's most specific label is l is taken to
    be proportional to :math:`P(l \\mid x) - \\max_{c \\in children(l)} P(c \\mid x)`.

    References
    ----------
    Prabhu, Kag, Harsola, Agrawal and Varma, "Parabel: partitioned label trees for
    extreme classification with application to dynamic search advertising", WWW, 2018.

    Jasinska-Kobus, Wydmuch, Dembczynski, Kuznetsov and Busa-Fekete, "Probabilistic
    label trees for extreme multi-label classification", arXiv:2009.11218, 2020.

    Fan, Chang, Hsieh, Wang and Lin, "LIBLINEAR: a library for large linear
    classification", JMLR, 2008.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from skhmc import LabelTreeClassifier
    >>> texts = ["cats purr", "dogs bark", "cats and dogs", "guitars twang"]
    >>> labels = [["cat"], ["dog"], ["cat", "dog"], ["music"]]
    >>> hierarchy = {"cat": ["animal"], "dog": ["animal"], "music": []}
    >>> clf = LabelTreeClassifier(hierarchy, C=10, random_state=0)
    >>> clf = make_pipeline(TfidfVectorizer(), clf).fit(texts, labels)
    >>> clf[-1].label_names_.tolist()
    ['animal', 'cat', 'dog', 'music']
    >>> clf.predict_proba(["do cats bark?"]).round(1)
    array([[1. , 0.3, 0.7, 0. ]], dtype=float32)
    """

    _parameter_constraints: dict = {
        "hierarchy": "no_validation",  # Hierarchy.build says what is wrong
        "loss": [StrOptions(set(LOSSES))],
        "negatives": [StrOptions({"siblings", "all"})],
        "C": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "slope": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "normalize": ["boolean"],
        "max_children": [Interval(Integral, 2, None, closed="left")],
        "weight_threshold": [Interval(Real, 0, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "coherence": [StrOptions({"auto", *RULES}), None],
        "threshold": [None, Interval(Real, 0, 1, closed="both")],
        "proba_format": [StrOptions({"array", "list"})],
        "sparse_output": ["boolean"],
        "n_jobs": [Integral, None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hierarchy: Any = None,
        *,
        loss: str = "squared_hinge",
        negatives: str = "siblings",
        C: float | str = "auto",
        slope: float | str = "auto",
        normalize: bool = True,
        max_children: int = 100,
        weight_threshold: float = 0.05,
        tol: float = 0.1,
        max_iter: int = 1000,
        coherence: str | None = "auto",
        threshold: float | None = None,
        proba_format: str = "array",
        sparse_output: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.hierarchy = hierarchy
        self.loss = loss
        self.negatives = negatives
        self.C = C
        self.slope = slope
        self.normalize = normalize
        self.max_children = max_children
        self.weight_threshold = weight_threshold
        self.tol = tol
        self.max_iter = max_iter
        self.coherence = coherence
        self.threshold = threshold
        self.proba_format = proba_format
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit every label's classifier.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Samples. With ``normalize=False``, features should have like scales. A CSR
            matrix is never made dense.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1. Missing ancestors are added, with a warning. Or lists of
            label names; or most specific labels (n_samples,). Where a label is NaN
            (unknown), its classifier does not see the sample.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of samples, or of every label of theirs (2-D y only). They multiply
            C: a weight of 2 is the same as having the sample twice, where C and slope
            are given.

        Returns
        -------
        self
            The fitted classifier.
        """
        self.__dict__.pop("classes_", None)  # unfitted, should this fail
        require_y(self, y)
        X = self._check_X(X, reset=True)
        if sp.issparse(X) and X.nnz > MOST_STORED:
            raise ValueError(
                f"X stores {X.nnz:,} numbers, but the classifiers of roots see all of "
                f"them, and their solver takes at most {MOST_STORED:,}. Fit to some of "
                f"the rows, or keep fewer features (min_df= or max_features= of "
                f"TfidfVectorizer)."
            )
        targets = read_targets(y, self.hierarchy)
        check_consistent_length(X, targets.Y)
        if self.hierarchy is None:
            judge_flat(targets.hierarchy)
        if targets.classes is not None:
            check_can_stop(self.threshold, targets.hierarchy)
        weight = _read_weight(sample_weight, y, targets)
        _warn_constant(targets, weight)
        rng = check_random_state(self.random_state)
        problems, nodes = self._with_nodes(self._scaled(X), targets, weight, rng)
        self._learn(problems, nodes, rng, targets.Y)
        self._chunks = None
        self._saw_all = self.negatives == "all"
        self._nodes = nodes.hierarchy
        self.n_nodes_ = nodes.hierarchy.n_labels
        self.hierarchy_ = targets.hierarchy
        self.label_names_ = targets.label_names
        self.label_counts_ = parent_counts(targets.Y, targets.hierarchy)
        self.classes_ = targets.output_classes
        return self

    def _with_nodes(self, X, targets, weight, rng):
        """Return the Problems of labels and learnt nodes, and the Nodes."""
        positive, unknown = _indicators_of(targets.Y)
        nodes = add_nodes(targets.hierarchy, X, positive, self.max_children, rng)
        return nodes.problems(X, positive, unknown, weight), nodes

    def _learn(self, problems, nodes, rng, Y):
        """Choose C and the slope, and fit the classifiers of all labels and nodes."""
        if self.negatives == "siblings":
            groups = group_siblings(nodes.hierarchy)
        else:
            groups = _beside_all(nodes.hierarchy.n_labels, rng)
        fit = partial(
            fit_binary,
            loss=self.loss,
            tol=self.tol,
            max_iter=self.max_iter,
            seed=int(rng.randint(2**31 - 1)),
        )
        costs = _costs(problems.positive, groups)
        self.C_, self.slope_ = choose_C_and_slope(
            _in_random_order(problems, groups, rng),
            fit,
            self.C,
            self.slope,
            self.loss,
            costs.sum(),
            rng,
        )
        fit = partial(fit, C=self.C_)
        threshold = self.weight_threshold
        if not self.normalize:
            threshold /= mean_length(problems.X) or 1
        self._plan_memory(problems, nodes, groups, fit, threshold, rng, Y)
        parts = _parts(costs, N_PARTS)
        options = {
            "fit": fit,
            "slope": self.slope_,
            "weight_threshold": threshold,
        }
        jobs = (
            delayed(fit_siblings)(problems, groups[part], **options) for part in parts
        )
        progress = _Progress(self, costs, parts)
        found = []
        for columns in Parallel(n_jobs=self.n_jobs, return_as="generator")(jobs):
            found.append(columns)
            progress.step()
        self.n_iter_ = self._walks(np.concatenate([part.n_iter for part in found]))
        n_features = problems.X.shape[1]
        self._weights, self._bias = _put_together(found, n_features)

    def _plan_memory(self, problems, nodes, groups, fit, threshold, rng, Y):
        """Say how much memory the fit takes, and raise if there is not as much."""
        plan = plan_memory(
            problems, groups, fit, threshold, self.normalize, self.n_jobs, rng, Y
        )
        if self.verbose:
            most = plan.taken + max(plan.more, nodes.n_bytes)
            print(
                f"[{type(self).__name__}] fit takes about "
                f"{bytes_as_text(most)} of memory beside X and y."
            )
        check_memory(plan, problems.positive.shape[1], self.weight_threshold)

    def _walks(self, walks):
        """Return how often a solver walked over samples at most; warn if too often."""
        n_unfinished = int((walks >= self.max_iter).sum())
        if n_unfinished:
            warn_user(
                f"{n_unfinished} of {len(walks)} classifiers were not as exact as "
                f"tol={self.tol!r} after max_iter={self.max_iter!r} walks over their "
                f"samples. Set a larger max_iter, a larger tol or a smaller C, or "
                f"scale the features.",
                ConvergenceWarning,
            )
        return int(walks.max())

    def _check_X(self, X, reset):
        if not reset and self._is_ready(X):
            return X
        X = validate_data(
            self, X, accept_sparse="csr", dtype=[np.float64, np.float32], reset=reset
        )
        if sp.issparse(X) and not X.has_canonical_format:
            X = X.copy()  # it may be the user's
            X.sum_duplicates()
        return X

    def _is_ready(self, X):
        """Tell whether X is CSR and nothing is wrong with it.

        Of one row, scikit-learn's check takes longer than the prediction does.
        """
        return (
            sp.issparse(X)
            and X.format == "csr"
            and X.ndim == 2
            and X.dtype in (np.float32, np.float64)
            and X.shape[0] > 0
            and X.shape[1] == self.n_features_in_
            and not hasattr(self, "feature_names_in_")  # else it warns that X has none
            and bool(np.isfinite(X.data).all())
            and X.has_canonical_format
        )

    # -- predictions -------------------------------------------------------------------

    @property
    def coef_(self) -> sp.csc_matrix:
        """Weights (n_features, n_labels) of every label's classifier."""
        check_is_fitted(self, "classes_")
        return sp.csc_matrix(self._weights)[:, : self.hierarchy_.n_labels]

    @property
    def intercept_(self) -> np.ndarray:
        """Biases (n_labels,) of the classifiers."""
        check_is_fitted(self, "classes_")
        return self._bias[: self.hierarchy_.n_labels]

    def _as_read(self, X):
        """Return X as the classifiers take it."""
        return self._scaled(X).astype(np.float32, copy=False)

    def _scaled(self, X):
        """Return X as it is, or with rows of length 1."""
        if self.normalize:
            return of_length_1(X)
        values = X.data if sp.issparse(X) else X
        greatest = max(values.max(initial=0), -values.min(initial=0))
        if greatest > GREATEST:
            raise ValueError(
                f"Got values up to {greatest:.0e} in X, expected at most "
                f"{GREATEST:.0e}. Scale the features, as by StandardScaler, or set "
                f"normalize=True."
            )
        return X

    def _margins(self, X, order="C"):
        """Return the margins of all labels and nodes (n_samples, n_nodes)."""
        X = self._as_read(X)
        margins = X @ self._weights
        if sp.issparse(margins):
            margins = margins.toarray(order=order)
        margins += self._bias
        return margins

    def _blocks(self, X, change, step=None):
        """Return Blocks of what a function makes of ``step`` samples at a time."""
        check_is_fitted(self, "classes_")
        self._check_changed()
        X = self._check_X(X, reset=False)
        n_samples = X.shape[0]
        if step is None:
            step = max(1, CELLS_PER_BLOCK // self.n_nodes_)
        if n_samples <= step:
            return Blocks(map(change, [X]), n_samples)
        starts = range(0, n_samples, step)
        return Blocks((change(X[k : k + step]) for k in starts), n_samples)

    def _check_changed(self):
        """Raise unless the parameters that predictions read are right.

        They may change after ``fit``. A look at all parameters takes a third of the
        time of one row's prediction.
        """
        params = {name: getattr(self, name) for name in READ_BY_PREDICTIONS}
        validate_parameter_constraints(
            self._parameter_constraints, params, type(self).__name__
        )

    @property
    def _rule(self):
        """The function of what a label's classifier says, and of its parents."""
        if self.coherence in RULES:
            return RULES[self.coherence]
        return RULES["min" if self._saw_all else "product"]

    def _conditional(self, margins):
        """Return probabilities given the parents, a new array in C order."""
        proba = sigmoid(np.multiply(margins, self.slope_, dtype=np.float32))
        return np.minimum(proba, ALMOST_1, out=proba)

    def _labels_proba_blocks(self, X, coherence):
        """Return Blocks of probabilities, given the parents where not coherent."""

        def proba(X):
            values = self._conditional(self._margins(X, "F").T)
            if coherence is not None or self._one_class:
                rule = self._rule
                for labels, parents in self._nodes.downward_plan:
                    above = over_sources(values, parents, np.minimum)
                    values[labels] = rule(values[labels], above)
            labels = values[: self.hierarchy_.n_labels]
            if self._one_class:
                return self._of_classes(labels)
            return labels.T

        return self._blocks(X, proba)

    def _of_classes(self, proba):
        """Return the probabilities of classes from those of labels (n_labels, n)."""
        below = np.zeros_like(proba)
        for labels, children in _children_steps(self.hierarchy_):
            below[labels] = proba.take(children, axis=0).max(axis=1)
        ends = np.float64(proba - below)[self._class_labels().positions].T
        ends = np.maximum(ends, TINY)
        return ends / ends.sum(axis=1, keepdims=True)

    def _off_0_and_1(self, proba):
        if self._one_class or self.coherence is None:
            return proba
        return np.maximum(proba, TINY)

    def _log_odds(self, proba):
        return super()._log_odds(proba).astype(np.float32)

    def _search(self, X):
        """Return a Search among the labels of some samples."""
        X = self._as_read(X)
        if self._chunks is None:  # when first asked for; not part of a pickle
            groups = group_siblings(self._nodes)
            families = Families(self._nodes, groups)
            self._chunks = Chunks(self._weights, self._bias, families), families
        chunks, families = self._chunks

        def conditional(rows, groups):
            return self._conditional(chunks.margins(X, rows, groups))

        return Search(families, conditional, X.shape[0], self._rule)

    def _is_worth_searching(self, X):
        """Tell whether a search takes less time than all probabilities.

        It has to look at every feature of a dense X, and begins with some work.
        """
        return sp.issparse(X) and X.shape[0] * self.n_nodes_ > WORTH_SEARCHING

    def __getstate__(self):
        return super().__getstate__() | {"_chunks": None}

    def _indicators(self, X, coherence):
        if not self.sparse_output or self._one_class:
            return super()._indicators(X, coherence)
        threshold = DEFAULT_THRESHOLD if self.threshold is None else self.threshold
        n_labels = self.hierarchy_.n_labels
        worth = threshold >= LEAST_SEARCHED

        def chosen(X):
            if coherence is None or not worth or not self._is_worth_searching(X):
                proba = self._labels_proba_blocks(X, coherence)
                parts = [to_csr(block > threshold) for block in proba.blocks]
                return sp.vstack(parts, format="csr")
            least = np.full(X.shape[0], threshold)
            found = self._search(X).above(least, strict=True)
            found = found.where(found.labels < n_labels)
            return found.indicators((X.shape[0], n_labels))

        return self._blocks(X, chosen, ROWS_PER_SEARCH).indicators(sparse=True)

    def predict_top_k(
        self,
        X: Any,
        k: int,
        *,
        among: str | None = None,
        names: bool = False,
        beam: int | None = None,
    ) -> tuple[Any, Any]:
        """Return the k most probable labels of every sample.

        Only what is below labels that are probable enough is looked at. No label is
        more probable than its parents, so the result is that of looking at all.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Samples, as ``predict`` takes them.
        k : int
            Number of labels to return, at most as many as there are.
        among : {"all", "leaves"} or None, default=None
            Labels to choose from: all labels, or those without children. None is all
            labels. After a 1-D y, None is the classes.
        names : bool, default=False
            Whether to return names and numbers as lists, instead of arrays.
        beam : int, default=None
            Number of labels of every depth below which the search goes on. A cap on
            work: with it, some of the k labels may not be the most probable ones. None
            finds the most probable ones.

        Returns
        -------
        columns : ndarray of shape (n_samples, k), int, or list of list
            Positions in ``label_names_``, the most probable label first. After a 1-D y
            with ``among=None``, positions in ``classes_``. Of equally probable labels
            the ancestors come first. With ``names=True``, a list of names per sample.
        proba : ndarray of shape (n_samples, k), or list of list
            Probabilities of these labels. With ``names=True``, a list of floats per
            sample.
        """
        self._check_ready()
        _check_beam(beam)
        worth = beam is not None or self._is_worth_searching(X)
        if self._one_class or self.coherence is None or not worth:
            return super().predict_top_k(X, k, among=among, names=names)
        check_among(among)
        hierarchy = self.hierarchy_
        what = "leaves" if among == "leaves" else "labels"
        wanted = np.zeros(self.n_nodes_, bool)
        wanted[hierarchy.leaves if what == "leaves" else slice(hierarchy.n_labels)] = 1
        check_k(k, int(wanted.sum()), what)
        depth = hierarchy.depth

        def best(X):
            found = self._search(sp.csr_matrix(X)).best(k, wanted, beam)
            proba = self._off_0_and_1(found.proba)
            labels, proba = found._replace(proba=proba).first(k, depth, X.shape[0])
            return np.stack([labels, proba.astype(np.float64)])

        labels, proba = self._blocks(X, best, ROWS_PER_SEARCH).array(axis=1)
        labels = labels.astype(np.intp)
        proba = proba.astype(np.float32)
        if not names:
            return labels, proba
        return self._names_of(labels, of_classes=False), proba.tolist()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.sparse = True
        return tags


def _check_beam(beam):
    whole = isinstance(beam, Integral) and not isinstance(beam, bool)
    if beam is not None and not (whole and beam >= 1):
        raise ValueError(
            f"Got beam={beam!r}, expected an integer of at least 1, or None."
        )


def _read_weight(sample_weight, y, targets):
    """Return weights (n_samples, 1 or n_labels) as they were given, or None."""
    n_samples, n_labels = targets.Y.shape
    if targets.classes is not None:
        n_labels = None
    sample_weight = match_weight(sample_weight, y, targets)
    weight = check_sample_weight(sample_weight, n_samples, n_labels)
    if weight is None:
        return None
    check_finite_sum(weight)
    if not weight.any():
        raise ValueError("Expected some positive sample weight, got only zeros.")
    return weight.reshape(n_samples, -1)


def _warn_constant(targets, weight):
    positive, known = label_counts(targets.Y, weight)
    constant = (positive == 0) | (positive == known)
    warn_constant(positive, known, constant, targets.hierarchy.labels, priors=False)


def _indicators_of(Y):
    """Return csc matrices of what is positive and of what is unknown, or None."""
    if not sp.issparse(Y):
        unknown = np.isnan(Y)
        positive = sp.csc_matrix(Y == 1)
        return positive, sp.csc_matrix(unknown) if unknown.any() else None
    nan = np.isnan(Y.data)
    return _where(Y, Y.data == 1), _where(Y, nan) if nan.any() else None


def _where(Y, chosen):
    """Return a csc_matrix of bool, sorted, with some entries of a csr_matrix."""
    entries = np.flatnonzero(chosen)
    rows = np.searchsorted(Y.indptr, entries, side="right") - 1
    ones = np.ones(len(entries), bool)
    return sp.csc_matrix((ones, (rows, Y.indices[entries])), Y.shape)


def _put_together(parts, n_features):
    """Return weights (n_features, n_nodes) as a csr_matrix, and biases (n_nodes,)."""
    n_labels = sum(len(part.labels) for part in parts)
    bias = np.empty(n_labels, np.float32)
    counts = np.zeros(n_features, np.int64)
    for part in parts:
        bias[part.labels] = part.bias
        counts += np.bincount(part.features, minlength=n_features)
    starts = np.concatenate([[0], np.cumsum(counts)])
    labels = np.empty(starts[-1], np.int32)
    weights = np.empty(starts[-1], np.float32)
    free = starts[:-1].copy()  # the next place of every feature
    for part in parts:
        for some, by_feature in part.by_feature(n_features):
            counts = np.diff(by_feature.indptr)
            places = ranges(free, free + counts)
            labels[places] = some[by_feature.indices]
            weights[places] = by_feature.data
            free += counts
    whole = sp.csr_matrix((weights, labels, starts), (n_features, n_labels))
    whole.sort_indices()
    return whole, bias


def _children_steps(hierarchy):
    """Yield labels with children and, padded, the children of each."""
    return [(step.targets, step.sources) for step in hierarchy.upward_plan]


def _beside_all(n_labels, rng):
    """Return Siblings of all labels as if they had no parents, in random order.

    So that every label sees all samples; those of one group share a copy of X.
    """
    no_parents = np.empty(0, np.intp)
    parts = np.array_split(rng.permutation(n_labels), min(n_labels, N_PARTS))
    return [Siblings(no_parents, part) for part in parts]


def _costs(positive, groups):
    """Return about how long each group takes, in no unit."""
    n_samples = positive.shape[0]
    counts = np.diff(positive.indptr)
    costs = [
        len(group.children)
        * (1 + (counts[group.parents].min() if len(group.parents) else n_samples))
        for group in groups
    ]
    return np.array(costs, dtype=np.float64)


def _parts(costs, n_parts):
    """Cut costs into slices of about the same sum."""
    ends = np.cumsum(costs)
    wanted = ends[-1] * np.arange(1, n_parts) / n_parts
    cuts = np.unique(np.searchsorted(ends, wanted, side="right"))
    cuts = [0, *cuts.tolist(), len(costs)]
    pairs = zip(cuts[:-1], cuts[1:], strict=True)
    return [slice(start, stop) for start, stop in pairs if stop > start]


def _in_random_order(problems, groups, rng):
    """Yield ``(X, y, sample_weight)`` of labels that are not constant."""
    for k in rng.permutation(len(groups)).tolist():
        for _, read, y, weight in problems.of(groups[k]):
            if not is_constant(y, weight):
                yield counted_rows(read()[0], y, weight)


class _Progress:
    """Says how far a fit has come, where ``verbose`` asks for it."""

    def __init__(self, estimator, costs, parts):
        self._name = type(estimator).__name__
        self._verbose = estimator.verbose
        self._shares = np.cumsum([costs[part].sum() for part in parts])
        self._start = time.perf_counter()
        self._done = 0

    def step(self):
        self._done += 1
        if not self._verbose:
            return
        share = self._shares[self._done - 1] / self._shares[-1]
        passed = time.perf_counter() - self._start
        left = passed * (1 - share) / share
        print(
            f"[{self._name}] {share:4.0%} of the classifiers' work is done after "
            f"{passed:.0f} s, {left:.0f} s are left."
        )
