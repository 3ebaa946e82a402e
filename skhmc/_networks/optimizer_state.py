"""The state that an optimizer keeps of every weight, handed to the next optimizer."""

from copy import deepcopy

import torch

__all__ = ["transfer_state"]


def transfer_state(former, before, follower, weights):
    """Give an optimizer the state that a former one of its kind has of each weight.

    Nothing is transferred between different kinds, nor to weights of another shape.

    Parameters
    ----------
    former, follower : torch.optim.Optimizer
    before : dict
        The weights of the former one, by name.
    weights : iterable of (name, Parameter)
        Those of the follower.
    """
    if _kind(former) != _kind(follower):
        return
    for name, weight in weights:
        old = before.get(name)
        if old is not None and old.shape == weight.shape and old in former.state:
            known = _moved(former.state[old], old, weight, follower.defaults)
            follower.state[weight] = known


def _kind(optimizer):
    """Return what decides which state of the weights an optimizer keeps."""
    options = {
        name
        for name, value in optimizer.defaults.items()
        if value and (name == "momentum" or isinstance(value, bool))
    }
    kind = type(optimizer)
    if issubclass(kind, torch.optim.AdamW):  # RowAdamW keeps the same state
        kind = torch.optim.AdamW
    return kind, options - {"fused"}


def _moved(known, old, new, options):
    """Return a copy of what an optimizer knows of a weight, for one that follows it.

    That has its device and its dtype, where the former had those of the old weight.
    Single numbers, such as that of the steps taken, keep their dtype, and stay on the
    CPU, as torch has it unless options ask for what reads them on the device.
    """
    if torch.is_tensor(known):
        on_device = options.get("fused") or options.get("capturable")
        beside = known.ndim > 0 or known.device.type != "cpu" or on_device
        same = known.ndim > 0 and known.dtype == old.dtype
        known = known.detach().to(new.device if beside else "cpu", copy=True)
        return known.to(new.dtype) if same else known
    if type(known) is dict:
        return {name: _moved(x, old, new, options) for name, x in known.items()}
    if type(known) in (list, tuple):
        return type(known)(_moved(x, old, new, options) for x in known)
    return deepcopy(known)
