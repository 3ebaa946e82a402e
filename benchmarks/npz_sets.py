"""Reads the npz data sets of the benchmarks: images, texts and tables in one format.

A file holds its arrays by name; a sparse matrix ``A`` is ``A_data``, ``A_indices``,
``A_indptr`` and ``A_shape``, and texts are UTF-8 in one blob with offsets. The files
are no part of skhmc.
"""

import json
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skhmc import Hierarchy
from skhmc.datasets import get_data_home

__all__ = ["load_npz_set"]


def load_npz_set(name, data_home=None):
    """Load a data set from the folder ``npz`` of the data home.

    Parameters
    ----------
    name : str
        Such as "grocery32": the file's name without ``.npz``.
    data_home : path-like, default=None
        None is what the environment variable ``SKHMC_DATA_HOME`` names.

    Returns
    -------
    Bunch
        ``data``, an ndarray or CSR matrix (n_samples, n_features), None for images;
        ``images``, uint8 (n_samples, height, width, 3), or None; ``texts``, a list of
        str, or None; ``target``, a CSR matrix (n_samples, n_labels), closed upward;
        ``hierarchy``; ``label_names``; ``train``, ``valid`` and ``test``, rows;
        ``eval_mask``, labels that published scores count; and ``meta``, a dict.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    """
    path = Path(get_data_home(data_home), "npz", f"{name}.npz")
    if not path.is_file():
        raise FileNotFoundError(
            f"No data set {name!r}: expected the file {path}. Set SKHMC_DATA_HOME "
            f"to the folder that holds npz/{name}.npz."
        )
    with np.load(path) as archive:
        arrays = dict(archive)
    label_names = arrays["label_names"].tolist()
    edges = arrays["edges"].tolist()  # (parent, child), positions in label_names
    return Bunch(
        data=_matrix(arrays, "X", np.float32),
        images=arrays.get("images"),
        texts=_texts(arrays),
        target=_matrix(arrays, "Y", np.uint8),
        hierarchy=Hierarchy(
            label_names, [(label_names[a], label_names[b]) for a, b in edges]
        ),
        label_names=label_names,
        train=arrays["train_idx"],
        valid=arrays["valid_idx"],
        test=arrays["test_idx"],
        eval_mask=arrays["eval_mask"],
        meta=json.loads(str(arrays["meta"])),
    )


def _matrix(arrays, name, dtype):
    if name in arrays:
        return arrays[name].astype(dtype)
    if f"{name}_data" not in arrays:
        return None
    parts = (arrays[f"{name}_{part}"] for part in ("data", "indices", "indptr"))
    matrix = sp.csr_matrix(tuple(parts), shape=tuple(arrays[f"{name}_shape"]))
    return matrix.astype(dtype)


def _texts(arrays):
    if "texts_blob" not in arrays:
        return None
    blob = arrays["texts_blob"].tobytes()
    bounds = arrays["texts_offsets"].tolist()
    pairs = zip(bounds[:-1], bounds[1:], strict=True)
    return [blob[start:stop].decode("utf-8") for start, stop in pairs]
