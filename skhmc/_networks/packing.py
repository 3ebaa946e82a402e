"""A state of Python's containers, numbers and tensors as JSON and plain arrays.

No pickle: what is read runs no code. Everything comes back as it was, bit for bit, or
is refused when it is written.
"""

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

from skhmc._utils.files import replacing

__all__ = ["pack", "read_state", "unpack", "write_state"]

TEXT = "json"  # the name of the array that holds the JSON
SUM = "sum"  # the name of the array that holds a digest of all others
KINDS = "biuf"  # of arrays: bool, int and float
# what numpy has no type for is kept as integers of its width
AS_INTEGERS = {torch.bfloat16: torch.int16}


def pack(value, arrays, where=""):
    """Return a value as JSON can have it; put its arrays into a dict.

    Parameters
    ----------
    value : object
        Of dicts, lists, tuples, None, bool, int, float, str, numbers and arrays of
        numpy, and tensors.
    arrays : dict
        Is given an ndarray for every array and tensor.
    where : str
        What the value is, for the message.

    Raises
    ------
    TypeError
        Where there is something else.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": repr(value)}
    if isinstance(value, dict):
        pairs = [
            [pack(key, arrays, where), pack(part, arrays, f"{where}[{key!r}]")]
            for key, part in value.items()
        ]
        return {"dict": pairs}
    if type(value) in (list, tuple):
        parts = [pack(part, arrays, f"{where}[{k}]") for k, part in enumerate(value)]
        return parts if type(value) is list else {"tuple": parts}
    if isinstance(value, torch.Tensor):
        return _pack_tensor(value, arrays, where)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in KINDS:
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: _put(np.asarray(value), arrays)}
    raise TypeError(f"{where} is {value!r} of the type {type(value).__name__}")


def _pack_tensor(tensor, arrays, where):
    if tensor.layout != torch.strided or tensor.is_complex():
        raise TypeError(f"{where} is a tensor of {tensor.layout} and {tensor.dtype}")
    here = tensor.detach().cpu()
    kind = str(tensor.dtype).removeprefix("torch.")
    if tensor.dtype in AS_INTEGERS:
        here = here.contiguous().view(AS_INTEGERS[tensor.dtype])
    return {"tensor": [_put(here.numpy(), arrays), kind, tensor.device.type != "cpu"]}


def _put(array, arrays):
    # safetensors writes the memory of an array as it lies there, whatever its order
    name = str(len(arrays))
    arrays[name] = np.require(array, requirements="C")
    return name


def unpack(packed, arrays, device):
    """Return what :func:`pack` was given; tensors away from the CPU on a device.

    Parameters
    ----------
    packed : object
        What :func:`pack` returned, or JSON made of it.
    arrays : dict
    device : str
    """
    if isinstance(packed, list):
        return [unpack(part, arrays, device) for part in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, inner),) = packed.items()
    if kind == "dict":
        return dict(unpack(pair, arrays, device) for pair in inner)
    if kind == "tuple":
        return tuple(unpack(part, arrays, device) for part in inner)
    return READ_NUMBERS[kind](inner, arrays, device)


def _tensor(packed, arrays, device):
    name, kind, is_away = packed
    tensor = torch.from_numpy(arrays[name])
    dtype = getattr(torch, kind)
    if dtype in AS_INTEGERS:
        tensor = tensor.view(dtype)
    return tensor.to(device) if is_away else tensor


READ_NUMBERS = {
    "float": lambda text, arrays, device: float(text),
    "scalar": lambda name, arrays, device: arrays[name][()],
    "array": lambda name, arrays, device: arrays[name],
    "tensor": _tensor,
}


def write_state(path, head, state):
    """Write a file, which takes the place of one that is there in one step.

    Parameters
    ----------
    path : Path
    head : dict
        Plain JSON, which :func:`read_state` can return alone.
    state : dict
        What :func:`pack` takes.
    """
    arrays = {}
    packed = pack(state, arrays)
    text = json.dumps({"head": head, "state": packed}, allow_nan=False)
    arrays[TEXT] = np.frombuffer(text.encode(), np.uint8)
    arrays[SUM] = _sum_of(arrays)
    with replacing(Path(path)) as beside:
        save_file(arrays, beside)


def read_state(path, device=None):
    """Return the head of a file, and its state if there is a device for it.

    Parameters
    ----------
    path : Path
    device : str, default=None
        Where tensors go that were not on the CPU.

    Returns
    -------
    head : dict
    state : dict or None
    """
    with safe_open(path, framework="np") as file:
        text = json.loads(file.get_tensor(TEXT).tobytes())
        if device is None:
            return text["head"], None
        arrays = {name: file.get_tensor(name) for name in file.keys()}
    said = arrays.pop(SUM, None)
    if said is None or not np.array_equal(said, _sum_of(arrays)):
        raise ValueError("its numbers are not those that were written")
    return text["head"], unpack(text["state"], arrays, device)


def _sum_of(arrays):
    """Return a digest of arrays by name: a disk may give back other numbers."""
    digest = hashlib.blake2b(digest_size=16)
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        if array.size:
            digest.update(array.reshape(-1).view(np.uint8))
    return np.frombuffer(digest.digest(), np.uint8)
