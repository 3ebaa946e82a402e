"""Steps run on as many threads as the machine has cores free."""

import itertools
import sys
import threading
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from skhmc import HCALClassifier
from skhmc._networks import skorch_net
from skhmc._networks.skorch_net import PATIENCE, TRIAL, WINDOW, ThreadChoice
from tests.contract import task


class Machine:
    """A clock that the test moves: how long steps take, and what they get of it."""

    def __init__(self, n_threads):
        self.now = 0.0
        self.worked = 0.0
        self.choice = ThreadChoice(lambda: self.now, lambda: self.worked)
        self.n_threads = n_threads

    def step(self, seconds, share):
        """Run a step and return on how many threads it ran."""
        with self.choice.steps(), self.choice.step():
            n = torch.get_num_threads()
            self.now += seconds
            self.worked += share * n * seconds
        assert torch.get_num_threads() == self.n_threads
        return n

    def steps(self, seconds, share, step=0.01):
        """Run steps for a time and return the numbers of threads, without repeats."""
        numbers = [self.step(step, share) for _ in range(round(seconds / step))]
        return [n for n, _ in itertools.groupby(numbers)]


@contextmanager
def torch_threads(n):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def not_fixed(monkeypatch):
    for name in skorch_net.FIXED_BY:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def machine(monkeypatch):
    """A machine of four threads, noted in place of torch's: 2.4 sets them in 10 ms."""
    noted = [4]
    monkeypatch.setattr(torch, "get_num_threads", lambda: noted[0])
    monkeypatch.setattr(torch, "set_num_threads", lambda n: noted.__setitem__(0, n))
    return Machine(4)


@pytest.fixture
def on_torch():
    with torch_threads(4):
        yield Machine(4)


def test_an_idle_machine_keeps_the_threads_of_torch(machine):
    assert machine.steps(10, share=0.95) == [4]


def test_busy_cores_halve_the_threads_down_to_one(machine):
    assert machine.steps(2, share=0.5) == [4, 2, 1]
    assert machine.now < PATIENCE[0]


def test_a_short_hitch_changes_nothing(machine):
    machine.steps(WINDOW - 0.05, share=1)
    machine.step(0.05, share=0.4)  # one of many steps
    assert machine.steps(1, share=1) == [4]


def test_threads_come_back_one_doubling_at_a_time(machine):
    machine.steps(2, share=0.5)
    assert machine.steps(3 * PATIENCE[0], share=1) == [1, 2, 4]


def test_tries_in_vain_become_rare(machine):
    """One core is free: one thread gets all of it, two do not."""
    machine.steps(2, share=0.5)
    tried = []
    while machine.now < 400:
        n = machine.step(0.01, share=1 if machine.choice.halvings == 2 else 0.5)
        if n > 1 and (not tried or machine.now - tried[-1] > 1):
            tried.append(machine.now)
    waits = np.diff(tried)
    np.testing.assert_allclose(waits[:4], [8, 16, 32, 64], atol=1)
    assert waits.max() < PATIENCE[1] + 1


def test_no_more_threads_are_tried_while_one_gets_too_little(machine):
    machine.steps(2, share=0.5)
    assert machine.steps(100, share=0.6) == [1]
    assert machine.steps(PATIENCE[0] + WINDOW + TRIAL, share=1) == [1, 2]


@pytest.mark.parametrize("name", skorch_net.FIXED_BY)
def test_a_number_that_the_environment_fixes_stays(machine, name, monkeypatch):
    monkeypatch.setenv(name, "4")
    assert machine.steps(5, share=0.3) == [4]


def test_one_thread_is_left_alone():
    with torch_threads(1):
        assert Machine(1).steps(5, share=0.3) == [1]


def test_what_torch_had_is_put_back_after_an_error(on_torch):
    on_torch.steps(2, share=0.5)
    with pytest.raises(KeyboardInterrupt):
        with on_torch.choice.steps(), on_torch.choice.step():
            assert torch.get_num_threads() == 1
            raise KeyboardInterrupt
    assert torch.get_num_threads() == 4
    assert not on_torch.choice.callers


def test_several_steps_are_put_back_once(on_torch):
    on_torch.steps(2, share=0.5)
    with on_torch.choice.steps():
        with on_torch.choice.step():
            pass
        with (
            on_torch.choice.steps(),
            on_torch.choice.step(),
        ):  # a score, within a fit
            pass
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 4


def test_fits_at_the_same_time_are_not_judged_and_put_back_what_was_there(
    on_torch,
):
    inside, leave = threading.Event(), threading.Event()
    numbers = []

    def other():
        with on_torch.choice.steps():
            inside.set()
            leave.wait(10)
        numbers.append(torch.get_num_threads())

    on_torch.steps(2, share=0.5)
    with on_torch.choice.steps():
        with on_torch.choice.step():
            assert torch.get_num_threads() == 1
        thread = threading.Thread(target=other)
        thread.start()
        assert inside.wait(10)
        halvings = on_torch.choice.halvings
        on_torch.choice.halvings = 0
        for _ in range(100):
            with on_torch.choice.step():
                on_torch.now += 0.1  # as if no processor time had been had
        assert on_torch.choice.halvings == 0
        on_torch.choice.halvings = halvings
    leave.set()
    thread.join()
    assert numbers == [4]
    assert torch.get_num_threads() == 4


def test_fit_and_predict_run_on_what_is_chosen(monkeypatch):
    seen = []

    class Spy(torch.nn.Flatten):
        def forward(self, X):
            seen.append((self.training, torch.get_num_threads()))
            return super().forward(X)

    hierarchy, X, Y = task("many")
    choice = ThreadChoice(lambda: 0.0, lambda: 0.0)
    choice.halvings = 1
    choice.retry_at = np.inf
    monkeypatch.setattr(skorch_net, "THREADS", choice)
    with torch_threads(2):
        clf = HCALClassifier(hierarchy, encoder=Spy(), max_iter=1, device="cpu")
        clf.fit(X, Y)
        assert torch.get_num_threads() == 2
        clf.predict_proba(X)
        assert torch.get_num_threads() == 2
    assert {(True, 1), (False, 1)} <= set(seen)
    assert (True, 2) not in seen


@pytest.mark.skipif(sys.platform != "linux", reason="sees other programs on Linux")
def test_processor_time_is_that_of_all_threads():
    """What the choice rests on: threads that work show in the processor time."""
    choice = ThreadChoice()
    before = choice.processor_time()
    worker = threading.Thread(target=lambda: sum(i * i for i in range(2_000_000)))
    worker.start()
    worker.join()
    assert choice.processor_time() - before > 0.01
