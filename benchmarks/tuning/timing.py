"""Comparisons of times: a layer on sparse X, and stratified folds."""

import itertools
import json
import time

import numpy as np
import scipy.sparse as sp
import torch

from benchmarks.recipe import load
from benchmarks.tuning.comparison import Comparison
from skhmc._networks.batches import SliceDataset
from skhmc._networks.parameters import SPARSE, WIDE
from skhmc.model_selection import MultilabelStratifiedKFold
from skhmc.nn.modules import MLPEncoder, initialise

__all__ = ["SparseInput", "Splitters"]


class SparseInput(Comparison):
    """When the first layer should multiply sparse X as it is, and when a dense batch.

    Times a batch from CSR rows to the gradients of a layer's weights, by a dense batch
    and by the stored values alone: the medians on which the rule of the encoder stands.
    """

    name = "sparse_input"
    sizes = {
        "n_features": (1000, 10_000, 100_000),
        "per_row": (10, 50, 100, 200),
        "batch_size": (64, 1024),
    }
    most_entries = 10**8  # of a dense batch
    width = 256
    repeats = 7

    def measure(self, options):
        torch.set_num_threads(1)
        results = {"runs": []}
        for n_features, per_row, batch_size in itertools.product(*self.sizes.values()):
            if n_features * batch_size <= self.most_entries:
                results["runs"].append(self.times(n_features, per_row, batch_size))
                yield results

    def times(self, n_features, per_row, batch_size):
        """Return the figures of one size."""
        rng = np.random.default_rng(0)
        shape, density = (2 * batch_size, n_features), per_row / n_features
        X = sp.random(*shape, density, "csr", dtype=np.float32, random_state=rng)
        rows = torch.from_numpy(rng.permutation(2 * batch_size)[:batch_size])
        return {
            "n_features": n_features,
            "per_row": per_row,
            "batch_size": batch_size,
            "dense_ms": self.milliseconds(X, rows, takes_sparse=False),
            "sparse_ms": self.milliseconds(X, rows, takes_sparse=True),
            "rule": n_features >= WIDE and density <= SPARSE,
        }

    def milliseconds(self, X, rows, takes_sparse):
        """Return the median time of a batch: cut, forward, backward."""
        widths = [self.width]
        encoder = MLPEncoder(X.shape[1], widths, 0.0, takes_sparse=takes_sparse)
        initialise(encoder, torch.Generator().manual_seed(0), torch.Generator(), set())
        data = SliceDataset(X, dtype=torch.float32, sparse=takes_sparse)
        times = []
        for _ in range(self.repeats):
            encoder.zero_grad()
            start = time.perf_counter()
            batch, _ = data.batch(rows, "cpu")
            encoder(batch).sum().backward()
            times.append(time.perf_counter() - start)
        return 1000 * float(np.median(times))

    def lines(self, results, options):
        lines = ["features  per row  batch   dense ms  sparse ms  by the rule"]
        for run in results["runs"]:
            sizes = f"{run['n_features']:>8} {run['per_row']:>8} {run['batch_size']:>6}"
            times = f"{run['dense_ms']:>10.2f} {run['sparse_ms']:>10.2f}"
            lines.append(f"{sizes} {times}  {'sparse' if run['rule'] else 'dense'}")
        return lines


class Splitters(Comparison):
    """How long stratified folds take, and how many labels a fold lacks.

    Splits 20,000 made samples of 500 labels, few of them frequent, and the training
    rows of seq_FUN and of the sparse texts cei into five folds. Prints seconds, the
    labels with at least two positives that are absent from some training part, and
    those with at least five that are absent from some test part.
    """

    name = "splitters"
    sets = ("made", "seq_FUN", "cei")
    n_splits = 5

    def measure(self, options):
        results = {"runs": {}}
        for name in self.sets:
            if name == "made":
                Y = made()
            else:
                data = load(name)
                Y = data.target[data.train]
            results["runs"][name] = self.split(sp.csr_matrix(Y))
            yield results

    def split(self, Y):
        """Return seconds, and how many labels are absent from some part."""
        cv = MultilabelStratifiedKFold(self.n_splits)
        start = time.perf_counter()
        splits = list(cv.split(Y, Y))
        seconds = time.perf_counter() - start
        count = np.asarray(Y.sum(axis=0)).ravel()
        least = [
            np.min([np.asarray(Y[rows].sum(axis=0)).ravel() for rows in part], axis=0)
            for part in zip(*splits, strict=True)
        ]
        return {
            "shape": Y.shape,
            "seconds": seconds,
            "absent_from_train": int(((count >= 2) & (least[0] == 0)).sum()),
            "absent_from_test": int(((count >= self.n_splits) & (least[1] == 0)).sum()),
        }

    def lines(self, results, options):
        return [f"{name} {json.dumps(run)}" for name, run in results["runs"].items()]


def made(n_samples=20_000, n_labels=500):
    """Return sparse labels, few of them frequent."""
    rng = np.random.default_rng(0)
    rate = np.minimum(0.5, 0.05 * rng.pareto(1.2, n_labels) + 5 / n_samples)
    return sp.csr_matrix(rng.random((n_samples, n_labels)) < rate)
