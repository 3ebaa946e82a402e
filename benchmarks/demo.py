"""First light: HCALClassifier beside what people use today, on real data.

Run as ``python -m benchmarks.demo``. Prints one table per data set (digit properties
always, cellcycle_FUN when its files are found) and writes into ``demo_output`` all
figures and one sample's prediction drawn on the hierarchy.
"""

import json
import os
import platform
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

import skhmc
from benchmarks.peers import PriorForConstantLabels
from benchmarks.recipe import table_steps
from skhmc import HCALClassifier
from skhmc._networks.parameters import N_EPOCHS, WIDTHS
from skhmc.coherence import max_constraint
from skhmc.datasets import fetch_clus, get_data_home, load_digit_properties
from skhmc.inspection import HierarchyDisplay
from skhmc.metrics import (
    au_prc_score,
    hierarchical_f1_score,
    hierarchical_violation_rate,
)

SEED = 0
COLUMNS = {
    "AU(PRC) micro": "{:.3f}",
    "hier. F1": "{:.3f}",
    "HVR raw": "{:.3f}",
    "HVR final": "{:.3f}",
    "fit s": "{:.1f}",
}
LEGEND = """\
AU(PRC) micro, hier. F1: quality of probabilities and of predicted sets; 1 is best.
HVR: share of test samples with a predicted label whose parent is not predicted; 0 is
coherent. Raw is before the model's coherence step, final after it. Labels are predicted
above 0.5, which few rare labels reach. Every model is trained on one thread."""


@dataclass
class Task:
    """A data set with its split."""

    name: str
    hierarchy: skhmc.Hierarchy
    X_train: np.ndarray
    Y_train: np.ndarray
    X_test: np.ndarray
    Y_test: np.ndarray
    not_scored: list
    mlp_epochs: int


def digit_task():
    """Return the digit properties."""
    data = load_digit_properties()
    return _task("digit properties", data, data.train, mlp_epochs=60)


def cellcycle_task():
    """Return cellcycle_FUN, or None when its files are not there."""
    try:
        data = fetch_clus("cellcycle_FUN", download_if_missing=False)
    except FileNotFoundError:
        return None
    # The MLP has no dropout; 16 epochs were chosen on the published validation rows.
    train = np.concatenate([data.train, data.valid])
    return _task("cellcycle_FUN", data, train, mlp_epochs=16)


def _task(name, data, train, mlp_epochs):
    Y = data.target.toarray() if hasattr(data.target, "toarray") else data.target
    Y = Y.astype(np.int64)  # in uint8 scikit-learn 1.9 mixes up > 256 labels
    rows = (data.data[train], Y[train], data.data[data.test], Y[data.test])
    out = [n for n, m in zip(data.label_names, data.eval_mask, strict=True) if not m]
    return Task(name, data.hierarchy, *rows, out, mlp_epochs)


def build_models(task, hcal=None):
    """Return the classifiers by name; ``hcal`` changes parameters of HCALClassifier."""
    network = HCALClassifier(task.hierarchy, random_state=SEED, **(hcal or {}))
    sizes, n_epochs = network.hidden_layer_sizes, network.max_iter
    sizes = WIDTHS if sizes == "auto" else sizes  # of an X that is not sparse
    n_epochs = N_EPOCHS if n_epochs == "auto" else n_epochs
    logistic = MultiOutputClassifier(LogisticRegression(max_iter=1000))
    mlp = MLPClassifier(sizes, max_iter=task.mlp_epochs, random_state=SEED)
    width = "-".join(map(str, np.atleast_1d(sizes)))
    # half the batch size of the defaults, so half the epochs: as many steps
    published = clone(network).set_params(
        **HCALClassifier.PUBLISHED, max_iter=max(n_epochs // 2, 1)
    )
    return {
        "MultiOutput(LogisticRegression)": PriorForConstantLabels(logistic),
        f"flat MLP {width}, {task.mlp_epochs} epochs": mlp,
        "HCAL, published mechanisms": published,
        f"HCALClassifier, {n_epochs} epochs": network,
    }


def run(task, models):
    """Fit and score the models; return the table's rows and the last Pipeline."""
    rows = []
    for name, model in models.items():
        print(f"  training {name} ...", end=" ", flush=True)
        fitted, seconds = _fit(task, model)
        print(f"{seconds:.1f} s", flush=True)
        proba = fitted.predict_proba(task.X_test)
        raw = final = (proba > 0.5).astype(int)
        if isinstance(model, HCALClassifier):
            raw = fitted[-1].predict_raw(fitted[:-1].transform(task.X_test))
            final = fitted.predict(task.X_test)
        rows.append(_score(task, name, proba, raw, final, seconds))
        if isinstance(model, MLPClassifier):
            proba = max_constraint(proba, task.hierarchy)
            final = (proba > 0.5).astype(int)
            name = "  the same, closed upward"
            rows.append(_score(task, name, proba, raw, final, seconds))
    return rows, fitted


def _fit(task, model):
    pipeline = make_pipeline(*table_steps(), model)
    # On a busy machine several threads are many times slower than one.
    with warnings.catch_warnings(), threadpool_limits(1):
        # Epochs are few on purpose, and describe() has counted the constant labels.
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", r"Of \d+ labels", UserWarning)
        start = time.perf_counter()
        pipeline.fit(task.X_train, task.Y_train)
        return pipeline, time.perf_counter() - start


def _score(task, name, proba, raw, final, seconds):
    Y, hierarchy, out = task.Y_test, task.hierarchy, {"exclude": task.not_scored}
    values = (
        au_prc_score(Y, proba, hierarchy=hierarchy, **out),
        hierarchical_f1_score(Y, final, hierarchy, **out),
        hierarchical_violation_rate(raw, hierarchy),
        hierarchical_violation_rate(final, hierarchy),
        seconds,
    )
    return {"model": name, **dict(zip(COLUMNS, values, strict=True))}


def format_table(rows):
    """Return the rows as aligned text."""
    width = max(len(row["model"]) for row in rows)
    head = "  ".join(["model".ljust(width), *COLUMNS])
    lines = [head, "-" * len(head)]
    for row in rows:
        cells = (f.format(row[c]).rjust(len(c)) for c, f in COLUMNS.items())
        lines.append("  ".join([row["model"].ljust(width), *cells]))
    return "\n".join("  " + line for line in lines)


def describe(task):
    """Return what the data set is, in one or two lines."""
    constant = (task.Y_train == task.Y_train[0]).all(axis=0).sum()
    return (
        f"{task.name}: {task.hierarchy}\n  {len(task.X_train)} training and "
        f"{len(task.X_test)} test samples, {task.X_train.shape[1]} features; labels "
        f"constant in training: {constant}"
    )


def draw(task, fitted, path):
    """Draw the test sample that the model is least sure of; return its position."""
    import matplotlib

    matplotlib.use("Agg")  # no window
    distance = np.abs(fitted.predict_proba(task.X_test) - 0.5).min(axis=1)
    sample = int(distance.argmin())
    display = HierarchyDisplay.from_estimator(
        fitted,
        task.X_test,
        y_true=task.Y_test,
        sample=sample,
        title=f"{task.name}, test sample {sample}",
    )
    image = display.ax_.inset_axes([0.88, 0.8, 0.1, 0.2])
    image.imshow(task.X_test[sample].reshape(8, 8), cmap="gray_r")
    image.set_axis_off()
    display.figure_.savefig(path, dpi=150)
    return sample


def environment():
    """Return versions, seed and size of the machine."""
    modules = {"numpy": np, "scikit-learn": sklearn, "torch": torch, "skhmc": skhmc}
    versions = {name: module.__version__ for name, module in modules.items()}
    versions = {"python": platform.python_version()} | versions
    return {"versions": versions, "cpu_count": os.cpu_count(), "seed": SEED}


def main(output="demo_output"):
    """Run the demo and write its files into a folder."""
    output, start = Path(output), time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    report = environment() | {"tables": {}}
    versions = ", ".join(f"{k} {v}" for k, v in report["versions"].items())
    print(f"{versions}; {os.cpu_count()} CPUs; seed {SEED}\n")
    for task in (digit_task(), cellcycle_task()):
        if task is None:
            print(
                f"cellcycle_FUN: skipped, no files in {get_data_home()}. Set "
                f"SKHMC_DATA_HOME to the folder of clus/cellcycle_FUN.*.arff.gz\n"
            )
            continue
        print(describe(task))
        rows, fitted = run(task, build_models(task))
        report["tables"][task.name] = rows
        print(f"\n{format_table(rows)}\n")
        if "drawn" not in report:  # the first are the digits
            report["drawn"] = draw(task, fitted, output / "prediction.png")
    print(LEGEND)
    (output / "demo.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"\nPicture of one prediction: {output / 'prediction.png'}")
    print(f"All figures: {output / 'demo.json'}")
    print(f"Took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
