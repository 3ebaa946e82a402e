"""What benchmarks do before a classifier: data sets, rows to fit and to score, steps.

The steps for tables of numbers are those of docs/preprocessing.rst, which says so.
"""

from functools import lru_cache

import numpy as np
from sklearn.model_selection import train_test_split

from benchmarks.npz_sets import load_npz_set
from skhmc.datasets import fetch_clus
from skhmc.reproduce._reproduce import CUT, cut, table_steps

__all__ = ["CUT", "TEXTS", "cut", "load", "split", "table_steps"]

TEXTS = ("cei", "rcv1_subset1", "goemotions")  # tf-idf in CSR


@lru_cache(maxsize=1)
def load(name):
    """Return a set of sparse texts or, of any other name, of the Clus collection.

    The last one is kept, since variants are fitted to it one after the other.
    """
    if name in TEXTS:
        return load_npz_set(name)
    return fetch_clus(name, download_if_missing=False)


def split(data, part):
    """Return the rows to fit and the rows to score.

    The part "test" scores the test rows, of fits to all others; every other part scores
    the validation rows (a fifth of the training rows, where a set has none), of fits to
    the training rows without them.
    """
    if part == "test":
        return np.concatenate([data.train, data.valid]), data.test
    if len(data.valid):
        return data.train, data.valid
    return train_test_split(data.train, test_size=0.2, random_state=0)
