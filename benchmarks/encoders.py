"""Images through a small CNN and texts as tf-idf: HCALClassifier beside plain models.

Run as ``python -m benchmarks.encoders [--data-set NAME] [--seeds N]``; needs the npz
sets in SKHMC_DATA_HOME. Fits on train and valid together, scores on test, all on one
thread of a CPU. All image rows train for the same number of epochs, fewer than the
default, with the same batches, optimiser and schedule; the flat CNNs are a plain torch
loop around the same CNN, which is small for the sake of time.

What was chosen, on the valid part: the image epochs, of 20 and 40, by the scores of
HCALClassifier, not by those of the flat CNNs; and the epochs of scikit-learn's MLP, of
4, 8, 16 and 32. Its score still rose at 32, so that more might serve it better. Writes
``benchmarks/results/encoders.json``.
"""

import argparse
import json
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from torch import nn

from benchmarks.figures import leaf_accuracy, versions
from benchmarks.npz_sets import load_npz_set
from benchmarks.peers import FlatNetwork, paths_to
from skhmc import HCALClassifier
from skhmc.coherence import max_constraint
from skhmc.metrics import (
    au_prc_score,
    hierarchical_f1_score,
    hierarchical_violation_rate,
)

SEEDS = {"grocery32": 3, "cei": 2}
IMAGE_EPOCHS = 20  # of all image rows; HCALClassifier has 60 by default
MLP_EPOCHS = 32  # of scikit-learn's MLP on texts, which has no dropout
RESULTS = Path(__file__).parent / "results" / "encoders.json"
COLUMNS = ("au_prc", "leaf_accuracy", "f1", "hvr_raw", "hvr", "seconds")
HEADS = ("AU(PRC)", "leaf acc", "hier. F1", "HVR raw", "HVR final", "CPU s")
WITH_SD = ("au_prc", "leaf_accuracy", "f1")
LEGEND = f"""\
All rows of grocery32 train for {IMAGE_EPOCHS} epochs.
Means over seeds, ± standard deviation. HVR: share of test samples with a predicted
label whose parent is not predicted, before and after a model's coherence step. Flat
models are closed upward by max_constraint after training. Leaf accuracy of the flat
CNNs takes their most probable leaf. On images HVR raw of HCALClassifier is that of the
most probable label of each level, elsewhere of labels above 0.5. CPU s: of one fit."""


class SmallCNN(nn.Sequential):
    """Blocks of convolution, batch normalisation, ReLU and pooling."""

    def __init__(self, input_shape, widths=(16, 32, 64, 128)):
        n_channels, layers = input_shape[0], []
        for width in widths:
            layers += [
                nn.Conv2d(n_channels, width, 3, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
            n_channels = width
        super().__init__(*layers)


def image_rows(seeds):
    """Yield the rows of grocery32."""
    data = load_npz_set("grocery32")
    images = np.ascontiguousarray(data.images.transpose(0, 3, 1, 2), np.float32) / 255
    pixels = images.reshape(len(images), -1)
    network = partial(
        HCALClassifier, data.hierarchy, max_iter=IMAGE_EPOCHS, device="cpu"
    )
    flat = partial(FlatNetwork, data.hierarchy, encoder=SmallCNN, max_iter=IMAGE_EPOCHS)
    yield (
        data,
        pixels,
        "HCALClassifier, default MLP on pixels",
        seeds,
        lambda seed: make_pipeline(StandardScaler(), network(random_state=seed)),
    )
    yield (
        data,
        images,
        "HCALClassifier, encoder=SmallCNN",
        seeds,
        lambda seed: network(encoder=SmallCNN, random_state=seed),
    )
    yield (
        data,
        images,
        "flat CNN, sigmoids, closed upward",
        seeds,
        lambda seed: flat("sigmoid", random_state=seed),
    )
    yield (
        data,
        images,
        "flat CNN, softmax over leaves",
        seeds,
        lambda seed: flat("softmax", random_state=seed),
    )


def text_rows(seeds):
    """Yield the rows of cei."""
    data = load_npz_set("cei")
    network = partial(HCALClassifier, data.hierarchy, device="cpu")
    yield (
        data,
        data.data,
        "HCALClassifier on CSR, defaults",
        seeds,
        lambda seed: network(random_state=seed),
    )
    vectorizer = TfidfVectorizer(min_df=3, sublinear_tf=True)
    texts = np.array(data.texts, dtype=object)
    yield (
        data,
        texts,
        "Pipeline(TfidfVectorizer, HCALClassifier)",
        1,
        lambda seed: make_pipeline(vectorizer, network(random_state=seed)),
    )
    name = f"flat MLP 1000-1000, {MLP_EPOCHS} epochs, closed upward"
    yield (
        data,
        data.data,
        name,
        seeds,
        lambda seed: MLPClassifier(
            (1000, 1000), max_iter=MLP_EPOCHS, random_state=seed
        ),
    )
    name = "MultiOutput(LogisticRegression), closed upward"
    yield (
        data,
        data.data,
        name,
        1,
        lambda seed: MultiOutputClassifier(LogisticRegression(max_iter=1000)),
    )


def fit_and_score(data, X, model, seed):
    """Fit on train and valid together, score on test; return the figures."""
    rows, Y = np.concatenate([data.train, data.valid]), data.target.toarray()
    Y = Y.astype(np.int64)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # few epochs on purpose
        torch.manual_seed(seed)  # of the CNN's initial weights
        start = time.process_time()
        model.fit(X[rows], Y[rows])
        seconds = time.process_time() - start
        proba, raw, final = predictions(model, X[data.test], data.hierarchy)
    Y, hierarchy = Y[data.test], data.hierarchy
    figures = {
        "au_prc": au_prc_score(Y, proba, hierarchy=hierarchy),
        "f1": hierarchical_f1_score(Y, final, hierarchy),
        "hvr_raw": hierarchical_violation_rate(raw, hierarchy),
        "hvr": hierarchical_violation_rate(final, hierarchy),
        "seconds": seconds,
    }
    if data.images is not None:  # these have one path per sample
        figures["leaf_accuracy"] = leaf_accuracy(Y, final, hierarchy)
    return figures


def predictions(model, X, hierarchy):
    """Return probabilities, and predicted labels before and after coherence."""
    last = model[-1] if hasattr(model, "steps") else model
    proba = model.predict_proba(X)
    if isinstance(last, HCALClassifier):
        transformed = X if last is model else model[:-1].transform(X)
        return proba, last.predict_raw(transformed), model.predict(X)
    if isinstance(proba, list):  # MultiOutputClassifier's
        proba = np.column_stack([p[:, 1] for p in proba])
    closed = max_constraint(proba, hierarchy)
    if not isinstance(model, FlatNetwork):
        return closed, proba > 0.5, closed > 0.5
    best = hierarchy.leaves[closed[:, hierarchy.leaves].argmax(axis=1)]
    return closed, proba > 0.5, paths_to(best, hierarchy)


def table_row(name, runs):
    """Return a table row of the runs of one model."""
    cells = []
    for column, head in zip(COLUMNS, HEADS, strict=True):
        values = [run[column] for run in runs if column in run]
        cell = (
            f"{np.mean(values):.{1 if column == 'seconds' else 3}f}" if values else ""
        )
        if len(values) > 1 and column in WITH_SD:
            cell += f" ± {np.std(values):.3f}"
        cells.append(cell.ljust(13) if column in WITH_SD else cell.rjust(len(head)))
    return f"{name:<48} {len(runs):>5}  {'  '.join(cells)}"


def table_head(title):
    """Return the line above a table's rows."""
    columns = zip(COLUMNS, HEADS, strict=True)
    cells = [head.ljust(13) if c in WITH_SD else head for c, head in columns]
    return f"{title:<48} {'seeds':>5}  {'  '.join(cells)}"


def main():
    """Print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-set", choices=list(ROWS), action="append")
    parser.add_argument("--seeds", type=int, help="by default 3, and 2 for cei")
    options = parser.parse_args()
    for name in options.data_set or ROWS:
        runs = []
        head = table_head(name)
        print(f"\n{head}\n{'-' * len(head)}", flush=True)
        for data, X, model, n_seeds, build in ROWS[name](options.seeds or SEEDS[name]):
            new = [fit_and_score(data, X, build(s), s) for s in range(n_seeds)]
            print(table_row(model, new), flush=True)
            runs += [
                {"set": name, "model": model, "seed": seed, **run}
                for seed, run in enumerate(new)
            ]
        write(name, runs)
    print(f"\n{LEGEND}\n\nWrote {RESULTS}")


def write(name, runs):
    """Write the runs of a data set; those of others stay, of the same versions."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    if kept.get("versions") == versions():
        runs = [run for run in kept["runs"] if run["set"] != name] + runs
    RESULTS.parent.mkdir(exist_ok=True)
    text = json.dumps({"versions": versions(), "runs": runs}, indent=1)
    RESULTS.write_text(text + "\n")


ROWS = {"grocery32": image_rows, "cei": text_rows}

if __name__ == "__main__":
    main()
