"""Images through a small CNN and texts as tf-idf: HCALClassifier beside plain models.

All image models train for the same number of epochs, fewer than the default, with the
same batches, optimizer and schedule; the flat CNNs are a plain torch loop around the
same CNN, which is small for the sake of time.

What was chosen, on the valid part: the image epochs, of 20 and 40, by the scores of
HCALClassifier, not by those of the flat CNNs; and the epochs of scikit-learn's MLP, of
4, 8, 16 and 32. Its score still rose at 32, so that more might serve it better.
"""

import time
import warnings

import numpy as np
import torch
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.encoders import SmallCNN
from benchmarks.figures import leaf_accuracy
from benchmarks.npz_sets import load_npz_set
from benchmarks.peers import FlatNetwork, paths_to
from benchmarks.tuning.comparison import Comparison
from skhmc import HCALClassifier
from skhmc.coherence import max_constraint
from skhmc.metrics import (
    au_prc_score,
    hierarchical_f1_score,
    hierarchical_violation_rate,
)

__all__ = ["Encoders", "fit_and_score", "predictions", "table_head", "table_row"]

SEEDS = {"grocery32": 3, "cei": 2}
IMAGE_EPOCHS = 20  # of all image rows; HCALClassifier has 60 by default
MLP_EPOCHS = 32  # of scikit-learn's MLP on texts, which has no dropout
COLUMNS = ("au_prc", "leaf_accuracy", "f1", "hvr_raw", "hvr", "seconds")
HEADS = ("AU(PRC)", "leaf acc", "hier. F1", "HVR raw", "HVR final", "CPU s")
WITH_SD = ("au_prc", "leaf_accuracy", "f1")


def as_images(data):
    """Return images of float32, channels first, between 0 and 1."""
    channels_first = data.images.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(channels_first, np.float32) / 255


INPUTS = {
    "images": as_images,
    "pixels": lambda data: as_images(data).reshape(len(data.images), -1),
    "matrix": lambda data: data.data,  # tf-idf in CSR
    "texts": lambda data: np.array(data.texts, dtype=object),
}
IMAGE_NETWORK = HCALClassifier(max_iter=IMAGE_EPOCHS, device="cpu")
TEXT_NETWORK = HCALClassifier(device="cpu")
FLAT_CNN = FlatNetwork(None, "sigmoid", encoder=SmallCNN, max_iter=IMAGE_EPOCHS)
VECTORIZER = TfidfVectorizer(min_df=3, sublinear_tf=True)
VARIANTS = {  # X, and what is fitted, yet without hierarchy and seed
    "grocery32": {
        "HCALClassifier, default MLP on pixels": (
            "pixels",
            make_pipeline(StandardScaler(), IMAGE_NETWORK),
        ),
        "HCALClassifier, encoder=SmallCNN": (
            "images",
            clone(IMAGE_NETWORK).set_params(encoder=SmallCNN),
        ),
        "flat CNN, sigmoids, closed upward": ("images", FLAT_CNN),
        "flat CNN, softmax over leaves": (
            "images",
            clone(FLAT_CNN).set_params(head="softmax"),
        ),
    },
    "cei": {
        "HCALClassifier on CSR, defaults": ("matrix", TEXT_NETWORK),
        "Pipeline(TfidfVectorizer, HCALClassifier)": (
            "texts",
            make_pipeline(VECTORIZER, TEXT_NETWORK),
        ),
        f"flat MLP 1000-1000, {MLP_EPOCHS} epochs, closed upward": (
            "matrix",
            MLPClassifier((1000, 1000), max_iter=MLP_EPOCHS),
        ),
        "MultiOutput(LogisticRegression), closed upward": (
            "matrix",
            MultiOutputClassifier(LogisticRegression(max_iter=1000)),
        ),
    },
}
ONE_SEED = ("Pipeline(TfidfVectorizer, HCALClassifier)",)  # for the sake of time
ONE_SEED += ("MultiOutput(LogisticRegression), closed upward",)  # nothing is random


class Encoders(Comparison):
    """Images through a small CNN and texts as tf-idf, beside plain models.

    Fits on train and valid together, scores on test. Runs of a data set that is not
    asked for stay, if they are of the same versions.
    """

    name = "encoders"
    data_sets = tuple(VARIANTS)
    legend = f"""\
All rows of grocery32 train for {IMAGE_EPOCHS} epochs.
Means over seeds, ± standard deviation. HVR: share of test samples with a predicted
label whose parent is not predicted, before and after a model's coherence step. Flat
models are closed upward by max_constraint after training. Leaf accuracy of the flat
CNNs takes their most probable leaf. On images HVR raw of HCALClassifier is that of the
most probable label of each level, elsewhere of labels above 0.5. CPU s: of one fit."""

    def add_options(self, parser):
        parser.add_argument("--seeds", type=int, help="by default 3, and 2 for cei")

    def measure(self, options):
        results = {"runs": []}
        for name in options.data_set or self.data_sets:
            data = load_npz_set(name)
            for variant, (form, model) in VARIANTS[name].items():
                X = INPUTS[form](data)
                seeds = options.seeds or SEEDS[name]
                for seed in range(1 if variant in ONE_SEED else seeds):
                    run = {"set": name, "model": variant, "seed": seed}
                    fresh = prepared(model, data.hierarchy, seed)
                    results["runs"].append(run | fit_and_score(data, X, fresh, seed))
                yield results

    def merge(self, stored, results):
        if stored.get("versions") != results["versions"]:
            return results
        new = {run["set"] for run in results["runs"]}
        kept = [run for run in stored["runs"] if run["set"] not in new]
        return results | {"runs": kept + results["runs"]}

    def lines(self, results, options):
        lines = []
        for name in options.data_set or self.data_sets:
            for variant in VARIANTS[name]:
                runs = [run for run in results["runs"] if run["model"] == variant]
                if runs and variant == next(iter(VARIANTS[name])):
                    head = table_head(name)
                    lines += ["", head, "-" * len(head)]
                if runs:
                    lines.append(table_row(variant, runs))
        return lines


def prepared(model, hierarchy, seed):
    """Return a copy of a model that knows its hierarchy and its seed."""
    model = clone(model)
    last = model[-1] if hasattr(model, "steps") else model
    given = {"hierarchy": hierarchy, "random_state": seed}
    takes = last.get_params(deep=False)
    last.set_params(**{name: given[name] for name in given if name in takes})
    return model


# -- a fit and its figures -------------------------------------------------------------


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


# -- the table -------------------------------------------------------------------------


def table_row(name, runs):
    """Return a table row of the runs of one model."""
    cells = []
    for column, head in zip(COLUMNS, HEADS, strict=True):
        values = [run[column] for run in runs if column in run]
        digits = 1 if column == "seconds" else 3
        cell = f"{np.mean(values):.{digits}f}" if values else ""
        if len(values) > 1 and column in WITH_SD:
            cell += f" ± {np.std(values):.3f}"
        cells.append(cell.ljust(13) if column in WITH_SD else cell.rjust(len(head)))
    return f"{name:<48} {len(runs):>5}  {'  '.join(cells)}"


def table_head(title):
    """Return the line above a table's rows."""
    columns = zip(COLUMNS, HEADS, strict=True)
    cells = [head.ljust(13) if c in WITH_SD else head for c, head in columns]
    return f"{title:<48} {'seeds':>5}  {'  '.join(cells)}"
