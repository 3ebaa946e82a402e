"""A fit's checkpoint: found, locked, read, and written again every few epochs."""

from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError

from skhmc._networks.distributed import agreeing
from skhmc._networks.fingerprint import differences, fingerprint
from skhmc._networks.packing import read_state, write_state
from skhmc._networks.skorch_net import callback_state, set_callback_state
from skhmc._utils.warnings import warn_user

__all__ = ["Keeper", "keeping"]

ENDING = ".safetensors"


@contextmanager
def keeping(checkpoint, kind, device, found, shards=None):
    """Give the Keeper of a fit, whose file nobody else writes meanwhile, or None.

    Parameters
    ----------
    checkpoint : Checkpoint or None
    kind : str
        Name of the estimator's class.
    device : str
        Name of the device that is trained on.
    found : dict or None
        What :func:`skhmc._networks.fingerprint.identity` returns; None without a
        checkpoint.
    shards : Shards or None
        Of several processes the first one finds, locks and writes the file, which all
        of them read.
    """
    if checkpoint is None:
        yield None
        return
    with agreeing(shards):
        own = None
        if shards is None or shards.is_first:
            own = _find(checkpoint, kind, found)
    try:
        path, is_there = _told(own, shards)
        keeper = Keeper(path, checkpoint.every, device, found, shards)
        if is_there:
            with agreeing(shards):
                keeper.read()
        yield keeper
    finally:
        if own is not None:
            own[1].release()


def _told(own, shards):
    """Return a fit's file, and whether to go on from it, as the first process found."""
    if own is not None:
        path, _, is_there = own
    if shards is None:
        return path, is_there
    said = "" if own is None else f"{int(is_there)}{path.absolute()}"
    told = shards.say(said)[0]
    return Path(told[1:]), told[0] == "1"


def _find(checkpoint, kind, found):
    """Return the path of a fit's file, its lock, and whether to go on from it."""
    folder = checkpoint._path
    if checkpoint.resume == "must" and not folder.is_dir():
        raise FileNotFoundError(
            f"resume='must', but there is no folder {str(folder)!r}. Look at folder=, "
            f"or set resume='auto', which starts anew."
        )
    folder.mkdir(parents=True, exist_ok=True)
    path, lock = _own_file(folder, kind, found)
    try:
        is_there = checkpoint.resume != "never" and path.exists()
        if not is_there and checkpoint.resume == "must":
            raise FileNotFoundError(_what_differs(folder, kind, found, path))
        if not is_there and checkpoint.resume == "auto":
            _warn_of_versions(folder, kind, found, path)
    except BaseException:
        lock.release()
        raise
    return path, lock, is_there


def _own_file(folder, kind, found):
    """Return the path of a fit's file, and its lock.

    Of fits of the same parameters and data at the same time, every one has its own
    file. The operating system takes the lock from a fit that was killed.
    """
    name = f"{kind}-{'-'.join(fingerprint(found))}"
    number = 1
    while True:
        suffix = "" if number == 1 else f"-{number}"
        path = folder / f"{name}{suffix}{ENDING}"
        lock = FileLock(path.with_suffix(".lock"))
        try:
            lock.acquire(blocking=False)
            return path, lock
        except Timeout:
            number += 1


def _what_differs(folder, kind, found, path):
    """Return a text that says why a fit finds no checkpoint of its own."""
    text = f"resume='must', but {str(folder)!r} holds no checkpoint of this fit."
    nearest = None
    for other in sorted(folder.glob(f"{kind}-*{ENDING}")):
        texts = _differences_to(found, other)
        if nearest is None or len(texts) < len(nearest):
            nearest = texts
    if nearest is None:
        return f"{text} There is none of {kind}. Look at folder=, or set resume='auto'."
    if not nearest:
        return (
            f"{text} That of such a fit is in use by another one, which is running. "
            f"Wait for it, or set resume='auto'."
        )
    return (
        f"{text} The nearest one differs: {'; '.join(nearest)}. Give what it was "
        f"fitted with, or set resume='auto', which starts anew."
    )


def _differences_to(found, path):
    try:
        return differences(found, read_state(path)[0]["identity"])
    except Exception:  # one that is damaged is not near
        return differences(found, {})


def _warn_of_versions(folder, kind, found, path):
    """Warn where only other versions keep a fit from going on."""
    same = f"{kind}-{fingerprint(found)[0]}-*{ENDING}"
    others = [other for other in folder.glob(same) if other != path]
    mine = path.stem.split("-")[2]
    for other in sorted(others):
        if other.stem.split("-")[2] == mine:  # a fit beside this one
            continue
        texts = _differences_to(found, other)
        warn_user(
            f"{str(other)!r} is a checkpoint of this fit, but training does not go on "
            f"from it, since {'; '.join(texts)}. It starts anew. Install what it was "
            f"written with, or remove the file."
        )


class Keeper:
    """Writes the state of a net at the end of epochs, and puts it back.

    Parameters
    ----------
    path : Path
        Of the file, which is locked.
    every : int
        Epochs between two writes.
    device : str
        Name of the device that is trained on.
    found : dict
        The identity of the fit.
    shards : Shards or None
        The processes that share the fit.
    """

    def __init__(self, path, every, device, found, shards=None):
        self.shards = shards
        self.path = path
        self.every = every
        self.device = device
        self.found = found
        self.seeds = None  # drawn by the fit that began, if there is one
        self.draws = None  # the generator of dropout, which the net does not have
        self.state = None
        self.is_finished = False

    def read(self):
        """Read what there is; the state is put back when there is a net."""
        with self._refusing_damage():
            head, self.state = read_state(self.path, self.device)
            if differences(self.found, head["identity"]):
                raise ValueError("it is that of another fit")
            self.is_finished = bool(head["finished"])
            self.seeds = [int(seed) for seed in self.state["seeds"]]

    @contextmanager
    def _refusing_damage(self):
        try:
            yield
        except Exception as error:
            raise ValueError(
                f"The checkpoint {str(self.path)!r} cannot be read ({error}). It is "
                f"damaged or was changed. Remove it, or set resume='never' in "
                f"checkpoint=, which starts anew and replaces it."
            ) from error

    def begin(self, seeds, draws):
        """Be told the seeds of the fit, and its generator of dropout."""
        self.seeds = seeds
        self.draws = draws

    def put_back(self, net):
        """Give a net what was kept, if anything was."""
        if self.state is None:
            return
        with self._refusing_damage():
            state = self.state
            net.module_.load_state_dict(state["module"])
            net.criterion_.load_state_dict(state["criterion"])
            net.history.extend(state["history"])
            self._put_back_training(net, state)
        self.state = None
        if self.is_finished:
            warn_user(
                f"{str(self.path)!r} holds this fit, which was finished: its weights "
                f"are taken as they are, and nothing is trained. Set resume='never' "
                f"in checkpoint= to train anew."
            )

    def _put_back_training(self, net, state):
        _set_optimizer_state(net.optimizer_, state["optimizer"])
        weights = dict(net.get_all_learnable_params())
        for name, trained in state["requires_grad"].items():
            weights[name].requires_grad_(trained)
        for name, callback in net.callbacks_:
            if name in state["callbacks"]:  # a progress bar may be new
                set_callback_state(callback, state["callbacks"][name])
        net.generator.set_state(state["shuffle"])
        self.draws.set_state(state["draws"])
        _set_global_state(state["global"], self.device, self.shards)

    def epochs_left(self, net):
        """Return how many epochs a net still is to be trained."""
        return 0 if self.is_finished else net.max_epochs - len(net.history)

    def end_epoch(self, net):
        """Write the state of a net, if it is time."""
        if len(net.history) == net.max_epochs:
            self.finish(net)
        elif len(net.history) % self.every == 0:
            self._write(net)

    def finish(self, net):
        """Write that no epoch is left.

        What callbacks do at the end of training, such as taking the best weights, they
        do again whenever the fit is read.
        """
        if not self.is_finished:
            self.is_finished = True
            self._write(net)

    def _write(self, net):
        of_encoder = _global_state(net)
        with agreeing(self.shards):
            if self.shards is None or self.shards.is_first:
                self._write_state(net, of_encoder)

    def _write_state(self, net, of_encoder):
        state = {
            "seeds": self.seeds,
            "module": net.module_.state_dict(),
            "criterion": net.criterion_.state_dict(),
            "history": [dict(epoch) for epoch in net.history],
            "optimizer": net.optimizer_.state_dict(),
            "requires_grad": {
                name: weight.requires_grad
                for name, weight in net.get_all_learnable_params()
            },
            "callbacks": {name: callback_state(one) for name, one in net.callbacks_},
            "shuffle": net.generator.get_state(),
            "draws": self.draws.get_state(),
            "global": of_encoder,
        }
        head = {"identity": self.found, "finished": self.is_finished}
        try:
            write_state(self.path, head, state)
        except TypeError as error:
            raise TypeError(
                f"checkpoint={str(self.path.parent)!r} cannot keep all that this fit "
                f"has: {error}. Numbers, texts, arrays and tensors can be kept. Use "
                f"another optimizer, schedule or callback, or set checkpoint=None."
            ) from error
        except (OSError, SafetensorError) as error:
            raise OSError(
                f"The checkpoint {str(self.path)!r} cannot be written after epoch "
                f"{len(net.history)} ({error}). The one before it stays, if there is "
                f"one. Make room on its disk, and fit again: training goes on from "
                f"there. Or give checkpoint= another folder."
            ) from error


def _set_optimizer_state(optimizer, state):
    """Put back what an optimizer knows; torch alone would change the type of some."""
    optimizer.load_state_dict(state)
    numbers = [n for group in state["param_groups"] for n in group["params"]]
    weights = [w for group in optimizer.param_groups for w in group["params"]]
    for number, weight in zip(numbers, weights, strict=True):
        for name, value in state["state"].get(number, {}).items():
            if isinstance(value, torch.Tensor) and value.shape == weight.shape:
                # in the order in memory that the optimizer gave it
                value = torch.empty_like(weight, dtype=value.dtype).copy_(value)
            optimizer.state[weight][name] = value


def _global_state(net):
    """Return the state of torch's generators, which only a user's encoder draws from.

    An encoder of ours draws from the fit's own.
    """
    if not net.copy_input:
        return None
    on_gpu = torch.device(net.device).type == "cuda"
    cpu = torch.get_rng_state()
    cuda = torch.cuda.get_rng_state(net.device) if on_gpu else None
    if net.shards is None:
        return {"cpu": cpu, "cuda": cuda}
    every_cpu = net.shards.gather_messages(cpu)  # each process has a state of its own
    every_cuda = [None] * len(every_cpu)
    if on_gpu:
        every_cuda = net.shards.gather_messages(cuda)
    pairs = zip(every_cpu, every_cuda, strict=True)
    return [{"cpu": cpu, "cuda": cuda} for cpu, cuda in pairs]


def _set_global_state(state, device, shards):
    if state is None:
        return
    if isinstance(state, list):  # of every process that shared the fit
        state = state[(0 if shards is None else shards.rank) % len(state)]
    torch.set_rng_state(state["cpu"])
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"], device)
