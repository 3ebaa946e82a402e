"""When the first layer should multiply sparse X as it is, and when a dense batch.

Run as ``python -m benchmarks.sparse_input``. Times a batch from CSR rows to the
gradients of a layer's weights, by a dense batch and by the stored values alone, on one
thread: the medians on which the rule of ``skhmc._networks.encoder`` stands. Writes
``benchmarks/results/sparse_input.json``.
"""

import itertools
import json
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp
import torch

from benchmarks.figures import versions
from skhmc._networks.batches import SliceDataset
from skhmc._networks.encoder import SPARSE, WIDE
from skhmc.nn.modules import MLPEncoder, initialise

N_FEATURES, PER_ROW, BATCHES = (1000, 10_000, 100_000), (10, 50, 100, 200), (64, 1024)
WIDTH, REPEATS, MOST_ENTRIES = 256, 7, 10**8
RESULTS = Path(__file__).parent / "results" / "sparse_input.json"


def milliseconds(X, rows, takes_sparse):
    """Return the median time of a batch: cut, forward, backward."""
    encoder = MLPEncoder(X.shape[1], [WIDTH], 0.0, takes_sparse=takes_sparse)
    initialise(encoder, torch.Generator().manual_seed(0), torch.Generator(), set())
    data = SliceDataset(X, dtype=torch.float32, sparse=takes_sparse)
    times = []
    for _ in range(REPEATS):
        encoder.zero_grad()
        start = time.perf_counter()
        batch, _ = data.batch(rows, "cpu")
        encoder(batch).sum().backward()
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


def measure(n_features, per_row, batch_size):
    """Return the figures of one size."""
    rng = np.random.default_rng(0)
    shape, density = (2 * batch_size, n_features), per_row / n_features
    X = sp.random(*shape, density, "csr", dtype=np.float32, random_state=rng)
    rows = torch.from_numpy(rng.permutation(2 * batch_size)[:batch_size])
    figures = {"n_features": n_features, "per_row": per_row, "batch_size": batch_size}
    for name, takes_sparse in (("dense", False), ("sparse", True)):
        figures[f"{name}_ms"] = milliseconds(X, rows, takes_sparse)
    return figures | {"rule": n_features >= WIDE and density <= SPARSE}


def main():
    """Print the table and write the results."""
    torch.set_num_threads(1)
    print("features  per row  batch   dense ms  sparse ms  by the rule")
    runs = []
    for sizes in itertools.product(N_FEATURES, PER_ROW, BATCHES):
        if sizes[0] * sizes[2] > MOST_ENTRIES:
            continue
        r = measure(*sizes)
        runs.append(r)
        print(
            f"{sizes[0]:>8} {sizes[1]:>8} {sizes[2]:>6} {r['dense_ms']:>10.2f} "
            f"{r['sparse_ms']:>10.2f}  {'sparse' if r['rule'] else 'dense'}",
            flush=True,
        )
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"versions": versions(), "runs": runs}, indent=1)
    RESULTS.write_text(text + "\n")
    print(f"Wrote {RESULTS}")


if __name__ == "__main__":
    main()
