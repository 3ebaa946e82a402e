"""Files of samples: which there are, how many rows they have, and blocks of these rows.

Parquet files hold named columns, ``.npy`` files an array that is mapped and not read
whole, ``.npz`` files a CSR matrix as ``scipy.sparse.save_npz`` writes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import scipy.sparse as sp

from skhmc._utils.messages import name_list
from skhmc._utils.optional import import_optional

__all__ = ["CALLER", "Part", "SampleFile", "cut", "find_files", "read_blocks"]

CALLER = "predict_files"
ENDINGS = {".parquet": "parquet", ".npy": "npy", ".npz": "npz"}
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"  # of a partition whose column is missing
BUFFER = 2**20  # bytes of a column that are read at a time


@dataclass(frozen=True)
class SampleFile:
    """What is known of a file before its rows are read."""

    path: str
    kind: str
    n_rows: int
    groups: tuple[int, ...]  # rows of every piece that can be read by itself
    columns: dict[str, str]  # types by name; empty for arrays
    width: int | None  # columns of an array
    partition: dict[str, str | int | None]  # columns that the path says
    size: int
    modified: int

    def described(self) -> dict[str, Any]:
        """Return what has to be the same when a run goes on."""
        return asdict(self) | {"groups": list(self.groups)}


@dataclass(frozen=True)
class Part:
    """Rows of one file that are predicted together, whole groups of them."""

    file: int  # its number
    first: int  # group
    stop: int  # group
    start: int  # row of the file
    row: int  # row of all files
    n_rows: int


# -- which files there are -------------------------------------------------------------


def find_files(paths: Any) -> list[SampleFile]:
    """Return the files at some paths: files, or folders of Parquet files.

    Parameters
    ----------
    paths : path-like or list of path-like

    Raises
    ------
    FileNotFoundError
        Where there is none.
    ValueError
        Where a file cannot be read, or files are of several kinds.
    """
    given = [paths] if isinstance(paths, (str, os.PathLike)) else list(paths)
    found: list[SampleFile] = []
    for path in map(Path, given):
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*.parquet") if not _is_hidden(p))
            found += [_describe(p, _partition_of(p.relative_to(path))) for p in inside]
        elif path.is_file():
            found.append(_describe(path, {}))
        else:
            raise FileNotFoundError(
                f"There is no file or folder {str(path)!r}. Look at paths=."
            )
    if not found:
        raise FileNotFoundError(
            f"There is no Parquet file in {name_list(map(str, given))}. Look at paths=."
        )
    kinds = sorted({file.kind for file in found})
    if len(kinds) > 1:
        raise ValueError(
            f"Got files of several kinds, {name_list(kinds)}, expected one. Predict "
            f"them one after the other, into a folder each."
        )
    return _with_numbers(found)


def _is_hidden(path):
    return path.name.startswith((".", "_"))


def _partition_of(path):
    """Return the columns that folders named ``name=value`` stand for."""
    pairs = [folder.split("=", 1) for folder in path.parts[:-1] if "=" in folder]
    values = {unquote(name): unquote(value) for name, value in pairs}
    return {n: None if value == NO_VALUE else value for n, value in values.items()}


def _with_numbers(files):
    """Make numbers of partition columns that hold nothing else."""
    names = {name for file in files for name in file.partition}
    for name in names:
        values = [f.partition[name] for f in files if f.partition.get(name) is not None]
        if all(v.removeprefix("-").isdecimal() for v in values):
            for file in files:
                if file.partition.get(name) is not None:
                    file.partition[name] = int(file.partition[name])
    return files


def _describe(path, partition):
    kind = ENDINGS.get(path.suffix)
    if kind is None:
        raise ValueError(
            f"Got {str(path)!r}, expected a file that ends in {name_list(ENDINGS)}, or "
            f"a folder of Parquet files."
        )
    try:
        groups, columns, width = _READERS[kind](path)
    except ImportError:
        raise
    except Exception as error:
        raise ValueError(
            f"{str(path)!r} cannot be read ({error}). Leave it out, or write it again."
        ) from error
    stat = path.stat()
    return SampleFile(
        path=str(path.resolve()),
        kind=kind,
        n_rows=sum(groups),
        groups=tuple(groups),
        columns=columns,
        width=width,
        partition=partition,
        size=stat.st_size,
        modified=stat.st_mtime_ns,
    )


def _describe_parquet(path):
    parquet = import_optional("pyarrow.parquet", caller=CALLER, extra="scale")
    with parquet.ParquetFile(path) as file:
        meta = file.metadata
        groups = [meta.row_group(k).num_rows for k in range(meta.num_row_groups)]
        columns = {field.name: str(field.type) for field in file.schema_arrow}
    return groups, columns, None


def _describe_npy(path):
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ValueError(
            f"expected numbers of shape (n_samples, n_features), got {array.shape} of "
            f"{array.dtype}"
        )
    return [len(array)], {}, array.shape[1]


def _describe_npz(path):
    with np.load(path, allow_pickle=False) as arrays:
        if "format" not in arrays or arrays["format"].item() != b"csr":
            raise ValueError("expected a CSR matrix of scipy.sparse.save_npz")
        n_rows, width = arrays["shape"].tolist()
    return [n_rows], {}, width


_READERS = {
    "parquet": _describe_parquet,
    "npy": _describe_npy,
    "npz": _describe_npz,
}


# -- parts of them ---------------------------------------------------------------------


def cut(files: list[SampleFile], rows_per_part: int) -> list[Part]:
    """Cut files into parts of about so many rows; every row is in one of them.

    Groups of rows of a Parquet file stay whole, however many rows they have.
    """
    parts: list[Part] = []
    row = 0
    for number, file in enumerate(files):
        groups = _groups(file, rows_per_part)
        start = first = 0
        n_rows = 0
        for k, n in enumerate(groups):
            n_rows += n
            if n_rows >= rows_per_part or k == len(groups) - 1:
                if n_rows:
                    place = (number, first, k + 1, start, row + start, n_rows)
                    parts.append(Part(*place))
                start, first, n_rows = start + n_rows, k + 1, 0
        row += file.n_rows
    return parts


def _groups(file, rows_per_part):
    """Return the rows of groups; an array is cut wherever it is."""
    if file.kind == "parquet":
        return file.groups
    whole, rest = divmod(file.n_rows, rows_per_part)
    return [rows_per_part] * whole + [rest] * (rest > 0)


def read_blocks(
    file: SampleFile, part: Part, rows_per_block: int, columns: list[str]
) -> Iterator[Any]:
    """Yield the rows of a part, some at a time.

    Parameters
    ----------
    file : SampleFile
    part : Part
    rows_per_block : int
        Rows of a block at most.
    columns : list of str
        Names of the columns that are read, of a Parquet file. Those that the path says
        are among them.

    Yields
    ------
    pyarrow.Table, ndarray or csr_matrix
    """
    if file.kind == "parquet":
        yield from _read_parquet(file, part, rows_per_block, columns)
        return
    stop = part.start + part.n_rows
    for start in range(part.start, stop, rows_per_block):
        rows = slice(start, min(start + rows_per_block, stop))
        if file.kind == "npy":
            array = np.load(file.path, mmap_mode="r", allow_pickle=False)
            yield np.array(array[rows], order="C")
        else:
            yield _read_csr(file.path, file.modified)[rows]


@lru_cache(maxsize=1)
def _read_csr(path, modified):
    return sp.csr_matrix(sp.load_npz(path))


def _read_parquet(file, part, rows_per_block, columns):
    arrow = import_optional("pyarrow", caller=CALLER, extra="scale")
    parquet = import_optional("pyarrow.parquet", caller=CALLER, extra="scale")
    inside = [name for name in columns if name not in file.partition]
    with parquet.ParquetFile(file.path, buffer_size=BUFFER, pre_buffer=False) as opened:
        batches = opened.iter_batches(
            batch_size=rows_per_block,
            row_groups=list(range(part.first, part.stop)),
            columns=inside,
            use_threads=False,
        )
        for batch in batches:
            table = arrow.Table.from_batches([batch])
            for name in columns:
                if name in file.partition:
                    value = arrow.scalar(file.partition[name])
                    table = table.append_column(
                        name, arrow.repeat(value, batch.num_rows)
                    )
            yield table.select(columns)
