"""Arrays cut into batches.

skorch's DataLoader collates sample by sample, which costs more than a small network;
here a batch is one slice of every array.
"""

import itertools
from copy import copy
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from skhmc._data.X import FileRows
from skhmc.nn.sparse import map_parts, sparse_rows

__all__ = ["Batches", "SliceDataset"]


CPU = torch.device("cpu")
FILLED = 8  # times its entries a CSR matrix may be with rows filled up


class _Rows(NamedTuple):
    """Rows of a batch, for arrays on the CPU and for those on the dataset's device."""

    here: slice | torch.Tensor
    there: slice | torch.Tensor

    @property
    def n(self):
        """How many there are."""
        if isinstance(self.here, slice):
            return self.here.stop - self.here.start
        return len(self.here)

    def part(self, start, stop):
        """Return those from one position among them to another."""
        return _Rows(*(_part(rows, start, stop) for rows in self))


def _part(rows, start, stop):
    if isinstance(rows, slice):
        return slice(rows.start + start, rows.start + stop)
    return rows[start:stop]


class _PaddedRows:
    """A CSR matrix on a device, of which rows become dense there.

    Every row has as many entries as the longest: the last one again, or a 0. So no
    batch has to ask the device how many there are.

    Parameters
    ----------
    matrix : csr_matrix of shape (n_rows, n_columns)
    columns : ndarray of int or None
        Where every column stands in what is made dense; None is where it is.
    dtype : torch.dtype
    device : str
    """

    def __init__(self, matrix, columns, dtype, device):
        stored = np.diff(matrix.indptr)
        starts = matrix.indptr[:-1]
        place = matrix.indices if columns is None else columns[matrix.indices]
        last = np.maximum(stored - 1, 0)[:, None]
        entry = starts[:, None] + np.minimum(np.arange(self.longest(matrix)), last)
        entry[stored == 0] = matrix.nnz  # where the 0 is appended
        place, value = (np.append(a, 0)[entry] for a in (place, matrix.data))
        self.width = matrix.shape[1]
        self.place = torch.from_numpy(place.astype(np.int32)).to(device)
        self.value = torch.from_numpy(value).to(dtype).to(device)

    @staticmethod
    def longest(matrix):
        """Return the entries of the longest row, at least 1."""
        return max(int(np.diff(matrix.indptr).max(initial=1)), 1)

    @classmethod
    def n_bytes(cls, matrix, dtype):
        """Return what a matrix takes on a device."""
        return matrix.shape[0] * cls.longest(matrix) * (4 + dtype.itemsize)

    @classmethod
    def suits(cls, matrix):
        """Tell whether filling up its rows does not make a matrix much larger."""
        n_rows = matrix.shape[0]
        return n_rows * cls.longest(matrix) <= FILLED * max(matrix.nnz, n_rows)

    @property
    def device(self):
        """Where it is."""
        return self.value.device

    def __getitem__(self, rows):
        place = self.place[rows].long()
        value = self.value[rows]
        block = value.new_zeros(len(place), self.width)
        return block.scatter_(1, place, value)  # what is there twice is the same twice


class SliceDataset(torch.utils.data.Dataset):
    """Arrays that are cut into batches together.

    Parameters
    ----------
    X : ndarray, csr_matrix or FileRows of shape (n_samples, ...)
    Y : ndarray or csr_matrix of shape (n_samples, n_labels), default=None
    weight : ndarray of shape (n_samples, 1 or n_labels), default=None
    dtype : torch.dtype
        Of every batch.
    copy : bool, default=False
        Whether a batch never shares memory with the arrays, so that a user's encoder
        cannot overwrite X.
    sparse : bool, default=False
        Whether batches of a CSR matrix X are sparse tensors; else they are dense.
    columns : ndarray of int, default=None
        Where every column of a CSR matrix Y stands in batches; None is where it is.
    sampler : LabelSampler, default=None
        Which labels a batch has. None is all.
    """

    def __init__(
        self,
        X,
        Y=None,
        weight=None,
        *,
        dtype,
        copy=False,
        sparse=False,
        columns=None,
        sampler=None,
    ):
        self.dtype = dtype
        self.copy = copy
        self.arrays = [self._sliceable(a) for a in (X, Y, weight)]
        self.sparse = sparse and sp.issparse(X)
        self.columns = columns
        self.sampler = sampler

    def _sliceable(self, array):
        if array is None or sp.issparse(array) or isinstance(array, FileRows):
            return array
        return _tensor(array).to(self.dtype)

    def __len__(self):
        X = self.arrays[0]
        return X.shape[0]

    @property
    def width(self):
        """Numbers per sample that a batch of X has."""
        X = self.arrays[0]
        return X.nnz // len(self) if self.sparse else int(np.prod(X.shape[1:]))

    def move_to(self, device):
        """Return this dataset with what fits on a device there, else as it is.

        One copy then saves that of every batch in every epoch. X, Y and weights move, a
        sparse Y, too, or X alone: with a sampler, which draws from a batch's labels on
        the CPU, and where there is no room for more. A sparse X and what lies in files
        stay where they are.
        """
        if torch.device(device).type == "cpu":
            return self
        first = {0} if isinstance(self.arrays[0], torch.Tensor) else set()
        whole = not sp.issparse(self.arrays[1]) or _PaddedRows.suits(self.arrays[1])
        others = {1, 2} if self.sampler is None and whole else set()
        for places in (first | others, first):
            chosen = {k: self.arrays[k] for k in places if self.arrays[k] is not None}
            size = sum(map(self._n_bytes, chosen.values()))
            if chosen and _fits(size, device):
                moved = copy(self)
                moved.arrays = [
                    self._moved(a, device) if k in chosen else a
                    for k, a in enumerate(self.arrays)
                ]
                return moved
        return self

    def _n_bytes(self, array):
        if sp.issparse(array):
            return _PaddedRows.n_bytes(array, self.dtype)
        return array.nbytes

    def _moved(self, array, device):
        if sp.issparse(array):
            return _PaddedRows(array, self.columns, self.dtype, device)
        return array.to(device)

    @property
    def device(self):
        """Where those of its arrays are that were moved."""
        kinds = torch.Tensor | _PaddedRows
        devices = {a.device for a in self.arrays if isinstance(a, kinds)}
        return next(iter(devices - {CPU}), CPU)

    def will_need(self, rows):
        """Tell what is read next where X lies in a file."""
        X = self.arrays[0]
        if isinstance(X, FileRows) and rows is not None:
            X.will_need(_numbers(rows.here))

    def n_stored(self, rows):
        """Return how many numbers sparse batches of X store of some rows."""
        if not self.sparse:
            return 0
        starts = self.arrays[0].indptr
        if isinstance(rows.here, slice):
            return int(starts[rows.here.stop] - starts[rows.here.start])
        numbers = _numbers(rows.here)
        return int((starts[numbers + 1] - starts[numbers]).sum())

    def batch(self, rows, device, all_rows=None):
        """Return ``(X, (Y, weight))`` of some rows, on a device.

        With a sampler ``({"X": X, "labels": labels}, (Y, weight, sample))``, where Y
        and weights have the columns of the sample's labels alone, and these stay on the
        CPU. Labels are sampled for ``all_rows``, where other processes have some.
        """
        rows = rows if isinstance(rows, _Rows) else _Rows(rows, rows)
        weight = self.arrays[2]
        wide = self.sampler and weight is not None and weight.shape[1] > 1
        parts = (*self.arrays[:2], None if wide else weight)
        X, Y, weight = (self._cut(a, rows) for a in parts)
        X = self._sparse(X) if self.sparse else self._dense(X)
        if self.sampler is None:
            Y = self._targets(Y)
            weight = self._dense(weight)
            return _to(X, device), (_to(Y, device), _to(weight, device))
        all_Y = Y if all_rows is None else self._cut(self.arrays[1], all_rows)
        sample = self.sampler.draw(self._positive(all_Y), self.dtype)
        Y = self._targets(Y, sample.labels)
        if wide:
            weight = _block(self.arrays[2], rows.here, sample.labels)
        importance = _to(sample.importance, device)
        labels = sample.labels
        if torch.device(device).type == "cuda":
            labels = labels.pin_memory()
        X = {"X": _to(X, device), "labels": labels}
        sample = type(sample)(labels, importance)
        return X, (_to(Y, device), _to(self._dense(weight), device), sample)

    def _cut(self, array, rows):
        if array is None:
            return None
        if sp.issparse(array):
            return array[_numbers(rows.here)]
        if isinstance(array, FileRows):
            return torch.from_numpy(array.read(_numbers(rows.here))).to(self.dtype)
        part = array[rows.here if array.device == CPU else rows.there]
        return part.clone() if self.copy else part

    def _dense(self, part):
        if not sp.issparse(part):
            return part
        return torch.from_numpy(part.toarray()).to(self.dtype)

    def _sparse(self, part):
        starts, columns, values = map(_tensor, (part.indptr, part.indices, part.data))
        values = values.to(self.dtype)
        return sparse_rows(starts.long(), columns.long(), values, part.shape[1])

    def _positive(self, part):
        """Return the labels that some row of Y has."""
        if sp.issparse(part):
            return torch.from_numpy(np.unique(self._places(part)[part.data == 1]))
        return (part == 1).any(0).nonzero().ravel()

    def _places(self, part):
        columns = part.indices if self.columns is None else self.columns[part.indices]
        return columns.astype(np.int64)

    def _targets(self, part, labels=None):
        """Return rows of Y, of some sorted labels or all, dense."""
        if not sp.issparse(part):
            return part if part is None or labels is None else part[:, labels]
        row = np.repeat(np.arange(part.shape[0]), np.diff(part.indptr))
        row = torch.from_numpy(row)
        place = torch.from_numpy(self._places(part))
        values = _tensor(part.data).to(self.dtype)
        width = part.shape[1]
        if labels is not None:
            label = place
            width = len(labels)
            place = torch.searchsorted(labels, label).clamp_max(width - 1)
            here = labels[place] == label  # what is unknown need not be in the sample
            row = row[here]
            place = place[here]
            values = values[here]
        block = torch.zeros(part.shape[0], width, dtype=self.dtype)
        block[row, place] = values
        return block


def _block(table, rows, columns):
    """Return some rows of a tensor, of some columns alone."""
    if isinstance(rows, slice):
        return table[rows][:, columns]
    return table[rows[:, None], columns]


def _tensor(array):
    # torch takes no read-only arrays (joblib's, say)
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _to(part, device):
    """Return part of a batch on a device, copied beside the work there."""
    if part is None or torch.device(device).type == part.device.type:
        return part
    if part.is_sparse:
        return map_parts(part, lambda stored: _to(stored, device))
    return part.pin_memory().to(device, non_blocking=True)


def _fits(size, device):
    """Tell whether so many bytes leave half of a GPU's free memory to the network."""
    free, _ = torch.cuda.mem_get_info(device)
    return 2 * size <= free


def _numbers(rows):
    return rows if isinstance(rows, slice) else rows.numpy()


class Batches:
    """One pass over a dataset, shuffled when there is a generator.

    Batches are of equal size to within one sample: a last batch of a single sample
    would stop encoders with batch normalisation. With ``shards`` every batch is cut
    once more, for the processes that share it.
    """

    def __init__(self, dataset, batch_size, device, generator=None, shards=None):
        self.dataset = dataset
        self.device = device
        self.generator = generator
        self.shards = shards
        self.n_batches = -(-len(dataset) // batch_size)

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        n = len(self.dataset)
        whole = self.n_batches == 1 or self.generator is None
        order = None if whole else torch.randperm(n, generator=self.generator)
        away = None if whole else order.to(self.dataset.device)  # once per epoch
        bounds = [n * k // self.n_batches for k in range(self.n_batches + 1)]
        cuts = (slice(*pair) for pair in itertools.pairwise(bounds))
        if whole:
            parts = (_Rows(cut, cut) for cut in cuts)
        else:
            parts = (_Rows(order[cut], away[cut]) for cut in cuts)
        steps = itertools.chain([None], parts, [None])
        for rows, following in itertools.pairwise(steps):
            self.dataset.will_need(self._own(following))
            if rows is not None:
                yield self._batch(rows)

    def _own(self, rows):
        """Return the rows of a batch that this process has."""
        if rows is None or self.shards is None:
            return rows
        return rows.part(*self.shards.bounds(rows.n))

    def _batch(self, rows):
        if self.shards is None:
            return self.dataset.batch(rows, self.device)
        before = rows.part(0, self.shards.bounds(rows.n)[0])
        stored = map(self.dataset.n_stored, (rows, before))
        self.shards.begin(rows.n, *stored)
        return self.dataset.batch(self._own(rows), self.device, all_rows=rows)
