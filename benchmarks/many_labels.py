"""Very many labels and texts: programs side by side.

Run as ``python -m benchmarks.many_labels [--peers PATH/TO/python] [--rows valid|test]
[--set NAME] [--program NAME] [--threads 1|2] [--seeds 1]``. Every program fits every
data set in a process of its own, and predicts rows that were held out: validation rows,
or with ``--rows test`` the test rows. All programs have their defaults, get the same
rows of length 1, and are fitted to the same training rows.

Programs of other projects (omikuji, napkinXC) need an environment with numpy, scipy and
these; ``--peers`` names its Python, and without it they are left out. Some of them know
leaves only: an inner label is then as probable as the best leaf below it.

What was measured before is not measured again. ``--large`` adds 100,000 labels;
``--threads 2`` measures the wall time. ``--stored`` measures nothing. Writes
``benchmarks/results/many_labels.json``, ``docs/many_labels_tables.inc`` and the choice
for texts in ``benchmarks/choices.json``. Real data
sets are read from SKHMC_DATA_HOME.
"""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from benchmarks.command import (
    DOCS,
    RESULTS,
    command_line,
    read_results,
    write_results,
)
from benchmarks.figures import versions
from benchmarks.many_labels_parts import sets, worker
from benchmarks.tables import include, table, text_row
from skhmc.metrics import (
    au_prc_score,
    hierarchical_violation_rate,
    label_propensity,
    precision_at_k_score,
    propensity_scored_precision_at_k_score,
)

__all__ = ["COLUMNS", "PAGE", "STORED", "choose", "judge", "main", "page", "shown"]

STORED = RESULTS / "many_labels.json"
PAGE = DOCS / "many_labels_tables.inc"
CHOICES = RESULTS.parent / "choices.json"  # of several commands, a key each
PEERS = ("omikuji", "napkinXC")  # programs that begin so need --peers
# labels that are not tried, where a classifier sees all rows for every label
FOR_FEW = (
    "OneVsRest LinearSVC",
    worker.ALL,
    worker.KERNEL,
    *worker.VOTES,
    *worker.RECOMMENDED,
)
TOO_MANY = dict.fromkeys(FOR_FEW, 2000)
N_LABELS = {"made_20000": 20_000, sets.LARGE: 100_000}
KEY = ("set", "program", "rows", "threads", "seed")
COLUMNS = {  # head: figure, format, width
    "fit CPU s": ("fit_cpu_seconds", "{:.1f}", 9),
    "peak MB": ("fit_peak_mb", "{:.0f}", 7),
    "model MB": ("model_mb", "{:.1f}", 8),
    "P@1": ("precision_at_1", "{:.3f}", 6),
    "P@3": ("precision_at_3", "{:.3f}", 6),
    "P@5": ("precision_at_5", "{:.3f}", 6),
    "PSP@5": ("psp_at_5", "{:.3f}", 6),
    "AU(PRC)": ("au_prc", "{:.3f}", 7),
    "HVR": ("hvr", "{:.3f}", 6),
    "rows/s": ("rows_per_second_batch", "{:,.0f}", 8),
    "one by one": ("rows_per_second_single", "{:,.0f}", 10),
}
TITLES = {
    "valid": "validation rows",
    "test": "test rows",
}
TEXTS = ("cei", "rcv1_subset1", "goemotions", "clinc150", "ng20")
COMPARED = ("precision_at_1", "au_prc")  # the measures of the choice


# -- measuring -------------------------------------------------------------------------


def judge(folder):
    """Return how right the predictions in a folder are."""
    Y_train, Y, hierarchy = sets.load(folder)
    top = sp.csr_matrix(sp.load_npz(folder / "top.npz"))
    found = {
        f"precision_at_{k}": precision_at_k_score(Y, top, k=k, hierarchy=hierarchy)
        for k in (1, 3, 5)
    }
    propensity = label_propensity(Y_train, hierarchy=hierarchy)
    found["psp_at_5"] = propensity_scored_precision_at_k_score(
        Y, top, propensity=propensity, hierarchy=hierarchy
    )
    predicted = sp.csr_matrix(sp.load_npz(folder / "predicted.npz"))
    found["hvr"] = hierarchical_violation_rate(predicted, hierarchy)
    scores = folder / "scores.npy"
    if scores.is_file():
        found["au_prc"] = au_prc_score(Y, np.load(scores), hierarchy=hierarchy)
    return {name: float(value) for name, value in found.items()}


def judge_quietly(folder):
    """Return what ``judge`` does, without warnings about labels without a row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return judge(folder)


def measure(folder, program, python, threads, seed):
    """Run one program on the data in a folder; return its figures."""
    for name in ("top.npz", "predicted.npz", "scores.npy", "figures.json"):
        (folder / name).unlink(missing_ok=True)
    limits = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
    ran = subprocess.run(
        [python, worker.__file__, folder, program, str(threads), str(seed)],
        env=os.environ | dict.fromkeys(limits, str(threads)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,  # also bars of progress
        text=True,
        check=False,
    )
    if ran.returncode:
        raise SystemExit(f"{program} failed:\n{ran.stderr[-2000:]}")
    figures = json.loads((folder / "figures.json").read_text())
    return figures | judge_quietly(folder)


def is_peer(program):
    """Return whether a program belongs to another project."""
    return program.startswith(PEERS)


def peer_versions(python):
    """Return the versions of the programs in the other environment."""
    code = (
        "import json; from importlib.metadata import version; "
        f"print(json.dumps({{n: version(n) for n in {PEERS!r}}}))"
    )
    ran = subprocess.run([python, "-c", code], capture_output=True, check=True)
    return json.loads(ran.stdout)


def wanted(name, options):
    """Return the programs to run on a set, and say which are left out."""
    chosen = []
    for program in options.program or worker.PROGRAMS:
        if is_peer(program) and not options.peers:
            print(f"{name}: {program} is left out, --peers names no Python")
        elif N_LABELS.get(name, 0) > TOO_MANY.get(program, np.inf):
            print(f"{name}: {program} is left out, there are too many labels")
        else:
            chosen.append(program)
    return chosen


def key(run):
    """Return what identifies a run."""
    return tuple(run[name] for name in KEY)


def run_set(name, options, results):
    """Measure what is not there yet on one set."""
    done = {key(run) for run in results["runs"]}
    todo = [
        (program, seed)
        for program in wanted(name, options)
        for seed in range(options.seeds)
        if (name, program, options.rows, options.threads, seed) not in done
    ]
    if not todo:
        return
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        sets.store(name, options.rows, folder)
        for program, seed in todo:
            python = options.peers if is_peer(program) else sys.executable
            run = {
                "set": name,
                "program": program,
                "rows": options.rows,
                "threads": options.threads,
                "seed": seed,
            }
            run |= measure(folder, program, python, options.threads, seed)
            results["runs"].append(run)
            write_results(STORED, results)
            print(text_row([name, *row([run])], WIDTHS), flush=True)


# -- showing ---------------------------------------------------------------------------

WIDTHS = (13, 26, *(-width for *_, width in COLUMNS.values()))


def row(runs):
    """Return the means of the runs of one program as texts."""
    cells = [runs[0]["program"]]
    for figure, text, _ in COLUMNS.values():
        values = [run[figure] for run in runs if figure in run]
        cells.append(text.format(np.mean(values)) if values else "")
    return cells


def shown(runs):
    """Return the runs of a table: of one thread, on test rows where there are any.

    Returns
    -------
    dict
        Of a set, the kind of rows, and the runs by program.
    """
    found = {}
    for name in dict.fromkeys(run["set"] for run in runs):
        own = [run for run in runs if run["set"] == name and run["threads"] == 1]
        rows = "test" if any(run["rows"] == "test" for run in own) else "valid"
        by_program = {}
        for program in worker.PROGRAMS:
            of_it = [r for r in own if (r["program"], r["rows"]) == (program, rows)]
            if of_it:
                by_program[program] = of_it
        found[name] = rows, by_program
    return found


def wall_tables(runs):
    """Return a table of the time that a fit takes on two threads, if it is measured.

    Seconds of the processor are not shown: those of worker processes that joblib keeps
    for the next call are not counted.
    """
    lines = [
        [run["set"], run["program"], f"{run['fit_seconds']:.1f}"]
        for run in runs
        if run["threads"] == 2
    ]
    if not lines:
        return []
    title = "Fits on two threads, by the wall"
    return [table(title, ["set", "program", "seconds"], lines)]


def choose(runs):
    """Choose the estimator for texts: the one that is least behind, on validation rows.

    Single differences decide nothing: one row of the smallest sets is .003 in P@1. So
    the mean over sets and measures counts.

    Parameters
    ----------
    runs : list of dict
        Of ``STORED``.

    Returns
    -------
    dict
        Of what is chosen, by which rule, and the figures of every estimator of skhmc:
        how far it is behind the best other row, in the mean and at most; below 0 where
        it is ahead.
    """
    valid = [r for r in runs if r["rows"] == "valid" and r["threads"] == 1]
    mean, most = {}, {}
    for program, (make, _) in worker.PROGRAMS.items():
        own = {r["set"] for r in valid if r["program"] == program}
        if make is not worker.Ours or not own >= set(TEXTS):
            continue
        behind = [
            behind_others(valid, program, name, measure)
            for name in TEXTS
            for measure in COMPARED
        ]
        mean[program] = round(float(np.mean(behind)), 4)
        most[program] = round(max(behind), 4)
    return {
        "chosen": min(mean, key=mean.get),
        "by": "the least distance to the best row, in the mean of P@1 and AU(PRC)",
        "chosen on": "validation rows",
        "command": "python -m benchmarks.many_labels --peers PATH/TO/python",
        "sets": list(TEXTS),
        "behind the best row": mean,
        "behind the best row, at most": most,
    }


def behind_others(runs, program, name, measure):
    """Return how far a program is behind the best other one on a set, over seeds."""
    values = {}
    for run in runs:
        if run["set"] == name:
            values.setdefault(run["program"], []).append(run[measure])
    means = {p: float(np.mean(found)) for p, found in values.items()}
    own = means.pop(program)
    return max(means.values()) - own


def page(results):
    """Return the text of the file that the documentation includes."""
    heads = ["program", *COLUMNS]
    tables = []
    for name, (rows, programs) in shown(results["runs"]).items():
        n_seeds = len({run["seed"] for own in programs.values() for run in own})
        title = f"{name}: {TITLES[rows]}, one thread, {n_seeds} seed"
        title += "s" if n_seeds > 1 else ""
        tables.append(table(title, heads, [row(own) for own in programs.values()]))
    tables += wall_tables(results["runs"])
    return include("benchmarks.many_labels", tables, results["versions"])


def parser():
    """Return the command line."""
    line = command_line(__doc__)
    line.add_argument("--peers", help="Python that has omikuji and napkinXC")
    line.add_argument("--rows", choices=list(TITLES), default="valid")
    line.add_argument("--set", choices=sets.SETS, action="append")
    line.add_argument("--program", choices=list(worker.PROGRAMS), action="append")
    line.add_argument("--threads", type=int, default=1)
    line.add_argument("--seeds", type=int, default=1)
    line.add_argument("--large", action="store_true", help="100,000 labels, too")
    line.add_argument("--stored", action="store_true", help="measure nothing")
    return line


def main():
    """Measure, print and store."""
    options = parser().parse_args()
    results = {"versions": {}, "runs": []} | read_results(STORED)
    if not options.stored:
        results["versions"] |= versions()
        if options.peers:
            results["versions"] |= peer_versions(options.peers)
        print(text_row(["set", "program", *COLUMNS], WIDTHS))
        names = list(options.set or sets.SETS) + [sets.LARGE] * options.large
        for name in names:
            run_set(name, options, results)
        write_results(STORED, results)
    write_results(CHOICES, read_results(CHOICES) | {"texts": choose(results["runs"])})
    PAGE.write_text(page(results))
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()
