"""By how much HCALClassifier is ahead, over data sets."""

import numpy as np
from scipy.stats import wilcoxon

from benchmarks.accuracy_parts.rows import OURS, ROWS
from benchmarks.accuracy_parts.sets import PUBLISHED, SINGLE_PATH
from benchmarks.accuracy_parts.tables import CLUS_ROWS, MISSING, number, over_seeds
from benchmarks.tables import table

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
        ``n`` data sets, ``mean`` margin, ``wins``, and ``p`` of the Wilcoxon
        signed-rank test against ours being no greater; equal scores are left out of
        that. None without a data set.
    """
    names = [name for name in ours if name in theirs]
    if not names:
        return None
    margins = np.array([ours[name] - theirs[name] for name in names])
    unequal = margins[margins != 0]
    p = wilcoxon(unequal, alternative="greater").pvalue if len(unequal) else 1.0
    wins = int((margins > 0).sum())
    return {"n": len(names), "mean": margins.mean(), "wins": wins, "p": float(p)}


def margin_table(cells):
    """Return the margins of HCALClassifier over all others."""
    ours, lines = over_seeds(cells, OURS), []
    for peer in PEERS:
        found = compare(ours, over_seeds(cells, peer))
        name = f"{peer}, published" if peer in PUBLISHED else peer
        if found is None:
            lines.append([name, *[MISSING] * 4])
            continue
        lines.append([name, found["n"], f"{found['mean']:+.4f}"])
        lines[-1] += [f"{found['wins']} of {found['n']}", p_value(found["p"])]
    heads = ["over", "data sets", "mean margin", "wins", "p, one-sided (greater)"]
    return table(f"AU(PRC) of {OURS}: margins", heads, lines)


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
                f"- AU(PRC) of {OURS} over that of {said}: {found['mean']:+.3f} on "
                f"average; higher on {found['wins']} of {found['n']} data sets."
            )
    raw, final = (over_seeds(cells, OURS, key) for key in ("hvr_raw", "hvr"))
    if final:
        lines.append(
            f"- HVR of {OURS}: {number(min(raw.values()))} to "
            f"{number(max(raw.values()))} before the coherence step, at most "
            f"{number(max(final.values()))} after it, over {len(final)} data sets."
        )
    lines += [line for name in SINGLE_PATH for line in _said_of_paths(cells, name)]
    return "\n".join(lines or ["Nothing is measured yet."]) + "\n"


def _said_of_paths(cells, data_set):
    """Return a line about whole paths, where HCALClassifier has any."""
    peers = {OURS: [OURS], "flat softmax": ["flat softmax"]}
    peers["the best of HiClass"] = [row for row in ROWS if ROWS[row].needs_hiclass]
    said = []
    for name, rows in peers.items():
        found = [over_seeds(cells, row, "path").get(data_set) for row in rows]
        found = [score for score in found if score is not None]
        said += [f"{name} {number(max(found))}"] if found else []
    if not said or not said[0].startswith(OURS):
        return []
    return [f"- Whole paths right, {data_set}: {', '.join(said)}."]
