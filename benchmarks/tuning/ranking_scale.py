"""The ranking loss on 50,000 labels: seconds, memory, and which optimiser."""

import json
import resource
import time
import warnings

import numpy as np
import scipy.sparse as sp
import torch
from threadpoolctl import threadpool_limits

from benchmarks.command import in_own_process
from benchmarks.tuning.comparison import Comparison
from skhmc import HyperbolicHMC
from skhmc._networks.label_similarity import SIMILARITIES, similarity
from skhmc.induction import cooccurrence
from skhmc.nn.pairs import RankedPairs
from skhmc.nn.ranking import HYPERBOLIC, SampledRanking, ranking_loss

__all__ = ["RankingScale", "RankingScaleEstimator"]

N_SAMPLES, N_LABELS, BATCH_SIZE = 100_000, 50_000, 64
N_ROOTS, N_CHILDREN, N_PATHS = 10, 8, 3
DIM, N_PAIRS, N_NEGATIVES, LEARNING_RATE = 32, 256, 10, 0.01
LIMIT_GB = 4
# dtype, class, options; SparseAdam gets gradients of the rows that were drawn alone
OPTIMIZERS = {
    "AdamW, float64": (torch.float64, torch.optim.AdamW, {}),
    "AdamW fused, float64": (torch.float64, torch.optim.AdamW, {"fused": True}),
    "AdamW, float32": (torch.float32, torch.optim.AdamW, {}),
    "AdamW fused, float32": (torch.float32, torch.optim.AdamW, {"fused": True}),
    "SparseAdam, float64": (torch.float64, torch.optim.SparseAdam, {}),
    "SparseAdam, float32": (torch.float32, torch.optim.SparseAdam, {}),
}
SETTINGS = ("n_samples", "n_labels", "similarity")


class RankingScale(Comparison):
    """The ranking loss on 50,000 labels: seconds, memory, and which optimiser.

    Makes 100,000 samples of three paths each in a random forest of 50,000 labels (10
    roots, 8 children each; about 15 labels per sample), counts which labels occur
    together, ranks them, and trains an embedding (32 coordinates, hyperbolic) by the
    sampled loss alone for as many steps as an epoch in batches of 64 has, with 256
    pairs and 10 candidates each per step. Every optimiser runs in a process of its own,
    one after the other. Fails when one needs more than 4 GB.
    """

    name = "ranking_scale"

    def add_options(self, parser):
        parser.add_argument("--optimizer", choices=list(OPTIMIZERS), action="append")
        add_sizes(parser)

    def measure(self, options):
        settings = settings_of(options)
        results = {"settings": settings, "runs": []}
        for name in options.optimizer or OPTIMIZERS:
            results["runs"].append(in_own_process(run, name, *settings.values()))
            yield results

    def lines(self, results, options):
        n_samples, n_labels, kind = results["settings"].values()
        lines = [
            f"{n_samples:,} samples, {n_labels:,} labels, {kind}",
            "optimizer                 nnz (M)  count s  similarity s  pairs s  "
            "train s  (CPU)  loss: first  last  peak GB",
        ]
        return lines + [line(run) for run in results["runs"]]

    def failure(self, results):
        return too_much(*results["runs"])


class RankingScaleEstimator(Comparison):
    """One epoch of HyperbolicHMC with its defaults on the labels of ranking_scale.

    X are 20 random numbers; 1,000 samples are predicted afterwards.
    """

    name = "ranking_scale_estimator"

    def add_options(self, parser):
        add_sizes(parser)

    def measure(self, options):
        settings = settings_of(options)
        figures = in_own_process(fit, *settings.values())
        del settings["similarity"]
        yield {"settings": settings, "figures": figures}

    def lines(self, results, options):
        return json.dumps(results, indent=1).splitlines()

    def failure(self, results):
        return too_much(results["figures"])


def add_sizes(parser):
    """Add the options that say which labels are made."""
    parser.add_argument("--similarity", choices=SIMILARITIES, default="cosine")
    parser.add_argument("--samples", type=int, default=N_SAMPLES)
    parser.add_argument("--labels", type=int, default=N_LABELS)


def settings_of(options):
    """Return the settings as they are stored."""
    values = (options.samples, options.labels, options.similarity)
    return dict(zip(SETTINGS, values, strict=True))


def too_much(*runs):
    """Return what to say where more than the limit was needed, or None."""
    peak = max(run["peak_gb"] for run in runs)
    return f"More than {LIMIT_GB} GB were needed." if peak > LIMIT_GB else None


def line(run):
    """Return the line of an optimiser."""
    return (
        f"{run['optimizer']:<24} {run['nnz'] / 1e6:>8.2f} "
        f"{run['count_seconds']:>8.1f} {run['similarity_seconds']:>13.1f} "
        f"{run['pairs_seconds']:>8.1f} {run['train_seconds']:>8.1f} "
        f"{run['train_cpu_seconds']:>6.1f} {run['first_loss']:>12.2f} "
        f"{run['last_loss']:>5.2f} {run['peak_gb']:>8.2f}"
    )


def make_labels(n_samples, n_labels, seed=0):
    """Return label sets closed upward: paths to leaves drawn uniformly, in a forest."""
    rng = np.random.default_rng(seed)
    parent = (np.arange(n_labels) - N_ROOTS) // N_CHILDREN
    parent[:N_ROOTS] = -1
    leaves = np.setdiff1d(np.arange(n_labels), parent)
    column = rng.choice(leaves, n_samples * N_PATHS)
    row = np.repeat(np.arange(n_samples), N_PATHS)
    rows, columns = [], []
    while len(column):
        rows.append(row), columns.append(column)
        up = parent[column] >= 0
        row, column = row[up], parent[column[up]]
    where = np.concatenate(rows), np.concatenate(columns)
    Y = sp.csr_matrix((np.ones(len(where[0])), where), (n_samples, n_labels))
    Y.data[:] = 1
    return Y


def rank(n_samples, n_labels, kind):
    """Return the ranked pairs, and the seconds and sizes on the way to them."""
    Y = make_labels(n_samples, n_labels)
    clock = [time.perf_counter()]
    counts = cooccurrence(Y)
    clock.append(time.perf_counter())
    S = similarity(counts, kind, n_samples)
    clock.append(time.perf_counter())
    arrays = (torch.from_numpy(a) for a in (S.indptr, S.indices, S.data))
    pairs = RankedPairs(*arrays)
    clock.append(time.perf_counter())
    seconds = dict(zip(("count", "similarity", "pairs"), np.diff(clock), strict=True))
    sizes = {"nnz_Y": Y.nnz, "nnz_counts": counts.nnz, "nnz": S.nnz}
    return pairs, {f"{k}_seconds": v for k, v in seconds.items()} | sizes


def sparse_losses(loss, table):
    """Return what the loss returns, so that gradients hold the drawn rows alone."""
    draw = loss.pairs.draw(loss.n_pairs, loss.n_negatives, loss.generator)
    labels = [draw.anchor[:, None], draw.positive[:, None], draw.candidates]
    points = torch.nn.functional.embedding(torch.cat(labels, 1), table, sparse=True)
    d = loss.geometry.distance(points[:, :1], points[:, 1:])
    return ranking_loss(d[:, 0], d[:, 1:], draw.strict, loss.temperature)


def train(pairs, n_steps, dtype, optimizer, options):
    """Train an embedding and return seconds and losses."""
    generator = torch.Generator().manual_seed(0)
    loss = SampledRanking(pairs, HYPERBOLIC, n_pairs=N_PAIRS, n_negatives=N_NEGATIVES)
    loss.generator = generator
    table = torch.empty(pairs.n_labels, DIM, dtype=dtype)
    table.normal_(std=0.01, generator=generator).requires_grad_()
    sparse = optimizer is torch.optim.SparseAdam
    optimizer = optimizer([table], lr=LEARNING_RATE, **options)
    start, cpu, losses = time.perf_counter(), time.process_time(), []
    for _ in range(n_steps):
        optimizer.zero_grad()
        value = (sparse_losses(loss, table) if sparse else loss(table)).mean()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return {
        "train_seconds": time.perf_counter() - start,
        "train_cpu_seconds": time.process_time() - cpu,
        "first_loss": np.mean(losses[:100]),
        "last_loss": np.mean(losses[-100:]),
    }


def run(name, n_samples, n_labels, kind):
    """Rank, train with one optimiser, and return the figures."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        pairs, figures = rank(n_samples, n_labels, kind)
        figures |= train(pairs, -(-n_samples // BATCH_SIZE), *OPTIMIZERS[name])
    figures = {key: float(value) for key, value in figures.items()}
    return {"optimizer": name, **figures, "peak_gb": peak_gb()}


def fit(n_samples, n_labels, kind):
    """Fit the estimator for one epoch and return the figures."""
    Y = make_labels(n_samples, n_labels)
    X = np.random.default_rng(0).normal(size=(n_samples, 20)).astype(np.float32)
    torch.set_num_threads(1)
    start, cpu = time.perf_counter(), time.process_time()
    clf = HyperbolicHMC(similarity=kind, max_iter=1, device="cpu", random_state=0)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        clf.fit(X, Y)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        fit_peak = peak_gb()
        clf.predict_proba(X[:1000])
    return {
        "fit_seconds": seconds,
        "fit_cpu_seconds": cpu,
        "n_edges": len(clf.learned_hierarchy_.edges),
        "fit_peak_gb": fit_peak,
        "peak_gb": peak_gb(),
    }


def peak_gb():
    """Return the most memory that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # KiB, on Linux
