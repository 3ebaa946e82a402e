"""Where the time of a training step goes, in an estimator and in the bare loop."""

import functools
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from unittest import mock

import torch

from benchmarks.speed_parts.bare import BareLoop
from benchmarks.speed_parts.common import quiet
from benchmarks.speed_parts.data import ESTIMATORS, hierarchy_of, load
from skhmc._networks.batches import SliceDataset
from skhmc._networks.skorch_net import Net
from skhmc.nn.criteria import EmbeddingCriterion, HCALCriterion, LabelCriterion
from skhmc.nn.modules import EmbeddingNetwork, LabelNetwork, PrototypeNetwork

__all__ = ["PHASES", "goals", "measure", "tables"]

SETS = ("cellcycle_FUN", "cellcycle_GO")
NETWORKS = (EmbeddingNetwork, LabelNetwork, PrototypeNetwork)
CRITERIA = (EmbeddingCriterion, HCALCriterion, LabelCriterion)
# what a phase is: methods whose time, without that of other phases inside, it is
PHASES = {
    "batches": [(SliceDataset, "batch"), (BareLoop, "cut")],
    "forward": [(kind, "forward") for kind in NETWORKS],
    "loss": [(kind, "forward") for kind in CRITERIA],
    "backward": [(torch.Tensor, "backward")],
    "optimiser": [(torch.optim.AdamW, "step"), (torch.optim.AdamW, "zero_grad")],
    "schedule": [(torch.optim.lr_scheduler.OneCycleLR, "step")],
    "callbacks": [(Net, "notify")],
    "the rest": [(Net, "run_single_epoch"), (BareLoop, "epoch")],
}


class Phases:
    """Seconds by phase; a phase inside another is not counted twice."""

    def __init__(self):
        self.seconds, self.stack, self.last = Counter(), [], 0.0

    def charge(self):
        """Charge the phase that is running with the time since the last call."""
        now = time.perf_counter()
        if self.stack:
            self.seconds[self.stack[-1]] += now - self.last
        self.last = now

    def wrap(self, name, function):
        """Return a function that is charged to a phase."""

        @functools.wraps(function)
        def charged(*args, **kwargs):
            self.charge()
            self.stack.append(name)
            try:
                return function(*args, **kwargs)
            finally:
                self.charge()
                self.stack.pop()

        return charged


@contextmanager
def watched():
    """Yield the phases that run inside the block."""
    phases = Phases()
    with ExitStack() as stack:
        for name, methods in PHASES.items():
            for kind, method in methods:
                function = phases.wrap(name, getattr(kind, method))
                stack.enter_context(mock.patch.object(kind, method, function))
        yield phases


def measure(settings):
    """Train every estimator and its bare loop, watched."""
    rows = []
    n_epochs = settings.pick(5, 2)
    for name in SETS[:1] if settings.quick else SETS:
        data = load(name)
        for kind in ESTIMATORS:
            clf = kind(device=settings.device, random_state=settings.seed)
            clf.set_params(hierarchy=hierarchy_of(kind, data), max_iter=n_epochs)
            ours, bare = compare(clf, data.X_train, data.Y_train)
            names = {"estimator": kind.__name__, "set": name}
            rows.append(names | {"ours": ours, "bare": bare})
    return rows


def compare(clf, X, Y):
    """Return milliseconds per step by phase, of fit and of the bare loop."""
    figures = []
    with quiet(), watched() as phases:
        clf.fit(X, Y)  # warms up: torch imports parts of itself, memory is got
        phases.seconds.clear()
        clf.fit(X, Y)
        figures.append(dict(phases.seconds))
        loop = BareLoop(clf, X, Y, clf.device)  # schedules keep the optimiser's step
        phases.seconds.clear()
        for _ in range(clf.max_iter):
            loop.epoch()
        figures.append(dict(phases.seconds))
    scale = 1000 / (clf.max_iter * loop.n_steps)
    return [{k: found.get(k, 0.0) * scale for k in PHASES} for found in figures]


def tables(rows):
    """Return the table of phases."""
    heads = ["estimator", "data set", "", *PHASES, "sum"]
    cells = []
    for row in rows:
        for name, key in (("fit", "ours"), ("bare loop", "bare")):
            ms = [row[key][phase] for phase in PHASES]
            first = [row["estimator"], row["set"]] if key == "ours" else ["", ""]
            cells.append([*first, name, *(f"{x:.3f}" for x in (*ms, sum(ms)))])
    return [("Milliseconds per step", heads, cells)]


def goals(rows):
    """Nothing was to be reached: this explains."""
    return []
