"""One fit on two processes: the weights of one process, or an error in both."""

import inspect
import os
import re
import signal
import socket
import subprocess
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import torch
import torch.distributed as dist
from sklearn.model_selection import GridSearchCV, KFold
from skorch.callbacks import Callback, EarlyStopping
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

import skhmc
import skhmc._data.X as X_module
from skhmc import Checkpoint, HCALClassifier, HyperbolicHMC, MaxConstraintClassifier
from skhmc._networks import distributed
from skhmc._networks.skorch_net import Net
from skhmc.coherence import close_upward
from skhmc.metrics import au_prc_scorer
from skhmc.nn.shards import LostProcess, Shards
from tests.contract import task
from tests.processes import Workers
from tests.train_in_processes import fit as fit_example
from tests.train_in_processes import learnt

pytestmark = pytest.mark.distributed

# 71 rows in 5 batches of 14 or 15: processes have 7 or 8 of them
N_ROWS = 71
SMALL = {"hidden_layer_sizes": (12,), "max_iter": 3, "batch_size": 15}
SMALL |= {"random_state": 0, "device": "cpu", "precision": "float64"}
EMBEDDED = {"embedding_dim": 6}
NETWORKS = {
    "hcal": partial(HCALClassifier, **SMALL, **EMBEDDED),
    "hyperbolic": partial(HyperbolicHMC, **SMALL, **EMBEDDED),
    "max": partial(MaxConstraintClassifier, **SMALL),
}
TOLERANCE = 1e-6


@pytest.fixture(scope="module")
def workers(tmp_path_factory):
    workers = Workers(2, tmp_path_factory.mktemp("group"))
    yield workers
    workers.stop()


# -- fits, in processes or not ---------------------------------------------------------


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def make_data(kind):
    """Return a hierarchy, X, Y and what else fit takes, by name."""
    hierarchy, X, Y = task("paths" if kind == "paths" else "many")
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(X), size=N_ROWS)
    X, Y = X[chosen] + rng.normal(size=(N_ROWS, X.shape[1])), Y[chosen].astype(float)
    given = {}
    if kind == "unknown":
        known = rng.random(Y.shape) > 0.1
        Y = close_upward(np.where(known, Y, np.nan), hierarchy)
    if kind == "weights":
        given["sample_weight"] = rng.random(N_ROWS)
    if kind == "label weights":
        given["sample_weight"] = rng.random(Y.shape) * (rng.random(Y.shape) > 0.1)
    if kind in ("sparse", "sparse Y"):
        Y = sp.csr_matrix(Y)
    if kind == "sparse":
        empty = sp.random(N_ROWS, 1200, 0.005, "csr", random_state=0)
        X = sp.csr_matrix(sp.hstack([X[:, :2], empty]))
    if kind == "classes":
        paths, X, Y = task("paths")
        names = np.array(paths.labels)
        hierarchy, Y = paths, names[[row.nonzero()[0].max() for row in Y]]
    return hierarchy, X, Y, given


def fit(name, kind, how="fit", **options):
    """Return what a fit learns of data of a kind."""
    hierarchy, X, Y, given = make_data(kind)
    clf = NETWORKS[name](hierarchy, **options)
    if how == "partial_fit":
        for rows in (slice(0, 40), slice(40, None)):
            clf.partial_fit(X[rows], Y[rows])
    elif how == "warm_start":
        clf.set_params(warm_start=True).fit(X, Y).fit(X[:50], Y[:50])
    else:
        clf.fit(X, Y, **given)
    return *learnt(clf), clf.predict_proba(X)


def fit_together(*args, **options):
    """Return what all processes together learn, each by itself."""
    with skhmc.distributed():
        return fit(*args, **options)


def assert_close(found, expected):
    for part, other in zip(found, expected, strict=True):
        if not isinstance(part, dict):
            part, other = {"proba": part}, {"proba": other}
        assert part.keys() == other.keys()
        for name, values in part.items():
            np.testing.assert_allclose(
                values, other[name], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name
            )


def assert_equal(found, expected):
    for part, other in zip(found, expected, strict=True):
        np.testing.assert_equal(part, other)


CASES = {
    "many": {},
    "paths": {"kind": "paths"},
    "unknown": {"kind": "unknown"},
    "weights": {"kind": "weights"},
    "label weights": {"kind": "label weights"},
    "sparse": {"kind": "sparse"},
    "sampled": {"kind": "sparse Y", "n_sampled_labels": 2},
    "sampled, sparse": {"kind": "sparse", "n_sampled_labels": 2},
    "class weights": {"class_weight": "balanced"},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 1},
    "parts": {"how": "partial_fit"},
    "linear path": {"kind": "sparse", "linear_path": True},
    "classes": {"kind": "classes"},
}
OTHERS = {
    "published": ("hcal", HCALClassifier.PUBLISHED),
    "published, paths": ("hcal", HCALClassifier.PUBLISHED | {"kind": "paths"}),
    "aggregation": ("hcal", {"kind": "unknown", "aggregation": (0.5, 4)}),
    "contrast": ("hcal", {"kind": "unknown", "contrastive": ("hmce", 0.1)}),
    "equal": ("hcal", {"task_weighting": "equal", "label_loss": "mcloss"}),
    "dwa": ("hcal", {"task_weighting": "dwa", "label_loss": "asl"}),
    "zlpr": ("hcal", {"kind": "label weights", "label_loss": "zlpr"}),
    "ensemble": ("hcal", {"n_estimators": 2, "aggregation": 0.5}),
    "siblings": ("max", {"kind": "sparse Y", "n_sampled_labels": (3, "siblings")}),
    "one batch": ("max", {"batch_size": None}),
    "one row": ("hcal", {"batch_size": 1, "max_iter": 1, "aggregation": 0.5}),
    "mcloss": ("max", {"label_loss": "mcloss"}),
    "warm start": ("hcal", {"how": "warm_start"}),
    "lbfgs": ("max", {"optimizer": torch.optim.LBFGS, "max_iter": 1}),
    "plateau": (
        "max",
        {"schedule": ReduceLROnPlateau, "schedule__monitor": "train_loss"}
        | {"schedule__patience": 0, "schedule__threshold": 1.0},
    ),
    "cascade": ("hyperbolic", {"mode": "cascade"}),
    "euclidean": ("hyperbolic", {"geometry": "euclidean"}),
}
EVERY = [
    pytest.param(name, given, id=f"{name}-{case}")
    for case, given in CASES.items()
    for name in NETWORKS
] + [pytest.param(*pair, id=f"{pair[0]}-{case}") for case, pair in OTHERS.items()]


@pytest.mark.parametrize("name, given", EVERY)
def test_two_processes_learn_what_one_does(workers, name, given):
    given = {"kind": "many", **given}
    one = fit(name, **given)
    first, second = workers.run(partial(fit_together, name, **given))
    assert_equal(first, second)
    assert_close(first, one)


def shared_ints(**options):
    """Return what a fit learns whose seeds nobody gave."""
    return fit_together("max", "many", random_state=None, **options)


def test_without_random_state_all_have_the_seeds_of_the_first(workers):
    first, second = workers.run(shared_ints)
    assert_equal(first, second)
    again, _ = workers.run(shared_ints)
    assert np.abs(first[2] - again[2]).max() > 1e-3  # others, in the next fit


# -- rows and messages -----------------------------------------------------------------


def rows_read(path):
    """Return which rows of a file every part of a fit reads."""
    X = np.load(path, mmap_mode="r")
    hierarchy, _, Y, _ = make_data("many")
    clf = NETWORKS["hcal"](hierarchy)
    read, checked = [], []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(X_module, "ENTRIES_PER_BLOCK", 10 * X.shape[1])
        patch.setattr(X_module, "check_array", lambda X, **_: checked.append(len(X)))
        plain = X_module.FileRows.read
        patch.setattr(
            X_module.FileRows,
            "read",
            lambda rows, numbers: (read.append(numbers), plain(rows, numbers))[1],
        )
        with skhmc.distributed():
            clf.fit(X, Y)
    return read, checked, learnt(clf)


def test_each_row_of_a_file_is_read_once(workers, tmp_path):
    _, X, _, _ = make_data("many")
    path = tmp_path / "X.npy"
    np.save(path, X)
    first, second = workers.run(rows_read, path)
    read = [np.concatenate(found[0][1:]) for found in (first, second)]  # [0]: digest
    assert abs(len(read[0]) - len(read[1])) <= 3 * 5
    for epoch in range(3):
        rows = [r[len(r) * epoch // 3 : len(r) * (epoch + 1) // 3] for r in read]
        assert sorted(np.concatenate(rows)) == list(range(N_ROWS))
    assert len(first[1]) + len(second[1]) == -(-N_ROWS // 10) - 1
    assert_equal(first[2], second[2])
    assert_close(first[2], fit("hcal", "many")[:2])


def messages(kind, n_labels, **options):
    """Return how many numbers every message of gradients has, and the weights."""
    hierarchy, X, Y, _ = make_data(kind)
    labels = [*hierarchy.labels, *range(n_labels)]
    more = sp.csr_matrix((N_ROWS, n_labels))
    Y = sp.csr_matrix(sp.hstack([Y, more]))
    hierarchy = skhmc.Hierarchy.from_edges(
        [(hierarchy.labels[a], hierarchy.labels[b]) for a, b in hierarchy.edges],
        labels=labels,
    )
    clf = NETWORKS["hcal"](hierarchy, linear_head=False, **options)
    sizes = []
    plain = Shards.add
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of labels without a positive
        patch.setattr(
            Shards,
            "add",
            lambda shards, x: (sizes.append(x.numel()), plain(shards, x))[1],
        )
        with skhmc.distributed():
            clf.fit(X, Y)
    return max(sizes), sum(w.numel() for w in clf.net_.module_.parameters())


def test_gradients_of_sampled_labels_travel_as_rows(workers):
    (n_sent, n_weights), _ = workers.run(
        partial(messages, "sparse Y", 2000, n_sampled_labels=10)
    )
    assert n_weights > 2000 * EMBEDDED["embedding_dim"]
    assert n_sent < 500


def test_gradients_of_features_travel_as_rows(workers):
    (n_sent, n_weights), _ = workers.run(
        partial(messages, "sparse", 20, linear_path=True, n_sampled_labels=None)
    )
    assert n_weights > 1200 * 20
    assert n_sent < n_weights / 4


def held_out_rows():
    hierarchy, X, Y, _ = make_data("many")
    sizes = []
    plain = Net.logits
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Net,
            "logits",
            lambda net, data: (sizes.append(len(data)), plain(net, data))[1],
        )
        with skhmc.distributed():
            NETWORKS["max"](hierarchy, early_stopping=True).fit(X, Y)
    return sizes


def test_each_held_out_row_is_scored_once(workers):
    first, second = workers.run(held_out_rows)
    assert [a + b for a, b in zip(first, second, strict=True)] == [7] * 3


# -- outside of the context ------------------------------------------------------------


def fit_by_oneself(rank):
    """Fit in one process of a group alone, and search in the other."""
    hierarchy, X, Y, _ = make_data("many")
    if dist.get_rank() == rank:
        return fit("hcal", "many")
    search = GridSearchCV(NETWORKS["max"](hierarchy), {"max_iter": [1, 2]}, cv=KFold(2))
    return search.fit(X, Y).best_params_


def test_without_the_context_nobody_waits(workers):
    found = workers.run(fit_by_oneself, 1)
    assert found[0]["max_iter"] in (1, 2)
    assert_equal(found[1], fit("hcal", "many"))


def search_together():
    hierarchy, X, Y, _ = make_data("many")
    search = GridSearchCV(
        NETWORKS["max"](hierarchy, max_iter=1),
        {"dropout": [0.0, 0.5]},
        cv=KFold(2),
        scoring=au_prc_scorer,
    )
    with skhmc.distributed() as processes:
        search.fit(X, Y)
    assert processes == (dist.get_rank(), 2)
    return search.cv_results_["mean_test_score"]


def test_a_search_in_the_context_shares_its_fits(workers):
    first, second = workers.run(search_together)
    np.testing.assert_array_equal(first, second)


def test_a_group_is_asked_for_by_name():
    with pytest.raises(RuntimeError, match="torchrun --nproc-per-node 2 train.py"):
        with skhmc.distributed():
            pass


def test_one_process_is_as_none_at_all(monkeypatch):
    port = free_port()
    told = {"RANK": 0, "WORLD_SIZE": 1, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    for name, value in told.items():
        monkeypatch.setenv(name, str(value))
    with skhmc.distributed() as processes:
        alone = fit("hcal", "many")
    assert processes == (0, 1)
    with skhmc.distributed():  # the same group
        assert_equal(fit("hcal", "many"), alone)
    assert_equal(fit("hcal", "many"), alone)
    with pytest.raises(ZeroDivisionError), skhmc.distributed():
        1 / 0  # noqa: B018
    assert not dist.is_initialized()
    with skhmc.distributed():  # another one
        assert dist.is_initialized()
    distributed._close()
    assert not dist.is_initialized()


# -- errors, in all processes ----------------------------------------------------------


def first_rows(X, Y):
    return X[:-1], Y[:-1]


def swap_rows(X, Y):
    X[:2] = X[1::-1].copy()
    return X, Y


def turn_labels(X, Y):
    Y[0] = 1 - Y[0].min()
    return X, Y


def lose_number(X, Y):
    X[3, 1] = np.nan
    return X, Y


def fit_what_differs(change, given, options):
    """Fit with other data and parameters in the second process."""
    hierarchy, X, Y, _ = make_data("many")
    if dist.get_rank() == 0:
        given = options = {}
    elif change is not None:
        X, Y = change(X.copy(), Y.copy())
    with skhmc.distributed():
        NETWORKS["hcal"](hierarchy, **options).fit(X, Y, **given)


class Diverges(Callback):
    """Changes a weight in one process alone."""

    def on_batch_end(self, net, **given):
        if dist.get_rank() == 1:
            next(net.module_.parameters()).data[0] += 1e-3


FORM = "71 x 5 values of float64"


@pytest.mark.parametrize(
    "change, given, options, expected",
    [
        (first_rows, {}, {}, f"where X is {FORM}, there 70 x 5 values of float64"),
        (swap_rows, {}, {}, f"process 0, where X is {FORM}, there other content"),
        (turn_labels, {}, {}, "where y is .* there other content"),
        (None, {"sample_weight": np.ones(N_ROWS)}, {}, "where sample_weight is None"),
        (None, {}, {"dropout": 0.1}, "where dropout is 'auto', there 0.1"),
        (
            None,
            {},
            {"checkpoint": Checkpoint("elsewhere")},
            "where checkpoint is None, there Checkpoint",
        ),
    ],
)
def test_what_differs_is_an_error_in_all_processes(
    workers, change, given, options, expected
):
    errors = workers.errors(fit_what_differs, change, given, options)
    for error in errors:
        assert isinstance(error, ValueError)
        assert re.search(expected, str(error)), error


def test_what_one_process_cannot_read_is_an_error_in_all(workers):
    first, second = workers.errors(fit_what_differs, lose_number, {}, {})
    assert str(first).startswith(
        "Process 0 stops, because process 1 of this fit raised"
    )
    assert "ValueError: Input X contains NaN" in str(first)
    assert isinstance(second, ValueError) and "contains NaN" in str(second)


def test_weights_that_differ_after_an_epoch_are_an_error(workers):
    fit = partial(fit_together, "hcal", "many", callbacks=[Diverges])
    for error in workers.errors(fit):
        assert "same weights: 'bias' differs after epoch 1" in str(error)


class StopsInOne(EarlyStopping):
    def __init__(self):
        super().__init__("train_loss", threshold=10, patience=1)

    def on_epoch_end(self, net, **given):
        if dist.get_rank() == 1:
            super().on_epoch_end(net, **given)


def test_where_a_callback_stops_one_process_all_stop(workers):
    first, second = workers.run(
        partial(fit_together, "max", "many", callbacks=[StopsInOne])
    )
    assert_equal(first, second)
    assert len(first[1]["train_loss"]) == 2


def own_encoder(normalised=False, noisy=False):
    torch.manual_seed(dist.get_rank())  # of what is drawn for own rows, too
    layers = [nn.Linear(5, 6), nn.ReLU()]
    if normalised:
        layers.insert(1, nn.BatchNorm1d(6))
    if noisy:
        layers.append(nn.Dropout(0.3))
    return nn.Sequential(*layers)


def test_encoders_start_from_the_weights_of_the_first(workers):
    given = {"encoder": own_encoder}
    first, second = workers.run(partial(fit_together, "max", "many", **given))
    assert_equal(first, second)


@pytest.mark.parametrize(
    "given, expected",
    [
        ({"encoder__normalised": True}, "the layer 'encoder.1', a BatchNorm1d, which"),
        (
            {"batch_size": 1},
            "smallest batch has 1 rows for 2 processes",
        ),
    ],
)
def test_encoders_that_cannot_be_shared_are_refused(workers, given, expected):
    given = {"encoder": own_encoder, **given}
    for error in workers.errors(partial(fit_together, "max", "many", **given)):
        assert expected in str(error)


# -- checkpoints -----------------------------------------------------------------------


class Died(Exception):
    """Stands for a kill of all processes."""


def fit_and_die(folder, n_steps, *args, **options):
    """Fit with checkpoints, and die after some steps, or not for None."""
    left = [n_steps]
    step = Net.train_step

    def train_step(net, batch, **given):
        if left[0] == 0:
            raise Died
        left[0] = None if left[0] is None else left[0] - 1
        return step(net, batch, **given)

    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fit that is finished
        patch.setattr(Net, "train_step", train_step)
        return fit_together(*args, checkpoint=Checkpoint(folder), **options)


@pytest.mark.parametrize(
    "given",
    [
        {"early_stopping": True, "n_iter_no_change": 9},
        {"kind": "sparse", "n_sampled_labels": 2},
        {"random_state": None},
        {"encoder": own_encoder, "encoder__noisy": True},
    ],
    ids=["stopping", "sampled", "no seed", "encoder"],
)
def test_a_fit_that_died_ends_with_the_same_bits(workers, tmp_path, given):
    given = {"kind": "many", **given}
    fit_on = partial(fit_and_die, **given)
    if "random_state" not in given:
        plain = workers.run(fit_on, tmp_path / "plain", None, "max")
    for n_steps in (6, 9):  # of 5 in an epoch
        for error in workers.errors(fit_on, tmp_path / "died", n_steps, "max"):
            assert isinstance(error, Died)
    first, second = workers.run(fit_on, tmp_path / "died", None, "max")
    if "random_state" in given:  # nobody knows what it would have been
        plain = workers.run(fit_on, tmp_path / "died", None, "max")
    assert_equal((first, second), plain)
    names = sorted(path.suffix for path in (tmp_path / "died").iterdir())
    assert names == [".lock", ".safetensors"]


def test_one_process_goes_on_where_two_stopped(workers, tmp_path):
    workers.errors(fit_and_die, tmp_path, 6, "max", "many")
    found = fit("max", "many", checkpoint=Checkpoint(tmp_path, resume="must"))
    assert_close(found, fit("max", "many"))


def fit_without_folder(folder):
    checkpoint = Checkpoint(folder, resume="must")
    return fit_together("max", "many", checkpoint=checkpoint)


def test_what_the_first_process_does_not_find_is_an_error_in_all(workers, tmp_path):
    first, second = workers.errors(fit_without_folder, tmp_path / "none")
    assert isinstance(first, FileNotFoundError)
    assert "process 0 of this fit raised FileNotFoundError" in str(second)


# -- kills -----------------------------------------------------------------------------


def killed_runs(folder, *kills):
    """Run a program by torchrun, which starts it again after every kill."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    launcher += ["--max-restarts", str(len(kills)), "--monitor-interval", "0.1"]
    program = Path(__file__).parent / "train_in_processes.py"
    command = [sys.executable, *launcher, str(program), str(folder), *kills]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [dict(np.load(folder / f"learnt-{rank}.npz")) for rank in (0, 1)]


def test_processes_that_were_killed_end_with_the_same_bits(workers, tmp_path):
    plain, _ = workers.run(fit_example, tmp_path / "plain")
    expected = plain[0] | {k: np.array(v) for k, v in plain[1].items()}
    # the second before there is a file, the first in a later epoch, the second again
    for found in killed_runs(tmp_path, "1:2", "0:8", "1:3"):
        np.testing.assert_equal(found, expected)
    assert len(list(tmp_path.glob("killed-*"))) == 3


def fit_and_fall_silent(how, rank):
    """Fit, and have one process killed, or stopped for good, in the second epoch."""
    left = [7]
    step = Net.train_step

    def train_step(net, batch, **given):
        left[0] -= 1
        if left[0] == 0 and dist.get_rank() == rank:
            os.kill(os.getpid(), how)
        return step(net, batch, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Net, "train_step", train_step)
        return fit_together("max", "many")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_who_waits_for_a_lost_process_is_told(tmp_path, how):
    workers = Workers(2, tmp_path, timeout=15)
    try:
        workers.start(fit_and_fall_silent, how, 1)
        error = workers.result(0, seconds=150)
    finally:
        workers.processes[1].kill()
        workers.stop()
    assert isinstance(error, LostProcess)
    assert "another process of this fit ended or does not answer" in str(error)
    assert "start all of them again: with checkpoint=" in str(error)


class SleepsAndFallsSilent(Callback):
    """Takes long at the end of an epoch, and stops for good in the second one."""

    def on_epoch_end(self, net, **given):
        if dist.get_rank() != SILENT:
            time.sleep(2 * TIMEOUT)
            print("slept", flush=True)

    def on_batch_end(self, net, training=False, **given):
        if len(net.history) == 2 and dist.get_rank() == SILENT:
            print(time.time(), flush=True)
            os.kill(os.getpid(), signal.SIGSTOP)


TIMEOUT = 5
SILENT = int(os.environ.get("SILENT", 0))


def fall_silent():
    """Fit in a process that a launcher started."""
    hierarchy, X, Y, _ = make_data("many")
    with skhmc.distributed(timeout=TIMEOUT):
        NETWORKS["max"](hierarchy, callbacks=[SleepsAndFallsSilent]).fit(X, Y)


@pytest.mark.parametrize("silent", [0, 1])  # the first one holds the store
def test_in_a_step_nobody_waits_as_long_as_between_steps(silent):
    env = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    env |= {"MASTER_PORT": str(free_port()), "SILENT": str(silent)}
    program = "from tests.test_distributed import fall_silent; fall_silent()"
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=env | {"RANK": str(rank)}, **pipes
        )
        for rank in range(2)
    ]
    lost, told = processes[silent], processes[1 - silent]
    try:
        began = float(lost.stdout.readline())
        out, err = told.communicate(timeout=120)
        waited = time.time() - began
    finally:
        lost.kill()
        lost.communicate()
    assert told.returncode == 1 and "LostProcess: Process" in err, err
    assert out == "slept\n"
    assert waited < TIMEOUT + 30  # of which most is the end of a process


def test_a_silent_machine_is_noticed_within_a_minute():
    given = inspect.signature(skhmc.distributed).parameters
    assert given["timeout"].default == 60


def test_the_example_runs(tmp_path):
    program = (
        Path(__file__).parents[1] / "examples" / "cluster" / "train_with_torchrun.py"
    )
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *launcher, str(program), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    score = re.fullmatch(r"2 processes, hierarchical F1 (0\.\d{3})\n", done.stdout)
    assert float(score[1]) > 0.7
    assert (tmp_path / "digits.skhmc").stat().st_size > 1e5
