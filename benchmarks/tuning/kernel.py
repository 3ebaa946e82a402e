"""What KernelHMC should do by default: bandwidth, ridge, calibration, closing."""

import time
import warnings
from unittest import mock

import numpy as np
from sklearn.kernel_ridge import KernelRidge
from sklearn.pipeline import make_pipeline

from benchmarks.recipe import TEXTS, load, split, table_steps
from benchmarks.tables import table, text_row
from benchmarks.tuning.comparison import Comparison
from skhmc import KernelHMC
from skhmc._kernels import calibration, ridge
from skhmc._kernels.calibration import fit_sigmoids, score_odds
from skhmc._kernels.choice import log_loss
from skhmc._kernels.kernels import Kernel as RowKernel
from skhmc._kernels.kernels import total_variance
from skhmc._kernels.model import fit_model
from skhmc._kernels.rows import merge_rows
from skhmc.coherence import RULES, max_constraint
from skhmc.metrics import au_prc_score

__all__ = ["Kernel", "KernelPatterns"]

SETS = (
    "cellcycle_FUN",
    "eisen_FUN",
    "gasch1_FUN",
    "seq_FUN",
    "pheno_FUN",
    "enron",
    "cei",
    "rcv1_subset1",
)
UNTUNED = 3.0  # the ridge of the plain regression, with gamma = 1 / n_features
CRITERIA = {
    "squared_error": "squared error",
    "log_loss": "log loss",
    "au_prc": "AU(PRC)",
}
# where scores are cut, and the positives without which a label has its level's map
MAPS = {
    "levels alone": (calibration.SMOOTH, np.inf),
    "cut at 0.03": (0.03, calibration.ENOUGH),
    "cut at 0.1": (0.1, calibration.ENOUGH),
    "cut at 0.3": (0.3, calibration.ENOUGH),
}
MEASURES = {"au_prc": "AU(PRC)", "log_loss": "log loss"}
COMPARED = ("max", "average")
HEADS = [
    "data set",
    "rows",
    "distinct",
    "untuned",
    "KernelHMC",
    "gamma",
    "ridge",
    "untuned s",
    "KernelHMC s",
]
WIDTHS = (14, -6, -9, -8, -10, -7, -8, -10, -12)


class Kernel(Comparison):
    """What KernelHMC should do by default: bandwidth, ridge, calibration, closing.

    Micro AU(PRC) on validation rows, of fits to the training rows. KernelHMC beside a
    plain KernelRidge (gamma = 1 / features, ridge 3), closed by the max rule. What
    bandwidth and ridge are chosen by: squared error, log loss or AU(PRC) of left-out
    rows. What becomes of the scores: nothing, the sigmoids of levels, those of labels,
    with other cuts, closed by other rules.
    """

    name = "kernel"
    data_sets = SETS
    page_name = "kernel_table.inc"

    def measure(self, options):
        results = {"runs": []}
        for name in options.data_set or self.data_sets:
            results["runs"].append(run_of(name))
            yield results

    def merge(self, stored, results):
        """Keep what is stored of data sets that were not asked for."""
        found = {run["name"]: run for run in (stored or {}).get("runs", [])}
        found |= {run["name"]: run for run in results["runs"]}
        return results | {"runs": [found[name] for name in SETS if name in found]}

    def lines(self, results, options):
        lines = [text_row(HEADS, WIDTHS)]
        return lines + [text_row(cells(run), WIDTHS) for run in results["runs"]]

    def tables(self, results):
        runs = results["runs"]
        return [
            table("AU(PRC) on validation rows, and seconds", HEADS, map(cells, runs)),
            table(
                "AU(PRC) closed by max, by what chooses bandwidth and ridge",
                ["data set", *CRITERIA.values()],
                [[run["name"], *map(digits, run["by"].values())] for run in runs],
            ),
            *(
                table(
                    f"{title} closed by max, by the map of the scores",
                    ["data set", "none", *MAPS],
                    [[run["name"], *column(run["maps"], key)] for run in runs],
                )
                for key, title in MEASURES.items()
            ),
            table(
                "How probabilities are closed",
                [
                    "data set",
                    *(f"{m}, {r}" for m in MEASURES.values() for r in COMPARED),
                ],
                [
                    [
                        run["name"],
                        *(x for m in MEASURES for x in column(run["closed"], m)),
                    ]
                    for run in runs
                ],
            ),
        ]


def digits(value):
    """Return a figure with four digits."""
    return f"{value:.4f}"


def column(found, measure):
    """Return one measure of several variants."""
    return [digits(figures[measure]) for figures in found.values()]


def cells(run):
    """Return a row of the first table."""
    return [
        run["name"],
        run["rows"],
        run["distinct"],
        digits(run["untuned"]),
        digits(run["kernel"]),
        f"{run['gamma']:.3g}",
        f"{run['ridge']:.2g}",
        f"{run['untuned_seconds']:.1f}",
        f"{run['kernel_seconds']:.1f}",
    ]


# -- data ------------------------------------------------------------------------------


def read(name):
    """Return X and Y to fit, X and Y to score, the hierarchy and what is scored."""
    data = load(name)
    fit, held_out = split(data, "validation")
    Y = data.target.toarray().astype(np.int64)
    X, X_new = data.data[fit], data.data[held_out]
    if name in TEXTS:
        X, X_new = X.astype(np.float64), X_new.astype(np.float64)
    else:
        steps = make_pipeline(*table_steps()).fit(X)
        X, X_new = steps.transform(X), steps.transform(X_new)
    return X, Y[fit], X_new, Y[held_out], data.hierarchy, data.eval_mask


def au_prc(Y, proba, mask):
    """Return the micro AU(PRC) of the labels that are scored."""
    return au_prc_score(Y[:, mask], proba[:, mask])


# -- fits ------------------------------------------------------------------------------


def quietly(function, *args):
    """Call a function without the warning of constant labels."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
        return function(*args)


def run_of(name):
    """Return the figures of one data set."""
    X, Y, X_new, Y_new, hierarchy, mask = read(name)
    start = time.process_time()
    plain = KernelRidge(kernel="rbf", gamma=1 / X.shape[1], alpha=UNTUNED).fit(X, Y)
    scores = max_constraint(plain.predict(X_new), hierarchy)
    middle = time.process_time()
    clf = quietly(KernelHMC(hierarchy).fit, X, Y)
    proba = clf.predict_proba(X_new)
    end = time.process_time()
    run = {
        "name": name,
        "rows": len(Y),
        "distinct": clf._model.features.width,
        "untuned": au_prc(Y_new, scores, mask),
        "untuned_seconds": middle - start,
        "kernel": au_prc(Y_new, proba, mask),
        "kernel_seconds": end - middle,
        "gamma": clf.gamma_,
        "ridge": clf.ridge_,
        "by": {},
        "closed": {},
    }
    for criterion in CRITERIA:
        other = chosen_by(clf, criterion).set_params(coherence="max")
        proba = quietly(other.fit, X, Y).predict_proba(X_new)
        run["by"][criterion] = au_prc(Y_new, proba, mask)
    for rule in COMPARED:
        proba = clf.set_params(coherence=rule).predict_proba(X_new)
        run["closed"][rule] = {
            "au_prc": au_prc(Y_new, proba, mask),
            "log_loss": cell_loss(Y_new, proba, mask),
        }
    run["maps"] = maps(clf, X, Y, X_new, Y_new, mask)
    return run


def chosen_by(clf, criterion):
    """Return an estimator with the parameters that another criterion chooses."""
    sign = -1 if criterion == "au_prc" else 1
    best = min(clf.choice_, key=lambda pair: sign * pair[criterion])
    return KernelHMC(clf.hierarchy_, gamma=best["gamma"], ridge=best["ridge"])


def maps(clf, X, Y, X_new, Y_new, mask):
    """Return AU(PRC) and log loss of scores as they are, and under several maps."""
    given = {"gamma": clf.gamma_, "ridge": clf.ridge_}
    clf = KernelHMC(clf.hierarchy_, **given)
    _, place, left_out = quietly(clf._learn, X, Y, None)
    learnt, hierarchy = clf._learnt, clf.hierarchy_
    scores = np.vstack(list(clf._model.scores(X_new)))

    def figures(values, rule):
        whole = np.tile(clf._priors, (len(values), 1))
        whole[:, learnt] = values
        whole = RULES[rule].apply(whole, hierarchy)
        return {
            "au_prc": au_prc(Y_new, whole, mask),
            "log_loss": cell_loss(Y_new, np.clip(whole, 1e-3, 1 - 1e-3), mask),
        }

    found = {"none": figures(scores, "max")}
    for title, (smooth, enough) in MAPS.items():
        fitted = fit_sigmoids(
            score_odds(left_out[place], smooth),
            Y[:, learnt].astype(np.float64),
            np.ones((len(Y), 1)),
            hierarchy.depth[learnt],
            enough=enough,
        )
        found[title] = figures(fitted(score_odds(scores, smooth)), "max")
    return found


def cell_loss(Y, proba, mask):
    """Return the mean log loss of the labels that are scored."""
    return log_loss(proba[:, mask], Y[:, mask], np.ones((len(Y), 1)))


# -- many patterns of unknown labels -----------------------------------------------


class KernelPatterns(Comparison):
    """How far off KernelHMC is where every label is unknown in rows of its own.

    A share of the cells of the training rows is made unknown at random, so that no two
    labels are known in the same rows. Labels are solved exactly, one factorisation
    each, and as KernelHMC does beyond 50 patterns: by conjugate gradients, with
    leverages from mean weights. For comparison, unknown cells are filled with the
    label's share of positives. Printed are differences to the exact figures: of scores
    of validation rows, of scores of left-out rows, and of probabilities of these, each
    the mean and the greatest one, and seconds.
    """

    name = "kernel_patterns"
    data_sets = ("enron", "eisen_FUN")
    page_name = "kernel_patterns_table.inc"
    shares = (0.1, 0.3, 0.6)
    most_labels = 100  # the most frequent ones

    def measure(self, options):
        results = {"runs": []}
        for name in options.data_set or self.data_sets:
            for share in self.shares:
                results["runs"].append(pattern_run(name, share, self.most_labels))
                yield results

    def lines(self, results, options):
        lines = [text_row(PATTERN_HEADS, PATTERN_WIDTHS)]
        for run in results["runs"]:
            lines += [text_row(row, PATTERN_WIDTHS) for row in pattern_rows(run)]
        return lines

    def tables(self, results):
        rows = [row for run in results["runs"] for row in pattern_rows(run)]
        return [
            table("Differences to one factorisation per label", PATTERN_HEADS, rows)
        ]


PATTERN_HEADS = ["data set", "unknown", "solved by", "scores", "left-out", "proba", "s"]
PATTERN_WIDTHS = (10, -8, 20, -16, -16, -16, -6)
WAYS = ("exact", "conjugate gradients", "filled")


def pattern_rows(run):
    """Return the rows of one data set and share."""
    rows = []
    for way in WAYS:
        found = run[way]
        errors = ["–"] * 3
        if way != "exact":
            errors = [
                f"{found[what]['mean']:.1e}, {found[what]['greatest']:.1e}"
                for what in ("scores", "left_out", "proba")
            ]
        share = f"{100 * run['share']:.0f} %"
        rows.append([run["name"], share, way, *errors, f"{found['seconds']:.1f}"])
    return rows


def pattern_run(name, share, most_labels):
    """Return the differences of one data set and share of unknown cells."""
    X, Y, X_new, *_, hierarchy, _ = read(name)
    varied = np.flatnonzero(np.ptp(Y, axis=0))
    order = np.argsort(-Y[:, varied].sum(axis=0), kind="stable")
    frequent = np.sort(varied[order[:most_labels]])
    Y = Y[:, frequent].astype(np.float64)
    unknown = np.random.default_rng(0).random(Y.shape) < share
    partly = np.where(unknown, np.nan, Y)
    shares = np.nanmean(partly, axis=0)
    filled = np.where(unknown, shares, partly)
    gamma, ridge_ = 0.5 / total_variance(X), 2e-3
    kernel = RowKernel("rbf", gamma)
    levels = hierarchy.depth[frequent]
    found = {}
    for way in WAYS:
        start = time.process_time()
        problem = merge_rows(X, filled if way == "filled" else partly, None)
        # all patterns, or none, have a factorisation
        most = np.inf if way == "exact" else 0
        with mock.patch.object(ridge, "MAX_PATTERNS", most):
            model, left_out = fit_model(problem, kernel, ridge_, levels)
        seconds = time.process_time() - start
        scores = np.vstack(list(model.scores(X_new)))
        rows = left_out[problem.place]
        found[way] = {"seconds": seconds}, (scores, rows, model.proba(rows))
    exact = found["exact"][1]
    run = {"name": name, "share": share}
    for way, (figures, outputs) in found.items():
        for what, one, other in zip(
            ("scores", "left_out", "proba"), outputs, exact, strict=True
        ):
            error = np.abs(one - other)
            figures[what] = {"mean": error.mean(), "greatest": error.max()}
        run[way] = figures
    return run
