"""The recommended blend beside the best other row of every data set."""

import numpy as np
from scipy.stats import ttest_rel

from benchmarks.accuracy_parts.rows import BLEND
from benchmarks.accuracy_parts.sets import CLUS, GROUPS, PUBLISHED
from benchmarks.accuracy_parts.tables import CLUS_ROWS, MISSING, over_seeds
from benchmarks.tables import table

__all__ = ["blend_said", "blend_table", "standing"]

RISK = 0.05  # of the test that calls a difference one


def by_seed(cells, row, data_set):
    """Return the AU(PRC) of a row by seed."""
    runs = cells.get((row, data_set), [])
    return {run["seed"]: run["au_prc"] for run in runs if run["au_prc"] is not None}


def standing(cells, data_set):
    """Compare the blend with the best other row of a data set.

    Returns
    -------
    dict or None
        ``blend`` and ``best``, means over all seeds of each; ``row``, the best other
        one; ``n`` seeds that both have, the mean ``difference`` over these, and ``p``
        of the two-sided paired t-test, None of one seed. None without figures.
    """
    ours = by_seed(cells, BLEND, data_set)
    others = {row: by_seed(cells, row, data_set) for row in CLUS_ROWS if row != BLEND}
    others = {row: scores for row, scores in others.items() if scores}
    if not ours or not others:
        return None
    row = max(others, key=lambda name: np.mean(list(others[name].values())))
    both = sorted(ours.keys() & others[row].keys())
    pairs = np.array([[ours[seed], others[row][seed]] for seed in both])
    found = {
        "blend": float(np.mean(list(ours.values()))),
        "row": row,
        "best": float(np.mean(list(others[row].values()))),
        "n": len(both),
        "difference": float((pairs[:, 0] - pairs[:, 1]).mean()) if both else None,
        "p": None,
    }
    if len(both) > 1 and np.ptp(pairs[:, 0] - pairs[:, 1]) > 0:
        found["p"] = float(ttest_rel(pairs[:, 0], pairs[:, 1]).pvalue)
    return found


def verdict(found):
    """Return whether the blend is first, level with the first, or behind it."""
    if found["blend"] >= found["best"]:
        return "first"
    if found["p"] is None:
        return "behind, too few seeds for a test"
    return "behind" if found["p"] < RISK else "not worse"


def blend_table(cells):
    """Return the blend beside the best other row, a line per data set."""
    lines = []
    for name in CLUS:
        found = standing(cells, name)
        if found is None:
            lines.append([name, *[MISSING] * 6])
            continue
        difference = found["difference"]
        lines.append([name, f"{found['blend']:.4f}", found["row"]])
        lines[-1].append(f"{found['best']:.4f}")
        lines[-1].append(MISSING if difference is None else f"{difference:+.4f}")
        lines[-1].append(str(found["n"]))
        lines[-1].append(verdict(found))
    heads = ["", BLEND, "best other row", "its AU(PRC)"]
    heads += ["difference, same seeds", "seeds", "by a paired t-test"]
    return table(f"AU(PRC): {BLEND} and the best other row", heads, lines)


def blend_said(cells):
    """Return how the blend stands, in a few lines."""
    found = {name: standing(cells, name) for name in CLUS}
    verdicts = [verdict(x) for x in found.values() if x is not None]
    if not verdicts:
        return "Nothing is measured yet.\n"
    lines = [
        f"- First of all rows on {verdicts.count('first')} of the {len(verdicts)} data "
        f"sets that are measured ({len(CLUS)} are planned), not worse by a paired "
        f"t-test on {verdicts.count('not worse')} more."
    ]
    means = over_seeds(cells, BLEND)
    published = next(iter(PUBLISHED.values()))
    for group in ("FunCat", "Gene Ontology"):
        names = [name for name in GROUPS[group] if name in published]
        known = [means[name] for name in names if name in means]
        if len(known) == len(names):
            lines.append(
                f"- Mean over the {len(names)} {group} sets with published figures: "
                f"{np.mean(known):.4f}."
            )
    return "\n".join(lines) + "\n"
