"""Annotations that were hidden or made wrong, and how many of them an audit finds.

Run as ``python -m benchmarks.audit [--peers PATH/TO/python] [--set NAME] [--seeds 3]
[--condition NAME] [--first-seed 0]``. Hides 5, 10 and 30 % of the most specific
positives of the rows to fit (a sample keeps what is above them), hides 10 % of them
with all that is above no other annotation (as if nobody had looked there), or adds 2 %
wrong ones, each with its ancestors.
KernelHMC gives probabilities in five folds, from annotations as they then are. All
scores rank the same cells and use the same probabilities: those that are 0, or those
that are 1. The figure is the precision at k, k being the number of cells that were
hidden, or made wrong.

Scores of cleanlab need an environment with numpy and cleanlab; ``--peers`` names its
Python, and without it they are left out. What was measured before is not measured
again; ``--stored`` measures nothing. ``--try-out`` stores nothing: for choices, with
other seeds. Writes ``benchmarks/results/audit.json`` and ``docs/audit_tables.inc``.
Real data sets are read from SKHMC_DATA_HOME.
"""

import json
import subprocess
import tempfile
import time
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.stats import ttest_rel
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch

from benchmarks.accuracy_parts import sets
from benchmarks.command import (
    DOCS,
    RESULTS,
    command_line,
    read_results,
    write_results,
)
from benchmarks.figures import versions
from benchmarks.tables import include, table, text_row
from skhmc import KernelHMC
from skhmc.audit import MissingAnnotationDetector
from skhmc.coherence import close_upward, most_specific

__all__ = [
    "HIDDEN",
    "PAGE",
    "SETS",
    "STORED",
    "hide",
    "hide_paths",
    "main",
    "make_wrong",
    "page",
]

STORED = RESULTS / "audit.json"
PAGE = DOCS / "audit_tables.inc"
PEER = Path(__file__).parent / "audit_parts" / "peer.py"
SETS = ("enron", "imclef07a", "pheno_FUN", "cellcycle_FUN", "seq_FUN", "eisen_GO")
HIDDEN = (0.05, 0.1, 0.3)
WRONG = 0.02
SEEDS = 3
MOST_ROWS = 2000  # that are judged
LEAST_POSITIVES = 10  # of a label that is kept
MOST_LABELS = 500  # that are kept, the most frequent
RIDGE = 0.003
OURS = "given"
PARENTS = "probability given parents"
PLAIN = ("probability", "label frequency")
AGGREGATES = (
    OURS,
    "lift",
    "mean",
    "product",
)  # "min" is the probability: it is coherent
PEERS = ("cleanlab", "cleanlab, adjusted")
METHODS = (*AGGREGATES, PARENTS, *PLAIN, *PEERS)
PATHS = 0.1
TITLES = {share: f"{share:.0%} hidden" for share in HIDDEN}
TITLES |= {"paths": "10% of paths hidden", "wrong": "2 % wrong"}


# -- the data --------------------------------------------------------------------------


@lru_cache(1)
def load(name, seed):
    """Return X, scaled, Y and the hierarchy of rows to fit, and of frequent labels."""
    data = sets.load(name)
    random = np.random.RandomState(seed)
    rows = random.permutation(data.fit)[:MOST_ROWS]
    Y = data.Y[rows]
    counts = Y.sum(axis=0)
    often = np.argsort(-counts, kind="stable")[:MOST_LABELS]
    kept = np.sort(often[counts[often] >= LEAST_POSITIVES])
    names = [data.hierarchy.labels[k] for k in kept]
    X = make_pipeline("passthrough", *sets.steps(sets.KINDS[name])).fit_transform(
        data.X[rows]
    )
    return Bunch(X=X, Y=Y[:, kept], hierarchy=data.hierarchy.subset(names))


def hide(Y, hierarchy, share, random):
    """Return annotations without a share of the most specific ones, and which."""
    cells = np.argwhere(most_specific(Y, hierarchy) == 1)
    gone = random.permutation(len(cells))[: round(share * len(cells))]
    changed = np.zeros(Y.shape, bool)
    changed[tuple(cells[gone].T)] = True
    return np.where(changed, 0, Y), changed


def hide_paths(Y, hierarchy, share, random):
    """Return annotations without a share of the paths, and which are gone.

    A path ends with a most specific label; what is above another one as well stays.
    """
    _, ends = hide(Y, hierarchy, share, random)
    fewer = close_upward(most_specific(Y, hierarchy) * ~ends, hierarchy)
    return fewer, fewer < Y


def make_wrong(Y, hierarchy, share, random):
    """Return annotations with wrong ones and what is above these, and which are wrong.

    Labels are drawn as often as they are most specific, samples evenly.
    """
    ends = most_specific(Y, hierarchy)
    n_wrong = round(share * ends.sum())
    often = ends.sum(axis=0) / ends.sum()
    labels = random.choice(Y.shape[1], size=n_wrong, p=often)
    rows = random.randint(len(Y), size=n_wrong)
    more = Y.copy()
    more[rows, labels] = 1
    more = close_upward(more, hierarchy)
    return more, more > Y


# -- measuring -------------------------------------------------------------------------


def precision(badness, candidates, changed):
    """Return the share of changed cells among as many with the greatest badness."""
    n_changed = int(changed.sum())
    ranked = np.where(candidates, badness, -np.inf).ravel()
    worst = np.argsort(-ranked, kind="stable")[:n_changed]
    return float(changed.ravel()[worst].mean())


def given_parents(proba, Y, hierarchy):
    """Return the classifier's probabilities if the parents are there, else 0."""
    parents = hierarchy.parents
    found = proba.copy()
    for label in range(Y.shape[1]):
        above = parents[[label]].indices
        if len(above):
            found[:, label] /= np.maximum(proba[:, above].min(axis=1), 1e-9)
            found[:, label] *= (Y[:, above] == 1).all(axis=1)
    return found


class Peer:
    """The process that scores annotations with cleanlab, started once."""

    def __init__(self, python):
        self.process = subprocess.Popen(
            [python, PEER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def scores(self, Y, proba):
        """Return what cleanlab says of every annotation, by name of the method."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder)
            np.save(path / "Y.npy", Y)
            np.save(path / "proba.npy", np.clip(proba, 0, 1))
            print(path, file=self.process.stdin, flush=True)
            if self.process.stdout.readline().strip() != "done":
                raise SystemExit("cleanlab failed, its message is above.")
            with np.load(path / "scores.npz") as found:
                scores = dict(found)
        names = ("self-confidence", "adjusted")
        return {name: scores[own] for name, own in zip(PEERS, names, strict=True)}


def run(name, seed, condition, peer):
    """Return the precision of every method on annotations that were changed."""
    data = load(name, seed)
    random = np.random.RandomState(seed + 1000)
    others = {"wrong": (make_wrong, WRONG), "paths": (hide_paths, PATHS)}
    change, share = others.get(condition, (hide, condition))
    Y, changed = change(data.Y, data.hierarchy, share, random)
    candidates = Y == (1 if condition == "wrong" else 0)
    start = time.process_time()
    clf = KernelHMC(data.hierarchy, gamma=1 / data.X.var(axis=0).sum(), ridge=RIDGE)
    detector = MissingAnnotationDetector(clf).fit(data.X, Y)
    sign = -1 if condition == "wrong" else 1
    badness = {}
    for aggregate in AGGREGATES:
        detector.set_params(aggregate=aggregate)
        badness[aggregate] = sign * detector.annotation_scores()
    seconds = time.process_time() - start
    proba = detector.proba_
    frequency = np.broadcast_to(Y.mean(axis=0), Y.shape)
    badness[PARENTS] = sign * given_parents(proba, Y, data.hierarchy)
    badness |= dict(zip(PLAIN, (sign * proba, sign * frequency), strict=True))
    if peer:
        found = peer.scores(Y, proba)
        badness |= {method: -scores for method, scores in found.items()}
    found = {m: precision(bad, candidates, changed) for m, bad in badness.items()}
    counts = {"n_changed": int(changed.sum()), "n_candidates": int(candidates.sum())}
    key = {"set": name, "seed": seed, "condition": condition}
    return key | counts | {"cpu_seconds": round(seconds, 1), "precision": found}


def measure(options, results):
    """Measure what is not there yet."""
    keys = ("set", "seed", "condition", "with_peers")
    done = {tuple(run[key] for key in keys) for run in results["runs"]}
    print(text_row(["set", "seed", "condition", "k", *METHODS], WIDTHS))
    with_peers = bool(options.peers)
    peer = Peer(options.peers) if with_peers else None
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in options.set or SETS:
            for condition in TITLES:
                if options.condition and str(condition) not in options.condition:
                    continue
                if (name, seed, condition, with_peers) in done:
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # labels of one value in a fold
                    found = run(name, seed, condition, peer)
                results["runs"].append(found | {"with_peers": with_peers})
                shown = [f"{found['precision'].get(m, np.nan):.3f}" for m in METHODS]
                cells = [name, seed, TITLES[condition], found["n_changed"], *shown]
                print(text_row(cells, WIDTHS), found["cpu_seconds"], flush=True)
                if not options.try_out:
                    write_results(STORED, results)


WIDTHS = (14, 4, 11, -5, *(-max(len(method), 6) for method in METHODS))


# -- showing ---------------------------------------------------------------------------


def values(runs, name, condition, method):
    """Return the precisions of a method, by seed."""
    own = [r for r in runs if r["set"] == name and r["condition"] == condition]
    own.sort(key=lambda run: run["seed"])
    return np.array([r["precision"].get(method, np.nan) for r in own])


def differs(first, second):
    """Return how the means of a few seeds differ: 1, -1, or 0 where it is by chance.

    A paired t-test at 5 %, of the differences seed by seed.
    """
    if len(first) < 2 or np.isnan(second).any():
        return 0
    gap = first - second
    if np.ptp(gap) == 0:
        return int(np.sign(gap[0]))
    return int(np.sign(gap.mean())) if ttest_rel(first, second).pvalue < 0.05 else 0


def row(runs, name, condition):
    """Return the means of a set and a condition as texts."""
    default = "lift" if condition == "wrong" else OURS
    ours = values(runs, name, condition, default)
    cells = [f"{name} ({len(ours)})"]
    for method in METHODS:
        found = values(runs, name, condition, method)
        mark = {1: "", 0: " =", -1: " >"}[differs(ours, found)]
        mark = "" if method == default or len(ours) < 2 else mark
        text = "" if np.isnan(found).any() else f"{found.mean():.3f}{mark}"
        cells.append(text)
    return cells


def page(results):
    """Return the text of the file that the documentation includes."""
    runs = results["runs"]
    names = [name for name in SETS if any(run["set"] == name for run in runs)]
    tables = []
    for condition, said in TITLES.items():
        measured = [n for n in names if len(values(runs, n, condition, OURS))]
        rows = [row(runs, name, condition) for name in measured]
        tables.append(table(f"{said}: precision at k", ["set (seeds)", *METHODS], rows))
    return include("benchmarks.audit", tables, results["versions"])


def peer_versions(python):
    """Return the version of cleanlab in the other environment."""
    code = (
        "import json; from importlib.metadata import version; "
        "print(json.dumps({'cleanlab': version('cleanlab')}))"
    )
    ran = subprocess.run([python, "-c", code], capture_output=True, check=True)
    return json.loads(ran.stdout)


def main():
    """Measure, print and store."""
    line = command_line(__doc__)
    line.add_argument("--peers", help="Python that has cleanlab")
    line.add_argument("--set", choices=SETS, action="append")
    line.add_argument("--seeds", type=int, default=SEEDS)
    line.add_argument("--condition", choices=[str(c) for c in TITLES], action="append")
    line.add_argument("--first-seed", type=int, default=0)
    line.add_argument("--try-out", action="store_true", help="store nothing")
    line.add_argument("--stored", action="store_true", help="measure nothing")
    options = line.parse_args()
    results = {"versions": {}, "runs": []} | read_results(STORED)
    if options.try_out:
        results = {"versions": {}, "runs": []}
    if not options.stored:
        results["versions"] |= versions()
        if options.peers:
            results["versions"] |= peer_versions(options.peers)
        measure(options, results)
    if not options.try_out:
        PAGE.write_text(page(results))
        print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()
