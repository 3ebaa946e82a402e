"""Files that are replaced whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["replacing"]


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[Path]:
    """Give the path of a file to write, which then takes the place of another.

    Whenever the program or the machine stops, the old file is there, or the new one: it
    is written beside the old one, brought to the disk, renamed, and then the folder is
    brought to the disk. On an error the old file stays.

    Parameters
    ----------
    path : Path
        Where the file is to be. Nobody else may write to it at the same time, unless
        it is ``shared``.
    shared : bool, default=False
        Whether others may write it at the same time, from other machines, too. Each
        writes beside it under a name of its own. The last one who is ready has written
        it.

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
    own = f".{uuid.uuid4().hex}" if shared else ""
    beside = path.with_name(f"{path.name}{own}.part")
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
