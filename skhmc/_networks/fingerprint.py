"""What makes a fit the one it is: a digest of its parameters, its data and versions.

Two fits with the same digests, on the same machine, give the same bits. Digests do not
depend on the process: no addresses, no hash seeds, no caches.
"""

import functools
import hashlib
import platform
import types
from importlib.metadata import version

import joblib
import numpy as np
import scipy.sparse as sp
import sklearn
import torch
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError

from skhmc._data.X import FileRows
from skhmc._networks.code_parts import class_parts, code_parts, function_parts
from skhmc._utils.version import package_version
from skhmc.hierarchy import Hierarchy

__all__ = ["differences", "fingerprint", "identity"]

FORMAT = 2  # of what is in a file, and of how a fit goes on from it
# what changes nothing of what is learnt, and what is told from the data
NOT_LEARNT = {"checkpoint", "verbose", "hierarchy", "device"}
VERSION = "version of"
N_ROWS = 1000  # of an X in a file that are looked at
SHOWN = 60  # characters of a value in a message


def identity(params, device, X, targets, weight, groups, former, asking):
    """Return what a fit depends on: a text and a digest by name.

    Parameters
    ----------
    params : dict
        Parameters of a network estimator by name.
    device : str
        Name of the device that is trained on.
    X : ndarray, csr_matrix or FileRows
    targets : Targets
    weight : ndarray or None
    groups : Groups or None
    former : Former or None
        What a former call left, if training goes on from its weights.
    asking : pair of str
        What needs to tell parameters from others, and how to do without it.

    Returns
    -------
    dict of str to list
        Lists of two strings.
    """
    found = {
        "version of skhmc": _said(package_version()),
        "version of the file": _said(FORMAT),
        "version of torch": _said(torch.__version__),
        "version of skorch": _said(version("skorch")),
        "version of scikit-learn": _said(sklearn.__version__),
        "version of numpy": _said(np.__version__),
        "version of Python": _said(".".join(platform.python_version_tuple()[:2])),
        "kind of device": _said(torch.device(device).type),
    }
    for name in sorted(set(params) - NOT_LEARNT):
        try:
            found[name] = _said(params[name])
        except Exception as error:
            raise InvalidParameterError(
                f"{asking[0]} needs parameters that can be told from others, which "
                f"{name}={params[name]!r} cannot: {error}. Give it as a class or a "
                f"function with a name, or {asking[1]}."
            ) from error
    found["X"] = _said(X, _form(X))
    found["y"] = _said([targets.Y, targets.classes, targets.codes], _form(targets.Y))
    hierarchy = targets.hierarchy
    n = hierarchy.n_labels
    found["hierarchy"] = _said(hierarchy, f"{n} labels, {len(hierarchy.edges)} edges")
    found["sample_weight"] = _said(weight, _form(weight))
    codes = None if groups is None else groups.codes
    found["groups"] = _said(codes, _form(codes))
    before = None
    if former is not None:
        net = former.net
        before = [net.module_.state_dict(), net.criterion_.state_dict()]
        before += [former.form.hierarchy, former.places, former.waiting]
        before += [net.module_.input_scale]
    found["weights that warm_start starts from"] = _said(before, _form(before))
    return found


def fingerprint(found):
    """Return the digests of an identity: of all but the versions, and of these."""
    digests = [(name, digest) for name, (_, digest) in sorted(found.items())]
    versions = [pair for pair in digests if pair[0].startswith(VERSION)]
    others = [pair for pair in digests if not pair[0].startswith(VERSION)]
    return _digest(others)[:16], _digest(versions)[:8]


def differences(found, other):
    """Return a text for everything that two identities have not in common.

    Parameters
    ----------
    found, other : dict
        What :func:`identity` returns; the other may be read from a file.
    """
    texts = []
    for name in [*found, *(set(other) - set(found))]:
        now, there = found.get(name, ("nothing", "")), other.get(name, ("nothing", ""))
        if now[1] == there[1]:  # the same thing, perhaps written in another way
            continue
        same_text = now[0] == there[0]
        was = "other content" if same_text else there[0]
        texts.append(f"{name} is {now[0]}, there {was}")
    return texts


def _said(value, text=None):
    """Return a short text of a value, and its digest."""
    if text is None:
        text = " ".join(repr(value).split())
        if " at 0x" in text:  # an address, which is another one in every process
            text = f"a {type(value).__name__}"
        text = text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."
    return [text, _digest(value)]


def _form(data):
    if data is None:
        return "None"
    if not hasattr(data, "shape"):
        return "given"
    return f"{' x '.join(map(str, data.shape))} values of {data.dtype}"


# -- digests ---------------------------------------------------------------------------


def _digest(value):
    hashed = hashlib.blake2b(digest_size=16)
    _feed(hashed, value, ())
    return hashed.hexdigest()


def _feed(hashed, value, above):
    """Feed a value to a hash; ``above`` are the ids of what it is a part of."""
    if id(value) in above:  # a callback that holds one that holds it
        hashed.update(b"above")
        return
    above = (*above, id(value))
    if isinstance(value, np.ndarray):
        _feed_array(hashed, value, above)
        return
    name, parts = _taken_apart(value)
    hashed.update(f"{name}:{len(parts)};".encode())
    for part in parts:
        if isinstance(part, bytes):
            hashed.update(part + b";")
        else:
            _feed(hashed, part, above)


def _feed_array(hashed, array, above):
    if array.dtype.kind not in "biufc":
        _feed(hashed, array.tolist(), above)
        return
    hashed.update(f"array:{array.dtype.str}:{array.shape};".encode())
    if array.size:
        hashed.update(np.require(array, requirements="C").reshape(-1).view(np.uint8))


def _taken_apart(value):
    """Return the name of a value's kind, and what it consists of."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return type(value).__name__, [repr(value).encode()]
    for kinds, take_apart in _PARTS:
        if isinstance(value, kinds):
            return take_apart(value)
    if hasattr(value, "__dict__"):
        return "object", [type(value), _given(vars(value))]
    return _name(type(value)), [joblib.hash(value).encode()]


def _name(thing):
    return f"{thing.__module__}.{thing.__qualname__}"


def _given(attributes):
    """Return what a user gave an object, without what it made of it in a fit.

    What begins with an underscore is given, too: many objects keep all they know there.
    """
    return {
        name: value
        for name, value in attributes.items()
        if name.startswith("_") or not name.endswith("_")
    }


def _of_dict(value):
    pairs = [(_digest(key), part) for key, part in value.items()]
    pairs.sort(key=lambda pair: pair[0])
    return "dict", [part for key, inner in pairs for part in (key.encode(), inner)]


def _of_builtin(function):
    owner = function.__self__  # of a method; of a function, its module
    owner = None if isinstance(owner, types.ModuleType) else owner
    return "function", [repr(_name(function)).encode(), owner]


def _of_module(module):
    of_torch = vars(torch.nn.Module())  # its own weights, parts, hooks and switches
    own = {k: v for k, v in _given(vars(module)).items() if k not in of_torch}
    trained = {
        name: [weight, weight is not None and weight.requires_grad]
        for name, weight in module._parameters.items()
    }
    hooks = [*module._forward_pre_hooks.values(), *module._forward_hooks.values()]
    # parts are called one after the other: their order counts
    parts = [[name, part] for name, part in module._modules.items()]
    return "module", [type(module), own, trained, module._buffers, parts, hooks]


def _of_file(rows):
    """Return the parts of an X in a file: of its rows, as many as are looked at."""
    n = rows.shape[0]
    chosen = np.unique(np.linspace(0, n - 1, min(n, N_ROWS)).astype(np.int64))
    return "rows", [list(rows.shape), str(rows.dtype), rows.read(chosen)]


def _of_sparse(matrix):
    matrix = matrix.tocsr()
    inner = [matrix.data, matrix.indices.astype(np.int64), matrix.indptr]
    return "csr", [list(matrix.shape), *inner[:2], inner[2].astype(np.int64)]


def _of_tensor(tensor):
    array = tensor.detach().cpu()
    if array.dtype == torch.bfloat16:
        array = array.contiguous().view(torch.int16)
    return f"tensor {tensor.dtype}", [array.numpy()]


_PARTS = [
    (dict | types.MappingProxyType, _of_dict),
    (list | tuple, lambda value: ("sequence", list(value))),
    (range | slice, lambda value: ("range", [repr(value).encode()])),
    (
        set | frozenset,
        lambda value: ("set", [d.encode() for d in sorted(map(_digest, value))]),
    ),
    (torch.Tensor, _of_tensor),
    (torch.nn.Module, _of_module),
    (sp.spmatrix | sp.sparray, _of_sparse),
    (
        np.random.RandomState,
        lambda value: ("RandomState", list(value.get_state(legacy=True))),
    ),
    (Hierarchy, lambda value: ("Hierarchy", [list(value.labels), value.parents])),
    (FileRows, _of_file),
    (
        functools.partial,
        lambda value: ("partial", [value.func, value.args, value.keywords]),
    ),
    (
        type,
        lambda value: ("class", [_name(value).encode(), class_parts(value)]),
    ),
    (types.CodeType, lambda value: ("code", code_parts(value))),
    (
        types.FunctionType,
        lambda value: (_name(value), function_parts(value)),
    ),
    (types.MethodType, lambda value: ("method", [value.__func__, value.__self__])),
    (types.BuiltinFunctionType, _of_builtin),
    (types.ModuleType, lambda value: ("package", [value.__name__.encode()])),
    (
        BaseEstimator,
        lambda value: ("estimator", [type(value), value.get_params(deep=False)]),
    ),
]
