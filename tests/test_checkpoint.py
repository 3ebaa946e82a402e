"""Fits that go on from a checkpoint: the same bits, or an error that says why not."""

import json
import pickle
import re
import shutil
import subprocess
import sys
from collections import OrderedDict
from copy import deepcopy
from enum import Enum
from functools import lru_cache, partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from filelock import FileLock
from safetensors import safe_open
from sklearn.base import clone
from sklearn.metrics import accuracy_score, f1_score, make_scorer
from sklearn.model_selection import KFold, cross_val_predict
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    Freezer,
    LRScheduler,
    ProgressBar,
)
from torch.optim.lr_scheduler import ExponentialLR, ReduceLROnPlateau

from skhmc import Checkpoint, MaxConstraintClassifier
from skhmc._networks.fingerprint import _digest
from skhmc._networks.packing import pack, read_state, unpack, write_state
from skhmc._networks.skorch_net import Net
from tests.contract import assert_same, build, every_estimator, one_estimator, task

N_EPOCHS = 4
N_STEPS = 4  # of an epoch


class Died(Exception):
    """Stands for a kill."""


@pytest.fixture
def dying(monkeypatch):
    """Return a function that has training die after so many steps from now on."""
    left = [None]
    step = Net.train_step

    def train_step(net, batch, **params):
        if left[0] == 0:
            raise Died
        if left[0] is not None:
            left[0] -= 1
        return step(net, batch, **params)

    monkeypatch.setattr(Net, "train_step", train_step)

    def after(n_steps):
        left[0] = n_steps

    return after


def learnt(clf):
    """Return all that a fit leaves, without durations."""
    history = [{k: v for k, v in epoch.items() if k != "dur"} for epoch in clf.history_]
    net = clf.net_
    states = net.module_, net.criterion_, net.optimizer_
    return _digest([history, *(state.state_dict() for state in states)])


def assert_goes_on(dying, new, X, Y, folder, **given):
    """A fit that dies again and again ends as one that nothing happens to."""
    plain = new().fit(X, Y, **given)
    checkpoint = Checkpoint(folder)
    for n_steps in (N_STEPS + 1, 2 * N_STEPS - 1):
        dying(n_steps)
        with pytest.raises(Died):
            new().set_params(checkpoint=checkpoint).fit(X, Y, **given)
    dying(None)
    must = Checkpoint(folder, resume="must")
    clf = new().set_params(checkpoint=must).fit(X, Y, **given)
    assert learnt(clf) == learnt(plain)
    assert_same(clf.predict_proba(X), plain.predict_proba(X))
    assert clf.n_iter_ == plain.n_iter_
    return clf


def wide_task(n_features=1200):
    """Return the task with an X that is wide and empty."""
    hierarchy, X, Y = task("many")
    empty = sp.random(len(X), n_features, 0.005, "csr", random_state=0)
    return hierarchy, sp.csr_matrix(sp.hstack([X[:, :2], empty])), Y


def noisy_encoder():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(5, 6), torch.nn.BatchNorm1d(6), torch.nn.Dropout(0.3)
    )


# -- the same bits ---------------------------------------------------------------------

SIZES = {"batch_size": 15, "max_iter": N_EPOCHS}
SMALL = {"hidden_layer_sizes": (4,), "random_state": 0}


@every_estimator
def test_a_fit_that_died_ends_with_the_bits_of_one_that_did_not(
    estimator, dying, tmp_path
):
    hierarchy, X, Y = task("many")
    assert_goes_on(dying, partial(build, estimator, hierarchy, **SIZES), X, Y, tmp_path)
    names = sorted(path.suffix for path in tmp_path.iterdir())
    assert names == [".lock", ".safetensors"]  # nothing is left beside them


WAYS = {
    "paths": {},
    "sparse": {},
    "file": {},
    "sampled": {"n_sampled_labels": 2},
    "early_stopping": {"early_stopping": True, "n_iter_no_change": 2},
    "several": {"n_estimators": 2},
    "encoder": {},
    "sgd": {"optimizer": "sgd", "schedule": "constant"},
    "rmsprop": {"optimizer": torch.optim.RMSprop},
    "batches": {"schedule": ExponentialLR, "schedule__gamma": 0.9}
    | {"schedule__step_every": "batch"},
    "plateau": {"schedule": ReduceLROnPlateau, "schedule__monitor": "train_loss"}
    | {"schedule__patience": 0, "schedule__threshold": 1.0},
    "callbacks": {
        "callbacks": [
            LRScheduler(ExponentialLR, gamma=0.5, event_name=None),
            ("stop", EarlyStopping("train_loss", threshold=0.9, patience=2)),
            Freezer("encoder.*bias", at=1),
        ]
    },
    "doubles": {"precision": "float64"},
    "mixed": {"precision": "mixed"},
    "progress": {"verbose": 1},
    "weighting": {"task_weighting": "dwa"},
    "softmax": {"label_loss": "softmax"},
    "contrast": {"contrastive": "hmce"},
    "linear path": {"linear_path": True},
    "path of sparse": {"linear_path": True},
    "sparse sampled": {"n_sampled_labels": 2},
    "siblings": {"n_sampled_labels": (2, "siblings")},
    "all at once": {"class_weight": "balanced", "early_stopping": True}
    | {"n_iter_no_change": 2, "validation_fraction": 0.3},
}


ONLY = {
    "contrast": "contrastive",
    "weighting": "task_weighting",
    "softmax": "task_weighting",
}
ONLY |= {"several": "n_estimators"}


def data_of(way, tmp_path):
    """Return the hierarchy, X and Y of a way to train."""
    if "sparse" in way:
        return wide_task()
    hierarchy, X, Y = task("paths" if way in ("paths", "softmax") else "many")
    if way == "file":
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    return hierarchy, X, Y


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@every_estimator
def test_all_ways_to_train_go_on_with_the_same_bits(estimator, way, dying, tmp_path):
    if ONLY.get(way, "tol") not in estimator.get_params():
        pytest.skip("has no such parameter")
    hierarchy, X, Y = data_of(way, tmp_path)
    options = SIZES | WAYS[way]

    def new():
        if way != "encoder":
            return build(estimator, hierarchy, **options)
        encoder = noisy_encoder()
        torch.manual_seed(1)  # which it draws from
        return build(estimator, hierarchy, **SIZES, encoder=encoder)

    given = {}
    if way == "all at once":
        weights = np.random.default_rng(0).uniform(1, 2, size=len(Y))
        given = {"sample_weight": weights, "groups": np.arange(len(Y)) // 2}
    clf = assert_goes_on(dying, new, X, Y, tmp_path / "checkpoints", **given)
    assert "sparse" not in way or clf.net_.module_.takes_sparse


@one_estimator
def test_a_fit_of_drawn_seeds_goes_on_with_these(estimator, dying, tmp_path):
    hierarchy, X, Y = task("many")
    state = np.random.get_state()
    try:
        np.random.seed(0)
        new = partial(build, estimator, hierarchy, random_state=None, **SIZES)
        plain = new().fit(X, Y)
        np.random.seed(0)
        dying(N_STEPS + 1)
        with pytest.raises(Died):
            new(checkpoint=Checkpoint(tmp_path)).fit(X, Y)
        dying(None)
        np.random.seed(1)
        clf = new(checkpoint=Checkpoint(tmp_path, resume="must")).fit(X, Y)
    finally:
        np.random.set_state(state)
    assert learnt(clf) == learnt(plain)


@one_estimator
def test_a_random_state_goes_on_where_it_would_be(estimator, dying, tmp_path):
    hierarchy, X, Y = task("many")

    def fit_both(checkpoint):
        state = np.random.RandomState(0)
        clf = build(estimator, hierarchy, checkpoint=checkpoint, **SIZES)
        clf.set_params(random_state=state)
        return [learnt(clf.fit(X, Y)) for _ in range(2)]

    plain = fit_both(None)
    assert plain[0] != plain[1]
    dying(N_EPOCHS * N_STEPS + N_STEPS + 1)  # in the second fit
    with pytest.raises(Died):
        fit_both(Checkpoint(tmp_path))
    dying(None)
    with pytest.warns(UserWarning, match="holds this fit, which was finished"):
        assert fit_both(Checkpoint(tmp_path)) == plain


@one_estimator
def test_a_warm_start_goes_on_only_from_its_own_weights(estimator, dying, tmp_path):
    hierarchy, X, Y = task("many")
    before = build(estimator, hierarchy, warm_start=True, **SIZES).fit(X, Y)

    def new():
        return pickle.loads(pickle.dumps(before))

    assert_goes_on(dying, new, X, Y, tmp_path)
    other = new().fit(X, Y).set_params(checkpoint=Checkpoint(tmp_path, resume="must"))
    with pytest.raises(FileNotFoundError, match="weights that warm_start starts from"):
        other.fit(X, Y)


def test_a_checkpoint_changes_nothing_of_a_fit(tmp_path):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, max_iter=2, **SMALL)
    plain = clone(clf).fit(X, Y)
    kept = clone(clf).set_params(checkpoint=Checkpoint(tmp_path)).fit(X, Y)
    assert learnt(kept) == learnt(plain)
    assert kept.net_.keeper is None
    assert len(pickle.dumps(kept.net_)) == len(pickle.dumps(plain.net_))


# -- when and what is written ----------------------------------------------------------


def epochs_in(folder):
    (path,) = folder.glob("*.safetensors")
    head, state = read_state(path, "cpu")
    return len(state["history"]), head["finished"]


@pytest.mark.parametrize("every, kept", [(1, 3), (2, 2), (3, 3), (5, None)])
def test_at_most_one_interval_is_lost(every, kept, dying, tmp_path):
    hierarchy, X, Y = task("many")
    clf = build(MaxConstraintClassifier(), hierarchy, hidden_layer_sizes=(4,), **SIZES)
    clf.set_params(checkpoint=Checkpoint(tmp_path, every=every), random_state=0)
    dying(3 * N_STEPS + 2)
    with pytest.raises(Died):
        clone(clf).fit(X, Y)
    if kept is None:
        assert not list(tmp_path.glob("*.safetensors"))
    else:
        assert epochs_in(tmp_path) == (kept, False)
    dying(None)
    clone(clf).fit(X, Y)
    assert epochs_in(tmp_path) == (N_EPOCHS, True)


def test_an_interrupted_fit_goes_on_too(dying, tmp_path, monkeypatch):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, **SMALL, **SIZES)
    plain = clone(clf).fit(X, Y)
    clf.set_params(checkpoint=Checkpoint(tmp_path))
    monkeypatch.setattr("tests.test_checkpoint.Died", KeyboardInterrupt)
    dying(2 * N_STEPS + 1)
    with pytest.raises(KeyboardInterrupt):
        clf.fit(X, Y)
    assert clf.n_iter_ == 2
    dying(0)
    with pytest.raises(KeyboardInterrupt) as caught:  # in its first step
        clf.fit(X, Y)
    assert "after 2 of 4 epochs" in caught.value.__notes__[0] and clf.n_iter_ == 2
    dying(None)
    assert learnt(clf.fit(X, Y)) == learnt(plain)


def test_the_old_file_stays_when_writing_fails(dying, tmp_path, monkeypatch):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, **SMALL, **SIZES)
    clf.set_params(checkpoint=Checkpoint(tmp_path))
    dying(N_STEPS + 1)
    with pytest.raises(Died):
        clf.fit(X, Y)
    dying(None)
    (path,) = tmp_path.glob("*.safetensors")
    before = path.read_bytes()

    def half(arrays, where):
        where.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr("skhmc._networks.packing.save_file", half)
    message = r"cannot be written after epoch 2 .No space left on device\)\. The one"
    with pytest.raises(OSError, match=message):
        clf.fit(X, Y)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2  # and its lock


def test_what_cannot_be_written_is_said(tmp_path):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, max_iter=1, **SMALL)
    clf.set_params(checkpoint=Checkpoint(tmp_path)).fit(X, Y)
    (path,) = tmp_path.glob("*.safetensors")
    path.unlink()
    path.with_name(f"{path.name}.part").mkdir()  # of safetensors, not of Python
    with pytest.raises(OSError, match=r"cannot be written after epoch 1 .*Make room"):
        clf.fit(X, Y)


def test_a_finished_fit_is_taken_as_it_is_and_said(tmp_path):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, early_stopping=True, **SMALL)
    clf.set_params(n_iter_no_change=1, schedule="constant", **SIZES)
    clf.set_params(checkpoint=Checkpoint(tmp_path), max_iter=40)
    first = clone(clf).fit(X, Y)
    assert first.n_iter_ < 40
    with pytest.warns(UserWarning, match="nothing is trained. Set resume='never'"):
        again = clone(clf).fit(X, Y)
    assert learnt(again) == learnt(first)
    assert_same(again.predict_proba(X), first.predict_proba(X))
    assert [epoch["dur"] for epoch in again.history_] == [
        epoch["dur"] for epoch in first.history_
    ]
    assert b"HeldOutScore" not in pickle.dumps(again)
    new = clone(clf).set_params(checkpoint=Checkpoint(tmp_path, resume="never"))
    assert learnt(new.fit(X, Y)) == learnt(first)
    assert new.history_[0]["dur"] != first.history_[0]["dur"]


def test_what_is_in_a_file_is_plain(tmp_path):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, max_iter=1, **SMALL)
    clf.set_params(checkpoint=Checkpoint(tmp_path), optimizer="adam").fit(X, Y)
    (path,) = tmp_path.glob("*.safetensors")
    with safe_open(path, framework="np") as file:
        json.loads(file.get_tensor("json").tobytes())
    assert (
        b"\x80\x04" not in path.read_bytes()[:8] and b"pickle" not in path.read_bytes()
    )


# -- whose a checkpoint is -------------------------------------------------------------


def test_fits_in_one_folder_do_not_meet(tmp_path):
    hierarchy, X, Y = task("many")
    clf = build(MaxConstraintClassifier(), hierarchy, hidden_layer_sizes=(4,), **SIZES)
    clf.set_params(random_state=0, max_iter=1)
    plain = cross_val_predict(clf, X, Y, cv=KFold(3), method="predict_proba")
    clf.set_params(checkpoint=Checkpoint(tmp_path))
    found = cross_val_predict(clf, X, Y, cv=KFold(3), method="predict_proba")
    assert_same(found, plain)
    assert len(list(tmp_path.glob("*.safetensors"))) == 3


def test_fits_of_one_kind_at_the_same_time_have_a_file_each(tmp_path):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, max_iter=1, **SMALL)
    clf.set_params(checkpoint=Checkpoint(tmp_path)).fit(X, Y)
    (path,) = tmp_path.glob("*.safetensors")
    before = path.read_bytes()
    with FileLock(path.with_suffix(".lock")):
        clone(clf).fit(X, Y)  # as where the other is running
        must = clone(clf).set_params(checkpoint=Checkpoint(tmp_path, resume="must"))
        with pytest.warns(UserWarning, match=r"-2.safetensors' holds this fit"):
            must.fit(X, Y)
        path.with_name(f"{path.stem}-2.safetensors").unlink()
        with pytest.raises(FileNotFoundError, match="in use by another one"):
            must.fit(X, Y)
    assert path.read_bytes() == before


@pytest.fixture
def one(tmp_path):
    """Return a fit that is in a folder, and X and Y."""
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, max_iter=1, **SMALL)
    clf.set_params(checkpoint=Checkpoint(tmp_path, resume="auto")).fit(X, Y)
    return clf.set_params(checkpoint=Checkpoint(tmp_path, resume="must")), X, Y


def test_must_names_what_differs(one, tmp_path):
    clf, X, Y = one
    message = (
        r"no checkpoint of this fit. The nearest one differs: learning_rate_init is "
        r"0.1, there 0.001; tol is 0.2, there 0.0001. Give what it was fitted with"
    )
    with pytest.raises(FileNotFoundError, match=message):
        clone(clf).set_params(learning_rate_init=0.1, tol=0.2).fit(X, Y)
    with pytest.raises(FileNotFoundError, match="X is 59 x 5 values of float32, there"):
        clf.fit(X[:-1], Y[:-1])
    changed = X.copy()
    changed[3, 2] += 1
    with pytest.raises(FileNotFoundError, match="float32, there other content"):
        clf.fit(changed, Y)
    with pytest.raises(FileNotFoundError, match="sample_weight is 60 x 1"):
        clf.fit(X, Y, sample_weight=np.arange(60))
    with pytest.raises(FileNotFoundError, match="optimizer__eps is 0.1, there nothing"):
        clone(clf).set_params(optimizer__eps=0.1).fit(X, Y)
    shutil.rmtree(tmp_path)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        clf.fit(X, Y)
    tmp_path.mkdir()
    with pytest.raises(FileNotFoundError, match="none of MaxConstraintClassifier"):
        clf.fit(X, Y)


def test_what_changes_nothing_is_no_difference(one):
    clf, X, Y = one
    hierarchy = clf.hierarchy
    labels = hierarchy.labels
    same = clone(clf).set_params(
        hierarchy=[(a, b) for a in labels for b in hierarchy.children_of(a)],
        tol=np.float64(1e-4),
        hidden_layer_sizes=[4],
    )
    named = pd.DataFrame(Y, columns=hierarchy.labels)
    with pytest.warns(UserWarning, match="holds this fit"):
        same.fit(np.asarray(X, dtype=np.float32).tolist(), named)


def test_other_versions_are_said_and_not_gone_on_from(one, monkeypatch, tmp_path):
    clf, X, Y = one
    monkeypatch.setattr("skhmc.__version__", "99.0")
    message = "The nearest one differs: version of skhmc is '99.0', there '0.1.0'"
    with pytest.raises(FileNotFoundError, match=re.escape(message)):
        clf.fit(X, Y)
    clf.set_params(checkpoint=Checkpoint(tmp_path))
    with pytest.warns(UserWarning, match="does not go on from it, since version of"):
        clf.fit(X, Y)
    assert len(list(tmp_path.glob("*.safetensors"))) == 2


def test_a_damaged_file_is_said(one, tmp_path):
    clf, X, Y = one
    (path,) = tmp_path.glob("*.safetensors")
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    head, state = read_state(path, "cpu")
    for length in [0, 7, 8, 100, *rng.integers(len(whole), size=5)]:
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match="cannot be read .* Remove it, or set"):
            clf.fit(X, Y)
    for place in rng.integers(len(whole) // 2, len(whole), size=8):
        turned = bytearray(whole)
        turned[place] ^= 1  # one bit of a weight, or of the JSON
        path.write_bytes(turned)
        with pytest.raises(ValueError, match="cannot be read .* Remove it, or set"):
            clf.fit(X, Y)
    for name in ("module", "history", "seeds", "optimizer"):
        write_state(path, head, {k: v for k, v in state.items() if k != name})
        with pytest.raises(ValueError, match="cannot be read .* Remove it, or set"):
            clf.fit(X, Y)
    write_state(path, head | {"identity": {}}, state)
    with pytest.raises(ValueError, match="it is that of another fit"):
        clf.fit(X, Y)
    for wrong in ([], {"X": 3}, {"X": None}):
        write_state(path, head | {"identity": wrong}, state)
        with pytest.raises(ValueError, match="cannot be read .* Remove it, or set"):
            clf.fit(X, Y)
        with pytest.raises(FileNotFoundError, match="no checkpoint of this fit"):
            clone(clf).set_params(tol=1.0).fit(X, Y)
    path.write_bytes(b"")
    with pytest.raises(FileNotFoundError, match="no checkpoint of this fit"):
        clone(clf).set_params(tol=1.0).fit(X, Y)
    clf.set_params(checkpoint=Checkpoint(tmp_path, resume="never")).fit(X, Y)
    assert epochs_in(tmp_path) == (1, True)


FUNCTION = "lambda logits, targets: logits"


@pytest.mark.slow  # it imports torch twice
def test_digests_are_those_of_any_process():
    values = "[{'b': 1, 'a': (2.5, None)}, {'x', 'y', 'z'}, torch.nn.Linear, sum, "
    values += f"np.arange(3), torch.arange(3), {FUNCTION}, np.float64, torch.float32]"
    code = "import sys, numpy as np, torch\n"
    code += "from skhmc._networks.fingerprint import _digest\n"
    code += f"print(_digest({values}))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in "12"
    }
    assert len(found) == 1


def test_digests_tell_what_differs():
    class Given:
        def __init__(self, value):
            self.value = value
            self.learnt_ = object()

    layers = [torch.nn.Linear(2, 2) for _ in range(2)]
    circle = Given(1)
    circle.value = circle
    values = [1, 1.5, "1", True, None, [1], [[1]], [1, 1], {1: 1}, {1: 2}, {"1": 1}]
    values += [np.arange(3), np.arange(3.0), np.arange(3)[::-1], np.array(["a"])]
    values += [sp.eye(3, format="csr"), torch.arange(3), torch.arange(3.0), *layers]
    values += [Given(1), Given(2), circle, partial(sum, 1), partial(sum, 2), sum]
    values += [lambda x: x, lambda x: x + 1, lambda x: x + 2, (lambda y: lambda: y)(1)]
    values += [np.random.RandomState(0), np.random.RandomState(1), torch.nn.ReLU]
    values += [range(3), {1, 2}, {1, 3}, torch.ones(2, dtype=torch.bfloat16)]
    found = [_digest(value) for value in values]
    assert len(set(found)) == len(found)
    assert _digest(Given(1)) == _digest(Given(1))
    assert _digest({1: 1, 2: 2}) == _digest({2: 2, 1: 1})
    assert _digest((1, np.int64(2))) == _digest([1, 2])
    assert _digest(np.asfortranarray(np.eye(3))) == _digest(np.eye(3))


def written(kind, text="value"):
    """Return what is written anew under one name, as in a notebook."""
    scope = {"__name__": "__main__", "torch": torch}
    exec(f"P = {text}\ndef inner(n): return P * n\n{KINDS[kind]}", scope)
    return scope["make"]


KINDS = {
    "a constant": "def make(n): return torch.nn.Dropout(P)",
    "a function it calls": "def make(n): return torch.nn.Dropout(inner(n))",
    "a lambda in it": "def make(n): return (lambda: P)()",
    "a class it makes": "class C:\n def go(self): return P\ndef make(): return C()",
    "a class": "class make(torch.nn.Module):\n def go(self): return P",
    "a property": "class make:\n @property\n def go(self): return inner(1)",
    "a base": "class A:\n p = P\nclass make(A): pass",
    "a method that calls super": (
        "class make:\n def __init__(self): super().__init__(); self.p = P"
    ),
    "an object": "class C:\n def go(self): return P\nmake = C()",
    "functions that call one another": (
        "def f(n): return make(n) + P\ndef make(n): return f(n - 1)"
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_digests_tell_code_that_was_written_anew(kind):
    assert _digest(written(kind, "1")) == _digest(written(kind, "1"))
    assert _digest(written(kind, "1")) != _digest(written(kind, "2"))
    assert _digest(written(kind, "[1, {'a': 1}]")) != _digest(written(kind, "[1]"))


def test_digests_tell_what_objects_keep_to_themselves():
    class Colour(Enum):
        RED = 1
        BLUE = 2

    class Scales(torch.nn.Module):
        def __init__(self, by):
            super().__init__()
            self._by = by

    @lru_cache
    def cached(x):
        return x

    def named(*names):
        layers = {"a": torch.nn.Flatten(), "b": torch.nn.ReLU()}
        return torch.nn.Sequential(OrderedDict((n, layers[n]) for n in names))

    hooked = torch.nn.ReLU()
    hooked.register_forward_hook(lambda module, inputs, output: 2 * output)
    linear = torch.nn.Linear(2, 2)
    pairs = [
        (Colour.RED, Colour.BLUE),
        (make_scorer(f1_score), make_scorer(accuracy_score)),
        (cached, lru_cache(lambda x: x + 1)),
        (linear, deepcopy(linear).requires_grad_(False)),
        (named("a", "b"), named("b", "a")),
        (torch.nn.ReLU(), hooked),
        (Scales(1), Scales(2)),
        ("a".join, "b".join),
    ]
    for one, other in pairs:
        assert _digest(one) == _digest(deepcopy(one))
        assert _digest(one) != _digest(other)


def test_an_encoder_that_is_frozen_now_is_another_one(tmp_path):
    hierarchy, X, Y = task("many")
    encoder = torch.nn.Linear(5, 3)
    clf = MaxConstraintClassifier(hierarchy, encoder=encoder, random_state=0, **SIZES)
    clf.set_params(checkpoint=Checkpoint(tmp_path)).fit(X, Y)
    encoder.requires_grad_(False)
    assert clf.fit(X, Y).history_  # without the warning that nothing is trained
    assert torch.equal(clf.net_.module_.encoder.weight, encoder.weight)


def test_an_x_in_a_file_is_looked_at_in_a_thousand_rows(tmp_path):
    from skhmc._data.X import FileRows

    rows = np.arange(5000.0)[:, None] * np.ones(3)
    np.save(tmp_path / "X.npy", rows)
    X = np.load(tmp_path / "X.npy", mmap_mode="r+")
    before = _digest(FileRows(X, "float32"))
    X[2] += 1  # between two that are looked at
    assert _digest(FileRows(X, "float32")) == before
    X[0] += 1
    assert _digest(FileRows(X, "float32")) != before
    assert _digest(FileRows(X[:4999], "float32")) != before


# -- what is refused -------------------------------------------------------------------


class Forgets(Callback):
    """Knows something that it cannot say."""


class Knows(Callback):
    """Says what it knows."""

    def on_train_begin(self, net, **kwargs):
        self.seen_ = 0

    def on_epoch_end(self, net, **kwargs):
        self.seen_ += 1

    def state_dict(self):
        return {"seen": self.seen_}

    def load_state_dict(self, state):
        self.seen_ = state["seen"]


def test_callbacks_that_cannot_save_their_state_are_refused_beforehand(dying, tmp_path):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, checkpoint=Checkpoint(tmp_path / "new"))
    dying(0)
    for callback in (Forgets, Forgets(), ("name", Forgets()), ProgressBar()):
        with pytest.raises(InvalidParameterError, match="state_dict.*load_state_dict"):
            clf.set_params(callbacks=[callback]).fit(X, Y)
    dying(None)
    clf = build(clf, hierarchy, callbacks=[Knows()], **SMALL, **SIZES)
    clf.set_params(checkpoint=None)
    done = assert_goes_on(dying, lambda: clone(clf), X, Y, tmp_path / "other")
    assert dict(done.net_.callbacks_)["Knows"].seen_ == N_EPOCHS


def test_partial_fit_refuses_a_checkpoint(tmp_path):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, checkpoint=Checkpoint(tmp_path))
    with pytest.raises(ValueError, match="partial_fit writes no checkpoints"):
        clf.partial_fit(X, Y)


class OddSGD(torch.optim.SGD):
    def step(self, closure=None):
        super().step(closure)
        for weight in self.param_groups[0]["params"]:
            self.state[weight]["odd"] = object()


def test_a_state_that_cannot_be_written_is_said_in_the_first_epoch(tmp_path):
    hierarchy, X, Y = task("many")
    clf = MaxConstraintClassifier(hierarchy, optimizer=OddSGD, schedule="constant")
    clf.set_params(checkpoint=Checkpoint(tmp_path))
    with pytest.raises(TypeError, match=r"cannot keep all.*\['odd'\] is <object"):
        clf.fit(X, Y)
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_parameter_that_cannot_be_told_from_others_is_said(tmp_path):
    hierarchy, X, Y = task("many")
    generator = (n for n in range(3))  # nobody can look into it
    clf = MaxConstraintClassifier(hierarchy, checkpoint=Checkpoint(tmp_path))
    clf.set_params(encoder=partial(torch.nn.Linear, 5, 3, generator))
    with pytest.raises(InvalidParameterError, match="encoder=.*Give it as a class"):
        clf.fit(X, Y)


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"folder": 3}, "'folder' .* path of a folder, got 3"),
        ({"folder": ""}, "'folder' .* got ''"),
        ({"every": 0}, "'every' .* at least 1, got 0"),
        ({"every": 1.5}, "'every' .* got 1.5"),
        ({"every": True}, "'every' .* got True"),
        ({"resume": "yes"}, "'resume' .* 'must', 'never'], got 'yes'"),
    ],
)
def test_wrong_values_of_a_checkpoint(wrong, message):
    with pytest.raises(InvalidParameterError, match=message):
        Checkpoint(**{"folder": "here", **wrong})
    with pytest.raises(InvalidParameterError, match="'checkpoint' parameter"):
        MaxConstraintClassifier(checkpoint="here").fit([[0.0], [1.0]], [[0], [1]])


# -- packing ---------------------------------------------------------------------------


def test_packed_values_come_back_as_they_were(tmp_path):
    values = {
        "plain": [None, True, 3, 2.5, "text", 2**70],
        "odd": [float("inf"), float("-inf"), float("nan"), -0.0],
        3: ({"a": ()}, [], {}),
        "numpy": [np.float32(0.1), np.int8(3), np.bool_(True), np.arange(3)],
        "order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "strided": np.arange(10)[::3],
        "empty": np.empty((0, 3)),
        "zero": torch.zeros(()),
        "half": torch.tensor([0.1, 1e30], dtype=torch.bfloat16),
        "turned": torch.arange(6).view(2, 3).t(),
        "bytes": torch.arange(4, dtype=torch.uint8),
    }
    write_state(tmp_path / "file", {"head": 1}, values)
    head, back = read_state(tmp_path / "file", "cpu")
    assert head == {"head": 1} and list(back) == list(values)
    assert repr(back) == repr(values) and _digest(back) == _digest(values)
    for name in ("half", "turned", "zero"):
        assert back[name].dtype == values[name].dtype
        assert back[name].shape == values[name].shape


@pytest.mark.parametrize(
    "value, message",
    [
        ({"a": [1, object()]}, r"\['a'\]\[1\] is <object"),
        (np.array(["a"]), "of the type ndarray"),
        (torch.eye(2).to_sparse(), "torch.sparse_coo"),
        (torch.zeros(2, dtype=torch.complex64), "torch.complex64"),
        ({1, 2}, "of the type set"),
        (1j, "of the type complex"),
    ],
)
def test_what_cannot_be_packed_is_named(value, message):
    with pytest.raises(TypeError, match=message):
        pack(value, {})


def test_an_unknown_kind_is_no_code():
    for wrong in ({"object": "os.system"}, {"float": 1, "array": "0"}, {"array": "0"}):
        with pytest.raises((KeyError, ValueError)):
            unpack(wrong, {}, "cpu")
