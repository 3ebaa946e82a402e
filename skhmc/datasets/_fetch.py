"""The Clus benchmark data sets by name: from the data home, else by download."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skhmc.datasets._arff_text import parse_arff, read_at_most, unpack
from skhmc.datasets._clus_arff import bunch_of
from skhmc.datasets._clus_files import MAX_PUBLISHED, MIRRORS, SHA256, path_there
from skhmc.datasets._data_home import arff_name, arff_names, get_data_home
from skhmc.datasets._download import download

__all__ = ["fetch_clus"]

GO_ROOTS = ("GO0003674", "GO0005575", "GO0008150")  # not scored, as in publications

YEAST = (
    "genes of baker's yeast and their functions, after Vens et al. (2008). The labels "
    "are those of the {}."
)
ABOUT = {
    "FUN": YEAST.format("FunCat scheme, a tree"),
    "GO": YEAST.format("Gene Ontology, a directed acyclic graph"),
    "diatoms": "images of diatoms (microscopic algae) and their taxa, a tree.",
    "enron": "e-mails of the Enron corpus and their categories, a tree.",
    "imclef07a": "X-ray images of ImageCLEF 2007 and their anatomical codes, a tree.",
}


def fetch_clus(
    name: str,
    data_home: str | os.PathLike[str] | None = None,
    download_if_missing: bool = True,
    *,
    base_url: str | Sequence[str] | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[np.ndarray, sp.csr_matrix]:
    """Load a data set of the Clus benchmark; download it if it is missing.

    Parameters
    ----------
    name : str
        One of cellcycle_FUN, church_FUN, eisen_FUN, gasch1_FUN, pheno_FUN, seq_FUN,
        cellcycle_GO, eisen_GO, gasch1_GO, pheno_GO, seq_GO, diatoms, enron, imclef07a.
    data_home : str or path-like, default=None
        Folder of the data, see :func:`get_data_home`. Files are looked for in its
        folder ``clus`` and directly in it, as ``<name>.train.arff.gz`` or
        ``<name>.train.arff``, likewise ``valid`` and ``test``.
    download_if_missing : bool, default=True
        Whether to download missing files into ``clus``.
    base_url : str or list of str, default=None
        Addresses of folders (http or https) that hold the files under these names; the
        first that has a file gives it. By default the environment variable
        ``SKHMC_CLUS_URL``, with blanks between several, or, where that is not set, two
        mirrors of the repository named in the Notes.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` only.

    Returns
    -------
    Bunch or tuple (data, target)
        What :func:`load_clus_arff` returns for all files together, and

        train, valid, test : ndarray of int
            Row positions of the published split; ``valid`` is empty for diatoms,
            enron and imclef07a.
        eval_mask : ndarray of shape (n_labels,), bool
            False for the labels left out of published scores: the three roots of the
            Gene Ontology.
        DESCR : str
            A short description.

    Raises
    ------
    ValueError
        When ``name`` is not one of these.
    FileNotFoundError
        When a file is missing and ``download_if_missing`` is False.
    ImportError
        When a file is missing and pooch, which downloads it, is not installed (the
        extra ``fetch``).
    OSError
        When a file cannot be downloaded, or when a file's content is not the published
        one. The message has all addresses that were tried, and says where to get the
        files by hand and where to put them.

    Notes
    -----
    The SHA-256 of every file's ARFF text is compared with the one recorded in skhmc.
    A download is kept unpacked, and verified before it is moved into place in one step.
    After a broken connection an address is tried twice more, then the next one.

    All files are in the repository https://github.com/EGiunchiglia/C-HMCNN, from which
    they are downloaded. The FunCat and GO sets were first published at
    https://dtai.cs.kuleuven.be/clus/hmcdatasets/. Neither states a licence of the data.

    Published figures train on train and valid together, impute by the mean,
    standardise, and score the test rows over the labels of ``eval_mask``.

    References
    ----------
    Vens, Struyf, Schietgat, Džeroski and Blockeel, "Decision trees for hierarchical
    multi-label classification", Machine Learning, 2008.

    Examples
    --------
    >>> from skhmc.datasets import fetch_clus
    >>> genes = fetch_clus("cellcycle_FUN")  # doctest: +SKIP
    >>> genes.data.shape, genes.target.shape  # doctest: +SKIP
    ((3757, 77), (3757, 499))
    """
    if name not in SHA256:
        raise ValueError(
            f"Got the data set {name!r}, expected one of {', '.join(SHA256)}."
        )
    bases = _bases(base_url)
    home = Path(get_data_home(data_home))
    texts = []
    for split, sha256 in SHA256[name].items():
        arff = arff_name(name, split)
        paths = _find(arff, home)
        file = arff  # what messages call a downloaded one
        if paths:
            path, content = _first_verified(paths, sha256)
            file = str(path)
        elif download_if_missing:
            content = _download(name, split, home, bases)
        else:
            raise FileNotFoundError(
                f"{arff} is missing and download_if_missing=False. "
                f"{_by_hand(name, home)}"
            )
        texts.append(parse_arff(content, file))
    bunch = _with_split(bunch_of(texts), name)
    return (bunch.data, bunch.target) if return_X_y else bunch


def _find(arff: str, home: Path) -> list[Path]:
    """Return the paths of a file in the data home, the preferred one first."""
    folders = (home / "clus", home)
    paths = [folder / f"{arff}{end}" for folder in folders for end in (".gz", "")]
    return [path for path in paths if path.is_file()]


def _first_verified(paths: list[Path], sha256: str) -> tuple[Path, bytes]:
    """Return the first path with the right content, and it; else say what is wrong."""
    errors = []
    for path in paths:
        try:
            return path, _read_verified(path, sha256)
        except OSError as error:  # another copy may be good
            errors.append(error)
    raise errors[0]


def _read_verified(path: Path, sha256: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = read_at_most(file, MAX_PUBLISHED + 1)
        text = unpack(content, path, MAX_PUBLISHED)
        _check_published(text, path, sha256)
        return text
    except (OSError, ValueError) as error:
        raise OSError(
            f"{str(error).rstrip('.')}. Delete the file to have it downloaded, or put "
            f"the right one in its place; load_clus_arff reads changed files."
        ) from error


def _check_published(text: bytes, path: Path, sha256: str) -> None:
    """Raise an OSError when a text is not the one with this hash."""
    if len(text) > MAX_PUBLISHED:
        raise OSError(
            f"{path} is not the published file: it has more than {MAX_PUBLISHED} bytes "
            f"of text, which no published one has"
        )
    got = hashlib.sha256(text).hexdigest()
    if got != sha256:
        raise OSError(
            f"{path} is not the published file: its ARFF text has the SHA-256 {got}, "
            f"expected {sha256}"
        )


def _bases(base_url: str | Sequence[str] | None) -> list[str]:
    """Return the addresses that a user names; none means the mirrors of skhmc."""
    if base_url is None:
        return os.environ.get("SKHMC_CLUS_URL", "").split()
    return [base_url] if isinstance(base_url, str) else list(base_url)


def _download(name: str, split: str, home: Path, bases: list[str]) -> bytes:
    arff = arff_name(name, split)
    mirrors = [[f"{base}/{path_there(name, split)}"] for base in MIRRORS]
    if bases:
        named = [f"{base.rstrip('/')}/{arff}" for base in bases]
        mirrors = [[f"{address}.gz", address] for address in named]
    try:
        return download(mirrors, home / "clus" / arff, SHA256[name][split])
    except (ImportError, OSError) as error:
        message = f"{str(error).rstrip('.')}. {_by_hand(name, home)}"
        raise type(error)(message) from error


def _by_hand(name: str, home: Path) -> str:
    """Say how to get the files of a data set without a download."""
    there = " ".join(
        f"{MIRRORS[0]}/{path_there(name, split)}" for split in SHA256[name]
    )
    files = ", ".join(arff_names(name))
    return (
        f"Get the files by hand from {there} and put them into {home / 'clus'} as "
        f"{files} (or gzipped, with .gz behind); or name mirrors with base_url= or "
        f"SKHMC_CLUS_URL."
    )


def _with_split(bunch: Bunch, name: str) -> Bunch:
    """Add the published split, the scored labels and a description."""
    rows = {split: np.arange(0) for split in ("train", "valid", "test")}
    for split, part in zip(SHA256[name], bunch.file_rows, strict=True):
        rows[split] = np.arange(part.start, part.stop)
    bunch.update(rows, eval_mask=~np.isin(bunch.label_names, GO_ROOTS))
    bunch.DESCR = _describe(bunch, name)
    return bunch


def _describe(bunch: Bunch, name: str) -> str:
    about = ABOUT[name if name in ABOUT else name.rpartition("_")[2]]
    sizes = ", ".join(f"{len(bunch[split])} {split}" for split in SHA256[name])
    shape = "tree" if bunch.hierarchy.is_tree else "directed acyclic graph"
    levels = len(bunch.hierarchy.levels)
    return (
        f"{name}, a data set of the Clus benchmark: {about}\n\n"
        f"Rows: {sizes}. Features: {bunch.data.shape[1]}. Labels: "
        f"{bunch.target.shape[1]}, a {shape} of {levels} levels. "
        f"Missing feature values are NaN.\n"
    )
