"""What a meta-estimator hands to the classifier inside it, and asks of that."""

from inspect import signature

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._split import GroupsConsumerMixin
from sklearn.utils import Bunch, indexable
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.metadata_routing import process_routing

from skhmc._data.containers import is_frame
from skhmc._data.forms import read_form
from skhmc._data.responses import find
from skhmc._data.targets import are_label_sets, match_columns, read_targets, require_y
from skhmc._utils.messages import name_list, plain
from skhmc.hierarchy import Hierarchy

__all__ = [
    "has_hierarchy",
    "hierarchy_parameters",
    "inner_has",
    "is_frozen",
    "known_hierarchy",
    "may_take_weights",
    "metric_options",
    "output_order",
    "read_for_inner",
    "refuse_other_labels",
    "refuse_params",
    "route_fit",
    "takes_groups",
    "with_columns",
]


def inner_has(name):
    """Return a check for ``available_if``: the classifier inside has an attribute."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), name)
        return True

    return check


def metric_options(metric, hierarchy):
    """Return the hierarchy for a metric that takes it, else nothing.

    Raises
    ------
    InvalidParameterError
        When it is a scorer: that predicts by itself, and cannot judge predictions.
    """
    if hasattr(metric, "metric") or hasattr(metric, "_sign"):
        raise InvalidParameterError(
            f"Expected a function metric(Y_true, Y_pred), got the scorer {metric!r}. "
            f"Give the function that it calls."
        )
    try:
        takes = "hierarchy" in signature(metric).parameters
    except (TypeError, ValueError):  # built-in functions may not say
        takes = False
    return {"hierarchy": hierarchy} if takes else {}


# -- the hierarchies of classifiers inside ---------------------------------------------


def _parts(estimator):
    """Yield classifiers, each inside the one before, and the prefix of its parameters.

    Of a Pipeline the last step; a frozen one ends it.
    """
    prefix = ""
    while estimator is not None:
        yield prefix, estimator
        if isinstance(estimator, FrozenEstimator):
            return
        if hasattr(estimator, "steps"):
            name, estimator = estimator.steps[-1]
        else:
            name, estimator = "estimator", getattr(estimator, "estimator", None)
        prefix += f"{name}__"


def is_frozen(estimator):
    """Tell whether ``fit`` leaves a classifier, or the last of a Pipeline, as it is."""
    return any(isinstance(part, FrozenEstimator) for _, part in _parts(estimator))


def _hierarchies(estimator):
    """Yield the names and values of the parameters that hold its labels' hierarchy."""
    for prefix, part in _parts(estimator):
        frozen = isinstance(part, FrozenEstimator)  # has the attributes of another
        if not frozen and getattr(part, "hierarchy", None) is not None:
            yield f"{prefix}hierarchy", part.hierarchy


def has_hierarchy(estimator):
    """Tell whether a classifier, or one inside of it, has a hierarchy of its labels."""
    return any(True for _ in _hierarchies(estimator))


def hierarchy_parameters(estimator):
    """Return the names of the parameters that hold, or may hold, its labels' hierarchy.

    None of a frozen classifier, or of one that knows of no hierarchies.
    """
    return [
        f"{prefix}hierarchy"
        for prefix, part in _parts(estimator)
        if not isinstance(part, FrozenEstimator)
        and "hierarchy" in part.get_params(deep=False)
    ]


def known_hierarchy(estimator, fitted):
    """Return the hierarchy that a classifier has for its labels, or None."""
    if fitted:
        hierarchy = find(estimator, "hierarchy_")
        return hierarchy if hierarchy is not None and len(hierarchy.edges) else None
    return next((source for _, source in _hierarchies(estimator)), None)


def with_columns(estimator, labels, kept=None):
    """Return a clone whose hierarchies are in the order of columns without names.

    Parameters
    ----------
    estimator : estimator
        A classifier, perhaps with a hierarchy of its own or inside of it.
    labels : sequence
        Names of the columns, or their positions.
    kept : ndarray of int or None
        Columns that the clone gets to see; None is all.

    Returns
    -------
    estimator
    """
    inner = clone(estimator)
    n_labels = len(labels)
    only_counted = list(labels) == list(range(n_labels))
    for name, source in list(_hierarchies(inner)):
        known = set(Hierarchy.build(source).labels)
        numbered = only_counted and not known.issuperset(labels)
        hierarchy = match_columns(source, None if numbered else labels, n_labels)
        if hierarchy.n_labels != n_labels:
            raise ValueError(
                f"{name} of {type(inner).__name__} has {hierarchy.n_labels} labels, "
                f"but Y has {n_labels} columns. Leave it None, or give it one per "
                f"column."
            )
        chosen = hierarchy.labels
        if kept is not None:
            chosen = [chosen[k] for k in kept]
        inner.set_params(**{name: hierarchy.subset(chosen)})
    return inner


def output_order(estimator, hierarchy, named):
    """Return the label, by position, of every column that a classifier predicts.

    Parameters
    ----------
    estimator : estimator
        A classifier that was fitted before, perhaps to labels in another order.
    hierarchy : Hierarchy
        The labels.
    named : bool
        Whether the columns of Y had names; else numbers only count the columns.

    Returns
    -------
    ndarray of int
    """
    by_position = list(range(hierarchy.n_labels))
    names = find(estimator, "label_names_")
    names = by_position if names is None else list(names)
    only_counted = names == by_position and not named
    if only_counted or set(names) != set(hierarchy.labels):
        return np.array(by_position)
    return np.array([hierarchy.position(name) for name in names])


def refuse_other_labels(estimator, hierarchy):
    """Raise where a fitted classifier was fitted to labels of other names.

    Numbers that only count columns are no names.
    """
    names = find(estimator, "label_names_")
    known = [] if names is None else [plain(name) for name in names]
    only_counted = list(range(hierarchy.n_labels)) == list(hierarchy.labels)
    if only_counted or known == list(range(len(known))):
        return
    if set(known) == set(hierarchy.labels):
        return
    missing = [label for label in hierarchy.labels if label not in known]
    more = [label for label in known if label not in hierarchy]
    raise ValueError(
        f"{type(estimator).__name__} was fitted to other labels than those of Y: it "
        f"lacks {name_list(missing) or 'none'} and has {name_list(more) or 'none'} "
        f"beside. Pass columns of the labels that it was fitted to."
    )


# -- fit -------------------------------------------------------------------------------


def read_for_inner(estimator, X, y, *, fitted):
    """Return X, y for the classifier inside, and what y says.

    Parameters
    ----------
    estimator : BaseEstimator
        The meta-estimator, which has ``hierarchy`` and ``estimator``.
    X, y
        Samples and labels, as documented in ``fit``.
    fitted : bool
        Whether the classifier inside is, and stays as it is.

    Returns
    -------
    X : array-like or csr_matrix
    y : array-like, csr_matrix or list
        Labels closed upward by ``hierarchy``, or else by that of the classifier inside.
        Lists of label names become indicators; else they are of the kind given.
    targets : Targets
    """
    require_y(estimator, y)
    source = estimator.hierarchy
    if source is None:
        source = known_hierarchy(estimator.estimator, fitted)
    y, source = read_form(y, source)
    X, y = indexable(X, y)
    targets = read_targets(y, source)
    return X, _closed_y(y, targets, source), targets


def _closed_y(y, targets, source):
    """Return the labels of targets in the kind of container that y is."""
    if targets.classes is not None:
        return y if np.ndim(y) == 1 else np.ravel(y)
    n_labels = None if source is None else targets.hierarchy.n_labels
    if are_label_sets(y, n_labels):
        return _as_array(targets.Y)
    if is_frame(y) and not (hasattr(y, "iloc") or hasattr(y, "get_columns")):
        return _as_array(targets.Y)  # of pyarrow, which few estimators take
    if source is None:  # nothing was closed
        return np.asarray(y) if isinstance(y, list) else y
    if sp.issparse(y):
        return _integers(targets.Y)
    Y = _as_array(targets.Y)
    if hasattr(y, "iloc"):
        names = list(targets.hierarchy.labels)
        same = list(y.columns) == names
        return type(y)(Y, index=y.index, columns=y.columns if same else names)
    return Y


def _integers(Y):
    """Return 0 and 1 as integers, which every classifier takes; with NaN as floats."""
    values = Y.data if sp.issparse(Y) else Y
    return Y if np.isnan(values).any() else Y.astype(int)


def _as_array(Y):
    Y = _integers(Y)
    return Y.toarray() if sp.issparse(Y) else Y


def refuse_params(estimator, params):
    """Raise where there are parameters of ``fit`` for a classifier that is fitted."""
    if params:
        raise ValueError(
            f"{type(estimator).__name__} is fitted already and stays as it is, so that "
            f"nobody takes the parameters {name_list(params)} of fit. Leave them out, "
            f"or pass an estimator to fit."
        )


def may_take_weights(estimator):
    """Tell whether ``fit`` has sample_weight, or takes any and checks it itself."""
    parameters = signature(estimator.fit).parameters.values()
    return any(p.name == "sample_weight" or p.kind is p.VAR_KEYWORD for p in parameters)


def takes_groups(estimator):
    """Tell whether ``fit`` of an estimator has ``groups`` and knows what to do with it.

    Those that only hand it on, as CoherentClassifier does, know what is inside.
    """
    if isinstance(estimator, BaseSearchCV):  # takes them in **params, for its splitter
        return isinstance(estimator.cv, GroupsConsumerMixin)
    if "groups" not in signature(estimator.fit).parameters:
        return False
    hands_on = getattr(estimator, "hands_groups_on", False)
    return not hands_on or takes_groups(estimator.estimator)


def route_fit(estimator, sample_weight, params, groups=None):
    """Return who gets which parameters of ``fit``.

    Parameters
    ----------
    estimator : BaseEstimator
        The meta-estimator, which has ``estimator`` and a router with the names
        "estimator" and, where it has ``cv``, "splitter".
    sample_weight : array-like or None
        Weights of the samples.
    params : dict
        Other parameters, by name.
    groups : array-like or None, default=None
        Groups of the samples: for the splitter, and for an estimator whose ``fit`` has
        such a parameter, or a search whose splitter asks for them.

    Returns
    -------
    Bunch
        The dicts ``estimator.fit`` and ``splitter.split``.

    Raises
    ------
    ValueError
        Where nobody takes weights, or groups, that were given.
    """
    if sample_weight is not None:
        params = {**params, "sample_weight": sample_weight}
    if get_config()["enable_metadata_routing"]:
        if groups is not None:
            params = {**params, "groups": groups}
        return process_routing(estimator, "fit", **params)
    inner = estimator.estimator
    if sample_weight is not None and not may_take_weights(inner):
        raise ValueError(
            f"sample_weight was given, but {type(inner).__name__}.fit takes none. "
            f"Leave it out, or route it: sklearn.set_config("
            f"enable_metadata_routing=True)."
        )
    split = {}
    if groups is not None:
        split, params = _share_groups(estimator, params, groups)
    return Bunch(estimator=Bunch(fit=params), splitter=Bunch(split=split))


def _share_groups(estimator, params, groups):
    """Return the parameters of ``split`` and of ``fit`` with groups where they go."""
    inner = estimator.estimator
    takes = takes_groups(inner)
    splits = hasattr(estimator, "cv")
    if not takes and not splits:
        raise ValueError(
            f"groups were given, but {type(inner).__name__}.fit takes none. Leave them "
            f"out, or route them: sklearn.set_config(enable_metadata_routing=True)."
        )
    split = {"groups": groups} if splits else {}
    return split, {**params, "groups": groups} if takes else params
