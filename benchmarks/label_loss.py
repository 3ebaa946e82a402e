"""Which loss should train the scores that the max constraint closes.

Run as ``python -m benchmarks.label_loss``. Fits MaxConstraintClassifier with its
defaults, but for ``label_loss``, on the training part of Clus sets and scores
validation rows (the set's own, or 20 % of the training part): micro AU(PRC) before and
after the max constraint, and micro F1 after it. Writes
``benchmarks/results/label_loss.json``.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.class_weight import split_training
from benchmarks.figures import versions
from skhmc import MaxConstraintClassifier
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_score

NAMES = ("cellcycle_FUN", "enron")
LOSSES = ("bce", "mcloss", "asl", "zlpr")
KEYS = ("au_prc_raw", "au_prc", "micro_f1")
RESULTS = Path(__file__).parent / "results" / "label_loss.json"


def scores(name, loss, seed):
    """Return the scores of one fit on validation rows."""
    data = fetch_clus(name, download_if_missing=False)
    fit, held_out = split_training(data)
    clf = MaxConstraintClassifier(data.hierarchy, label_loss=loss, random_state=seed)
    model = make_pipeline(
        SimpleImputer(keep_empty_features=True), StandardScaler(), clf
    )
    Y = data.target.toarray()
    with warnings.catch_warnings():  # labels without a row in this part
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        model.fit(data.data[fit], Y[fit])
    X, true = data.data[held_out], Y[held_out]
    figures = {
        "au_prc": au_prc_score(true, model.predict_proba(X)),
        "micro_f1": f1_score(true, model.predict(X), average="micro"),
    }
    clf.coherence = None  # the scores before the max constraint, without refitting
    return figures | {"au_prc_raw": au_prc_score(true, model.predict_proba(X))}


def main():
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    seeds = range(parser.parse_args().seeds)
    results = {}
    print("data set       loss    AU(PRC) raw  AU(PRC)  micro F1", flush=True)
    for name in NAMES:
        for loss in LOSSES:
            with threadpool_limits(1):
                runs = [scores(name, loss, seed) for seed in seeds]
            results[f"{name}, {loss}"] = runs
            mean = [np.mean([run[key] for run in runs]) for key in KEYS]
            cells = f"{mean[0]:>11.4f} {mean[1]:>8.4f} {mean[2]:>9.4f}"
            print(f"{name:<14} {loss:<7} {cells}", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"versions": versions(), "runs": results}, indent=1)
    RESULTS.write_text(text + "\n")
    print(f"Wrote {RESULTS}")


if __name__ == "__main__":
    main()
