"""Very many labels: peak memory, seconds and precision of one epoch on sparse data.

Run as ``python -m benchmarks.large [--part size|sampled] [--threads 2]``. Makes 200,000
samples of 100,000 sparse features and 100,000 labels (a random DAG; how often leaves
occur falls as one over their rank; about 98 values of X and 22 labels per row, both
CSR), trains one epoch of MaxConstraintClassifier and of HCALClassifier with defaults
but for the width and the batch, each in a process of its own, and scores 2,000 other
rows.

The limit of the peak is 1.2 times the CSR inputs, six times the parameters and one
batch. What interpreter and libraries need after a tiny fit is subtracted before.

Then compares, at 20,000 labels, the loss of all labels with that of samples of them.
Writes ``benchmarks/results/large.json`` and the tables of ``docs/training.rst``.
"""

import json
import multiprocessing
import os
import resource
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch
from threadpoolctl import threadpool_limits

from benchmarks.command import command_line, read_results, write_results
from benchmarks.figures import versions
from benchmarks.tables import include, table
from skhmc import HCALClassifier, Hierarchy, MaxConstraintClassifier
from skhmc.coherence import close_upward
from skhmc.metrics import au_prc_score

SIZE = {"n_samples": 200_000, "n_features": 100_000, "n_labels": 100_000}
SMALL = {"n_samples": 15_000, "n_features": 20_000, "n_labels": 20_000}
N_HELD_OUT = 2000
N_LEAVES, N_WORDS, N_NOISE, VOCABULARY = 3, 4, 20, 12  # of a row, a label, a row, ...
ESTIMATORS = {
    "MaxConstraintClassifier": MaxConstraintClassifier,
    "HCALClassifier": HCALClassifier,
}
WIDTH, BATCH_SIZE = (128,), 256
SAMPLED_EPOCHS, SAMPLES = 3, (None, 5000, 1000)
LIMIT = 1.2
MB = 2**20
RESULTS = Path(__file__).parent / "results" / "large.json"
PAGE = Path(__file__).parents[1] / "docs" / "large_tables.inc"


# -- data ------------------------------------------------------------------------------


def make_hierarchy(n_labels, rng):
    """Return a random DAG: one label in ten has two parents."""
    child = np.arange(50, n_labels)
    parent = (child * rng.beta(1, 3, len(child))).astype(np.int64)
    more = rng.choice(child, n_labels // 10, replace=False)
    other = (more * rng.random(len(more))).astype(np.int64)
    edges = np.vstack(
        [np.column_stack([parent, child]), np.column_stack([other, more])]
    )
    edges = np.unique(edges, axis=0)
    return Hierarchy.from_edges(edges.tolist(), labels=range(n_labels))


def make_data(n_samples, n_features, n_labels, seed=0):
    """Return X, a closed Y (both CSR) and the hierarchy.

    A row has a few leaves and their ancestors; every label has some features of its
    own, of which a row with the label has a few, beside some that mean nothing.
    """
    rng = np.random.default_rng(seed)
    hierarchy = make_hierarchy(n_labels, rng)
    leaves = rng.permutation(hierarchy.leaves)
    rate = 1 / np.arange(1, len(leaves) + 1)
    drawn = rng.choice(leaves, (n_samples, N_LEAVES), p=rate / rate.sum())
    Y = close_upward(_csr(drawn, n_labels, np.uint8), hierarchy)
    vocabulary = rng.integers(n_features, size=(n_labels, VOCABULARY))
    row = np.repeat(np.arange(n_samples), np.diff(Y.indptr))
    words = rng.integers(VOCABULARY, size=(len(row), N_WORDS))
    words = vocabulary[Y.indices[:, None], words]
    noise = rng.integers(n_features, size=n_samples * N_NOISE)
    row = np.concatenate(
        [np.repeat(row, N_WORDS), np.arange(n_samples).repeat(N_NOISE)]
    )
    columns = np.concatenate([words.ravel(), noise])
    ones = np.ones(len(row), np.float32)
    X = sp.csr_matrix((ones, (row, columns)), (n_samples, n_features))
    X.data /= np.sqrt(np.repeat(np.diff(X.indptr), np.diff(X.indptr)))
    return X, Y, hierarchy


def _csr(columns, n_columns, dtype):
    n_rows, each = columns.shape
    starts = np.arange(0, n_rows * each + 1, each)
    ones = np.ones(columns.size, dtype)
    matrix = sp.csr_matrix((ones, columns.ravel(), starts), (n_rows, n_columns))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def store(folder, sizes):
    """Write data to files, so that reading them costs no more than they are."""
    X, Y, hierarchy = make_data(
        sizes["n_samples"] + N_HELD_OUT, *list(sizes.values())[1:]
    )
    for name, matrix in (("X", X), ("Y", Y)):
        for part, rows in (
            ("train", slice(N_HELD_OUT, None)),
            ("test", slice(N_HELD_OUT)),
        ):
            sp.save_npz(folder / f"{name}_{part}.npz", matrix[rows], compressed=False)
    np.save(folder / "edges.npy", hierarchy.edges)


def load(folder, n_labels):
    """Return what ``store`` wrote."""
    files = ("X_train", "Y_train", "X_test", "Y_test")
    matrices = [sp.csr_matrix(sp.load_npz(folder / f"{name}.npz")) for name in files]
    edges = np.load(folder / "edges.npy").tolist()
    return *matrices, Hierarchy.from_edges(edges, labels=range(n_labels))


# -- runs ------------------------------------------------------------------------------


def n_bytes(*matrices):
    """Return the bytes of CSR matrices."""
    return sum(m.data.nbytes + m.indices.nbytes + m.indptr.nbytes for m in matrices)


def peak():
    """Return the peak memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def tiny_fit(kind):
    """Load what a fit loads."""
    X = sp.random(64, 2000, 0.005, "csr", dtype=np.float32, random_state=0)
    Y = sp.csr_matrix(np.eye(64, 5, dtype=np.uint8)[:, ::-1])
    kind(None, hidden_layer_sizes=(8,), max_iter=1, n_sampled_labels=2).fit(X, Y)


def precision(Y, scores, k):
    """Return the share of the k highest scores that are of a row's labels."""
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    return float(np.take_along_axis(Y, best, axis=1).mean())


def held_out_scores(clf, X, Y, block=250):
    """Return precision at 1 and 5 among leaves, the block's scores dense alone."""
    leaves, found = clf.hierarchy_.leaves, []
    for start in range(0, X.shape[0], block):
        rows = slice(start, start + block)
        scores = clf.raw_decision_function(X[rows])[:, leaves]
        truth = Y[rows][:, leaves].toarray()
        found.append([precision(truth, scores, k) for k in (1, 5)])
    one, five = np.mean(found, axis=0).tolist()
    return {"precision_at_1": one, "precision_at_5": five}


def fit(name, folder, sizes, options):
    """Fit once; return the classifier, the held-out rows and the figures."""
    kind = ESTIMATORS[name]
    tiny_fit(kind)
    base = peak()
    X, Y, X_test, Y_test, hierarchy = load(folder, sizes["n_labels"])
    clf = kind(
        hierarchy,
        hidden_layer_sizes=WIDTH,
        batch_size=BATCH_SIZE,
        random_state=0,
        **options,
    )
    start, cpu = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        clf.fit(X, Y)
    seconds, most = time.perf_counter() - start, peak() - base
    cpu = time.process_time() - cpu
    n_parameters = sum(p.numel() for p in clf.net_.module_.parameters())
    labels = Y.shape[1]
    if clf.n_sampled_labels_ is not None:  # beside those of the batch
        labels = clf.n_sampled_labels_ + len(np.unique(Y[:BATCH_SIZE].indices))
    rows = BATCH_SIZE * (2 * X.nnz / X.shape[0] + labels)
    parts = {
        "inputs_mb": n_bytes(X, Y) / MB,
        "parameters_mb": 4 * n_parameters / MB,
        "batch_mb": 4 * rows / MB,
    }
    allowed = LIMIT * (
        parts["inputs_mb"] + 6 * parts["parameters_mb"] + parts["batch_mb"]
    )
    figures = {
        "estimator": name,
        "seconds": seconds,
        "loss": clf.history_[-1]["train_loss"],
    }
    figures |= {"cpu_seconds": cpu, "sampled": clf.n_sampled_labels_}
    figures |= {"peak_mb": most / MB}
    figures |= {"limit_mb": allowed, "base_mb": base / MB, **parts}
    figures |= {
        "values_per_row": X.nnz / X.shape[0],
        "labels_per_row": Y.nnz / Y.shape[0],
    }
    return clf, X_test, Y_test, figures


def run_size(name, folder):
    """Train an epoch on the large data; return the figures."""
    clf, X, Y, figures = fit(name, folder, SIZE, {"max_iter": 1})
    return figures | held_out_scores(clf, X, Y)


def run_sampled(name, n_sampled, folder):
    """Train on the smaller data; return the figures."""
    options = {"max_iter": SAMPLED_EPOCHS, "n_sampled_labels": n_sampled}
    clf, X, Y, figures = fit(name, folder, SMALL, options)
    proba = clf.predict_proba(X)
    return figures | held_out_scores(clf, X, Y) | {"au_prc": au_prc_score(Y, proba)}


def in_own_process(n_threads, function, *args):
    """Return what a function returns, run in a process of its own."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        return pool.apply(_limited, (n_threads, function, *args))


def _limited(n_threads, function, *args):
    torch.set_num_threads(n_threads)
    with threadpool_limits(n_threads):
        return function(*args)


# -- tables ----------------------------------------------------------------------------

HEADS = {
    "size": [
        *("estimator", "inputs MB", "parameters MB", "peak MB", "limit MB"),
        *("threads", "seconds", "CPU seconds", "P@1", "P@5"),
    ],
    "sampled": [
        *("estimator", "labels sampled", "threads", "seconds", "CPU seconds"),
        *("AU(PRC)", "P@1", "P@5"),
    ],
}
TITLES = {
    "size": (
        "200,000 samples, 100,000 features, 100,000 labels: one epoch "
        f"(hidden_layer_sizes={WIDTH}, batch_size={BATCH_SIZE})"
    ),
    "sampled": (
        f"15,000 samples, 20,000 features, 20,000 labels: {SAMPLED_EPOCHS} epochs by "
        "all labels and by samples of them"
    ),
}


def row(part, run):
    """Return a table row."""
    at = [f"{run[f'precision_at_{k}']:.3f}" for k in (1, 5)]
    if part == "size":
        sizes = ("inputs_mb", "parameters_mb", "peak_mb", "limit_mb")
        sizes += ("threads", "seconds", "cpu_seconds")
        return [run["estimator"], *(f"{run[name]:.0f}" for name in sizes), *at]
    labels = f"{run['sampled']:,}" if run["sampled"] else "all"
    took = [f"{run[name]:.0f}" for name in ("threads", "seconds", "cpu_seconds")]
    return [run["estimator"], labels, *took, f"{run['au_prc']:.3f}", *at]


def tables():
    """Return the tables of the results, as texts."""
    made = json.loads(RESULTS.read_text())
    return [
        table(TITLES[part], HEADS[part], [row(part, run) for run in made[part]])
        for part in TITLES
    ]


def page():
    """Return the part of the documentation that holds the tables."""
    made = json.loads(RESULTS.read_text())
    return include("benchmarks.large", tables(), made["versions"])


def runs(part):
    """Return what a part runs: a function and its arguments but for the folder."""
    if part == "size":
        return [(run_size, name) for name in ESTIMATORS]
    return [(run_sampled, "MaxConstraintClassifier", n) for n in SAMPLES]


def save(made):
    """Write the results so far, and the tables once there are all."""
    write_results(RESULTS, made)
    if all(len(made.get(part, ())) == len(runs(part)) for part in TITLES):
        PAGE.write_text(page())
        print(f"Wrote {RESULTS} and {PAGE}")


def main():
    """Print the tables and write the results."""
    parser = command_line(__doc__)
    parser.add_argument("--part", choices=list(TITLES), action="append")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    made = read_results(RESULTS)
    made |= {"versions": versions(), "cpus": os.cpu_count()}
    for part in options.part or TITLES:
        print(TITLES[part], "  ".join(HEADS[part]), sep="\n", flush=True)
        made[part] = []
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            sizes = SIZE if part == "size" else SMALL
            in_own_process(1, store, folder, sizes)
            for function, *args in runs(part):
                run = in_own_process(options.threads, function, *args, folder)
                made[part].append(run | {"threads": options.threads})
                print("  ".join(row(part, made[part][-1])), flush=True)
                save(made)
    over = [
        r["estimator"] for r in made.get("size", ()) if r["peak_mb"] > r["limit_mb"]
    ]
    if over:
        raise SystemExit(f"More memory than the limit: {over}.")


if __name__ == "__main__":
    main()
