"""A user's encoder: built, and its output measured on two samples."""

import inspect
from copy import deepcopy

import torch
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._networks.batches import SliceDataset
from skhmc._networks.parameters import DTYPES, check_accepted, prefixed
from skhmc._networks.training import Encoder

__all__ = ["user_encoder"]


def user_encoder(params, X):
    """Return the Encoder that the parameter ``encoder`` asks for.

    Parameters
    ----------
    params : dict
        With ``encoder``, a module, class or factory, and ``precision``; what it has as
        ``encoder__*`` goes to the class or factory.
    X : ndarray, csr_matrix or FileRows of shape (n_samples, ...)
    """
    given = params["encoder"]
    options = prefixed(params, "encoder")
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
