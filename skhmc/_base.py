"""The predictions that all network estimators share. Think twice before adding."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skhmc._batches import SliceDataset
from skhmc._input import check_X, format_proba, subset_accuracy

__all__ = ["BaseHMC"]


class BaseHMC(ClassifierMixin, BaseEstimator):
    """Predicts from what ``fit`` of a subclass sets.

    That is ``net_``, the skorch net; ``_form``, how its logits become scores;
    ``hierarchy_``, ``label_names_`` and ``classes_``.

    The documented shapes hold for a 2-D ``Y``. After a 1-D ``y``, predictions are most
    specific labels (n_samples,), and probabilities those of ``classes_``.
    """

    def _logits(self, X):
        check_is_fitted(self, "net_")
        self._validate_params()  # some may change after fit
        X = check_X(self, X, reset=False, allow_nd=self._many_dimensions)
        own = self._many_dimensions  # a user's encoder may write into its input
        return self.net_.logits(SliceDataset(X, dtype=self.net_.dtype, copy=own))

    @property
    def _many_dimensions(self):
        return getattr(self, "encoder", None) is not None

    def _scored_by(self):
        return self._form, self.coherence

    def _class_log_proba(self, logits):
        positions = [self.hierarchy_.position(label) for label in self.classes_]
        return self._form.class_log_proba(logits, positions)

    def predict(self, X):
        """Return predicted indicators (n_samples, n_labels), int.

        Coherent with ``hierarchy_`` unless ``coherence=None``.
        """
        logits = self._logits(X)
        if self.classes_.ndim == 1:
            return self.classes_[self._class_log_proba(logits).argmax(axis=1)]
        form, coherence = self._scored_by()
        return form.predict(logits, coherence, self.threshold)

    def predict_proba(self, X):
        """Return label probabilities (n_samples, n_labels).

        With ``proba_format="list"`` MultiOutputClassifier's list of (n_samples, 2).
        """
        logits = self._logits(X)
        if self.classes_.ndim == 1:
            return np.exp(self._class_log_proba(logits))
        form, coherence = self._scored_by()
        return format_proba(self, form.proba(logits, coherence))

    def decision_function(self, X):
        """Return coherent logits (n_samples, n_labels); positive: more likely than not.

        After a 1-D ``y`` the log-probabilities of ``classes_``; of two classes, the
        log-odds of the second, (n_samples,).
        """
        logits = self._logits(X)
        if self.classes_.ndim == 1:
            log_p = self._class_log_proba(logits)
            return log_p[:, 1] - log_p[:, 0] if log_p.shape[1] == 2 else log_p
        form, coherence = self._scored_by()
        return form.logits(logits, coherence)

    def raw_decision_function(self, X):
        """Return the logits (n_samples, n_labels) before the coherence step."""
        return self._form.logits(self._logits(X), None)

    def predict_raw(self, X):
        """Return indicators (n_samples, n_labels) as scored before the coherence step.

        Without ``threshold``, where labels form single paths: the most probable label
        of every level, by itself.
        """
        return self._form.predict(self._logits(X), None, self.threshold)

    def score(self, X, y, sample_weight=None):
        """Return the share of samples whose known labels are all predicted right."""
        return subset_accuracy(self, X, y, sample_weight)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.sparse = True
        tags.input_tags.three_d_array = self._many_dimensions
        return tags
