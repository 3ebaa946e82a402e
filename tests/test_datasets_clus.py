"""The real data sets of the Clus benchmark have the published sizes."""

import numpy as np
import pytest

from skhmc.coherence import violations
from skhmc.datasets import fetch_clus
from skhmc.datasets._clus_files import SHA256
from tests.real_data import real_data_home

# name: (train, valid, test), features, labels, is_tree, levels, labels without a
# training row (counted by a separate script), labels left out of scores
SIZES = {
    "cellcycle_FUN": ((1628, 848, 1281), 77, 499, True, 6, 45, 0),
    "church_FUN": ((1630, 844, 1281), 31, 499, True, 6, 45, 0),
    "eisen_FUN": ((1058, 529, 837), 79, 461, True, 6, 39, 0),
    "gasch1_FUN": ((1634, 846, 1284), 173, 499, True, 6, 45, 0),
    "pheno_FUN": ((656, 353, 582), 276, 455, True, 6, 70, 0),
    "seq_FUN": ((1701, 879, 1339), 529, 499, True, 6, 45, 0),
    "cellcycle_GO": ((1625, 848, 1278), 77, 4125, False, 14, 943, 3),
    "eisen_GO": ((1055, 528, 835), 79, 3573, False, 14, 821, 3),
    "gasch1_GO": ((1631, 846, 1281), 173, 4125, False, 14, 938, 3),
    "pheno_GO": ((653, 352, 581), 276, 3127, False, 14, 859, 3),
    "seq_GO": ((1692, 876, 1332), 529, 4133, False, 14, 940, 3),
    "diatoms": ((2065, 0, 1054), 371, 398, True, 3, 21, 0),
    "enron": ((988, 0, 660), 1001, 56, True, 3, 2, 0),
    "imclef07a": ((10000, 0, 1006), 80, 96, True, 3, 0, 0),
}


def test_table_is_complete():
    assert set(SIZES) == set(SHA256)


@pytest.mark.parametrize("name", SIZES)
def test_published_sizes(name):
    data = fetch_clus(name, data_home=real_data_home(), download_if_missing=False)
    rows, n_features, n_labels, is_tree, n_levels, n_untrained, n_left_out = SIZES[name]
    assert (len(data.train), len(data.valid), len(data.test)) == rows
    assert data.data.shape == (sum(rows), n_features)
    assert len(data.feature_names) == len(data.feature_group) == n_features
    assert data.target.shape == (sum(rows), n_labels)
    assert data.label_names == list(data.hierarchy.labels)
    assert len(data.label_names) == n_labels and "root" not in data.label_names
    assert data.hierarchy.is_tree == is_tree
    assert data.hierarchy.depth.max() + 1 == n_levels == len(data.hierarchy.levels)
    assert (~data.eval_mask).sum() == n_left_out
    assert violations(data.target, data.hierarchy).nnz == 0
    assert (data.target.sum(axis=1) > 0).all()
    assert (data.target[data.train].sum(axis=0) == 0).sum() == n_untrained
    everything = np.concatenate([data.train, data.valid, data.test])
    np.testing.assert_array_equal(everything, np.arange(sum(rows)))
    assert f"Features: {n_features}. Labels: {n_labels}, a" in data.DESCR


@pytest.mark.parametrize("name", ["diatoms", "imclef07a"])
def test_single_path(name):
    data = fetch_clus(name, data_home=real_data_home(), download_if_missing=False)
    for level in data.hierarchy.levels:
        assert data.target[:, level].sum(axis=1).max() == 1


def test_missing_nominal_value_is_missing_in_all_its_columns():
    data = fetch_clus("seq_FUN", data_home=real_data_home(), download_if_missing=False)
    group = np.array(data.feature_group)
    one_hot = {a for a, f in zip(group, data.feature_names, strict=True) if a != f}
    assert len(one_hot) == 5
    for attribute in one_hot:
        missing = np.isnan(data.data[:, group == attribute])
        assert (missing.all(axis=1) == missing.any(axis=1)).all()
        sums = data.data[:, group == attribute].sum(axis=1)
        assert (sums[~missing.any(axis=1)] == 1).all()
