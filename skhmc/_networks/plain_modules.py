"""Modules of torch as plain data, and back: dicts, lists, numbers and numpy arrays.

What a net keeps of itself, in a pickle, in a skops file and in a file of
:func:`skhmc.save`, is made of this. So there is no pickle inside: whoever reads the
types that such a file names has read all of them. Only classes of the table ``KINDS``
are made again. A module of any other class, a user's encoder, stays the object that it
is, and is what a reader of the file has to trust, or to be given.
"""

from copy import deepcopy

import numpy as np
import torch
from torch import nn

from skhmc.nn.coherence import MaxConstraint
from skhmc.nn.contrast import HMCE
from skhmc.nn.criteria import (
    EmbeddingCriterion,
    HCALCriterion,
    LabelCriterion,
    LabelTasks,
    SetTasks,
)
from skhmc.nn.ensemble import Ensemble, EnsembleCriterion
from skhmc.nn.losses import MCLoss
from skhmc.nn.modules import (
    Dropout,
    EmbeddingNetwork,
    LabelNetwork,
    MLPEncoder,
    PrototypeNetwork,
)
from skhmc.nn.sparse import LinearPath, SparseLinear

__all__ = ["from_plain", "tensors_from_plain", "tensors_to_plain", "to_plain"]

# every class of a module that is made again, by the name that it has in files
KINDS = {
    kind.__name__: kind
    for kind in (
        Dropout,
        EmbeddingCriterion,
        EmbeddingNetwork,
        Ensemble,
        EnsembleCriterion,
        HCALCriterion,
        HMCE,
        LabelCriterion,
        LabelNetwork,
        LabelTasks,
        LinearPath,
        MCLoss,
        MLPEncoder,
        MaxConstraint,
        PrototypeNetwork,
        SetTasks,
        SparseLinear,
        nn.Linear,
        nn.ModuleList,
        nn.ParameterList,
        nn.ReLU,
    )
}
NAMES = {kind: name for name, kind in KINDS.items()}
# what every module of torch has: hooks, and the tables of its parts
TORCH_ATTRIBUTES = set(vars(nn.Module()))
TENSOR = "__tensor__"  # the one key of a dict that stands for a tensor
# what networks of before did not have: attributes and buffers that would be None
LATER = ("path", "_kept")
LATER_BUFFERS = ("frozen",)
SCORES = (EmbeddingNetwork, LabelNetwork, PrototypeNetwork)
PARTS = {"kind", "training", "values", "weights", "buffers", "temporary", "modules"}


def to_plain(module):
    """Return a module as plain data; one of an unknown class is returned as it is.

    Parameters
    ----------
    module : nn.Module or None
        On any device. Its hooks are left out.

    Returns
    -------
    dict, nn.Module or None
        Arrays share memory with the module where that is on the CPU.
    """
    name = NAMES.get(type(module))
    if name is None:
        return _on_cpu(module)
    state = module.__getstate__()  # some leave out what is drawn or built anew
    values = {k: v for k, v in state.items() if k not in TORCH_ATTRIBUTES}
    return {
        "kind": name,
        "training": module.training,
        "values": tensors_to_plain(values),
        "weights": {
            key: None if weight is None else [_array(weight), weight.requires_grad]
            for key, weight in state["_parameters"].items()
        },
        "buffers": {
            key: None if buffer is None else _array(buffer)
            for key, buffer in state["_buffers"].items()
        },
        "temporary": sorted(state["_non_persistent_buffers_set"]),
        "modules": {key: to_plain(part) for key, part in state["_modules"].items()},
    }


def from_plain(plain):
    """Return the module that :func:`to_plain` made plain data of, on the CPU.

    Raises
    ------
    ValueError
        When the data has another form, or names a class that is not in the table.
    """
    if plain is None or isinstance(plain, nn.Module):
        return plain
    if not isinstance(plain, dict) or plain.keys() != PARTS:
        got = sorted(plain) if isinstance(plain, dict) else type(plain).__name__
        raise ValueError(
            f"Got {got} as a module of a network, expected a dict with the parts "
            f"{sorted(PARTS)}. This net was not kept by this version of skhmc: load "
            f"it with the version that did, or fit again."
        )
    if plain["kind"] not in KINDS:
        raise ValueError(
            f"Got a module of the kind {plain['kind']!r}, expected one of "
            f"{sorted(KINDS)}."
        )
    module = KINDS[plain["kind"]].__new__(KINDS[plain["kind"]])
    nn.Module.__init__(module)
    vars(module).update(tensors_from_plain(plain["values"]))
    for key, weight in plain["weights"].items():
        module.register_parameter(key, _parameter(key, weight))
    for key, buffer in plain["buffers"].items():
        tensor = None if buffer is None else _tensor(buffer)
        module.register_buffer(key, tensor, persistent=key not in plain["temporary"])
    for key, part in plain["modules"].items():
        module.register_module(key, from_plain(part))
    if isinstance(module, SCORES):
        _add_later_parts(module)
    module.training = bool(plain["training"])
    _check_sizes(module)
    return module


def tensors_to_plain(value):
    """Return a value in which every tensor, also in lists and dicts, is an array."""
    if isinstance(value, torch.Tensor):
        return {TENSOR: _array(value)}
    if type(value) in (list, tuple):
        return type(value)(tensors_to_plain(part) for part in value)
    if isinstance(value, dict):
        return {key: tensors_to_plain(part) for key, part in value.items()}
    return value


def tensors_from_plain(value):
    """Return a value in which every tensor is one again: the other way round."""
    if type(value) in (list, tuple):
        return type(value)(tensors_from_plain(part) for part in value)
    if isinstance(value, dict):
        if value.keys() == {TENSOR}:
            return _tensor(value[TENSOR])
        return {key: tensors_from_plain(part) for key, part in value.items()}
    return value


def _array(tensor):
    return tensor.detach().cpu().numpy()


def _tensor(array):
    if not isinstance(array, np.ndarray):
        raise ValueError(
            f"Got {type(array).__name__} as a tensor of a network, expected an array."
        )
    # a copy, in the same order: what is loaded may be a read-only, memory-mapped file
    return torch.from_numpy(np.array(array, order="K"))


def _parameter(name, weight):
    if weight is None:
        return None
    array, requires_grad = weight
    tensor = _tensor(array)
    if not tensor.is_floating_point():
        raise ValueError(
            f"Got weights {name!r} of {tensor.dtype} in a network, expected floats."
        )
    return nn.Parameter(tensor, requires_grad=bool(requires_grad))


def _on_cpu(module):
    """Return a module of a user as machines without its device can load it."""
    if not isinstance(module, nn.Module):
        return module
    tensors = [*module.parameters(), *module.buffers()]
    if all(tensor.device.type == "cpu" for tensor in tensors):
        return module
    return deepcopy(module).to("cpu")


def _add_later_parts(module):
    """Give a network that was kept before these were there what it would have."""
    for name in LATER_BUFFERS:
        if name not in module._buffers:
            module.register_buffer(name, None, persistent=False)
    for name in LATER:
        if not hasattr(module, name):
            setattr(module, name, None)


def _check_sizes(module):
    """Raise where the numbers of a layer are not those of its weights."""
    if isinstance(module, nn.Linear):
        said = module.out_features, module.in_features
    elif isinstance(module, SparseLinear):
        bias = module.bias
        n_outputs = module.weight.shape[-1] if bias is None else len(bias)
        said = module.in_features, n_outputs
    else:
        return
    if tuple(module.weight.shape) != said:
        raise ValueError(
            f"Got weights of shape {tuple(module.weight.shape)} in a layer of a "
            f"network that needs {said}."
        )
