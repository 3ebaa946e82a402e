"""ONNX files of CoherentClassifier: skl2onnx inside, coherence around."""

import json

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhmc import (
    CoherentClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
    MaxConstraintClassifier,
)
from skhmc.datasets import load_digit_properties
from skhmc.export import to_onnx, to_torch
from tests.export.test_to_onnx import session_of
from tests.export.test_to_torch import SMALL, closed_labels
from tests.hierarchies import random_hierarchy

slow = pytest.mark.slow  # torch's exporter takes seconds
quiet = pytest.mark.filterwarnings("ignore:Of .* labels:UserWarning")
FOREST = RandomForestClassifier(8, random_state=0)


def data_of(max_parents=1, n_samples=80, empty=()):
    """Return a hierarchy of 12 labels, X, and Y in which some labels have no row."""
    hierarchy = random_hierarchy(12, seed=3, max_parents=max_parents)
    Y = closed_labels(hierarchy, n_samples, seed=0)
    for label in empty:
        Y[:, [label, *hierarchy.descendants[label].indices]] = 0
    X = np.random.default_rng(1).normal(size=(n_samples, 5)).astype(np.float32)
    return hierarchy, X, Y


def check(clf, X, path):
    """Write, read and compare: many rows, one, none; return the session."""
    to_onnx(clf, path, X)
    session = session_of(path)
    assert [(i.name, i.type) for i in session.get_inputs()] == [("X", "tensor(float)")]
    assert [o.name for o in session.get_outputs()] == ["proba"]
    expected = np.asarray(clf.predict_proba(X))
    for n in (len(X), 1):
        (found,) = session.run(["proba"], {"X": X[:n]})
        assert found.shape == expected[:n].shape
        np.testing.assert_allclose(found, expected[:n], rtol=0, atol=1e-5)
    return session


@slow
@quiet
@pytest.mark.parametrize(
    ("estimator", "strategy"),
    [
        (LogisticRegression(), "auto"),
        (FOREST, "auto"),
        (FOREST, "per_label"),
        (ExtraTreesClassifier(8, random_state=0), "auto"),
        (KNeighborsClassifier(), "auto"),
        (make_pipeline(StandardScaler(), FOREST), "native"),
    ],
    ids=["linear", "forest", "forests", "extra trees", "neighbours", "pipeline"],
)
def test_estimators(estimator, strategy, tmp_path):
    hierarchy, X, Y = data_of(max_parents=3, empty=[2])
    clf = CoherentClassifier(estimator, hierarchy, strategy=strategy).fit(X, Y)
    assert len(clf._learnt) < hierarchy.n_labels  # others have their priors
    check(clf, X, tmp_path / "m.onnx")


@slow
@quiet
@pytest.mark.parametrize("rule", ["max", "min", "average", "product", None])
def test_rules(rule, tmp_path):
    hierarchy, X, Y = data_of()
    clf = CoherentClassifier(FOREST, hierarchy, coherence=rule).fit(X, Y)
    session = check(clf, X, tmp_path / "m.onnx")
    stored = session.get_modelmeta().custom_metadata_map
    assert json.loads(stored["skhmc.coherence"]) == rule
    assert stored["skhmc.estimator"] == "CoherentClassifier"
    assert json.loads(stored["skhmc.columns"]) == list(clf.label_names_)


@slow
@quiet
def test_what_may_be_around(tmp_path):
    hierarchy, X, Y = data_of()
    inner = CoherentClassifier(FOREST, hierarchy)
    for clf in (
        HierarchicalThresholdClassifier(inner, cv=2),
        HierarchicalCalibratedClassifier(inner, cv=2, method="sigmoid"),
    ):
        check(clf.fit(X, Y), X, tmp_path / "m.onnx")


@slow
def test_classes_of_a_1d_y(tmp_path):
    hierarchy = Hierarchy.from_edges([("a", "b"), ("a", "c")])
    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    y = np.array(["a", "b", "c"])[(X[:, 0] > 0).astype(int) + (X[:, 1] > 0)]
    clf = CoherentClassifier(LogisticRegression(), hierarchy).fit(X, y)
    stored = check(clf, X, tmp_path / "m.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(stored["skhmc.columns"]) == ["a", "b", "c"]


@slow
@pytest.mark.parametrize("estimator", [LogisticRegression(), FOREST])
def test_one_label(estimator, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    clf = CoherentClassifier(estimator, Hierarchy(["a"], [])).fit(X, X[:, :1] > 0)
    check(clf, X, tmp_path / "m.onnx")


@slow
@quiet
def test_what_cannot_be_computed_alike_is_not_written(tmp_path):
    digits = load_digit_properties()
    hierarchy, Y = digits.hierarchy, digits.target
    X = (digits.data / 16).astype(np.float32)  # some columns are nearly constant
    path = tmp_path / "m.onnx"
    clf = CoherentClassifier(GaussianNB(), hierarchy).fit(X[:600], Y[:600])
    with pytest.raises(RuntimeError, match="skl2onnx computes in float32"):
        to_onnx(clf, path, X)
    network = MaxConstraintClassifier(hierarchy, **SMALL)
    clf = CoherentClassifier(network, hierarchy).fit(X, Y)
    with pytest.raises(ValueError, match="does not convert MaxConstraintClassifier"):
        to_onnx(clf, path, X)
    assert not list(tmp_path.iterdir())


@quiet
def test_what_is_refused(tmp_path):
    hierarchy, X, Y = data_of()
    clf = CoherentClassifier(FOREST, hierarchy).fit(X, Y)
    with pytest.raises(TypeError, match="Use skhmc.export.to_onnx"):
        to_torch(clf)
    nothing = CoherentClassifier(FOREST, hierarchy, min_positives=1000).fit(X, Y)
    with pytest.raises(ValueError, match="has learnt no label"):
        to_onnx(nothing, tmp_path / "m.onnx", X)
    around = make_pipeline(StandardScaler(), clf)
    with pytest.raises(TypeError, match=r"pipeline\[-1\]"):
        to_onnx(around.fit(X, Y), tmp_path / "m.onnx", X)
    assert not list(tmp_path.iterdir())
