"""Processes that are killed or interrupted, and what runs in them.

A process is a fork of this one, so that none has to import torch: the operating system
kills it like any other.
"""

import os
import select
import signal
import time
import traceback

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import clone

from skhmc import (
    HCALClassifier,
    Hierarchy,
    HyperbolicHMC,
    MaxConstraintClassifier,
)
from skhmc.coherence import close_upward

SMALL = {"hidden_layer_sizes": (8,), "batch_size": 15, "random_state": 0}
SMALL |= {"learning_rate_init": 0.01, "device": "cpu"}
NETWORKS = [
    HCALClassifier(embedding_dim=4, **SMALL),
    HyperbolicHMC(embedding_dim=4, **SMALL),
    MaxConstraintClassifier(**SMALL),
]
DAG = {"cat": ["mammal", "pet"], "cow": ["mammal"], "parrot": ["bird", "pet"]}
LIMIT = 240  # seconds after which a process hangs
NEVER_ENDED = "it never ended"


def data(way, folder):
    """Return a hierarchy, X and Y."""
    hierarchy = Hierarchy.from_parents(DAG)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 5))
    scores = X @ rng.normal(size=(5, hierarchy.n_labels))
    last = scores.argmax(axis=1)[:, None] == np.arange(hierarchy.n_labels)
    Y = close_upward((last | (scores > 1)).astype(int), hierarchy)
    if way == "sparse X":
        empty = sp.random(60, 1200, 0.005, "csr", random_state=0)
        X = sp.csr_matrix(sp.hstack([X[:, :2], empty]))
    if way == "X in a file":
        if not (folder / "X.npy").exists():
            np.save(folder / "X.npy", X)
        X = np.load(folder / "X.npy", mmap_mode="r")
    return hierarchy, X, Y


def learnt(clf, X):
    """Return the bytes of weights, probabilities and history, without durations."""
    history = [{k: v for k, v in epoch.items() if k != "dur"} for epoch in clf.history_]
    weights = [*clf.net_.module_.state_dict().values()]
    weights += clf.net_.criterion_.parameters()
    arrays = [*(w.detach().numpy().tobytes() for w in weights)]
    return repr((history, arrays, clf.predict_proba(X).tobytes())).encode()


class Process:
    """A fork that calls a function; what this writes is read when it is over.

    Parameters
    ----------
    function : callable
        Is given the number of a pipe.
    """

    def __init__(self, function):
        self.reader, writer = os.pipe()
        self.number = os.fork()
        if self.number:
            os.close(writer)
            return
        status = 1
        try:
            os.setpgid(0, 0)  # a signal to the group reaches its children, too
            # a shell starts what runs in the background deaf to Ctrl-C
            signal.signal(signal.SIGINT, signal.default_int_handler)
            os.close(self.reader)
            function(writer)
            status = 0
        except BaseException:  # which would otherwise go on in the caller's program
            traceback.print_exc()
        finally:
            os._exit(status)

    def wait(self):
        """Return what was written, and the exit status, when it is over.

        What runs longer than the limit is killed, and "it never ended" is added.
        """
        written = b""
        end = time.monotonic() + LIMIT
        while True:
            left = max(end - time.monotonic(), 0)
            ready, *_ = select.select([self.reader], [], [], left)
            part = os.read(self.reader, 2**16) if ready else NEVER_ENDED.encode()
            written += part
            if not (ready and part):
                break
        self.stop(signal.SIGKILL, whole_group=True)  # its children, too
        os.close(self.reader)
        return written, os.waitpid(self.number, 0)[1]

    def stop(self, number, whole_group=False):
        """Send a signal, if it still runs."""
        try:
            (os.killpg if whole_group else os.kill)(self.number, number)
        except ProcessLookupError:
            pass


def warm_up():
    """Do once what torch does when it is first used, so that forks need not."""
    torch.set_num_threads(1)
    hierarchy, X, Y = data("dense X", None)
    for network in NETWORKS:
        clone(network).set_params(hierarchy=hierarchy, max_iter=1).fit(X, Y)
