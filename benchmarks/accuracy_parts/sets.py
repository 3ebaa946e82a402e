"""The data sets of benchmarks.accuracy, and what is published about them."""

import numpy as np
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import Bunch

from benchmarks.digit_shapes import load_digit_shapes
from benchmarks.npz_sets import load_npz_set
from benchmarks.recipe import split, table_steps
from skhmc.datasets import fetch_clus
from skhmc.paths import is_single_path
from skhmc.reproduce._published import PUBLISHED

__all__ = ["CLUS", "GROUPS", "KINDS", "PUBLISHED", "SINGLE_PATH", "load", "steps"]

GROUPS = {  # of the Clus collection
    "FunCat": (
        "cellcycle_FUN",
        "eisen_FUN",
        "gasch1_FUN",
        "seq_FUN",
        "church_FUN",
        "pheno_FUN",
    ),
    "Gene Ontology": ("cellcycle_GO", "eisen_GO", "gasch1_GO", "seq_GO", "pheno_GO"),
    "others": ("diatoms", "enron", "imclef07a"),
}
CLUS = tuple(name for names in GROUPS.values() for name in names)
SINGLE_PATH = ("diatoms", "imclef07a", "anuran", "clinc150", "grocery32")
KINDS = dict.fromkeys((*CLUS, "anuran"), "table")
KINDS |= {"clinc150": "sparse", "grocery32": "images", "digit_shapes": "images"}
KINDS["enron"] = "wide table"  # more features than rows to fit


def load(name, part="test"):
    """Return a data set with the rows to fit and the rows to score.

    Parameters
    ----------
    name : str
    part : {"test", "valid"}
        What is scored. The test rows, of fits to all others; or the validation rows (a
        fifth of the training rows, where a set has none), of fits to the training rows
        without them.

    Returns
    -------
    Bunch
        ``X`` and ``Y`` of all rows, Y int64; ``fit`` and ``held_out``, row numbers;
        ``hierarchy``; ``not_scored``, label names or None; ``single_path``, whether
        every sample has one label per level.
    """
    if name in CLUS:
        data = fetch_clus(name, download_if_missing=False)
    elif name == "digit_shapes":
        data = load_digit_shapes()
    else:
        data = load_npz_set(name)
    X = data.data
    if KINDS[name] == "images":
        X = data.images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    Y = data.target.toarray().astype(np.int64)  # scikit-learn mixes up uint8
    fit, held_out = split(data, part)
    return Bunch(
        X=X,
        Y=Y,
        fit=fit,
        held_out=held_out,
        hierarchy=data.hierarchy,
        not_scored=np.array(data.label_names)[~data.eval_mask].tolist() or None,
        single_path=is_single_path(Y, data.hierarchy),
    )


def steps(kind, as_rows=False):
    """Return the steps before the classifier.

    Parameters
    ----------
    kind : {"table", "wide table", "sparse", "images"}
    as_rows : bool, default=False
        Whether images become standardised rows of pixels.
    """
    if kind in ("table", "wide table"):
        return table_steps()
    if kind == "images" and as_rows:
        return [FunctionTransformer(pixels), StandardScaler()]
    return []


def pixels(images):
    """Return images as rows of pixels."""
    return images.reshape(len(images), -1)
