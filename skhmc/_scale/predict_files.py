"""Predictions of very many rows, from files into files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sklearn.utils import Bunch
from tqdm import tqdm

from skhmc._scale.answers import Asked
from skhmc._scale.digest import estimator_digest
from skhmc._scale.inputs import cut, find_files
from skhmc._scale.rows import read_layout
from skhmc._scale.run import LOCK, Run, digest_of
from skhmc._scale.workers import find_client, predict_here, predict_on
from skhmc._scale.writing import FORMATS
from skhmc._utils.messages import name_list

__all__ = ["predict_files"]

# of a block: for fewer, all weights are read again, and for more nothing is gained
MIN_ROWS, MAX_ROWS = 64, 8192
CELLS = 2**23  # numbers of a block, of its rows or of its probabilities
TRIED = 4  # parts whose first rows are tried before
AMONG = ("all", "leaves")
SHOWN = 3  # parts that failed, in a message


def predict_files(
    estimator: Any,
    paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    out: str | os.PathLike[str],
    *,
    k: int | None = None,
    min_proba: float | None = None,
    among: str = "all",
    columns: str | Sequence[str] | None = None,
    id_column: str | None = None,
    format: str = "parquet",
    rows_per_part: int = 100_000,
    rows_per_block: int | None = None,
    client: Any = None,
    worker_timeout: float = 60.0,
    verbose: bool = True,
) -> Bunch:
    """Predict the labels of all rows of some files, and write them into a folder.

    The rows are predicted part by part. Call it again with the same arguments after it
    was interrupted or killed: it goes on with the parts that are missing. Every row is
    in the answers once, or once in the list of rows that the estimator does not take.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier with ``predict_proba``, or a Pipeline or search with one.
    paths : path-like or list of path-like
        Parquet files, or folders with Parquet files. Folders named ``name=value`` are
        columns. Or ``.npy`` files of shape (n_samples, n_features), or ``.npz`` files
        of ``scipy.sparse.save_npz`` with a CSR matrix.
    out : path-like
        Folder to write to: a new one, an empty one, or that of the call that goes on.
    k : int, default=None
        Number of labels of a row, the most probable ones. None is no limit.
    min_proba : float, default=None
        Smallest probability of a label. None, without ``k``, writes the labels of
        ``predict``, with any probability.
    among : {"all", "leaves"}, default="all"
        Labels to choose from: all labels, or those without children.
    columns : str or list of str, default=None
        Columns of Parquet files that the estimator gets, in its order. None is those
        that it was fitted with, by name, or all but ``id_column``. One name, not in a
        list, is a column of texts, which it gets as such, or a column of lists of
        numbers, each of which is a row of X.
    id_column : str, default=None
        Column of Parquet files that is written beside the answers.
    format : {"parquet", "csr"}, default="parquet"
        Form of the answers. "parquet" has a row for every row: ``id_column``, ``row``
        (its number in all files), ``labels`` and ``probabilities``, both of them
        lists. "csr" has probabilities in files for ``scipy.sparse.load_npz``.
    rows_per_part : int, default=100000
        Rows of a part: what is lost at most when a process is killed. Row groups of a
        Parquet file stay whole, and a part has at least one.
    rows_per_block : int, default=None
        Rows that are in memory at a time. None is about 8 million numbers, and from 64
        to 8,192 rows.
    client : distributed.Client or False, default=None
        Client of a Dask cluster, whose workers predict. They need to see the files and
        ``out`` under the same paths. None is the current client, and this process if
        there is none. False is this process.
    worker_timeout : float, default=60
        Seconds that a cluster may be without any worker before the call ends with an
        error. Where workers are jobs that wait in a queue, give more.
    verbose : bool, default=True
        Whether to show a line with the rows that are done, rows per second and the
        time that is left.

    Returns
    -------
    Bunch
        Result with the attributes:

        answers : list of Path
            Files with the answers, in the order of the rows.
        rejects : list of Path
            Files of JSON lines with ``row``, ``file``, ``row_in_file``, ``id`` and
            ``reason`` of each row that has no answer.
        label_names : list
            Names of the labels, the columns of "csr".
        n_rows, n_predicted, n_rejected : int
            Number of rows, of those with an answer, and of those without.

    Raises
    ------
    ValueError
        If ``out`` holds the answers of another estimator, of other options, or of
        files that have changed since. If files lack columns. If the estimator takes
        none of the first rows.
    FileExistsError
        If ``out`` holds something else.
    RuntimeError
        If parts failed: the disk is full, a file is damaged, workers died again and
        again. All others are done before. Or if another process writes to ``out``.

    See Also
    --------
    skhmc.on_dask : Many fits on a cluster.

    Notes
    -----
    A row has no answer if the estimator refuses it, or if a column of numbers holds
    text that is none, or a column of texts holds a number. What a column holds is
    decided by most of the rows of all files. A missing value is no reason by itself:
    the estimator is asked.

    A file of answers is written beside its place, brought to the disk and renamed, so
    that a part is done or not done. ``manifest.json`` in ``out`` says what was asked,
    and, in the end, how many rows every part has. Labels in a row are sorted by
    probability; of equally probable labels the ancestors come first.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import skhmc
    >>> X, y = [[0, 1], [1, 0], [1, 1]], ["mammal/cat", "mammal/dog", "bird"]
    >>> animals = skhmc.Hierarchy.from_paths(y)
    >>> clf = skhmc.LabelTreeClassifier(animals, C=1.0, slope=1.0, random_state=0)
    >>> clf = clf.fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path, out = Path(folder) / "X.npy", Path(folder) / "out"
    ...     np.save(path, np.array([[0.0, 1.0], [np.nan, 0.0]]))
    ...     found = skhmc.predict_files(
    ...         clf, path, out, k=2, format="csr", client=False, verbose=False
    ...     )
    ...     print(sp.load_npz(found.answers[0]).shape, found.n_rejected)
    (1, 4) 1
    """
    _check_options(k, min_proba, among, format, rows_per_part, rows_per_block)
    asked = Asked(estimator, k, min_proba, among)
    files = find_files(paths)
    names = getattr(estimator, "feature_names_in_", None)
    names = None if names is None else list(names)
    n_features = getattr(estimator, "n_features_in_", None)
    chosen = columns if columns is None or isinstance(columns, str) else list(columns)
    layout = read_layout(files, chosen, id_column, names, n_features)
    if rows_per_block is None:
        widest = max(len(asked.names), len(layout.columns), files[0].width or 1)
        rows_per_block = max(MIN_ROWS, min(MAX_ROWS, CELLS // widest))
    options = {
        "k": k,
        "min_proba": min_proba,
        "among": among,
        "columns": chosen,
        "id_column": id_column,
        "format": format,
        "rows_per_part": int(rows_per_part),
        "rows_per_block": int(rows_per_block),
    }
    parts = cut(files, rows_per_part)
    folder = Path(out).resolve()
    run = Run(folder, files, parts, layout, options, "")
    described = run.described(estimator_digest(estimator))
    run = Run(folder, files, parts, layout, options, digest_of(described))
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        run.begin(described, asked.names)
        counts = _predict_parts(run, asked, client, worker_timeout, verbose)
        totals = run.end(described, counts)
    numbers = range(len(parts))
    return Bunch(
        answers=[run.answers_path(n) for n in numbers],
        rejects=[run.rejects_path(n) for n in numbers if counts[n]["rejected"]],
        label_names=asked.names,
        n_rows=totals["rows"],
        n_predicted=totals["predicted"],
        n_rejected=totals["rejected"],
    )


def _check_options(k, min_proba, among, format, rows_per_part, rows_per_block):
    counts = {"k": k, "rows_per_part": rows_per_part, "rows_per_block": rows_per_block}
    for name, value in counts.items():
        whole = isinstance(value, Integral) and not isinstance(value, bool)
        may_be_none = value is None and name != "rows_per_part"
        if not (may_be_none or (whole and value >= 1)):
            raise ValueError(
                f"Got {name}={value!r}, expected an integer of at least 1."
            )
    number = isinstance(min_proba, Real) and not isinstance(min_proba, bool)
    if min_proba is not None and not (number and 0 <= min_proba <= 1):
        raise ValueError(
            f"Got min_proba={min_proba!r}, expected a number from 0 to 1, or None."
        )
    for name, value, allowed in (
        ("among", among, AMONG),
        ("format", format, list(FORMATS)),
    ):
        if value not in allowed:
            raise ValueError(
                f"Got {name}={value!r}, expected one of {name_list(allowed)}."
            )


@contextmanager
def _alone(folder):
    """Keep other calls away from a folder; a process that dies lets go of it."""
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise RuntimeError(
            f"Another call of predict_files writes to {str(folder)!r}. Wait for it, or "
            f"give the path of another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _predict_parts(run, asked, client, worker_timeout, verbose):
    """Predict the parts that are missing, and return the counts of all."""
    counts = {number: run.counts(number) for number in range(len(run.parts))}
    missing = [number for number, found in counts.items() if found is None]
    if missing:
        step = max(1, len(missing) // TRIED)
        run.try_some(asked, missing[::step][:TRIED])
    sizes = [part.n_rows for part in run.parts]
    done = sum(sizes) - sum(sizes[number] for number in missing)
    failed = {}
    client = find_client(client) if missing else None
    with tqdm(
        desc="predict_files",
        total=sum(sizes),
        initial=done,
        unit=" rows",
        unit_scale=True,
        disable=not verbose,
    ) as progress:
        work = run, asked, missing, progress.update
        outcomes = (
            predict_here(*work)
            if client is None
            else predict_on(client, *work, worker_timeout)
        )
        for number, outcome in outcomes:
            if isinstance(outcome, dict):
                counts[number] = outcome
            else:
                failed[number] = outcome
    if failed:
        raise _failure(run, failed)
    return [counts[number] for number in range(len(run.parts))]


def _failure(run, failed):
    """Return an error that says which parts failed, and why."""
    texts = [
        f"rows {run.parts[n].start} to {run.parts[n].start + run.parts[n].n_rows - 1} "
        f"of {run.files[run.parts[n].file].path!r}: {type(e).__name__}: {e}"
        for n, e in list(failed.items())[:SHOWN]
    ]
    error = RuntimeError(
        f"{len(failed)} of {len(run.parts)} parts failed, all others are done. "
        f"{'; '.join(texts)}. Mend that and call predict_files again with the same "
        f"arguments: it goes on with these parts."
    )
    error.__cause__ = next(iter(failed.values()))
    return error
