"""Lines of text files from strangers: plain or gzip, read one by one, bounded."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from typing import IO, Any, cast

__all__ = ["MAX_BYTES", "numbered_lines", "shortened"]

MAX_BYTES = 2**30  # of text, unpacked
MAX_LINE = 2**20  # bytes of one line
MAX_SHOWN = 60  # characters of a line that a message shows


def numbered_lines(
    path: str | os.PathLike[str], max_bytes: int = MAX_BYTES
) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of the lines of a file, without line ends.

    Gzip is told by the first bytes, not by the file's name. A line is UTF-8, or else
    Latin-1. No more than one line is held, so that a small file that unpacks to a huge
    one costs no memory.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_bytes : int, default=2**30
        How much text, unpacked, is read at most.

    Raises
    ------
    ValueError
        When the gzip data are damaged, the text is longer than ``max_bytes``, a line is
        longer than a MiB, or the file is no text.
    """
    with ExitStack() as files:
        file: Any = files.enter_context(open(path, "rb"))
        if file.peek(2)[:2] == b"\x1f\x8b":
            file = files.enter_context(gzip.open(cast("IO[bytes]", file)))
        n_bytes = 0
        number = 0
        while line := _next_line(file, path, number + 1):
            number += 1
            n_bytes += len(line)
            if n_bytes > max_bytes:
                raise ValueError(
                    f"{path}: got more than {max_bytes} bytes of text, the limit "
                    f"against files that unpack without end. Raise max_bytes if the "
                    f"file is meant to be this long."
                )
            yield number, _decode(line, number).rstrip("\r\n")


def _next_line(file: Any, path: str | os.PathLike[str], number: int) -> bytes:
    try:
        line = file.readline(MAX_LINE + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(
            f"{path}: got damaged or truncated gzip data ({error}), expected a whole "
            f"gzip file. Copy or download the file again."
        ) from error
    if len(line) > MAX_LINE:
        raise ValueError(
            f"{path}, line {number}: got a line of more than {MAX_LINE} bytes, "
            f"expected a text file of lines."
        )
    if b"\0" in line:
        raise ValueError(
            f"{path}, line {number}: got a zero byte, expected text in UTF-8. Save a "
            f"file in UTF-16 as UTF-8; unpack archives other than gzip."
        )
    return line


def _decode(line: bytes, number: int) -> str:
    encoding = "utf-8-sig" if number == 1 else "utf-8"  # a mark may open the file
    try:
        return line.decode(encoding)
    except UnicodeDecodeError:
        return line.decode("latin-1")


def shortened(text: str) -> str:
    """Return the text for a message, the end of a long one left out."""
    return repr(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "...")
