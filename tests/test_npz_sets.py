"""Tests of the benchmarks' reader of npz data sets, on a file written here."""

import json

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks.npz_sets import load_npz_set


def write(home, **more):
    texts = ["a cät", "", "a dog"]
    parts = [text.encode() for text in texts]
    Y = sp.csr_matrix(np.array([[1, 0, 1], [0, 0, 0], [1, 1, 0]], np.uint8))
    arrays = {f"Y_{part}": getattr(Y, part) for part in ("data", "indices", "indptr")}
    arrays |= {
        "Y_shape": Y.shape,
        "texts_blob": np.frombuffer(b"".join(parts), np.uint8),
        "texts_offsets": np.cumsum([0, *map(len, parts)]),
        "edges": [[0, 1], [0, 2]],
        "label_names": ["animal", "dog", "cat"],
        "train_idx": [0],
        "valid_idx": [1],
        "test_idx": [2],
        "eval_mask": [False, True, True],
        "meta": json.dumps({"name": "animals"}),
    }
    (home / "npz").mkdir()
    np.savez(home / "npz" / "animals.npz", **arrays, **more)
    return texts, Y


def test_all_parts_are_read(tmp_path):
    images = np.zeros((3, 2, 2, 3), np.uint8)
    texts, Y = write(tmp_path, images=images, X=np.eye(3))
    data = load_npz_set("animals", tmp_path)
    assert data.texts == texts and data.meta == {"name": "animals"}
    assert data.target.format == "csr" and (data.target != Y).nnz == 0
    assert data.hierarchy.labels == ("animal", "dog", "cat")
    assert data.hierarchy.ancestors_of("cat") == ["animal"]
    assert data.images.shape == images.shape and data.images.dtype == np.uint8
    assert data.data.dtype == np.float32
    assert (data.train, data.valid, data.test) == ([0], [1], [2])
    assert data.eval_mask.tolist() == [False, True, True]


def test_sparse_features_and_what_is_not_there(tmp_path):
    X = sp.csr_matrix(np.diag([0.5, 0.0, 2.0]))
    parts = {f"X_{part}": getattr(X, part) for part in ("data", "indices", "indptr")}
    write(tmp_path, **parts, X_shape=X.shape)
    data = load_npz_set("animals", tmp_path)
    assert data.images is None and data.data.dtype == np.float32
    np.testing.assert_array_equal(data.data.toarray(), X.toarray())


def test_the_data_home_is_that_of_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SKHMC_DATA_HOME", str(tmp_path))
    write(tmp_path)
    assert load_npz_set("animals").data is None


def test_a_missing_set_says_where_it_was_expected(tmp_path, monkeypatch):
    monkeypatch.setenv("SKHMC_DATA_HOME", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="SKHMC_DATA_HOME") as caught:
        load_npz_set("nothing")
    assert str(tmp_path / "npz" / "nothing.npz") in str(caught.value)
