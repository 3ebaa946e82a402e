"""``fit``, ``partial_fit`` and the predictions that all network estimators share."""

from __future__ import annotations

from functools import partial
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils import check_consistent_length
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from skhmc._data.flat_names import judge_flat
from skhmc._data.groups import read_groups
from skhmc._data.parent_counts import add_former_counts, parent_counts
from skhmc._data.targets import match_former, read_targets, require_y
from skhmc._data.weights import read_sample_weight, warn_constant
from skhmc._data.X import check_sample_shape, check_X
from skhmc._networks.batches import SliceDataset
from skhmc._networks.distributed import (
    agreeing,
    check_alike,
    current_shards,
    own_share,
)
from skhmc._networks.encoder import user_encoders
from skhmc._networks.fingerprint import identity
from skhmc._networks.grow import GrowingMixin
from skhmc._networks.growing import (
    changes,
    match_labels,
    refuse_changed_in_place,
    same_source,
)
from skhmc._networks.keeper import keeping
from skhmc._networks.memory import check_memory, raise_if_out_of_memory
from skhmc._networks.parameters import (
    ABSENT,
    PrefixedParams,
    check_encoder,
    check_values,
    resolve,
)
from skhmc._networks.skorch_net import resolve_device
from skhmc._networks.training import (
    FIT_ANYWHERE,
    Former,
    describe,
    n_weights,
    perceptron,
    seeds_of_first,
    side_by_side,
    train,
)
from skhmc._scoring.answers import Answer, AnswersMixin, check_can_stop
from skhmc._scoring.label_form import ManyPaths, OneClass
from skhmc._scoring.outputs import Blocks, format_proba
from skhmc._scoring.subset_accuracy import subset_accuracy
from skhmc.hierarchy import Hierarchy

__all__ = ["NetworkHMC"]

# parameters that predictions read, and that may change after fit
READ_BY_PREDICT = ("coherence", "threshold", "proba_format", "sparse_output")
# the values that all networks have by default, which need no check
UNCHANGED = tuple(zip(READ_BY_PREDICT, ("auto", None, "array", False), strict=True))


class NetworkHMC(
    GrowingMixin, PrefixedParams, AnswersMixin, ClassifierMixin, BaseEstimator
):
    """Fits what a subclass builds, and predicts from it block by block.

    A subclass has the parameters of ``NETWORK_CONSTRAINTS`` and defines

    - ``_dropped``: what the elements of its parameter ``dropout`` stand for;
    - ``_build(problem, settings, encoder)``: the ``Parts`` of a network, a module and a
      criterion that have ``load_from``;
    - ``_fitted(settings)``, and what ``GrowingMixin`` names: fitted attributes of its
      own, if any.

    The documented shapes hold for a 2-D ``Y``. After a 1-D ``y``, predictions are most
    specific labels (n_samples,), and probabilities those of ``classes_``.
    """

    _learns_hierarchy = False  # from labels that need none

    # -- fit ---------------------------------------------------------------------------

    # whoever hands groups to a search means them for what early stopping holds out, too
    __metadata_request__fit = {"groups": True}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Training samples; of shape (n_samples, ...) with an ``encoder``. A CSR
            matrix is never made dense all at once. A ``numpy.memmap`` is never read
            into memory all at once.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, and NaN for unknown. Missing ancestors are added, with a
            warning. Or lists of label names; or one column of names per level, the root
            first; or most specific labels (n_samples,).
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of samples, or of samples and labels (2-D Y only).
        groups : array-like of shape (n_samples,), default=None
            Group of every sample, such as its patient. Equal values are one group.
            ``early_stopping`` then holds out whole groups. Without it, groups have no
            effect. With metadata routing they are requested by default.

        Returns
        -------
        self
            The fitted estimator itself.
        """
        resolve_device(self.device)  # raises before anything is forgotten
        former = self._former if self.warm_start and self._is_fitted else None
        if former is None:
            self._forget()
        with agreeing(current_shards()):
            require_y(self, y)
            X = self._check_X(X, reset=former is None, share=own_share())
            targets = read_targets(y, self.hierarchy)
            check_consistent_length(X, targets.Y)
            weight = read_sample_weight(sample_weight, y, targets, self._dtype)
            if groups is not None:
                groups = read_groups(groups, targets.Y.shape[0])
            if former is not None:
                targets = self._follow(targets, former)
        return self._learn(X, targets, weight, former, groups=groups)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> Self:
        """Train one epoch on a part of the training data, at a constant learning rate.

        The first call decides the labels: the columns of ``y``, or the labels of
        ``hierarchy``. "auto" then chooses values that work for any later part. So you
        must set label_loss="softmax" yourself, unless y is 1-D. Later parts may have
        the columns of a DataFrame in another order. Columns without names stand in the
        order of a ``Hierarchy``, else in that of ``label_names_``. A label with a
        sigmoid and no positive so far has its prior as its probability, without a
        warning.

        Parameters
        ----------
        X : array-like or CSR matrix of shape (n_samples, n_features)
            Samples of this part; of shape (n_samples, ...) with an ``encoder``.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels)
            Indicators 0 and 1, and NaN for unknown. Missing ancestors are added, with a
            warning. Or lists of label names; or one column of names per level, the root
            first; or most specific labels (n_samples,).
        classes : array-like, default=None
            All classes of a 1-D y, or all names in label sets. They are needed in the
            first call if there is no ``hierarchy``.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of samples, or of samples and labels (2-D Y only). Every call scales
            them to a mean of 1.

        Returns
        -------
        self
            The estimator itself.
        """
        if self.early_stopping:
            raise ValueError(
                "partial_fit has no validation data, got "
                f"early_stopping={self.early_stopping!r}. Set "
                "early_stopping=False, and watch a score between the calls."
            )
        if self.checkpoint is not None:
            raise ValueError(
                f"partial_fit writes no checkpoints, got "
                f"checkpoint={self.checkpoint!r}. Set checkpoint=None, and save the "
                f"estimator between the calls."
            )
        self._validate_params()  # scikit-learn does so in the first call only
        resolve_device(self.device)
        former = self._former if self._is_fitted else None
        if former is None:
            self._forget()
        with agreeing(current_shards()):
            read = self._read_part(X, y, classes, sample_weight, former)
            X, targets, weight = read
        return self._learn(X, targets, weight, former, partial=True)

    def _read_part(self, X, y, classes, sample_weight, former):
        """Return the checked X, the Targets and the weights of a part of the data."""
        require_y(self, y)
        X = self._check_X(X, reset=former is None, share=own_share())
        before = former.hierarchy if former else None
        as_before = former is not None and same_source(self.hierarchy, before)
        if as_before:
            # the order of columns without names is that of a Hierarchy, as in fit
            ordered = isinstance(self.hierarchy, Hierarchy)
            source = self.hierarchy if ordered else self.hierarchy_
            try:
                targets = read_targets(y, source, classes=classes)
            except ValueError:
                refuse_changed_in_place(self.hierarchy, self.hierarchy_)
                raise
        else:
            targets = read_targets(y, self.hierarchy, classes=classes, partial=True)
        check_consistent_length(X, targets.Y)
        weight = read_sample_weight(sample_weight, y, targets, self._dtype)
        if former is not None:
            all_named = classes is None and not as_before
            if as_before or not changes(targets.hierarchy, self.hierarchy_):
                labels = self.hierarchy_, self.classes_
                targets, weight = match_former(targets, weight, *labels, all_named)
            else:
                targets = self._grown_targets(targets, all_named)
        return X, targets, weight

    def _check_X(self, X, reset, share=(0, 1)):
        """Return X as the network takes it; a new fit may have samples of any shape."""
        many = self._many_dimensions
        options = {"dtype": self._dtype, "reset": reset, "allow_nd": many}
        X = check_X(self, X, **options, share=share)
        if not reset:
            name = type(self).__name__
            check_sample_shape(name, X.shape[1:], self._sample_shape)
        return X

    def _learn(self, X, targets, weight, former, partial=False, groups=None):
        """Plan, train, keep: from checked data to a fitted estimator.

        Nothing of the estimator is written before the network is trained, so that what
        was fitted stays fitted if training that goes on fails.
        """
        if former is None and self.hierarchy is None and not self._learns_hierarchy:
            judge_flat(targets.hierarchy)
        if targets.classes is not None:
            check_can_stop(self.threshold, targets.hierarchy)
        given = X, targets, weight, groups
        shards = current_shards()
        try:
            with self._keeping(*given, former) as keeper:
                seeds = None if keeper is None else keeper.seeds
                if seeds is None and self.random_state is None:
                    seeds = seeds_of_first(shards)
                with agreeing(shards):
                    plan = self._plan(*given, former, partial, seeds)
                settings, problem, parts = plan
                trained = train(parts, problem, settings, keeper, shards)
        except (MemoryError, RuntimeError) as error:
            raise_if_out_of_memory(error, self._params)
            raise
        counts = self._count_labels(targets, partial)
        self._set_fitted(trained, targets, settings, problem, parts, counts)
        if trained.interruption is not None:
            # nobody goes on with half-trained weights who was not told: neither the
            # program, nor a search that would score them
            raise trained.interruption
        return self

    def _keeping(self, X, targets, weight, groups, former):
        """Return the context of a fit, in which it has the Keeper of its checkpoint.

        Processes that share the fit first make sure that it is the same one.
        """
        shards = current_shards()
        device = resolve_device(self.device)
        found = None
        if shards is not None or self.checkpoint is not None:
            with agreeing(shards):
                given = X, targets, weight, groups, former
                found = identity(self._params, device, *given, self._asking())
            check_alike(shards, found, self.checkpoint)
        return keeping(self.checkpoint, type(self).__name__, device, found, shards)

    def _asking(self):
        """Return what tells fits from one another, and how to do without it."""
        if self.checkpoint is None:
            return "skhmc.distributed()", "fit outside of it"
        return f"checkpoint={self.checkpoint!r}", "set checkpoint=None"

    def _plan(
        self, X, targets, weight, groups=None, former=None, partial=False, seeds=None
    ):
        """Return the Settings, the Problem and the Parts of the network to train."""
        params = self._params
        device = resolve_device(self.device)
        check_encoder(params, former)
        encoders = []
        if self.encoder is not None:  # made first: their width decides what fits
            encoders = user_encoders(params, X, device)
        settings = resolve(
            params,
            targets,
            X,
            dropped=self._dropped,
            n_encoded=encoders[0].width if encoders else None,
            device=device,
            former=former,
            partial=partial,
            title=type(self).__name__,
        )
        self._check_coherence(settings.form)
        if former is not None:
            former = match_labels(former, settings.form, targets.classes)
            if former.places is not None:
                self._check_can_grow(targets.hierarchy)
        n_inputs = encoders[0].width if encoders else X.shape[1]
        sizes = n_inputs, X.shape[1], targets.hierarchy.n_labels
        n = n_weights(*sizes, params, settings)
        if n * params["n_estimators"] > FIT_ANYWHERE:
            check_memory(n, params, device)
        given = X, targets, weight, groups
        problem = describe(*given, settings, former, partial, seeds)
        if not partial:
            _warn_constant(problem, targets.hierarchy)
        if not encoders:
            n_networks = params["n_estimators"]
            encoders = [perceptron(X.shape[1], settings) for _ in range(n_networks)]
        networks = [self._build(problem, settings, encoder) for encoder in encoders]
        return settings, problem, side_by_side(networks)

    def _count_labels(self, targets, goes_on):
        """Return ``label_counts_``, with those of the parts before where it goes on."""
        counts = parent_counts(targets.Y, targets.hierarchy)
        former = getattr(self, "label_counts_", None)
        if not goes_on or former is None:
            return counts
        names = targets.hierarchy.labels
        return add_former_counts(counts, names, former, self.label_names_)

    def _set_fitted(self, trained, targets, settings, problem, parts, counts):
        """Set every fitted attribute: here, and nowhere else."""
        former = Former(
            net=trained.net,
            form=settings.form,
            label_loss=settings.label_loss,
            leaf_prediction=settings.leaf_prediction,
            normalize_features=settings.normalize_features,
            linear_head=settings.linear_head,
            counts=problem.counts,
            classes=targets.classes,
            class_counts=problem.class_counts,
            fixed=problem.fixed,
            waiting=problem.waiting,
            hierarchy=self.hierarchy,
            extra=parts.extra,
        )
        fitted = {
            "_former": former,
            "_form": settings.form,
            "net_": trained.net,
            "history_": trained.history,
            "n_iter_": len(trained.history),
            "_sample_shape": problem.X.shape[1:],
            "hierarchy_": targets.hierarchy,
            "label_names_": targets.label_names,
            "label_counts_": counts,
            "classes_": targets.output_classes,
            "dropout_": settings.dropout,
            "n_sampled_labels_": settings.n_sampled_labels,
            "linear_path_": settings.linear_path,
        }
        fitted |= self._fitted(settings)
        fitted |= self._learnt_of_labels(former, settings.form)
        return self._set(fitted)

    def _set(self, fitted):
        """Set attributes, and return the estimator.

        All at once: Ctrl-C in between would leave some of a former fit.
        """
        vars(self).update(fitted)
        return self

    def _fitted(self, settings):
        """Return values of parameters that are fitted attributes beside common ones."""
        return {}

    def _learnt_of_labels(self, former, form):
        """Return fitted attributes about the labels of a form, if there are any."""
        return {}

    @property
    def _params(self):
        """Every parameter by name, also those that only other networks have.

        Numbers of numpy, as searches have them, are plain: torch asks for such.
        """
        params = ABSENT | self._all_params()
        return {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in params.items()
        }

    @property
    def _dtype(self):
        """Of X and of weights, as the network has it."""
        return np.dtype("float64" if self.precision == "float64" else "float32")

    @property
    def _is_fitted(self):
        return "net_" in vars(self)

    def _forget(self):
        """Be unfitted, should the fit that begins fail."""
        for name in ("net_", "_former", "label_counts_"):
            if name in vars(self):
                delattr(self, name)

    def _check_coherence(self, form):
        """Raise when labels in this form cannot have the coherence asked for."""
        form.rule(self.coherence)

    # -- predictions -------------------------------------------------------------------

    @property
    def coherence_(self) -> str | None:
        """How probabilities become coherent, where "auto" is decided."""
        check_is_fitted(self, "net_")
        return self._form.default_rule if self.coherence == "auto" else self.coherence

    def _validate_params(self):
        """Check parameters one by one, and the parts of those that have several."""
        super()._validate_params()
        check_values(self._params, self._dropped)

    def _check_ready(self):
        if "net_" not in vars(self):
            check_is_fitted(self, "net_")
        if all(_is_same(getattr(self, name), value) for name, value in UNCHANGED):
            return
        # those that training read have no effect any more, and looking at all of them
        # takes as long as a small network does
        validate_parameter_constraints(
            {name: self._parameter_constraints[name] for name in READ_BY_PREDICT},
            {name: getattr(self, name) for name in READ_BY_PREDICT},
            caller_name=type(self).__name__,
        )

    def _blocks(self, X, change, follow=None):
        """Return what a function makes of the net's logits, block by block.

        Or of what ``follow`` makes of them on the net's device.
        """
        X = self._check_X(X, reset=False)
        if follow is None and type(X) is np.ndarray and not self._many_dimensions:
            logits = self.net_.logits_at_once(X)
            if logits is not None:
                return Blocks([logits], len(X)).map(change)
        data = SliceDataset(
            X,
            dtype=self.net_.dtype,
            copy=self._many_dimensions,  # a user's encoder may write into X
            sparse=self.net_.module_.takes_sparse,
        )
        return Blocks(self.net_.logits(data, follow), len(data)).map(change)

    @property
    def _many_dimensions(self):
        return getattr(self, "encoder", None) is not None

    def _scored_by(self):
        """Return how labels are scored, and the rule that makes scores coherent."""
        return self._form, self._form.rule(self.coherence)

    def _scored(self):
        self._check_ready()
        if self.classes_.ndim == 2:
            return self._scored_by()
        return OneClass(self._form, self.classes_), None

    def _indicators(self, X, form, rule):
        sparse = self.sparse_output and self.classes_.ndim == 2
        how = rule, self.threshold, sparse
        return self._blocks(X, lambda x: form.predict(x, *how)).indicators(sparse)

    def _follow_on_device(self):
        """Return what makes probabilities of logits on the net's device, or None."""
        if self.net_.is_on_cpu:  # arrays are faster there
            return None
        form, rule = self._scored_by()
        if self._one_class:
            return self.net_.follow_on_device(form, None, self.classes_)
        return self.net_.follow_on_device(form, rule, None)

    def _proba_blocks(self, X):
        form, rule = self._scored()
        follow = self._follow_on_device()
        if follow is not None:
            return self._blocks(X, lambda proba: proba, follow)
        return self._blocks(X, lambda logits: form.proba(logits, rule))

    def _answer_blocks(self, X):
        form, rule = self._scored()
        labels = self._class_labels() if self._one_class else None
        options = {"threshold": self.threshold, "sparse": True}

        def answer(logits):
            proba = partial(form.proba, logits, rule)
            if labels is None:
                return Answer(partial(form.predict, logits, rule, **options), proba)
            return self._answer_of_classes(labels, partial(form.predict, logits), proba)

        return self._blocks(X, answer)

    def predict(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return predicted indicators (n_samples, n_labels), int, or a CSR matrix.

        Predictions are coherent with ``hierarchy_``, unless ``coherence=None``. After a
        1-D y, returns the most probable class of every sample (n_samples,). With a
        ``threshold``, returns the deepest label above it on the way to this class.
        """
        self._check_ready()
        if self._stops:
            return self._predict_stops(X)
        found = self._indicators(X, *self._scored())
        return self.classes_[found] if self.classes_.ndim == 1 else found

    def predict_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Return label probabilities (n_samples, n_labels).

        With ``proba_format="list"``, returns a list of arrays (n_samples, 2), as
        MultiOutputClassifier does.
        """
        return format_proba(self, self._proba_blocks(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """Return coherent logits (n_samples, n_labels); 0 is a probability of 0.5.

        After a 1-D ``y``, returns the log-probabilities of ``classes_``. For two
        classes, returns the log-odds of the second one, (n_samples,).
        """
        form, rule = self._scored()
        return self._blocks(X, lambda logits: form.logits(logits, rule)).array()

    def raw_decision_function(self, X: Any) -> np.ndarray:
        """Return the logits (n_samples, n_labels) before the coherence step."""
        self._check_ready()
        return self._blocks(X, lambda logits: self._form.logits(logits, None)).array()

    def predict_raw(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return the indicators (n_samples, n_labels) before the coherence step.

        For single paths without a ``threshold``, returns the most probable label of
        every level.
        """
        self._check_ready()
        return self._indicators(X, self._form, None)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of samples whose known labels are all predicted right."""
        return subset_accuracy(self, X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = self._many_dimensions
        return tags


def _is_same(value, other):
    """Tell whether a value, which may be anything, is the same as a plain one."""
    return type(value) is type(other) and value == other


def _warn_constant(problem, hierarchy):
    """Warn once of labels of Y that training can say nothing about."""
    form = problem.form
    columns = form.inverse[: hierarchy.n_labels]  # from Y's order to the network's
    priors = isinstance(form, ManyPaths)
    positive, known, _ = problem.counts
    parts = positive[columns], known[columns], problem.fixed[columns]
    warn_constant(*parts, hierarchy.labels, priors)
