"""The predictions that all network estimators share. Think twice before adding."""

from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from skhmc._batches import SliceDataset
from skhmc._input import check_X, subset_accuracy
from skhmc._label_form import OneClass
from skhmc._outputs import Blocks, TopK, format_proba

__all__ = ["BaseHMC"]


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
