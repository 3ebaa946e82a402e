"""The bare loop: an estimator's own network, loss and optimizer, and nothing else."""

import fnmatch

import torch
from sklearn.base import clone

from benchmarks.speed_parts.common import quiet
from skhmc._data.targets import read_targets
from skhmc.nn.modules import initialise

__all__ = ["BareLoop"]


class BareLoop:
    """What ``fit`` trains, trained by a plain loop over tensors in memory.

    Same seeds give the same batches, dropout and losses. The criterion keeps no record
    here.

    Parameters
    ----------
    estimator : NetworkHMC
        With the default encoder, optimizer and schedule, and a seed.
    X : ndarray of shape (n_samples, n_features)
    Y : ndarray of shape (n_samples, n_labels)
    device : str
    """

    def __init__(self, estimator, X, Y, device="cpu"):
        estimator = clone(estimator).set_params(device=device)
        with quiet():
            X = estimator._check_X(X, reset=True)
            targets = read_targets(Y, estimator.hierarchy)
            settings, problem, parts = estimator._plan(X, targets, None)
        init, self.shuffle = (
            torch.Generator().manual_seed(seed) for seed in problem.seeds[:2]
        )
        draws = torch.Generator(device).manual_seed(problem.seeds[2])
        self.module = parts.module.float()
        self.criterion = parts.criterion.float()
        initialise(self.module, init, draws, parts.user_modules)
        initialise(self.criterion, None, draws, parts.user_modules)
        self.module.to(device).train()
        self.criterion.to(device).eval()  # keeps no record
        self.X = torch.as_tensor(problem.X, dtype=torch.float32).to(device)
        Y, _ = problem.form.to_net_order(problem.Y)
        self.Y = torch.as_tensor(Y, dtype=torch.float32).to(device)
        n_samples = len(self.X)
        n_batches = -(-n_samples // estimator.batch_size)
        self.bounds = [n_samples * k // n_batches for k in range(n_batches + 1)]
        self.optimizer = self._optimizer(settings, parts.groups)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer,
            [group["lr"] for group in self.optimizer.param_groups],
            total_steps=settings.max_iter * n_batches,
        )

    def _optimizer(self, settings, groups):
        left = dict(self.module.named_parameters())
        left |= dict(self.criterion.named_parameters())
        made = []
        for pattern, options in groups:
            names = fnmatch.filter(left, pattern)
            made.append({"params": [left.pop(name) for name in names], **options})
        return torch.optim.AdamW(
            [*made, {"params": list(left.values())}],
            lr=settings.learning_rates[0],
            weight_decay=settings.optimizer_options["weight_decay"],
            fused=True,
        )

    @property
    def n_steps(self):
        """The number of steps of an epoch."""
        return len(self.bounds) - 1

    def cut(self, rows):
        """Return a batch."""
        return self.X[rows], self.Y[rows]

    def epoch(self, losses=None):
        """Train one epoch; append the losses of the batches to a list, if given."""
        order = torch.randperm(len(self.X), generator=self.shuffle).to(self.X.device)
        for start, stop in zip(self.bounds[:-1], self.bounds[1:], strict=True):
            X, Y = self.cut(order[start:stop])
            loss = self.criterion(self.module(X), Y, None)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            self.schedule.step()
            if losses is not None:
                losses.append(loss.item())
