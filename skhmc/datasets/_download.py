"""Downloads of data files through pooch: verified, then moved into place whole."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from skhmc._utils.optional import import_optional
from skhmc.datasets._arff_text import unpack
from skhmc.datasets._clus_files import MAX_PUBLISHED

__all__ = ["download"]

TIMEOUT = 30  # seconds without an answer
RETRIES = 2  # of an address whose connection breaks; pooch waits 1 s, then 2 s
READABLE = 0o644  # data for everybody, where pooch's files are for their owner alone


def download(
    mirrors: Sequence[Iterable[str]], path: str | os.PathLike[str], sha256: str
) -> bytes:
    """Download a file from the first mirror that has it, and return its ARFF text.

    The text is kept unpacked. It is verified in a temporary file of its own beside
    ``path``, which is then renamed: two downloads at once do not meet, and nobody
    reads half a file.

    Parameters
    ----------
    mirrors : sequence of iterables of str
        Addresses of the file, gzipped or plain, by mirror. Where an address answers
        that it has no such file, the next one of the mirror is asked, after any other
        failure the next mirror.
    path : path-like
        Where to keep the text. Its folder is created when missing.
    sha256 : str
        Hash of the ARFF text.

    Returns
    -------
    bytes
        The ARFF text.

    Raises
    ------
    ImportError
        When pooch is not installed.
    OSError
        When no address gives the file; the message has the reason for each. Nothing
        is left in the folder then.
    """
    path, reasons = Path(path), []
    for addresses in mirrors:
        for url in addresses:
            try:
                _keep(url, path, sha256)
                return path.read_bytes()
            except FileNotFoundError as error:
                reasons.append(f"{url} ({error})")
            except (OSError, ValueError) as error:  # of requests and of pooch, too
                reasons.append(f"{url} ({error})")
                break
    raise OSError(f"Could not download {path.name} from " + ", nor ".join(reasons))


def _keep(url: str, path: Path, sha256: str) -> None:
    """Have pooch download a file, verify it and move it into place."""
    pooch = import_optional("pooch", "fetch_clus", "fetch")
    keeper = pooch.create(
        path=path.parent,
        base_url="",
        registry={path.name: sha256},
        urls={path.name: url},
        retry_if_failed=RETRIES,
    )
    keeper.fetch(path.name, downloader=_write_text)


def _write_text(url: str, output_file: str, _: Any) -> None:
    """Write the text behind an address into a file, as pooch asks its downloaders to.

    The hash is that of the text, which may be packed in several ways. So data is
    unpacked before pooch judges it, but no further than published texts go.
    """
    if not url.startswith(("http://", "https://")):
        # not a ValueError, after which pooch would try again
        raise OSError(
            "expected an address that starts with http:// or https://; name a folder "
            "on this machine by data_home="
        )
    text = unpack(_get(url), url, MAX_PUBLISHED)
    if len(text) > MAX_PUBLISHED:
        raise ValueError(
            f"it has more than {MAX_PUBLISHED} bytes of text, which no published file "
            f"has"
        )
    Path(output_file).write_bytes(text)
    os.chmod(output_file, READABLE)


def _get(url: str) -> bytes:
    """Return what an address holds, or raise what pooch tries again after."""
    requests = import_optional("requests", "fetch_clus", "fetch")
    pooch = import_optional("pooch", "fetch_clus", "fetch")
    content = _Limited()
    try:
        pooch.HTTPDownloader(chunk_size=2**16, timeout=TIMEOUT)(url, content, None)
    except requests.HTTPError as error:
        if error.response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
            # an answer, which would be the same again
            raise FileNotFoundError(str(error)) from error
        raise
    return content.getvalue()


class _Limited(io.BytesIO):
    """Memory for no more than a published file may have."""

    def write(self, chunk: Any, /) -> int:
        if self.tell() + len(chunk) > MAX_PUBLISHED:
            raise OSError(f"it has more than {MAX_PUBLISHED} bytes")
        return super().write(chunk)
