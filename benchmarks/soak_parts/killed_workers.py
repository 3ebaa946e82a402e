"""Dask workers, and processes that predict files, killed at random moments."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

import skhmc
from skhmc import (
    CoherentClassifier,
    HierarchicalVotingClassifier,
    Hierarchy,
    KernelHMC,
    MaxConstraintClassifier,
)
from skhmc.coherence import close_upward

__all__ = ["KINDS", "PATIENT", "Case", "Killed"]

REPOSITORY = Path(__file__).parents[2]
H = Hierarchy.from_paths(["a/b", "a/c", "d", "e/f", "e/g"])
LATE = 60  # seconds that a call may take longer than without a kill
WAIT = 300  # seconds for workers that start again
# So long after a worker was lost, a local cluster gives it up if it is not there at
# that moment: on a busy machine it may not be there yet, or be lost once more.
PATIENT = {"distributed.deploy.lost-worker-timeout": "7 days"}
MAX_KILLS = 3  # of one process, one after the other
N_COPIES = 20
OPTIONS = {"k": 2, "rows_per_part": 100, "rows_per_block": 50, "verbose": False}


def data():
    """Return X and Y."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 30))
    Y = close_upward((X @ rng.normal(size=(30, 7)) > 3).astype(float), H)
    return X, Y


@dataclass
class Case:
    """What became of one call."""

    n_kills: int = 0
    lost: int = 0  # results
    twice: int = 0  # rows
    different: int = 0  # results
    hangs: int = 0
    seconds: float = 0.0
    wrong: list = field(default_factory=list)


class SlowTree(CoherentClassifier):
    """One classifier per label, which waits before it is fitted."""

    def fit(self, X, y, sample_weight=None, groups=None, **params):
        time.sleep(0.2)
        return super().fit(X, y, sample_weight, groups, **params)


class SlowKernel(KernelHMC):
    """A classifier that takes its time for every block."""

    def predict_top_k(self, *args, **options):
        time.sleep(0.02)
        return super().predict_top_k(*args, **options)


LINEAR = SlowTree(LogisticRegression(C=0.01, max_iter=200), H, strategy="per_label")
NET = MaxConstraintClassifier(
    H, hidden_layer_sizes=(8,), max_iter=3, device="cpu", random_state=0
)


def _search(X, Y):
    grid = {"learning_rate_init": [1e-3, 1e-2]}
    found = GridSearchCV(NET, grid, cv=KFold(3), refit=False).fit(X, Y)
    return found.cv_results_["mean_test_score"]


def _scores(X, Y):
    return cross_val_score(LINEAR, X, Y, cv=KFold(6))


def _per_label(X, Y):
    return LINEAR.fit(X, Y).predict_proba(X)


def _vote(X, Y):
    members = [("net", NET), ("linear", LINEAR), ("kernel", KernelHMC(H))]
    clf = HierarchicalVotingClassifier(members, H, weights="cv", cv=KFold(2))
    return clf.fit(X, Y).predict_proba(X)


FITS = {
    "GridSearchCV": _search,
    "cross_val_score": _scores,
    "per label": _per_label,
    "vote": _vote,
}


class Killed:
    """A cluster, and the results that there are without kills.

    Parameters
    ----------
    client : distributed.Client
        Of a cluster of two workers on this machine.
    """

    def __init__(self, client):
        self.client = client
        self.expected = {}
        self.seconds = {}

    # -- fits ----------------------------------------------------------------------

    def fits(self, seed, number):
        """Kill a worker while something is fitted."""
        name = list(FITS)[number % len(FITS)]
        X, Y = data()
        if name not in self.expected:
            self.expected[name] = FITS[name](X, Y)
            self.seconds[name] = self._measured(lambda: self._on_dask(name, X, Y))[1]
        rng = np.random.default_rng([seed, 0, number])
        case, found = self._with_a_kill(
            rng, self.seconds[name], lambda: self._on_dask(name, X, Y), name
        )
        if found is not None and not np.array_equal(found, self.expected[name]):
            case.different = 1
            case.wrong.append(f"{name}: another result")
        return case

    def _on_dask(self, name, X, Y):
        with skhmc.on_dask(self.client):
            return FITS[name](X, Y)

    # -- predictions ---------------------------------------------------------------

    @cached_property
    def rows(self):
        """The path of a file of rows, some of them bad, and their answers."""
        folder = Path(tempfile.mkdtemp())
        X, Y = data()
        many = np.tile(X, (N_COPIES, 1))
        many[::50, 3] = np.nan
        np.save(folder / "X.npy", many)
        self.clf = SlowKernel(H, ridge=0.1).fit(X, Y)
        out = folder / "alone"
        skhmc.predict_files(self.clf, folder / "X.npy", out, client=False, **OPTIONS)
        return folder / "X.npy", _read(out)

    def predictions(self, seed, number):
        """Kill a worker while files are predicted."""
        path, expected = self.rows
        with tempfile.TemporaryDirectory() as name:
            out = Path(name) / "out"

            def predict():
                skhmc.predict_files(
                    self.clf,
                    path,
                    out,
                    client=self.client,
                    worker_timeout=WAIT,
                    **OPTIONS,
                )

            if "predict" not in self.seconds:
                other = Path(name) / "other"
                start = time.perf_counter()
                skhmc.predict_files(
                    self.clf, path, other, client=self.client, **OPTIONS
                )
                self.seconds["predict"] = time.perf_counter() - start
            rng = np.random.default_rng([seed, 1, number])
            case, _ = self._with_a_kill(rng, self.seconds["predict"], predict, "rows")
            if not case.lost:
                _compare(case, out, expected)
        return case

    def processes(self, seed, number):
        """Kill a process that predicts files, up to three times, and go on."""
        path, expected = self.rows
        rng = np.random.default_rng([seed, 2, number])
        case = Case()
        with tempfile.TemporaryDirectory() as name:
            out = Path(name) / "out"
            run = [sys.executable, "-m", __name__, str(path), str(out)]
            for _ in range(int(rng.integers(1, MAX_KILLS + 1))):
                case.n_kills += _killed(run, rng.uniform(0.05, 1.2))
            start = time.perf_counter()
            try:
                subprocess.run(run, cwd=REPOSITORY, check=True, timeout=WAIT)
            except subprocess.SubprocessError as error:
                case.lost, case.hangs = 1, int(hasattr(error, "timeout"))
                case.wrong.append(f"a process: {error}")
            else:
                _compare(case, out, expected)
            case.seconds = time.perf_counter() - start
        return case

    # -- kills ---------------------------------------------------------------------

    def _measured(self, call):
        start = time.perf_counter()
        return call(), time.perf_counter() - start

    def _workers(self):
        """Return the numbers of the two processes, when both are ready.

        One that is killed while it starts is not started again by Dask.
        """
        end = time.monotonic() + WAIT
        while time.monotonic() < end:
            processes = [n.process for n in self.client.cluster.workers.values()]
            ready = [p for p in processes if p and p.status.name == "running"]
            if len(ready) == len(self.client.nthreads()) == 2:
                return [process.pid for process in ready]
            time.sleep(0.2)
        raise TimeoutError(f"No two workers after {WAIT} s.")

    def _with_a_kill(self, rng, seconds, call, name):
        """Return the case and the result of a call in which a worker is killed."""
        pid = self._workers()[int(rng.integers(2))]
        case = Case()
        done = threading.Event()

        def kill():
            if not done.wait(rng.uniform(0, 0.4) * seconds):
                os.kill(pid, signal.SIGKILL)
                case.n_kills += 1

        thread = threading.Thread(target=kill)
        thread.start()
        start = time.perf_counter()
        found = None
        try:
            found = call()
        except Exception as error:
            case.lost = 1
            case.wrong.append(f"{name}: {type(error).__name__}: {error}")
        case.seconds = time.perf_counter() - start
        done.set()
        thread.join()
        if case.seconds > seconds + LATE:
            case.hangs = 1
            case.wrong.append(f"{name}: took {case.seconds:.0f} s, not {seconds:.0f}")
        return case, found


def _killed(run, seconds):
    """Kill a process so many seconds after it has begun to predict."""
    with subprocess.Popen(run, cwd=REPOSITORY, stdout=subprocess.PIPE) as process:
        process.stdout.readline()  # begun
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return 1
    return 0


def _read(out):
    """Return all answers, and the lines of all rejects."""
    parts = sorted((out / "predictions").glob("*.parquet"))
    lines = [path.read_text() for path in sorted((out / "rejects").glob("*.jsonl"))]
    return pd.concat([pd.read_parquet(path) for path in parts]), "".join(lines)


def _compare(case, out, expected):
    frame, lines = _read(out)
    rows = Counter(frame["row"].tolist())
    case.twice += sum(n > 1 for n in rows.values())
    case.lost += len(set(expected[0]["row"]) - set(rows))
    same = frame.equals(expected[0]) and lines == expected[1]
    case.different += not same
    if case.twice or case.lost or not same:
        said = f"{case.twice} rows twice, {case.lost} lost, equal: {same}"
        case.wrong.append(f"{out}: {said}")


KINDS = {
    "workers that fit": Killed.fits,
    "workers that predict": Killed.predictions,
    "processes that predict": Killed.processes,
}


def main(path, out):
    """Predict a file in this process."""
    clf = SlowKernel(H, ridge=0.1).fit(*data())
    print("begun", flush=True)
    skhmc.predict_files(clf, path, out, client=False, **OPTIONS)


if __name__ == "__main__":
    from benchmarks.soak_parts import killed_workers  # SlowKernel by its full name

    killed_workers.main(*sys.argv[1:])
