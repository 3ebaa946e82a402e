"""Download of one data file: verified, then moved into place in one step."""

import hashlib
import os
import uuid
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from skhmc.datasets._arff_text import unpack

__all__ = ["check_hash", "download"]

TIMEOUT = 30  # seconds without an answer
SUFFIXES = (".gz", "")  # what to look for, in this order


def check_hash(text, expected, file):
    """Raise an OSError when the SHA-256 of ``text`` is not the expected one."""
    got = hashlib.sha256(text).hexdigest()
    if got != expected:
        raise OSError(
            f"{file} is not the published file: its ARFF text has the SHA-256 {got}, "
            f"expected {expected}"
        )


def download(base_url, arff, folder, sha256):
    """Download a file, gzipped or plain, and return its ARFF text.

    Parameters
    ----------
    base_url : str
        Address of the folder that holds the file.
    arff : str
        Name of the file without ``.gz``.
    folder : path-like
        Where to keep the file; created when missing.
    sha256 : str
        Hash of the ARFF text.

    Returns
    -------
    bytes

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
            text = unpack(content, url)
            check_hash(text, sha256, url)
            _write(Path(folder, arff + suffix), content)
            return text
        except (OSError, HTTPException, ValueError) as error:
            reasons.append(f"{url} ({_reason(error)})")
            if not (isinstance(error, HTTPError) and error.code == 404):
                break
    raise OSError("Could not download " + ", nor ".join(reasons))


def _get(url):
    """Return what an address holds; a broken connection is tried once more."""
    for is_last in (False, True):
        try:
            with urlopen(url, timeout=TIMEOUT) as response:
                return response.read()
        except HTTPError as error:
            error.close()
            raise
        except (OSError, HTTPException):
            if is_last:
                raise


def _write(path, content):
    """Write beside the target and rename, so that no reader meets half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        part.write_bytes(content)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _reason(error):
    is_wrapper = isinstance(error, URLError) and not isinstance(error, HTTPError)
    return str(error.reason if is_wrapper else error) or type(error).__name__
