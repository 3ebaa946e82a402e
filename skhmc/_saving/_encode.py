"""From objects to a document and arrays: what ``_decode.py`` turns round."""

import math
from functools import partial
from pathlib import Path
from types import FunctionType

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator

from skhmc._data.versions import VERSION_KEY
from skhmc._saving._file import DTYPES, ModelFileError
from skhmc._saving._sklearn import is_listed, listed_names, to_skops
from skhmc._saving._types import (
    name_of_class,
    name_of_function,
    name_of_value_class,
    without_derived,
)
from skhmc.hierarchy import Hierarchy, Ontology

__all__ = ["Writer", "qualified_name"]

# Values inside each other. Reading takes more of Python's stack than writing does, and
# may be done deeper in a program: a file that was written can be read.
MAX_DEPTH = 80
PACKED = 16  # so many texts are written as bytes, fewer one by one


class Writer:
    """Collects the objects and the arrays of a file.

    Attributes
    ----------
    objects : list of dict
        What objects are made of, by their number.
    described : list of dict
        The dtype, the shape and the order of arrays, by their number.
    arrays : list of ndarray
        The arrays, in C order.
    """

    def __init__(self):
        self.objects = []
        self.described = []
        self.arrays = []
        self._numbers = {}  # of objects and arrays, by id
        self._alive = []  # so that no id is given twice
        self._depth = 0
        self._encoders = []  # what is known where a user's encoder is met

    def write(self, value, where):
        """Return the node of a value.

        Parameters
        ----------
        value : object
        where : str
            Names the value in messages, such as "HCALClassifier.label_loss".
        """
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise RecursionError
        node = self._node(value, where)
        self._depth -= 1
        return node

    def _node(self, value, where):
        kind = type(value)
        if value is None or kind in (bool, int):
            return value
        if kind is str:
            return _text(value)
        if kind is float:
            return value if math.isfinite(value) else {"$": "float", "v": repr(value)}
        if kind is list:
            return self._sequence(value, "list", where)
        if kind is tuple:
            return self._sequence(value, "tuple", where)
        if kind is dict:
            return {"$": "dict", "v": self._pairs(value, where)}
        if kind in (set, frozenset):
            parts = [self.write(part, where) for part in value]
            return {"$": kind.__name__, "v": sorted(parts, key=repr)}
        return self._write_other(value, kind, where)

    def _write_other(self, value, kind, where):
        """Return the node of a value that JSON has no word for."""
        if isinstance(value, np.generic):
            return _scalar(value, where)
        if isinstance(value, np.ndarray):
            return self._array(value, where)
        if kind is slice:
            parts = [value.start, value.stop, value.step]
            return {"$": "slice", "v": [self.write(part, where) for part in parts]}
        if kind is type(Path()):
            return {"$": "path", "v": _text(str(value))}
        if isinstance(value, np.dtype):
            return {"$": "dtype", "v": _plain_dtype(value, where).str}
        return self._write_code_or_object(value, kind, where)

    def _write_code_or_object(self, value, kind, where):
        """Return the node of a class, of a function, or of an object."""
        if kind is type or isinstance(value, type):
            name = name_of_value_class(value)
            return _named("class", name, value, where)
        if isinstance(value, FunctionType) or value is print:
            return _named("function", name_of_function(value), value, where)
        if kind is partial:
            return self._partial(value, where)
        return {"$": "object", "v": self._object(value, where)}

    # -- lists, dicts and texts --------------------------------------------------------

    def _sequence(self, values, kind, where):
        if len(values) >= PACKED and all(type(value) is str for value in values):
            return {"$": "texts", "as": kind, **self._texts(values)}
        parts = [self.write(part, f"{where}[{k}]") for k, part in enumerate(values)]
        return parts if kind == "list" else {"$": kind, "v": parts}

    def _texts(self, values):
        """Return texts as the numbers of two arrays: bytes, and where they end."""
        encoded = [value.encode("utf-8", "surrogatepass") for value in values]
        ends = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        content = np.frombuffer(b"".join(encoded), np.uint8)
        return {"bytes": self._add(content), "ends": self._add(ends)}

    def _pairs(self, values, where):
        pairs = []
        for key, value in values.items():
            inside = f"{where}.{key}" if isinstance(key, str) else f"{where}[{key!r}]"
            pairs.append([self.write(key, where), self.write(value, inside)])
        return pairs

    def _partial(self, value, where):
        return {
            "$": "partial",
            "function": _named(
                "function", name_of_function(value.func), value.func, where
            ),
            "args": [self.write(part, where) for part in value.args],
            "keywords": self._pairs(value.keywords, where),
        }

    # -- arrays ------------------------------------------------------------------------

    def _array(self, value, where):
        if isinstance(value, (np.matrix, np.ma.MaskedArray)):
            raise _refused(value, where, "an ndarray")
        if value.dtype == object:
            items = [self.write(item, where) for item in value.ravel().tolist()]
            return {"$": "objects", "shape": list(value.shape), "v": items}
        if value.dtype.kind == "U":
            return self._text_array(value)
        _plain_dtype(value.dtype, where)
        if id(value) not in self._numbers:
            self._keep(value, self._add(value))
        return {"$": "array", "v": self._numbers[id(value)]}

    def _text_array(self, value):
        """Return an array of texts as one of their characters' numbers."""
        width = max(value.dtype.itemsize // 4, 1)
        value = np.ascontiguousarray(value, f"=U{width}")
        numbers = value.reshape(-1).view(np.uint32).reshape(*value.shape, width)
        return {"$": "text array", "v": self._add(numbers)}

    def _add(self, value):
        """Add an array, and return its number."""
        value = np.asarray(value)
        value = value.astype(value.dtype.newbyteorder("="), copy=False)
        turned = value.flags.f_contiguous and not value.flags.c_contiguous
        stored = np.ascontiguousarray(value.T if turned else value)
        stored = stored.reshape(value.T.shape if turned else value.shape)  # of 0-d
        self.arrays.append(stored)
        self.described.append(
            {
                "dtype": stored.dtype.name,
                "shape": list(stored.shape),
                "order": "F" if turned else "C",
                "fixed": not value.flags.writeable,
            }
        )
        return len(self.arrays) - 1

    def _keep(self, value, number):
        self._numbers[id(value)] = number
        self._alive.append(value)

    # -- objects -----------------------------------------------------------------------

    def _object(self, value, where):
        """Return the number of an object, which is written once."""
        if id(value) not in self._numbers:
            number = len(self.objects)
            self.objects.append(None)
            self._keep(value, number)  # first: what is inside may refer to it
            self.objects[number] = self._content(value, where)
        return self._numbers[id(value)]

    def _content(self, value, where):
        name = name_of_class(type(value))
        if sp.issparse(value) and name:
            return self._sparse(value, name, where)
        if type(value) in (Hierarchy, Ontology):
            return self._hierarchy(value, name, where)
        if isinstance(value, np.random.RandomState | np.random.Generator):
            return self._random(value, name, where)
        if name and isinstance(value, tuple):
            parts = value._asdict().items()
            state = {k: self.write(v, f"{where}.{k}") for k, v in parts}
            return {"class": name, "state": list(state.items())}
        if name and isinstance(value, list):
            return {"class": name, "v": [self.write(part, where) for part in value]}
        if name and isinstance(value, dict):
            return {"class": name, "v": self._pairs(value, where)}
        if name:
            return self._attributes(value, name, where)
        return self._foreign(value, where)

    def _attributes(self, value, name, where):
        """Return an object of a listed class: its attributes."""
        state = value.__getstate__() or {}
        if not isinstance(state, dict):
            raise _refused(value, where, "an object with attributes")
        state = without_derived(type(value), state)
        state.pop(VERSION_KEY, None)  # the file says it once
        encoder = state.get("encoder") if isinstance(value, BaseEstimator) else None
        if encoder is None:
            return {"class": name, "state": self._pairs(state, where)}
        self._encoders.append(_about_encoder(state))
        pairs = self._pairs(state | {"encoder": None}, where)
        about = self._encoders.pop()
        about["options"] = self._pairs(about["options"], f"{where}.encoder__")
        return {"class": name, "state": pairs, "encoder": about}

    def _sparse(self, value, name, where):
        parts = {key: getattr(value, key) for key in ("data", "indices", "indptr")}
        return {
            "class": name,
            "shape": [int(n) for n in value.shape],
            "state": self._pairs(parts, where),
        }

    def _hierarchy(self, value, name, where):
        parts = {"labels": value.labels, "edges": np.asarray(value.edges)}
        if name == "Ontology":
            parts["terms"] = dict(value._terms)
        return {"class": name, "state": self._pairs(parts, where)}

    def _random(self, value, name, where):
        bits = value._bit_generator if name == "RandomState" else value.bit_generator
        content = {
            "class": name,
            "bits": type(bits).__name__,
            "state": self.write(bits.state, where),
        }
        if name == "RandomState":
            has_gauss, gauss = value.get_state()[3:]
            content["gauss"] = [int(has_gauss), self.write(float(gauss), where)]
        return content

    def _foreign(self, value, where):
        """Return an object of a class that has no row: of scikit-learn, or a user's."""
        if is_listed(value):
            content = np.frombuffer(to_skops(value, where), np.uint8)
            return {"class": "skops", "v": self._add(content)}
        if self._encoders and hasattr(value, "state_dict"):
            weights = self._weights(value, where)
            return {"class": "encoder", "of": self._encoders[-1]["name"]} | weights
        raise _refused(value, where, "")

    def _weights(self, module, where):
        """Return what a user's module has learnt: its state dict, as arrays."""
        weights, others = {}, {}
        for name, tensor in module.state_dict().items():
            if not hasattr(tensor, "detach"):
                others[name] = tensor
                continue
            tensor = tensor.detach().cpu()
            if str(tensor.dtype).removeprefix("torch.") not in DTYPES:
                raise ModelFileError(
                    f"{where} has weights {name!r} of {tensor.dtype}, expected one of "
                    f"{', '.join(DTYPES)}. Change the encoder's dtype."
                )
            weights[name] = tensor.numpy()
        return {
            "weights": self._pairs(weights, where),
            "others": self._pairs(others, where),
            "training": bool(module.training),
        }


# -- what needs no numbers -------------------------------------------------------------


def qualified_name(thing):
    """Return the name of a class, a function or an instance's class, with its module.

    Examples
    --------
    >>> qualified_name(math.sqrt), qualified_name(Writer())
    ('math.sqrt', 'skhmc._saving._encode.Writer')
    """
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    if isinstance(thing, partial):
        named = thing.func
    return f"{named.__module__}.{named.__qualname__}"


def _about_encoder(state):
    """Return what it takes to make a user's encoder again."""
    prefix = "encoder__"
    options = {
        name.removeprefix(prefix): value
        for name, value in state.items()
        if name.startswith(prefix)
    }
    shape = state.get("_sample_shape")
    return {
        "name": qualified_name(state["encoder"]),
        "options": options,
        "shape": None if shape is None else [int(n) for n in shape],
    }


def _text(value):
    """Return the node of a text, which JSON changes if it has surrogates.

    It reads two that stand side by side as one character.
    """
    if value.isascii() or not any("\ud800" <= char <= "\udfff" for char in value):
        return value
    return {"$": "codes", "v": list(map(ord, value))}


def _scalar(value, where):
    dtype = value.dtype
    if dtype.kind == "U":
        return {"$": "scalar", "dtype": "str", "v": _text(str(value))}
    _plain_dtype(dtype, where)
    item = value.item()
    if isinstance(item, float) and not math.isfinite(item):
        item = repr(item)
    return {"$": "scalar", "dtype": dtype.name, "v": item}


def _plain_dtype(dtype, where):
    if dtype.name not in DTYPES:
        raise ModelFileError(
            f"{where} has the dtype {dtype}, which model files do not have. Expected "
            f"one of {', '.join(DTYPES)}, texts or objects."
        )
    return dtype


def _named(what, name, value, where):
    if name is None:
        raise _refused(value, where, f"a {what} that skhmc knows by name")
    return {"$": what, "v": name}


def _refused(value, where, expected):
    """Return the error of a value that no file can hold, and what to do."""
    got = qualified_name(value)
    if type(value).__module__.startswith("networkx.") or hasattr(value, "to_numpy"):
        advice = (
            "As a hierarchy, give the estimator Hierarchy.build(...) of it; else an "
            "ndarray."
        )
    elif callable(value) and not hasattr(value, "fit"):
        advice = (
            "A file of skhmc.save holds no code: give the estimator a name or a "
            "function of skhmc, or keep it with joblib, which trusts whoever wrote "
            "the file."
        )
    elif type(value).__name__.endswith("SearchCV"):
        advice = "Save its best_estimator_."
    elif type(value).__module__.startswith("sklearn."):
        advice = f"Of scikit-learn there can be {listed_names()}."
    else:
        advice = "Keep the model with joblib, which trusts whoever wrote the file."
    said = f", expected {expected}" if expected else ""
    return ModelFileError(f"{where} is {got}{said}, and cannot be saved. {advice}")
