"""Ready scorers, and their names."""

from __future__ import annotations

from skhmc.metrics._registry import METRICS, metric_names
from skhmc.metrics._scorers import HierarchicalScorer

__all__ = [
    "au_prc_scorer",
    "f_max_scorer",
    "get_scorer",
    "get_scorer_names",
    "hierarchical_f1_scorer",
    "hvr_scorer",
    "s_min_scorer",
    "weighted_f_max_scorer",
]

au_prc_scorer = METRICS["au_prc"].make_scorer()
f_max_scorer = METRICS["f_max"].make_scorer()
hierarchical_f1_scorer = METRICS["hierarchical_f1"].make_scorer()
hvr_scorer = METRICS["hvr"].make_scorer()
s_min_scorer = METRICS["s_min"].make_scorer()
weighted_f_max_scorer = METRICS["weighted_f_max"].make_scorer()


def get_scorer_names() -> list[str]:
    """Return the names of the ready scorers.

    Returns
    -------
    list of str
        Names for :func:`get_scorer`, sorted.

    Examples
    --------
    >>> from skhmc.metrics import get_scorer_names
    >>> get_scorer_names()[:2]
    ['au_prc', 'ece']
    """
    return metric_names("scorer")


def get_scorer(name: str) -> HierarchicalScorer:
    """Return a ready scorer by its name.

    Parameters
    ----------
    name : str
        Name of the scorer, one of :func:`get_scorer_names`.

    Returns
    -------
    HierarchicalScorer
        A copy, which reads the hierarchy from the fitted estimator.

    Raises
    ------
    ValueError
        When there is no such scorer.

    Examples
    --------
    >>> from skhmc.metrics import get_scorer
    >>> get_scorer("hvr")
    HierarchicalViolationRate()
    """
    if name not in metric_names("scorer"):
        raise ValueError(
            f"{name!r} is not a scorer of skhmc, expected one of {get_scorer_names()}. "
            f"Scikit-learn's own are named in sklearn.metrics.get_scorer_names()."
        )
    return METRICS[name].make_scorer()
