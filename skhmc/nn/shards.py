r"""One batch on several processes: each computes its rows, and all have the same sums.

The processes of a fit have the same weights, draw the same random numbers and cut the
same batches. Each puts its own rows of a batch through the network. What a batch says
of its rows together is added up before anything is made of it,

.. math::
    L = f\Big(\sum_r S_r\Big), \qquad
    \nabla L = \sum_r f'\Big(\sum_s S_s\Big) \nabla S_r,

so that every process has the loss of the whole batch, and of the gradient the part that
goes through its own rows: gradients are added up, too, and all processes take the step
that one process would take.

Modules and criteria ask the functions of this file, which leave everything as it is
where no other process has rows of the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__: list[str] = []

# integers of the width of a number, whose sum is a checksum
INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


class LostProcess(RuntimeError):
    """Another process of a fit ended, or does not answer."""


class Shards:
    """Which rows of a batch are whose, and what processes tell each other.

    All processes have to call the same methods in the same order: one waits for the
    others, until a group's timeout at most. There are two groups, as it should be soon
    noticed in a step that somebody does not answer, while between steps one may write
    a checkpoint for minutes.

    Parameters
    ----------
    group : ProcessGroup or None
        The processes; None for all there are.
    patient : ProcessGroup or None
        The same ones, which wait longer, for messages between steps. None is ``group``.
    """

    def __init__(self, group: Any = None, patient: Any = None) -> None:
        self.group = group
        self.patient = group if patient is None else patient
        self.rank = dist.get_rank(group)
        self.n_processes = dist.get_world_size(group)
        self.first = dist.get_global_rank(group, 0) if group is not None else 0
        # where small messages are: a group of NCCL alone takes none from the CPU
        on_cpu = "cpu:" in dist.get_backend_config(self.patient)
        self.device = torch.device("cpu" if on_cpu else "cuda")
        self.begin(0)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and shows what one has to."""
        return self.rank == 0

    # -- rows --------------------------------------------------------------------------

    def bounds(self, n: int, rank: int | None = None) -> tuple[int, int]:
        """Return where the rows of a process, by default this one, start and end."""
        rank = self.rank if rank is None else rank
        return n * rank // self.n_processes, n * (rank + 1) // self.n_processes

    def begin(self, n_rows: int, n_stored: int = 0, first_stored: int = 0) -> None:
        """Be told of a batch: its rows and, of sparse rows, the stored numbers.

        Parameters
        ----------
        n_rows : int
            Rows of the whole batch.
        n_stored, first_stored : int
            Numbers that they store, and those in rows before this process's.
        """
        self.n_rows = n_rows
        self.start, self.stop = self.bounds(n_rows)
        self.n_stored = n_stored
        self.first_stored = first_stored

    def place(self, x: Tensor) -> tuple[int, int]:
        """Return how many entries the whole batch has where x is that of own rows.

        And the position of the first entry of x among them. A tensor of one dimension
        holds what sparse rows store.
        """
        if x.ndim == 1:
            return self.n_stored, self.first_stored
        width = x.shape[1:].numel()
        return self.n_rows * width, self.start * width

    def gather_rows(self, x: Tensor) -> Tensor:
        """Return the rows (B, ...) of the whole batch, of own rows x (b, ...)."""
        sizes = self._sizes(self.n_rows)
        parts = zip(self.gather(_padded(x, max(sizes))), sizes, strict=True)
        return torch.cat([part[:size] for part, size in parts])

    def gather_to_first(self, rows: np.ndarray, n: int) -> np.ndarray:
        """Return all n rows of an array in the first process, else those given."""
        sizes = self._sizes(n)
        own = _padded(torch.from_numpy(rows).to(self.device), max(sizes))
        parts = [torch.empty_like(own) for _ in sizes] if self.is_first else None
        with self._answering():
            dist.gather(own, parts, self.first, group=self.patient)
        if parts is None:
            return rows
        whole = [part[:size] for part, size in zip(parts, sizes, strict=True)]
        return torch.cat(whole).cpu().numpy()

    def _sizes(self, n: int) -> list[int]:
        bounds = (self.bounds(n, rank) for rank in range(self.n_processes))
        return [stop - start for start, stop in bounds]

    # -- messages of a step ------------------------------------------------------------

    def add(self, x: Tensor) -> Tensor:
        """Replace a contiguous tensor by the sum of those of all processes."""
        with self._answering():
            dist.all_reduce(x, group=self.group)
        return x

    def gather(self, x: Tensor) -> list[Tensor]:
        """Return the tensors of all processes, which have the same shape."""
        return self._gather(x, self.group)

    def gather_lengths(self, x: Tensor) -> list[Tensor]:
        """Return the tensors (n,) of all processes, each of its own length."""
        return self._gather_lengths(x, self.group)

    def _gather(self, x: Tensor, group: Any) -> list[Tensor]:
        parts = [torch.empty_like(x) for _ in range(self.n_processes)]
        with self._answering():
            dist.all_gather(parts, x, group=group)
        return parts

    def _gather_lengths(self, x: Tensor, group: Any) -> list[Tensor]:
        lengths = self._gather(torch.tensor([len(x)], device=x.device), group)
        sizes = [int(length) for length in lengths]
        parts = zip(self._gather(_padded(x, max(sizes)), group), sizes, strict=True)
        return [part[:size] for part, size in parts]

    # -- messages between steps --------------------------------------------------------

    def gather_messages(self, x: Tensor) -> list[Tensor]:
        """Return the tensors of all processes on the CPU, which have the same shape."""
        return [part.cpu() for part in self._gather(x.to(self.device), self.patient)]

    def say(self, text: str) -> list[str]:
        """Return the texts of all processes."""
        said = torch.tensor(list(text.encode()), dtype=torch.uint8, device=self.device)
        parts = self._gather_lengths(said, self.patient)
        return [bytes(part.tolist()).decode() for part in parts]

    def any(self, said: bool) -> bool:
        """Tell whether any process says so."""
        parts = self.gather_messages(torch.tensor([said]))
        return any(bool(part) for part in parts)

    def meet(self) -> None:
        """Wait until all processes are here."""
        self.any(False)

    @torch.no_grad()
    def take_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors by those of the first process."""
        for tensor in tensors:
            whole = tensor.detach().contiguous()
            group = self.patient if whole.device == self.device else self.group
            with self._answering():
                dist.broadcast(whole, self.first, group=group)
            if whole.data_ptr() != tensor.data_ptr():
                tensor.copy_(whole)

    def differing(self, tensors: dict[str, Tensor]) -> str | None:
        """Return the name of a tensor that is not the same in all processes, or None.

        Compared are sums of bits: of tensors that differ they may be equal by chance,
        of equal ones they are equal.
        """
        if not tensors:
            return None
        sums = torch.stack([_checksum(tensor).cpu() for tensor in tensors.values()])
        first, *others = self.gather_messages(sums)
        wrong = torch.stack([first != other for other in others]).any(0)
        names = [n for n, w in zip(tensors, wrong.tolist(), strict=True) if w]
        return names[0] if names else None

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise LostProcess(
                f"Process {self.rank} of {self.n_processes} stops, because another "
                f"process of this fit ended or does not answer ({error}). Look at what "
                f"the others say, and start all of them again: with checkpoint= the "
                f"fit goes on after the last epoch that was written."
            ) from error

    # -- gradients ---------------------------------------------------------------------

    @torch.no_grad()
    def sum_gradients(
        self, weights: Iterable[tuple[str, nn.Parameter]], same_rows: Set[str]
    ) -> None:
        """Replace the gradients of weights by the sums over all processes.

        Sparse gradients travel as their rows. All others, and these rows, travel
        together.

        Parameters
        ----------
        weights : iterable of (str, Parameter)
            All weights by name, in the same order everywhere.
        same_rows : set of str
            Names of those whose sparse gradient has the same rows everywhere, each once
            and ascending.
        """
        dense: list[nn.Parameter] = []
        by_rows: list[tuple[nn.Parameter, Tensor, Tensor]] = []
        for name, weight in weights:
            if not weight.requires_grad:
                continue
            if weight.grad is None or not weight.grad.is_sparse:
                dense.append(weight)
                continue
            rows, values = weight.grad._indices(), weight.grad._values()
            if name not in same_rows:
                rows, values = self._in_all_rows(weight.grad)
            by_rows.append((weight, rows, values))
        # a weight without a gradient here may have one elsewhere
        has_grad = [weight.grad is not None for weight in dense]
        parts = [torch.zeros_like(w) if w.grad is None else w.grad for w in dense]
        parts += [values for _, _, values in by_rows]
        like = dense[0] if dense else torch.empty(0)  # to travel with the others
        parts.append(torch.tensor(has_grad, dtype=like.dtype, device=like.device))
        *sums, n_having = self._sums(parts)
        for k, weight in enumerate(dense):
            if has_grad[k] or n_having[k] > 0:
                weight.grad = sums[k]
        for (weight, rows, _), values in zip(by_rows, sums[len(dense) :], strict=True):
            weight.grad = torch.sparse_coo_tensor(
                rows, values, weight.shape, is_coalesced=True, check_invariants=False
            )

    def _in_all_rows(self, grad: Tensor) -> tuple[Tensor, Tensor]:
        """Return the rows that any process has, and the values of this one there."""
        grad = grad.coalesce()
        rows, values = grad.indices()[0], grad.values()
        union = torch.cat(self.gather_lengths(rows)).unique()
        placed = values.new_zeros(len(union), *values.shape[1:])
        placed[torch.searchsorted(union, rows)] = values
        return union[None], placed

    def _sums(self, parts: list[Tensor]) -> list[Tensor]:
        """Return the sums of tensors over all processes: a message for each dtype."""
        sums: dict[int, Tensor] = {}
        for kind in dict.fromkeys((part.dtype, part.device) for part in parts):
            some = [k for k, p in enumerate(parts) if (p.dtype, p.device) == kind]
            flat = self.add(torch.cat([parts[k].reshape(-1) for k in some]))
            sizes = [parts[k].numel() for k in some]
            for k, total in zip(some, flat.split(sizes), strict=True):
                sums[k] = total.view(parts[k].shape)
        return [sums[k] for k in range(len(parts))]


def _padded(x: Tensor, n: int) -> Tensor:
    """Return n rows, those of x first."""
    padded = x.new_zeros(n, *x.shape[1:])
    padded[: len(x)] = x
    return padded


def _checksum(tensor: Tensor) -> Tensor:
    """Return the sum of a tensor's bits, read as integers."""
    flat = tensor.detach().contiguous().view(-1)
    return flat.view(INTEGERS[flat.itemsize]).sum(dtype=torch.int64)


# -- what modules and criteria ask -----------------------------------------------------

_CURRENT: ContextVar[Shards | None] = ContextVar("shards of a step", default=None)


@contextmanager
def sharing(shards: Shards) -> Iterator[None]:
    """Have the modules inside know that others compute other rows of the batch."""
    token = _CURRENT.set(shards)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def n_rows(batch: Tensor) -> int:
    """Return the rows of the whole batch, of which a tensor has this process's."""
    shards = _CURRENT.get()
    return len(batch) if shards is None else shards.n_rows


def place(x: Tensor) -> tuple[int, int]:
    """Return the entries of the whole batch, and the position of x's first among them.

    Examples
    --------
    >>> place(torch.zeros(2, 3))
    (6, 0)
    """
    shards = _CURRENT.get()
    return (x.numel(), 0) if shards is None else shards.place(x)


def add_processes(sums: Tensor) -> Tensor:
    """Return the sum over all processes, with the gradient of this one's part.

    Examples
    --------
    >>> add_processes(torch.ones(2))
    tensor([1., 1.])
    """
    shards = _CURRENT.get()
    return sums if shards is None else _Total.apply(sums, shards)


def whole_batch(x: Tensor) -> Tensor:
    """Return the rows of the whole batch, with a gradient of this process's rows.

    What is made of them, all processes have to make: then each has all of the gradient
    of its rows.
    """
    shards = _CURRENT.get()
    return x if shards is None else _WholeBatch.apply(x, shards)


def counted_once(x: Tensor) -> Tensor:
    """Return a tensor whose gradient is that of one process, as all have the same."""
    shards = _CURRENT.get()
    return x if shards is None or shards.is_first else x.detach()


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, shards: Shards) -> Tensor:
        return shards.add(sums.clone(memory_format=torch.contiguous_format))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class _WholeBatch(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, shards: Shards) -> Tensor:
        ctx.rows = slice(shards.start, shards.stop)
        return shards.gather_rows(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad[ctx.rows], None
