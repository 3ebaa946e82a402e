"""Files that are replaced whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give the path of a file to write, which then takes the place of another.

    Whenever the program or the machine stops, the old file is there, or the new one: it
    is written beside the old one, brought to the disk, renamed, and then the folder is
    brought to the disk. On an error the old file stays.

    Parameters
    ----------
    path : Path
        Where the file is to be. Nobody else may write to it at the same time.

    Yields
    ------
    Path
        Where to write it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skhmc._utils.files import replacing
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "text"
    ...     with replacing(path) as beside:
    ...         _ = beside.write_text("whole")
    ...     print(path.read_text(), len(list(Path(folder).iterdir())))
    whole 1
    """
    beside = path.with_name(f"{path.name}.part")
    try:
        yield beside
        with open(beside, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        with suppress(OSError):
            beside.unlink()
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Bring to the disk what a folder says of its files, where a system lets us."""
    with suppress(OSError):  # Windows opens no folders
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
