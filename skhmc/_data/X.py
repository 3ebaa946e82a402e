"""What a user hands over as ``X``: arrays, CSR matrices, and rows that stay in a file.

A ``numpy.memmap`` may be larger than the memory: nothing here copies or converts more
of it than the rows that are asked for.
"""

import mmap
import re
from contextlib import suppress

import numpy as np
from sklearn.utils.validation import check_array, validate_data

__all__ = [
    "FileRows",
    "check_X",
    "check_sample_shape",
    "has_rows_in_file",
    "is_in_file",
    "row_blocks",
]


ENTRIES_PER_BLOCK = 2**22
WILL_NEED = getattr(mmap, "MADV_WILLNEED", None)  # not on Windows


def is_in_file(array):
    """Tell whether an array is mapped from a file, itself or as a view.

    What is chosen from a ``numpy.memmap`` by a list of rows is in memory, though its
    type is the same.
    """
    return isinstance(_owner(array), mmap.mmap) and array.size > 0


def has_rows_in_file(array):
    """Tell whether an array is mapped from a file in which each row is one piece.

    Complex numbers are no such rows: nobody takes them, and errors show them all.
    """
    if not is_in_file(array) or array.ndim < 2 or array.dtype.kind == "c":
        return False
    return array.strides[0] > 0 and array[0].flags.c_contiguous


def row_blocks(array):
    """Yield slices of rows, of about 4 million entries each, that cover an array."""
    step = max(1, ENTRIES_PER_BLOCK * array.shape[0] // array.size)
    for start in range(0, array.shape[0], step):
        yield slice(start, start + step)


def _owner(array):
    while isinstance(array, np.ndarray):
        array = array.base
    return array


def _address(array):
    return array.__array_interface__["data"][0]


class FileRows:
    """Some rows of an array in a file, as numbers of another type.

    Parameters
    ----------
    array : ndarray of shape (n, ...)
        An array for which :func:`has_rows_in_file` is true.
    dtype : numpy dtype
        Dtype of the rows as they are read.
    rows : ndarray of int, default=None
        Positions of the rows, in their order here; None for all.
    """

    def __init__(self, array, dtype, rows=None):
        self.array = np.asarray(array)
        self.dtype = np.dtype(dtype)
        self.rows = rows

    @property
    def shape(self):
        """As the rows would have it in memory."""
        n = self.array.shape[0] if self.rows is None else len(self.rows)
        return (n, *self.array.shape[1:])

    def __getitem__(self, rows):
        """Return the FileRows of some rows, a slice or an array of int."""
        if self.rows is None and isinstance(rows, slice):
            return FileRows(self.array[rows], self.dtype)
        return FileRows(self.array, self.dtype, self._numbers(rows))

    def _numbers(self, rows):
        if self.rows is None:
            return rows
        return self.rows[rows]

    def read(self, rows):
        """Return some rows as an array of their own, C-ordered and of ``dtype``."""
        numbers = self._numbers(rows)
        part = self.array[numbers]
        if isinstance(numbers, slice):
            return np.array(part, self.dtype, order="C")
        return np.asarray(part, self.dtype, order="C")  # chosen rows are a copy

    def will_need(self, rows):
        """Have the operating system fetch some rows while others are worked on.

        One by one, rows at random places would each wait for the disk. Slices of a
        file are left alone, since reading on is what systems expect.
        """
        numbers = self._numbers(rows)
        if WILL_NEED is None or isinstance(numbers, slice):
            return
        file = _owner(self.array)
        step = self.array.strides[0]
        first = _address(self.array) - _address(np.frombuffer(file, np.uint8))
        size = self.array[0].nbytes
        with suppress(OSError):  # no file system has to listen
            for start in (first + numbers * step).tolist():
                before = start % mmap.PAGESIZE  # only whole pages can be asked for
                file.madvise(WILL_NEED, start - before, before + size)


def check_X(estimator, X, *, dtype, reset, allow_nd, share=(0, 1)):
    """Return X as a C-ordered array or CSR matrix of a dtype.

    What lies in a file stays there, whatever its dtype: FileRows are returned.

    Parameters
    ----------
    estimator : BaseEstimator
        Estimator whose ``n_features_in_`` and ``feature_names_in_`` are compared with
        X or, where ``reset``, set by scikit-learn's ``validate_data``.
    X : array-like or sparse matrix of shape (n_samples, n_features, ...)
        What the user gave.
    dtype : numpy dtype
        Dtype of the result.
    reset : bool
        Whether this is a new fit.
    allow_nd : bool
        Whether X may have more than two dimensions.
    share : (int, int), default=(0, 1)
        Which of how many processes this is, of those that check the same X in a file:
        each looks at blocks of its own.

    Returns
    -------
    ndarray, csr_matrix or FileRows
    """
    options = {
        "accept_sparse": "csr",
        "dtype": np.dtype(dtype),
        "order": "C",
        "allow_nd": allow_nd,
    }
    if not (reset or allow_nd) and _is_as_in_fit(estimator, X):
        plain = _finite(X, options["dtype"])
        if plain is not None:
            return plain
    return _read(estimator, X, reset, options, share)


def _read(estimator, X, reset, options, share):
    """Return X as scikit-learn's checks do; explain what they found wrong."""
    try:
        if has_rows_in_file(X):
            return _check_rows_in_file(estimator, X, reset, options, share)
        return validate_data(estimator, X, reset=reset, **options)
    except ValueError as error:
        # in the words of scikit-learn 1.6, and of later versions
        if re.search(
            r"dim \d+\. .* expected <= 2|while dim <= 2 is required", str(error)
        ):
            advice = "For images or sequences give an encoder, which takes such X."
            if not hasattr(estimator, "encoder"):
                advice = "Make every sample one row: X.reshape(len(X), -1)."
            raise ValueError(f"{error}\n{advice}") from error
        if "infinity" in str(error):
            raise ValueError(
                f"{error}\nTurn infinite values into NaN and impute them in a "
                f"Pipeline, for instance with sklearn.impute.SimpleImputer."
            ) from error
        if "convert string" not in str(error) and "of bytes/strings" not in str(error):
            raise
        raise ValueError(
            f"Expected X to hold numbers, got text ({error}). Encode it in a Pipeline: "
            f"TfidfVectorizer for texts, OneHotEncoder for categories."
        ) from error


def _is_as_in_fit(estimator, X):
    """Tell whether X is an array of floats as wide as that of the fit.

    Then all that is left of scikit-learn's check is whether its numbers are finite. For
    one row, whatever else it looks at takes longer than some networks do.
    """
    if type(X) is not np.ndarray or X.ndim != 2 or X.dtype.kind != "f":
        return False
    fitted = vars(estimator)
    if "feature_names_in_" in fitted:  # a missing name is worth a warning
        return False
    return X.shape[0] > 0 and X.shape[1] == fitted.get("n_features_in_")


def _finite(X, dtype):
    """Return X in a dtype, or None: where a sum is infinite, it has to be looked at."""
    with np.errstate(over="ignore", invalid="ignore"):
        X = np.asarray(X, dtype, order="C")
        return X if np.isfinite(X.sum()) else None


def _check_rows_in_file(estimator, X, reset, options, share):
    first, *others = row_blocks(X)
    validate_data(estimator, X[first], reset=reset, **options)
    rank, n_processes = share
    for block in others[rank::n_processes]:
        check_array(X[block], estimator=estimator, input_name="X", **options)
    return FileRows(X, options["dtype"])


def check_sample_shape(name, shape, fitted_shape):
    """Raise where samples have another shape than those of the fit.

    The width of 2-D X is compared by scikit-learn, in its own words.

    Parameters
    ----------
    name : str
        Name of the estimator's class, for the message.
    shape : tuple of int
        Shape of one sample.
    fitted_shape : tuple of int
        Shape of one sample of the fit.
    """
    if len(shape) > 1 and shape != fitted_shape:
        raise ValueError(
            f"X holds samples of shape {shape}, but {name} was fitted with samples of "
            f"shape {fitted_shape}."
        )
