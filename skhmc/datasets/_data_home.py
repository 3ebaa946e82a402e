"""Where data files lie on disk."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from skhmc.datasets._clus_files import SHA256

__all__ = ["arff_name", "arff_names", "clear_data_home", "get_data_home"]


def get_data_home(data_home: str | os.PathLike[str] | None = None) -> str:
    """Return the folder where data sets are kept.

    Nothing is created; :func:`fetch_clus` creates the folder when it has a file to
    put there.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the data. By default the environment variable ``SKHMC_DATA_HOME`` or,
        where that is not set, ``skhmc_data`` in the user's home folder.

    Returns
    -------
    str
        The folder, with ``~`` expanded.

    Examples
    --------
    >>> from skhmc.datasets import get_data_home
    >>> get_data_home("some_folder")
    'some_folder'
    """
    if data_home is None:
        data_home = os.environ.get("SKHMC_DATA_HOME") or "~/skhmc_data"
    return os.path.expanduser(data_home)


def clear_data_home(data_home: str | os.PathLike[str] | None = None) -> None:
    """Delete the data files that skhmc keeps in its folder.

    In the folder's ``clus`` those files are deleted that have a name under which
    :func:`fetch_clus` would keep them, then the folders if nothing is left in them.
    Other files stay.

    Parameters
    ----------
    data_home : str or path-like, default=None
        Folder of the data. By default the environment variable ``SKHMC_DATA_HOME`` or,
        where that is not set, ``skhmc_data`` in the user's home folder.

    Examples
    --------
    >>> import tempfile
    >>> from skhmc.datasets import clear_data_home
    >>> folder = tempfile.mkdtemp()
    >>> clear_data_home(folder)
    """
    home = Path(get_data_home(data_home))
    names = [arff for name in SHA256 for arff in arff_names(name)]
    for arff in names:
        for path in (home / "clus" / arff, home / "clus" / f"{arff}.gz"):
            path.unlink(missing_ok=True)
    for folder in (home / "clus", home):
        with suppress(OSError):  # which it raises unless the folder is empty
            folder.rmdir()


def arff_name(name: str, split: str) -> str:
    """Return the name of one file of a data set, without ``.gz``."""
    return f"{name}.{split}.arff"


def arff_names(name: str) -> list[str]:
    """Return the file names of a data set, without ``.gz``."""
    return [arff_name(name, split) for split in SHA256[name]]
