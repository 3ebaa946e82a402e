"""A user's encoder: built, and its output measured on two samples."""

import inspect
from copy import deepcopy
from typing import NamedTuple

import torch
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._networks.batches import SliceDataset
from skhmc._networks.parameters import DTYPES, check_accepted, prefixed
from skhmc.nn.layers import MLPEncoder

__all__ = ["Encoder", "perceptron", "user_encoder"]


class Encoder(NamedTuple):
    """What maps a batch of X to features."""

    module: torch.nn.Module
    width: int  # of its flattened output
    user_modules: set  # left out of our initialisation and random streams


def perceptron(n_features, settings):
    """Return the Encoder of estimators that are given none."""
    module = MLPEncoder(
        n_features,
        settings.hidden_layer_sizes,
        dropout=settings.dropout[1],
        input_dropout=settings.dropout[0],
        takes_sparse=settings.sparse_input,
    )
    return Encoder(module, module.n_outputs, set())


def user_encoder(params, X):
    """Return the Encoder that the parameter ``encoder`` asks for, None if it is None.

    Parameters
    ----------
    params : dict
        With ``encoder`` and ``precision``; what it has as ``encoder__*`` goes to the
        class or factory.
    X : ndarray, csr_matrix or FileRows of shape (n_samples, ...)
    """
    given = params["encoder"]
    options = prefixed(params, "encoder")
    if options and (given is None or isinstance(given, torch.nn.Module)):
        raise InvalidParameterError(
            f"encoder__{next(iter(options))} was given, but encoder={given!r} is no "
            f"class or factory that could take it."
        )
    if given is None:
        return None
    if isinstance(given, torch.nn.Module):
        module = deepcopy(given)
    else:
        module = _made_by(given, options, X.shape[1:])
    if not isinstance(module, torch.nn.Module):
        raise InvalidParameterError(
            f"encoder={given!r} gave {module!r}, expected a torch.nn.Module."
        )
    dtype = DTYPES[params["precision"]]
    module = module.to("cpu", dtype).eval()
    sample, _ = SliceDataset(X[:2], dtype=dtype, copy=True).batch(slice(None), "cpu")
    with torch.no_grad():
        encoded = module(sample)
    _check_encoded(encoded, len(sample), dtype)
    return Encoder(module, encoded.flatten(1).shape[1], set(module.modules()))


def _made_by(factory, options, input_shape):
    """Call a class or factory, with the shape of one sample if it takes it."""
    check_accepted("encoder", options, factory)
    said = getattr(factory, "keywords", {})  # of a functools.partial
    takes_shape = "input_shape" in inspect.signature(factory).parameters
    if takes_shape and "input_shape" not in said:
        options = {"input_shape": input_shape, **options}
    return factory(**options)


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
