"""What a meta-estimator hands to the classifier inside it, and asks of that."""

from inspect import signature

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils import Bunch, indexable
from sklearn.utils.metadata_routing import process_routing

from skhmc._columns import are_label_sets
from skhmc._targets import read_targets
from skhmc.hierarchy import Hierarchy

__all__ = ["inner_has", "read_for_inner", "route_fit", "take_features"]


def inner_has(name):
    """Return a check for ``available_if``: the classifier inside has an attribute."""

    def check(self):
        getattr(getattr(self, "estimator_", self.estimator), name)
        return True

    return check


def take_features(estimator):
    """Set ``n_features_in_`` and ``feature_names_in_`` if ``estimator_`` has them."""
    for name in ("n_features_in_", "feature_names_in_"):
        vars(estimator).pop(name, None)
        if hasattr(estimator.estimator_, name):
            setattr(estimator, name, getattr(estimator.estimator_, name))


def read_for_inner(estimator, X, y):
    """Return X, y for the classifier inside, and what y says.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``hierarchy`` and ``estimator``.
    X, y
        As documented in ``fit``.

    Returns
    -------
    X : array-like or csr_matrix
    y : array-like, csr_matrix or list
        As given, but closed upward by ``hierarchy``. Lists of label names become
        indicators, unless the classifier inside has the hierarchy.
    targets : Targets
    """
    if y is None:
        raise ValueError(
            f"This {type(estimator).__name__} estimator requires y to be passed, but "
            f"the target y is None."
        )
    X, y = indexable(X, y)
    source = estimator.hierarchy
    targets = read_targets(y, source)
    if targets.classes is not None:
        return X, y if np.ndim(y) == 1 else np.ravel(y), targets
    if are_label_sets(y, source and Hierarchy.build(source).n_labels):
        own = source is None and _knows_a_hierarchy(estimator.estimator)
        return X, y if own else _like(np.empty(0), targets.Y), targets
    if source is None:
        return X, np.asarray(y) if isinstance(y, list) else y, targets
    return X, _like(y, targets.Y), targets


def _knows_a_hierarchy(estimator):
    given = [k for k, value in estimator.get_params().items() if value is not None]
    return any(name.split("__")[-1] == "hierarchy" for name in given)


def _like(y, Y):
    """Return Y (0, 1 and NaN) in the kind of container that y is."""
    values = Y.data if sp.issparse(Y) else Y
    Y = Y if np.isnan(values).any() else Y.astype(int)
    if sp.issparse(Y):
        return Y if sp.issparse(y) else Y.toarray()
    return type(y)(Y, index=y.index, columns=y.columns) if hasattr(y, "iloc") else Y


def _takes_weights(estimator):
    parameters = signature(estimator.fit).parameters.values()
    names = (p.name for p in parameters if p.kind is not p.VAR_KEYWORD)
    others = any(p.kind is p.VAR_KEYWORD for p in parameters)  # says no itself
    return others or "sample_weight" in names


def route_fit(estimator, sample_weight, params):
    """Return who gets which parameters of ``fit``.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``estimator``, and a router with the names "estimator" and "splitter".
    sample_weight : array-like or None
    params : dict

    Returns
    -------
    Bunch
        With ``estimator.fit`` and ``splitter.split``, dicts.
    """
    if sample_weight is not None:
        params = {**params, "sample_weight": sample_weight}
    if get_config()["enable_metadata_routing"]:
        return process_routing(estimator, "fit", **params)
    inner = estimator.estimator
    if sample_weight is not None and not _takes_weights(inner):
        raise ValueError(
            f"sample_weight was given, but {type(inner).__name__}.fit takes none. "
            f"Leave it out, or route it: sklearn.set_config("
            f"enable_metadata_routing=True)."
        )
    return Bunch(estimator=Bunch(fit=params), splitter=Bunch(split={}))
