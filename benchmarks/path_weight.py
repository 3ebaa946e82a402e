"""How much coarser levels should count in the score of a single path.

Run as ``python -m benchmarks.path_weight``. Fits HCALClassifier with its defaults on
the training part of the single-path Clus sets, without 20 % held out, and scores these
with several weights of the coarser levels (``skhmc.paths.COARSE_WEIGHT``). Writes
``benchmarks/results/path_weight.json``.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.figures import leaf_accuracy, versions
from skhmc import HCALClassifier, paths
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_score

WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0)
RESULTS = Path(__file__).parent / "results" / "path_weight.json"


def scores(name, seed):
    """Return AU(PRC) and leaf accuracy on held-out training rows, per weight."""
    data = fetch_clus(name, download_if_missing=False)
    fit, held_out = train_test_split(data.train, test_size=0.2, random_state=0)
    clf = HCALClassifier(data.hierarchy, random_state=seed)
    model = make_pipeline(
        SimpleImputer(keep_empty_features=True), StandardScaler(), clf
    )
    Y = data.target.toarray()
    with warnings.catch_warnings():  # labels without a row in this part
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        model.fit(data.data[fit], Y[fit])
    rows, kept = {}, paths.COARSE_WEIGHT
    for weight in WEIGHTS:
        paths.COARSE_WEIGHT = weight
        proba = model.predict_proba(data.data[held_out])
        predicted = model.predict(data.data[held_out])
        rows[weight] = {
            "au_prc": au_prc_score(Y[held_out], proba),
            "leaf_accuracy": leaf_accuracy(Y[held_out], predicted, data.hierarchy),
        }
    paths.COARSE_WEIGHT = kept
    return rows


def main():
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    results = {}
    print("data set    weight  AU(PRC)  leaf accuracy")
    for name in ("diatoms", "imclef07a"):
        with threadpool_limits(1):
            runs = [scores(name, seed) for seed in seeds]
        results[name] = runs
        for weight in WEIGHTS:
            mean = [
                np.mean([run[weight][key] for run in runs])
                for key in ("au_prc", "leaf_accuracy")
            ]
            print(f"{name:<11} {weight:>6} {mean[0]:>8.4f} {mean[1]:>14.4f}")
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"versions": versions(), "runs": results}, indent=1)
    RESULTS.write_text(text + "\n")
    print(f"Wrote {RESULTS}")


if __name__ == "__main__":
    main()
