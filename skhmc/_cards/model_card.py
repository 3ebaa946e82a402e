"""model_card: what a fitted estimator is, as Markdown."""

from __future__ import annotations

import inspect
import platform
import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils.validation import check_is_fitted

from skhmc._data.targets import read_targets
from skhmc._scoring.answers import AnswersMixin
from skhmc._utils.messages import name_list
from skhmc._utils.version import package_version
from skhmc.metrics import au_prc_score

__all__ = ["model_card"]

LONGEST = 60  # characters of a parameter's value
FEW = 10  # labels that are named


def model_card(estimator: Any, X: Any = None, y: Any = None) -> str:
    """Return a description of a fitted estimator as Markdown.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator of skhmc.
    X : array-like of shape (n_samples, ...), default=None
        Samples that the estimator was not trained with. None leaves the scores out.
    y : array-like, sparse matrix or DataFrame of shape (n_samples, n_labels), \
            default=None
        Labels of X, in any form that ``fit`` takes.

    Returns
    -------
    str
        Markdown text: the kind of estimator, the shape of its data, the hierarchy level
        by level, parameters that are not at their defaults, versions, and, with X and
        y, scores per level: the area under the precision-recall curve and F1, over all
        pairs of a sample and a label of the level. Labels whose value is unknown (NaN)
        do not count.

    Raises
    ------
    TypeError
        If the estimator is not one of skhmc.
    ValueError
        If only one of X and y is given, or their labels are not those of the estimator.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Examples
    --------
    >>> from skhmc import MaxConstraintClassifier, model_card
    >>> X, Y = [[0.0], [1.0], [2.0]], [[1, 0], [1, 1], [0, 0]]
    >>> clf = MaxConstraintClassifier([(0, 1)], max_iter=1, random_state=0).fit(X, Y)
    >>> print(model_card(clf, X, Y).splitlines()[2])
    Predicts 2 labels of samples with 1 feature.
    """
    if not isinstance(estimator, AnswersMixin):
        raise TypeError(
            f"Expected a fitted estimator of skhmc, got {type(estimator).__name__}. Of "
            f"a Pipeline give the last step, pipeline[-1], and X as this step gets it."
        )
    check_is_fitted(estimator)
    if (X is None) != (y is None):
        raise ValueError("Got only one of X and y, expected both or none.")
    parts = [_heading(estimator), _hierarchy(estimator), _parameters(estimator)]
    if X is not None:
        parts.append(_scores(estimator, X, y))
    return "\n".join([*parts, _versions()])


def _heading(estimator: Any) -> str:
    hierarchy = estimator.hierarchy_
    n_features = getattr(estimator, "n_features_in_", None)
    samples = "samples"
    if n_features is not None:
        samples += f" with {n_features} feature{'s' if n_features != 1 else ''}"
    what = f"{hierarchy.n_labels} labels"
    if estimator.classes_.ndim == 1:
        what = f"one of {len(estimator.classes_)} classes, and {what}"
    lines = [f"# {type(estimator).__name__}", "", f"Predicts {what} of {samples}."]
    coherence = getattr(estimator, "coherence_", getattr(estimator, "coherence", None))
    lines.append(f"Coherence: {coherence!r}.")
    n_epochs = getattr(estimator, "n_iter_", None)
    if n_epochs is not None:
        lines.append(f"Trained for {n_epochs} epochs.")
    return "\n".join([*lines, ""])


def _hierarchy(estimator: Any) -> str:
    hierarchy = estimator.hierarchy_
    kind = "tree" if hierarchy.is_tree else "DAG"
    rows = []
    for depth, level in enumerate(hierarchy.levels):
        names = [hierarchy.labels[k] for k in level[:FEW].tolist()]
        more = ", ..." if len(level) > FEW else ""
        rows.append([str(depth), str(len(level)), _cell(name_list(names) + more)])
    edges = f"{hierarchy.n_labels} labels, {len(hierarchy.edges)} edges, {kind}."
    table = _table(["level", "labels", "names"], rows)
    return f"## Hierarchy\n\n{edges}\n\n{table}\n"


def _parameters(estimator: Any) -> str:
    signature = inspect.signature(type(estimator)).parameters
    defaults = {name: parameter.default for name, parameter in signature.items()}
    rows = []
    for name, value in sorted(estimator.get_params(deep=False).items()):
        if name == "hierarchy" or repr(value) == repr(defaults.get(name)):
            continue
        text = repr(value)
        if len(text) > LONGEST:
            text = f"{text[:LONGEST]}..."
        rows.append([f"`{name}`", _cell(text)])
    if not rows:
        return "## Parameters\n\nAll at their defaults.\n"
    return f"## Parameters\n\n{_table(['parameter', 'value'], rows)}\n"


def _scores(estimator: Any, X: Any, y: Any) -> str:
    hierarchy = estimator.hierarchy_
    targets = read_targets(y, hierarchy, warn=False)
    if set(targets.hierarchy.labels) != set(hierarchy.labels):
        raise ValueError(
            f"y holds the labels {name_list(targets.hierarchy.labels)}, the estimator "
            f"knows {name_list(hierarchy.labels)}. Expected the same."
        )
    order = [targets.hierarchy.position(label) for label in hierarchy.labels]
    Y = targets.Y[:, order]
    Y = Y.toarray() if sp.issparse(Y) else Y
    blocks = estimator._answer_blocks(X).blocks
    answers = [(answer.proba(), _dense(answer.chosen())) for answer in blocks]
    proba = np.concatenate([one for one, _ in answers])
    chosen = np.concatenate([one for _, one in answers])
    if len(proba) != len(Y):
        raise ValueError(f"X has {len(proba)} samples, y has {len(Y)}.")
    rows = []
    for depth, level in enumerate(hierarchy.levels):
        area = _area(Y[:, level], proba[:, level])
        found = _f1(Y[:, level], chosen[:, level])
        rows.append([str(depth), str(len(level)), area, found])
    heads = ["level", "labels", "AU(PRC)", "F1"]
    return f"## Scores of {len(Y)} samples\n\n{_table(heads, rows)}\n"


def _dense(chosen: Any) -> np.ndarray:
    return chosen.toarray() if sp.issparse(chosen) else np.asarray(chosen)


def _area(Y: np.ndarray, proba: np.ndarray) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        return _number(float(au_prc_score(Y, proba)))


def _f1(Y: np.ndarray, chosen: np.ndarray) -> str:
    known = ~np.isnan(Y)
    positive = (Y == 1) & known
    chosen = chosen.astype(bool) & known
    total = positive.sum() + chosen.sum()
    hits = (positive & chosen).sum()
    return _number(2 * hits / total if total else np.nan)


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _versions() -> str:
    found = {
        "skhmc": package_version(),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "Python": platform.python_version(),
    }
    return "## Versions\n\n" + ", ".join(f"{k} {v}" for k, v in found.items()) + "\n"


def _cell(text: str) -> str:
    """Return text that ends no cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
