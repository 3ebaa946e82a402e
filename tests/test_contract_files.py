"""X and Y in files: the fits and messages of arrays, in little memory."""

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold

from skhmc import (
    CoherentClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
)
from skhmc._data.X import is_in_file
from skhmc.coherence import close_upward
from tests.contract import (
    KINDS,
    NETWORKS,
    assert_same,
    assert_same_fit,
    baseline,
    build,
    every_estimator,
    task,
)
from tests.instances import FAST
from tests.test_check_X import WRONG_X
from tests.test_file_rows import on_disk
from tests.test_layers import run_python

every_kind = pytest.mark.parametrize("kind", KINDS)
early = pytest.mark.parametrize("early_stopping", [False, True])


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Many blocks of rows also of little data."""
    monkeypatch.setattr("skhmc._data.X.ENTRIES_PER_BLOCK", 40)


def wide(X):
    """Return X as numbers that integers can hold too."""
    return np.round(20 * X - 20 * X.min())


# -- the same fit ----------------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize(
    "dtype, own",
    [("float32", "float32"), ("float64", "float32"), ("uint8", "float64")],
)
def test_any_dtype_gives_the_fit_of_an_array(tmp_path, estimator, dtype, own):
    hierarchy, X, Y = task("many")
    X = wide(X).astype(dtype)
    in_file = on_disk(tmp_path, X)
    clfs = [build(estimator, hierarchy, precision=own).fit(x, Y) for x in (X, in_file)]
    assert_same_fit(*clfs, X)
    assert_same(clfs[0].predict_proba(X), clfs[0].predict_proba(in_file))
    assert clfs[1].n_features_in_ == X.shape[1]


@every_estimator
@early
@pytest.mark.parametrize("kind, mode", [("many", "r"), ("paths", "r+"), ("many", "c")])
def test_any_mode_and_view_gives_the_fit_of_an_array(
    tmp_path, estimator, kind, early_stopping, mode
):
    hierarchy, X, Y = task(kind)
    large = np.zeros((80, 9))
    large[20:, 2:7] = X
    weight = np.random.default_rng(0).random(Y.shape)
    view = on_disk(tmp_path, large, mode)[20:, 2:7]
    labels = on_disk(tmp_path, Y, mode)
    clf = build(estimator, hierarchy, early_stopping=early_stopping)
    clfs = [
        clone(clf).fit(x, y, sample_weight=weight) for x, y in ((X, Y), (view, labels))
    ]
    assert_same_fit(*clfs, X)
    assert clfs[0].history_[0].keys() == clfs[1].history_[0].keys()
    assert (view == X).all() and (labels == Y).all()
    assert clfs[0].score(X, Y) == clfs[1].score(view, labels)


@every_estimator
@every_kind
def test_columns_first_and_one_label_per_row(tmp_path, estimator, kind):
    hierarchy, X, Y = task(kind)
    X_columns = on_disk(tmp_path, np.asfortranarray(X))
    y = on_disk(tmp_path, Y.argmax(axis=1))
    clfs = [build(estimator).fit(x, y) for x in (X, X_columns)]
    assert_same_fit(*clfs, X)


@every_estimator
@every_kind
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_labels_in_a_file(tmp_path, estimator, kind, dtype):
    hierarchy, X, Y = task(kind)
    Y = Y.astype(dtype)
    if dtype.startswith("float"):
        Y[np.random.default_rng(0).random(Y.shape) < 0.2] = np.nan
        Y = close_upward(Y, hierarchy)
    clfs = [build(estimator, hierarchy).fit(X, y) for y in (Y, on_disk(tmp_path, Y))]
    assert_same_fit(*clfs, X)


@every_estimator
def test_labels_that_are_not_closed_warn_alike(tmp_path, estimator):
    hierarchy, X, Y = task("many")
    Y = np.array(Y)
    Y[33:, :2] = 0  # far from the first block
    in_file, clfs, messages = on_disk(tmp_path, Y), [], []
    for y in (Y, in_file):
        with pytest.warns(UserWarning, match="not closed upward") as caught:
            clfs.append(build(estimator, hierarchy).fit(X, y))
        messages.append([str(w.message) for w in caught])
    assert_same_fit(*clfs, X)
    assert messages[0] == messages[1] and len(messages[0]) == 1


@every_estimator
@every_kind
def test_a_part_after_another(tmp_path, estimator, kind):
    hierarchy, X, Y = task(kind)
    files = on_disk(tmp_path, X), on_disk(tmp_path, Y)
    clfs = [build(estimator, hierarchy) for _ in range(2)]
    for rows in (slice(0, 25), slice(25, 50), slice(50, 60), slice(0, 60, 2)):
        for clf, (x, y) in zip(clfs, [(X, Y), files], strict=True):
            clf.partial_fit(x[rows], y[rows])
        assert is_in_file(files[0][rows])
    assert_same_fit(*clfs, X)


class Scribbling(torch.nn.Module):
    """An encoder of images that writes into its input."""

    def forward(self, X):
        means = X.flatten(2).mean(axis=2)
        X.zero_()
        return means


@every_estimator
@early
def test_an_encoder_cannot_write_into_the_file(tmp_path, estimator, early_stopping):
    hierarchy, X, Y = task("many")
    images = np.ones((60, 5, 2, 2), np.float32) * X[:, :, None, None]
    in_file = on_disk(tmp_path, images, "r+")
    clf = build(estimator, hierarchy, early_stopping=early_stopping)
    clf.set_params(encoder=Scribbling())
    clfs = [clone(clf).fit(x, Y) for x in (images, in_file)]
    assert_same_fit(*clfs, in_file)
    assert (in_file == images).all()


@every_estimator
def test_names_of_features_are_missed_once(tmp_path, estimator):
    hierarchy, X, Y = task("many")
    clf = build(estimator, hierarchy).fit(pd.DataFrame(X, columns=list("abcde")), Y)
    with pytest.warns(UserWarning, match="does not have valid feature names") as caught:
        clf.predict(on_disk(tmp_path, X))
    assert len(caught) == 1


def fit_in_a_worker(clf, X, Y):
    """Fit to what joblib hands over, and say what it was."""
    assert not X.flags.writeable
    return is_in_file(X), is_in_file(Y), clf.fit(X, Y).predict_proba(X)


@pytest.mark.slow
def test_the_files_of_joblib():
    hierarchy, X, Y = task("many")
    clfs = [build(estimator, hierarchy) for _, estimator in FAST]
    jobs = [delayed(fit_in_a_worker)(clf, X, Y) for clf in clfs]
    with parallel_config(backend="loky", inner_max_num_threads=1, max_nbytes=100):
        found = Parallel(n_jobs=2)(jobs)
    for clf, (x_in_file, y_in_file, proba) in zip(clfs, found, strict=True):
        assert x_in_file and y_in_file
        assert_same(proba, clf.fit(X, Y).predict_proba(X))


@pytest.mark.parametrize(
    "clf",
    [
        CoherentClassifier(LogisticRegression()),
        HierarchicalThresholdClassifier(baseline(), cv=KFold(2)),
        HierarchicalCalibratedClassifier(baseline(), cv=KFold(2)),
    ],
    ids=["coherent", "threshold", "calibrated"],
)
def test_classifiers_around_others(tmp_path, clf):
    hierarchy, X, Y = task("many")
    files = on_disk(tmp_path, X), on_disk(tmp_path, Y)
    clfs = [build(clf, hierarchy).fit(x, y) for x, y in ((X, Y), files)]
    assert_same(clfs[0].predict(X), clfs[1].predict(files[0]))
    assert clfs[0].score(X, Y) == clfs[1].score(*files)


# -- the same messages -----------------------------------------------------------------


@every_estimator
@pytest.mark.parametrize("what", ["NaN", "text"])  # all others in tests/test_check_X.py
def test_a_wrong_X_is_an_error_of_the_same_words(tmp_path, estimator, what):
    hierarchy, X, Y = task("many")
    wrong = WRONG_X[what][0](X)
    clf = build(estimator, hierarchy).fit(X, Y)
    in_file, said = on_disk(tmp_path, wrong), []
    for x in (wrong, in_file):
        for method in (clf.predict, lambda x: clone(clf).fit(x, Y)):
            with pytest.raises(ValueError) as error:
                method(x)
            said.append(str(error.value))
    assert said[:2] == said[2:]


@every_estimator
def test_another_width_is_an_error(tmp_path, estimator):
    hierarchy, X, Y = task("many")
    clf = build(estimator, hierarchy).fit(X, Y)
    in_file = on_disk(tmp_path, X)
    with pytest.raises(ValueError, match="X has 3 features, but .* is expecting 5"):
        clf.predict(in_file[:, :3])
    with pytest.raises(ValueError, match=r"numbers of samples: \[60, 59\]"):
        clf.fit(in_file, Y[:59])


@every_estimator
@pytest.mark.parametrize("value", [2, "yes"])
def test_wrong_labels_are_an_error_of_the_same_words(tmp_path, estimator, value):
    hierarchy, X, Y = task("many")
    Y = Y.astype("U8" if isinstance(value, str) else Y.dtype)
    Y[50, 3] = value
    said = []
    for y in (Y, on_disk(tmp_path, Y)):
        with pytest.raises(ValueError, match="Expected Y to hold 0, 1 or NaN") as error:
            build(estimator, hierarchy).fit(X, y)
        said.append(str(error.value))
    assert said[0] == said[1]


# -- memory ----------------------------------------------------------------------------

LIMITED = """
import resource, warnings
import numpy as np
from pathlib import Path
from skhmc import {kind}
from skhmc._data.targets import read_targets

def in_file(name, dtype, shape):
    array = np.lib.format.open_memmap(name, "w+", dtype, shape)  # zeros: no room taken
    array[::64, 0] = 1
    array.flush()
    return np.load(name, mmap_mode="r")

def allow(n_bytes):
    status = Path("/proc/self/status").read_text().splitlines()
    (used,) = (line.split()[1] for line in status if line.startswith("VmData"))
    resource.setrlimit(resource.RLIMIT_DATA, (int(used) * 1024 + n_bytes,) * 2)

def fails(function):
    try:
        function()
    except MemoryError:
        return True

options = {{"hidden_layer_sizes": (4,), "batch_size": 256, "max_iter": 1}}
options |= {{"device": "cpu", "random_state": 0}}
warnings.simplefilter("ignore")  # labels without positives
few = np.eye(8, dtype=np.float32)
{kind}(**options).fit(few, few)  # what is loaded only once
"""

X_IN_FILE = """
Y = np.ones((2**14, 1)) * [1, 0]
files = in_file("X", "float32", (2**14, 2**11)), in_file("x", "uint8", (2**14, 2**12))
allow(120 * 2**20)  # of 128 MiB and 256 MiB
for X in files:
    assert fails(lambda: X.astype(np.float32))
    {kind}(early_stopping=True, **options).fit(X, Y)
    clf = {kind}(**options).partial_fit(X, Y)
    print(clf.predict_proba(X).shape)
"""

Y_IN_FILE = """
Y = in_file("Y", "uint8", (2**14, 2**12))
allow(200 * 2**20)
assert fails(lambda: Y.astype(np.float32))
found = read_targets(Y, None).Y
print(found.nnz, found.shape)
"""

limited = pytest.mark.skipif(sys.platform != "linux", reason="limits private memory")


@limited
@pytest.mark.parametrize(
    "estimator",
    [
        NETWORKS[0],
        # all go through the same batches, which is shown by one in the fast suite
        *(
            pytest.param(*n.values, id=n.id, marks=pytest.mark.slow)
            for n in NETWORKS[1:]
        ),
    ],
)
@pytest.mark.slow
def test_features_need_no_memory(tmp_path, estimator):
    code = (LIMITED + X_IN_FILE).format(kind=type(estimator).__name__)
    assert run_python(code, tmp_path) == "(16384, 2)\n(16384, 2)"


@limited
@pytest.mark.slow
def test_labels_need_no_more_memory_than_the_positive_ones(tmp_path):
    code = (LIMITED + Y_IN_FILE).format(kind="MaxConstraintClassifier")
    assert run_python(code, tmp_path) == "256 (16384, 4096)"
