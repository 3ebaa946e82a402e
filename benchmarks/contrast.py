"""Contrastive losses beside the loss of labels, on validation rows.

Run as ``python -m benchmarks.contrast [--set NAME] [--row NAME] [--seeds 3]
[--first-seed 0] [--epochs 25] [--network small]``. HCALClassifier is fitted without a
contrastive loss, with HMCE or HiLeCon of its embedding, and for as many more epochs as
take the CPU time of the slower of these two. So that all fits take a quarter of an
hour, they are small: two hidden layers of 300, 25 epochs, at most 2,000 training rows,
which are drawn with the seed, and of texts the 2,000 features that most of these rows
have. All rows of the table are given the same. They are scored on the validation rows
(a fifth of the training rows, where a set has none); no test row is read. The weight of
a contrastive loss is the better of two on a seed that the table does not have: of one
set of texts for all texts, and of one FunCat set for both. ``--epochs 60``, the default
of HCALClassifier, adds a second table. ``--network default`` adds one with the default
layers, at most 3,000 rows and 5,000 features; ``--row`` chooses rows there, and "more
epochs" takes the time of the slower loss among them.

What was measured before is not measured again. ``--stored`` measures nothing, and
``--try-out`` stores nothing. Writes ``benchmarks/results/contrast.json`` and
``docs/contrast_tables.inc``. Real data sets are read from SKHMC_DATA_HOME.
"""

import time
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from sklearn.pipeline import make_pipeline
from sklearn.utils import Bunch
from threadpoolctl import threadpool_limits
from torch import nn

from benchmarks.command import (
    DOCS,
    RESULTS,
    command_line,
    read_results,
    write_results,
)
from benchmarks.figures import versions
from benchmarks.npz_sets import load_npz_set
from benchmarks.recipe import split, table_steps
from benchmarks.tables import block, include, signed, table, text_row
from skhmc import HCALClassifier
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_score
from skhmc.nn import HiLeCon

__all__ = [
    "CHOICE_SEED",
    "CHOICE_SETS",
    "EPOCHS",
    "GAIN",
    "LOSSES",
    "PAGE",
    "ROWS",
    "SETS",
    "SIZES",
    "STORED",
    "TEXTS",
    "WEIGHTS",
    "Contrastive",
    "chosen",
    "gains",
    "main",
    "of_table",
    "page",
    "tables_of",
    "verdict",
]

STORED = RESULTS / "contrast.json"
PAGE = DOCS / "contrast_tables.inc"
TEXTS = ("rcv1_subset1", "cei", "goemotions", "clinc150")
SETS = (*TEXTS, "pheno_FUN", "seq_FUN")
NONE, MORE = "none", "more epochs"
LOSSES = ("hmce", "hilecon")
ROWS = (NONE, *LOSSES, MORE)
WEIGHTS = (0.003, 0.03)
SEEDS = 3
CHOICE_SEED = 100
CHOICE_SETS = ("rcv1_subset1", "pheno_FUN")  # for texts, and for tables
EPOCHS = 25
GAIN = 0.003  # of AU(PRC), on three sets of texts


@dataclass(frozen=True)
class Size:
    """How large the fits of a table are; else everything is the default."""

    layers: dict
    n_rows: int  # at most, that are fitted to
    n_features: int  # of texts, the most frequent in these rows

    def says(self):
        """Return the size in words, for the title of a table."""
        layers = self.layers.get("hidden_layer_sizes", "default")
        return f"layers: {layers}; at most {self.n_rows} rows"


SIZES = {
    "small": Size({"hidden_layer_sizes": (300, 300)}, 2000, 2000),
    "default": Size({}, 3000, 5000),
}


# -- the networks ----------------------------------------------------------------------


class ContrastiveCriterion(nn.Module):
    """The loss of labels plus a weight times a contrastive loss of the embedding."""

    def __init__(self, criterion, contrast, weight):
        super().__init__()
        self.criterion = criterion
        self.contrast = contrast
        self.weight = weight

    def forward(self, output, Y, weight, sample=None):
        """Return the loss of a batch, of all labels."""
        if sample is not None:
            raise ValueError("A contrast is of all labels, got a sample of them.")
        total = self.criterion(output, Y, weight)
        return total + self.weight * self.contrast(output.features, Y)

    def end_epoch(self):
        """Return the epoch's losses of labels, and start the next epoch."""
        return self.criterion.end_epoch()


class Contrastive(HCALClassifier):
    """HCALClassifier with HiLeCon, whose ``contrast_weight`` is no parameter."""

    contrast_weight = 0.0

    def _build(self, problem, settings, encoder):
        parts = super()._build(problem, settings, encoder)
        contrast = HiLeCon(problem.form.hierarchy, self.embedding_dim)
        criterion = ContrastiveCriterion(
            parts.criterion, contrast, self.contrast_weight
        )
        return replace(parts, criterion=criterion)


def model_of(hierarchy, row, weight, **options):
    """Return the classifier of a row, not fitted."""
    if row not in LOSSES:
        return HCALClassifier(hierarchy, **options)
    if row == "hmce":
        return HCALClassifier(hierarchy, contrastive=(row, weight), **options)
    clf = Contrastive(hierarchy, **options)
    clf.contrast_weight = weight
    return clf


# -- the data --------------------------------------------------------------------------


@lru_cache(1)
def load(name):
    """Return a data set with the rows to fit and the validation rows."""
    if name in TEXTS:
        data, steps = load_npz_set(name), ["passthrough"]
    else:
        data, steps = fetch_clus(name, download_if_missing=False), table_steps()
    fit, held_out = split(data, "valid")
    return Bunch(
        X=data.data,
        Y=data.target.toarray().astype(np.int64),
        fit=fit,
        held_out=held_out,
        hierarchy=data.hierarchy,
        scored=np.asarray(data.eval_mask, bool),
        steps=make_pipeline(*steps),
    )


def drawn(rows, seed, n_rows):
    """Return the rows to fit, as many as all rows of the table are given."""
    random = np.random.RandomState(seed)
    return np.sort(random.permutation(rows)[:n_rows])


def often(X, n_features):
    """Return the features that most rows have, in their order."""
    counts = X.getnnz(axis=0)
    return np.sort(np.argsort(-counts, kind="stable")[:n_features])


# -- measuring -------------------------------------------------------------------------


def fit_and_score(name, seed, row, weight, max_iter, network):
    """Fit to training rows, and return AU(PRC) of the validation rows and costs."""
    data, size = load(name), SIZES[network]
    rows, X = drawn(data.fit, seed, size.n_rows), data.X
    if name in TEXTS:
        X = X[:, often(X[rows], size.n_features)]
    train = data.steps.fit_transform(X[rows])
    options = size.layers | {"max_iter": max_iter, "random_state": seed}
    clf = model_of(data.hierarchy, row, weight, **options)
    torch.set_num_threads(1)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels without a row
        start = time.process_time()
        clf.fit(train, data.Y[rows])
        seconds = time.process_time() - start
        proba = clf.predict_proba(data.steps.transform(X[data.held_out]))
    true = data.Y[data.held_out][:, data.scored]
    return {
        "au_prc": round(au_prc_score(true, proba[:, data.scored]), 5),
        "cpu_seconds": round(seconds, 2),
        "n_rows": len(rows),
    }


def find(runs, name, seed, row, weight=None):
    """Return the run of a cell, or None where it is not measured."""
    for run in runs:
        cell = (run["set"], run["seed"], run["row"], run["weight"])
        if cell == (name, seed, row, weight):
            return run
    return None


def choice_set(name):
    """Return the set that the weights of a set are chosen on."""
    return CHOICE_SETS[name not in TEXTS]


def chosen(runs, name, loss):
    """Return the weight that was best where it is chosen, None without one."""
    where = choice_set(name)
    own = [find(runs, where, CHOICE_SEED, loss, weight) for weight in WEIGHTS]
    if None in own:
        return None
    return max(own, key=lambda run: run["au_prc"])["weight"]


def measured(runs, name, seed, row):
    """Return the run of a row with its chosen weight, None where it is not there."""
    if row not in LOSSES:
        return find(runs, name, seed, row)
    weight = chosen(runs, name, row)
    return None if weight is None else find(runs, name, seed, row, weight)


def plan(names, rows, seeds):
    """Yield (set, seed, row, weight): the choices, then the seeds, set by set.

    The weight of a contrastive loss is None where it is the chosen one.
    """
    yield from (
        (name, CHOICE_SEED, row, weight)
        for name in sorted({choice_set(name) for name in names})
        for row in rows
        for weight in (WEIGHTS if row in LOSSES else [None])
        if row != MORE
    )
    for seed in seeds:
        yield from ((name, seed, row, None) for name in names for row in rows)


def of_table(runs, epochs, network):
    """Return the runs of one table; the row of more epochs has more than these."""
    return [run for run in runs if (run["epochs"], run["network"]) == (epochs, network)]


def tables_of(runs):
    """Return (epochs, network) of every table, the small fits first."""
    found = {(run["epochs"], run["network"]) for run in runs}
    return sorted(found, key=lambda pair: (list(SIZES).index(pair[1]), pair[0]))


def more_epochs(runs, name, seed, epochs, losses=tuple(LOSSES)):
    """Return how many epochs take the CPU time of the slower contrastive loss."""
    others = [measured(runs, name, seed, row) for row in (NONE, *losses)]
    if None in others:
        raise SystemExit(
            f"{MORE!r} needs the other rows of {name}, seed {seed}: measure all rows."
        )
    seconds = [run["cpu_seconds"] for run in others]
    return max(round(epochs * max(seconds) / seconds[0]), epochs)


def measure(options, results, fit=fit_and_score, path=STORED):
    """Measure what is not there yet."""
    epochs, network = options.epochs, options.network
    runs = of_table(results["runs"], epochs, network)
    print(text_row(HEADS, WIDTHS))
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    rows = [row for row in ROWS if row in (options.row or ROWS)]
    for name, seed, row, weight in plan(options.set or SETS, rows, seeds):
        if row in LOSSES and weight is None:
            weight = chosen(runs, name, row)
        if find(runs, name, seed, row, weight):
            continue
        max_iter = epochs
        if row == MORE:
            losses = [loss for loss in LOSSES if loss in rows]
            max_iter = more_epochs(runs, name, seed, epochs, losses or LOSSES)
        run = {"set": name, "seed": seed, "row": row, "weight": weight}
        run |= {"epochs": epochs, "network": network, "max_iter": max_iter}
        run |= fit(name, seed, row, weight, max_iter, network)
        runs.append(run)
        results["runs"].append(run)
        print(text_row([str(run[key]) for key in KEYS], WIDTHS), flush=True)
        if not options.try_out:
            write_results(path, results)


KEYS = ("set", "seed", "row", "weight", "max_iter", "au_prc", "cpu_seconds")
HEADS = ("set", "seed", "row", "weight", "epochs", "AU(PRC)", "CPU s")
WIDTHS = (14, -4, 12, -6, -6, -8, -8)


# -- showing ---------------------------------------------------------------------------


def gains(runs, name, row, than=NONE):
    """Return how much AU(PRC) a row has more than another, by seed."""
    seeds = sorted({run["seed"] for run in runs} - {CHOICE_SEED})
    pairs = [[measured(runs, name, seed, r) for r in (than, row)] for seed in seeds]
    both = [pair for pair in pairs if None not in pair]
    return np.array([own["au_prc"] - other["au_prc"] for other, own in both])


def verdict(runs, than=NONE):
    """Return by contrastive loss the sets of texts on which it gains enough."""
    return {
        loss: [
            name
            for name in TEXTS
            if len(found := gains(runs, name, loss, than)) and found.mean() >= GAIN
        ]
        for loss in LOSSES
    }


def page(results):
    """Return the text of the file that the documentation includes."""
    parts = {name: [] for name in ("gains", "costs", "choice")}
    for epochs, network in tables_of(results["runs"]):
        runs = of_table(results["runs"], epochs, network)
        names = [name for name in SETS if len(gains(runs, name, MORE))]
        if not names:
            continue
        size = f"{epochs} epochs, {SIZES[network].says()}"
        parts["gains"] += [gain_table(runs, names, size), said_of_verdict(runs)]
        parts["costs"].append(cost_table(runs, names, size))
        parts["choice"].append(choice_table(runs, size))
    blocks = [block(*pair) for pair in parts.items()]
    return include("benchmarks.contrast", blocks, results["versions"])


def gain_table(runs, names, size):
    """Return AU(PRC) without contrast, and what the other rows add, seed by seed."""
    rows = []
    for name in names:
        n_seeds = len(gains(runs, name, MORE))
        cells = [f"{name} ({n_seeds})", f"{mean_of(runs, name, NONE, 'au_prc'):.4f}"]
        for row in ROWS[1:]:
            found = gains(runs, name, row)
            if not len(found):
                cells.append("–")
                continue
            spread = f" ± {found.std(ddof=1):.4f}" if len(found) > 1 else ""
            cells.append(f"{signed(found.mean(), 4)}{spread}")
        rows.append(cells)
    title = (
        f"{size}: AU(PRC) without contrast, and differences to it, mean ± sd over seeds"
    )
    return table(title, ["set (seeds)", *ROWS], rows)


def said_of_verdict(runs):
    """Return the verdict as a sentence."""
    tried = [loss for loss in LOSSES if any(run["row"] == loss for run in runs)]
    said = []
    for than in (NONE, MORE):
        found = verdict(runs, than)
        counts = [f"{loss} on {len(found[loss])}" for loss in tried]
        said.append(" and ".join(counts))
    return (
        f"Sets of texts with a mean gain of at least {GAIN}, of {len(TEXTS)}: over "
        f"none, {said[0]}; over more epochs, {said[1]}.\n"
    )


def cost_table(runs, names, size):
    """Return CPU seconds of a fit, and how many times as many the other rows take."""
    rows = []
    for name in names:
        seconds = [mean_of(runs, name, row, "cpu_seconds") for row in ROWS]
        times = [shown(value / seconds[0], ".2f") for value in seconds[1:]]
        more = mean_of(runs, name, MORE, "max_iter")
        n_rows = mean_of(runs, name, NONE, "n_rows")
        rows.append([name, f"{n_rows:.0f}", f"{seconds[0]:.1f}", *times])
        rows[-1].append(f"{more:.0f}")
    heads = ["set", "rows to fit", "CPU s, none", *ROWS[1:], "more epochs: epochs"]
    title = f"{size}: CPU time of a fit, in multiples of that without contrast"
    return table(title, heads, rows)


def choice_table(runs, size):
    """Return AU(PRC) by weight on the seed of the choice, beside that of none."""
    rows = []
    for name in CHOICE_SETS:
        if not any(chosen(runs, name, loss) for loss in LOSSES):
            continue
        without = find(runs, name, CHOICE_SEED, NONE)["au_prc"]
        cells = [name, f"{without:.4f}"]
        for loss in LOSSES:
            best = chosen(runs, name, loss)
            for weight in WEIGHTS:
                if best is None:
                    cells.append("–")
                    continue
                found = find(runs, name, CHOICE_SEED, loss, weight)["au_prc"]
                text = signed(found - without, 4)
                cells.append(f"**{text}**" if weight == best else text)
        rows.append(cells)
    heads = [f"{loss}, {weight}" for loss in LOSSES for weight in WEIGHTS]
    title = f"{size}: differences by weight; the chosen one is bold"
    return table(title, ["set", NONE, *heads], rows)


def mean_of(runs, name, row, key):
    """Return the mean of a figure over the seeds of the table."""
    seeds = {run["seed"] for run in runs} - {CHOICE_SEED}
    own = [measured(runs, name, seed, row) for seed in seeds]
    found = [run[key] for run in own if run is not None]
    return float(np.mean(found)) if found else np.nan


def shown(value, form):
    """Return a figure as text, a dash where it is not measured."""
    return "–" if np.isnan(value) else format(value, form)


# -- the command -----------------------------------------------------------------------


def main(arguments=None):
    """Measure, print and store."""
    line = command_line(__doc__)
    line.add_argument("--set", choices=SETS, action="append")
    line.add_argument("--row", choices=ROWS, action="append")
    line.add_argument("--seeds", type=int, default=SEEDS)
    line.add_argument("--first-seed", type=int, default=0)
    line.add_argument("--epochs", type=int, default=EPOCHS)
    line.add_argument("--network", choices=SIZES, default="small")
    line.add_argument("--try-out", action="store_true", help="store nothing")
    line.add_argument("--stored", action="store_true", help="measure nothing")
    options = line.parse_args(arguments)
    results = {"versions": {}, "runs": []} | read_results(STORED)
    if not options.stored:
        results["versions"] |= versions()
        measure(options, results)
    if not options.try_out:
        PAGE.write_text(page(results))
        print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()
