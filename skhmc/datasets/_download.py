"""Download of one data file: verified, then moved into place in one step."""

from __future__ import annotations

import hashlib
import os
import uuid
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from skhmc.datasets._arff_text import read_at_most, unpack
from skhmc.datasets._clus_files import MAX_PUBLISHED

__all__ = ["download", "unpack_published"]

TIMEOUT = 30  # seconds without an answer
SUFFIXES = (".gz", "")  # what to look for, in this order


def _check_hash(text: bytes, expected: str, file: str | os.PathLike[str]) -> None:
    """Raise an OSError when the SHA-256 of ``text`` is not the expected one."""
    got = hashlib.sha256(text).hexdigest()
    if got != expected:
        raise OSError(
            f"{file} is not the published file: its ARFF text has the SHA-256 {got}, "
            f"expected {expected}"
        )


def unpack_published(
    content: bytes, file: str | os.PathLike[str], sha256: str
) -> bytes:
    """Return the ARFF text of a published file; raise an OSError when it is none.

    The hash is that of the text, which may be packed in several ways. So data is
    unpacked before it is judged, but no further than published texts go.
    """
    text = unpack(content, file, MAX_PUBLISHED)
    if len(text) > MAX_PUBLISHED:
        raise OSError(
            f"{file} is not the published file: it has more than {MAX_PUBLISHED} bytes "
            f"of text, which no published one has"
        )
    _check_hash(text, sha256, file)
    return text


def download(
    base_url: str, arff: str, folder: str | os.PathLike[str], sha256: str
) -> bytes:
    """Download a file, gzipped or plain, and return its ARFF text.

    Parameters
    ----------
    base_url : str
        Address of the folder that holds the file.
    arff : str
        Name of the file without ``.gz``.
    folder : path-like
        Folder to keep the file in; created when missing.
    sha256 : str
        Hash of the ARFF text.

    Returns
    -------
    bytes
        The ARFF text.

    Raises
    ------
    OSError
        When no address gives the file; the message has the reason for each. Nothing
        is left in the folder then.
    """
    reasons = []
    for suffix in SUFFIXES:
        url = f"{base_url.rstrip('/')}/{arff}{suffix}"
        try:
            content = _get(url)
            text = unpack_published(content, url, sha256)
            _write(Path(folder, arff + suffix), content)
            return text
        except (OSError, HTTPException, ValueError) as error:
            reasons.append(f"{url} ({_reason(error)})")
            is_absent = isinstance(error, HTTPError) and error.code == 404
            if not is_absent:  # the other suffix would fare no better
                break
    raise OSError("Could not download " + ", nor ".join(reasons))


def _get(url: str) -> bytes:
    """Return what an address holds; a broken connection is tried once more."""
    try:
        return _read(url)
    except HTTPError:
        raise  # an answer, which would be the same again
    except (OSError, HTTPException):
        return _read(url)


def _read(url: str) -> bytes:
    try:
        with urlopen(url, timeout=TIMEOUT) as response:
            length = getattr(response, "length", None)
            if length is None or length > MAX_PUBLISHED:
                return read_at_most(response, MAX_PUBLISHED + 1)
            return response.read()  # which says if the connection was cut
    except HTTPError as error:
        error.close()
        raise


def _write(path: Path, content: bytes) -> None:
    """Write beside the target and rename, so that no reader meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    text = str(error)
    # an URLError wraps what went wrong; an HTTPError, its subclass, says it itself
    if isinstance(error, URLError) and not isinstance(error, HTTPError):
        text = str(error.reason)
    return text or type(error).__name__
