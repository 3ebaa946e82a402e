"""Which samples early stopping holds out."""

from functools import partial

import numpy as np
import scipy.sparse as sp

from skhmc._data.groups import refuse_few_groups
from skhmc._data.stratify import missing_in_train_test
from skhmc._data.stratify_groups import stratify_groups

__all__ = ["hold_out", "hold_out_groups"]


def hold_out(Y, fraction, random_state):
    """Return the rows to train on and a sample of rows, stratified by rarest label.

    Rows are put in the order of their rarest positive label, at random within it, and
    rows at even distances are held out, at least one and not all.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Indicators: 0, 1 or NaN.
    fraction : float
        Share of the rows to hold out.
    random_state : int
        Seed of the draw.

    Returns
    -------
    rows : ndarray of int
        Rows to train on.
    held_out : ndarray of int
        Rows that are held out, sorted.
    """
    positive = sp.csr_matrix(Y == 1)
    rarity = 1 / np.maximum(np.asarray(positive.sum(axis=0)).ravel(), 1)
    rarest = positive.multiply(rarity).tocsr().argmax(axis=1)
    n_samples = Y.shape[0]
    rng = np.random.RandomState(random_state)
    order = np.lexsort((rng.random_sample(n_samples), np.asarray(rarest).ravel()))
    if n_samples < 2:
        raise ValueError(
            f"early_stopping needs at least 2 samples to hold one out, got "
            f"{n_samples}. Set early_stopping=False."
        )
    n_held_out = int(np.clip(round(fraction * n_samples), 1, n_samples - 1))
    places = (np.arange(n_held_out) + rng.random_sample()) * n_samples / n_held_out
    held_out = np.sort(order[places.astype(np.intp)])
    return np.setdiff1d(np.arange(n_samples), held_out), held_out


def hold_out_groups(Y, groups, fraction, random_state):
    """Return the rows to train on and those that are held out, whole groups.

    Parameters
    ----------
    Y : ndarray or csr_matrix of shape (n_samples, n_labels)
        Indicators: 0, 1 or NaN.
    groups : Groups
        The group of every sample.
    fraction : float
        Share of the rows to hold out, as near as groups allow.
    random_state : int
        Seed of the draw.

    Returns
    -------
    rows : ndarray of int
        Rows to train on.
    held_out : ndarray of int
        Rows that are held out.
    """
    refuse_few_groups(
        groups, 2, "early_stopping=True with groups needs", "Set early_stopping=False."
    )
    positive = sp.csr_matrix(Y == 1)
    shares = np.array([1 - fraction, fraction])
    missing = partial(missing_in_train_test, test_share=fraction)
    rng = np.random.RandomState(random_state)
    part = stratify_groups(positive, groups, shares, missing, rng)[groups.codes]
    return np.flatnonzero(part == 0), np.flatnonzero(part == 1)
