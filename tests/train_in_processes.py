"""A program that several processes run: one fit, in which some of them are killed.

    torchrun --nproc-per-node 2 train_in_processes.py FOLDER [RANK:STEP ...]

In the first run the first of these kills happens, in the second run the second one, and
so on. What is learnt goes to a file in FOLDER.
"""

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from skorch.callbacks import Callback

import skhmc

N_EPOCHS = 4
N_STEPS = 5  # of an epoch


class Killer(Callback):
    """Kills a process, as ``kill -9`` does.

    Parameters
    ----------
    folder : Path
        Where every kill leaves a mark.
    kills : list of str
        "rank:step" of every run.
    """

    def __init__(self, folder, kills):
        self.folder = folder
        self.kills = kills
        self.n_steps = 0

    def on_train_begin(self, net, **given):
        run = len(list(self.folder.glob("killed-*")))
        self.mark = self.folder / f"killed-{run}"
        self.rank = self.step = -1
        if run < len(self.kills):
            self.rank, self.step = map(int, self.kills[run].split(":"))

    def on_batch_end(self, net, training=False, **given):
        self.n_steps += 1
        if self.n_steps == self.step and dist.get_rank() == self.rank:
            self.mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def learnt(clf):
    """Return the weights and the record of a fit, without durations."""
    weights = {k: v.numpy() for k, v in clf.net_.module_.state_dict().items()}
    names = [k for k in clf.history_[0] if k != "dur"]
    return weights, {k: [epoch[k] for epoch in clf.history_] for k in names}


def fit(folder, kills=()):
    """Return what a fit with checkpoints in a folder learns."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 5))
    ends = (X @ rng.normal(size=(5, 3)) > 0.5).astype(int)
    Y = np.column_stack([ends[:, :2].any(axis=1), ends])
    clf = skhmc.HCALClassifier(
        skhmc.Hierarchy.from_edges([("a", "b"), ("a", "c")], labels="abcd"),
        hidden_layer_sizes=(12,),
        embedding_dim=6,
        early_stopping=True,
        n_iter_no_change=N_EPOCHS,
        batch_size=15,
        max_iter=N_EPOCHS,
        checkpoint=skhmc.Checkpoint(folder / "checkpoints"),
        callbacks=[Killer(folder, kills)],
        random_state=0,
    )
    with skhmc.distributed():
        clf.fit(X, Y)
    return learnt(clf)


def main(folder, *kills):
    """Fit, and write what is learnt."""
    torch.set_num_threads(1)
    folder = Path(folder)
    weights, history = fit(folder, kills)
    np.savez(folder / f"learnt-{dist.get_rank()}.npz", **weights, **history)


if __name__ == "__main__":
    main(*sys.argv[1:])
