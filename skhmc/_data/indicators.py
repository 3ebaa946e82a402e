"""What the metrics accept, brought to one form."""

import numpy as np
import scipy.sparse as sp

from skhmc._data.targets import match_columns
from skhmc._utils.messages import name_list, plain
from skhmc.coherence import close_upward

__all__ = [
    "align",
    "check_indicator",
    "check_scores",
    "check_weights",
    "is_frame",
    "kept_labels",
    "positives",
    "truth",
]


def is_frame(Y):
    """Return whether Y is a DataFrame, whose columns name the labels."""
    return hasattr(Y, "columns")


def align(hierarchy, *, names=None, **arrays):
    """Return the hierarchy in the order of the columns, then the arrays in that order.

    ``names`` are the labels of the columns; by default those of the first DataFrame.
    """
    if names is None:
        frames = (Y for Y in arrays.values() if is_frame(Y))
        names = next((list(Y.columns) for Y in frames), None)
    read = [_as_array(Y, names, argument) for argument, Y in arrays.items()]
    first = next(iter(arrays))
    hierarchy = match_columns(hierarchy, names, read[0].shape[1])
    for argument, Y in zip(arrays, read, strict=True):
        if Y.shape[1] != hierarchy.n_labels:
            raise ValueError(
                f"{argument} has {Y.shape[1]} columns, expected {hierarchy.n_labels}, "
                f"one per label of the hierarchy ({name_list(hierarchy.labels)}). Pass "
                f"the hierarchy of exactly these columns, see Hierarchy.subset."
            )
        if Y.shape[0] != read[0].shape[0]:
            raise ValueError(
                f"{argument} has {Y.shape[0]} samples, but {first} has "
                f"{read[0].shape[0]}. Pass one row per sample in both."
            )
    return hierarchy, *read


def _as_array(Y, names, argument):
    """Return Y as an ndarray or csr_matrix of numbers with 2 dimensions."""
    if is_frame(Y):
        Y = _frame_values(Y, names, argument)
    elif sp.issparse(Y):
        Y = sp.csr_matrix(Y, copy=True)
        Y.sum_duplicates()
    else:
        try:
            Y = np.asarray(Y)
        except ValueError:  # rows of different lengths
            Y = np.empty(0, object)
    if Y.dtype.kind not in "biuf" or Y.ndim != 2:
        raise ValueError(
            f"{argument} must be a numeric array, CSR matrix or DataFrame of shape "
            f"(n_samples, n_labels), got shape {Y.shape} and dtype {Y.dtype}. Turn "
            f"lists of label names into indicators with "
            f"skhmc.preprocessing.HierarchicalLabelBinarizer."
        )
    return Y


def _frame_values(frame, names, argument):
    columns = list(frame.columns)
    if len(columns) != len(names) or set(columns) != set(names):
        only = [column for column in columns if column not in set(names)]
        missing = [name for name in names if name not in set(columns)]
        raise ValueError(
            f"The columns of {argument} do not match the labels. Only in {argument}: "
            f"{name_list(only) or 'none'}. Missing: {name_list(missing) or 'none'}. "
            f"Correct the columns."
        )
    frame = frame[names]
    if hasattr(frame, "iloc"):  # pandas, whose missing values are not all floats
        return frame.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(frame, dtype=np.float64)


def check_indicator(Y, argument, *, allow_nan=False):
    """Raise when Y holds anything but 0, 1 and, where allowed, NaN."""
    values = Y.data if sp.issparse(Y) else Y
    good = (values == 0) | (values == 1)
    if allow_nan:
        good |= np.isnan(values)
    if not good.all():
        got = values[~good].ravel()[0].item()
        known = "0 and 1, or NaN for unknown" if allow_nan else "0 and 1"
        do = "Apply a threshold to scores first." if got == got else "Leave no NaN."
        raise ValueError(f"{argument} must hold {known}, got the value {got!r}. {do}")


def check_scores(scores, argument="y_score"):
    """Return dense floating scores; NaN and sparse matrices are errors."""
    if sp.issparse(scores):
        raise TypeError(
            f"{argument} must be a dense array, got a sparse matrix, whose empty cells "
            f"would count as the score 0. Pass {argument}.toarray()."
        )
    if np.isnan(scores).any():
        raise ValueError(f"{argument} holds NaN, expected a score for every label.")
    return scores if scores.dtype.kind == "f" else scores.astype(np.float64)


def check_weights(sample_weight, n_samples):
    """Return sample weights as floats of shape (n_samples,); None is all ones."""
    if sample_weight is None:
        return np.ones(n_samples)
    weights = np.asarray(sample_weight, dtype=np.float64)
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have shape ({n_samples},), one weight per sample, got "
            f"shape {weights.shape}."
        )
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise ValueError("sample_weight must be finite and not negative.")
    return weights


def kept_labels(hierarchy, exclude):
    """Return which labels count, a bool array of shape (n_labels,)."""
    keep = np.ones(hierarchy.n_labels, dtype=bool)
    if exclude is None:
        return keep
    if isinstance(exclude, str):
        if exclude != "roots":
            raise ValueError(
                f"exclude must be None, 'roots' or a list of label names, got "
                f"{exclude!r}. To leave out one label, pass [{exclude!r}]."
            )
        keep[hierarchy.roots] = False
    else:
        names = [plain(label) for label in exclude]
        wrong = [x for x in names if isinstance(x, bool) or x not in hierarchy]
        if wrong:
            raise ValueError(
                f"exclude names labels that the hierarchy does not have: "
                f"{name_list(wrong)}. It has {name_list(hierarchy.labels)}."
            )
        keep[[hierarchy.position(label) for label in names]] = False
    if not keep.any():
        raise ValueError(
            f"exclude={exclude!r} leaves none of the {len(keep)} labels to count. "
            f"Leave out fewer."
        )
    return keep


def positives(Y):
    """Return the positive cells of an indicator as a bool csr_matrix."""
    return _cells(Y, lambda values: values == 1)


def truth(y_true, hierarchy, close):
    """Return the positive and the unknown cells of the true labels, closed upward."""
    check_indicator(y_true, "y_true", allow_nan=True)
    if close:
        y_true = close_upward(y_true, hierarchy)
    return positives(y_true), _cells(y_true, np.isnan)


def _cells(Y, test):
    if not sp.issparse(Y):
        return sp.csr_matrix(test(Y))
    parts = (test(Y.data), Y.indices.copy(), Y.indptr.copy())
    cells = sp.csr_matrix(parts, shape=Y.shape)
    cells.eliminate_zeros()
    return cells
