"""How small a label tree gets by its weight_threshold, and what that costs.

Run as ``python -m benchmarks.weight_threshold [--set NAME] [--stored]``. A
LabelTreeClassifier is fitted once per set, with the default threshold, on training
rows. Then smaller weights are dropped step by step: a fit with that threshold has the
same weights, as every classifier is made by itself. Scored are the validation rows, no
test row is read. Sizes are those of a pickle. ``made_100000`` takes some minutes and
2 GB.

What was measured before is not measured again. ``--stored`` measures nothing. Writes
``benchmarks/results/weight_threshold.json`` and ``docs/weight_threshold_table.inc``.
Real data sets are read from SKHMC_DATA_HOME.
"""

import pickle
import tempfile
import time
import warnings
from pathlib import Path

import scipy.sparse as sp

from benchmarks.command import DOCS, RESULTS, command_line, read_results, write_results
from benchmarks.figures import versions
from benchmarks.many_labels_parts import sets
from benchmarks.tables import include, table, text_row
from skhmc import LabelTreeClassifier
from skhmc.metrics import precision_at_k_score

__all__ = ["PAGE", "SETS", "STORED", "THRESHOLDS", "drop_small", "main", "page"]

STORED = RESULTS / "weight_threshold.json"
PAGE = DOCS / "weight_threshold_table.inc"
SETS = ("rcv1_subset1", "goemotions", "made_20000", "made_100000")
DEFAULT = LabelTreeClassifier().weight_threshold
THRESHOLDS = (DEFAULT, 0.1, 0.125, 0.15, 0.2)  # from small to large
MB = 2**20
HEADS = ["set", "labels", "weight_threshold", "size, MB", "P@1", "P@5"]
WIDTHS = (14, -8, -18, -10, -8, -8)


def drop_small(clf, threshold):
    """Drop the weights of a fitted label tree that are not above a threshold."""
    weights = clf._weights
    weights.data[abs(weights.data) <= threshold] = 0
    weights.eliminate_zeros()
    clf._chunks = None  # which a search has made of them


def size_of(clf):
    """Return the megabytes of an estimator in a file."""
    return round(len(pickle.dumps(clf)) / MB, 1)


def measure(name):
    """Return what a label tree takes and how good it is, threshold by threshold."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        sets.store(name, "valid", folder)
        X, X_judged = (
            sp.csr_matrix(sp.load_npz(folder / f"X_{part}.npz"))
            for part in ("train", "judged")
        )
        Y, Y_judged, hierarchy = sets.load(folder)
    clf = LabelTreeClassifier(hierarchy, random_state=0)
    start = time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels without a row
        clf.fit(X, Y)
    seconds = round(time.process_time() - start, 1)
    rows = []
    for threshold in THRESHOLDS:
        drop_small(clf, threshold)
        top = clf.predict_top_k(X_judged, 5, among="leaves")
        scores = [
            round(precision_at_k_score(Y_judged, top, hierarchy=hierarchy, k=k), 5)
            for k in (1, 5)
        ]
        row = [name, Y.shape[1], threshold, size_of(clf), *scores]
        print(text_row([str(cell) for cell in row], WIDTHS), flush=True)
        rows.append(row)
    return {"set": name, "cpu_seconds": seconds, "rows": rows}


def page(results):
    """Return the text of the file that the documentation includes."""
    cells = [
        [name, f"{n:,}", str(threshold), str(size), f"{p1:.4f}", f"{p5:.4f}"]
        for run in in_order(results)
        for name, n, threshold, size, p1, p5 in run["rows"]
    ]
    title = "Size of a label tree by its weight_threshold; validation rows, one seed"
    return include(
        "benchmarks.weight_threshold", [table(title, HEADS, cells)], results["versions"]
    )


def in_order(results):
    """Return the runs in the order of ``SETS``."""
    return sorted(results["runs"], key=lambda run: SETS.index(run["set"]))


def main(arguments=None):
    """Measure, print and store."""
    line = command_line(__doc__)
    line.add_argument("--set", choices=SETS, action="append")
    line.add_argument("--stored", action="store_true", help="measure nothing")
    options = line.parse_args(arguments)
    results = {"versions": {}, "runs": []} | read_results(STORED)
    done = {run["set"] for run in results["runs"]}
    if not options.stored:
        print(text_row(HEADS, WIDTHS))
        for name in options.set or SETS:
            if name not in done:
                results["runs"].append(measure(name))
                results["versions"] |= versions()
                write_results(STORED, results)
    PAGE.write_text(page(results))
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()
