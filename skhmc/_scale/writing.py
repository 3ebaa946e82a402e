"""Files of answers, one for every part, and files of rows that have none.

A file is written beside its place and renamed when it is on the disk, and it says of
itself of which run and part it is and how many rows it has.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from skhmc._scale.answers import Cells
from skhmc._scale.inputs import CALLER
from skhmc._utils.files import replacing
from skhmc._utils.optional import import_optional

__all__ = ["FORMATS", "Rejects", "read_counts"]

SAID = "skhmc"  # under which a file says what it is


class ParquetAnswers:
    """Rows of ids, row numbers, and lists of labels and of probabilities.

    Parameters
    ----------
    path : Path
        Where to write.
    names : list
        Names of the labels.
    id_column : str or None
    """

    ending = ".parquet"

    def __init__(self, path, names, id_column):
        self.arrow = import_optional("pyarrow", caller=CALLER, extra="scale")
        self.parquet = import_optional("pyarrow.parquet", caller=CALLER, extra="scale")
        self.path = path
        self.names = _as_arrow(self.arrow, names)
        self.id_column = id_column
        self.writer = None

    def add(self, rows: np.ndarray, ids: Any, cells: Cells) -> None:
        """Write some rows."""
        arrow = self.arrow
        starts = arrow.array(cells.starts, arrow.int32())
        proba = arrow.array(np.asarray(cells.proba, np.float32))
        columns = {} if self.id_column is None else {self.id_column: ids}
        columns |= {
            "row": arrow.array(rows, arrow.int64()),
            "labels": arrow.ListArray.from_arrays(
                starts, self.names.take(arrow.array(cells.columns, arrow.int64()))
            ),
            "probabilities": arrow.ListArray.from_arrays(starts, proba),
        }
        table = arrow.table(columns)
        if self.writer is None:
            self.writer = self.parquet.ParquetWriter(self.path, table.schema)
        self.writer.write_table(table)

    def close(self, said: dict) -> None:
        """End the file, with what it says of itself."""
        self.writer.add_key_value_metadata({SAID: json.dumps(said)})
        self.writer.close()

    def abandon(self) -> None:
        """Close what is not to be kept."""
        if self.writer is not None:
            self.writer.close()

    @staticmethod
    def read_said(path):
        """Return what a file says of itself, and its rows."""
        parquet = import_optional("pyarrow.parquet", caller=CALLER, extra="scale")
        with parquet.ParquetFile(path) as file:
            said = json.loads(file.metadata.metadata[SAID.encode()])
            return said, file.metadata.num_rows


def _as_arrow(arrow, names):
    """Return names as they are where they are all texts or all whole numbers."""
    kinds = {type(name) for name in names}
    if kinds <= {str} or kinds <= {int}:
        return arrow.array(names)
    return arrow.array([str(name) for name in names])


class CSRAnswers:
    """A CSR matrix of probabilities (n_rows, n_labels), with row numbers and ids.

    ``scipy.sparse.load_npz`` reads it; ``numpy.load`` has the arrays ``row`` and ``id``
    beside.

    Parameters
    ----------
    path : Path
    names : list
    id_column : str or None
    """

    ending = ".npz"

    def __init__(self, path, names, id_column):
        self.path = path
        self.n_labels = len(names)
        self.id_column = id_column
        self.rows, self.ids, self.blocks = [], [], []

    def add(self, rows: np.ndarray, ids: Any, cells: Cells) -> None:
        """Keep some rows till the end."""
        shape = len(rows), self.n_labels
        data = np.asarray(cells.proba, np.float32)
        columns = cells.columns.astype(np.int32)
        block = sp.csr_matrix((data, columns, cells.starts), shape)
        block.sort_indices()
        self.rows.append(rows)
        self.blocks.append(block)
        if self.id_column is not None:
            self.ids += ids.to_pylist()

    def close(self, said: dict) -> None:
        """Write the file."""
        whole = sp.vstack(self.blocks, format="csr")
        arrays: dict[str, Any] = {
            "row": np.concatenate(self.rows),
            SAID: np.array(json.dumps(said)),
        }
        if self.id_column is not None:
            arrays["id"] = _as_plain_array(self.ids)
        with open(self.path, "wb") as file:
            np.savez_compressed(
                file,
                format=np.array(b"csr"),
                shape=np.array(whole.shape),
                data=whole.data,
                indices=whole.indices,
                indptr=whole.indptr,
                **arrays,
            )

    def abandon(self) -> None:
        """Nothing is open."""

    @staticmethod
    def read_said(path):
        """Return what a file says of itself, and its rows."""
        with np.load(path, allow_pickle=False) as arrays:
            return json.loads(arrays[SAID].item()), int(arrays["shape"][0])


def _as_plain_array(ids):
    """Return ids as numbers or texts, which can be read without pickle."""
    whole = all(isinstance(x, int) for x in ids)
    return np.array(ids, np.int64) if whole else np.array([str(x) for x in ids], str)


FORMATS: dict[str, Any] = {"parquet": ParquetAnswers, "csr": CSRAnswers}


class Rejects:
    """Lines of JSON, each of which says why a row has no answer.

    The file is there when it has a line.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.n_rows = 0
        self._stack = ExitStack()
        self._file: Any = None

    def __enter__(self) -> Rejects:
        return self

    def __exit__(self, *error: Any) -> bool | None:
        return self._stack.__exit__(*error)

    def add(self, line: dict) -> None:
        """Write a line."""
        if self._file is None:
            beside = self._stack.enter_context(replacing(self.path, shared=True))
            opened = open(beside, "w", encoding="utf-8")
            self._file = self._stack.enter_context(opened)
        self._file.write(json.dumps(line, default=str, ensure_ascii=False) + "\n")
        self.n_rows += 1


def read_counts(kind: str, path: Path, rejects: Path, run: str, number: int) -> Any:
    """Return what a part's file says of itself, or None where it is not whole.

    Parameters
    ----------
    kind : str
        Of FORMATS.
    path, rejects : Path
        Of the answers and of the rows without.
    run : str
        Digest of the run.
    number : int
        Of the part.
    """
    try:
        said, n_rows = FORMATS[kind].read_said(path)
        lines = 0
        if said["rejected"]:
            with open(rejects, "rb") as file:
                lines = sum(1 for _ in file)
    except ImportError:
        raise
    except Exception:  # it is damaged, or no file of ours
        return None
    whole = said["predicted"] == n_rows and said["rejected"] == lines
    return said if whole and (said["run"], said["part"]) == (run, number) else None
