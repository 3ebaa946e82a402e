"""Model files that somebody damaged or crafted, and what comes of loading them.

A damaged file has other bytes than :func:`skhmc.save` wrote. A crafted one is sealed
again after the change: its sum is right, so that only what it says can be refused.
"""

import json
import sys
import warnings
from contextlib import contextmanager

import numpy as np
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save as to_bytes

import skhmc
from skhmc._saving import _file

EQUAL, OTHER, REFUSED, WRONG = "equal", "another model", "refused", "WRONG"
HUGE = (2**31, 2**60, 2**63 - 1, 2**64, 10**30, -1)
NAMES = ("os.system", "eval", "Net", "Hierarchy", "csr_matrix", "skops", "../../x", "")
# what no loading does, by the names that Python gives to it when it is done
FORBIDDEN = ("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.remove")
FORBIDDEN += ("subprocess.Popen", "pickle.find_class", "socket.connect", "os.rename")

_seen = None  # what was done while somebody watched


def _watch(event, args):
    if _seen is None:
        return
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if event in FORBIDDEN or writes:
        _seen.append(f"{event} {args!r:.100}")


@contextmanager
def watched():
    """Yield a list of what is done inside that loading must not do."""
    global _seen
    if not getattr(watched, "installed", False):  # hooks stay for ever
        sys.addaudithook(_watch)
        watched.installed = True
    _seen = []
    try:
        yield _seen
    finally:
        _seen = None


# -- damage ----------------------------------------------------------------------------


def cut(data, rng):
    return data[: rng.randrange(len(data))]


def longer(data, rng):
    return data + rng.randbytes(rng.randint(1, 100))


def other_bytes(data, rng):
    changed = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        changed[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(changed)


def header_bytes(data, rng):
    changed = bytearray(data)
    end = 8 + int.from_bytes(data[:8], "little")
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(end)] = rng.randrange(256)
    return bytes(changed)


def header_size(data, rng):
    size = rng.choice([*HUGE[:3], 0, 1, len(data), rng.randrange(2**32)])
    return size.to_bytes(8, "little") + data[8:]


def header_fields(data, rng):
    """Change what the header says of an array."""
    header, body = _split(data)
    name = rng.choice([k for k in header if k != "__metadata__"])
    entry = header[name]
    choice = rng.randrange(5)
    if choice == 0:
        entry["shape"] = [rng.choice(HUGE)] * rng.randint(1, 3)
    elif choice == 1:
        entry["dtype"] = rng.choice(["F64", "I8", "BF16", "F8_E5M2", "C64", "", 3])
    elif choice == 2:
        entry["data_offsets"] = [rng.choice(HUGE), rng.choice(HUGE)]
    elif choice == 3:
        header[rng.choice(["../../etc/passwd", "/etc/passwd", "C:\\x", "-1"])] = entry
    else:
        header["__metadata__"] = {"skhmc": rng.choice(["", "{}", "[" * 10**5, "null"])}
    return _join(json.dumps(header), body)


def header_twice(data, rng):
    """Say something twice, in the header or in the metadata."""
    header, body = _split(data)
    name = rng.choice(list(header))
    again = json.dumps(header)[:-1] + f', "{name}": {json.dumps(header[name])}}}'
    return _join(again, body)


def header_deep(data, rng):
    _, body = _split(data)
    depth = rng.choice([1000, 10**5])
    return _join('{"a":' * depth + "1" + "}" * depth, body)


# -- sealed again ----------------------------------------------------------------------


def sealed_document(data, rng):
    """Change some nodes of the document."""
    tensors = read_tensors(data)
    document = json.loads(tensors["document"].tobytes())
    names = sorted({content["class"] for content in document["objects"]})
    for _ in range(rng.randint(1, 3)):
        _change_node(document, names, rng)
    return _seal(tensors, json.dumps(document))


def sealed_text(data, rng):
    """Make the document deep, long, repeated, or no JSON."""
    tensors = read_tensors(data)
    text = tensors["document"].tobytes().decode()
    depth = rng.choice([1000, 10**5])
    texts = [
        text.replace('"root":', '"root":' + "[" * depth + "]" * depth + ',"x":'),
        text.replace('"root":', '"root":' + '{"$":"tuple","v":[' * depth, 1),
        text[:-1] + ',"root":null}',
        text.replace("1", "9" * 5000, 1),
        text.replace(":true", ":NaN", 1)[: rng.randrange(1, len(text))],
        "null",
    ]
    return _seal(tensors, rng.choice(texts))


def sealed_array(data, rng):
    """Change the values, the dtype or the shape of an array, and what is said of it."""
    tensors = read_tensors(data)
    document = json.loads(tensors["document"].tobytes())
    name = rng.choice([k for k in tensors if k != "document"])
    array = tensors[name]
    choice = rng.randrange(4)
    if choice == 0 and array.size:
        array = array.copy()
        raw = array.reshape(-1).view(np.uint8)
        for _ in range(rng.randint(1, 8)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
    elif choice == 1:
        kinds = [np.float32, np.float64, np.int8, np.int64, np.bool_, np.uint32]
        with np.errstate(all="ignore"):
            array = array.astype(rng.choice(kinds))
    elif choice == 2:
        array = np.ascontiguousarray(array.reshape(-1)[: array.size // 2])
    else:
        array = np.zeros((0, *array.shape[1:]), array.dtype)
    if rng.random() < 0.8:
        about = document["arrays"][int(name)]
        about.update(dtype=array.dtype.name, shape=list(array.shape))
    return _seal(tensors | {name: array}, json.dumps(document))


def sealed_many(data, rng):
    """Use the largest array again and again."""
    tensors = read_tensors(data)
    document = json.loads(tensors["document"].tobytes())
    sizes = [tensors[str(k)].nbytes for k in range(len(tensors) - 1)]
    largest = int(np.argmax(sizes))
    big = np.zeros(2**18, tensors[str(largest)].dtype)
    document["arrays"][largest].update(shape=[2**18], order="C")
    nodes = [
        {"$": "array", "v": largest},
        {"$": "texts", "as": "list", "bytes": largest, "ends": largest},
        {"$": "text array", "v": largest},
    ]
    document["root"] = [rng.choice(nodes)] * 10_000
    return _seal(tensors | {str(largest): big}, json.dumps(document))


DAMAGED = (
    cut,
    longer,
    other_bytes,
    header_bytes,
    header_size,
    header_fields,
    header_twice,
    header_deep,
)
SEALED = (sealed_document, sealed_text, sealed_array, sealed_many)
KINDS = {function.__name__: function for function in DAMAGED + SEALED}


def _split(data):
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def _join(text, body):
    header = text.encode()
    return len(header).to_bytes(8, "little") + header + body


def _seal(tensors, text):
    content = np.frombuffer(text.encode(), np.uint8)
    tensors = {**tensors, "document": content}
    mark = {"format": 1, "sha256": _file._sum_of(tensors)}
    return to_bytes(tensors, metadata={"skhmc": json.dumps(mark)})


def _change_node(document, names, rng):
    """Walk to a node by chance, and change it."""
    node = document
    if not node:
        return
    key = rng.choice(list(node))
    while isinstance(node[key], dict | list) and node[key] and rng.random() < 0.93:
        node = node[key]
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
    choice = rng.randrange(6)
    if choice == 0 and isinstance(node, dict):
        del node[key]
    elif choice == 1:
        node[key] = rng.choice(NAMES)
    elif choice == 2:
        node[key] = rng.choice([*HUGE, 0, 1, 0.5])
    elif choice == 3:
        node[key] = rng.choice([None, True, [], {}, [[]] * 3, {"$": "object", "v": 0}])
    elif choice == 4:
        node[key] = rng.choice(names) if isinstance(node[key], str) else [node[key]]
    else:
        kind = rng.choice(["object", "array", "tuple"])
        node[key] = {"$": kind, "v": rng.randrange(len(names))}


# -- what comes of it ------------------------------------------------------------------


def outcome(kind, data, original, path):
    """Return what comes of loading a changed file, and a text where it is wrong.

    Parameters
    ----------
    kind : str
        How the file was changed.
    data : bytes
        What the file holds.
    original : object
        With ``estimator``, that was saved, ``X`` and its ``answer``.
    path : Path
        Where the file is written.
    """
    path.write_bytes(data)
    with watched() as done, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loaded = skhmc.load(path)
        except skhmc.ModelFileError as error:
            right = len(str(error)) > 20 and not done
            return (REFUSED, "") if right else (WRONG, f"{error} {done}")
        except BaseException as error:
            return WRONG, f"{type(error).__name__}: {error} {done}"
        answer = _asked(loaded, original.X)
    if done:
        return WRONG, f"did {done}"
    if answer is not None and np.array_equal(answer, original.answer):
        return EQUAL, ""
    if KINDS[kind] in SEALED:
        return OTHER, ""  # who seals a file can put another model in
    return WRONG, "damage was not found"


def _asked(estimator, X):
    """Return what an estimator says of X, None where it raises an error."""
    method = "predict_proba" if hasattr(estimator, "predict_proba") else "transform"
    try:
        return np.asarray(getattr(estimator, method)(X))
    except Exception:
        return None
