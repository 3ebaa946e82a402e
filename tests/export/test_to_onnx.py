"""ONNX files: predict_proba in ONNX Runtime, and what else is in the file."""

import json

import numpy as np
import onnxruntime
import pytest
import scipy.sparse as sp
import torch
from sklearn.naive_bayes import GaussianNB
from torch import nn

from skhmc import HCALClassifier, Hierarchy, MaxConstraintClassifier
from skhmc.export import _onnx, to_onnx, to_torch
from tests.export.test_to_torch import SMALL, closed_labels, fitted, quiet
from tests.hierarchies import random_hierarchy

slow = pytest.mark.slow  # torch's exporter takes seconds


def session_of(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def check(clf, X, path):
    """Write, read and compare: all rows, one, none; return the session."""
    to_onnx(clf, path, X)
    session = session_of(path)
    expected = np.asarray(clf.predict_proba(X))
    for n in (len(X), 1):
        (found,) = session.run(["proba"], {"X": X[:n]})
        np.testing.assert_allclose(found, expected[:n], rtol=0, atol=1e-5)
        tensor = to_torch(clf)(torch.from_numpy(X[:n])).numpy()
        for row in (found[0], tensor[0]):  # a row is printed alike, all three ways
            assert [f"{p:.4f}" for p in row] == [f"{p:.4f}" for p in expected[0]]
    return session


@slow
@quiet
@pytest.mark.parametrize("max_parents", [1, 3], ids=["tree", "dag"])
@pytest.mark.parametrize("kind", ["hcal", "hyperbolic", "max_constraint", "ensemble"])
def test_sets_of_labels(kind, max_parents, tmp_path):
    clf, X = fitted(kind, max_parents=max_parents)
    check(clf, X, tmp_path / "model.onnx")


@slow
@quiet
@pytest.mark.parametrize("rule", ["auto", "average", None])
def test_single_paths(rule, tmp_path):
    options = {"label_loss": "softmax", "leaf_prediction": "optional"}
    clf, X = fitted("hcal", single=True, coherence=rule, **options)
    check(clf, X, tmp_path / "model.onnx")


@slow
@quiet
@pytest.mark.parametrize("kind", ["hcal", "hyperbolic", "max_constraint"])
def test_a_linear_path_is_in_the_graph(kind, tmp_path):
    clf, X = fitted(kind, linear_path=True)
    assert clf.linear_path_ and clf.net_.module_.path.weight.any()
    check(clf, X, tmp_path / "model.onnx")


@slow
@quiet
def test_4000_labels(tmp_path):
    hierarchy = random_hierarchy(4000, seed=0, max_parents=2, root_rate=0.05)
    Y = closed_labels(hierarchy, 300, seed=0)
    X = np.random.default_rng(1).normal(size=(300, 5)).astype(np.float32)
    clf = HCALClassifier(hierarchy, embedding_dim=4, **SMALL).fit(X, Y)
    check(clf, X, tmp_path / "model.onnx")


@slow
@quiet
def test_names_and_hierarchy_are_in_the_file(tmp_path):
    tree = Hierarchy.from_edges([("a", 1), ("a", ("b", 2)), ("d", "e")])
    X = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)
    clf = MaxConstraintClassifier(tree, **SMALL)
    clf.fit(X, closed_labels(tree, 30, seed=0))
    data = check(clf, X, tmp_path / "m.onnx").get_modelmeta().custom_metadata_map
    names = [
        tuple(x) if type(x) is list else x for x in json.loads(data["skhmc.columns"])
    ]
    assert names == list(clf.label_names_)
    edges = [(names[p], names[c]) for p, c in json.loads(data["skhmc.edges"])]
    assert set(edges) == {("a", 1), ("a", ("b", 2)), ("d", "e")}
    assert json.loads(data["skhmc.coherence"]) == "max"
    # classes of a 1-D y: the columns are these
    y = np.array(["e", "d", "e"] * 10)
    clf = HCALClassifier(Hierarchy.from_edges([("d", "e")]), **SMALL).fit(X, y)
    data = check(clf, X, tmp_path / "m.onnx").get_modelmeta().custom_metadata_map
    assert json.loads(data["skhmc.columns"]) == ["d", "e"]


class Branching(nn.Module):
    """An encoder that no graph can hold."""

    def __init__(self, input_shape):
        super().__init__()
        self.linear = nn.Linear(input_shape[0], 3)

    def forward(self, X):
        return self.linear(X) if X.sum() > 0 else self.linear(-X)


@slow
@quiet
def test_an_encoder_that_cannot_be_traced(tmp_path):
    clf, X = fitted("max_constraint", encoder=Branching)
    with pytest.raises(ValueError, match="torch cannot trace the encoder"):
        to_onnx(clf, tmp_path / "m.onnx", X)
    assert not list(tmp_path.iterdir())


@slow
@quiet
def test_a_wrong_graph_is_not_written(tmp_path, monkeypatch):
    clf, X = fitted("max_constraint")
    other, _ = fitted("max_constraint", random_state=1)
    path = tmp_path / "m.onnx"
    path.write_text("as it was")
    monkeypatch.setattr(_onnx, "to_torch", lambda estimator: to_torch(other))
    with pytest.raises(RuntimeError, match="gave .* the probability .* No file was"):
        to_onnx(clf, path, X)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["as it was"]


@quiet
def test_what_is_refused_before_anything_is_traced(tmp_path, monkeypatch):
    clf, X = fitted("max_constraint")
    with pytest.raises(TypeError, match="dense rows, got a sparse X"):
        to_onnx(clf, tmp_path / "m.onnx", sp.csr_matrix(X))
    with pytest.raises(ValueError, match="features"):
        to_onnx(clf, tmp_path / "m.onnx", X[:, 1:])
    monkeypatch.setattr(_onnx, "MOST_BYTES", 100)
    with pytest.raises(ValueError, match="GiB, and an ONNX file holds less"):
        to_onnx(clf, tmp_path / "m.onnx", X)
    with pytest.raises(TypeError, match="Only networks"):
        to_onnx(GaussianNB().fit(X, np.arange(60) % 2), tmp_path / "m.onnx")
