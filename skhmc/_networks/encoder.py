"""The encoder an estimator was given: built, and sized from the data."""

import inspect
from copy import deepcopy
from numbers import Integral

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._networks.batches import SliceDataset
from skhmc._networks.parameters import check_accepted, passed_on
from skhmc.nn.modules import MLPEncoder

__all__ = ["build_encoder", "positive_elements"]


# sparse X of at least so many features, at most this share of them stored, stays sparse
WIDE, SPARSE = 1000, 0.01


def positive_elements(estimator, name, kind):
    """Return a parameter that is a number or a sequence of them as a list, checked."""
    given = getattr(estimator, name)
    values = np.atleast_1d(given).tolist()
    if not all(isinstance(value, kind) and value > 0 for value in values):
        raise InvalidParameterError(
            f"The {name!r} parameter must hold positive numbers ({kind.__name__}), got "
            f"{given!r}."
        )
    return values


def _stays_sparse(estimator, X):
    """Tell whether batches of X stay sparse: where that is faster, or as it was.

    By ``python -m benchmarks.sparse_input``.
    """
    former = vars(estimator).get("net_")
    if former is not None:  # what the optimiser remembers goes with the weights
        return former.module_.takes_sparse
    if not sp.issparse(X) or X.shape[1] < WIDE:
        return False
    return X.nnz <= SPARSE * X.shape[0] * X.shape[1]


def build_encoder(estimator, X):
    """Return the encoder, the width of its output, and the parts that are the user's.

    Parameters
    ----------
    estimator : BaseEstimator
        With ``encoder``, ``hidden_layer_sizes``, ``dropout_`` and ``input_dropout_``;
        what it has as ``encoder__*`` goes to the class or factory.
    X : ndarray, csr_matrix or FileRows of shape (n_samples, ...)

    Returns
    -------
    encoder : nn.Module
    n_encoded : int
    own : set of nn.Module
        Left out of our initialisation and random streams.
    """
    given, dtype = estimator.encoder, getattr(torch, estimator.dtype)
    options = passed_on(estimator, "encoder")
    if options and (given is None or isinstance(given, torch.nn.Module)):
        raise InvalidParameterError(
            f"encoder__{next(iter(options))} was given, but encoder={given!r} is no "
            f"class or factory that could take it."
        )
    if given is None:
        sizes = positive_elements(estimator, "hidden_layer_sizes", Integral)
        shares = estimator.dropout_, estimator.input_dropout_
        encoder = MLPEncoder(X.shape[1], sizes, *shares, _stays_sparse(estimator, X))
        return encoder, encoder.n_outputs, set()
    if isinstance(given, torch.nn.Module):
        encoder = deepcopy(given)
    else:
        check_accepted("encoder", options, given)
        said = getattr(given, "keywords", {})  # of a functools.partial
        takes = "input_shape" in inspect.signature(given).parameters
        if takes and "input_shape" not in said:
            options = {"input_shape": X.shape[1:], **options}
        encoder = given(**options)
    if not isinstance(encoder, torch.nn.Module):
        raise InvalidParameterError(
            f"encoder={given!r} gave {encoder!r}, expected a torch.nn.Module."
        )
    encoder = encoder.to("cpu", dtype).eval()
    sample, _ = SliceDataset(X[:2], dtype=dtype, copy=True).batch(slice(None), "cpu")
    with torch.no_grad():
        encoded = encoder(sample)
    _check_encoded(encoded, len(sample), dtype)
    return encoder, encoded.flatten(1).shape[1], set(encoder.modules())


def _check_encoded(encoded, n_samples, dtype):
    """Raise unless an encoder gives one vector, or more, per sample."""
    if isinstance(encoded, torch.Tensor):
        right = encoded.ndim >= 2 and len(encoded) == n_samples and encoded.numel()
        if right and encoded.dtype == dtype:
            return
        got = f"a tensor of shape {tuple(encoded.shape)} and {encoded.dtype}"
    else:
        got = f"{type(encoded).__name__}"
    raise ValueError(
        f"encoder was given {n_samples} samples and returned {got}. Expected a tensor "
        f"of shape ({n_samples}, width) and {dtype}, the sample first. Layers that "
        f"return a tuple, torch's recurrent ones, have to be wrapped."
    )
