"""What every estimator promises of devices and of images; GPUs are simulated here."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch import nn

import skhmc._networks.batches
from skhmc._networks.batches import SliceDataset
from skhmc._networks.label_sampling import LabelSampler
from skhmc._networks.optimizer_state import _moved
from skhmc._networks.skorch_net import _TensorFloat
from tests.contract import assert_same, build, every_estimator, task
from tests.instances import FAST

# storages are tagged as if they were on a GPU when they are saved
SAVE = """
import pickle, torch
clfs = pickle.load(open("plain.pkl", "rb"))
tag, put = lambda storage: "cuda:0", lambda storage, where: None
torch.serialization.register_package(0, tag, put)
for clf in clfs:
    clf.net_.device = "cuda"
pickle.dump([pickle.dumps(clf) for clf in clfs], open("gpu.pkl", "wb"))
"""
LOAD = """
import pickle, numpy
X, Y = numpy.load("X.npy"), numpy.load("Y.npy")
for number, stored in enumerate(pickle.load(open("gpu.pkl", "rb"))):
    clf = pickle.loads(stored)
    numpy.save(f"proba{number}.npy", clf.predict_proba(X))
    assert str(clf.net_.device) == "cpu"
    numpy.save(f"next{number}.npy", clf.partial_fit(X, Y).predict_proba(X))
"""


@pytest.mark.slow
def test_pickles_from_a_gpu_load_and_go_on_without_one(tmp_path):
    """All at once, since it takes two processes that import everything."""
    hierarchy, X, Y = task("many")
    np.save(tmp_path / "X.npy", X), np.save(tmp_path / "Y.npy", Y)
    clfs = [
        getattr(build(estimator, hierarchy), method)(X, Y)
        for _, estimator in FAST
        for method in ("fit", "partial_fit")
    ]
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(clfs))
    for code in (SAVE, LOAD):
        subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    for number, clf in enumerate(clfs):
        proba = np.load(tmp_path / f"proba{number}.npy")
        np.testing.assert_array_equal(proba, clf.predict_proba(X))
        after = np.load(tmp_path / f"next{number}.npy")
        expected = clf.partial_fit(X, Y).predict_proba(X)
        np.testing.assert_array_equal(after, expected)


@pytest.mark.parametrize("fused", [True, False])
def test_what_an_optimizer_knows_moves_to_another_device(fused):
    old = torch.nn.Parameter(torch.zeros(3))
    new = torch.nn.Parameter(torch.zeros(3, device="meta", dtype=torch.float64))
    memory = {"step": torch.tensor(2.0), "exp_avg": torch.ones(3), "other": [1]}
    memory |= {"half": torch.ones(3, dtype=torch.bfloat16), "name": "warm-up"}
    memory |= {"past": (torch.ones(3), None), "loss": old.sum()}
    moved = _moved(memory, old, new, {"fused": fused, "capturable": False})
    step, near = moved["step"], moved["exp_avg"]
    assert step.device.type == ("meta" if fused else "cpu")
    assert step.dtype == torch.float32
    assert near.device.type == "meta" and near.dtype == torch.float64
    assert moved["half"].device.type == "meta"
    assert moved["half"].dtype == torch.bfloat16
    past, none = moved["past"]
    assert past.device.type == "meta" and past.dtype == torch.float64 and none is None
    assert not moved["loss"].requires_grad and moved["name"] == "warm-up"
    assert moved["other"] == [1] and moved["other"] is not memory["other"]


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "mps", 3.5])
@every_estimator
def test_a_device_that_is_not_there_is_an_error(estimator, device):
    hierarchy, X, Y = task("many")
    with pytest.raises(ValueError, match="'auto'"):
        build(estimator, hierarchy, device=device).fit(X, Y)


# -- precision -------------------------------------------------------------------------


@every_estimator
def test_mixed_precision_is_nearly_the_same_and_predicts_in_full(estimator):
    hierarchy, X, Y = task("many")
    full, mixed, again = (
        build(estimator, hierarchy, precision=precision).fit(X, Y)
        for precision in ("float32", "mixed", "mixed")
    )
    decision = mixed.decision_function(X)
    np.testing.assert_allclose(decision, full.decision_function(X), atol=0.1)
    assert (decision != full.decision_function(X)).any()
    assert_same(decision, again.decision_function(X))
    for weight in mixed.net_.module_.parameters():
        assert weight.dtype == torch.float32
    mixed.precision = "float32"
    assert_same(mixed.decision_function(X), decision)
    bfloat16 = torch.from_numpy(decision).to(torch.bfloat16).float().numpy()
    assert (bfloat16 != decision).any()


@every_estimator
def test_a_cpu_multiplies_as_ever_with_tensor_float_32(estimator):
    hierarchy, X, Y = task("many")
    clf = build(estimator, hierarchy, precision="tf32").fit(X, Y)
    assert_same(clf.predict(X), build(estimator, hierarchy).fit(X, Y).predict(X))
    for unknown in ("half", "full"):
        message = f"'precision' parameter of .*'float64'.* '{unknown}'"
        with pytest.raises(ValueError, match=message):
            build(estimator, hierarchy, precision=unknown).fit(X, Y)
    with pytest.raises(
        ValueError, match="Invalid parameter 'dtype'"
    ):  # its former name
        build(estimator, hierarchy, dtype="float64")


def test_tensor_float_32_ends_with_the_last_of_several_fits():
    name, switch = _TensorFloat.name, torch.backends.cuda.matmul
    before = getattr(switch, name)
    first, second = _TensorFloat(), _TensorFloat()
    first.__enter__()
    during = getattr(switch, name)
    second.__enter__()
    first.__exit__(None, None, None)
    assert getattr(switch, name) == during != before
    second.__exit__(None, None, None)
    assert getattr(switch, name) == before


# -- images and sequences --------------------------------------------------------------


class Convolution(nn.Sequential):
    def __init__(self, input_shape, width=4):
        super().__init__(
            nn.Conv2d(input_shape[0], width, 3), nn.BatchNorm2d(width), nn.ReLU()
        )


class Recurrent(nn.Module):
    def __init__(self, input_shape):
        super().__init__()
        self.gru = nn.GRU(input_shape[-1], 8, batch_first=True)

    def forward(self, X):
        return self.gru(X)[1][0]


def make_convolution(input_shape):
    return Convolution(input_shape)


@pytest.mark.parametrize(
    "encoder, shape",
    [
        (Convolution, (2, 5, 5)),
        (Convolution((3, 4, 6)), (3, 4, 6)),
        (make_convolution, (1, 6, 4)),
        (Recurrent, (7, 3)),
    ],
    ids=["class", "instance", "factory", "sequences"],
)
@every_estimator
def test_encoders_of_every_kind_are_sized_from_the_data(estimator, encoder, shape):
    hierarchy, _, Y = task("many")
    X = np.random.default_rng(0).normal(size=(len(Y), *shape))
    before = pickle.dumps(encoder) if isinstance(encoder, nn.Module) else None
    clf = build(estimator, hierarchy, encoder=encoder).fit(X, Y)
    assert clf.predict_proba(X).shape == Y.shape
    clf.partial_fit(X[:20], Y[:20])
    assert_same(pickle.loads(pickle.dumps(clf)).predict(X), clf.predict(X))
    if before is not None:
        assert pickle.dumps(encoder) == before  # copied, not trained
    with pytest.raises(ValueError, match=r"samples of shape|features"):
        clf.predict(X[:, :, :-1])
    torch.manual_seed(0)
    one = build(estimator, hierarchy, encoder=encoder).fit(X, Y)
    torch.manual_seed(0)
    other = build(estimator, hierarchy, encoder=encoder).fit(X, Y)
    assert_same(one.predict_proba(X), other.predict_proba(X))


def test_arrays_move_to_a_device_where_they_fit(monkeypatch):
    asked = []

    def fits(size, device):
        asked.append(size)
        return room[0]

    monkeypatch.setattr(skhmc._networks.batches, "_fits", fits)
    X, Y = np.ones((4, 3), np.float32), np.ones((4, 2), np.float32)
    data, room = SliceDataset(X, Y, dtype=torch.float32), [True]
    moved = data.move_to("meta")
    assert asked == [X.nbytes + Y.nbytes]
    assert moved.device.type == "meta" and data.device.type == "cpu"
    assert data.move_to("cpu") is data and len(asked) == 1
    room[0] = False
    assert data.move_to("meta") is data  # is sent batch by batch


PLACES = {  # where X, Y and weights are then
    "all": ({}, "there there there"),
    "a sparse Y": ({"Y": sp.csr_matrix}, "there there there"),
    "a sparse X": ({"X": sp.csr_matrix}, "here there there"),
    "a sparse Y with a long row": (
        {"Y": lambda Y: sp.csr_matrix(Y * [[1], [0], [0], [0]]), "filled": 1.9},
        "there here here",
    ),
    "sampled labels": ({"sampler": True}, "there here here"),
    "sampled, all sparse": ({"X": sp.csr_matrix, "sampler": True}, "here here here"),
    "room for X": ({"room": 48}, "there here here"),
    "no room": ({"room": 47}, "here here here"),
    "room for Y alone": ({"X": sp.csr_matrix, "room": 64}, "here there there"),
}


@pytest.mark.parametrize("case", PLACES)
def test_what_moves_to_a_device(case, monkeypatch):
    (options, expected), as_is = PLACES[case], np.asarray
    room = options.get("room", 1000)
    monkeypatch.setattr(skhmc._networks.batches, "_fits", lambda size, _: size <= room)
    X, Y, weight = (np.ones((4, n), np.float32) for n in (3, 2, 2))
    monkeypatch.setattr(skhmc._networks.batches, "FILLED", options.get("filled", 8))
    arrays = options.get("X", as_is)(X), options.get("Y", as_is)(Y), weight
    sampler = LabelSampler(2, 1, torch.Generator()) if "sampler" in options else None
    data = SliceDataset(*arrays, dtype=torch.float32, sampler=sampler)
    moved = data.move_to("meta")
    kinds = torch.Tensor | skhmc._networks.batches._PaddedRows
    found = [isinstance(a, kinds) and a.device.type == "meta" for a in moved.arrays]
    assert found == [place == "there" for place in expected.split()]
    assert (moved is data) == (not any(found))
    assert moved.device.type == ("meta" if any(found) else "cpu")
