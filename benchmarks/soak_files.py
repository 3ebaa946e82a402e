"""Damaged and crafted model files: refused, equal, another model, or WRONG.

Run as ``python -m benchmarks.soak_files [--cases 20000] [--seed 0] [--only NAME]``.
Saves an estimator of every sort with :func:`skhmc.save`, and changes the file: cuts it,
writes other bytes, says sizes of 2**60, other dtypes, a key twice, brackets 100,000
deep, names that are paths, or classes that are not there. Damage has to be refused with
a ``ModelFileError``, but for bytes that mean the same. Of crafted files, whose sum is
right again, some are another model; none may run anything, read a pickle, write a file,
take more memory than ``--memory``, or end the process.

Case k of a kind is the same in every run with a seed. Prints what came of the cases of
every kind, writes ``benchmarks/results/soak_files.json``, and exits with 1 where
anything was wrong. ``tests/test_saving_hostile.py`` runs some cases of every kind.
"""

import random
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import skhmc
from benchmarks.command import RESULTS, command_line, write_results
from benchmarks.figures import versions
from benchmarks.soak_parts.model_files import (
    EQUAL,
    KINDS,
    OTHER,
    REFUSED,
    WRONG,
    outcome,
)
from benchmarks.tables import text_row

OUTCOMES = (REFUSED, EQUAL, OTHER, WRONG)
MAX_SHOWN = 3  # wrong cases of a kind that are printed
WIDTHS = (20, *(-len(name) - 3 for name in OUTCOMES))


@cache
def originals():
    """Return estimators that are saved, with what they say and their files' bytes."""
    tree = skhmc.Hierarchy.from_paths(["a/1", "a/2", "b/1", "b/2", "c"])
    rng = np.random.default_rng(0)
    ends = np.array(tree.leaves)[rng.integers(len(tree.leaves), size=60)]
    Y = skhmc.coherence.close_upward(np.eye(tree.n_labels, dtype=int)[ends], tree)
    X = rng.normal(size=(60, 5)) + Y @ rng.normal(size=(tree.n_labels, 5))
    small = {"hidden_layer_sizes": (4,), "max_iter": 2, "random_state": 0}
    boosted = HistGradientBoostingClassifier(max_iter=1, max_bins=3, random_state=0)
    found = []
    for estimator in (
        skhmc.HCALClassifier(tree, embedding_dim=3, **small),
        make_pipeline(StandardScaler(), skhmc.MaxConstraintClassifier(tree, **small)),
        skhmc.LabelTreeClassifier(tree, C=1.0, slope=1.0, random_state=0),
        skhmc.CoherentClassifier(DecisionTreeClassifier(max_depth=2), tree),
        skhmc.CoherentClassifier(LogisticRegression(), tree, strategy="per_label"),
        skhmc.CoherentClassifier(boosted, strategy="per_label"),
    ):
        is_boosted = getattr(estimator, "estimator", None) is boosted
        estimator.fit(X, Y[:, :2] if is_boosted else Y)  # its files are large
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.skhmc"
            skhmc.save(estimator, path)
            data = path.read_bytes()
        answer = estimator.predict_proba(X)
        found.append(
            SimpleNamespace(estimator=estimator, X=X, answer=answer, data=data)
        )
    return found


def run_case(kind, number, seed, path):
    """Return what comes of a case, and a text that says what was wrong."""
    rng = random.Random(f"{seed} {kind} {number}")
    original = originals()[number % len(originals())]
    return outcome(kind, KINDS[kind](original.data, rng), original, path)


def peak_memory():
    """Return the most memory that this process had so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_kind(kind, n_cases, seed, path):
    """Count what comes of the cases of a kind; print the first that are wrong."""
    counts = Counter()
    for number in range(n_cases):
        found, text = run_case(kind, number, seed, path)
        counts[found] += 1
        if found == WRONG and counts[WRONG] <= MAX_SHOWN:
            print(f"{kind}, case {number}: {text}", flush=True)
    return counts


def main():
    parser = command_line(__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--memory", type=int, default=300, help="MB more than before")
    parser.add_argument("--only", choices=list(KINDS), help="one kind; nothing is kept")
    options = parser.parse_args()
    kinds = [options.only] if options.only else list(KINDS)
    said = ", ".join(f"{name} {version}" for name, version in versions().items())
    print(f"{options.cases} cases, seed {options.seed}; {said}", flush=True)
    print(text_row(("", *OUTCOMES), WIDTHS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        originals()
    counts = {}
    start, before = time.perf_counter(), peak_memory()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.skhmc"
        for k, kind in enumerate(kinds):
            n_cases = len(range(k, options.cases, len(kinds)))
            counts[kind] = run_kind(kind, n_cases, options.seed, path)
            row = (kind, *(counts[kind][name] for name in OUTCOMES))
            print(text_row(row, WIDTHS), flush=True)
    seconds, memory = time.perf_counter() - start, peak_memory() - before
    total = sum(counts.values(), Counter())
    print(text_row(("all", *(total[name] for name in OUTCOMES)), WIDTHS))
    passed = not total[WRONG] and memory <= options.memory
    print(
        f"{'passed' if passed else 'FAILED'} in {seconds:.0f} s, with {memory:.0f} MB "
        f"more than before"
    )
    if not options.only:
        results = {
            "versions": versions() | {"skops": version("skops")},
            "cases": options.cases,
            "seed": options.seed,
            "seconds": round(seconds),
            "memory_mb": round(memory),
            "passed": passed,
            "outcomes": {
                kind: {name: n[name] for name in OUTCOMES} for kind, n in counts.items()
            },
        }
        write_results(RESULTS / "soak_files.json", results)
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
