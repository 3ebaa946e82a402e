"""CAFA's measures: equal to the field's own program, and by hand."""

import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import strategies as st
from sklearn.exceptions import UndefinedMetricWarning

from skhmc import Hierarchy
from skhmc.datasets import read_annotations
from skhmc.metrics import (
    cafa_curves,
)

SEEDS = st.integers(0, 2**32 - 1)


# -- beside cafaeval -------------------------------------------------------------------


def random_ontology(rng, folder):
    """Write an OBO file of three namespaces, with edges between them, and bits."""
    lines = ["format-version: 1.2", ""]
    terms = []
    for namespace in ("process", "function", "component"):
        first = len(terms)
        for k in range(int(rng.integers(2, 12))):
            lines += ["[Term]", f"id: T:{len(terms)}", f"name: t{len(terms)}"]
            lines += [f"namespace: {namespace}"]
            n_parents = min(k, int(rng.integers(1, 4)))
            for p in rng.choice(k, n_parents, replace=False) if k else ():
                relation = ("is_a: ", "relationship: part_of ")[rng.integers(2)]
                lines += [f"{relation}T:{first + p}"]
            if first and rng.random() < 0.3:
                lines += [f"relationship: part_of T:{rng.integers(first)}"]
            lines += [""]
            terms.append(f"T:{len(terms)}")
    obo = Path(folder, "terms.obo")
    obo.write_text("\n".join(lines))
    bits = np.where(rng.random(len(terms)) < 0.2, 0, rng.random(len(terms)) * 5)
    bits = dict(zip(terms, bits.round(3).tolist(), strict=True))
    table = Path(folder, "bits.tsv")
    table.write_text("".join(f"{t}\t{b}\n" for t, b in bits.items()))
    return obo, terms, bits, table


def write_annotations(rng, folder, terms):
    """Write true annotations, and predictions of these samples and of others."""
    n_samples = int(rng.integers(3, 15))
    truth = Path(folder, "truth.tsv")
    rows = [
        f"p{i}\t{term}\n"
        for i in range(n_samples)
        for term in rng.choice(terms, int(rng.integers(1, 4)), replace=False)
    ]
    truth.write_text("".join(rows))
    predictions = Path(folder, "predictions")
    predictions.mkdir()
    rows = []
    for i in range(n_samples + 2):
        n = int(rng.integers(0, len(terms)))
        for term in rng.choice(terms, n, replace=False):
            score = rng.integers(1, 101) / 100 if rng.random() < 0.5 else rng.random()
            rows.append(f"p{i}\t{term}\t{max(score, 0.011):.4f}\n")
    predictions.joinpath("method.tsv").write_text("".join(rows))
    return truth, predictions


def read_scores(path, samples, labels):
    """Return the scores (n_samples, n_labels) of a file of predictions."""
    table = pd.read_csv(path, sep="\t", names=["sample", "label", "score"])
    table = table[table["sample"].isin(samples)]
    rows = {name: k for k, name in enumerate(samples)}
    columns = {name: k for k, name in enumerate(labels)}
    scores = np.zeros((len(rows), len(columns)))
    place = table["sample"].map(rows), table["label"].map(columns)
    np.maximum.at(scores, place, table["score"])
    return scores


def theirs(obo, predictions, truth, bits=None, step=0.01):
    """Return cafaeval's table: a row per file, namespace and threshold."""
    from cafaeval.evaluation import cafa_eval

    files = str(obo), str(predictions), str(truth)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, _ = cafa_eval(*files, ia=bits and str(bits), th_step=step)
    return table


OURS = {
    "pr": "precision",
    "rc": "recall",
    "f": "f",
    "cov": "coverage",
    "ru": "remaining_uncertainty",
    "mi": "misinformation",
    "s": "semantic_distance",
}
MICRO = {"pr_micro": "precision", "rc_micro": "recall", "f_micro": "f"}


def compare(curves, table, names, suffix=""):
    """Every threshold of theirs, and the best ones; returns how many were compared."""
    n_compared = 0
    for namespace, curve in curves.items():
        if namespace not in table.index.unique("ns"):
            assert curve.f_max == 0  # nothing is predicted, and they are silent
            continue
        rows = table.xs(namespace, level="ns")
        at = np.searchsorted(curve.thresholds, rows.index - 1e-9)
        for name, attribute in names.items():
            expected = rows[name + suffix].to_numpy(float)
            found = getattr(curve, attribute)
            np.testing.assert_allclose(found[at], expected, rtol=0, atol=1e-9)
            n_compared += len(at)
        f = rows["f_micro" + suffix if "f_micro" in names else "f" + suffix]
        assert curve.f_max == pytest.approx(f.max(), abs=1e-9)
        assert curve.s_min == pytest.approx(rows["s" + suffix].min(), abs=1e-9)
    return n_compared


def check_one(seed, folder, step=0.01):
    rng = np.random.default_rng(seed)
    obo, terms, bits, table = random_ontology(rng, folder)
    truth, predictions = write_annotations(rng, folder, terms)
    h = Hierarchy.from_obo(obo)
    annotations = read_annotations(truth, hierarchy=h)
    scores = read_scores(predictions / "method.tsv", annotations.samples, h.labels)
    table = theirs(obo, predictions, truth, table, step).loc["method.tsv"]
    exact = {"hierarchy": h, "information": bits}
    grid = {"hierarchy": h, "thresholds": "cafa"}
    if step != 0.01:
        grid["thresholds"] = np.arange(step, 1, step)
    given = annotations.labels, sp.csr_matrix(scores)
    with warnings.catch_warnings():  # where all true labels have 0 bits
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        assert compare(cafa_curves(*given, **grid), table, OURS) > 40
        compare(cafa_curves(*given, average="micro", **grid), table, MICRO)
        grid["information"] = bits
        weighted = cafa_curves(annotations.labels, scores, **grid)
        compare(weighted, table, OURS, "_w")
        pooled = cafa_curves(annotations.labels, scores, average="micro", **grid)
        compare(pooled, table, MICRO, "_w")
        for name, curve in cafa_curves(annotations.labels, scores, **exact).items():
            assert curve.f_max >= weighted[name].f_max - 1e-12
            assert curve.s_min <= weighted[name].s_min + 1e-12


needs_cafaeval = pytest.mark.skipif(
    not find_spec("cafaeval"), reason="cafaeval is not installed"
)


@needs_cafaeval
@pytest.mark.parametrize("seed", range(10))
def test_like_cafaeval(seed, tmp_path):
    check_one(seed, tmp_path, 0.01 if seed == 0 else 0.1)


@pytest.mark.slow
@needs_cafaeval
@pytest.mark.parametrize("seed", range(200))
def test_like_cafaeval_on_many(seed, tmp_path):
    check_one(seed, tmp_path)
