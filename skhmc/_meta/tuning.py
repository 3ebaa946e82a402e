"""Thresholds found on samples that the estimator has not seen: tuned, or promised."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from skhmc._meta.delegation import metric_options
from skhmc._meta.f1_thresholds import (
    apply_thresholds,
    at_most,
    constrain,
    exact_match_threshold,
    f1_thresholds,
    group_labels,
    search_one,
    search_thresholds,
)
from skhmc._meta.fits import Fits
from skhmc._meta.label_sets import LabelSets
from skhmc._meta.out_of_fold import count_once
from skhmc._meta.promises import promised_thresholds
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import warn_user
from skhmc.hierarchy import Hierarchy
from skhmc.metrics import METRICS, metric_names

__all__ = ["CLOSINGS", "GOALS", "TOP_DOWN", "Tuned", "Tuner", "Unseen"]


GOALS = {name: METRICS[name] for name in metric_names("tuning")}
CLOSINGS = ("up", "down")
TOP_DOWN = "top_down"  # a strategy, and its way to close
DEPENDENCES = (0.5, 0.25, 0.75, 0.0, 1.0)  # that are tried, the default first


@dataclass
class Tuned:
    """Thresholds of all labels, how predictions are closed, and the score reached.

    Or the label sets that may be predicted, and what their dependence counts.
    """

    thresholds: np.ndarray | None = None
    closing: str | None = None
    score: float | None = None
    per_fold: np.ndarray | None = None
    sets: LabelSets | None = None
    dependence: float | None = None

    @classmethod
    def of_sets(cls, sets, dependence, score=None):
        """Return what predicts label sets, which have no thresholds."""
        none = np.full(sets.hierarchy.n_labels, np.nan)
        return cls(none, CLOSINGS[0], score, sets=sets, dependence=dependence)


@dataclass
class Unseen:
    """Probabilities of samples that the estimator has not seen, and their labels."""

    proba: np.ndarray  # (n_samples, n_labels)
    Y: np.ndarray  # (n_samples, n_labels): 0, 1 or NaN
    hierarchy: Hierarchy
    weight: np.ndarray | None  # (n_samples,), not scaled
    samples: np.ndarray  # (n_samples,), int: those of repeated folds more than once
    units: np.ndarray  # (n_samples,), int: equal ones depend on each other
    sizes: list[int]  # of the folds that they come from, in turn

    def rows(self, rows):
        """Return some of the samples."""
        return replace(
            self,
            proba=self.proba[rows],
            Y=self.Y[rows],
            weight=None if self.weight is None else self.weight[rows],
            samples=self.samples[rows],
            units=self.units[rows],
        )

    @property
    def counts(self):
        """What every row counts, None for 1: its weight, or a part of it."""
        return count_once(self.samples, self.weight)

    def folds(self):
        """Yield the samples of every fold."""
        stop = np.cumsum(self.sizes)
        for first, last in zip(stop - self.sizes, stop, strict=True):
            yield self.rows(slice(first, last))


@dataclass
class Tuner:
    """Finds thresholds, as HierarchicalThresholdClassifier describes its parameters."""

    strategy: str
    metric: str | Callable
    shrinkage: float
    max_labels: int | None
    fits: Fits  # shows how far the search has come

    def tune(self, unseen):
        """Return the best thresholds, closing label sets in the better way."""
        # without an edge both ways to close are the same
        closings = CLOSINGS if len(unseen.hierarchy.edges) else CLOSINGS[:1]
        if self.strategy == TOP_DOWN:
            closings = (TOP_DOWN,)
        n_folds = len(unseen.sizes)
        n_searches = len(closings) + (n_folds if n_folds > 1 else 0)
        found = []
        with self.fits.bar("searches of thresholds", n_searches) as step:
            for closing in closings:
                found.append(self._tune_closing(closing, unseen))
                step()
            best = max(found, key=lambda tuned: tuned.score)  # of equal ones the first
            if n_folds == 1:
                best.per_fold = best.thresholds[None, :]
            else:
                best.per_fold = self._tune_folds(best.closing, unseen, step)
        return best

    def _tune_folds(self, closing, unseen, step):
        """Return the thresholds (n_folds, n_labels) that are best in every fold alone.

        NaN where a metric has no value there.
        """
        n_labels = unseen.hierarchy.n_labels
        found = np.full((len(unseen.sizes), n_labels), np.nan)
        for fold, part in enumerate(unseen.folds()):
            with warnings.catch_warnings(), contextlib.suppress(ValueError):
                warnings.simplefilter("ignore")  # of labels that the fold does not have
                found[fold] = self._tune_closing(closing, part).thresholds
            step()
        return found

    def _tune_closing(self, closing, unseen):
        """Return the best thresholds where label sets are closed in one way."""
        hierarchy = unseen.hierarchy
        Y = unseen.Y
        scores = constrain(unseen.proba, hierarchy, closing)

        def measure(thresholds):
            return self._measure(scores, thresholds, closing, unseen)

        if closing == TOP_DOWN:
            thresholds = search_one(measure, hierarchy.n_labels)
            return Tuned(thresholds, closing, measure(thresholds))
        options = {"strategy": self.strategy, "shrinkage": self.shrinkage}
        average = None
        if not callable(self.metric):
            average = GOALS[self.metric].f1_average
        if callable(self.metric):  # which knows of no weights
            options["weight"] = count_once(unseen.samples)
        else:
            options["weight"] = unseen.counts
        if not callable(self.metric) and GOALS[self.metric].whole_sets:
            options["start"] = exact_match_threshold(scores, Y, unseen.counts)
        if average is None:
            thresholds = search_thresholds(measure, scores, Y, hierarchy, **options)
        else:  # of F1 the best thresholds are found exactly
            options["average"] = average
            thresholds = f1_thresholds(scores, Y, hierarchy, **options)
        return Tuned(thresholds, closing, measure(thresholds))

    def weigh_dependence(self, unseen, sets, own):
        """Return how much the dependence of labels in known sets should count.

        Parameters
        ----------
        unseen : Unseen
            Samples.
        sets : LabelSets
            What may be predicted.
        own : csr_matrix of shape (n_samples, n_sets)
            What every sample, and those that depend on it, added to the weight of sets:
            it is left out, or each would find its own set there.

        Returns
        -------
        Tuned
        """
        closing = CLOSINGS[0]
        scores = constrain(unseen.proba, unseen.hierarchy, closing)
        score = {}
        with self.fits.bar("values of dependence", len(DEPENDENCES)) as step:
            for dependence in DEPENDENCES:
                options = {"max_labels": self.max_labels, "own": own}
                numbers = sets.most_probable(scores, dependence, **options)
                score[dependence] = self._judge(sets.indicators(numbers), unseen)
                step()
        best = max(score, key=score.get)  # of equal ones the first
        return Tuned.of_sets(sets, best, score[best])

    def keep(self, promise, unseen):
        """Return thresholds that keep a promise, for label sets closed upward."""
        closing = CLOSINGS[0]
        hierarchy = unseen.hierarchy
        scores = constrain(unseen.proba, hierarchy, closing)
        counted = unseen
        if unseen.weight is not None:
            counted = unseen.rows(np.flatnonzero(unseen.weight > 0))
        known = constrain(counted.proba, hierarchy, closing)

        def predict(threshold):
            return at_most(known > threshold, known, self.max_labels, hierarchy)

        codes = group_labels(hierarchy, self.strategy)
        given = predict, counted.Y, codes, hierarchy, promise, counted.units
        found, kept = promised_thresholds(*given)
        thresholds = found[codes]
        self._warn_of_broken(promise, kept[codes], thresholds, hierarchy)
        score = self._measure(scores, thresholds, closing, unseen)
        return Tuned(thresholds, closing, score)

    def _warn_of_broken(self, promise, kept, thresholds, hierarchy):
        """Warn of labels of which too little is known to promise anything."""
        if kept.all():
            return
        done = "never" if promise.goal == "precision" else "always"
        broken = [hierarchy.labels[k] for k in np.flatnonzero(~kept)]
        # those that have a threshold are lowered to that of labels below them
        lowered = np.flatnonzero(kept & (thresholds < 0))
        too = ""
        if len(lowered):
            names = name_list(hierarchy.labels[k] for k in lowered)
            too = f", and for their sake so are {names}"
        warn_user(
            f"No threshold has a {promise.goal} of {promise.at_least} with a "
            f"confidence of {promise.confidence} for {len(broken)} of {len(kept)} "
            f"labels ({name_list(broken)}): they are {done} predicted{too}. More "
            f"samples, a lower min_{promise.goal} or confidence, or a coarser strategy "
            f"than {self.strategy!r} may help."
        )

    # -- judging -----------------------------------------------------------------------

    def label_sets(self, scores, thresholds, hierarchy, closing):
        """Return coherent label sets, of ``max_labels`` at most."""
        above = apply_thresholds(scores, thresholds, hierarchy, closing)
        return at_most(above, scores, self.max_labels, hierarchy)

    def _measure(self, scores, thresholds, closing, unseen):
        """Return the metric of the label sets that thresholds give."""
        found = self.label_sets(scores, thresholds, unseen.hierarchy, closing)
        return self._judge(found, unseen)

    def _judge(self, predicted, unseen):
        """Return the metric of label sets."""
        hierarchy = unseen.hierarchy
        Y = unseen.Y
        predicted = predicted.astype(int)
        if not callable(self.metric):
            goal = GOALS[self.metric]
            return goal.measure(Y, predicted, hierarchy, unseen.counts)
        value = self.metric(Y, predicted, **metric_options(self.metric, hierarchy))
        if not isinstance(value, Real) or not np.isfinite(value):
            raise ValueError(
                f"Expected metric(Y_true, Y_pred) to return a finite number, got "
                f"{value!r}. Such a value as zero_division=0 helps where labels or "
                f"samples have nothing to score."
            )
        return float(value)
