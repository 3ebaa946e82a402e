"""How long stratified folds take, and how many labels a fold lacks.

Run as ``python -m benchmarks.splitters``. Splits 20,000 made samples of 500 labels, few
of them frequent, and the training rows of seq_FUN and of the sparse texts cei into five
folds. Prints seconds, the labels with at least two positives that are absent from some
training part, and those with at least five that are absent from some test part. Writes
``benchmarks/results/splitters.json``.
"""

import json
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from benchmarks.figures import versions
from benchmarks.npz_sets import load_npz_set
from skhmc.datasets import fetch_clus
from skhmc.model_selection import MultilabelStratifiedKFold

N_SPLITS = 5
RESULTS = Path(__file__).parent / "results" / "splitters.json"


def made(n_samples=20_000, n_labels=500):
    """Return sparse labels, few of them frequent."""
    rng = np.random.default_rng(0)
    rate = np.minimum(0.5, 0.05 * rng.pareto(1.2, n_labels) + 5 / n_samples)
    return sp.csr_matrix(rng.random((n_samples, n_labels)) < rate)


def measure(Y):
    """Return seconds, and how many labels are absent from some part."""
    cv, start = MultilabelStratifiedKFold(N_SPLITS), time.perf_counter()
    splits = list(cv.split(Y, Y))
    seconds = time.perf_counter() - start
    count = np.asarray(Y.sum(axis=0)).ravel()
    parts = zip(*splits, strict=True)
    least = [
        np.min([np.asarray(Y[rows].sum(axis=0)).ravel() for rows in part], axis=0)
        for part in parts
    ]
    return {
        "shape": Y.shape,
        "seconds": seconds,
        "absent_from_train": int(((count >= 2) & (least[0] == 0)).sum()),
        "absent_from_test": int(((count >= N_SPLITS) & (least[1] == 0)).sum()),
    }


def main():
    """Print the figures and write the results."""
    seq, cei = fetch_clus("seq_FUN", download_if_missing=False), load_npz_set("cei")
    sets = {"made": made(), "seq_FUN": seq.target[seq.train]}
    sets["cei"] = cei.target[cei.train]
    runs = {name: measure(sp.csr_matrix(Y)) for name, Y in sets.items()}
    for name, run in runs.items():
        print(name, json.dumps(run))
    text = json.dumps({"versions": versions(), "runs": runs}, indent=1)
    RESULTS.write_text(text + "\n")


if __name__ == "__main__":
    main()
