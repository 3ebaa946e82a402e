"""The script that reads a user's CIFAR-100, on made files."""

import os
import pickle
import runpy
from pathlib import Path

import numpy as np
import pytest

from skhmc import HCALClassifier

SCRIPT = Path(__file__).parents[1] / "examples" / "cifar100.py"
CIFAR = runpy.run_path(str(SCRIPT))
GROUPS, CLASSES = ["fish", "trees"], ["maple", "oak", "shark", "trout"]
GROUP_OF = [1, 1, 0, 0]


def write(folder, n_samples=12):
    names = {"coarse_label_names": GROUPS, "fine_label_names": CLASSES}
    (folder / "meta").write_bytes(pickle.dumps(names, protocol=2))
    for seed, part in enumerate(("train", "test")):
        fine = [k % 4 for k in range(n_samples)]
        data = np.random.RandomState(seed).randint(0, 256, (n_samples, 3072), np.uint8)
        file = {"data": data, "fine_labels": fine}
        file["coarse_labels"] = [GROUP_OF[code] for code in fine]
        (folder / part).write_bytes(pickle.dumps(file, protocol=2))


def test_files_become_images_and_closed_paths(tmp_path):
    write(tmp_path)
    hierarchy, parts = CIFAR["read_cifar100"](tmp_path)
    assert hierarchy.parents_of("oak") == ["trees"]
    assert set(hierarchy.labels) == {*GROUPS, *CLASSES}
    X, Y = parts["train"]
    assert X.shape == (12, 3, 32, 32) and 0 <= X.min() and X.max() <= 1
    assert (Y.sum(axis=1) == 2).all()
    named = {hierarchy.labels[k] for k in np.flatnonzero(Y[2])}
    assert named == {"fish", "shark"}


def test_other_pickles_are_not_run(tmp_path):
    path = tmp_path / "meta"
    path.write_bytes(pickle.dumps(os.getcwd))
    with pytest.raises(pickle.UnpicklingError, match="Expected arrays alone, got"):
        CIFAR["read_file"](path)


def test_the_report_counts_levels_paths_and_inconsistency(tmp_path):
    write(tmp_path)
    hierarchy, parts = CIFAR["read_cifar100"](tmp_path)
    X, Y = parts["test"]

    class Said:
        def predict(self, X):
            return np.vstack([Y[3:4], Y[1:]])  # a trout for a maple

        def predict_raw(self, X):
            raw = Y.copy()
            raw[0] = Y[0] | Y[3]
            raw[0, hierarchy.position("trees")] = 0  # a maple and a fish
            return raw

    found = CIFAR["report"](Said(), X, Y, hierarchy)
    shares = [found["level 1"], found["level 2"], found["full path (FPA)"]]
    assert shares == [11 / 12] * 3
    assert found["inconsistent before coherence (TICE)"] == 1 / 12


def test_the_network_is_an_encoder(tmp_path):
    write(tmp_path, 4)
    hierarchy, parts = CIFAR["read_cifar100"](tmp_path)
    X, Y = parts["train"]
    encoder = CIFAR["SmallResNet"]
    clf = HCALClassifier(
        hierarchy, encoder=encoder, encoder__widths=(2, 4), max_iter=1, random_state=0
    )
    assert clf.fit(X, Y).predict(X).shape == Y.shape
