"""``grow``, and what ``fit`` and ``partial_fit`` do where labels are new."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils.validation import check_is_fitted

from skhmc._data.targets import Targets, add_classes, check_same_shape, read_targets
from skhmc._data.weights import read_sample_weight
from skhmc._networks.growing import (
    build_after,
    find_starts,
    match_labels,
    new_labels,
    refuse_changed_in_place,
    same_source,
    what_else_changed,
)
from skhmc._networks.parameters import class_weight_of, label_form
from skhmc._networks.skorch_net import Net
from skhmc._networks.training import Former, LabelCounts, weight_of_labels
from skhmc._scoring.grown import Grown
from skhmc._utils.kinds import repeatable
from skhmc._utils.messages import name_list
from skhmc.hierarchy import Hierarchy

__all__ = ["GrowingMixin"]

_KEEP = (
    "Labels may come in, with parents of any kind, but none may go, or change its "
    "parents, from which it was learnt. Keep what there was: a label that is no longer "
    "used has no positives."
)


class GrowingMixin(BaseEstimator):
    """Mixin of networks that take new labels in.

    The network defines, if there is anything to say,

    - ``_learnt_of_labels(former, form)``: its fitted attributes about labels;
    - ``_check_can_grow(hierarchy)``, which raises where it cannot take new labels in.
    """

    hierarchy_: Hierarchy
    classes_: np.ndarray
    net_: Net
    _former: Former
    _params: dict
    _dtype: np.dtype
    _one_class: bool

    @_fit_context(prefer_skip_nested_validation=True)
    def grow(self, hierarchy: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Take new labels in, without training.

        What is predicted of the labels so far stays as it is, bit for bit. A new label
        is predicted from its parent: it is less probable by as much as it is rarer in
        ``y``. A new root has its frequency in ``y``. Without a positive in ``y``, or
        without ``y``, a new label is hardly ever predicted. Where one path is chosen,
        or one class after a 1-D y, that is never a new one. Training goes on with all
        labels, by ``partial_fit``, or by ``fit`` with ``warm_start=True``. Both also
        take new labels in themselves, when the parameter ``hierarchy`` has them.

        Parameters
        ----------
        hierarchy : hierarchy-like
            Hierarchy of all labels, in any form of the parameter ``hierarchy``, whose
            value it becomes. The labels so far have the parents that they had. New ones
            are roots, or stand below any labels, old or new.
        y : array-like, CSR matrix or DataFrame of shape (n_samples, n_labels), \
                default=None
            Labels, old and new, in any form that ``fit`` takes, from which it is
            counted how often the new ones occur. Their order is that of all outputs.
            None: outputs are in the order of a ``Hierarchy``; with other sources, new
            labels are behind the others.
        sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), \
                default=None
            Weights of the rows of ``y``.

        Returns
        -------
        self
            The estimator itself.

        Raises
        ------
        ValueError
            If a label is not in the hierarchy any more, or has other parents there. Or
            if the network cannot take the new ones in, such as labels with several
            parents where labels are single paths.

        Examples
        --------
        >>> from skhmc import Hierarchy, MaxConstraintClassifier
        >>> X, Y = [[0.0], [1.0], [2.0]], [[1, 0], [1, 1], [0, 0]]
        >>> animals = Hierarchy.from_edges([("mammal", "cat")])
        >>> clf = MaxConstraintClassifier(animals, max_iter=1).fit(X, Y)
        >>> more = Hierarchy.from_edges([("mammal", "cat"), ("mammal", "dog")])
        >>> clf.grow(more).label_names_
        array(['mammal', 'cat', 'dog'], dtype=object)
        """
        check_is_fitted(self, "net_")
        former = self._former
        hierarchy = repeatable(hierarchy)
        if y is None:
            targets, weight = self._no_targets(hierarchy), None
        else:
            targets = read_targets(y, hierarchy, partial=True)
            weight = read_sample_weight(sample_weight, y, targets, self._dtype)
        targets = self._grown_targets(targets, all_named=True)
        form, _, _ = label_form(self._params, targets, former, True)
        self._check_coherence(form)
        places = self._places(form, targets.classes)
        if places is None and targets.hierarchy == self.hierarchy_:
            kept = replace(former, hierarchy=hierarchy)
            return self._set({"hierarchy": hierarchy, "_former": kept})
        if places is None:  # only the order is new
            places = np.arange(form.hierarchy.n_labels)
        else:
            self._check_can_grow(targets.hierarchy)
        starts = self._starts(places, form, targets, weight)
        grown = Grown(former.form, targets.hierarchy, _in_columns(starts, form, former))
        net = self.net_.scored_by(grown)
        former = replace(former, hierarchy=hierarchy, net=net)
        fitted = {
            "hierarchy": hierarchy,
            "_former": former,
            "_form": grown,
            "net_": net,
            "hierarchy_": targets.hierarchy,
            "label_names_": targets.label_names,
            "label_counts_": self._count_labels(targets, True),
            "classes_": targets.output_classes,
        }
        return self._set(fitted | self._learnt_of_labels(former, grown))

    def _no_targets(self, source):
        """Return Targets of no samples: all labels of a hierarchy, and all classes."""
        hierarchy = build_after(source, self.hierarchy_, self._former.hierarchy)
        classes = codes = None
        if self._one_class:
            classes = np.unique(list(hierarchy.labels))
            codes = np.zeros(0, np.intp)
        Y = sp.csr_matrix((0, hierarchy.n_labels), dtype=np.float32)
        return Targets(Y, hierarchy, classes, codes)

    def _places(self, form, classes):
        """Return where the network has every label of a form, -1 for new ones.

        None is returned where none is new.
        """
        former = self._former
        # labels that the network has are old ones, whatever it has learnt of them
        none_waits = np.zeros_like(former.waiting)
        return match_labels(replace(former, waiting=none_waits), form, classes).places

    def _starts(self, places, form, targets, weight):
        """Return what the labels of a form start from, as counted in targets."""
        positive, known = form.count(targets.Y, weight)
        counts = LabelCounts(positive, known, targets.Y.shape[0])
        class_weight = None
        if targets.classes is None:
            given = class_weight_of(self.class_weight)
            class_weight = weight_of_labels(form, given, counts)
        return find_starts(places, form, counts, class_weight)

    def _follow(self, targets, former):
        """Return the targets of a warm start; raise where training cannot go on."""
        hierarchy = targets.hierarchy
        before = self.hierarchy_
        lost = what_else_changed(hierarchy, before)
        new = new_labels(hierarchy, before)
        if not lost:
            asked = not same_source(self.hierarchy, former.hierarchy)
            untrained = new_labels(hierarchy, former.form.hierarchy_of_Y)
            # new ones that the parameter names, or that grow took in
            if asked if new else untrained:
                return self._grown_targets(targets)
        said = lost
        if new and not lost:
            refuse_changed_in_place(self.hierarchy, before)
            said = (
                f"; only the new one has {name_list(new)}. To take labels in, set the "
                f"parameter hierarchy to one that has them"
            )
        classes = self.classes_ if self._one_class else None
        if not np.array_equal(classes, targets.classes):
            said += f"; its classes were {classes}, and are {targets.classes}"
        if not said:
            return targets
        keep = f" {_KEEP}" if lost else ""
        raise ValueError(
            f"warm_start=True goes on with the labels, classes and hierarchy of "
            f"the former fit, {before}, but now there are others: {hierarchy}"
            f"{said}.{keep} Use warm_start=False to start anew."
        )

    def _grown_targets(self, targets, all_named=False):
        """Return targets with all classes, where only labels are new.

        ``all_named`` tells that the classes of targets are all labels, since none were
        named.
        """
        hierarchy = targets.hierarchy
        said = what_else_changed(hierarchy, self.hierarchy_)
        if said:
            raise ValueError(
                f"The parameter hierarchy was changed since the first call, and not by "
                f"new labels alone{said}. {_KEEP} Or start anew with fit, or with a "
                f"clone."
            )
        check_same_shape(targets, self._one_class)
        if not self._one_class:
            return targets
        new = new_labels(hierarchy, self._former.form.hierarchy_of_Y)
        return add_classes(targets, self.classes_, new, all_named)

    def _check_can_grow(self, hierarchy):
        """Raise where this estimator cannot take new labels in."""

    def _set(self, fitted: dict) -> Self:
        """Set attributes, and return the estimator."""
        raise NotImplementedError

    def _learnt_of_labels(self, former, form):
        """Return fitted attributes about the labels of a form."""
        raise NotImplementedError

    def _check_coherence(self, form):
        """Raise when labels in this form cannot have the coherence asked for."""


def _in_columns(starts, form, former):
    """Return the starts of Y's columns, whose sources are columns of the former Y."""
    starts = starts.take(form.rows)
    column = former.form.order[np.maximum(starts.source, 0)]
    return starts._replace(source=np.where(starts.source < 0, -1, column))
