"""What benchmarks do to tables of numbers before a classifier.

It is the recipe of docs/preprocessing.rst, which says so of itself.
"""

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import FunctionTransformer, StandardScaler

__all__ = ["CUT", "cut", "table_steps"]

CUT = 2  # standard deviations; chosen on validation rows (benchmarks.preprocessing)


def cut(at):
    """Return the step that cuts standardised features at both ends."""
    return FunctionTransformer(np.clip, kw_args={"a_min": -at, "a_max": at})


def table_steps():
    """Return the steps: means for missing values, one scale, no tails."""
    return [SimpleImputer(keep_empty_features=True), StandardScaler(), cut(CUT)]
