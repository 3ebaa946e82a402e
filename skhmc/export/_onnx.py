"""A fitted estimator, with all that follows it, as one file for any ONNX runtime."""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils import check_array
from torch import nn

from skhmc._data.X import FileRows
from skhmc._meta.coherent import CoherentClassifier
from skhmc._networks.base import NetworkHMC
from skhmc._utils.files import replacing
from skhmc._utils.optional import import_optional
from skhmc._utils.version import package_version
from skhmc.export._sklearn import LEARNT, CoherentProba, joined
from skhmc.export._torch import (
    calibration,
    check_exportable,
    core_of,
    estimator_of_labels,
    to_torch,
)

__all__ = ["to_onnx"]

KINDS = (NetworkHMC, CoherentClassifier)
PACKAGES = ("onnx", "onnxscript", "onnxruntime")
TOLERANCE = 1e-5
CHECKED_ROWS = 1000
RANDOM_ROWS = 8  # that are checked where no rows are given
# of the file, whose format takes no more; what is no weight needs little
MOST_BYTES = 2**31 - 2**24
FORMAT = 1  # of what stands under "skhmc.*" in the file


def to_onnx(estimator: Any, path: str | os.PathLike, X: Any = None) -> None:
    """Write a fitted estimator as an ONNX file, from X to coherent probabilities.

    The file is one graph: the network, its sigmoids or softmaxes, scores of paths, and
    the rule that makes probabilities coherent. Its input ``X`` has the network's dtype
    and shape (n_samples, n_features), with any number of rows. Its output ``proba`` has
    the columns of ``predict_proba``. Before the file is written, ONNX Runtime computes
    the probabilities of some rows, which must be those of ``predict_proba``.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator, one of those that :func:`to_torch` takes, or a
        :class:`~skhmc.CoherentClassifier` around an estimator that skl2onnx converts,
        such as a forest, a linear model or a Pipeline. Its ``X`` is float32.
    path : str or path
        File to write. It is replaced as a whole, when the graph has been checked.
    X : array-like of shape (n_samples, ...), default=None
        Rows to check the graph with, such as some of the training data. The first 1000
        are used. None draws 8 rows from a normal distribution.

    Raises
    ------
    TypeError
        If the estimator cannot be exported, or X is sparse.
    ValueError
        If something in it has no form as a graph, such as an encoder that torch cannot
        trace or an estimator that skl2onnx does not know, or if the weights take 2 GiB
        or more.
    RuntimeError
        If a probability by ONNX Runtime differs by more than 1e-5. No file is written.
    ImportError
        If onnx, onnxscript, onnxruntime or, for CoherentClassifier, skl2onnx is not
        installed: ``pip install "skhmc[onnx]"``.

    See Also
    --------
    to_torch : The same as a module, for programs with torch.

    Notes
    -----
    The metadata of the file hold, as JSON, under ``skhmc.columns`` the names of the
    columns of ``proba``, under ``skhmc.label_names`` those of all labels, under
    ``skhmc.edges`` the hierarchy as pairs of a parent and a child (positions in
    ``skhmc.label_names``), and under ``skhmc.coherence`` the rule. After a 1-D y the
    columns are ``classes_``, else they are all labels. A name that is a tuple is a list
    there. ``skhmc.version`` is the version that wrote the file, as text.

    NaN in X is not refused by the graph. Users' encoders have to give every row the
    same features, whatever the other rows are.

    Examples
    --------
    >>> import json
    >>> import onnxruntime  # doctest: +SKIP
    >>> from skhmc.export import to_onnx
    >>> to_onnx(clf, "model.onnx", X[:100])  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("model.onnx")  # doctest: +SKIP
    >>> (proba,) = session.run(["proba"], {"X": X[:1]})  # doctest: +SKIP
    >>> data = session.get_modelmeta().custom_metadata_map  # doctest: +SKIP
    >>> names = json.loads(data["skhmc.columns"])  # doctest: +SKIP
    """
    with _quiet_exporter():  # some warn when they are imported
        for package in PACKAGES:
            import_optional(package, caller="to_onnx", extra="onnx")
    check_exportable(estimator, KINDS)
    core = core_of(estimator)
    rows = _rows(core, X)
    if isinstance(core, CoherentClassifier):
        model = _graph_of_scikit_learn(core, estimator, rows)
    else:
        module = to_torch(estimator)
        stored = [*module.parameters(), *module.buffers()]
        _check_size(sum(tensor.nbytes for tensor in stored))
        model = _graph(module, rows, "X", core.encoder)
    import_optional("onnx.helper", "to_onnx", "onnx").set_model_props(
        model, _metadata(estimator_of_labels(estimator), core)
    )
    _check_size(model.ByteSize())
    data = model.SerializeToString()
    _check_equal(data, estimator_of_labels(estimator), rows)
    with replacing(Path(path), shared=True) as beside:
        beside.write_bytes(data)


def _rows(core: Any, X: Any) -> np.ndarray:
    """Return the rows to check with, as the graph takes them."""
    of_network = isinstance(core, NetworkHMC)
    dtype = core._dtype if of_network else np.dtype(np.float32)
    if X is None:
        shape = core._sample_shape if of_network else (core.n_features_in_,)
        drawn = np.random.default_rng(0).standard_normal((RANDOM_ROWS, *shape))
        return drawn.astype(dtype)
    if sp.issparse(X):
        raise TypeError(
            f"The graph takes dense rows, got a sparse X of shape {X.shape}. Give some "
            f"rows as X[:100].toarray(): the fitted estimator is the same for both."
        )
    if not of_network:
        return check_array(X, dtype=dtype)[:CHECKED_ROWS]
    X = core._check_X(X, reset=False)
    return (
        X.read(slice(0, CHECKED_ROWS)) if isinstance(X, FileRows) else X[:CHECKED_ROWS]
    )


def _check_size(size: int) -> None:
    """Raise where so many bytes of weights do not fit into one ONNX file."""
    if size > MOST_BYTES:
        raise ValueError(
            f"The weights take {size / 2**30:.1f} GiB, and an ONNX file holds less "
            f"than 2 GiB. Use skhmc.export.to_torch, or a smaller estimator."
        )


# -- the graph -------------------------------------------------------------------------


def _graph(module: nn.Module, rows: np.ndarray, name: str, encoder: Any = None) -> Any:
    """Return a module as an onnx.ModelProto with a free number of rows of an input."""
    # torch takes one row for a constant of the graph; two stand for any number
    sample = torch.from_numpy(np.resize(rows, (2, *rows.shape[1:])).copy())
    try:
        with _quiet_exporter():
            program = torch.onnx.export(
                module,
                (sample,),
                dynamo=True,
                dynamic_shapes=({0: torch.export.Dim("n_samples")},),
                input_names=[name],
                output_names=["proba"],
                verbose=False,
            )
    except Exception as error:  # of many kinds, and of none that torch names
        if encoder is None:
            raise
        said = str(error).strip().splitlines() or [type(error).__name__]
        raise ValueError(
            f"torch cannot trace the encoder {type(encoder).__name__} for any "
            f"number of rows: {said[0]}. Expected an encoder that torch.export takes: "
            f"without branches on values, and without sizes that are fixed."
        ) from error
    assert program is not None
    return program.model_proto


def _graph_of_scikit_learn(
    clf: CoherentClassifier, estimator: Any, rows: np.ndarray
) -> Any:
    """Return a CoherentClassifier, and what is around it, as an onnx.ModelProto."""
    if clf.estimator_ is None:
        raise ValueError(
            "This CoherentClassifier has learnt no label, so there is no graph: every "
            "label of its training data has too few rows of one value, or there is one "
            "class only."
        )
    of_classes = clf.classes_.ndim == 1
    n_learnt = len(clf.classes_ if of_classes else clf._learnt)
    following = nn.Sequential(CoherentProba(clf), *calibration(estimator))
    following = following.requires_grad_(False).train(False)
    graph = _graph(following, np.zeros((1, n_learnt), np.float32), LEARNT)
    return joined(clf, graph, rows)


@contextmanager
def _quiet_exporter() -> Iterator[None]:
    """Keep back what the exporter says of itself, and not of the network."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings():
        for kind in (FutureWarning, DeprecationWarning, UserWarning):
            warnings.filterwarnings("ignore", category=kind)
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)


def _metadata(estimator: Any, core: Any) -> dict[str, str]:
    """Return what the file says of the columns, all of it as JSON or plain text."""
    hierarchy = estimator.hierarchy_
    columns = list(hierarchy.labels)
    if estimator.classes_.ndim == 1:
        columns = estimator.classes_.tolist()
    coherence = estimator.coherence
    if estimator is core and isinstance(core, NetworkHMC):
        coherence = core.coherence_
    return {
        "skhmc.format": str(FORMAT),
        "skhmc.version": package_version(),
        "skhmc.estimator": type(core).__name__,
        "skhmc.columns": json.dumps(columns),
        "skhmc.label_names": json.dumps(list(hierarchy.labels)),
        "skhmc.edges": json.dumps(hierarchy.edges.tolist()),
        "skhmc.coherence": json.dumps(coherence),
    }


# -- the check -------------------------------------------------------------------------


def _check_equal(data: bytes, estimator: Any, rows: np.ndarray) -> None:
    """Raise unless ONNX Runtime computes the probabilities of predict_proba."""
    runtime = import_optional("onnxruntime", "to_onnx", "onnx")
    options = runtime.SessionOptions()
    options.log_severity_level = 3  # errors
    session = runtime.InferenceSession(
        data, options, providers=["CPUExecutionProvider"]
    )
    with warnings.catch_warnings():  # rows may have lost the names of their columns
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        expected = estimator._proba_blocks(rows).array()
    for n in {1, len(rows)}:  # one row alone, and all
        (found,) = session.run(["proba"], {"X": rows[:n]})
        if found.shape != expected[:n].shape:
            raise RuntimeError(
                f"The graph gave probabilities of shape {found.shape} for {n} rows, "
                f"predict_proba {expected[:n].shape}. No file was written."
            )
        distance = np.abs(found - expected[:n])
        if not (distance <= TOLERANCE).all():
            row, column = np.unravel_index(np.nanargmax(distance), distance.shape)
            name = estimator.classes_[column]
            if estimator.classes_.ndim > 1:
                name = estimator.hierarchy_.labels[column]
            raise RuntimeError(
                f"The graph gave {name!r} the probability {found[row, column]!r} in "
                f"row {row}, predict_proba {expected[row, column]!r}; expected a "
                f"difference of at most {TOLERANCE}. No file was written. An encoder "
                f"of your own may compute what depends on the other rows; a very steep "
                f"calibration needs precision='float64'; skl2onnx computes in float32."
            )
