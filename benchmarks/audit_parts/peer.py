"""Scores annotations with cleanlab, in an environment of its own.

Run as ``python peer.py`` by benchmarks.audit, with a Python that has cleanlab and needs
no skhmc. Reads names of folders, one a line. Of each it reads Y.npy and proba.npy, and
writes scores.npz: arrays (n_samples, n_labels) by name, smaller where the annotation, 0
or 1, is more probably wrong. Then it prints "done".
"""

import sys
from pathlib import Path

import numpy as np
from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class


def main(folder):
    """Write the scores of the annotations in a folder."""
    Y = np.load(folder / "Y.npy")
    proba = np.load(folder / "proba.npy")
    labels = [np.flatnonzero(row).tolist() for row in Y]
    found = {}
    for adjusted in (False, True):
        name = "adjusted" if adjusted else "self-confidence"
        found[name] = get_label_quality_scores_per_class(
            labels, proba, method="self_confidence", adjust_pred_probs=adjusted
        )
    np.savez(folder / "scores.npz", **found)


if __name__ == "__main__":
    for line in sys.stdin:
        main(Path(line.strip()))
        print("done", flush=True)
