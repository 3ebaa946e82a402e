"""The state that an optimizer keeps of every weight, handed to the next optimizer."""

from copy import deepcopy

import torch

__all__ = ["transfer_grown_state", "transfer_state"]


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


def transfer_grown_state(
    former, before, follower, weights, growth, tables, columns=frozenset()
):
    """Do as :func:`transfer_state` to a network that has more labels than the former.

    A new label is given what is known of the label that it starts from or, where it
    starts from none, what is known of labels on average. Tables, or other weights, of
    which an optimizer keeps anything else than numbers and tensors of their shape, or a
    value per row, begin anew.

    Parameters
    ----------
    former, before, follower, weights
        As :func:`transfer_state` has them.
    growth : Growth
    tables : pair of dict of list of str
        Names of the parts of every table, of the former network and of this one.
    columns : set of str
        Names of tables of one part, of this network, that have the labels along their
        columns.
    """
    if _kind(former) != _kind(follower):
        return
    weights = dict(weights)
    old_tables, new_tables = tables
    of_labels = {part for parts in new_tables.values() for part in parts}
    pairs = [([name], [name]) for name in weights if name not in of_labels]
    pairs += [(parts, new_tables[table]) for table, parts in old_tables.items()]
    for old_names, new_names in pairs:
        olds = [before.get(name) for name in old_names]
        if any(old not in former.state for old in olds):
            continue
        known = [former.state[old] for old in olds]
        news = [weights[name] for name in new_names]
        if new_names[0] in columns:
            state = _grown_columns(known[0], olds[0], growth, news[0].shape[1])
            follower.state[news[0]] = _moved(state, olds[0], news[0], follower.defaults)
            continue
        grown = growth if new_names[0] in of_labels else None
        sizes = [len(new) if new.ndim else 1 for new in news]
        try:
            states = _grown(known, olds, grown, sizes)
        except _OtherShape:
            continue
        for new, state in zip(news, states, strict=True):
            follower.state[new] = _moved(state, olds[0], new, follower.defaults)


class _OtherShape(ValueError):
    """An optimizer keeps something that rows of a table cannot be told in."""


def _grown(known, olds, growth, sizes):
    """Return what an optimizer knows of the parts of a grown table.

    Parameters
    ----------
    known : list
        What it knows of every part of the former table: of the same kind in all.
    olds : list of Tensor
        These parts.
    growth : Growth or None
        None where the weight is no table: it has one part, which stays as it is.
    sizes : list of int
        Rows of the parts of the grown table.
    """
    first = known[0]
    if torch.is_tensor(first) and first.ndim:
        pairs = list(zip(known, olds, strict=True))
        whole = all(x.shape == old.shape for x, old in pairs)
        by_row = all(x.shape == old.shape[:1] for x, old in pairs)
        if not (whole or by_row):
            raise _OtherShape
        if growth is None:
            return known
        typical = torch.cat(known).double().mean(0)  # for what starts from no label
        return growth.start(known, [typical.expand(n, *typical.shape) for n in sizes])
    if type(first) is dict:
        if any(x.keys() != first.keys() for x in known):
            raise _OtherShape
        parts = {k: _grown([x[k] for x in known], olds, growth, sizes) for k in first}
        return [{k: part[i] for k, part in parts.items()} for i in range(len(sizes))]
    if type(first) in (list, tuple):
        if any(len(x) != len(first) for x in known):
            raise _OtherShape
        parts = [_grown(list(x), olds, growth, sizes) for x in zip(*known, strict=True)]
        return [type(first)(part[i] for part in parts) for i in range(len(sizes))]
    return [first] * len(sizes)


def _grown_columns(known, old, growth, n_labels):
    """Return what an optimizer knows of a grown table with a column per label.

    What it keeps per row, or of the whole table, stays as it is.
    """
    if type(known) is dict:
        return {
            name: _grown_columns(x, old, growth, n_labels) for name, x in known.items()
        }
    if not torch.is_tensor(known) or known.shape != old.shape:
        return known
    typical = known.double().mean(1).expand(n_labels, -1)
    (rows,) = growth.start([known.t()], [typical])
    return rows.t().contiguous()


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
