"""What functions and classes of a user do, as parts that can be compared.

An encoder in a notebook keeps its name when it is written anew: a name says too little.
Lines and comments change nothing.
"""

import sys
import types
from functools import cached_property

import numpy as np
import torch

__all__ = ["class_parts", "code_parts", "function_parts"]

# whose code is told by a version, which is compared, too
KNOWN = {"numpy", "scipy", "skhmc", "sklearn", "skorch", "torch"} | set(
    sys.stdlib_module_names - {"__main__"}
)
PLAIN = bool | int | float | complex | str | bytes | np.generic | np.ndarray
MADE = {"__dict__", "__weakref__", "__module__", "__doc__", "__qualname__"}
MADE |= {"__annotations__", "__firstlineno__", "__static_attributes__"}


def code_parts(code):
    """Return what a code object does: names and constants, but neither lines nor files.

    Parameters
    ----------
    code : types.CodeType
    """
    return [code.co_code, list(code.co_consts), list(code.co_names)]


def function_parts(function):
    """Return what a function of Python does, with what it finds in its module.

    Parameters
    ----------
    function : types.FunctionType
    """
    parts = _own_parts(function)
    if _is_of_the_user(function):
        parts.append(_found(function.__module__, [function]))
    return parts


def class_parts(kind):
    """Return what the methods of a class do; nothing of classes that a version tells.

    Parameters
    ----------
    kind : type
    """
    bases = [base for base in kind.__mro__ if _is_of_the_user(base)]
    return [
        [_body(base), _found(base.__module__, _functions(base).values())]
        for base in bases
    ]


def _is_of_the_user(thing):
    return str(thing.__module__).partition(".")[0] not in KNOWN


def _own_parts(function):
    closure = [_content(cell) for cell in function.__closure__ or ()]
    defaults = function.__defaults__, function.__kwdefaults__
    return [function.__code__, *defaults, closure]


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # nothing yet
        return "empty"


def _functions(kind):
    """Return the functions in the body of a class by name."""
    found = {}
    for name, value in vars(kind).items():
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        if isinstance(value, cached_property):
            value = value.func
        several = [value]
        if isinstance(value, property):
            several = [value.fget, value.fset, value.fdel]
        for number, function in enumerate(several):
            if isinstance(function, types.FunctionType):
                found[f"{name}.{number}"] = function
    return found


def _body(kind):
    """Return the functions of a class without closures, which hold it, and constants.

    A closure of a method that calls ``super()`` is the class itself.
    """
    found = {name: _plain_parts(f) for name, f in _functions(kind).items()}
    constants = {
        name: value
        for name, value in vars(kind).items()
        if name not in MADE and _is_plain(value)
    }
    return [found, constants]


def _plain_parts(function):
    """Return the code of a function, and what it holds that is plain."""
    held = [*_own_parts(function)[3], *(function.__defaults__ or ())]
    held += (function.__kwdefaults__ or {}).values()
    return [function.__code__, [value for value in held if _is_plain(value)]]


def _found(module, functions):
    """Return what functions find by name in their module: plain values, and code there.

    Each name once, however functions call one another.
    """
    found = {}
    todo = [(function.__globals__, function.__code__) for function in functions]
    seen = set()
    while todo:
        scope, code = todo.pop()
        if id(code) in seen:
            continue
        seen.add(id(code))
        inner = [part for part in code.co_consts if isinstance(part, types.CodeType)]
        todo += [(scope, part) for part in inner]
        for name in code.co_names:
            if name not in scope or name in found:
                continue
            value = scope[name]
            called = []
            if isinstance(value, types.FunctionType) and value.__module__ == module:
                called = [value]
                found[name] = _plain_parts(value)
            elif isinstance(value, type) and value.__module__ == module:
                called = _functions(value).values()
                found[name] = _body(value)
            elif _is_plain(value):
                found[name] = value
            todo += [(function.__globals__, function.__code__) for function in called]
    return found


def _is_plain(value):
    if isinstance(value, dict):
        return all(map(_is_plain, [*value, *value.values()]))
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, PLAIN | torch.Tensor)
