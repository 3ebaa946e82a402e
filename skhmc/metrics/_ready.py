"""Ready scorers, and their names."""

import copy

from skhmc.metrics._hierarchical import (
    hierarchical_f1_score,
    hierarchical_precision_score,
    hierarchical_recall_score,
)
from skhmc.metrics._ranking import au_prc_score
from skhmc.metrics._scorers import HierarchicalScorer, HierarchicalViolationRate

__all__ = [
    "au_prc_scorer",
    "get_scorer",
    "get_scorer_names",
    "hierarchical_f1_scorer",
    "hvr_scorer",
]

hvr_scorer = HierarchicalViolationRate()
au_prc_scorer = HierarchicalScorer(au_prc_score)
hierarchical_f1_scorer = HierarchicalScorer(hierarchical_f1_score)

_SCORERS = {
    "au_prc": au_prc_scorer,
    "hierarchical_f1": hierarchical_f1_scorer,
    "hierarchical_precision": HierarchicalScorer(hierarchical_precision_score),
    "hierarchical_recall": HierarchicalScorer(hierarchical_recall_score),
    "hvr": hvr_scorer,
    "hvr_raw": HierarchicalViolationRate(raw=True),
}


def get_scorer_names():
    """Return the names of the ready scorers.

    Returns
    -------
    list of str
        Names for :func:`get_scorer`, sorted.

    Examples
    --------
    >>> from skhmc.metrics import get_scorer_names
    >>> get_scorer_names()[:2]
    ['au_prc', 'hierarchical_f1']
    """
    return sorted(_SCORERS)


def get_scorer(name):
    """Return a ready scorer by its name.

    Parameters
    ----------
    name : str
        One of :func:`get_scorer_names`.

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
    if name not in _SCORERS:
        raise ValueError(
            f"{name!r} is not a scorer of skhmc, expected one of {get_scorer_names()}. "
            f"Scikit-learn's own are named in sklearn.metrics.get_scorer_names()."
        )
    return copy.deepcopy(_SCORERS[name])
