"""HCALClassifier with its defaults on the Clus sets of the first release.

Run as ``python -m benchmarks.first_light [--data-set NAME] [--seeds N]``. For every set
a row of the defaults and one of the published mechanisms of HCAL
(``HCALClassifier.PUBLISHED``, one seed): micro AU(PRC) over seeds beside the published
figure of C-HMCNN(h), leaf accuracy where samples have single paths, HVR raw and final,
fit seconds and the peak memory of the process. Every fit runs in a process of its own,
one after the other, on one thread.
Writes ``benchmarks/results/first_light.json``.
"""

import argparse
import json
import multiprocessing
import platform
import resource
import time
import warnings
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import skhmc
from skhmc import HCALClassifier
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_score, hierarchical_violation_rate

PUBLISHED = {"cellcycle_FUN": 0.255, "imclef07a": 0.956, "cellcycle_GO": 0.413}
SEEDS = {"cellcycle_FUN": 3, "imclef07a": 3, "cellcycle_GO": 1}
RESULTS = Path(__file__).parent / "results" / "first_light.json"


def fit_and_score(name, seed, max_iter=None, published=False):
    """Fit on train and valid together, score on test; return the figures."""
    with threadpool_limits(1):  # results differ in the last digits with their number
        return _fit_and_score(name, seed, max_iter, published)


def _fit_and_score(name, seed, max_iter, published):
    data = fetch_clus(name, download_if_missing=False)
    train, Y = np.concatenate([data.train, data.valid]), data.target.toarray()
    options = {} if max_iter is None else {"max_iter": max_iter}
    if published:  # batches of half the size, so half the epochs: as many steps
        options = {"max_iter": 30, **HCALClassifier.PUBLISHED, **options}
    clf = HCALClassifier(data.hierarchy, random_state=seed, **options)
    model = make_pipeline(
        SimpleImputer(keep_empty_features=True), StandardScaler(), clf
    )
    start = time.perf_counter()
    with warnings.catch_warnings():  # labels without a training row: part of the data
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        model.fit(data.data[train], Y[train])
    seconds = time.perf_counter() - start
    X_test, Y_test = data.data[data.test], Y[data.test]
    not_scored = np.array(data.label_names)[~data.eval_mask].tolist()
    figures = {
        "name": name,
        "seed": seed,
        "published": published,
        "form": clf.label_loss_,
        "seconds": seconds,
        "au_prc": au_prc_score(
            Y_test,
            model.predict_proba(X_test),
            hierarchy=data.hierarchy,
            exclude=not_scored or None,
        ),
    }
    predicted = model.predict(X_test)
    figures["hvr"] = hierarchical_violation_rate(predicted, data.hierarchy)
    if clf.label_loss_ == "softmax":
        figures["leaf_accuracy"] = leaf_accuracy(Y_test, predicted, data.hierarchy)
    clf.coherence = None  # the scores before the coherence step, without refitting
    raw = model.predict(X_test)
    figures["hvr_raw"] = hierarchical_violation_rate(raw, data.hierarchy)
    if clf.label_loss_ == "softmax":
        figures["leaf_accuracy_raw"] = leaf_accuracy(Y_test, raw, data.hierarchy)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # KiB, on Linux
    return figures | {"peak_gb": peak / 2**20}


def leaf_accuracy(Y, predicted, hierarchy):
    """Return the share of samples whose leaf is predicted, and no other leaf."""
    leaves = hierarchy.leaves
    return float((Y[:, leaves] == predicted[:, leaves]).all(axis=1).mean())


def in_own_process(*args):
    """Fit in a fresh process, so that its peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(fit_and_score, args)


def summary(name, runs):
    """Return a table row of the runs of one data set."""

    def mean(key):
        return np.mean([run[key] for run in runs]) if key in runs[0] else np.nan

    sd = np.std([run["au_prc"] for run in runs])
    leaf = f"{mean('leaf_accuracy'):.3f}" if "leaf_accuracy" in runs[0] else "-"
    return (
        f"{name:<14} {len(runs):>5} {mean('au_prc'):>8.4f} ± {sd:.4f} "
        f"{PUBLISHED[runs[0]['name']]:>10.3f} {leaf:>9} {mean('hvr_raw'):>8.4f} "
        f"{mean('hvr'):>9.4f} {mean('seconds'):>7.1f} "
        f"{max(run['peak_gb'] for run in runs):>8.2f}"
    )


def versions():
    """Return the versions that figures depend on."""
    modules = {m.__name__: m.__version__ for m in (np, sklearn, torch, skhmc)}
    return {"python": platform.python_version()} | modules


def main():
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-set", choices=list(SEEDS), action="append")
    parser.add_argument("--seeds", type=int, help="by default 3, and 1 for GO")
    options = parser.parse_args()
    print(
        "data set       seeds  AU(PRC) ± sd       C-HMCNN  leaf acc  HVR raw  "
        "HVR final   fit s  peak GB"
    )
    runs = []
    for name in options.data_set or SEEDS:
        seeds = range(options.seeds or SEEDS[name])
        runs.append([in_own_process(name, seed) for seed in seeds])
        print(summary(name, runs[-1]), flush=True)
        runs.append([in_own_process(name, 0, None, True)])
        print(summary("  published", runs[-1]), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"versions": versions(), "runs": sum(runs, [])}, indent=1)
    RESULTS.write_text(text + "\n")
    print(f"Wrote {RESULTS}")


if __name__ == "__main__":
    main()
