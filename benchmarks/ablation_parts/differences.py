"""Differences of variants to the defaults, paired by data set and seed."""

import json

import numpy as np

from benchmarks.ablation_parts.variants import (
    CHANGES,
    DEFAULTS,
    ESTIMATORS,
    ROWS,
    SCORED,
    SETS,
    changes_nothing,
    sets_of,
)
from benchmarks.accuracy_parts.rows import plain

__all__ = ["comparable", "deviations", "differences", "gather", "over_sets", "paired"]

PREFIX = "hcalclassifier__"  # of its parameters, as a step of a Pipeline


# -- what may be compared --------------------------------------------------------------


def comparable(found):
    """Return the runs that may be compared with those of the defaults.

    When defaults change, all is to be fitted again, one after the other. Until then
    there are runs of variants of the old defaults, which say nothing about the new
    ones. So each run has to differ from the defaults' on its data set by what its
    variant changes, and by nothing else; and where that is nothing, the defaults are
    enough.
    """
    known = [r for r in found["runs"] if r["row"] in ROWS and r["data_set"] in SETS]
    usual = {r["data_set"]: r for r in known if r["row"] == DEFAULTS}
    return [
        run
        for run in known
        if run["data_set"] in usual
        and not changes_nothing(run["row"], run["data_set"])
        and differs_as_it_should(found["definitions"], run, usual[run["data_set"]])
    ]


def differs_as_it_should(definitions, run, usual):
    """Tell whether a run differs from one of the defaults as its variant says."""
    own, other = (texts(definitions[r["fingerprint"]]) for r in (run, usual))
    variant = run["row"]
    changed = texts({f"{PREFIX}{k}": plain(x) for k, x in CHANGES[variant].items()})
    if variant not in ESTIMATORS and not changed.items() <= own.items():
        return False
    shared = (own.keys() & other.keys()) - changed.keys() - {"also"}
    return all(own[key] == other[key] for key in shared)


def texts(values):
    """Return values as JSON has them, where NaN is NaN and a tuple is a list."""
    return {name: json.dumps(value) for name, value in values.items()}


def gather(runs):
    """Return {(variant, data set): {seed: figures}}, with what was only scored."""
    cells = {}
    for run in runs:
        named = {run["row"]: run}
        named |= {n: x for n, x in run.get("also", {}).items() if n in SCORED}
        for name, figures in named.items():
            cells.setdefault((name, run["data_set"]), {})[run["seed"]] = figures
    return cells


# -- differences -----------------------------------------------------------------------


def paired(cells, variant, key):
    """Return figures of a variant and of the defaults, of the seeds that both have.

    Where a variant changes nothing, its figures are those of the defaults.

    Returns
    -------
    dict of str to ndarray of shape (2, n_seeds)
        By data set.
    """
    found = {}
    for name in sets_of(variant):
        usual = cells.get((DEFAULTS, name), {})
        same = changes_nothing(variant, name)
        own = usual if same else cells.get((variant, name), {})
        seeds = [s for s in sorted(own) if s in usual]
        seeds = [s for s in seeds if None not in (own[s].get(key), usual[s].get(key))]
        if seeds:
            found[name] = np.array([[x[s][key] for s in seeds] for x in (own, usual)])
    return found


def differences(cells, variant, key="au_prc"):
    """Return what a variant has more than the defaults, per data set and seed."""
    pairs = paired(cells, variant, key)
    return {name: own - usual for name, (own, usual) in pairs.items()}


def deviations(cells, key="au_prc"):
    """Return the standard deviation of the defaults over seeds, per data set."""
    found = paired(cells, DEFAULTS, key)
    return {n: usual.std(ddof=1) for n, (_, usual) in found.items() if len(usual) > 1}


def over_sets(found, names):
    """Return the mean difference over data sets, and its standard error by data sets.

    Parameters
    ----------
    found : dict of str to ndarray
        What ``differences`` returns.
    names : iterable of str
        Data sets; those without differences are left out.

    Returns
    -------
    mean, error : float or None
        No mean without a data set, no error of a single one.

    Notes
    -----
    Of K means over seeds with a standard deviation s between data sets, the error is
    :math:`s / \\sqrt K`.
    """
    means = np.array([found[name].mean() for name in names if name in found])
    if not len(means):
        return None, None
    error = means.std(ddof=1) / np.sqrt(len(means)) if len(means) > 1 else None
    return float(means.mean()), error
