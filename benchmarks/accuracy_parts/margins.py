"""By how much HCALClassifier is ahead, over data sets."""

import numpy as np
from scipy.stats import wilcoxon

from benchmarks.accuracy_parts.rows import BLEND, OURS, ROWS
from benchmarks.accuracy_parts.sets import KINDS, PUBLISHED, SINGLE_PATH
from benchmarks.accuracy_parts.tables import (
    CLUS_ROWS,
    MISSING,
    number,
    over_seeds,
    scores,
    spread,
)
from benchmarks.tables import signed, table

__all__ = ["best_published", "compare", "margin_table", "summary"]

PEERS = (*(row for row in CLUS_ROWS if row != OURS), *PUBLISHED)
PEERS = ("C-HMCNN(h)", *(peer for peer in PEERS if peer != "C-HMCNN(h)"))


def compare(ours, theirs):
    """Compare scores of two methods on the data sets that both have.

    Parameters
    ----------
    ours, theirs : dict of str to float

    Returns
    -------
    dict or None
        ``n`` data sets, ``mean`` and ``median`` margin, ``wins``, and ``p`` of the
        Wilcoxon signed-rank test against ours being no greater; equal scores are left
        out of that. ``many`` and ``single`` are the mean margins of the data sets of
        many paths and of single paths, or None. None without a data set.
    """
    names = [name for name in ours if name in theirs]
    if not names:
        return None
    margins = np.array([ours[name] - theirs[name] for name in names])
    single = np.isin(names, SINGLE_PATH)
    return {
        "n": len(names),
        "mean": margins.mean(),
        "median": np.median(margins),
        "many": margins[~single].mean() if not single.all() else None,
        "single": margins[single].mean() if single.any() else None,
        "wins": int((margins > 0).sum()),
        "p": p_greater(margins),
    }


def p_greater(margins):
    """Return the one-sided p-value of the signed ranks of margins."""
    unequal = margins[margins != 0]
    if not len(unequal):
        return 1.0
    return float(wilcoxon(unequal, alternative="greater").pvalue)


def margin_table(cells):
    """Return the margins of HCALClassifier over all others."""
    ours, lines = over_seeds(cells, OURS), []
    for peer in PEERS:
        found = compare(ours, over_seeds(cells, peer))
        name = f"{peer}, published" if peer in PUBLISHED else peer
        if found is None:
            lines.append([name, *[MISSING] * 7])
            continue
        lines.append([name, found["n"]])
        lines[-1] += [margin(found[x]) for x in ("mean", "median", "many", "single")]
        lines[-1] += [f"{found['wins']} of {found['n']}", p_value(found["p"])]
    heads = ["over", "data sets", "mean margin", "median", "mean, many paths"]
    heads += ["mean, single paths", "wins", "p, one-sided (greater)"]
    return table(f"AU(PRC) of {OURS}: margins", heads, lines)


def margin(value):
    """Return a margin as text."""
    return MISSING if value is None else signed(value, 4)


def p_value(p):
    """Return a p-value as text."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def best_published():
    """Return the highest published score of every data set."""
    names = next(iter(PUBLISHED.values()))
    return {name: max(x[name] for x in PUBLISHED.values()) for name in names}


def summary(cells):
    """Return what the test parts say, in a few lines."""
    ours, lines = over_seeds(cells, OURS), []
    named = ("C-HMCNN(h)", "MaxConstraintClassifier", "flat MLP + closing")
    for peer in named:
        found = compare(ours, over_seeds(cells, peer))
        if found is not None:
            said = f"{peer}, as published" if peer in PUBLISHED else peer
            lines.append(
                f"- AU(PRC) of {OURS} over that of {said}: "
                f"{signed(found['mean'], 3)} on average ({_by_paths(found)}); "
                f"higher on {found['wins']} of {found['n']} data sets."
            )
    raw, final = (over_seeds(cells, OURS, key) for key in ("hvr_raw", "hvr"))
    if final:
        highest = max(final.values())
        lines.append(
            f"- HVR of {OURS}: {number(min(raw.values()))} to "
            f"{number(max(raw.values()))} before the coherence step, "
            f"{'at most ' if highest else ''}{number(highest)} after it, over "
            f"{len(final)} data sets."
        )
    found = compare(over_seeds(cells, BLEND), ours)
    if found is not None:
        lines.append(
            f"- AU(PRC) of the {BLEND} ({_n_seeds(cells, BLEND)}) over that of {OURS}: "
            f"{found['mean']:+.3f} on average ({_by_paths(found)}); higher on "
            f"{found['wins']} of {found['n']} data sets."
        )
    lines += [line for name in SINGLE_PATH for line in _said_of_paths(cells, name)]
    return "\n".join(lines or ["Nothing is measured yet."]) + "\n"


def _n_seeds(cells, row):
    """Return with how many seeds a row is fitted, in words."""
    numbers = sorted({len(runs) for (name, _), runs in cells.items() if name == row})
    if numbers == [1]:
        return "one seed"
    return f"{' to '.join(map(str, sorted({numbers[0], numbers[-1]})))} seeds"


def _by_paths(found):
    """Return the mean margins by kind of data set in words."""
    parts = [("many paths", found["many"]), ("single paths", found["single"])]
    return ", ".join(f"{name} {signed(x, 3)}" for name, x in parts if x is not None)


def _said_of_paths(cells, data_set):
    """Return a line about whole paths, where HCALClassifier has any."""
    peers = {OURS: [OURS], "flat softmax": ["flat softmax"]}
    best = "the best of HiClass"
    best += " (rows of pixels, no CNN)" if KINDS[data_set] == "images" else ""
    peers[best] = [row for row in ROWS if ROWS[row].needs_hiclass]
    said = []
    for name, rows in peers.items():
        found = [scores(cells, row, data_set, lambda run: run["path"]) for row in rows]
        found = [values for values in found if values]
        said += [f"{name} {spread(max(found, key=np.mean))}"] if found else []
    if not said or not said[0].startswith(OURS):
        return []
    return [f"- Whole paths right, {data_set}: {', '.join(said)}."]
