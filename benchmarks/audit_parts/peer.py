"""Scores annotations with cleanlab, in an environment of its own.

Run as ``python peer.py FOLDER`` by benchmarks.audit, with a Python that has cleanlab
and needs no skhmc. Reads Y.npy and proba.npy; writes scores.npz: arrays (n_samples,
n_labels) by name, smaller where the annotation, 0 or 1, is more probably wrong.
"""

import sys
from pathlib import Path

import numpy as np
from cleanlab.internal.multilabel_utils import int2onehot
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
from cleanlab.multilabel_classification.rank import get_label_quality_scores_per_class


def main(folder):
    """Write the scores of the annotations in a folder."""
    Y = np.load(folder / "Y.npy")
    proba = np.load(folder / "proba.npy")
    labels = [np.flatnonzero(row).tolist() for row in Y]
    assert (int2onehot(labels, K=Y.shape[1]) == Y).all()
    found = {}
    for adjusted in (False, True):
        name = "adjusted" if adjusted else "self-confidence"
        found[name] = get_label_quality_scores_per_class(
            labels, proba, method="self_confidence", adjust_pred_probs=adjusted
        )
    # a label of one value has no confident joint: nothing of it is an issue
    both = np.flatnonzero((Y.sum(axis=0) > 0) & (Y.sum(axis=0) < len(Y)))
    kept = [np.flatnonzero(row).tolist() for row in Y[:, both]]
    issues = find_multilabel_issues_per_class(kept, proba[:, both], n_jobs=1)
    mask = np.zeros(Y.shape, bool)
    mask[:, both] = np.column_stack(issues) if isinstance(issues, list) else issues
    found["issues first"] = found["self-confidence"] - 2 * mask
    np.savez(folder / "scores.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
