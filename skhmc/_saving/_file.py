"""The file: arrays and a document, written as a whole or not at all, read with care."""

import hashlib
import json
import os
import secrets
from contextlib import suppress
from math import prod

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as read_tensors
from safetensors.numpy import save_file as write_tensors

__all__ = ["FORMAT", "ModelFileError", "parse_json", "read_file", "write_file"]

FORMAT = 1  # of files that are written; lower ones are read
MAX_HEADER = 100_000_000  # bytes, as safetensors has it
DOCUMENT = "document"
MARK = "skhmc"  # the key of the metadata
# dtypes of arrays, as numpy and as safetensors name them
DTYPES = {
    "bool": "BOOL",
    "uint8": "U8",
    "uint16": "U16",
    "uint32": "U32",
    "uint64": "U64",
    "int8": "I8",
    "int16": "I16",
    "int32": "I32",
    "int64": "I64",
    "float16": "F16",
    "float32": "F32",
    "float64": "F64",
}


class ModelFileError(ValueError):
    """What :func:`skhmc.save` cannot write, or a file that :func:`skhmc.load` refuses.

    Examples
    --------
    >>> import skhmc
    >>> skhmc.save(max, "model.skhmc")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    skhmc.ModelFileError: Got builtin_function_or_method, expected an estimator ...
    """

    __module__ = "skhmc"


# -- writing ---------------------------------------------------------------------------


def write_file(path, document, arrays):
    """Write a document and arrays, so that the path has all of them or what it had.

    Parameters
    ----------
    path : str or path-like
    document : dict
        What JSON can say.
    arrays : list of ndarray
        In C order, of the dtypes of ``DTYPES``.
    """
    text = json.dumps(document, allow_nan=False, separators=(",", ":"))
    tensors = {DOCUMENT: np.frombuffer(text.encode("ascii"), np.uint8)}
    tensors |= {str(k): array for k, array in enumerate(arrays)}
    mark = json.dumps({"format": FORMAT, "sha256": _sum_of(tensors)})
    target = _target(path)
    folder, name = os.path.split(target)
    # a short name: with the whole of a long one it would be too long
    beside = os.path.join(folder, f".{name[:32]}.{secrets.token_hex(8)}.part")
    try:
        # The system gives a new file the rights that the user wants. To ask for these
        # would change them for a moment, in all threads.
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        rights = os.stat(target if os.path.exists(target) else beside).st_mode & 0o777
        write_tensors(tensors, beside, metadata={MARK: mark})
        _check_written(beside, tensors)
        os.chmod(beside, rights)
        _flush(beside)
        os.replace(beside, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(beside)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened
        _flush(folder)


def _target(path):
    """Return the file to write, of a link the one that it leads to."""
    text = os.fsdecode(path)
    if os.path.isdir(text) or not os.path.basename(text):
        raise IsADirectoryError(
            f"Got {text!r}, which is a folder or no name of a file. Expected the path "
            f"of a file, such as {os.path.join(text, 'model.skhmc')!r}."
        )
    target = os.path.realpath(text)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"There is no folder {folder!r} for {text!r}: make it.")
    return target


def _check_written(name, tensors):
    """Raise where a file does not hold what was written into it."""
    with open(name, "rb") as file:
        found = read_tensors(file.read())
    for key, tensor in tensors.items():
        if key not in found or not _same_bytes(found[key], tensor):
            raise OSError(
                f"The file that was written beside the model's does not hold what was "
                f"written: array {key} differs. The model's file is as it was. Look "
                f"at the disk."
            )


def _same_bytes(one, other):
    same = one.dtype == other.dtype and one.shape == other.shape
    return same and np.array_equal(_bytes_of(one), _bytes_of(other))


def _bytes_of(array):
    """Return the bytes of an array in C order, without a copy."""
    return array.reshape(-1).view(np.uint8)


def _sum_of(tensors):
    """Return the SHA-256 of tensors, of their names, dtypes and shapes."""
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}\n".encode())
        digest.update(_bytes_of(tensor))
    return digest.hexdigest()


def _flush(path):
    """Have the system write a file, or a folder, to the disk."""
    handle = os.open(path, os.O_RDONLY if os.path.isdir(path) else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# -- reading ---------------------------------------------------------------------------


def read_file(path):
    """Return the document and the arrays of a file, a dict and a list of ndarray.

    Raises
    ------
    ModelFileError
        When it is no file of :func:`write_file`, is damaged, or of a later format.
    """
    path = os.fsdecode(path)  # no number, which open would take for an open file
    with open(path, "rb") as file:
        data = file.read()
    header = _read_header(data, path)
    mark = _read_mark(header.pop("__metadata__", None), path)
    _check_header(header, len(data), path)
    try:
        tensors = read_tensors(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelFileError(
            f"{path!r} is damaged: safetensors says {error}."
        ) from error
    if _sum_of(tensors) != mark["sha256"]:
        raise ModelFileError(
            f"{path!r} is damaged: its content does not have the SHA-256 "
            f"that stands in it. Take another copy of the file."
        )
    document = parse_json(tensors.pop(DOCUMENT).tobytes(), "the document")
    arrays = [tensors[str(k)] for k in range(len(tensors))]
    return document, arrays


def _read_header(data, path):
    """Return the header, a dict, of which nothing but the form is known."""
    if len(data) < 16:
        raise ModelFileError(
            f"{path!r} has {len(data)} bytes, too few for a file of skhmc.save. It is "
            f"another file, or was cut off."
        )
    size = int.from_bytes(data[:8], "little")
    if size > min(MAX_HEADER, len(data) - 8):
        raise ModelFileError(
            f"{path!r} says that its header has {size} bytes, in a file of {len(data)} "
            f"bytes. It is another file than one of skhmc.save, or was cut off."
        )
    header = parse_json(data[8 : 8 + size], f"the header of {path!r}")
    if not isinstance(header, dict):
        raise ModelFileError(f"The header of {path!r} is no object of JSON.")
    return header


def _read_mark(metadata, path):
    """Return what a file says of itself."""
    if not isinstance(metadata, dict) or metadata.keys() != {MARK}:
        raise ModelFileError(
            f"{path!r} is a file of safetensors, but not one of skhmc.save: its "
            f"metadata should have the key {MARK!r} and no other."
        )
    if not isinstance(metadata[MARK], str):
        raise ModelFileError(f"The metadata of {path!r} are no text.")
    mark = parse_json(metadata[MARK].encode(), f"the metadata of {path!r}")
    number = mark.get("format") if isinstance(mark, dict) else None
    if type(number) is not int or number < 1:
        raise ModelFileError(f"{path!r} does not say which format it has.")
    if number > FORMAT:
        raise ModelFileError(
            f"{path!r} has format {number}; this version of skhmc reads formats up to "
            f"{FORMAT}. Load it with the version of skhmc that wrote it, or a newer "
            f"one."
        )
    if mark.keys() != {"format", "sha256"}:
        raise ModelFileError(f"{path!r} says of itself {sorted(mark)}.")
    return mark


def _check_header(header, n_bytes, path):
    """Raise where arrays have a form that no file of ours has, before any is made."""
    expected = {DOCUMENT, *(str(k) for k in range(len(header) - 1))}
    if header.keys() != expected:
        wrong = sorted(header.keys() ^ expected)[:3]
        raise ModelFileError(
            f"{path!r} should have {DOCUMENT!r} and arrays with the numbers from 0; "
            f"missing or too many are {wrong}."
        )
    for name, entry in header.items():
        fields = isinstance(entry, dict) and entry.keys()
        if fields != {"dtype", "shape", "data_offsets"}:
            raise ModelFileError(f"Array {name} of {path!r} is not described rightly.")
        shape = entry["shape"]
        right = isinstance(shape, list) and all(type(n) is int for n in shape)
        if not right or any(n < 0 for n in shape) or prod(shape) > n_bytes:
            raise ModelFileError(
                f"Array {name} of {path!r} has the shape {shape!r:.100}, more than "
                f"its {n_bytes} bytes can hold."
            )
        if entry["dtype"] not in DTYPES.values():
            raise ModelFileError(
                f"Array {name} of {path!r} has the dtype {entry['dtype']!r:.100}, "
                f"expected one of {sorted(DTYPES.values())}."
            )
    document = header[DOCUMENT]
    if document["dtype"] != "U8" or len(document["shape"]) != 1:
        raise ModelFileError(f"The document of {path!r} is no text.")


def parse_json(data, what):
    """Return what JSON says; no key stands twice, and Python limits the depth.

    Parameters
    ----------
    data : bytes
        In UTF-8.
    what : str
        Named in messages.
    """
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_without_repeats,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{what} is no JSON: {error}.") from error


def _without_repeats(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _no_number(name):
    raise ValueError(f"{name} is no number of JSON")
