"""Seconds until HCALClassifier passes the final score of a peer."""

import time
import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from skorch.callbacks import Callback

from benchmarks.figures import leaf_accuracy
from benchmarks.peers import HiClassPaths, PriorForConstantLabels, has_hiclass
from benchmarks.speed_parts.common import found, paired, quiet, ratio_cell
from benchmarks.speed_parts.data import load
from skhmc import CoherentClassifier, HCALClassifier
from skhmc.metrics import au_prc_score

__all__ = ["goals", "keep", "measure", "tables"]

REPETITIONS = {"cellcycle_FUN": 3, "enron": 3, "cellcycle_GO": 1, "imclef07a": 3}
SINGLE_PATHS = "imclef07a"  # scored by leaf accuracy
VARIANTS = {"defaults": {}, "10 epochs": {"max_iter": 10}, "3 epochs": {"max_iter": 3}}
HICLASS = "HiClass, LocalClassifierPerParentNode, "


def keep(row):
    """Tell whether a row of a former run stays: there is no HiClass to repeat it."""
    return row["peer"].startswith(HICLASS) and not has_hiclass()


def measure(settings):
    """Fit the peers of every set and HCALClassifier, in turn."""
    rows = []
    names = [n for n in REPETITIONS if n != SINGLE_PATHS or has_hiclass()]
    if not has_hiclass():
        print("Without HiClass (pip install hiclass) its rows stay as they were.")
    for name in names[:1] if settings.quick else names:
        data = load(name, ("train", "valid") if name != SINGLE_PATHS else ("train",))
        peers = (hiclass_peers if name == SINGLE_PATHS else peers_of)(settings)
        if settings.quick:
            peers = dict([*peers.items()][:1])
        runs = []
        for seed in range(settings.pick(REPETITIONS[name], 1)):
            runs.append(race(data, peers, settings, settings.seed + seed))
            print(name, runs[-1], flush=True)
        rows += [row for peer in peers for row in gather(name, peer, runs)]
    return rows


def gather(name, peer, runs):
    """Yield a row per variant of HCALClassifier: its times beside those of a peer."""
    score, seconds = (np.median([run[peer][k] for run in runs]) for k in (0, 1))
    row = {"set": name, "peer": peer, "peer_score": score, "peer_seconds": seconds}
    for variant in VARIANTS:
        times = [run[variant][peer] for run in runs]
        finals = [run[variant]["best"] for run in runs]
        row |= {"variant": variant, "best_score": float(np.median(finals))}
        passed = [t for t in times if t is not None]
        row["passed"] = f"{len(passed)} of {len(runs)}"
        row["seconds"], row["ratio"] = None, None
        if len(passed) == len(runs):
            row["seconds"] = float(np.median(passed))
            row["ratio"] = paired(times, [run[peer][1] for run in runs])
        yield dict(row)


def race(data, peers, settings, seed):
    """Fit the peers, then each variant of HCALClassifier until it passed them all."""
    score = scorer(data)
    run, final = {}, {}
    for name, peer in peers.items():
        start = time.perf_counter()
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            predict = peer(data)
        seconds = time.perf_counter() - start
        final[name] = score(predict(data.X_test))
        run[name] = final[name], seconds
    for name, options in VARIANTS.items():
        clf = HCALClassifier(data.hierarchy, random_state=seed, device="cpu", **options)
        run[name] = until_passed(clf, data, final, score)
    return run


def scorer(data):
    """Return how predictions for the test rows are scored."""
    if data.name == SINGLE_PATHS:
        return lambda Y: leaf_accuracy(data.Y_test, Y, data.hierarchy)
    options = {"hierarchy": data.hierarchy, "exclude": data.not_scored}
    return lambda proba: au_prc_score(data.Y_test, proba, **options)


class Enough(KeyboardInterrupt):
    """Ends training early, as skorch understands it; no Ctrl-C is of this class."""


class AfterEpochs(Callback):
    """Ends training when a function of the net says so."""

    def __init__(self, done):
        self.done = done

    def on_epoch_end(self, net, **kwargs):
        if self.done(net):
            raise Enough


def until_passed(clf, data, final, score):
    """Return the seconds of fit until every peer is passed, without the scoring."""
    passed, best, paused = dict.fromkeys(final), 0.0, 0.0
    with quiet():  # fitted to lend the net its form while the net is being trained
        fitted = clone(clf).set_params(max_iter=1, callbacks=None)
        fitted.fit(data.X_train, data.Y_train)
    predict = fitted.predict if data.name == SINGLE_PATHS else fitted.predict_proba

    def done(net):
        nonlocal best, paused
        stop = time.perf_counter()
        fitted.net_ = net
        now = score(predict(data.X_test))
        best = max(best, now)
        for peer, goal in final.items():
            if passed[peer] is None and now > goal:
                passed[peer] = stop - start - paused
        paused += time.perf_counter() - stop
        return None not in passed.values()

    clf.set_params(callbacks=[AfterEpochs(done)])
    start = time.perf_counter()
    with quiet():
        clf.fit(data.X_train, data.Y_train)
    return passed | {"best": best}


# -- peers: functions that fit, and return a function that predicts --------------------


def peers_of(settings):
    """Return the peers of multi-label sets by name."""
    Parallel(settings.threads)(delayed(abs)(1) for _ in range(settings.threads))

    def logistic(data):
        model = MultiOutputClassifier(
            LogisticRegression(max_iter=200), n_jobs=settings.threads
        )
        model = PriorForConstantLabels(model)
        return model.fit(data.X_train, data.Y_train).predict_proba

    def forest(data):
        trees = RandomForestClassifier(
            min_samples_leaf=5, n_jobs=settings.threads, random_state=settings.seed
        )
        model = CoherentClassifier(trees, data.hierarchy)
        return model.fit(data.X_train, data.Y_train).predict_proba

    return {
        "MultiOutputClassifier(LogisticRegression)": logistic,
        "CoherentClassifier(RandomForestClassifier)": forest,
    }


def hiclass_peers(settings):
    """Return HiClass around two classifiers."""
    from hiclass import LocalClassifierPerParentNode

    def local(classifier):
        def fit(data):
            model = LocalClassifierPerParentNode(classifier, n_jobs=settings.threads)
            model = HiClassPaths(model, data.hierarchy)
            return model.fit(data.X_train, data.Y_train).predict

        return fit

    forest = RandomForestClassifier(min_samples_leaf=5, random_state=settings.seed)
    return {
        HICLASS + "LogisticRegression": local(LogisticRegression(max_iter=200)),
        HICLASS + "RandomForestClassifier": local(forest),
    }


# -- tables ----------------------------------------------------------------------------


def tables(rows):
    """Return the table of times."""
    heads = ["data set", "peer", "its fit, s", "its score", "HCALClassifier"]
    heads += ["best score till then", "s until it passed", "ratio"]
    cells = []
    for row in rows:
        cells.append([row["set"], row["peer"], f"{row['peer_seconds']:.1f}"])
        cells[-1] += [f"{row['peer_score']:.3f}", row["variant"]]
        cells[-1].append(f"{row['best_score']:.3f}")
        if row["ratio"] is None:
            cells[-1] += ["–", f"passed in {row['passed']}"]
        else:
            cells[-1] += [f"{row['seconds']:.1f}", ratio_cell(row["ratio"])]
    title = "Time until a peer's final score is passed: AU(PRC) on test rows, leaf "
    return [(f"{title}accuracy for {SINGLE_PATHS}", heads, cells)]


def goals(rows):
    """Return what was to be reached, and what was."""
    lines = []
    for peer in dict.fromkeys(row["peer"] for row in rows):
        for variant in VARIANTS:
            here = [r for r in rows if (r["peer"], r["variant"]) == (peer, variant)]
            ratios = [r["ratio"]["ratio"] if r["ratio"] else np.inf for r in here]
            sets = ", ".join(row["set"] for row in here)
            what = f"time until HCALClassifier ({variant}) passes, {sets}"
            lines.append([what, f"the fit of {peer}", "≤ 1×", found(ratios, 1)])
    return lines
