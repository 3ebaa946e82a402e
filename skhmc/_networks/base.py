"""``fit``, ``partial_fit`` and the predictions that all network estimators share."""

from contextlib import contextmanager

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils.validation import check_is_fitted

from skhmc._data.targets import read_fit_input, set_labels
from skhmc._data.weights import balanced_weights, read_class_weight, warn_constant
from skhmc._data.X import check_X
from skhmc._networks.batches import SliceDataset
from skhmc._networks.parameters import PassThrough
from skhmc._networks.training import Parts, Problem, draw_seeds, train
from skhmc._scoring.label_form import ManyPaths, OneClass
from skhmc._scoring.outputs import Blocks, TopK, format_proba
from skhmc._scoring.subset_accuracy import subset_accuracy
from skhmc._utils.messages import name_list
from skhmc.hierarchy import Hierarchy
from skhmc.nn.ensemble import Ensemble, EnsembleCriterion

__all__ = ["BaseHMC", "NetworkHMC"]


class BaseHMC(TopK, ClassifierMixin, BaseEstimator):
    """Predicts from what ``fit`` of a subclass sets, block by block.

    That is ``net_``, the skorch net; ``_form``, how its logits become scores;
    ``hierarchy_``, ``label_names_`` and ``classes_``.

    The documented shapes hold for a 2-D ``Y``. After a 1-D ``y``, predictions are most
    specific labels (n_samples,), and probabilities those of ``classes_``.
    """

    def _blocks(self, X, change):
        check_is_fitted(self, "net_")
        self._validate_params()  # some may change after fit
        X = check_X(self, X, reset=False, allow_nd=self._many_dimensions)
        options = {"copy": self._many_dimensions}  # a user's encoder may write into X
        options["sparse"] = self.net_.module_.takes_sparse
        data = SliceDataset(X, dtype=self.net_.dtype, **options)
        return Blocks(self.net_.logits(data), len(data)).map(change)

    @property
    def _many_dimensions(self):
        return getattr(self, "encoder", None) is not None

    def _scored_by(self):
        return self._form, self.coherence

    def _scored(self):
        check_is_fitted(self, "net_")
        if self.classes_.ndim == 2:
            return self._scored_by()
        return OneClass(self._form, self.classes_), None

    def _indicators(self, X, form, coherence):
        sparse = self.sparse_output and self.classes_.ndim == 2
        how = coherence, self.threshold, sparse
        return self._blocks(X, lambda x: form.predict(x, *how)).indicators(sparse)

    def _proba_blocks(self, X):
        form, coherence = self._scored()
        return self._blocks(X, lambda logits: form.proba(logits, coherence))

    def predict(self, X):
        """Return predicted indicators (n_samples, n_labels), int, or a CSR matrix.

        Coherent with ``hierarchy_`` unless ``coherence=None``.
        """
        found = self._indicators(X, *self._scored())
        return self.classes_[found] if self.classes_.ndim == 1 else found

    def predict_proba(self, X):
        """Return label probabilities (n_samples, n_labels).

        With ``proba_format="list"`` MultiOutputClassifier's list of (n_samples, 2).
        """
        return format_proba(self, self._proba_blocks(X))

    def decision_function(self, X):
        """Return coherent logits (n_samples, n_labels); positive: more likely than not.

        After a 1-D ``y`` the log-probabilities of ``classes_``; of two classes, the
        log-odds of the second, (n_samples,).
        """
        form, kind = self._scored()
        return self._blocks(X, lambda logits: form.logits(logits, kind)).array()

    def raw_decision_function(self, X):
        """Return the logits (n_samples, n_labels) before the coherence step."""
        return self._blocks(X, lambda logits: self._form.logits(logits, None)).array()

    def predict_raw(self, X):
        """Return indicators (n_samples, n_labels) as scored before the coherence step.

        Of single paths, without ``threshold``: every level's most probable label.
        """
        check_is_fitted(self, "net_")
        return self._indicators(X, self._form, None)

    def score(self, X, y, sample_weight=None):
        """Return the share of samples whose known labels are all predicted right."""
        return subset_accuracy(self, X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = self._many_dimensions
        return tags


# shares of input, hidden layers and embedding that dropout="auto" means
DROPOUT = {"single": (0.1, 0.5, 0.2), "many": (0.2, 0.7, 0.5)}
WIDE_DROPOUT = 0.4  # of the input of "many", where features are more than samples
FEW_FEATURES = 10  # of fewer none can be spared


def _same_source(one, other):
    kinds = (Hierarchy, dict, list, tuple)  # of which == is one answer
    return one is other or (isinstance(one, kinds) and one == other)


def _side_by_side(parts):
    """Return the Parts of networks that are trained together, as one network."""
    own = set().union(*(part.own for part in parts))
    if len(own) < sum(len(part.own) for part in parts):
        raise ValueError(
            f"encoder returned the same module twice, but n_networks={len(parts)} "
            f"networks need one each. Let it make a new one in every call, or give "
            f"the module itself, which is copied."
        )
    groups = [
        (f"members.{number}.{pattern}", options)
        for number, part in enumerate(parts)
        for pattern, options in part.groups
    ]
    module = Ensemble([part.module for part in parts])
    criterion = EnsembleCriterion([part.criterion for part in parts])
    return Parts(module, criterion, own, groups)


class NetworkHMC(PassThrough, BaseHMC):
    """Fits what a subclass builds.

    A subclass has the parameters of ``NETWORK_CONSTRAINTS`` and defines

    - ``_choose_form(targets, partial)``, which returns how labels are scored, and
      ``_keep_form(form, targets)``, called instead when training goes on;
    - ``_build(problem)``, which returns the ``Parts`` of a network: a module and a
      criterion that have ``load_from(former)``.
    """

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Or (n_samples, ...) with an ``encoder``. Neither a CSR matrix nor what a
            ``numpy.memmap`` has in a file is held in memory as a dense whole.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, NaN for unknown; closed upward here, with a warning.
            Or lists of label names; or (n_samples,) most specific labels.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of samples, or of samples and labels (2-D Y only).

        Returns
        -------
        NetworkHMC
            The fitted estimator itself.
        """
        former = vars(self).get("net_") if self.warm_start else None
        known = None if former is None else "features"
        with self._as_it_was_on_error(former):
            data = read_fit_input(self, X, y, sample_weight, former=known)
            problem = self._describe(*data, former)
            train(self, self._build_networks(problem, former), problem, former)
            self._finish()
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one epoch on a part of the training data, at a constant learning rate.

        The first call decides which labels there are: the columns of ``y``, or the
        labels of ``hierarchy``. What "auto" then chooses fits any later part, so that
        label_loss="softmax" has to be asked for, unless y is 1-D. Later parts may have
        the columns of a DataFrame in another order. Labels that are scored by sigmoids
        and had no positive so far are predicted at their prior, without a warning.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            As in ``fit``.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            As in ``fit``.
        classes : array-like, default=None
            All classes of a 1-D y, or all names in label sets. Needed in the first
            call where there is no ``hierarchy``.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            As in ``fit``: scaled to a mean of 1 in every call.

        Returns
        -------
        NetworkHMC
            The estimator itself.
        """
        if self.early_stopping:
            raise ValueError(
                "partial_fit has no validation data, got early_stopping=True. Set "
                "early_stopping=False, and watch a score between the calls."
            )
        self._validate_params()  # scikit-learn does so in the first call only
        former = vars(self).get("net_")
        if former is not None and not _same_source(self.hierarchy, self._source):
            raise ValueError(
                "The parameter hierarchy was changed since the first call. Start anew "
                "with fit, or with a clone."
            )
        options = {"classes": classes, "partial": True}
        options["former"] = None if former is None else "labels"
        with self._as_it_was_on_error(former):
            data = read_fit_input(self, X, y, sample_weight, **options)
            problem = self._describe(*data, former, partial=True)
            parts = self._build_networks(problem, former)
            train(self, parts, problem, former, partial=True)
            self._finish()
        return self

    @contextmanager
    def _as_it_was_on_error(self, former):
        """Stay fitted when training goes on and fails; else have no old network."""
        if former is None:
            vars(self).pop("net_", None)
        before = dict(vars(self))
        try:
            yield
        except BaseException:
            if former is not None:
                vars(self).clear()
                vars(self).update(before)
            raise

    def _describe(self, X, targets, weight, former, partial=False):
        """Decide what "auto" leaves open; count the labels; return the Problem."""
        if former is None:
            form = self._choose_form(targets, partial)
        else:
            form = self._former_form(targets)
        self._check_coherence(form)
        wide = X.shape[1] > X.shape[0] and not partial  # of which X is all there is
        self._set_dropout(form, X.shape[1], wide)
        going_on, given = partial and former is not None, weight
        if targets.classes is not None:
            weight = self._weigh_classes(targets, weight, partial, going_on)
        positive, known, n_samples = self._count(form, targets, weight, going_on)
        fixed = (positive == 0) | (positive == known)
        if former is not None:  # what was learnt once is not forgotten
            fixed &= self._fixed
        self._form, self._fixed = form, fixed
        self._source = self.hierarchy
        set_labels(self, targets)
        if not partial:
            outside, priors = form.inverse[: len(self.label_names_)], self._has_priors
            parts = positive[outside], known[outside], fixed[outside]
            warn_constant(*parts, self.label_names_, priors)
        class_weight = self._class_weight(targets, positive, known)
        return Problem(
            X,
            targets.Y,
            weight,
            sample_weight=given,
            form=form,
            positive=positive,
            known=known,
            fixed=fixed,
            n_samples=n_samples,
            partial=partial,
            going_on=going_on,
            class_weight=class_weight,
            seeds=draw_seeds(self.random_state, former if partial else None),
            held_out=self.validation_fraction if self.early_stopping else None,
        )

    def _count(self, form, targets, weight, going_on):
        """Return how often labels are positive and known, and how many samples are."""
        counts = (*form.count(targets.Y, weight), targets.Y.shape[0])
        if going_on:
            pairs = zip(counts, self._counts, strict=True)
            counts = tuple(now + before for now, before in pairs)
        self._counts = counts
        return counts

    def _set_dropout(self, form, n_features, wide):
        many = isinstance(form, ManyPaths)
        shares = DROPOUT["many" if many else "single"]
        names = ("input_dropout", "dropout", "embedding_dropout")
        shares = dict(zip(names, shares, strict=True))
        if many and wide:
            shares["input_dropout"] = WIDE_DROPOUT
        if n_features < FEW_FEATURES:
            shares["input_dropout"] = 0.0
        params = vars(self)  # also those that a subclass does not name
        for name, share in shares.items():
            if name in params:
                given = params[name]
                setattr(self, f"{name}_", share if given == "auto" else given)

    def _build_networks(self, problem, former):
        """Return the Parts of a network, or of several whose logits are averaged."""
        n_networks = vars(self).get("n_networks", 1)
        if former is not None:
            before = len(getattr(former.module_, "members", [former.module_]))
            if n_networks != before:
                raise ValueError(
                    f"Training goes on with n_networks={before}, but got "
                    f"n_networks={n_networks}. Set it back, or start anew."
                )
        parts = [self._build(problem) for _ in range(n_networks)]
        return parts[0] if n_networks == 1 else _side_by_side(parts)

    def _check_coherence(self, form):
        form.check(self.coherence)

    def _finish(self):
        """Derive from the trained net what else is shown of it."""

    @property
    def _has_priors(self):
        return isinstance(self._form, ManyPaths)

    def _weigh_classes(self, targets, weight, partial, going_on):
        """Return sample weights times the class weights of a 1-D y."""
        codes, classes = targets.codes, targets.classes
        counts = np.bincount(codes, minlength=len(classes))
        self._class_counts = counts + (self._class_counts if going_on else 0)
        if self.class_weight is None:
            return weight
        if self.class_weight == "balanced":
            each = balanced_weights(self._class_counts, self.class_weight_cap)
        else:
            each = read_class_weight(self.class_weight, Hierarchy.flat(classes))
        weight = each[codes][:, None] * (1 if weight is None else weight)
        if not weight.any():
            raise ValueError("All samples have a weight of 0 by class_weight.")
        scale = 1 if partial else weight.mean()  # a part may be of one class alone
        return (weight / scale).astype(self.dtype)

    def _former_form(self, targets):
        """Return the form of the former fit, in the order of the new columns."""
        hierarchy, former = targets.hierarchy, self.hierarchy_
        classes = self.classes_ if self.classes_.ndim == 1 else None
        same = np.array_equal(classes, targets.classes)
        others = (
            "" if same else f"; its classes were {classes}, and are {targets.classes}"
        )
        gone = [x for x in former.labels if x not in hierarchy]
        new = [x for x in hierarchy.labels if x not in former]
        which = f"; only the former has {name_list(gone)}" if gone else ""
        which += f"; only the new one has {name_list(new)}" if new else ""
        if which or not (same and former.subset(hierarchy.labels) == hierarchy):
            raise ValueError(
                f"warm_start=True goes on with the labels, classes and hierarchy of "
                f"the former fit, {former}, but now there are others: {hierarchy}"
                f"{which}{others}. Use warm_start=False."
            )
        form = self._form.reordered(hierarchy)
        self._keep_form(form, targets)
        return form

    def _class_weight(self, targets, positive, known):
        """Return the weights of the zeros and the ones of every label, or None."""
        if self.class_weight is None or targets.classes is not None:
            return None
        if self.class_weight == "balanced":
            return self._form.balanced(positive, known, self.class_weight_cap)
        ones = read_class_weight(self.class_weight, self._form.outside)
        return np.ones(len(positive)), self._form.encode_class_weight(ones)
