"""CAFA's measures: seconds beside cafaeval's, on the same arrays; and the baselines.

Run as ``python -m benchmarks.cafa [--quick] [--only measures|baselines]``. Scores and
true labels of 5,000 samples and 4,125 labels of a random hierarchy are drawn, closed,
and judged at CAFA's 99 thresholds: by ``cafaeval.evaluation.compute_metrics`` in one
process, and by :func:`skhmc.metrics.cafa_curves`, which is given the same closed arrays
(``close=False``), closes them itself (``close=True``), or looks at all scores. Seconds
are those of the processor, of this process and of those that it starts. Both are
checked to find the same.

The baselines that papers print, label frequency and nearest neighbours, are fitted to
as many samples with 50 features, and predict a fifth as many others.

Writes ``benchmarks/results/cafa.json`` and the tables of ``docs/metrics.rst`` and
``docs/which_measure.rst``. With ``--quick`` it judges 200 samples and writes nothing.
``--page`` writes the tables anew.
"""

import os
import warnings
from importlib.metadata import version

import numpy as np
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.command import DOCS, RESULTS, command_line, read_results, write_results
from benchmarks.tables import block, include, table
from skhmc import CoherentClassifier, Hierarchy
from skhmc.coherence import close_upward, max_constraint
from skhmc.metrics import cafa_curves, information_accretion

__all__ = ["PAGE", "STORED", "page"]

STORED = RESULTS / "cafa.json"
PAGE = DOCS / "cafa_table.inc"
N_SAMPLES = 5000
N_FEATURES = 50
N_LABELS = 4125  # as many as the Gene Ontology has in the sets of Clus
GRID = np.arange(0.01, 1, 0.01)
BASELINES = {
    "label frequency": DummyClassifier(strategy="prior"),
    "10 nearest neighbours": KNeighborsClassifier(10),
}
OURS = {
    "cafa_curves, the same closed arrays": {"thresholds": "cafa", "close": False},
    "cafa_curves, closes them itself": {"thresholds": "cafa"},
    "cafa_curves, all scores in place of the grid": {"close": False},
}


def draw(n_samples, seed=0):
    """Return a hierarchy, closed true labels and closed scores."""
    rng = np.random.default_rng(seed)
    edges = [
        (int(parent), child)
        for child in range(1, N_LABELS)
        for parent in rng.integers(0, child, rng.integers(1, 3))
    ]
    hierarchy = Hierarchy(range(N_LABELS), set(edges))
    Y = (rng.random((n_samples, N_LABELS)) < 0.001).astype(np.int8)
    Y[:, 0] = 1  # every protein has the root
    scores = rng.random(Y.shape) ** 3 * (rng.random(Y.shape) < 0.3)
    return hierarchy, close_upward(Y, hierarchy), max_constraint(scores, hierarchy)


def seconds(function):
    """Return the processor's seconds that a call takes, and what it returns."""
    start = sum(os.times()[:4])
    value = function()
    return sum(os.times()[:4]) - start, value


def theirs(Y, scores, bits):
    """Return the seconds of cafaeval, and its precision and recall at thresholds."""
    from cafaeval.evaluation import compute_metrics
    from cafaeval.graph import GroundTruth, Prediction

    ids = {str(k): k for k in range(len(Y))}
    labels = np.arange(Y.shape[1]) if bits is None else np.flatnonzero(bits > 0)
    given = Prediction(ids, scores, "all"), GroundTruth(ids, Y.astype(bool), "all")
    took, found = seconds(
        lambda: compute_metrics(*given, GRID, labels, ic_arr=bits, n_cpu=1)
    )
    n, precision, recall = found[["n", "pr", "rc"]].to_numpy(float).T
    return took, np.array([precision / np.maximum(n, 1), recall / len(Y)])


def measure(n_samples):
    """Return rows: what is weighted, who judges, seconds."""
    hierarchy, Y, scores = draw(n_samples)
    bits = np.array(list(information_accretion(Y, hierarchy, pseudocount=1).values()))
    hierarchy.upward_plan, hierarchy.downward_plan  # noqa: B018 - made before the clock
    rows = []
    for weighted, information in (("labels", None), ("information", bits)):
        took, expected = theirs(Y, scores, information)
        rows.append([weighted, "cafaeval, compute_metrics", took])
        for name, options in OURS.items():
            options = {"hierarchy": hierarchy, "information": information} | options
            took, curves = seconds(lambda o=options: cafa_curves(Y, scores, **o))
            rows.append([weighted, name, took])
            curve = curves["all"]
            if options.get("thresholds") == "cafa":
                found = np.array([curve.precision, curve.recall])
                np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
    return rows


def measure_baselines(n_samples):
    """Return rows: who predicts, seconds of fit and of predict_proba."""
    n_new = n_samples // 5
    hierarchy, Y, _ = draw(n_samples)
    X = np.random.default_rng(1).normal(size=(n_samples + n_new, N_FEATURES))
    rows = []
    for name, inner in BASELINES.items():
        clf = CoherentClassifier(inner, hierarchy)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # labels of one value, which they keep
            fitted, _ = seconds(lambda c=clf: c.fit(X[:n_samples], Y))
            said, proba = seconds(lambda c=clf: c.predict_proba(X[n_samples:]))
        parent, child = hierarchy.edges.T
        if (
            proba.shape != (n_new, N_LABELS)
            or (proba[:, child] > proba[:, parent]).any()
        ):
            raise SystemExit(f"{name} predicted something else.")
        rows.append([name, fitted, said])
    return rows


def page(results):
    """Return the tables of the documentation."""
    first = {}
    cells = []
    for weighted, name, took in results["rows"]:
        first.setdefault(weighted, took)
        ratio = first[weighted] / took
        said = "" if name.startswith("cafaeval") else f"{ratio:.1f}"
        cells.append([weighted, name, f"{took:.2f}", said])
    heads = ["weighted by", "who judges", "seconds", "times faster"]
    title = f"{results['n_samples']:,} samples, {N_LABELS:,} labels, 99 thresholds"
    texts = [block("table", [table(title, heads, cells)])]
    said = [
        [name, *(f"{took:.1f}" for took in times)]
        for name, *times in results["baselines"]
    ]
    n_samples = results["n_samples"]
    title = (
        f"Baselines: fitted to {n_samples:,} samples with {N_FEATURES} features and "
        f"{N_LABELS:,} labels, asked about {n_samples // 5:,}"
    )
    heads = ["inside CoherentClassifier", "seconds of fit", "seconds of predict_proba"]
    texts.append(block("baselines", [table(title, heads, said)]))
    return include("benchmarks.cafa", texts, results["versions"])


PARTS = {
    "measures": ("rows", measure),
    "baselines": ("baselines", measure_baselines),
}


def main():
    parser = command_line(__doc__)
    parser.add_argument("--quick", action="store_true", help="judge few samples")
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--page", action="store_true", help="only write the tables")
    args = parser.parse_args()
    if args.page:
        PAGE.write_text(page(read_results(STORED)))
        return
    n_samples = 200 if args.quick else N_SAMPLES
    names = ("cafaeval", "numpy", "scipy", "scikit-learn")
    results = {} if args.quick else read_results(STORED)
    results |= {"n_samples": n_samples, "seed": 0}
    results["versions"] = {name: version(name) for name in names}
    for part, (key, function) in PARTS.items():
        if args.only in (None, part):
            results[key] = function(n_samples)
    if args.quick and args.only:
        print(results)
        return
    print(page(results))
    if not args.quick:
        write_results(STORED, results)
        PAGE.write_text(page(results))


if __name__ == "__main__":
    main()
