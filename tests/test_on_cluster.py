"""Fits and predictions on a real Dask cluster: equal to one process, whatever dies."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.naive_bayes import GaussianNB

import skhmc
from benchmarks.soak_parts.killed_workers import KINDS, PATIENT, Killed
from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalVotingClassifier,
    Hierarchy,
    KernelHMC,
)
from skhmc._scale.on_dask import explained
from skhmc.coherence import close_upward

# sockets of Dask's that are not closed by hand
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
REPOSITORY = Path(__file__).parents[1]
H = Hierarchy.from_paths(["a/b", "a/c", "d", "e/f", "e/g"])
# this process, also where a worker imports this file
HERE = int(os.environ.setdefault("SKHMC_TEST_PROCESS", str(os.getpid())))
N_KILLS = 3
WAIT = 200  # seconds for a worker that is started again, on a machine that is busy

rng = np.random.default_rng(0)
X = rng.normal(size=(240, 1000))
Y = close_upward((X[:, :40] @ rng.normal(size=(40, 7)) > 3).astype(float), H)
LINEAR = CoherentClassifier(
    LogisticRegression(C=0.01, max_iter=200), H, strategy="per_label"
)
BAYES = CoherentClassifier(GaussianNB(), H)
NET = HCALClassifier(
    H,
    hidden_layer_sizes=(8,),
    embedding_dim=4,
    max_iter=2,
    device="cpu",
    random_state=0,
)


class Stays(GaussianNB):
    """A classifier that no pickle can hold."""

    def __reduce_ex__(self, protocol):
        raise TypeError("I hold a file that is open.")


# -- without a cluster -----------------------------------------------------------------


def test_there_has_to_be_a_client():
    with pytest.raises(ValueError, match="on_dask found no client of a Dask cluster"):
        with skhmc.on_dask():
            pass


def test_dask_has_to_be_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'on_dask needs .*"skhmc\[scale\]"'):
        with skhmc.on_dask():
            pass


def test_what_workers_die_of_is_explained():
    from distributed import KilledWorker

    last = SimpleNamespace(address="tcp://host:1")
    error = explained(KilledWorker(task="fit-1", last_worker=last, allowed_failures=3))
    assert isinstance(error, RuntimeError) and isinstance(error.__cause__, KilledWorker)
    for text in ("fit-1", "memory_limit=", "threads_per_worker=1", "allowed-failures"):
        assert text in str(error)
    other = ValueError("no")
    assert explained(other) is other


# -- on a cluster of two processes -----------------------------------------------------


@pytest.fixture(scope="module")
def client():
    """A client of a cluster of two workers, each a process with one thread."""
    import dask
    from distributed import Client, LocalCluster

    # what a library of the cluster warns of while it starts and ends is not ours
    with (
        dask.config.set(PATIENT),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as made,
        Client(made) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def sent(client):
    """A list of one number: bytes that this process, with the scheduler, has sent."""
    from distributed.comm.tcp import TCP

    total = [0]
    write = TCP.write

    async def counted(self, *args, **options):
        n_bytes = await write(self, *args, **options)
        total[0] += n_bytes or 0
        return n_bytes

    TCP.write = counted
    yield total
    TCP.write = write


def search(**options):
    grid = {"tol": [1e-3, 1e-4]}
    return GridSearchCV(NET, grid, cv=KFold(3), **options).fit(X, Y)


def vote():
    members = [("net", NET), ("linear", LINEAR), ("bayes", BAYES)]
    clf = HierarchicalVotingClassifier(members, H, weights="cv", cv=KFold(2))
    return clf.fit(X, Y).predict_proba(X)


JOBS = {
    "GridSearchCV": lambda: search().cv_results_["mean_test_score"],
    "cross_val_score": lambda: cross_val_score(LINEAR, X, Y, cv=KFold(4)),
    "per label": lambda: LINEAR.fit(X, Y).predict_proba(X),
    "vote": vote,
}


@pytest.mark.distributed
@pytest.mark.parametrize("name", JOBS)
def test_results_are_those_of_one_process_and_data_travel_once(name, client, sent):
    client.wait_for_workers(2, timeout=WAIT)
    expected = JOBS[name]()
    sent[0] = 0
    with skhmc.on_dask(client):
        found = JOBS[name]()
    np.testing.assert_array_equal(found, expected)
    # from here to the scheduler, and from there to a worker, which gives it to the
    # other; each of the 4 to 7 tasks would have needed as much
    n_parallel_calls = 2 if name == "vote" else 1
    assert sent[0] < (2 * n_parallel_calls + 0.9) * (X.nbytes + Y.nbytes)


@pytest.mark.distributed
def test_plain_joblib_finds_the_same_search(client):
    """Networks copy what they are given, wherever it lies."""
    expected = JOBS["GridSearchCV"]()
    with joblib.parallel_config("dask"):
        found = JOBS["GridSearchCV"]()
    np.testing.assert_array_equal(found, expected)


class Dies(KernelHMC):
    """A classifier that no worker survives."""

    def fit(self, X, y):
        if os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)

    def predict_top_k(self, *args, **options):
        if os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().predict_top_k(*args, **options)


@pytest.mark.distributed
def test_what_kills_its_workers_ends_with_an_error_that_says_what_to_do(tmp_path):
    import dask
    from distributed import Client, LocalCluster

    np.save(tmp_path / "X.npy", X[:40, :40])
    clf = Dies(H, ridge=0.1).fit(X[:, :40], Y)
    options = {"n_workers": 1, "threads_per_worker": 2, "dashboard_address": ":0"}
    with (
        dask.config.set(PATIENT | {"distributed.scheduler.allowed-failures": 0}),
        LocalCluster(**options) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        expected = "workers that had it died.* give it more .memory_limit="
        with skhmc.on_dask(client), pytest.raises(RuntimeError, match=expected):
            cross_val_score(clf, X, Y, cv=KFold(2))
        out = tmp_path / "out"
        with pytest.raises(RuntimeError, match="1 of 1 parts failed.*" + expected):
            skhmc.predict_files(
                clf,
                tmp_path / "X.npy",
                out,
                k=2,
                client=client,
                verbose=False,
                worker_timeout=WAIT,
            )


class Threads(BaseEstimator):
    """Scores the number of threads that torch would use."""

    def fit(self, X, y):
        return self

    def score(self, X, y):
        import torch

        return torch.get_num_threads()


@pytest.mark.distributed
def test_networks_have_one_thread_on_workers(client):
    client.run(set_threads, 2)
    with skhmc.on_dask(client):
        assert set(cross_val_score(Threads(), X, Y, cv=KFold(6))) == {1}


def set_threads(n):
    import torch

    torch.set_num_threads(n)


@pytest.mark.distributed
def test_progress_is_shown(client, capsys):
    with skhmc.on_dask(client, verbose=20):
        GridSearchCV(GaussianNB(), {}, cv=KFold(4)).fit(X, Y[:, 0])
    out, err = capsys.readouterr()
    assert "Done   4 out of   4" in out + err and "elapsed" in out + err


@pytest.mark.distributed
def test_what_cannot_be_sent_is_an_error_and_no_hang(client):
    with skhmc.on_dask(client), pytest.raises(TypeError, match="could not be sent"):
        cross_val_score(Stays(), X, Y[:, 0], cv=KFold(2))


@pytest.mark.distributed
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_killed_costs_time_and_nothing_else(kind, client):
    killed = Killed(client)
    n_kills = number = 0
    while n_kills < N_KILLS and number < 4 * N_KILLS:
        case = KINDS[kind](killed, 1, number)
        assert not case.wrong
        n_kills += case.n_kills
        number += 1
    assert n_kills  # on a fast machine some calls end before


# -- predictions -----------------------------------------------------------------------


class SlowKernel(KernelHMC):
    """A classifier that takes its time for every block."""

    def predict_top_k(self, *args, **options):
        time.sleep(0.05)
        return super().predict_top_k(*args, **options)


OPTIONS = {"k": 2, "rows_per_part": 20, "rows_per_block": 10, "verbose": False}


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A file of 600 rows, some of them bad, a classifier, and its answers."""
    folder = tmp_path_factory.mktemp("rows")
    many = np.tile(X[:200, :40], (3, 1))
    many[::50, 3] = np.nan
    np.save(folder / "X.npy", many)
    clf = SlowKernel(H, ridge=0.1).fit(X[:, :40], Y)
    out = folder / "alone"
    skhmc.predict_files(clf, folder / "X.npy", out, client=False, **OPTIONS)
    return folder / "X.npy", clf, read(out)


def read(out):
    """Return all answers and all rejects."""
    parts = sorted((out / "predictions").iterdir())
    assert [path.suffix for path in parts] == [".parquet"] * len(parts)
    lines = [path.read_text() for path in sorted((out / "rejects").iterdir())]
    return pd.concat([pd.read_parquet(path) for path in parts]), lines


def check_equal(out, expected):
    frame, lines = read(out)
    assert frame.equals(expected[0]) and lines == expected[1]
    assert len(frame) + 12 == 600


@pytest.mark.distributed
def test_predictions_on_a_cluster_are_those_of_one_process(rows, client, tmp_path):
    path, clf, expected = rows
    client.wait_for_workers(2, timeout=WAIT)
    found = skhmc.predict_files(clf, path, tmp_path / "out", client=client, **OPTIONS)
    check_equal(tmp_path / "out", expected)
    assert found.n_rejected == 12 and len(found.answers) == 30


@pytest.mark.distributed
def test_a_cluster_that_dies_ends_the_call(rows, tmp_path):
    """And what is done stays: one process goes on with the rest."""
    from distributed import Client, LocalCluster

    path, clf, expected = rows
    cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0")
    with cluster, Client(cluster, set_as_default=False) as lonely:
        stop = threading.Timer(2.0, cluster.scale, args=(0,))
        stop.start()
        start = time.monotonic()
        with pytest.raises(RuntimeError, match="has had no worker for"):
            skhmc.predict_files(
                clf, path, tmp_path / "out", client=lonely, worker_timeout=6, **OPTIONS
            )
        assert time.monotonic() - start < 60
        stop.join()
    skhmc.predict_files(clf, path, tmp_path / "out", client=False, **OPTIONS)
    check_equal(tmp_path / "out", expected)


@pytest.mark.distributed
def test_the_example_runs(capsys):
    path = REPOSITORY / "examples" / "cluster" / "search_on_dask.py"
    run = [sys.executable, str(path), "1"]
    done = subprocess.run(run, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "equal scores: 4 of 4" in done.stdout


@pytest.mark.distributed
def test_the_example_with_a_scheduler_of_its_own_runs(client):
    from distributed import get_task_stream

    path = REPOSITORY / "examples" / "cluster" / "search_on_scheduler.py"
    run = [sys.executable, str(path), client.scheduler.address]
    run += ["--workers", "2", "--epochs", "1"]
    with get_task_stream(client) as tasks:
        done = subprocess.run(run, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert re.search(r"best: {'dropout': .*}, AU\(PRC\) 0\.\d{3}", done.stdout)
    fits = [task for task in tasks.data if "fit_and_score" in str(task["key"])]
    assert len(fits) >= 12  # of 4 candidates, 3 folds


MEMORY = """
import resource, sys
import skhmc
from tests.test_on_cluster import H, X, Y
from skhmc import KernelHMC
clf = KernelHMC(H, ridge=0.1).fit(X[:, :40], Y)
options = {"k": 2, "rows_per_part": 10_000, "rows_per_block": 1000, "verbose": False}
for name in ("few", "many"):
    skhmc.predict_files(clf, f"{name}.parquet", name, client=False, **options)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, flush=True)
"""


@pytest.mark.distributed
def test_memory_does_not_grow_with_the_number_of_rows(tmp_path):
    """30 times as many rows, 96 MB of them, take a few MB more."""
    rows = np.random.default_rng(0).normal(size=(300_000, 40))
    for name, n in (("few", 10_000), ("many", 300_000)):
        frame = pd.DataFrame(rows[:n], columns=[f"x{k}" for k in range(40)])
        frame.to_parquet(tmp_path / f"{name}.parquet", row_group_size=5000)
    env = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    run = [sys.executable, "-c", MEMORY]
    done = subprocess.run(run, cwd=tmp_path, env=env, capture_output=True, check=True)
    few, many = map(int, done.stdout.split())
    assert many < few + 20
