"""Arrays cut into batches.

skorch's DataLoader collates sample by sample, which costs more than a small network;
here a batch is one slice of every array.
"""

import itertools
from copy import copy

import numpy as np
import scipy.sparse as sp
import torch

from skhmc._file_rows import FileRows
from skhmc.nn.sparse import sparse_rows

__all__ = ["Batches", "SliceDataset"]


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
        self.dtype, self.copy = dtype, copy
        self.arrays = [self._sliceable(a) for a in (X, Y, weight)]
        self.sparse = sparse and sp.issparse(X)
        self.columns, self.sampler = columns, sampler

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
        """Return this dataset on a device where it fits there, else as it is.

        One copy then saves that of every batch in every epoch. Sparse matrices and what
        lies in files stay where they are.
        """
        tensors = [a for a in self.arrays if isinstance(a, torch.Tensor)]
        size = sum(a.nbytes for a in tensors)
        there = [a for a in self.arrays if a is not None]
        whole = len(tensors) == len(there) and self.sampler is None
        if torch.device(device).type == "cpu" or not (whole and _fits(size, device)):
            return self
        moved = copy(self)
        moved.arrays = [None if a is None else a.to(device) for a in self.arrays]
        return moved

    @property
    def device(self):
        """Where its tensors are."""
        X = self.arrays[0]
        return X.device if isinstance(X, torch.Tensor) else torch.device("cpu")

    def will_need(self, rows):
        """Tell what is read next where X lies in a file."""
        X = self.arrays[0]
        if isinstance(X, FileRows) and rows is not None:
            X.will_need(_numbers(rows))

    def batch(self, rows, device):
        """Return ``(X, (Y, weight))`` of some rows, on a device.

        With a sampler ``({"X": X, "labels": labels}, (Y, weight, sample))``, where Y
        and weights have the columns of the sample's labels alone.
        """
        X, Y, weight = (self._cut(a, rows) for a in self.arrays)
        X = self._sparse(X) if self.sparse else self._dense(X)
        if self.sampler is None:
            Y, weight = self._targets(Y), self._dense(weight)
            return _to(X, device), (_to(Y, device), _to(weight, device))
        sample = self.sampler.draw(self._positive(Y), self.dtype)
        Y = self._targets(Y, sample.labels)
        if weight is not None and weight.shape[1] > 1:
            weight = weight[:, sample.labels]
        X = {"X": _to(X, device), "labels": _to(sample.labels, device)}
        sample = sample._replace(importance=_to(sample.importance, device))
        return X, (_to(Y, device), _to(self._dense(weight), device), sample)

    def _cut(self, array, rows):
        if array is None:
            return None
        if sp.issparse(array):
            return array[_numbers(rows)]
        if isinstance(array, FileRows):
            return torch.from_numpy(array.read(_numbers(rows))).to(self.dtype)
        return array[rows].clone() if self.copy else array[rows]

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
        row, place = torch.from_numpy(row), torch.from_numpy(self._places(part))
        values, width = _tensor(part.data).to(self.dtype), part.shape[1]
        if labels is not None:
            label, width = place, len(labels)
            place = torch.searchsorted(labels, label).clamp_max(width - 1)
            here = labels[place] == label  # what is unknown need not be in the sample
            row, place, values = row[here], place[here], values[here]
        block = torch.zeros(part.shape[0], width, dtype=self.dtype)
        block[row, place] = values
        return block


def _tensor(array):
    # torch takes no read-only arrays (joblib's, say)
    return torch.from_numpy(np.require(array, requirements=["C", "W"]))


def _to(part, device):
    if part is None or torch.device(device).type == part.device.type:
        return part
    part = part if part.is_sparse else part.pin_memory()  # to be copied beside the work
    return part.to(device, non_blocking=True)


def _fits(size, device):
    """Tell whether so many bytes leave half of a GPU's free memory to the network."""
    free, _ = torch.cuda.mem_get_info(device)
    return 2 * size <= free


def _numbers(rows):
    return rows if isinstance(rows, slice) else rows.numpy()


class Batches:
    """One pass over a dataset, shuffled when there is a generator.

    Batches are of equal size to within one sample: a last batch of a single sample
    would stop encoders with batch normalisation.
    """

    def __init__(self, dataset, batch_size, device, generator=None):
        self.dataset, self.device, self.generator = dataset, device, generator
        self.n_batches = -(-len(dataset) // batch_size)

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        n = len(self.dataset)
        whole = self.n_batches == 1 or self.generator is None
        order = None if whole else torch.randperm(n, generator=self.generator)
        order = None if whole else order.to(self.dataset.device)  # once per epoch
        bounds = [n * k // self.n_batches for k in range(self.n_batches + 1)]
        cuts = (slice(*pair) for pair in itertools.pairwise(bounds))
        parts = (cut if whole else order[cut] for cut in cuts)
        steps = itertools.chain([None], parts, [None])
        for rows, following in itertools.pairwise(steps):
            self.dataset.will_need(following)
            if rows is not None:
                yield self.dataset.batch(rows, self.device)
