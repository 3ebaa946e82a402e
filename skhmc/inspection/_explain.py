"""explain: what speaks for a label of a sample."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.frozen import FrozenEstimator
from sklearn.utils import Bunch, check_array

from skhmc._data.responses import find
from skhmc._utils.messages import name_list
from skhmc.hierarchy import Hierarchy

__all__ = ["explain"]


def explain(
    estimator: Any,
    X: Any,
    label: Any,
    *,
    X_train: Any = None,
    n_nearest: int = 5,
) -> Bunch:
    r"""Explain the score of a label, and of all labels above it, for some samples.

    Parameters
    ----------
    estimator : fitted classifier
        A network such as :class:`skhmc.HCALClassifier`; a linear classifier with
        ``coef_``, such as :class:`skhmc.LabelTreeClassifier`; or
        scikit-learn's ``OneVsRestClassifier`` or
        :class:`sklearn.multioutput.MultiOutputClassifier` of linear classifiers, also
        inside a Pipeline, a search or :class:`skhmc.CoherentClassifier`. After steps of
        a Pipeline, features are those that the last step gets.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        Samples to explain, few of them.
    label : label name
        Label that is explained.
    X_train : array-like or sparse matrix of shape (n_train, n_features), default=None
        Training samples, among which the nearest ones are looked for. Networks only.
    n_nearest : int, default=5
        Number of nearest prototypes and of nearest training samples.

    Returns
    -------
    Bunch
        A dict whose entries are also attributes:

        labels : list
            The label and those above it, the highest first.
        contributions : ndarray of shape (n_samples, n_path, n_features)
            What every feature adds to the score of every label of ``labels``: the
            coefficient times the feature, or the gradient times the feature.
        scores : ndarray of shape (n_samples, n_path)
            The scores that are explained, before coherence: log-odds of networks and
            of logistic regressions, of others what their ``decision_function`` has. Of
            a label tree they are the margins of each label's own classifier.
        method : {"coefficients", "gradients"}
            What contributions are made of.
        prototypes : list of list of label names
            Of :class:`skhmc.HCALClassifier`, the labels whose prototypes are nearest to
            every sample, the nearest first. Else None.
        prototype_similarities : ndarray of shape (n_samples, n_nearest)
            Their cosines with the embedding of the sample. Else None.
        samples : ndarray of int of shape (n_samples, n_nearest)
            Rows of ``X_train`` that are nearest in the embedding. None without
            ``X_train``.
        sample_similarities : ndarray of shape (n_samples, n_nearest)
            Their cosines. None without ``X_train``.

    Raises
    ------
    TypeError
        When the estimator is neither a network nor linear.
    ValueError
        When there is no such label, or the network takes no rows of features.

    Notes
    -----
    Of a linear classifier, contributions and the intercept sum to the score. Features
    are those that it multiplies: of a label tree with ``normalize=True``, those of rows
    that are scaled to length 1. Of a
    network they are a first-order picture around the sample: they sum to the score
    where the network is linear in the sample and has no biases. With several networks
    (``n_estimators``) they are means over these, and there are no prototypes.

    The package shap explains any classifier of skhmc by ``predict_proba``; the user
    guide has an example.

    References
    ----------
    Shrikumar, Greenside, Shcherbina and Kundaje, "Not Just a Black Box: Learning
    Important Features Through Propagating Activation Differences", arXiv 1605.01713,
    2016 (gradient times input).

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multioutput import MultiOutputClassifier
    >>> from skhmc import CoherentClassifier, Hierarchy
    >>> from skhmc.inspection import explain
    >>> animals = Hierarchy.from_parents({"cat": "mammal"})
    >>> X = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]  # fur, purrs
    >>> Y = [[0, 0], [1, 0], [1, 1], [0, 0]]
    >>> each = MultiOutputClassifier(LogisticRegression())
    >>> clf = CoherentClassifier(each, animals).fit(X, Y)
    >>> found = explain(clf, [[1.0, 1.0]], "cat")
    >>> found.labels, found.contributions.round(1)[0].tolist()
    (['mammal', 'cat'], [[0.8, 0.3], [0.4, 0.6]])
    """
    whole = isinstance(n_nearest, Integral) and not isinstance(n_nearest, bool)
    if not whole or n_nearest < 1:
        raise ValueError(
            f"n_nearest must be an integer of at least 1, got {n_nearest!r}."
        )
    hierarchy = _hierarchy_of(estimator)
    if label not in hierarchy:
        raise ValueError(
            f"Expected a label of the estimator, got {label!r}. Pass one of "
            f"{name_list(hierarchy.labels)}."
        )
    above = hierarchy.ancestors[[hierarchy.position(label)]].indices
    path = [*sorted(above, key=lambda k: (hierarchy.depth[k], k))]
    path.append(hierarchy.position(label))
    inner, X, X_train, columns = _innermost(estimator, X, X_train, hierarchy.n_labels)
    missing = [hierarchy.labels[k] for k in path if columns[k] < 0]
    if missing:
        raise TypeError(
            f"{type(estimator).__name__} has no classifier of {name_list(missing)}, "
            f"of which the training samples had too few of a value. Choose another "
            f"label."
        )
    given = (inner, X, columns[path])
    if hasattr(inner, "net_"):
        names = {columns[k]: hierarchy.labels[k] for k in np.flatnonzero(columns >= 0)}
        found = _of_network(*given, names, X_train, int(n_nearest))
    else:
        if X_train is not None:
            raise ValueError(
                f"X_train is for networks, which have an embedding; "
                f"{type(inner).__name__} has none. Leave it out."
            )
        found = _of_coefficients(*given, int(np.sum(columns >= 0)))
    return Bunch(labels=[hierarchy.labels[k] for k in path], **found)


def _hierarchy_of(estimator: Any) -> Any:
    """Return the labels in the order of the estimator's outputs."""
    hierarchy = find(estimator, "hierarchy_")
    if hierarchy is None:
        classes = find(estimator, "classes_")
        if classes is None:
            raise TypeError(
                f"{type(estimator).__name__} says no labels: neither hierarchy_ nor "
                f"classes_. Pass a fitted classifier of several labels."
            )
        if isinstance(classes, np.ndarray) and classes.ndim == 1:
            return Hierarchy.flat(classes.tolist())
        return Hierarchy.flat(len(classes))
    return hierarchy


def _innermost(
    estimator: Any, X: Any, X_train: Any, n_labels: int
) -> tuple[Any, Any, Any, np.ndarray]:
    """Return the classifier inside, samples as it takes them, and its columns.

    The columns are an array (n_labels,): which of its outputs is that of a label, -1
    where it has none.
    """
    columns = np.arange(n_labels)
    while True:
        _check_names(estimator, X)
        columns = _columns_inside(estimator, columns)
        if len(getattr(estimator, "steps", ())) > 1:
            X = estimator[:-1].transform(X)
            if X_train is not None:
                X_train = estimator[:-1].transform(X_train)
        inner = _inside(estimator)
        if inner is None:
            return estimator, X, X_train, columns
        estimator = inner


def _inside(estimator: Any) -> Any:
    """Return the one estimator that another one holds, None if it holds none."""
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    if hasattr(estimator, "steps"):
        return estimator.steps[-1][1]
    if hasattr(estimator, "estimators_"):
        return None
    return getattr(estimator, "best_estimator_", getattr(estimator, "estimator_", None))


def _columns_inside(estimator: Any, columns: np.ndarray) -> np.ndarray:
    """Return the columns of what a CoherentClassifier holds, of others the same."""
    if getattr(estimator, "strategy_", 0) is None:
        raise TypeError(
            f"{type(estimator).__name__} was fitted to one class per sample, whose "
            f"scores are no scores of labels. Fit it to indicators, or explain its "
            f"estimator_ alone."
        )
    learnt = getattr(estimator, "_learnt", None)
    if learnt is None:
        return columns
    # it hands on some labels only, or those of a frozen one in another order
    place = np.full(len(columns) + 1, -1)  # the last is that of lost labels
    place[learnt] = np.arange(len(learnt))
    return place[columns]


def _check_names(estimator: Any, X: Any) -> None:
    """Raise where features have other names, or another order, than in fit."""
    names = getattr(estimator, "feature_names_in_", None)
    if names is None or not hasattr(X, "columns"):
        return
    if list(X.columns) != list(names):
        raise ValueError(
            f"X has the features {name_list(X.columns)}, expected those of fit in "
            f"their order: {name_list(names)}. Pass X[list(names)]."
        )


# -- linear ----------------------------------------------------------------------------


# classifiers with one classifier per label; those of other ensembles know all labels
ONE_EACH = {"MultiOutputClassifier", "OneVsRestClassifier", "PerLabel"}


def _of_coefficients(
    estimator: Any, X: Any, path: np.ndarray, n_labels: int
) -> dict[str, Any]:
    coef, intercept = _coefficients(estimator, path, n_labels)
    if hasattr(estimator, "_as_read"):  # rows of length 1, say
        X = estimator._as_read(estimator._check_X(X, reset=False))
    X = check_array(X, accept_sparse="csr", dtype=np.float64)
    X = X.toarray() if sp.issparse(X) else X
    if X.shape[1] != coef.shape[1]:
        raise ValueError(
            f"Expected X of shape (n_samples, {coef.shape[1]}), got shape {X.shape}."
        )
    contributions = X[:, None, :] * coef
    return {
        "contributions": contributions,
        "scores": contributions.sum(axis=2) + intercept,
        "method": "coefficients",
        "prototypes": None,
        "prototype_similarities": None,
        "samples": None,
        "sample_similarities": None,
    }


def _coefficients(
    estimator: Any, path: np.ndarray, n_labels: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the coefficients (n_path, n_features) and intercepts of labels."""
    kinds = {kind.__name__ for kind in type(estimator).__mro__}
    members = getattr(estimator, "estimators_", None)
    if kinds & ONE_EACH and members is not None and len(members) == n_labels:
        chosen = [members[k] for k in path]
        if all(_is_binary(member) for member in chosen):
            rows = np.vstack([_dense(member.coef_).reshape(1, -1) for member in chosen])
            return rows, np.array([np.ravel(m.intercept_)[0] for m in chosen])
    coef = getattr(estimator, "coef_", None) if members is None else None
    if coef is None:
        raise TypeError(
            f"Expected a network, or a classifier with coef_ for every label, got "
            f"{type(estimator).__name__}. For others, use permutations "
            f"(sklearn.inspection) or shap on predict_proba."
        )
    # scikit-learn has a row per label, classifiers of skhmc have a column
    by_label = coef.T if hasattr(estimator, "hierarchy_") else coef
    if by_label.ndim != 2 or by_label.shape[0] != n_labels:
        raise TypeError(
            f"coef_ of {type(estimator).__name__} has shape {coef.shape}, expected "
            f"coefficients of each of {n_labels} labels."
        )
    intercept = np.ravel(estimator.intercept_)
    return _dense(by_label[path]), np.broadcast_to(intercept, n_labels)[path]


def _is_binary(member: Any) -> bool:
    """Tell whether a classifier has coefficients of one score, that of a label."""
    return hasattr(member, "coef_") and np.size(member.intercept_) == 1


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


# -- networks --------------------------------------------------------------------------


def _of_network(
    estimator: Any,
    X: Any,
    path: np.ndarray,
    names: Any,
    X_train: Any,
    n_nearest: int,
) -> dict[str, Any]:
    import torch

    module = estimator.net_.module_
    inputs = _inputs(estimator, X).requires_grad_()
    if inputs.ndim != 2 or not len(inputs):
        raise ValueError(
            f"Expected rows of features, got samples of shape "
            f"{tuple(inputs.shape[1:])}: explain the features of an encoder outside."
        )
    was_training = module.training
    module.eval()
    try:
        with torch.enable_grad():
            logits = module(inputs)
            places = [_place(estimator, k) for k in path]
            grads = [
                torch.autograd.grad(logits[:, k].sum(), inputs, retain_graph=True)[0]
                for k in places
            ]
        contributions = torch.stack([g * inputs for g in grads], dim=1)
        found = {
            "contributions": contributions.detach().cpu().numpy(),
            "scores": logits[:, places].detach().cpu().numpy(),
            "method": "gradients",
        }
        near = _nearest(estimator, module, inputs, names, X_train, n_nearest)
    finally:
        module.train(was_training)
    return found | near


def _inputs(estimator: Any, X: Any) -> Any:
    """Return samples as a tensor that the network takes, scaled as in fit."""
    import torch

    X = estimator._check_X(X, reset=False)
    X = X.toarray() if sp.issparse(X) else np.asarray(X)
    weight = next(estimator.net_.module_.parameters())
    return torch.tensor(X, dtype=weight.dtype, device=weight.device)


def _place(estimator: Any, label: int) -> int:
    """Return the network's column of a label."""
    return int(estimator._form.rows[label])


def _nearest(
    estimator: Any,
    module: Any,
    inputs: Any,
    names: Any,
    X_train: Any,
    n_nearest: int,
) -> dict[str, Any]:
    """Return the nearest prototypes and training samples, None where there are none."""
    import torch

    found: dict[str, Any] = {
        "prototypes": None,
        "prototype_similarities": None,
        "samples": None,
        "sample_similarities": None,
    }
    if not hasattr(module, "encode"):  # of several networks
        return found
    with torch.no_grad():
        embedded = _unit(_embedded(module, inputs))
        if hasattr(module, "unit_prototypes"):
            columns = [_place(estimator, k) for k in names]
            labels = list(names.values())
            cosine = embedded @ _unit(module.unit_prototypes()[columns]).T
            values, rows = cosine.topk(min(n_nearest, cosine.shape[1]))
            found["prototypes"] = [[labels[k] for k in row] for row in rows.tolist()]
            found["prototype_similarities"] = values.cpu().numpy()
        if X_train is not None:
            train = _unit(_embedded(module, _inputs(estimator, X_train)))
            cosine = embedded @ train.T
            values, rows = cosine.topk(min(n_nearest, len(train)))
            found["samples"] = rows.cpu().numpy()
            found["sample_similarities"] = values.cpu().numpy()
    return found


def _embedded(module: Any, inputs: Any) -> Any:
    encoded = module.encode(inputs)
    return module.embed(encoded) if hasattr(module, "embed") else encoded


def _unit(vectors: Any) -> Any:
    return vectors / vectors.norm(dim=1, keepdim=True).clamp_min(1e-12)
