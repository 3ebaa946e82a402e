"""From a document and arrays to objects: what ``_encode.py`` turns round.

Everything here was written by whoever wrote the file. What is not as ``_encode.py``
would have it raises some error, which :func:`skhmc.load` says as a ``ModelFileError``.
"""

from copy import deepcopy
from functools import partial
from math import prod
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline

from skhmc._data.versions import VERSION_KEY, VersionedMixin
from skhmc._saving._encode import qualified_name
from skhmc._saving._file import DTYPES, ModelFileError
from skhmc._saving._sklearn import from_skops
from skhmc._saving._types import (
    ADDED,
    BIT_GENERATORS,
    RENAMED,
    class_named,
    function_named,
    value_class_named,
)
from skhmc._utils.version import package_version
from skhmc.hierarchy import Hierarchy, Ontology, Term

__all__ = ["Reader"]

LAST_CHARACTER = 0x10FFFF  # of Unicode
# Objects can share arrays, which may then be copied. In a file of ours few do.
SHARED = 16
SHARED_BYTES = 2**24
UNDER_WAY = object()  # instead of an object that is being made


class Reader:
    """Makes the values of a document.

    Parameters
    ----------
    document : dict
    arrays : list of ndarray
    encoders : callable, nn.Module, dict or None
        What the user gave for encoders, in a dict by their names in the file.
    """

    def __init__(self, document, arrays, encoders):
        self._contents = document["objects"]
        self._arrays = _in_order(document["arrays"], arrays)
        self._encoders = encoders
        self._made = {}
        self._taken = set()
        self._handed_out = 0  # bytes of arrays
        self._limit = SHARED * sum(array.nbytes for array in arrays) + SHARED_BYTES
        self._about = []  # what the file says of encoders, outermost first
        self.takes_encoder = False  # whether any network has one
        self.left_out = []  # parameters that let a fit write into folders

    def read(self, node):
        """Return the value of a node."""
        if node is None or isinstance(node, bool | int | float | str):
            return node
        if isinstance(node, list):
            return [self.read(part) for part in node]
        return KINDS[node["$"]](self, node)

    # -- values ------------------------------------------------------------------------

    def _float(self, node):
        if node["v"] not in ("nan", "inf", "-inf"):
            raise ValueError(f"{node['v']!r} is no number")
        return float(node["v"])

    def _scalar(self, node):
        # by a list: numpy reads much more as a dtype, of which some take memory
        if node["dtype"] not in DTYPES and node["dtype"] != "str":
            raise ValueError(f"a number of the dtype {node['dtype']!r:.100}")
        value = self.read(node["v"])
        if not isinstance(value, bool | int | float | str):
            raise ValueError(f"{type(value).__name__} as a number")
        return np.dtype(node["dtype"]).type(value)

    def _dtype(self, node):
        if node["v"][1:] not in ("b1", "f2", "f4", "f8", "i1", "i2", "i4", "i8") and (
            node["v"][1:] not in ("u1", "u2", "u4", "u8")
        ):
            raise ValueError(f"the dtype {node['v']!r}")
        return np.dtype(node["v"])

    def _codes(self, node):
        return "".join(map(chr, node["v"]))

    def _path(self, node):
        return Path(self.read(node["v"]))

    def _tuple(self, node):
        return tuple(self.read(part) for part in node["v"])

    def _set(self, node):
        return {self.read(part) for part in node["v"]}

    def _frozenset(self, node):
        return frozenset(self._set(node))

    def _slice(self, node):
        return slice(*(self.read(part) for part in node["v"]))

    def _dict(self, node):
        return self._pairs(node["v"])

    def _pairs(self, pairs):
        found = {self.read(key): self.read(value) for key, value in pairs}
        if len(found) != len(pairs):
            raise ValueError("a key stands twice")
        return found

    def _class(self, node):
        return value_class_named(node["v"])

    def _function(self, node):
        return function_named(node["v"])

    def _partial(self, node):
        function = function_named(node["function"]["v"])
        args = [self.read(part) for part in node["args"]]
        return partial(function, *args, **self._pairs(node["keywords"]))

    # -- texts and arrays --------------------------------------------------------------

    def _texts(self, node):
        values = self._unpacked(node)
        return tuple(values) if node["as"] == "tuple" else values

    def _unpacked(self, node):
        """Return the texts that two arrays hold."""
        ends = self._take(node["ends"])
        content = self._take(node["bytes"])
        right = ends.dtype == np.int64 and content.dtype == np.uint8
        right = right and ends.ndim == content.ndim == 1
        if not right or (np.diff(ends, prepend=0) < 0).any():
            raise ValueError("texts that do not end one behind the other")
        if len(content) != (ends[-1] if len(ends) else 0):
            raise ValueError("texts that are longer or shorter than their bytes")
        data = content.tobytes()
        starts = [0, *ends.tolist()]
        return [
            data[start:end].decode("utf-8", "surrogatepass")
            for start, end in zip(starts, ends.tolist(), strict=False)
        ]

    def _array(self, node):
        array = self._numbered(node["v"])
        self._handed_out += array.nbytes
        if self._handed_out > self._limit:  # each may be copied where it goes
            raise ValueError("arrays that stand in more places than they have")
        return array

    def _numbered(self, number):
        if type(number) is not int or not 0 <= number < len(self._arrays):
            raise ValueError(f"no array has the number {number!r}")
        return self._arrays[number]

    def _take(self, number):
        """Return an array of which something larger is made, and that but once."""
        if number in self._taken:
            raise ValueError("two things that are made of one array")
        self._taken.add(number)
        return self._numbered(number)

    def _objects(self, node):
        items = [self.read(item) for item in node["v"]]
        return _shaped(items, node["shape"])

    def _text_array(self, node):
        numbers = self._take(node["v"])
        if numbers.dtype != np.uint32 or not numbers.ndim or not numbers.shape[-1]:
            raise ValueError("an array of texts without characters")
        if numbers.size and numbers.max() > LAST_CHARACTER:
            raise ValueError("an array of texts with what is no character")
        shape, width = numbers.shape[:-1], numbers.shape[-1]
        return numbers.reshape(-1).view(f"=U{width}").reshape(shape)

    # -- objects -----------------------------------------------------------------------

    def _object(self, node):
        number = node["v"]
        if type(number) is not int or not 0 <= number < len(self._contents):
            raise ValueError(f"no object has the number {number!r}")
        if number not in self._made:
            self._made[number] = UNDER_WAY
            self._made[number] = self._make(number, self._contents[number])
        if self._made[number] is UNDER_WAY:
            raise ValueError("an object that is made of itself")
        return self._made[number]

    def _make(self, number, content):
        name = content["class"]
        if name == "skops":
            return from_skops(self._take(content["v"]).tobytes())
        if name == "encoder":
            return self._make_encoder(content)
        kind = class_named(name)
        if name == "Checkpoint":
            folder = self._pairs(content["state"])["folder"]
            return self._leave_out(f"checkpoint={str(folder)!r:.200}")
        if issubclass(kind, sp.sparray | sp.spmatrix):
            return self._make_sparse(kind, content)
        if issubclass(kind, Hierarchy):
            return self._make_hierarchy(kind, self._pairs(content["state"]))
        if kind in (np.random.RandomState, np.random.Generator):
            return self._make_random(kind, content)
        if issubclass(kind, tuple | list | dict):
            return self._make_container(kind, content)
        return self._make_plain(number, kind, content)

    def _make_container(self, kind, content):
        """Return a list, a dict or a named tuple of a class of its own."""
        if issubclass(kind, tuple):
            state = {key: self.read(value) for key, value in content["state"]}
            return kind(**state)
        if issubclass(kind, list):
            return kind(self.read(part) for part in content["v"])
        value = kind()
        value.update(self._pairs(content["v"]))
        return value

    def _make_plain(self, number, kind, content):
        """Return an object of a class of ours: its attributes, as they were."""
        value = kind.__new__(kind)
        self._made[number] = value  # first: what is inside may refer to it
        if "encoder" in content:
            self._about.append(content["encoder"])
            state = self._pairs(content["state"])
            state["encoder"] = self._given(self._about.pop()["name"])
        else:
            state = self._pairs(content["state"])
        if not all(isinstance(key, str) for key in state):
            raise ValueError("an attribute without a name")
        if kind is Pipeline and state["memory"] is not None:  # joblib reads pickles
            state["memory"] = self._leave_out(f"memory={state['memory']!r:.200}")
        _set_state(value, state)
        if "net_" in state and "encoder" not in content:
            _try_out(value)
        return value

    def _leave_out(self, text):
        """Return None for a parameter that lets a later fit write into a folder.

        Which folder that is, the person who loads has to say.
        """
        self.left_out.append(text)

    def _make_sparse(self, kind, content):
        state = self._pairs(content["state"])
        n_rows, n_columns = content["shape"]
        n_outer = n_rows if kind.__name__.startswith("csr") else n_columns
        if type(n_rows) is not int or type(n_columns) is not int:
            raise ValueError("a sparse matrix of no shape")
        if len(state["indptr"]) != n_outer + 1:  # before scipy makes an array of them
            raise ValueError("a sparse matrix of another shape than it says")
        parts = state["data"], state["indices"], state["indptr"]
        matrix = kind(parts, shape=(n_rows, n_columns))
        # scipy reads without looking where positions are
        matrix.check_format(full_check=True)
        matrix.indices, matrix.indptr = parts[1:]  # in their dtype, which may be wider
        return matrix

    def _make_hierarchy(self, kind, state):
        labels, edges = state["labels"], state["edges"]
        right = edges.dtype.kind == "i" and edges.ndim == 2 and edges.shape[1] == 2
        if not right or not isinstance(labels, tuple):
            raise ValueError("a hierarchy without labels or edges")
        if len(edges) and not (0 <= edges.min() and edges.max() < len(labels)):
            raise ValueError("an edge of a hierarchy to a label that is not there")
        plain = Hierarchy(labels)  # which looks at the labels
        if kind is Ontology:
            terms = state["terms"]
            kinds = set(map(type, terms.values())) if type(terms) is dict else {None}
            if kinds - {Term}:
                raise ValueError("an ontology of something else than terms")
            return Ontology._with_terms(plain.labels, edges, terms)
        return Hierarchy._from_positions(plain.labels, edges)

    def _make_random(self, kind, content):
        if content["bits"] not in BIT_GENERATORS:
            raise ValueError(f"a bit generator {content['bits']!r}")
        bits = getattr(np.random, content["bits"])()
        bits.state = self.read(content["state"])
        value = kind(bits)
        if kind is np.random.RandomState:
            has_gauss, gauss = content["gauss"]
            state = value.get_state(legacy=False)
            value.set_state(state | {"has_gauss": has_gauss, "gauss": self.read(gauss)})
        return value

    # -- a user's encoder --------------------------------------------------------------

    def _given(self, name):
        """Return what the user gave for an encoder with a name in the file."""
        self.takes_encoder = True
        given = self._encoders
        if isinstance(given, dict):
            given = given.get(name)
        if given is None:
            raise ModelFileError(
                f"The network in this file has an encoder of yours, {name}, whose "
                f"weights are in the file, but not its code. Give the class, the "
                f"function or the module that the estimator had: "
                f"skhmc.load(path, encoder={name.rpartition('.')[2]}), or encoder="
                f"{{{name!r}: ...}} where there are several."
            )
        return given

    def _make_encoder(self, content):
        """Return a user's module, made by what the user gave, with its weights."""
        about = self._about[-1]
        weights = self._pairs(content["weights"])
        others = self._pairs(content["others"])
        given = self._given(about["name"])
        import torch

        from skhmc._networks.encoder import made_by

        if isinstance(given, torch.nn.Module):
            module = deepcopy(given)
        else:
            module = made_by(
                given, self._pairs(about["options"]), tuple(about["shape"])
            )
        dtypes = {a.dtype.name for a in weights.values() if a.dtype.kind == "f"}
        if len(dtypes) == 1:
            module = module.to(getattr(torch, dtypes.pop()))
        tensors = {k: torch.from_numpy(np.array(a)) for k, a in weights.items()}
        try:
            module.load_state_dict(tensors | others)
        except Exception as error:
            raise ModelFileError(
                f"The encoder that was given, {qualified_name(given)}, does not take "
                f"the weights in the file, which are those of {about['name']}: {error}"
            ) from error
        return module.train(content["training"])


KINDS = {
    "array": Reader._array,
    "class": Reader._class,
    "codes": Reader._codes,
    "dict": Reader._dict,
    "dtype": Reader._dtype,
    "float": Reader._float,
    "frozenset": Reader._frozenset,
    "function": Reader._function,
    "object": Reader._object,
    "objects": Reader._objects,
    "partial": Reader._partial,
    "path": Reader._path,
    "scalar": Reader._scalar,
    "set": Reader._set,
    "slice": Reader._slice,
    "text array": Reader._text_array,
    "texts": Reader._texts,
    "tuple": Reader._tuple,
}


def _set_state(value, state):
    """Give an object its attributes, by the names that they have now."""
    kind = type(value)
    for before, now in RENAMED.get(kind.__name__, {}).items():
        if before in state:
            kept = state.pop(before)
            state |= {} if now is None else {now: kept}
    _add_later_attributes(kind.__name__, state)
    if issubclass(kind, VersionedMixin):
        missing = sorted(set(kind._get_param_names()) - state.keys())
        if missing:
            raise ValueError(f"{kind.__name__} without its parameters {missing}")
        state[VERSION_KEY] = package_version()  # skhmc.load warns of another, once
    if hasattr(value, "__setstate__"):
        value.__setstate__(state)
    else:
        vars(value).update(state)


def _add_later_attributes(name, state):
    """Give a class's attributes those that files of before lack."""
    for attribute, kept in ADDED.get(name, {}).items():
        learnt = attribute.endswith("_") or attribute.startswith("_")
        if not learnt or "hierarchy_" in state:  # else they would tell of a fit
            state.setdefault(attribute, kept)


def _try_out(estimator):
    """Raise where the parts of a network do not fit together, by one row of zeros."""
    net, form = estimator.net_, estimator._form
    (n_features,) = estimator._sample_shape
    n_weights = sum(weight.numel() for weight in net.module_.parameters())
    if not 0 <= n_features <= n_weights:
        raise ValueError(f"a network of {n_weights} weights for {n_features} features")
    row = np.zeros((1, n_features), estimator._dtype)
    for logits in net.logits(net.get_dataset(row)):
        shape = form.proba(logits, None).shape
        if shape != (1, estimator.hierarchy_.n_labels):
            raise ValueError(f"a network whose scores have the shape {shape}")


def _in_order(described, arrays):
    """Return arrays as they were, if they are what the document says of them."""
    if len(described) != len(arrays):
        raise ValueError(f"{len(arrays)} arrays, of which {len(described)} are told of")
    found = []
    for about, array in zip(described, arrays, strict=True):
        if [about["dtype"], about["shape"]] != [array.dtype.name, list(array.shape)]:
            raise ValueError(
                f"an array of {array.dtype} and shape {array.shape}, of which the "
                f"document says {about!r:.100}"
            )
        if about["order"] == "F":
            array = array.T
        if about["fixed"]:
            array.flags.writeable = False
        found.append(array)
    return found


def _shaped(items, shape):
    """Return items as an array of objects, made when it is known that they fill it."""
    if not all(type(n) is int and n >= 0 for n in shape) or prod(shape) != len(items):
        raise ValueError(f"{len(items)} items in an array of shape {shape!r:.100}")
    array = np.empty(len(items), object)
    for k, item in enumerate(items):  # numpy would look into lists
        array[k] = item
    return array.reshape(shape)
