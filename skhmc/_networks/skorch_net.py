"""Training and inference of a network through skorch.

The only place that imports skorch.
"""

import dis
import itertools
import os
import sys
import time
from collections import Counter
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from threading import Lock, get_ident

import numpy as np
import torch
from sklearn.utils.validation import check_array
from skorch import NeuralNet
from skorch.callbacks import (
    Callback,
    EarlyStopping,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LRScheduler,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    Unfreezer,
)
from skorch.callbacks.scoring import ScoringBase
from skorch.dataset import Dataset
from skorch.exceptions import SkorchException
from skorch.utils import get_map_location
from torch.utils.data import DataLoader
from tqdm.auto import tqdm

from skhmc._networks.batches import Batches, SliceDataset
from skhmc._networks.distributed import agreeing
from skhmc._networks.memory import memory_of_training
from skhmc._networks.optimizer_state import transfer_grown_state, transfer_state
from skhmc._networks.plain_modules import (
    from_plain,
    tensors_from_plain,
    tensors_to_plain,
    to_plain,
)
from skhmc._networks.proba_modules import has_module, proba_module
from skhmc._scoring.outputs import Blocks
from skhmc._utils.memory import bytes_as_text
from skhmc.nn.shards import sharing

__all__ = [
    "Net",
    "ThreadChoice",
    "callback_state",
    "keeps_state",
    "resolve_device",
    "scores_data",
    "set_callback_state",
    "sets_sizes",
]


# Inference: rows per batch, of which more are no faster; logits or entries of X per
# batch, which may leave fewer rows; logits handed out at a time, which stay in a cache.
# With very many labels they are of LEAST_ROWS all the same: the coherence step takes
# longer per row for fewer
INFERENCE_ROWS = 64, 1000
INFERENCE_ENTRIES = 2**20
BLOCK_ENTRIES = 2**20
LEAST_ROWS = 64
# What OpenMP and MKL read when they start. Who sets one gets what is said there, and
# fits that repeat bit for bit whatever else the machine does.
FIXED_BY = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
# Share of n threads' time that a step gets: nearly all on an idle machine, as threads
# that wait spin; seen on two cores: .65 beside one busy program, .5 beside two
CROWDED = 0.8
WINDOW = 0.25  # seconds of steps, after which they are judged
TRIAL = 0.05  # the same, while more threads are tried
PATIENCE = 4, 64  # seconds until more threads are tried: at first, and at most

# What a net keeps in files in a form of its own, and what is the same in all nets or is
# no longer needed: it is made anew when one is loaded.
MODULES = ("module_", "criterion_")
DEFAULTS = {"iterator_train": DataLoader, "iterator_valid": DataLoader}
DEFAULTS |= {"dataset": Dataset}
MADE_ANEW = {*MODULES, "module", "criterion", "optimizer_", "virtual_params_"}
MADE_ANEW |= {"generator", "best", "keeper", "shards", "_followed", *DEFAULTS}


def resolve_device(device):
    """Return a torch device name from ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.

    Raises
    ------
    ValueError
        When the name is unknown, or names a GPU that is not there.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        parsed = torch.device(device)
    except (RuntimeError, TypeError):
        parsed = None
    if parsed is None or parsed.type not in ("cpu", "cuda"):
        raise ValueError(
            f"Unknown device {device!r}; expected 'auto', 'cpu', 'cuda' or 'cuda:N'."
        )
    if parsed.type == "cuda" and (parsed.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={device!r} was asked for, but torch sees "
            f"{torch.cuda.device_count()} CUDA devices. Use device='auto' or 'cpu'."
        )
    return str(parsed)


def scores_data(callback):
    """Tell callbacks of skorch that score a net, by columns that it does not have."""
    kind = callback if isinstance(callback, type) else type(callback)
    return issubclass(kind, ScoringBase) and not issubclass(kind, PassthroughScoring)


def sets_sizes(callback):
    """Tell callbacks of skorch that set the size of a module by that of X."""
    kind = callback if isinstance(callback, type) else type(callback)
    return issubclass(kind, InputShapeSetter)


# What callbacks of skorch know at the end of an epoch beside what they were given.
# Which weights are frozen is said by the weights.
STATES = {
    EarlyStopping: ("misses_", "dynamic_threshold_", "best_epoch_")
    + ("best_model_weights_",),
    EpochTimer: (),
    Freezer: (),
    GradientNormClipping: (),
    Initializer: (),
    LRScheduler: ("batch_idx_",),
    ParamMapper: (),
    PassthroughScoring: ("best_score_",),
    PrintLog: ("first_iteration_",),
    Unfreezer: (),
}


def keeps_state(callback):
    """Tell callbacks that can go on in another process: they say what they know."""
    kind = callback if isinstance(callback, type) else type(callback)
    has_methods = hasattr(kind, "state_dict") and hasattr(kind, "load_state_dict")
    return kind in STATES or has_methods


def callback_state(callback):
    """Return what a callback knows at the end of an epoch, a dict."""
    if hasattr(callback, "state_dict"):
        return callback.state_dict()
    state = {name: getattr(callback, name) for name in STATES[type(callback)]}
    if isinstance(callback, LRScheduler):
        state["schedule"] = callback.lr_scheduler_.state_dict()
    return state


def set_callback_state(callback, state):
    """Give a callback, whose training has begun, what another one of it knew."""
    if hasattr(callback, "load_state_dict"):
        callback.load_state_dict(state)
        return
    for name in STATES[type(callback)]:
        setattr(callback, name, state[name])
    if isinstance(callback, LRScheduler):
        callback.lr_scheduler_.load_state_dict(state["schedule"])


class _Progress(Callback):
    """Says what is trained, and how long it takes; a bar over the epochs.

    The bar has the last training loss, and the validation score where there is one.
    """

    def on_train_begin(self, net, X=None, **kwargs):
        self._say(net, _plan_of(net, net.get_dataset(X)))
        self.bar_ = tqdm(total=net.max_epochs, unit="epoch", desc=net.title)
        self.is_first_ = True

    def on_epoch_end(self, net, **kwargs):
        last = net.history[-1]
        shown = {k: last[k] for k in ("train_loss", "valid_score") if k in last}
        self.bar_.set_postfix(shown)
        self.bar_.update()
        if self.is_first_:
            self.is_first_ = False
            self._say_time(net, last["dur"], self.bar_.total - self.bar_.n)

    def _say_time(self, net, seconds, n_left):
        if not n_left:
            return
        minutes = seconds * n_left / 60
        long = f"about {minutes:.1f}" if minutes >= 0.1 else "less than 0.1"
        less = "; less if training stops early" if net.best is not None else ""
        self._say(
            net,
            f"The first epoch took {seconds:.2g} s: the other {n_left} take {long} "
            f"minutes{less}.",
        )

    def _say(self, net, text):
        # not through the bar, which breaks lines, but where the bar is
        tqdm.write(f"[{net.title}] {text}", file=sys.stderr)

    def on_train_end(self, net, **kwargs):
        self.bar_.close()
        self.bar_ = None

    def state_dict(self):
        return {"n": self.bar_.n}

    def load_state_dict(self, state):
        self.bar_.update(state["n"])


def _plan_of(net, dataset):
    """Return what a net is about to be trained on, and what that takes, as a text."""
    n_weights = sum(weight.numel() for _, weight in net.get_all_learnable_params())
    n_networks = len(getattr(net.module_, "members", (net.module_,)))
    n_steps = len(net.get_iterator(dataset, training=True))
    memory = bytes_as_text(memory_of_training(net, dataset))
    return (
        f"Trains {_many(n_networks, 'network')} of {_many(n_weights, 'weight')} for "
        f"{_many(net.module_.n_labels, 'label')} on {_many(len(dataset), 'sample')}, "
        f"device {net.device}: {_many(net.max_epochs, 'epoch')} of "
        f"{_many(n_steps, 'step')}, {net.max_epochs * n_steps:,} in all. Takes at "
        f"least {memory} of memory beside X and y."
    )


def _many(n, noun):
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


class _OneCycle(Callback):
    """Raise the learning rate, then lower it to nearly 0, once over all steps.

    Adam's first moment decays faster meanwhile (beta1 goes from .95 to .85 and back);
    the momentum of SGD stays what it is.

    Parameters
    ----------
    options : dict
        Of torch's OneCycleLR.
    """

    def __init__(self, options):
        self.options = options

    def on_train_begin(self, net, X=None, **kwargs):
        steps = net.max_epochs * len(net.get_iterator(net.get_dataset(X)))
        rates = [group["lr"] for group in net.optimizer_.param_groups]
        options = {"cycle_momentum": "betas" in net.optimizer_.defaults, **self.options}
        if options.get("pct_start", 0) * max(steps, 2) == 1:  # torch divides by 0
            options["pct_start"] *= 1 + 1e-6
        self.schedule_ = torch.optim.lr_scheduler.OneCycleLR(
            net.optimizer_,
            rates,
            total_steps=max(steps, 2),
            **options,
        )

    def on_batch_end(self, net, training=False, **kwargs):
        if training and self.schedule_.last_epoch < self.schedule_.total_steps - 1:
            self.schedule_.step()

    def on_train_end(self, net, **kwargs):
        self.schedule_ = None

    def state_dict(self):
        return self.schedule_.state_dict()

    def load_state_dict(self, state):
        self.schedule_.load_state_dict(state)


class _Schedule(LRScheduler):
    """A schedule of torch, as skorch steps it; not pickled with the net."""

    def on_train_end(self, net, **kwargs):
        self.lr_scheduler_ = None


STATES[_Schedule] = STATES[LRScheduler]


class _BestWeights(Callback):
    """Stop when the validation score no longer rises; restore the best weights.

    Parameters
    ----------
    score : callable
        Maps the net to a number, greater is better.
    patience : int
        Epochs without a rise of ``tol`` before training stops, not counted while the
        one-cycle schedule still raises the learning rate.
    tol : float
    """

    def __init__(self, score, patience, tol):
        self.score = score
        self.patience = patience
        self.tol = tol

    def on_train_begin(self, net, **kwargs):
        self.best_ = -np.inf
        self.weights_ = None
        self.waited_ = 0

    def on_epoch_end(self, net, **kwargs):
        score = self.score(net)
        net.history.record("valid_score", score)
        net.history.record("valid_score_best", bool(score > self.best_))
        warm_up = net.schedule_options.get("pct_start", 0.3)
        rising = len(net.history) < warm_up * net.max_epochs
        rising = rising and net.schedule == "onecycle"
        better = score > self.best_ + self.tol
        self.waited_ = 0 if better or rising else self.waited_ + 1
        if score > self.best_:
            state = net.module_.state_dict()
            self.weights_ = deepcopy(state)
            self.best_ = score
        if self.waited_ >= self.patience:
            raise _StopTraining

    def on_train_end(self, net, **kwargs):
        if self.weights_ is not None:
            net.module_.load_state_dict(self.weights_)
        self.weights_ = self.score = None  # not into pickles

    def state_dict(self):
        return {name: getattr(self, name) for name in ("best_", "weights_", "waited_")}

    def load_state_dict(self, state):
        vars(self).update(state)


class _StopTraining(KeyboardInterrupt):
    """Ends training early: skorch does so on a KeyboardInterrupt."""


def _was_raised_on_purpose(stop):
    """Tell a callback's stop from the user's Ctrl-C, which may strike in a callback.

    Ctrl-C raises a bare KeyboardInterrupt, never one of a class derived from it. So
    does skorch's EarlyStopping, but by a statement of its own: a signal strikes between
    two instructions, and none of them is a ``raise``.
    """
    if type(stop) is not KeyboardInterrupt:
        return True
    where = stop.__traceback__
    while where.tb_next:
        where = where.tb_next
    if not where.tb_frame.f_globals.get("__name__", "").startswith("skorch.callbacks."):
        return False
    instruction = where.tb_frame.f_code.co_code[where.tb_lasti]
    return dis.opname[instruction] == "RAISE_VARARGS"


class _TensorFloat:
    """Lets CUDA devices multiply in TensorFloat-32 while a fit runs.

    The switch is one for the process. The first of several fits at a time turns it on,
    the last one puts back what was there.
    """

    lock = Lock()
    depth = 0
    before = None
    name = "fp32_precision"
    if not hasattr(torch.backends.cuda.matmul, name):  # before torch 2.9
        name = "allow_tf32"

    def __enter__(self):
        kind = type(self)
        switch = torch.backends.cuda.matmul
        with kind.lock:
            if kind.depth == 0:
                kind.before = getattr(switch, kind.name)
                setattr(switch, kind.name, "tf32" if "fp32" in kind.name else True)
            kind.depth += 1

    def __exit__(self, *error):
        kind = type(self)
        with kind.lock:
            kind.depth -= 1
            if kind.depth == 0:
                setattr(torch.backends.cuda.matmul, kind.name, kind.before)


class ThreadChoice:
    """Runs steps on torch's number of threads, or on fewer where cores are busy.

    A step is thousands of short products, each shared among threads that wait for each
    other. Where other programs keep the cores busy, a thread that has no core makes all
    others wait, and they burn the time: two threads then take up to twenty times as
    long as one. So time is watched: on an idle machine threads that wait spin, and a
    step of n threads takes n times its length of processor time. Where it takes much
    less, threads had no core; from then on half as many are used, and now and then
    twice as many are tried. There is one choice for the process, as there is one set
    of cores.

    Parameters
    ----------
    clock, processor_time : callable
        Seconds that have passed, and seconds of all threads of this process.
    """

    def __init__(self, clock=time.perf_counter, processor_time=time.process_time):
        self.clock = clock
        self.processor_time = processor_time
        self.lock = Lock()
        self.callers = Counter()  # by thread of Python; steps of several are not judged
        self.allowed = 1  # torch's number, while there are callers
        self.halvings = 0  # of that number
        self.trying = False  # one halving less, for a moment
        self.patience = PATIENCE[0]
        self.retry_at = 0.0
        self._open_window()

    def _open_window(self):
        self.passed = 0.0
        self.worked = 0.0

    @contextmanager
    def steps(self):
        """Choose threads for the steps inside, and put back torch's number behind."""
        caller = get_ident()
        with self.lock:
            if not self.callers:
                self.allowed = torch.get_num_threads()
            self.callers[caller] += 1
        try:
            yield
        finally:
            with self.lock:
                self.callers[caller] -= 1
                self.callers += Counter()  # drops who has left
                if torch.get_num_threads() != self.allowed and not self.callers[caller]:
                    torch.set_num_threads(self.allowed)

    @contextmanager
    def step(self):
        """Run one step on the threads chosen, and judge by it what to choose next."""
        is_fixed = any(os.environ.get(name) for name in FIXED_BY)
        if self.allowed == 1 or is_fixed or len(self.callers) > 1:
            yield
            return
        chosen = self._choose()
        if torch.get_num_threads() != chosen:
            torch.set_num_threads(chosen)
        start = self.clock()
        processor_start = self.processor_time()
        yield
        passed = self.clock() - start
        self._judge(chosen, passed, self.processor_time() - processor_start)

    def _choose(self):
        """Return the number of threads for the next step."""
        if self.halvings and not self.trying and self.clock() >= self.retry_at:
            self.trying = True
            self.halvings -= 1
            self._open_window()
        return max(self.allowed >> self.halvings, 1)

    def _judge(self, chosen, passed, worked):
        """Count a step; when a window is full, choose fewer threads or not."""
        self.passed += passed
        self.worked += worked
        if self.passed < (TRIAL if self.trying else WINDOW):
            return
        crowded = self.worked < CROWDED * chosen * self.passed
        if crowded and self.trying:  # in vain: the next try is later
            self.patience = min(2 * self.patience, PATIENCE[1])
        elif chosen > 1:
            self.patience = max(self.patience / 2, PATIENCE[0])
        if crowded and chosen > 1:
            self.halvings += 1
        if crowded or self.trying:  # no room for more where one has too little
            self.retry_at = self.clock() + self.patience
        self.trying = False
        self._open_window()


THREADS = ThreadChoice()


def _finite(logits):
    """Return logits; raise where one is not a number."""
    _check(np.isfinite(logits).all())
    return logits


def _is_in_training(module):
    """Tell whether a module or a part of it is; torch's own walk is slow here."""
    if module.training:
        return True
    for part in module._modules.values():
        if part is not None and _is_in_training(part):
            return True
    return False


def _check(finite):
    """Raise unless all scores of a batch were finite."""
    if finite:
        return
    raise FloatingPointError(
        "The network's scores of these samples became infinite or NaN. X may hold much "
        "larger numbers than in training: look at its range, and scale it, for "
        "instance with StandardScaler in a Pipeline."
    )


def _as_type(output, dtype):
    """Return a network's output, a tensor or a tuple of outputs, in a dtype."""
    if isinstance(output, torch.Tensor):
        return output.to(dtype)
    if not isinstance(output, tuple):  # a number
        return output
    parts = [_as_type(part, dtype) for part in output]
    return tuple(parts) if type(output) is tuple else type(output)(*parts)


class Net(NeuralNet):
    """A skorch net that slices batches and asks its criterion for the epoch's record.

    Parameters
    ----------
    module, criterion : nn.Module
        Instances, initialised. The criterion is called with the module's output, the
        targets and the sample weights, and has ``end_epoch()``.
    generator : torch.Generator
        On the CPU; shuffles the training rows.
    schedule : {"onecycle", "constant"} or class
        Of torch.optim.lr_scheduler.
    schedule_options : dict
        What the schedule's class takes; skorch's LRScheduler takes more.
    form : ManyPaths or SinglePath
        How labels are scored, which :meth:`predict_proba` needs.
    copy_input : bool
        Whether the module may write into batches of X.
    best : tuple (score, patience, tol) or None
        Early stopping.
    title : str
        Named in the progress bar.
    precision : {"float32", "float64", "tf32", "mixed"}
        Of the network's matrix products in training.
    resumable : bool
        Whether pickles hold what it takes to go on with ``go_on_from``.
    **kwargs
        Of :class:`skorch.NeuralNet`.
    """

    def __init__(
        self,
        module,
        *,
        criterion,
        generator=None,
        schedule="onecycle",
        schedule_options=None,
        form=None,
        copy_input=False,
        best=None,
        title="fit",
        resumable=False,
        precision="float32",
        **kwargs,
    ):
        self.precision = precision
        self.generator = generator
        self.schedule = schedule
        self.schedule_options = schedule_options or {}
        self.resumable = resumable
        self.form = form
        self.copy_input = copy_input
        self.best = best
        self.title = title
        self.stopped_early = False
        self.n_epochs_done = 0
        self.keeper = None
        self.shards = None
        super().__init__(module, criterion, train_split=None, **kwargs)

    @property
    def _default_callbacks(self):
        callbacks = [("epoch_timer", EpochTimer())]
        if self.best is not None:
            callbacks.append(("best_weights", _BestWeights(*self.best)))
        if self.schedule == "onecycle":
            callbacks.append(("one_cycle", _OneCycle(self.schedule_options)))
        elif self.schedule != "constant":
            options = {"event_name": None, **self.schedule_options}
            callbacks.append(("schedule", _Schedule(self.schedule, **options)))
        if self.verbose:
            callbacks.append(("progress", _Progress()))
        return callbacks

    def notify(self, method_name, **kwargs):
        if method_name == "on_train_end":  # where a Checkpoint may go back to the best
            self.n_epochs_done = sum("train_loss" in epoch for epoch in self.history)
        try:
            if method_name != "on_epoch_end":
                super().notify(method_name, **kwargs)
            elif self.shards is None:
                self._end_epoch(**kwargs)
            else:
                self._end_epoch_together(**kwargs)
        except KeyboardInterrupt as stop:
            self.stopped_early = _was_raised_on_purpose(stop)
            raise
        except (KeyError, ValueError, SkorchException) as error:
            if method_name != "on_epoch_end" or "history" not in str(error):
                raise
            names = sorted(set(self.history[-1]) - {"batches"})
            raise ValueError(
                f"A callback looks for something that the history of this fit does not "
                f"have: {error.args[0]} There are {names}. Set its monitor to one of "
                f"these; early_stopping=True adds 'valid_score' and "
                f"'valid_score_best'."
            ) from error

    def _end_epoch(self, **kwargs):
        super().notify("on_epoch_end", **kwargs)
        if self.keeper is not None:
            self.keeper.end_epoch(self)

    def _end_epoch_together(self, **kwargs):
        """End training in all processes where a callback of one ends it."""
        stop = None
        with agreeing(self.shards):
            try:
                super().notify("on_epoch_end", **kwargs)
            except KeyboardInterrupt as asked:
                if not _was_raised_on_purpose(asked):
                    raise
                stop = asked
        if self.shards.any(stop is not None):
            raise stop or _StopTraining
        weights = self.get_all_learnable_params(), self.module_.named_buffers()
        name = self.shards.differing(dict(itertools.chain(*weights)))
        if name is not None:
            raise RuntimeError(
                f"The processes of this fit no longer have the same weights: {name!r} "
                f"differs after epoch {len(self.history)}. Look for what a layer of an "
                f"encoder, an optimizer or a callback does in one process alone."
            )
        if self.keeper is not None:
            self.keeper.end_epoch(self)

    def get_dataset(self, X, y=None):
        """Return what batches are cut from, also of an X that was not read yet."""
        if isinstance(X, SliceDataset):
            return X
        X = check_array(
            X,
            accept_sparse="csr",
            dtype=torch.empty(0, dtype=self.dtype).numpy().dtype,
            order="C",
            allow_nd=True,
        )
        sparse = self.module_.takes_sparse
        return SliceDataset(X, dtype=self.dtype, copy=self.copy_input, sparse=sparse)

    def predict_proba(self, X):
        """Return coherent probabilities (n_samples, n_labels), in the order of Y.

        Also after a 1-D y these are of all labels. The network's own output, which
        ``forward`` returns, are logits in an order of its own.
        """
        rule = self.form.rule("auto")
        return self._blocks(X, lambda x: self.form.proba(x, rule)).array()

    def predict(self, X):
        """Return coherent indicators (n_samples, n_labels), in the order of Y."""
        rule = self.form.rule("auto")
        blocks = self._blocks(X, lambda x: self.form.predict(x, rule, None))
        return blocks.indicators(sparse=False)

    def _blocks(self, X, change):
        """Return what a function makes of the logits of X, block by block."""
        dataset = self.get_dataset(X)
        return Blocks(self.logits(dataset), len(dataset)).map(change)

    def train(self, dataset, keeper=None, shards=None):
        """Train all epochs, and return what interrupted this, or None.

        skorch's ``fit`` and ``partial_fit`` swallow a KeyboardInterrupt. Here whoever
        calls is given that of the user, to raise it when the weights are put away; a
        callback that ends training early is no interruption.

        Parameters
        ----------
        dataset : SliceDataset
        keeper : Keeper or None
            What this fit may go on from, and writes checkpoints.
        shards : Shards or None
            The processes that share this fit.

        Returns
        -------
        KeyboardInterrupt or None
        """
        self.shards = shards
        try:
            return self._train(dataset, keeper)
        finally:
            self.shards = None

    def _train(self, dataset, keeper):
        self.notify("on_train_begin", X=dataset, y=None)
        if keeper is not None:
            keeper.put_back(self)  # over what callbacks began with
        if self.shards is not None:
            self.shards.meet()  # what was done before may have taken some much longer
        interruption = self._run_epochs(dataset, keeper)
        try:
            self.notify("on_train_end", X=dataset, y=None)
        except Exception as error:
            if interruption is not None:  # that the program stops comes first
                raise interruption from error
            raise
        return interruption

    def _run_epochs(self, dataset, keeper):
        """Run the epochs that are left, and return what interrupted them, or None."""
        left = self.max_epochs if keeper is None else keeper.epochs_left(self)
        self.keeper = keeper
        try:
            try:
                self.fit_loop(dataset, epochs=left)
            except KeyboardInterrupt:
                if not self.stopped_early:
                    raise
            if keeper is not None:
                keeper.finish(self)
        except KeyboardInterrupt as stop:
            return stop
        finally:
            self.keeper = None
        return None

    def go_on_from(self, former, growth=None):
        """Take over the history, and what the optimizer remembers of every weight.

        Parameters
        ----------
        former : Net
        growth : Growth or None
            What labels start from, where there are more than the former net has.
        """
        self.history.extend(epoch for epoch in former.history if "train_loss" in epoch)
        if not former.resumable:
            return
        before = dict(former.get_all_learnable_params())
        weights = self.get_all_learnable_params()
        pair = former.optimizer_, before, self.optimizer_, weights
        if growth is None:
            transfer_state(*pair)
        else:
            tables = former.module_.label_tables(), self.module_.label_tables()
            columns = self.module_.label_columns()
            transfer_grown_state(*pair, growth, tables, columns)

    def scored_by(self, form):
        """Return this net, with its weights, whose labels another form scores."""
        other = object.__new__(type(self))
        vars(other).update(vars(self), form=form)
        return other

    def check_finite(self):
        """Raise when a weight is no longer a number, also after the last step."""
        for _, weight in self.get_all_learnable_params():
            if not torch.isfinite(weight).all():
                raise FloatingPointError(self._diverged("A weight of the network"))

    def _diverged(self, what):
        return (
            f"{what} became infinite or NaN in epoch {len(self.history)}. Lower "
            f"learning_rate_init (got {self.lr!r}), or scale X, for instance with "
            f"StandardScaler."
        )

    def get_iterator(self, dataset, training=False):
        generator = self.generator if training else None
        dataset = dataset.move_to(self.device) if training else dataset
        shards = self.shards if training else None
        return Batches(dataset, self.batch_size, self.device, generator, shards)

    def fit_loop(self, *args, **kwargs):
        on_gpu = torch.device(self.device).type == "cuda"
        tf32 = self.precision == "tf32" and on_gpu
        with _TensorFloat() if tf32 else nullcontext(), self._steps():
            return super().fit_loop(*args, **kwargs)

    @property
    def is_on_cpu(self):
        """Whether the network is on the CPU."""
        return self.device == "cpu" or torch.device(self.device).type == "cpu"

    def _steps(self):
        """Return the context of several steps."""
        return THREADS.steps() if self.is_on_cpu else nullcontext()

    def _step(self):
        """Return the context of one step."""
        # who waits for other processes has no use for fewer threads
        is_alone = self.is_on_cpu and self.shards is None
        return THREADS.step() if is_alone else nullcontext()

    def infer(self, x, **fit_params):
        if isinstance(x, dict):  # sampled labels stay on the CPU, unlike X
            x, fit_params = x["X"], fit_params | {"labels": x["labels"]}
        if self.precision != "mixed":
            return super().infer(x, **fit_params)
        with torch.autocast(torch.device(self.device).type, torch.bfloat16):
            output = super().infer(x, **fit_params)
        return _as_type(output, self.dtype)

    def train_step_single(self, batch, **fit_params):
        if self.shards is None:
            return super().train_step_single(batch, **fit_params)
        with sharing(self.shards):
            step = super().train_step_single(batch, **fit_params)
        weights = self.get_all_learnable_params()
        self.shards.sum_gradients(weights, self._rows_of_labels)
        return step

    @property
    def _rows_of_labels(self):
        """Names of weights that have a row for every label."""
        tables = self.module_.label_tables().values()
        return {name for parts in tables for name in parts} - (
            self.module_.label_columns()
        )

    def get_loss(self, y_pred, y_true, X=None, training=False):
        return self.criterion_(y_pred, *y_true)

    def _set_training(self, training=True):
        if self.module_.training != training:  # in every step it is a walk over modules
            super()._set_training(training)

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        if iterator is None:
            return
        super()._set_training(training)
        for batch in iterator:
            self.notify("on_batch_begin", batch=batch, training=training)
            with self._step():
                step = step_fn(batch, **fit_params)
            self.notify("on_batch_end", batch=batch, training=training, **step)
        record = self.criterion_.end_epoch()
        # of the last group, that of all weights which no pattern names
        record["learning_rate"] = self.optimizer_.param_groups[-1]["lr"]
        for name, value in record.items():
            self.history.record(name, value)
        before = [epoch.get("train_loss", np.inf) for epoch in self.history[:-1]]
        best = record["train_loss"] < min(before, default=np.inf)
        self.history.record("train_loss_best", bool(best))
        if not np.isfinite(record["train_loss"]):
            raise FloatingPointError(self._diverged("The training loss"))

    @property
    def dtype(self):
        """The torch dtype of the network's parameters."""
        return next(self.module_.parameters()).dtype

    def follow_on_device(self, form, rule, classes):
        """Return the module that makes probabilities of logits, on the net's device.

        None is returned for what modules do not compute. The module of the last call is
        kept, but not pickled.
        """
        asked = form, rule, classes
        if not has_module(form, rule):
            return None
        before, module = vars(self).get("_followed", (None, None))
        if before is None or any(
            a is not b for a, b in zip(before, asked, strict=True)
        ):
            module = proba_module(*asked).to(self.device)
            vars(self)["_followed"] = asked, module  # skorch would take it for a part
        return module

    def logits_at_once(self, X):
        """Return the logits of few dense rows, or None where they are not few.

        They are those of :meth:`logits`, which would have them in one block. Datasets,
        batches and a choice of threads take longer than some networks do for one row.
        """
        few = len(X) <= INFERENCE_ROWS[0]
        few = few and len(X) * self.module_.n_labels <= BLOCK_ENTRIES
        if not few or not self.is_on_cpu:
            return None
        self._end_training()
        with torch.inference_mode():
            if not (X.flags.c_contiguous and X.flags.writeable):
                X = np.require(X, requirements=["C", "W"])
            return _finite(self.module_(torch.from_numpy(X)).numpy())

    def _end_training(self):
        """Set what is still in training to inference; a whole walk takes longer."""
        if _is_in_training(self.module_):
            self.module_.eval()

    def logits(self, dataset, follow=None):
        """Yield the logits of a dataset, ndarrays (n_rows, n_labels) in order.

        Or what ``follow``, a module on the network's device, makes of them there.
        """
        self._end_training()
        widest = max(self.module_.n_labels, dataset.width)
        fewest, most = INFERENCE_ROWS
        size = min(max(INFERENCE_ENTRIES // widest, fewest), most)
        if dataset.copy:  # what a user's encoder needs is known for training batches
            size = min(size, self.batch_size)
        for X, _ in Batches(dataset, size, self.device):
            # not around the yield: both would leak out
            with torch.inference_mode(), self._steps(), self._step():
                logits = self.module_(X)
                if follow is None:
                    logits = _finite(logits.cpu().numpy())
                else:  # one number is read back beside the result, and none per level
                    made, finite = follow(logits), torch.isfinite(logits).all()
                    logits = made.cpu().numpy()
                    _check(bool(finite))
            size = max(BLOCK_ENTRIES // logits.shape[1], LEAST_ROWS)
            n_parts = -(-len(logits) // size)
            yield from np.array_split(logits, n_parts)

    def __getstate__(self):
        """Return what is kept in files: plain data, in which no pickle hides.

        That module and criterion are what module_ and criterion_ are goes without
        saying, and so do classes that skorch has as defaults. The optimizer's state,
        which makes a file several times as large, is for training that goes on.
        """
        state = {k: v for k, v in vars(self).items() if k not in MADE_ANEW}
        state |= {name: to_plain(vars(self)[name]) for name in MODULES}
        optimizer = self.optimizer_ if self.resumable else None
        if optimizer is not None:
            optimizer = tensors_to_plain(optimizer.state_dict())
        return state | {"optimizer_": optimizer}

    def __setstate__(self, state):
        if "__cuda_dependent_attributes__" in state:
            raise ValueError(
                "This net holds a pickle inside, as nets of the first versions of "
                "skhmc did; it is not opened, since it could run any program. Fit "
                "again, or load it with the version that kept it."
            )
        state = {**state, "device": _device_at_hand(state["device"])}
        nothing = dict.fromkeys(("generator", "best", "keeper", "shards"))
        vars(self).update(state, **DEFAULTS, **nothing)
        for name in MODULES:
            module = from_plain(state[name])
            module = module.to(self.device)
            vars(self).update({name: module, name.removesuffix("_"): module})
        self.initialize_virtual_params()
        self.initialized_ = False  # else skorch says that it does this again
        self._initialize_optimizer()
        self.initialized_ = state["initialized_"]
        if state["optimizer_"] is None:
            self.optimizer_ = None
        else:
            self.optimizer_.load_state_dict(tensors_from_plain(state["optimizer_"]))


def _device_at_hand(device):
    """Return a device, or the CPU, with skorch's warning, where it is not there."""
    return Net._check_device(None, device, get_map_location(device))
