"""Seconds and memory against the number of labels and the number of samples."""

import time
from pathlib import Path

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from benchmarks.command import in_own_process
from benchmarks.speed_parts.common import exponent, found, peak_gb, quiet
from benchmarks.speed_parts.data import draw_labels, make_hierarchy
from skhmc import HCALClassifier, MaxConstraintClassifier

__all__ = ["draw", "goals", "measure", "tables"]

N_FEATURES, BLOCK = 20, 256
LABELS = (1_000, 3_000, 10_000, 30_000, 100_000)  # with
FIXED_SAMPLES = 2_048
SAMPLES = (10_000, 30_000, 100_000, 300_000, 1_000_000)  # with
FIXED_LABELS = 1_000
LIMIT = 1.1
COSTS = {"epoch": "one epoch, s", "predict": "predict_proba, s", "peak_gb": "peak, GB"}
OPTIONS = {
    HCALClassifier: {"hidden_layer_sizes": (128,), "embedding_dim": 64},
    MaxConstraintClassifier: {"hidden_layer_sizes": (128,)},
}
KINDS = {kind.__name__: kind for kind in OPTIONS}
FIGURE = Path(__file__).parents[2] / "docs" / "speed_curves.svg"


def measure(settings):
    """Measure every point in a process of its own."""
    rows = []
    for kind in KINDS:
        points = [("labels", FIXED_SAMPLES, n) for n in LABELS]
        points += [("samples", n, FIXED_LABELS) for n in SAMPLES]
        if settings.quick:
            more = [("samples", n, FIXED_LABELS) for n in (2_000, 6_000)]
            points = points[:2] + more
        for against, *sizes in points:
            row = in_own_process(point, kind, *sizes, settings.threads, settings.seed)
            rows.append({"estimator": kind, "against": against} | row)
            print(rows[-1], flush=True)
    return rows


def point(kind, n_samples, n_labels, threads, seed):
    """Fit and predict in blocks; return seconds and memory."""
    torch.set_num_threads(threads)
    hierarchy = make_hierarchy(n_labels, tree=True)
    Y = draw_labels(hierarchy, n_samples)
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, N_FEATURES), dtype=np.float32)
    n_epochs = int(np.clip(200_000 // n_samples, 1, 2))
    options = OPTIONS[KINDS[kind]] | {"max_iter": n_epochs, "random_state": seed}
    clf = KINDS[kind](hierarchy, device="cpu", **options)
    with threadpool_limits(threads), quiet():
        KINDS[kind](max_iter=1, device="cpu").fit(X[:64], Y[:64, :9].toarray())
        before, start = peak_gb(), time.perf_counter()  # after torch's own imports
        clf.fit(X, Y)
        fit = time.perf_counter() - start
        start = time.perf_counter()
        for k in range(0, n_samples, BLOCK):
            clf.predict_proba(X[k : k + BLOCK])
        predict = time.perf_counter() - start
    epochs = [epoch["dur"] for epoch in clf.history_]
    sizes = {"n_samples": n_samples, "n_labels": n_labels}
    sizes["labels_per_sample"] = Y.nnz / n_samples
    figures = {"epoch": min(epochs), "rest": fit - sum(epochs), "predict": predict}
    return sizes | figures | {"peak_gb": peak_gb(), "before_gb": before}


def curve(rows, kind, against):
    """Return the rows of one curve, and the sizes on its axis."""
    here = [r for r in rows if (r["estimator"], r["against"]) == (kind, against)]
    return here, [row[f"n_{against}"] for row in here]


def tables(rows):
    """Return the table of all points and that of the exponents."""
    heads = ["estimator", "samples", "labels", *COSTS.values(), "of it before fit, GB"]
    heads.append("rest of fit, s")
    cells = [
        [r["estimator"], f"{r['n_samples']:,}", f"{r['n_labels']:,}"]
        + [f"{r[cost]:.2f}" for cost in (*COSTS, "before_gb", "rest")]
        for r in rows
    ]
    slopes = [
        [kind, against, *(exponents(rows, kind, against, cost) for cost in COSTS)]
        for kind in KINDS
        for against in ("labels", "samples")
    ]
    slope_heads = ["estimator", "against", *COSTS.values()]
    title = "Exponents: of all points (of the last two)"
    return [(title, slope_heads, slopes), ("All points", heads, cells)]


def exponents(rows, kind, against, cost):
    """Return the exponents of one cost as text."""
    here, sizes = curve(rows, kind, against)
    costs = [row[cost] for row in here]
    last = exponent(sizes[-2:], costs[-2:])
    return f"{exponent(sizes, costs):.2f} ({last:.2f})"


def goals(rows):
    """Return what was to be reached, and what was."""
    lines = []
    for against, sizes in (("labels", LABELS), ("samples", SAMPLES)):
        for name, costs in (("time", ("epoch", "predict")), ("memory", ("peak_gb",))):
            slopes = [
                exponent(found_sizes, [row[cost] for row in here])
                for here, found_sizes in (curve(rows, kind, against) for kind in KINDS)
                for cost in costs
            ]
            what = f"{name} against {against}, {sizes[0]:,} to {sizes[-1]:,}"
            lines.append([what, "–", f"exponent ≤ {LIMIT}", found(slopes, LIMIT)])
    return lines


def draw(rows):
    """Draw the curves for the documentation."""
    import matplotlib
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6), layout="constrained")
    axes = figure.subplots(2, 2)
    for column, against in enumerate(("labels", "samples")):
        for number, kind in enumerate(KINDS):
            here, sizes = curve(rows, kind, against)
            style = {"color": f"C{number}", "marker": "."}
            for cost, dashes in (("epoch", "-"), ("predict", "--")):
                name = COSTS[cost].removesuffix(", s")
                costs = [row[cost] for row in here]
                label = f"{kind}, {name}"
                axes[0, column].plot(sizes, costs, dashes, label=label, **style)
            peaks = [row["peak_gb"] for row in here]
            axes[1, column].plot(sizes, peaks, **style)
        fixed = {"labels": f"{FIXED_SAMPLES:,} samples"}
        fixed["samples"] = f"{FIXED_LABELS:,} labels"
        axes[0, column].set(title=fixed[against], ylabel="seconds", yscale="log")
        axes[1, column].set(ylabel="peak memory, GB")
        for ax in axes[:, column]:
            ax.set(xlabel=against, xscale="log")
    lines = axes[0, 0].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=2)
    with matplotlib.rc_context({"svg.hashsalt": "skhmc", "svg.fonttype": "none"}):
        figure.savefig(FIGURE, metadata={"Date": None})
