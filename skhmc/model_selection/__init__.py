"""Splits of multi-label data in which every part has its share of every label."""

from skhmc.model_selection._group_splitters import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedGroupShuffleSplit,
    RepeatedMultilabelStratifiedGroupKFold,
)
from skhmc.model_selection._splitters import (
    MultilabelStratifiedKFold,
    MultilabelStratifiedShuffleSplit,
    RepeatedMultilabelStratifiedKFold,
)
from skhmc.model_selection._train_test import multilabel_train_test_split

__all__ = [
    "MultilabelStratifiedGroupKFold",
    "MultilabelStratifiedGroupShuffleSplit",
    "MultilabelStratifiedKFold",
    "MultilabelStratifiedShuffleSplit",
    "RepeatedMultilabelStratifiedGroupKFold",
    "RepeatedMultilabelStratifiedKFold",
    "multilabel_train_test_split",
]
