"""explain: what speaks for a label of a sample."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

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
        :class:`sklearn.multiclass.OneVsRestClassifier` or
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
            What every feature adds to the log-odds of every label of ``labels``: the
            coefficient times the feature, or the gradient times the feature.
        scores : ndarray of shape (n_samples, n_path)
            The scores that are explained, before coherence: log-odds.
        method : {"coefficients", "gradients"}
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
    Of a linear classifier, contributions and the intercept sum to the score. Of a
    network they are a first-order picture around the sample: they sum to the score
    where the network is linear in the sample and has no biases. With several networks
    (``n_estimators``) they are means over these, and there are no prototypes.

    :mod:`shap` explains any classifier of skhmc by ``predict_proba``; the user guide
    has an example.

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
    inner, X, X_train = _innermost(estimator, X, X_train)
    given = (inner, X, np.array(path), hierarchy)
    if hasattr(inner, "net_"):
        found = _of_network(*given, X_train, int(n_nearest))
    else:
        if X_train is not None:
            raise ValueError(
                f"X_train is for networks, which have an embedding; "
                f"{type(inner).__name__} has none. Leave it out."
            )
        found = _of_coefficients(*given)
    return Bunch(labels=[hierarchy.labels[k] for k in path], **found)


def _hierarchy_of(estimator: Any) -> Hierarchy:
    """Return the labels in the order of the estimator's outputs."""
    hierarchy = find(estimator, "hierarchy_")
    if hierarchy is None:
        classes = find(estimator, "classes_")
        if classes is None:
            raise TypeError(
                f"{type(estimator).__name__} says no labels: neither hierarchy_ nor "
                f"classes_. Pass a fitted classifier of several labels."
            )
        n_labels = len(classes)
        return Hierarchy.flat(n_labels)
    return hierarchy


def _innermost(estimator: Any, X: Any, X_train: Any) -> tuple[Any, Any, Any]:
    """Return the classifier inside, and samples as it takes them."""
    while True:
        if hasattr(estimator, "steps"):
            if len(estimator.steps) > 1:
                X = estimator[:-1].transform(X)
                if X_train is not None:
                    X_train = estimator[:-1].transform(X_train)
            estimator = estimator.steps[-1][1]
            continue
        for name in ("best_estimator_", "estimator_"):
            if hasattr(estimator, name) and not hasattr(estimator, "estimators_"):
                estimator = getattr(estimator, name)
                break
        else:
            return estimator, X, X_train


# -- linear ----------------------------------------------------------------------------


def _of_coefficients(
    estimator: Any, X: Any, path: np.ndarray, hierarchy: Hierarchy
) -> dict[str, Any]:
    coef, intercept = _coefficients(estimator, path, hierarchy.n_labels)
    X = X.toarray() if sp.issparse(X) else np.asarray(X, dtype=np.float64)
    if X.ndim != 2 or X.shape[1] != coef.shape[1]:
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
    members = getattr(estimator, "estimators_", None)
    if members is not None and len(members) == n_labels:
        chosen = [members[k] for k in path]
        if all(hasattr(member, "coef_") for member in chosen):
            rows = np.vstack([_dense(member.coef_)[-1:] for member in chosen])
            return rows, np.array([np.ravel(m.intercept_)[-1] for m in chosen])
    coef = getattr(estimator, "coef_", None)
    if coef is None:
        raise TypeError(
            f"Expected a network, or a classifier with coef_ for every label, got "
            f"{type(estimator).__name__}. For others, use permutations "
            f"(sklearn.inspection) or shap on predict_proba."
        )
    by_label = coef if coef.shape[0] == n_labels != coef.shape[1] else coef.T
    if getattr(estimator, "n_features_in_", None) == coef.shape[1] != coef.shape[0]:
        by_label = coef
    if by_label.shape[0] != n_labels:
        raise TypeError(
            f"coef_ of {type(estimator).__name__} has shape {coef.shape}, expected one "
            f"row or column for each of {n_labels} labels."
        )
    intercept = np.ravel(estimator.intercept_)
    return _dense(by_label[path]), np.broadcast_to(intercept, n_labels)[path]


def _dense(matrix: Any) -> np.ndarray:
    return matrix.toarray() if sp.issparse(matrix) else np.asarray(matrix)


# -- networks --------------------------------------------------------------------------


def _of_network(
    estimator: Any,
    X: Any,
    path: np.ndarray,
    hierarchy: Hierarchy,
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
        near = _nearest(estimator, module, inputs, hierarchy, X_train, n_nearest)
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
    hierarchy: Hierarchy,
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
            columns = [_place(estimator, k) for k in range(hierarchy.n_labels)]
            cosine = embedded @ _unit(module.unit_prototypes()[columns]).T
            values, rows = cosine.topk(min(n_nearest, cosine.shape[1]))
            found["prototypes"] = [
                [hierarchy.labels[k] for k in row] for row in rows.tolist()
            ]
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
