"""A user's encoder: built, and its output measured on two samples."""

import inspect
from copy import deepcopy

import torch
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._networks.batches import SliceDataset
from skhmc._networks.memory import check_memory
from skhmc._networks.parameters import DTYPES, check_accepted, prefixed
from skhmc._networks.training import Encoder

__all__ = ["made_by", "user_encoders"]


def user_encoders(params, X, device):
    """Return the Encoders that the parameter ``encoder`` asks for, one per network.

    Parameters
    ----------
    params : dict
        With ``encoder``, a module, class or factory, ``n_estimators`` and
        ``precision``; what it has as ``encoder__*`` goes to the class or factory.
    X : ndarray, csr_matrix or FileRows of shape (n_samples, ...)
    device : str
        Name of the device that training is on.
    """
    first = _user_encoder(params, X)
    n = sum(weight.numel() for weight in first.module.parameters())
    check_memory(n, params, device)
    others = range(1, params["n_estimators"])
    return [first, *(_user_encoder(params, X) for _ in others)]


def _user_encoder(params, X):
    """Return one Encoder."""
    given = params["encoder"]
    if isinstance(given, torch.nn.Module):
        module = deepcopy(given)
    else:
        module = made_by(given, prefixed(params, "encoder"), X.shape[1:])
    if not isinstance(module, torch.nn.Module):
        raise InvalidParameterError(
            f"encoder={given!r} gave {module!r}, expected a torch.nn.Module."
        )
    dtype = DTYPES[params["precision"]]
    module = module.to("cpu", dtype).eval()
    sample, _ = SliceDataset(X[:2], dtype=dtype, copy=True).batch(slice(None), "cpu")
    encoded = _encoded(module, sample)
    _check_encoded(encoded, len(sample), dtype)
    return Encoder(module, encoded.flatten(1).shape[1], set(module.modules()))


def made_by(factory, options, input_shape):
    """Call a class or factory, with the shape of one sample if it takes it."""
    check_accepted("encoder", options, factory)
    said = getattr(factory, "keywords", {})  # of a functools.partial
    takes_shape = "input_shape" in inspect.signature(factory).parameters
    if takes_shape and "input_shape" not in said:
        options = {"input_shape": input_shape, **options}
    try:
        return factory(**options)
    except Exception as error:
        given = ", ".join(f"{name}={value!r}" for name, value in options.items())
        raise InvalidParameterError(
            f"encoder={factory!r} made no module when it was called with "
            f"({given}): {error}. Give what it needs as encoder__name=..., or a "
            f"parameter input_shape, which gets the shape of one sample, "
            f"{tuple(input_shape)}."
        ) from error


def _encoded(module, sample):
    """Return what an encoder makes of a few samples."""
    shape = tuple(sample.shape)
    try:
        with torch.no_grad():
            return module(sample)
    except Exception as error:
        raise ValueError(
            f"encoder could not encode {len(sample)} samples, a tensor of shape "
            f"{shape} and {sample.dtype}: {error}. Expected it to take such batches, "
            f"the sample first, and to return (batch, width)."
        ) from error


def _check_encoded(encoded, n_samples, dtype):
    """Raise unless an encoder gives one vector, or more, per sample."""
    if isinstance(encoded, torch.Tensor):
        right = encoded.ndim >= 2 and len(encoded) == n_samples and encoded.numel()
        if right and encoded.dtype == dtype:
            _check_finite(encoded)
            return
        got = f"a tensor of shape {tuple(encoded.shape)} and {encoded.dtype}"
    else:
        got = f"{type(encoded).__name__}"
    raise ValueError(
        f"encoder was given {n_samples} samples and returned {got}. Expected a tensor "
        f"of shape ({n_samples}, width) and {dtype}, the sample first. Layers that "
        f"return a tuple, torch's recurrent ones, have to be wrapped."
    )


def _check_finite(encoded):
    """Raise where an encoder returns what no network can learn from."""
    values = encoded.to_dense() if encoded.layout != torch.strided else encoded
    wrong = ~torch.isfinite(values)
    if wrong.any():
        raise ValueError(
            f"encoder returned NaN or infinity for {int(wrong.sum())} of "
            f"{wrong.numel()} features of {len(values)} samples, which were finite. "
            f"Expected finite features: look at its weights, and scale X."
        )
