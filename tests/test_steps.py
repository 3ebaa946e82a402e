"""What a training step costs, and that it does not wait for a device.

torch's "meta" device stands for a GPU here: it raises where anything is read back. What
is sent there, and how, only a GPU can tell (test_gpu).
"""

import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from skorch.callbacks import EpochTimer, GradientNormClipping
from torch.utils._python_dispatch import TorchDispatchMode

import skhmc._networks.batches
from skhmc import HCALClassifier, Hierarchy, MaxConstraintClassifier
from skhmc._data.weights import max_positives_per_row
from skhmc._networks import hcal
from skhmc._networks.batches import SliceDataset
from skhmc.coherence import close_upward
from skhmc.nn.functional import class_means
from skhmc.nn.rows import RowAdamW
from tests.contract import NETWORKS, task
from tests.steps import CASES, every_case, fit_and_keep, fitted, steps

TWO_NETWORKS = pytest.param(
    HCALClassifier(
        hidden_layer_sizes=(8,), embedding_dim=4, n_estimators=2, random_state=0
    ),
    id="two networks",
)
constant_labels = pytest.mark.filterwarnings("ignore:Of [0-9]+ labels:UserWarning")


@pytest.fixture
def device(monkeypatch):
    """Return a device that raises when it is waited for, with room for everything."""
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda part: part)
    monkeypatch.setattr(skhmc._networks.batches, "_fits", lambda size, device: True)
    return "meta"


@every_case([*NETWORKS, TWO_NETWORKS])
def test_no_step_waits_for_the_device(estimator, case, device):
    clf, dataset = fitted(estimator, CASES[case])
    net = clf.net_
    if "aggregation" in CASES[case]:  # as fit says for a GPU
        for criterion in getattr(net.criterion_, "members", [net.criterion_]):
            labels = np.arange(net.module_.n_labels)
            groups = [labels[c] for c in criterion.tasks.classes]
            per_row = max_positives_per_row(dataset.arrays[1], dataset.columns, groups)
            criterion.max_means = [criterion.chunk * n for n in per_row]
    moved = dataset.move_to(device)
    assert moved.device.type == device
    assert len(list(steps(net, moved, device))) > 2


def test_what_stands_for_a_gpu_raises_when_it_is_waited_for(device):
    clf, dataset = fitted(HCALClassifier(hidden_layer_sizes=(4,)), {"aggregation": 0.5})
    assert clf.net_.criterion_.max_means is None  # on a CPU, where it is counted
    with pytest.raises(RuntimeError, match="cannot be called on meta tensors"):
        list(steps(clf.net_, dataset.move_to(device), device))


# -- bounds for what would be counted --------------------------------------------------


@pytest.mark.parametrize("permuted", [False, True])
def test_most_labels_of_a_row(permuted):
    Y = np.array([[1, 1, 0, 1, 0], [0, 1, 0, 0, np.nan], [0, 0, 0, 0, 0]])
    places = np.array([3, 0, 4, 1, 2]) if permuted else np.arange(5)
    inside = np.empty_like(Y)
    inside[:, places] = Y
    groups = [np.arange(2), np.arange(2, 5), np.array([0, 3, 4])]
    expected = [2, 1, 2]
    assert max_positives_per_row(inside, None, groups) == expected
    columns = places if permuted else None
    assert max_positives_per_row(sp.csr_matrix(Y), columns, groups) == expected


@pytest.mark.parametrize("most", [4, 6, 100])
def test_class_means_with_room_for_more(most):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(7, 2, generator=generator)
    member = (torch.rand(7, 6, generator=generator) < 0.2) * torch.arange(1.0, 8)[
        :, None
    ]
    found = []
    for room in (None, most):
        means, classes = class_means(features, member, 3, room)
        there = classes >= 0
        assert (means[~there] == 0).all()
        pairs = torch.cat([classes[there, None], means[there]], 1)
        found.append(sorted(pairs.tolist()))
    assert found[0] == found[1] and len(found[0]) > 3
    assert len(class_means(features, member, 3, most)[0]) == 3 * min(most, 6)


@pytest.mark.parametrize("permuted", [False, True])
def test_rows_of_a_sparse_matrix_on_a_device(permuted):
    rng = np.random.default_rng(0)
    Y = np.where(rng.random((9, 7)) < 0.3, rng.choice([1, np.nan], (9, 7)), 0.0)
    Y[4] = 0
    columns = rng.permutation(7) if permuted else None
    inside = np.empty_like(Y)
    inside[:, np.arange(7) if columns is None else columns] = Y
    data = np.zeros((9, 2)), sp.csr_matrix(Y)
    dataset = SliceDataset(*data, dtype=torch.float32, columns=columns)
    there = skhmc._networks.batches._PaddedRows(data[1], columns, torch.float32, "cpu")
    for rows in (slice(2, 6), torch.tensor([4, 0, 8]), torch.tensor([4])):
        _, (expected, _) = dataset.batch(rows, "cpu")
        assert torch.equal(there[rows].nan_to_num(-1), expected.nan_to_num(-1))
        at = rows if isinstance(rows, slice) else rows.numpy()
        np.testing.assert_array_equal(there[rows], inside[at])
    empty = skhmc._networks.batches._PaddedRows(
        sp.csr_matrix((3, 2)), None, torch.float32, "cpu"
    )
    assert torch.equal(empty[slice(1, 3)], torch.zeros(2, 2))


# -- cost ------------------------------------------------------------------------------


class Longest(TorchDispatchMode):
    """Notes the largest new tensor, and what was written into larger ones."""

    def __init__(self, size):
        super().__init__()
        self.size, self.too_large = size, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        given = [a for a in args if isinstance(a, torch.Tensor) and not a.is_sparse]
        stored = {a.untyped_storage().data_ptr() for a in given}
        for part in out if isinstance(out, tuple | list) else [out]:
            if not isinstance(part, torch.Tensor) or part.is_sparse:
                continue
            storage, name = part.untyped_storage(), func.overloadpacket.__name__
            writes = name.endswith("_") and name not in ("index_copy_", "index_fill_")
            if storage.data_ptr() not in stored or writes:
                if part.numel() > self.size:
                    self.too_large.append((name, tuple(part.shape)))
        return out


def many_labels(n_labels, n_samples=24):
    rng = np.random.default_rng(0)
    edges = [((k - 1) // 8, k) for k in range(1, n_labels)]
    hierarchy = Hierarchy.from_edges(edges, labels=range(n_labels))
    leaves = rng.choice(hierarchy.leaves, n_samples)
    ends = sp.csr_matrix(
        (np.ones(n_samples), (np.arange(n_samples), leaves)), (n_samples, n_labels)
    )
    return hierarchy, rng.normal(size=(n_samples, 3)), close_upward(ends, hierarchy)


SAMPLED = [
    HCALClassifier(embedding_dim=4, label_loss="bce", linear_head=True),
    HCALClassifier(embedding_dim=4, label_loss="bce", linear_head=False),
    MaxConstraintClassifier(class_weight="balanced"),
]


def too_long(clf, hierarchy, X, Y, weight=None):
    """Return what the second and the third step of a fit touched."""
    clf.set_params(hierarchy=hierarchy, max_iter=1, batch_size=8)
    clf.set_params(hidden_layer_sizes=(4,), n_sampled_labels=50)
    clf, dataset = fit_and_keep(clf, X, Y, sample_weight=weight)
    taken = steps(clf.net_, dataset, "cpu")
    next(taken)  # makes the optimizer's memory
    with Longest(4000) as longest:
        assert len(list(taken)) == 2
    return longest.too_large


@constant_labels
@pytest.mark.parametrize("clf", SAMPLED, ids=["linear head", "prototypes", "linear"])
def test_a_step_costs_as_much_as_the_labels_it_scores(clf):
    data = many_labels(20_000)
    clf = clone(clf)
    assert too_long(clf, *data) == []
    assert isinstance(clf.net_.optimizer_, RowAdamW)


@constant_labels
def test_weights_of_labels_are_cut_to_the_sample():
    hierarchy, X, Y = many_labels(20_000)
    weight = np.ones((len(X), 20_000), np.float32)
    assert too_long(clone(SAMPLED[-1]), hierarchy, X, Y, weight) == []


@constant_labels
@pytest.mark.parametrize("how", [deepcopy, lambda clf: pickle.loads(pickle.dumps(clf))])
def test_copies_of_what_is_partly_trained_by_samples_go_on_alike(how):
    hierarchy, X, Y = many_labels(200)
    clf = MaxConstraintClassifier(hierarchy, n_sampled_labels=5, random_state=0)
    clf.set_params(hidden_layer_sizes=(4,), batch_size=8).partial_fit(X, Y)
    again = how(clf)
    assert isinstance(again.net_.optimizer_, RowAdamW)
    for part in (clf, again):
        part.partial_fit(X, Y)
    np.testing.assert_array_equal(*(c.decision_function(X) for c in (clf, again)))


@constant_labels
def test_training_goes_on_with_and_without_samples():
    hierarchy, X, Y = many_labels(200)
    clf = MaxConstraintClassifier(hierarchy, random_state=0, hidden_layer_sizes=(4,))
    kinds = []
    for n_sampled in (None, 5, None):
        clf.set_params(n_sampled_labels=n_sampled).partial_fit(X, Y)
        optimizer = clf.net_.optimizer_
        kinds.append(type(optimizer))
        assert all(s["step"] == len(kinds) for s in optimizer.state.values())
    assert kinds == [torch.optim.AdamW, RowAdamW, torch.optim.AdamW]


@constant_labels
@pytest.mark.parametrize(
    "options",
    [
        {"optimizer": "adam"},
        {"optimizer": torch.optim.AdamW},
        {"optimizer__amsgrad": True},
        {"callbacks": [GradientNormClipping(1.0)]},
        {"callbacks": [("x", EpochTimer())], "callbacks__x": GradientNormClipping(1.0)},
    ],
    ids=["adam", "own", "amsgrad", "clipping", "clipping by name"],
)
def test_gradients_are_whole_where_something_else_may_want_them(options):
    hierarchy, X, Y = many_labels(200)
    clf = MaxConstraintClassifier(hierarchy, n_sampled_labels=5, max_iter=2, **options)
    clf.set_params(hidden_layer_sizes=(4,)).fit(X, Y)
    assert not isinstance(clf.net_.optimizer_, RowAdamW)
    assert not clf.net_.module_.row_gradients
    assert np.isfinite(clf.predict_proba(X)).all()


@constant_labels
def test_what_counts_long_tensors_sees_them():
    clf = clone(SAMPLED[-1]).set_params(optimizer="adam")
    assert len(too_long(clf, *many_labels(20_000))) > 4


@constant_labels
def test_rows_of_a_label_that_is_always_sampled_are_learnt_as_by_adamw():
    hierarchy, X, Y = many_labels(60)
    options = {"hidden_layer_sizes": (4,), "max_iter": 3, "precision": "float64"}
    options |= {"n_sampled_labels": 60, "random_state": 0, "batch_size": 8}
    options |= {"label_loss": "bce", "schedule": "constant"}
    found = []
    for optimizer in ("adamw", torch.optim.AdamW):
        clf = HCALClassifier(hierarchy, optimizer=optimizer, **options)
        if optimizer != "adamw":
            clf.set_params(optimizer__weight_decay=0.01)
        found.append(clf.fit(X, Y).decision_function(X))
    np.testing.assert_allclose(*found, rtol=1e-9)


def test_room_for_class_means_is_made_on_a_gpu_and_changes_no_result(monkeypatch):
    case = {"aggregation": 0.5, "one": True}
    counted, _ = fitted(HCALClassifier(hidden_layer_sizes=(4,), random_state=0), case)
    count = hcal._max_means

    def on_a_gpu(problem, settings, tasks):
        return count(problem, replace(settings, device="cuda"), tasks)

    monkeypatch.setattr(hcal, "_max_means", on_a_gpu)
    bounded, _ = fitted(HCALClassifier(hidden_layer_sizes=(4,), random_state=0), case)
    assert counted.net_.criterion_.max_means is None
    assert bounded.net_.criterion_.max_means == [32, 32]  # one label per row and level
    _, X, _ = task("paths")
    expected = counted.decision_function(X)
    np.testing.assert_allclose(bounded.decision_function(X), expected, rtol=1e-4)
