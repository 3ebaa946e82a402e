"""The figure of benchmarks.accuracy: margins over the best published score."""

from pathlib import Path

import numpy as np

from benchmarks.accuracy_parts.margins import best_published
from benchmarks.accuracy_parts.tables import over_seeds

__all__ = ["FIGURE", "draw", "drawn"]

WIDTH = 4  # inches
LEAST = -0.06  # what is further behind is written at the edge
FIGURE = Path(__file__).parents[2] / "docs" / "accuracy.svg"
STYLES = {  # in colours of Okabe and Ito; by shape alone in grey
    "HCALClassifier": ("o", "#000000"),
    "MaxConstraintClassifier": ("s", "#0072B2"),
    "flat MLP + closing": ("^", "#D55E00"),
    "HyperbolicHMC": ("D", "#009E73"),
    "random forest": ("X", "#CC79A7"),
}


def drawn(cells):
    """Return the data sets and the rows that the figure has."""
    best = best_published()
    rows = {row: over_seeds(cells, row) for row in STYLES}
    names = [name for name in best if any(name in means for means in rows.values())]
    return names, {row: means for row, means in rows.items() if set(means) & set(names)}


def draw(cells, path=FIGURE):
    """Draw the margins of rows over the best published score of every data set."""
    import matplotlib
    from matplotlib.figure import Figure

    best, (names, rows) = best_published(), drawn(cells)
    # as narrow as a phone, so that its text is not made smaller there
    figure = Figure(figsize=(WIDTH, 2 + 0.7 * len(names)), layout="constrained")
    ax = figure.subplots()
    ax.axvline(0, color="0.4", lw=1)
    for number, (row, means) in enumerate(rows.items()):
        marker, colour = STYLES[row]
        here = [k for k, name in enumerate(names) if name in means]
        margins = np.array([means[names[k]] - best[names[k]] for k in here])
        runs = [cells[row, names[k]] for k in here]
        sds = [np.std([r["au_prc"] for r in x], ddof=1) if x[1:] else 0 for x in runs]
        sds = np.where(margins < LEAST, 0, sds)
        heights = np.array(here) + 0.15 * (number - (len(rows) - 1) / 2)
        style = {"color": colour, "marker": marker, "markersize": 5}
        style |= {"ls": "none", "capsize": 2, "label": row}
        ax.errorbar(np.maximum(margins, LEAST), heights, xerr=sds, **style)
        for margin, height in zip(margins, heights, strict=True):
            if margin < LEAST:
                ax.text(LEAST + 0.005, height, f"← {margin:.2f}", va="center", size=7)
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.grid(axis="x", color="0.9")
    ax.set_axisbelow(True)
    ax.set_xlabel("AU(PRC) less the best published one,\nand standard deviation")
    ax.set_xticks([-0.05, 0, 0.05])
    figure.legend(loc="outside lower center", frameon=False)
    with matplotlib.rc_context({"svg.hashsalt": "skhmc", "svg.fonttype": "none"}):
        figure.savefig(path, metadata={"Date": None})
