"""Arrays cut into batches.

skorch's DataLoader collates sample by sample, which costs more than a small network;
here a batch is one slice of every array.
"""

import itertools

import numpy as np
import scipy.sparse as sp
import torch

from skhmc._file_rows import FileRows

__all__ = ["Batches", "SliceDataset"]


class SliceDataset(torch.utils.data.Dataset):
    """Arrays that are cut into batches together; CSR rows become dense batch by batch.

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
    """

    def __init__(self, X, Y=None, weight=None, *, dtype, copy=False):
        self.dtype, self.copy = dtype, copy
        self.arrays = [self._sliceable(a) for a in (X, Y, weight)]

    def _sliceable(self, array):
        if array is None or sp.issparse(array) or isinstance(array, FileRows):
            return array
        writable = ["C", "W"]  # torch takes no read-only arrays (joblib's, say)
        return torch.from_numpy(np.require(array, requirements=writable)).to(self.dtype)

    def __len__(self):
        X = self.arrays[0]
        return X.shape[0]

    def will_need(self, rows):
        """Tell what is read next where X lies in a file."""
        X = self.arrays[0]
        if isinstance(X, FileRows) and rows is not None:
            X.will_need(_numbers(rows))

    def batch(self, rows, device):
        """Return ``(X, (Y, weight))`` of some rows, on a device."""
        X, Y, weight = (self._cut(a, rows, device) for a in self.arrays)
        return X, (Y, weight)

    def _cut(self, array, rows, device):
        if array is None:
            return None
        if sp.issparse(array):
            part = torch.from_numpy(array[_numbers(rows)].toarray()).to(self.dtype)
        elif isinstance(array, FileRows):
            part = torch.from_numpy(array.read(_numbers(rows))).to(self.dtype)
        else:
            part = array[rows].clone() if self.copy else array[rows]
        return part.to(device, non_blocking=True)


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
        bounds = [n * k // self.n_batches for k in range(self.n_batches + 1)]
        cuts = (slice(*pair) for pair in itertools.pairwise(bounds))
        parts = (cut if whole else order[cut] for cut in cuts)
        steps = itertools.chain([None], parts, [None])
        for rows, following in itertools.pairwise(steps):
            self.dataset.will_need(following)
            if rows is not None:
                yield self.dataset.batch(rows, self.device)
