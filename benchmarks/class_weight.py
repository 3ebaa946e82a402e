"""What class_weight="balanced" wins and loses, and under which cap.

Run as ``python -m benchmarks.class_weight``. Fits HCALClassifier with its defaults on
the training part of Clus sets and scores validation rows (the set's own, or 20 % of the
training part): micro AU(PRC), micro and macro F1 over the labels that have a positive
there. Writes ``benchmarks/results/class_weight.json``.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.figures import versions
from skhmc import HCALClassifier
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_score

NAMES = ("cellcycle_FUN", "enron", "diatoms")
CAPS = (None, 3, 10, 100)
KEYS = ("au_prc", "micro_f1", "macro_f1")
RESULTS = Path(__file__).parent / "results" / "class_weight.json"


def split_training(data):
    """Return the rows to fit on and the validation rows of a Clus set."""
    if len(data.valid):
        return data.train, data.valid
    return train_test_split(data.train, test_size=0.2, random_state=0)


def scores(name, cap, seed):
    """Return the scores of one fit on validation rows; a cap of None is unweighted."""
    data = fetch_clus(name, download_if_missing=False)
    fit, held_out = split_training(data)
    options = {} if cap is None else {"class_weight": "balanced"}
    clf = HCALClassifier(data.hierarchy, random_state=seed, **options)
    clf.set_params(class_weight_cap=cap or 1)
    model = make_pipeline(
        SimpleImputer(keep_empty_features=True), StandardScaler(), clf
    )
    Y = data.target.toarray()
    with warnings.catch_warnings():  # labels without a row in this part
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        model.fit(data.data[fit], Y[fit])
    true, predicted = Y[held_out], model.predict(data.data[held_out])
    there = true.any(axis=0)
    macro = f1_score(
        true[:, there], predicted[:, there], average="macro", zero_division=0
    )
    return {
        "au_prc": au_prc_score(true, model.predict_proba(data.data[held_out])),
        "micro_f1": f1_score(true, predicted, average="micro"),
        "macro_f1": macro,
    }


def main():
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1)
    seeds = range(parser.parse_args().seeds)
    results = {}
    print("data set        cap  AU(PRC)  micro F1  macro F1", flush=True)
    for name in NAMES:
        for cap in CAPS:
            with threadpool_limits(1):
                runs = [scores(name, cap, seed) for seed in seeds]
            results[f"{name}, cap {cap}"] = runs
            mean = [np.mean([run[key] for run in runs]) for key in KEYS]
            cells = f"{mean[0]:>8.4f} {mean[1]:>9.4f} {mean[2]:>9.4f}"
            print(f"{name:<14} {cap or 'none':>4} {cells}", flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"versions": versions(), "runs": results}, indent=1)
    RESULTS.write_text(text + "\n")
    print(f"Wrote {RESULTS}")


if __name__ == "__main__":
    main()
