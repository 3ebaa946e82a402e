"""Which classifiers should vote by default, and how much each of them counts."""

import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

from benchmarks.accuracy_parts.sets import KINDS, load, steps
from benchmarks.tables import table, text_row
from benchmarks.tuning.comparison import Comparison
from skhmc import HCALClassifier, KernelHMC, MaxConstraintClassifier
from skhmc._meta.coherent import CoherentClassifier
from skhmc._meta.sketched_forest import SketchedForest
from skhmc.coherence import average_constraint
from skhmc.metrics import au_prc_score

__all__ = ["Voting"]

MEMBERS = {  # of hierarchy and seed
    "network": lambda h, seed: HCALClassifier(h, random_state=seed),
    "short": lambda h, seed: MaxConstraintClassifier(h, max_iter=30, random_state=seed),
    "forest": lambda h, seed: CoherentClassifier(
        SketchedForest(random_state=seed), h, coherence=None
    ),
    "kernel": lambda h, _: KernelHMC(h),
}
MIXTURES = {  # parts of network, forest, kernel and short network
    "network": (1, 0, 0, 0),
    "forest": (0, 1, 0, 0),
    "kernel": (0, 0, 1, 0),
    "short": (0, 0, 0, 1),
    "2 1 0": (2, 1, 0, 0),
    "2 0 1": (2, 0, 1, 0),
    "4 0 1": (4, 0, 1, 0),
    "4 1 1": (4, 1, 1, 0),
    "2 1 1": (2, 1, 1, 0),
    "1 1 1": (1, 1, 1, 0),
    "1 1 2": (1, 1, 2, 0),
    "1 1 0 1": (1, 1, 0, 1),
    "1 1 1 1": (1, 1, 1, 1),
    "2 1 1 1": (2, 1, 1, 1),
}
ORDER = ("network", "forest", "kernel", "short")
HEADS = ["data set", *MIXTURES]
WIDTHS = (14, *[-8] * len(MIXTURES))


class Voting(Comparison):
    """Which classifiers should vote by default, and how much each of them counts.

    Micro AU(PRC) of validation rows (the set's own, or 20 % of the training part), of
    HCALClassifier (network), 200 trees grown to sketches of the labels (forest),
    KernelHMC (kernel), MaxConstraintClassifier(max_iter=30) (short), each fitted once,
    and of weighted means of their probabilities. Means are named by the parts of the
    network, the forest, the kernel and, if it is there, the short network.
    Probabilities are kept in a folder for temporary files, so that no fit is made
    twice.
    """

    name = "voting"
    data_sets = (
        "enron",
        "pheno_FUN",
        "eisen_FUN",
        "cellcycle_FUN",
        "seq_FUN",
        "eisen_GO",
        "pheno_GO",
        "diatoms",
        "imclef07a",
        "anuran",
    )
    seeds = 1
    page_name = "voting_tables.inc"

    def add_options(self, parser):
        parser.add_argument(
            "--member", choices=ORDER, action="append", help="of those not fitted yet"
        )

    def measure(self, options):
        results = {"runs": []}
        for seed in range(options.seeds):
            for name in options.data_set or self.data_sets:
                run = {"name": name, "seed": seed}
                run |= measured(name, seed, options.member or ORDER)
                results["runs"].append(run)
                yield results

    def merge(self, stored, results):
        """Keep the runs of other sets and seeds."""
        new = {(run["name"], run["seed"]) for run in results["runs"]}
        kept = (stored or {}).get("runs", [])
        kept = [run for run in kept if (run["name"], run["seed"]) not in new]
        place = {name: k for k, name in enumerate(self.data_sets)}
        runs = sorted(
            kept + results["runs"], key=lambda run: (place[run["name"]], run["seed"])
        )
        return results | {"runs": runs}

    def lines(self, results, options):
        lines = [text_row(HEADS, WIDTHS)]
        for run in results["runs"]:
            cells = [said(run["au_prc"].get(mix)) for mix in MIXTURES]
            lines.append(text_row([run["name"], *cells], WIDTHS))
        return lines

    def tables(self, results):
        quality, cost = [], []
        for name in dict.fromkeys(run["name"] for run in results["runs"]):
            runs = [run for run in results["runs"] if run["name"] == name]
            scores = [mean_of(runs, "au_prc", mix) for mix in MIXTURES]
            top = max(x for x in scores if x is not None)
            cells = [f"**{said(x)}**" if x == top else said(x) for x in scores]
            quality.append([name, *cells])
            seconds = [mean_of(runs, "cpu_seconds", x) for x in ORDER]
            known = [x for x in seconds[:3] if x is not None]
            cells = ["–" if x is None else f"{x:.1f}" for x in seconds]
            cost.append([name, *cells, f"{sum(known) / seconds[0]:.2f}"])
        heads = ["data set", *ORDER, "network, forest and kernel / network"]
        return [
            table("AU(PRC) of validation rows", HEADS, quality),
            table("CPU seconds of a fit on the training rows", heads, cost),
        ]


def said(score):
    """Return a score as text."""
    return "–" if score is None else f"{score:.4f}"


def mean_of(runs, key, name):
    """Return the mean over seeds of one figure, None where there is none."""
    found = [run[key][name] for run in runs if name in run[key]]
    return float(np.mean(found)) if found else None


def measured(name, seed, members):
    """Return the CPU seconds of members, and AU(PRC) of every mixture of them."""
    data = load(name, "valid")
    fits = {member: fitted(data, name, member, seed, members) for member in ORDER}
    fits = {member: fit for member, fit in fits.items() if fit is not None}
    options = {"hierarchy": data.hierarchy, "exclude": data.not_scored}
    scores = {}
    for mixture, parts in MIXTURES.items():
        used = {m: part for m, part in zip(ORDER, parts, strict=True) if part}
        if used.keys() <= fits.keys():
            total = sum(used.values())
            mean = sum(part / total * fits[m]["proba"] for m, part in used.items())
            proba = average_constraint(mean, data.hierarchy)
            scores[mixture] = au_prc_score(data.Y[data.held_out], proba, **options)
    seconds = {member: float(fit["cpu_seconds"]) for member, fit in fits.items()}
    return {"cpu_seconds": seconds, "au_prc": scores}


def fitted(data, name, member, seed, members):
    """Return probabilities of the rows held out, and CPU seconds, perhaps of old."""
    folder = Path(tempfile.gettempdir()) / "skhmc_voting"
    path = folder / f"{name}.{member}.{seed}.npz"
    if path.exists():
        with np.load(path) as kept:
            return dict(kept)
    if member not in members:
        return None
    before = make_pipeline(*steps(KINDS[name]), "passthrough")
    X = before.fit_transform(data.X[data.fit])
    start = time.process_time()
    with warnings.catch_warnings():  # labels without a row
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        clf = MEMBERS[member](data.hierarchy, seed).fit(X, data.Y[data.fit])
    seconds = time.process_time() - start
    proba = clf.predict_proba(before.transform(data.X[data.held_out]))
    fit = {"proba": proba.astype(np.float32), "cpu_seconds": seconds}
    folder.mkdir(exist_ok=True)
    np.savez_compressed(path, **fit)
    return fit
