"""Estimators of scikit-learn inside a file, written by skops and read by a list.

skops makes what a file says of types that were approved. Beside its own check, which
approves all estimators of scikit-learn, every node of a file is looked at here: its
type has to stand in our list, for its kind of node. What the types do not say is
checked, too: sizes before anything is made of them, and trees afterwards, which
scikit-learn walks without looking where it treads.
"""

import io
import json
import zipfile
from copy import copy
from functools import cache
from importlib import import_module

import numpy as np

from skhmc._saving._file import ModelFileError, parse_json
from skhmc._saving._types import BIT_GENERATORS, SCIKIT_LEARN
from skhmc._utils.optional import import_optional

__all__ = ["from_skops", "is_listed", "listed_names", "to_skops"]

EXTRA = "save"
GENERATOR = "state of a generator"
NOWHERE = "A tree of scikit-learn points to a node or a feature that is not there."
REPEATED = ("KFold", "StratifiedKFold")  # what repeated splitters name
NUMBERS = ["bool", "bool_", "float32", "float64"]
NUMBERS += [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
# types of nodes, by the kind of the node, beside the listed classes
INSIDE = {
    "ObjectNode": {
        "sklearn._loss.link.IdentityLink",
        "sklearn._loss.link.Interval",
        "sklearn._loss.link.LogitLink",
        "sklearn._loss.link.MultinomialLogit",
        "sklearn._loss.loss.HalfBinomialLoss",
        "sklearn._loss.loss.HalfMultinomialLoss",
        "sklearn._loss.loss.HalfSquaredError",
        "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.linear_model._base.LinearModelLoss",
        "sklearn.preprocessing._label.LabelBinarizer",
        "sklearn.preprocessing._label.LabelEncoder",
        "sklearn.preprocessing._function_transformer.FunctionTransformer",
    },
    "ReduceNode": {"sklearn.tree._tree.Tree"},
    "TreeNode": {"sklearn.tree._tree.Tree"},
    "LossNode": {
        "sklearn.linear_model._sgd_fast.Hinge",
        "sklearn.linear_model._sgd_fast.ModifiedHuber",
        "sklearn.linear_model._sgd_fast.SquaredHinge",
        "sklearn._loss._loss.CyHalfBinomialLoss",
        "sklearn._loss._loss.CyHalfMultinomialLoss",
        "sklearn._loss._loss.CyHalfSquaredError",
    },
    "FunctionNode": {
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
    },
    "DictNode": {
        "builtins.dict",
        "collections.OrderedDict",
        "sklearn.utils._bunch.Bunch",
    },
    "ListNode": {"builtins.list"},
    "TupleNode": {"builtins.tuple"},
    "SetNode": {"builtins.set"},
    "SliceNode": {"builtins.slice"},
    "JsonNode": {"builtins.str"},
    "TypeNode": {"builtins." + name for name in ("bool", "float", "int", "str")}
    | {"numpy." + name for name in ("float32", "float64", "int32", "int64")}
    | {"sklearn.model_selection._split." + name for name in REPEATED},
    "NdArrayNode": {"numpy.ndarray"} | {"numpy." + name for name in NUMBERS},
    "DTypeNode": {"numpy.dtype"},
    "RandomStateNode": {"numpy.random.mtrand.RandomState"},
    "CachedNode": set(),
}


def is_listed(value):
    """Tell whether a value is of a class of scikit-learn that files can hold."""
    kind = type(value)
    if not kind.__module__.startswith("sklearn."):
        return False
    return any(kind.__name__ in names for names in SCIKIT_LEARN.values())


def listed_names():
    """Return the classes of scikit-learn that files can hold, as text."""
    return ", ".join(sorted(n for names in SCIKIT_LEARN.values() for n in names))


@cache
def _allowed():
    """Return the types of the list by their kind of node."""
    kinds = [
        getattr(import_module(module), name)
        for module, names in SCIKIT_LEARN.items()
        for name in names
    ]
    listed = {f"{kind.__module__}.{kind.__name__}" for kind in kinds}
    return INSIDE | {"ObjectNode": INSIDE["ObjectNode"] | listed}


# -- writing ---------------------------------------------------------------------------


def to_skops(value, where):
    """Return an estimator of scikit-learn as the bytes of a skops file."""
    skops = import_optional("skops.io", "skhmc.save", EXTRA)
    try:
        data = _with_full_names(skops.dumps(_with_plain_generators(value)))
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _check_types(json.loads(archive.read("schema.json")))
    except Exception as error:
        raise ModelFileError(
            f"{where} is {type(value).__name__} with something inside that files of "
            f"skhmc.save do not hold: {error}"
        ) from error
    return data


def _with_plain_generators(value):
    """Return an estimator whose generators are dicts of their state.

    skops would make them of whatever numpy.random has, with sizes that a file says.
    """
    states = {
        name: {GENERATOR: part.bit_generator.state}
        for name, part in vars(value).items()
        if isinstance(part, np.random.Generator)
    }
    if states:
        value = copy(value)
        vars(value).update(states)
    return value


def _with_full_names(data):
    """Return a file of skops in which losses are named by where they are.

    scikit-learn before 1.9 says that their module is ``_loss``, which nothing finds.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    short, full = b'"__module__": "_loss"', b'"__module__": "sklearn._loss._loss"'
    if short not in files["schema.json"]:
        return data
    files["schema.json"] = files["schema.json"].replace(short, full)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


# -- reading ---------------------------------------------------------------------------


def from_skops(data):
    """Return what a skops file holds, if its types are of the list and its sizes true.

    Parameters
    ----------
    data : bytes
    """
    skops = import_optional("skops.io", "skhmc.load", EXTRA)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        _check_archive(archive, len(data))
        schema = parse_json(archive.read("schema.json"), "the schema of skops")
        named = _check_types(schema)
    value = skops.loads(data, trusted=sorted(named))
    if not is_listed(value):
        raise ModelFileError(f"Got {type(value).__name__} in a part written by skops.")
    _check_trees(value, set())
    _make_generators(value)
    return value


def _make_generators(value):
    """Turn dicts of the state of a generator into generators again."""
    for name, part in vars(value).items():
        if isinstance(part, dict) and part.keys() == {GENERATOR}:
            state = part[GENERATOR]
            if state["bit_generator"] not in BIT_GENERATORS:
                raise ModelFileError(f"A bit generator {state['bit_generator']!r}.")
            bits = getattr(np.random, state["bit_generator"])()
            bits.state = state
            vars(value)[name] = np.random.Generator(bits)


def _check_archive(archive, n_bytes):
    """Raise where the files inside say that they are larger than the archive."""
    infos = archive.infolist()
    if len({info.filename for info in infos}) < len(infos):
        raise ModelFileError("A part written by skops has a file twice.")
    if sum(info.file_size for info in infos) > n_bytes:
        raise ModelFileError(
            "A part written by skops says that it is larger than the file it is in."
        )
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED:
            raise ModelFileError("A part written by skops is compressed.")
        if info.filename == "schema.json":
            continue
        if not info.filename.endswith(".npy"):
            raise ModelFileError(f"A part written by skops has {info.filename!r}.")
        _check_array(archive.read(info))


def _check_array(content):
    """Raise where a file of numpy says that it is larger than it is, or no array."""
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    size = dtype.itemsize
    for n in shape:
        size *= n  # of Python, which does not overflow
    if dtype.hasobject or min(shape, default=0) < 0:
        raise ModelFileError(f"A part written by skops has an array of {dtype}.")
    if size != len(content) - stream.tell():
        raise ModelFileError(
            f"A part written by skops has an array of shape {shape} and {dtype} in "
            f"{len(content)} bytes."
        )


def _check_types(schema):
    """Return the types of all nodes, which are in the list."""
    allowed = _allowed()
    named = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, dict):
            waiting.extend(node.values())
            if "__loader__" in node:
                name = f"{node.get('__module__')}.{node.get('__class__')}"
                kind = node["__loader__"]
                # a node that stands for one before is looked at where that is
                if kind not in allowed or not (
                    name in allowed[kind] or kind == "CachedNode"
                ):
                    raise ModelFileError(
                        f"{name} as {kind} is not in the list of types of "
                        f"scikit-learn that files of skhmc.save hold."
                    )
                named.add(name)
    return named


# -- trees -----------------------------------------------------------------------------


def _check_trees(value, seen, n_features=None):
    """Raise where a tree inside points to a node or a feature that is not there.

    Parameters
    ----------
    value : object
    seen : set of tuple
        What was looked at: its id, and where it was.
    n_features : int or None
        That of the estimator around it, which checks the width of X.
    """
    if (id(value), n_features) in seen:
        return
    seen.add((id(value), n_features))
    kind = type(value).__name__
    if kind == "Tree":
        _check_tree(value, n_features)
    if kind == "TreePredictor":
        _check_predictor(value, n_features)
    if hasattr(value, "__dict__"):
        n_features = vars(value).get("n_features_in_", n_features)
        if type(n_features) not in (int, type(None)):
            raise ModelFileError(f"Got n_features_in_={n_features!r:.100}.")
    for part in _parts_of(value):
        _check_trees(part, seen, n_features)


def _parts_of(value):
    """Return what is inside a list, an array of objects, a dict or an object."""
    if isinstance(value, np.ndarray):
        return value.ravel().tolist() if value.dtype == object else []
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple, set)):
        return value
    return vars(value).values() if hasattr(value, "__dict__") else []


def _check_tree(tree, n_features):
    """Raise for a tree that scikit-learn would walk out of."""
    nodes = tree.children_left, tree.children_right, tree.feature
    _check_nodes(*nodes, tree.children_left == -1, n_features)
    leaves = (tree.children_right == -1) == (tree.children_left == -1)
    if tree.n_features != n_features or not leaves.all():
        raise ModelFileError(NOWHERE)


def _check_predictor(predictor, n_features):
    """Raise for a tree of HistGradientBoosting that scikit-learn would walk out of."""
    nodes = predictor.nodes
    if nodes["is_categorical"].any():  # which would point to sets of categories
        raise ModelFileError("A tree of scikit-learn with categories.")
    columns = (nodes[name].astype(np.int64) for name in ("left", "right"))
    _check_nodes(*columns, nodes["feature_idx"], nodes["is_leaf"] != 0, n_features)


def _check_nodes(left, right, feature, is_leaf, n_features):
    if n_features is None or not len(left):
        raise ModelFileError(NOWHERE)
    wrong = (feature < 0) | (feature >= n_features)
    for child in (left, right):  # behind its parent, so that a walk ends
        wrong |= (child <= np.arange(len(left))) | (child >= len(left))
    if (wrong & ~is_leaf).any():
        raise ModelFileError(NOWHERE)
