"""What fits and predictions cost, up to sizes that are too large to be run here.

Run as ``python -m benchmarks.cost_model --measure``. Counts what a run is made of by
the formulas of ``benchmarks.cost_parts.formulas``, and measures what each part takes in
runs that are small: seconds of a processor, on one thread, and bytes of private memory.
Then predicts larger runs, runs them as well, and compares. A run that is stored already
is not repeated; ``--anew`` repeats all.

Without ``--measure`` it prints the tables of what is stored. Writes
``benchmarks/results/cost_model.json`` and ``docs/cost_tables.inc``.
"""

import time
from dataclasses import asdict

import numpy as np

from benchmarks.command import (
    DOCS,
    RESULTS,
    command_line,
    in_own_process,
    read_results,
    write_results,
)
from benchmarks.cost_parts.data import draw_labels
from benchmarks.cost_parts.formulas import (
    FLOAT,
    MAX_INT32,
    Fit,
    Predictions,
    Tree,
    bytes_of_csr,
)
from benchmarks.cost_parts.kinds import COSTS, KINDS
from benchmarks.cost_parts.runs import rows_of_labels
from benchmarks.figures import versions
from benchmarks.large import make_hierarchy
from benchmarks.tables import block, include, table

PATH = RESULTS / "cost_model.json"
PAGE = DOCS / "cost_tables.inc"
ALLOWED = 0.25  # of what is measured, that a prediction may be off
N_FEATURES = 300
BATCH_SIZE = 4096
PLANS = [  # rows and labels
    (10**6, 3 * 10**4),
    (10**7, 10**5),
    (10**8, 3 * 10**5),
    (10**9, 10**6),
]
N_DRAWN = 20_480  # rows by which labels are counted
TREE_FEATURES, FEATURES_PER_ROW = 500_000, 80
DAY, HOUR, GB = 86_400, 3600, 1e9
N_TOGETHER = 16  # processes that share a fit
NETWORK = 1.25e9  # bytes per second of 10 Gbit/s
ENOUGH = 64 * GB  # memory of a machine


# -- runs ------------------------------------------------------------------------------


def measure(anew):
    """Run what is not stored, and store it."""
    made = {} if anew else read_results(PATH)
    made["versions"] = versions()
    runs = made.setdefault("runs", {})
    for name, kind in KINDS.items():
        cases = [("measured", case) for case in kind.cases]
        cases += [("checked", case) for case in kind.checks]
        for what, case in cases:
            key = f"{name}, {what}: {case}"
            if key in runs:
                continue
            start = time.perf_counter()
            counted, found = kind.run(case)
            runs[key] = {"kind": name, "what": what, "case": asdict(counted)} | found
            passed = time.perf_counter() - start
            print(f"{key}: {found}, {passed:.0f} s in all", flush=True)
            write_results(PATH, made)
    wanted = [
        f"{name}, {what}: {case}"
        for name, kind in KINDS.items()
        for what, cases in (("measured", kind.cases), ("checked", kind.checks))
        for case in cases
    ]
    made["runs"] = {key: runs[key] for key in wanted}
    drawn = made.setdefault("labels", {})
    for _, n_labels in PLANS:
        if str(n_labels) not in drawn:
            drawn[str(n_labels)] = in_own_process(count_labels, n_labels)
            print(f"{n_labels} labels: {drawn[str(n_labels)]}", flush=True)
            write_results(PATH, made)
    write_results(PATH, made)
    return made


def count_labels(n_labels):
    """Return what the labels of rows are, of rows that are drawn."""
    hierarchy = make_hierarchy(n_labels, np.random.default_rng(0))
    Y = draw_labels(hierarchy, N_DRAWN)
    batches = range(0, N_DRAWN, BATCH_SIZE)
    together = [len(np.unique(Y[k : k + BATCH_SIZE].indices)) for k in batches]
    return {
        "labels_per_row": Y.nnz / N_DRAWN,
        "n_positive": float(np.mean(together)),
        "rows_of_labels": rows_of_labels(Y, hierarchy),
    }


# -- what is made of them --------------------------------------------------------------

CASES = {"label trees": Tree, "predictions of files": Predictions}


def case_of(run):
    """Return the case of a stored run."""
    return CASES.get(run["kind"], Fit)(**run["case"])


def constants(made):
    """Return what every term of every cost takes, by the small runs."""
    found = {}
    for name, cost in COSTS.items():
        runs = [
            run
            for run in made["runs"].values()
            if run["what"] == "measured" and name in KINDS[run["kind"]].costs
        ]
        cases = [case_of(run) for run in runs]
        found[name] = cost.constants(cases, [run[name] for run in runs])
    return found


def checks(made):
    """Return the runs that were predicted: kind, case, what, measured, predicted."""
    each = constants(made)
    found = []
    for run in made["runs"].values():
        if run["what"] != "checked":
            continue
        kind, case = KINDS[run["kind"]], case_of(run)
        for name in kind.costs:
            predicted = COSTS[name].of(case, each[name])
            found.append((run["kind"], case, name, run[name], predicted))
        for name, formula in kind.exact.items():
            found.append((run["kind"], case, name, run[name], formula(case)))
    return found


# -- tables ----------------------------------------------------------------------------

NAMES = {
    "step": "a step, s",
    "memory": "memory, MB",
    "checkpoint": "checkpoint, MB",
    "begin": "before the steps, s",
    "bytes": "added up per step, MB",
    "tree": "fit, s",
    "predictions": "call, s",
}
IN_MB = ("memory", "checkpoint", "bytes")


def table_of_constants(made):
    """Return what was measured, per term."""
    rows = []
    for name, each in constants(made).items():
        unit = COSTS[name].unit
        for term, value in each.items():
            if value:
                text = _short(value) if unit == "bytes" else _seconds(value)
                rows.append([NAMES[name].split(",")[0], term, text])
    heads = ["cost", "per", "takes"]
    return table("What each part takes, bytes or time of one core", heads, rows)


def _seconds(value):
    units = {"s": 1, "ms": 1e3, "µs": 1e6, "ns": 1e9, "ps": 1e12}
    unit = next((unit for unit, n in units.items() if value * n >= 1), "ps")
    return f"{_short(value * units[unit])} {unit}"


def _short(value):
    """Return a number with three digits that count, or all before the point."""
    return f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"


def table_of_checks(made):
    """Return predicted beside measured."""
    rows = []
    for kind, case, name, measured, predicted in checks(made):
        scale = 1e6 if name in IN_MB else 1
        off = 100 * (predicted / measured - 1)
        rows.append(
            [kind, f"{case.n_rows:,}", f"{case.n_labels:,}", NAMES[name]]
            + [_short(value / scale) for value in (predicted, measured)]
            + [f"{off:+.0f} %"]
        )
    heads = ["run", "rows", "labels", "what", "predicted", "measured", "off by"]
    return table("Predictions, and the runs themselves", heads, rows)


def plan(made, n_rows, n_labels, n_processes=1):
    """Return the Fit of a network that is planned."""
    drawn = made["labels"][str(n_labels)]
    return Fit(
        n_rows,
        N_FEATURES,
        n_labels,
        drawn["labels_per_row"],
        drawn["n_positive"],
        batch_size=BATCH_SIZE,
        n_epochs=1,
        n_processes=n_processes,
    )


def tables_of_plans(made):
    """Return what is stored, what an epoch takes, and what predictions take."""
    each = constants(made)
    sizes, times = [], []
    for n_rows, n_labels in PLANS:
        head = [f"{n_rows:,}", f"{n_labels:,}"]
        case = plan(made, n_rows, n_labels)
        stored = (case.bytes_of_X, case.bytes_of_Y, case.bytes_of_order)
        stored += (12 * case.weights, case.bytes_of_checkpoint)
        memory = COSTS["memory"].of(case, each["memory"])
        sizes.append([*head, *(_gb(x) for x in stored), _gb(memory)])
        alone = case.n_steps * COSTS["step"].of(case, each["step"])
        some = plan(made, n_rows, n_labels, N_TOGETHER)
        together = some.n_steps * COSTS["step"].of(some, each["step"])
        drawn = made["labels"][str(n_labels)]
        tree = (n_rows, TREE_FEATURES, n_labels, FEATURES_PER_ROW)
        tree = Tree(*tree, drawn["rows_of_labels"])
        scored = Predictions(n_rows, N_FEATURES, n_labels)
        scored = COSTS["predictions"].of(scored, each["predictions"])
        times.append(
            [*head, f"{case.n_steps:,}", f"{alone / HOUR:,.1f}"]
            + [f"{together / HOUR:,.1f}", f"{some.bytes_of_step / 1e6:.0f} MB"]
            + [f"{COSTS['tree'].of(tree, each['tree']) / HOUR:,.1f}"]
            + [f"{scored / DAY:,.2f}"]
        )
    heads = ["rows", "labels"]
    first = table(
        f"What is stored ({N_FEATURES} features, hidden layers of 1,000, 256 numbers "
        f"per prototype)",
        [*heads, "X (file)", "Y", "order of rows", "weights, three times", "checkpoint"]
        + ["private memory of a process"],
        sizes,
    )
    second = table(
        f"Time of one core (batches of {BATCH_SIZE:,} rows, 5,000 labels sampled)",
        [
            *heads,
            "steps per epoch",
            "an epoch, hours",
            f"of {N_TOGETHER} processes, each, hours",
        ]
        + ["added up per step", "LabelTreeClassifier, hours"]
        + ["predict_files, days"],
        times,
    )
    return [first, second]


def table_of_limits(made):
    """Return what is too small first, and from which size on."""
    n_rows, n_labels = PLANS[-1]
    each = constants(made)
    case = plan(made, n_rows, n_labels, N_TOGETHER)
    per_row = case.labels_per_row
    step = COSTS["step"].of(case, each["step"])
    # in a ring, everybody sends nearly all twice
    exchange = 2 * (1 - 1 / N_TOGETHER) * case.bytes_of_step / NETWORK
    memory = each["memory"]["byte of Y"] * bytes_of_csr(10**6, 10**6 * per_row, 1) / 1e6
    whole = plan(made, 10**6, n_labels)
    of_labels = COSTS["memory"].of(whole, each["memory"]) / n_labels
    rows = [
        ["positions in Y take 64 bits, and Y 9 bytes per label, not 5"]
        + [f"{MAX_INT32 / per_row / 1e6:,.0f} million rows"],
        ["Y and what is made of it fill 64 GB of every process"]
        + [f"{ENOUGH / memory / 1e6:,.0f} million rows"],
        ["the network fills 64 GB, with the state of its optimizer"]
        + [f"{ENOUGH / of_labels / 1e6:,.0f} million labels"],
        ["early stopping: probabilities of held-out rows fill 64 GB"]
        + [f"{ENOUGH / FLOAT / n_labels:,.0f} rows held out"],
        ["LabelTreeClassifier: X stores more numbers than 32 bits count"]
        + [f"{MAX_INT32 / FEATURES_PER_ROW / 1e6:,.0f} million rows"],
        [f"an exchange over 10 Gbit/s, beside the {step:.1f} s of a step"]
        + [f"{exchange:.2f} s, {case.bytes_of_step / 1e6:.0f} MB"],
        ["a checkpoint, at 200 MB per second"]
        + [
            f"{case.bytes_of_checkpoint / 200e6:.0f} s, {_gb(case.bytes_of_checkpoint)}"
        ],
    ]
    title = (
        f"What is too small first (rows of {per_row:.0f} labels and {FEATURES_PER_ROW} "
        f"words; where nothing else is said, {n_labels:,} labels)"
    )
    return table(title, ["what happens", "from"], rows)


def _gb(n_bytes):
    return f"{n_bytes / GB:,.2f} GB"


def page(made):
    """Return the tables of the documentation."""
    kinds = {
        "plans": tables_of_plans(made),
        "limits": [table_of_limits(made)],
        "checks": [table_of_checks(made)],
        "constants": [table_of_constants(made)],
    }
    blocks = [block(name, texts) for name, texts in kinds.items()]
    return include("benchmarks.cost_model", blocks, made["versions"])


def main():
    parser = command_line(__doc__)
    parser.add_argument("--measure", action="store_true", help="run what is not stored")
    parser.add_argument("--anew", action="store_true", help="run all again")
    options = parser.parse_args()
    if options.measure or options.anew:
        made = measure(options.anew)
    else:
        made = read_results(PATH)
    text = page(made)
    print(text)
    PAGE.write_text(text)
    off = [abs(predicted / found - 1) for *_, found, predicted in checks(made)]
    far = sum(one > ALLOWED for one in off)
    print(f"{far} of {len(off)} predictions are off by more than {ALLOWED:.0%}.")


if __name__ == "__main__":
    main()
