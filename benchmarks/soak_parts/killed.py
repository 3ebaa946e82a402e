"""Fits with a checkpoint, and saving, killed at random moments."""

import os
import signal
import tempfile
import time
import warnings
from functools import cache
from pathlib import Path

from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback

import skhmc
from benchmarks.soak_parts.processes import NETWORKS, Process, data, learnt
from skhmc import Checkpoint
from skhmc._networks.packing import read_state

EARLY = {"early_stopping": True, "n_iter_no_change": 4, "schedule": "constant"}
WAYS = {
    "dense X": {},
    "sparse X": {},
    "X in a file": {},
    "sampled labels": {"n_sampled_labels": 2},
    "early stopping": EARLY,
    "two networks": {"n_estimators": 2},
}
WAYS_OF_HYPERBOLIC = [way for way in WAYS if way != "two networks"]
N_EPOCHS = 12
MAX_KILLS = 3  # of one fit, one after the other


# -- fits ------------------------------------------------------------------------------


class Pipe:
    """That of this process; a number in the callback would make it another one."""

    def __init__(self):
        self.number = None


PIPE = Pipe()


class Tells(Callback):
    """Writes a byte at the start of every epoch, when that before is kept."""

    def on_epoch_begin(self, net, **kwargs):
        if PIPE.number is not None:
            os.write(PIPE.number, b".")

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def kill_fit(number, rng):
    """Kill one fit up to three times; return the kills, and what was wrong."""
    network = NETWORKS[number % len(NETWORKS)]
    ways = list(WAYS) if "n_estimators" in network.get_params() else WAYS_OF_HYPERBOLIC
    way = ways[number // len(NETWORKS) % len(ways)]
    every = int(rng.integers(1, 4))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        hierarchy, X, Y = data(way, folder)
        options = WAYS[way] | {"hierarchy": hierarchy, "max_iter": N_EPOCHS}
        clf = clone(network).set_params(**options, callbacks=[Tells])
        checkpoint = Checkpoint(folder / "fits", every=every)

        def fit(pipe, kept=True):
            PIPE.number = pipe
            mine = clone(clf).set_params(checkpoint=checkpoint if kept else None)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                mine.fit(X, Y)
            os.write(pipe, b"|" + learnt(mine, X))

        start = time.perf_counter()
        expected, _ = Process(lambda pipe: fit(pipe, kept=False)).wait()
        seconds = time.perf_counter() - start
        expected = expected.partition(b"|")[2]
        wrong = [] if expected else ["the unbroken fit failed"]
        n_kills = 0
        before = 0
        for _ in range(int(rng.integers(1, MAX_KILLS + 1))):
            process = Process(fit)
            time.sleep(rng.uniform(0, 1.2) * seconds)
            process.stop(signal.SIGKILL)
            told, status = process.wait()
            n_kills += os.WIFSIGNALED(status)
            begun = told.partition(b"|")[0].count(b".")
            before, text = _lost(folder / "fits", before, begun, every)
            wrong += text
        found, _ = Process(fit).wait()
        if found.partition(b"|")[2] != expected:
            wrong.append("the fit that went on has other bits")
    said = f"{type(network).__name__}, {way}, every {every}"
    return n_kills, [f"{said}: {text}" for text in wrong]


def _lost(folder, before, begun, every):
    """Return the epochs in a folder's file, and a text if more were lost than may be.

    Of ``begun`` epochs after ``before``, the last one is not done.
    """
    files = list(folder.glob("*.safetensors"))
    least = before + max(begun - 1, 0)
    least -= least % every
    if not files:
        return 0, [] if least == 0 else [f"no file after {least} epochs"]
    try:
        (path,) = files
        head, state = read_state(path, "cpu")
        kept = len(state["history"])
    except Exception as error:
        return 0, [f"the file does not load: {error}"]
    if kept < least:
        return kept, [f"{kept} epochs in the file, of at least {least}"]
    return kept, []


# -- saving ----------------------------------------------------------------------------


@cache
def two_models(number):
    """Return two fitted estimators of a sort, the old and the new one, and X.

    They are large enough that writing takes some time.
    """
    hierarchy, X, Y = data(["dense X", "sparse X"][number % 2], None)
    network = NETWORKS[number % len(NETWORKS)]
    found = []
    for seed in (0, 1):
        clf = clone(network).set_params(hierarchy=hierarchy, max_iter=1)
        clf.set_params(hidden_layer_sizes=(300, 300), random_state=seed)
        if number % 4 == 3:  # what skops writes
            clf = make_pipeline(StandardScaler(with_mean=False), clf)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(clf.fit(X, Y))
    return *found, X


def kill_save(number, rng):
    """Kill one process that replaces a model file; return the kills, and wrongs."""
    old, new, X = two_models(number % 12)
    answers = [clf.predict_proba(X).tobytes() for clf in (old, new)]
    wrong = []
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "model.skhmc"
        start = time.perf_counter()
        skhmc.save(old, path)
        seconds = time.perf_counter() - start

        def save(pipe):
            os.write(pipe, b"begun")
            skhmc.save(new, path)
            os.write(pipe, b" over")

        process = Process(save)
        os.read(process.reader, 5)  # begun
        time.sleep(rng.uniform(0, 1) * seconds)
        process.stop(signal.SIGKILL)
        told, status = process.wait()
        is_over = told.endswith(b"over")
        try:
            found = skhmc.load(path).predict_proba(X).tobytes()
            if found not in answers[is_over:]:
                wrong.append("the file holds another model")
            skhmc.save(new, path)  # whatever the kill left behind
            if skhmc.load(path).predict_proba(X).tobytes() != answers[1]:
                wrong.append("saving after the kill wrote another model")
        except Exception as error:
            wrong.append(f"the file does not load: {error}")
    said = f"saving {type(new).__name__}"
    n_kills = int(os.WIFSIGNALED(status) and not is_over)
    return n_kills, [f"{said}: {text}" for text in wrong]
