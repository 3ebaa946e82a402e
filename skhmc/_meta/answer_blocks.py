"""Outputs of estimators that make the probabilities of another one coherent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from skhmc._scoring.answers import Answer, AnswersMixin
from skhmc._scoring.outputs import (
    ALMOST_1,
    DEFAULT_THRESHOLD,
    TINY,
    Blocks,
    format_proba,
    log_odds,
)

__all__ = ["CoherentAnswersMixin"]


class CoherentAnswersMixin(AnswersMixin):
    """Mixin of all outputs that follow from probabilities, but for ``predict``.

    The estimator has the parameters ``coherence`` and ``proba_format``, and
    ``_proba(X, coherence)``: the probabilities of labels under a rule, or None; after a
    1-D y those of classes.
    """

    coherence: str | None
    proba_format: str
    _proba: Callable[[Any, str | None], np.ndarray]

    def _off_0_and_1(self, proba):
        """Keep coherent probabilities of labels off 0 and 1, as scikit-learn asks.

        Raw ones stay what the estimator says.
        """
        if self._one_class or self.coherence is None:
            return proba
        return np.clip(proba, TINY, ALMOST_1)

    def _above(self, proba):
        """Tell which labels are predicted."""
        return proba > DEFAULT_THRESHOLD

    def _proba_blocks(self, X):
        proba = self._off_0_and_1(self._proba(X, self.coherence))
        return Blocks([proba], len(proba))

    def _answer_blocks(self, X):
        proba = self._proba(X, self.coherence)
        if self._one_class:
            codes = partial(proba.argmax, axis=1)
            labels = self._class_labels()
            answer = self._answer_of_classes(labels, codes, lambda: proba)
        else:
            chosen = partial(self._above, proba)
            answer = Answer(chosen, partial(self._off_0_and_1, proba))
        return Blocks([answer], len(proba))

    def _indicators(self, X, coherence):
        proba = self._proba(X, coherence)
        if self._one_class:
            return self.classes_[proba.argmax(axis=1)]
        return self._above(proba).astype(np.int64)

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
        return self._log_odds(self._proba(X, self.coherence))

    def raw_decision_function(self, X: Any) -> np.ndarray:
        """Return the log-odds (n_samples, n_labels) before the coherence step.

        After a 1-D y there is no such step. The result is that of
        ``decision_function``.
        """
        return self._log_odds(self._proba(X, None))

    def _log_odds(self, proba):
        return log_odds(proba, of_classes=self._one_class)

    def raw_predict_proba(self, X: Any) -> np.ndarray:
        """Return label probabilities (n_samples, n_labels) before the coherence step.

        After a 1-D y there is no such step. The result is that of ``predict_proba``.
        """
        return self._proba(X, None)

    def predict_raw(self, X: Any) -> np.ndarray | sp.csr_matrix:
        """Return indicators (n_samples, n_labels) before coherence, if there is any."""
        return self._indicators(X, None)
