"""All predictions of an estimator that knows probabilities and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from skhmc._scoring.answers import Answer, AnswersMixin
from skhmc._scoring.outputs import (
    ALMOST_1,
    DEFAULT_THRESHOLD,
    TINY,
    Blocks,
    format_proba,
    log_odds,
)
from skhmc._scoring.subset_accuracy import subset_accuracy
from skhmc.coherence import RULES

__all__ = ["ProbaOutputsMixin"]


class ProbaOutputsMixin(AnswersMixin):
    """Mixin of predictions that follow from probabilities before coherence.

    The estimator has the parameters ``coherence``, ``proba_format`` and, perhaps,
    ``threshold``, the attributes ``hierarchy_`` and ``classes_``, and

    - ``_raw_proba_blocks(X)``: ``Blocks`` of the probabilities of labels before any
      coherence or, after a 1-D y, of classes, whose rows add up to 1.
    """

    coherence: str | None
    threshold: float | None = None
    _raw_proba_blocks: Callable[[Any], Blocks]
    _validate_params: Callable[[], None]

    def _labels_proba_blocks(self, X, coherence):
        """Return Blocks of probabilities of labels under a rule, or of classes."""
        check_is_fitted(self, "classes_")
        self._validate_params()  # some may change after fit
        blocks = self._raw_proba_blocks(X)
        return blocks.map(partial(self._made_coherent, coherence=coherence))

    def _made_coherent(self, proba, coherence):
        if coherence is None or self._one_class:
            return proba
        return RULES[coherence].apply(proba, self.hierarchy_)

    def _off_0_and_1(self, proba):
        """Keep coherent probabilities of labels off 0 and 1, as scikit-learn asks.

        Raw ones stay what they are.
        """
        if self._one_class or self.coherence is None:
            return proba
        return np.clip(proba, TINY, ALMOST_1)

    def _proba_blocks(self, X):
        return self._labels_proba_blocks(X, self.coherence).map(self._off_0_and_1)

    def _answer_blocks(self, X):
        labels = self._class_labels() if self._one_class else None

        def answer(proba):
            if labels is None:
                chosen = partial(self._above, proba)
                return Answer(chosen, partial(self._off_0_and_1, proba))
            codes = partial(proba.argmax, axis=1)
            return self._answer_of_classes(labels, codes, lambda: proba)

        return self._labels_proba_blocks(X, self.coherence).map(answer)

    def _above(self, proba):
        """Tell which labels are predicted."""
        threshold = self.threshold
        if threshold is None:
            threshold = DEFAULT_THRESHOLD
        return proba > threshold

    def _indicators(self, X, coherence):
        blocks = self._labels_proba_blocks(X, coherence)
        if self._one_class:
            codes = blocks.map(lambda proba: proba.argmax(axis=1)).array()
            return self.classes_[codes]
        return blocks.map(self._above).array(np.int64)

    def predict(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return predicted indicators (n_samples, n_labels), int.

        Predictions are coherent with ``hierarchy_``, unless ``coherence=None``. After a
        1-D y, returns the most probable class of every sample (n_samples,). With a
        ``threshold``, returns the deepest label above it on the way to this class.
        """
        self._check_ready()
        if self._stops:
            return self._predict_stops(X)
        return self._indicators(X, self.coherence)

    def predict_proba(self, X: Any) -> np.ndarray | list[np.ndarray]:
        """Return label probabilities (n_samples, n_labels).

        With ``proba_format="list"``, returns a list of arrays (n_samples, 2), as
        MultiOutputClassifier does. After a 1-D y, returns the probabilities of
        ``classes_``.
        """
        return format_proba(self, self._proba_blocks(X))

    def decision_function(self, X: Any) -> np.ndarray:
        """Return coherent log-odds (n_samples, n_labels); positive: likelier than not.

        After a 1-D y, returns the log-probabilities of ``classes_``. For two classes,
        returns the log-odds of the second one, (n_samples,).
        """
        blocks = self._labels_proba_blocks(X, self.coherence)
        return blocks.map(self._log_odds).array()

    def raw_decision_function(self, X: Any) -> np.ndarray:
        """Return the log-odds (n_samples, n_labels) before the coherence step.

        After a 1-D y there is no such step. The result is that of
        ``decision_function``.
        """
        return self._labels_proba_blocks(X, None).map(self._log_odds).array()

    def _log_odds(self, proba):
        return log_odds(proba, of_classes=self._one_class)

    def raw_predict_proba(self, X: Any) -> np.ndarray:
        """Return label probabilities (n_samples, n_labels) before the coherence step.

        After a 1-D y there is no such step. The result is that of ``predict_proba``.
        """
        return self._labels_proba_blocks(X, None).array()

    def predict_raw(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return indicators (n_samples, n_labels) before coherence, if there is any."""
        return self._indicators(X, None)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of samples whose known labels are all predicted right."""
        return subset_accuracy(self, X, y, sample_weight)
