"""Labels that grow: how soon new ones are learnt, and what that does to the old ones.

Run as ``python -m benchmarks.growing``. Of each set, some 15 % of the leaves are hidden
(drawn by the seed, of those with at least 5 training rows), HCALClassifier is fitted to
the other labels, and takes the hidden ones in. Training then goes on with all labels,
for 0, 1 and 5 epochs of ``partial_fit``, or for 1, 5 and 20 of a warm start. Beside it
stand the same ``partial_fit`` with new labels that start as in a new network, at random
and at their prior, and a network with all labels from the start: after 0, 1 and 5
epochs of ``partial_fit``, and after a whole fit. All are scored on validation rows by
the AU(PRC) of the old labels and of the new ones, for three seeds.

A whole fit has 20 epochs here, and the network one hidden layer of 256 units: the
default one takes ten times as long. Runs that stand in the results are not repeated.
``--stored`` measures nothing, and prints and writes what is stored.
"""

import copy
import warnings
from contextlib import contextmanager
from unittest import mock

import numpy as np
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from benchmarks.command import DOCS, RESULTS, command_line, read_results, write_results
from benchmarks.figures import versions
from benchmarks.recipe import load, split, table_steps
from benchmarks.tables import include, table, text_row
from skhmc import HCALClassifier
from skhmc._networks import grow, training
from skhmc._networks.growing import find_starts
from skhmc.metrics import au_prc_score

__all__ = ["PAGE", "SETS", "STORED", "WAYS", "hidden_leaves", "main", "page"]

STORED = RESULTS / "growing.json"
PAGE = DOCS / "growing_table.inc"
SETS = ("cellcycle_FUN", "seq_FUN", "enron")
SEEDS = (0, 1, 2)
SHARE, LEAST = 0.15, 5  # of the leaves are hidden; rows that these have
HIDDEN = (256,)
EPOCHS = 20  # of a whole fit
PARTS = (0, 1, 5)
WAYS = {  # what they are called in the table, and after how many epochs they are scored
    "parent": ("from the parent, partial_fit", PARTS),
    "random": ("at random, partial_fit", PARTS),
    "warm": ("from the parent, warm start", (1, 5, EPOCHS)),
    "scratch": ("all labels from the start, partial_fit", PARTS),
    "whole": ("all labels from the start, fit", (EPOCHS,)),
}
HEADS = ["data set", "new labels start", "epochs", "old labels", "new labels"]
WIDTHS = (14, 40, -7, -16, -16)


def hidden_leaves(Y, hierarchy, seed):
    """Return leaves that are drawn, as positions: a share of those with enough rows."""
    leaves = hierarchy.leaves
    leaves = leaves[Y[:, leaves].sum(axis=0) >= LEAST]
    n_hidden = max(round(SHARE * len(leaves)), 1)
    return np.sort(np.random.RandomState(seed).permutation(leaves)[:n_hidden])


# -- measuring -------------------------------------------------------------------------


def start_at_random(places, form, counts, class_weight=None):
    """Return what labels start from, as if the new ones were roots."""
    starts = find_starts(places, form, counts, class_weight)
    return starts._replace(source=np.where(starts.own, starts.source, -1))


@contextmanager
def random_starts():
    """Let new labels start at random inside."""
    patches = [
        mock.patch.object(module, "find_starts", start_at_random)
        for module in (grow, training)
    ]
    with patches[0], patches[1]:
        yield


def measure(name, seed):
    """Yield the figures of all ways on one set."""
    data = load(name)
    train, valid = split(data, "valid")
    steps = make_pipeline(*table_steps())
    X = steps.fit_transform(data.data[train]).astype(np.float32)
    X_valid = steps.transform(data.data[valid]).astype(np.float32)
    Y, Y_valid = (data.target[rows].toarray().astype(int) for rows in (train, valid))
    new = hidden_leaves(Y, data.hierarchy, seed)
    old = np.setdiff1d(np.arange(Y.shape[1]), new)
    rates = np.tile(Y.mean(axis=0), (len(valid), 1))
    yield "scratch", 0, rate(Y_valid, rates, old, new)
    for way, epochs, clf in fits(X, Y, data.hierarchy, old, seed):
        yield way, epochs, rate(Y_valid, clf.predict_proba(X_valid), old, new)


def fits(X, Y, hierarchy, old, seed):
    """Yield what is scored: the way, the epochs and a fitted classifier."""
    before = hierarchy.subset([hierarchy.labels[k] for k in old])
    options = {"hidden_layer_sizes": HIDDEN, "max_iter": EPOCHS, "random_state": seed}
    first = HCALClassifier(before, **options).fit(X, Y[:, old])
    yield from parts(copy.deepcopy(first).grow(hierarchy, Y), X, Y, "parent")
    with random_starts():
        yield from parts(copy.deepcopy(first).grow(hierarchy, Y), X, Y, "random")
    for epochs in WAYS["warm"][1]:
        clf = copy.deepcopy(first)
        clf.set_params(hierarchy=hierarchy, warm_start=True, max_iter=epochs)
        yield "warm", epochs, clf.fit(X, Y)
    clf = HCALClassifier(hierarchy, **options)
    yield from parts(clf, X, Y, "scratch", start=1)
    yield "whole", EPOCHS, clf.fit(X, Y)


def parts(clf, X, Y, way, start=0):
    """Yield a classifier after some epochs of partial_fit."""
    for epoch in range(max(PARTS) + 1):
        if epoch:
            clf.partial_fit(X, Y)
        if epoch >= start and epoch in PARTS:
            yield way, epoch, clf


def rate(Y, proba, old, new):
    """Return the AU(PRC) of both kinds of labels."""
    kinds = {"old": old, "new": new}
    found = {kind: au_prc_score(Y[:, k], proba[:, k]) for kind, k in kinds.items()}
    return found | {"n_new": len(new)}


# -- showing ---------------------------------------------------------------------------


def rows(runs):
    """Return the rows of the table: means over seeds, and their standard deviations."""
    shown = []
    for name in SETS:
        for way, (title, epochs) in WAYS.items():
            for epoch in epochs:
                here = [
                    run
                    for run in runs
                    if (run["set"], run["way"], run["epochs"]) == (name, way, epoch)
                ]
                if not here:
                    continue
                cells = []
                for kind in ("old", "new"):
                    values = [run[kind] for run in here]
                    cells.append(f"{np.mean(values):.3f} ± {np.std(values):.3f}")
                shown.append([name, title, f"{epoch}", *cells])
    return shown


def page(results):
    """Return the text of the file that the documentation includes."""
    title = f"AU(PRC) on validation rows: means and spread of {len(SEEDS)} seeds"
    shown = table(title, HEADS, rows(results["runs"]))
    return include("benchmarks.growing", [shown], results["versions"])


def main(arguments=None):
    """Measure what is missing, or take what is stored, and write the table."""
    parser = command_line(__doc__)
    parser.add_argument("--stored", action="store_true", help="measures nothing")
    options = parser.parse_args(arguments)
    results = read_results(STORED) or {"versions": versions(), "runs": []}
    there = {(run["set"], run["seed"]) for run in results["runs"]}
    for name in SETS if not options.stored else ():
        for seed in SEEDS:
            if (name, seed) in there:
                continue
            with threadpool_limits(1), warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
                found = list(measure(name, seed))
            for way, epochs, figures in found:
                run = {"set": name, "seed": seed, "way": way, "epochs": epochs}
                results["runs"].append(run | figures)
            write_results(STORED, results)
            print(f"{name}, seed {seed}", flush=True)
    for row in (HEADS, *rows(results["runs"])):
        print(text_row(row, WIDTHS))
    PAGE.write_text(page(results))
    print(f"Wrote {STORED} and {PAGE}")


if __name__ == "__main__":
    main()
