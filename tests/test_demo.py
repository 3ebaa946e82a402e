"""Tests of benchmarks.demo, on few rows with tiny networks."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import demo

TINY = {"hidden_layer_sizes": 16, "embedding_dim": 8, "max_iter": 3, "device": "cpu"}


def tiny_task():
    task = demo.digit_task()
    parts = {
        name: getattr(task, name)[:n].copy()
        for name, n in (
            ("X_train", 80),
            ("Y_train", 80),
            ("X_test", 60),
            ("Y_test", 60),
        )
    }
    parts["Y_train"][:, task.hierarchy.position("digit 0")] = 0  # a constant label
    return replace(task, **parts, mlp_epochs=3)


@pytest.fixture(scope="module")
def result():
    task = tiny_task()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return task, *demo.run(task, demo.build_models(task, TINY))


def test_rows_and_columns(result):
    _, rows, _ = result
    names = [row["model"] for row in rows]
    assert names == [
        "MultiOutput(LogisticRegression)",
        "flat MLP 16, 3 epochs",
        "  the same, closed upward",
        "HCAL, published mechanisms",
        "HCALClassifier, 3 epochs",
    ]
    for row in rows:
        assert list(row) == ["model", *demo.COLUMNS]
        assert all(0 <= row[c] <= 1 for c in demo.COLUMNS if c != "fit s")
        assert row["fit s"] > 0


def test_coherent_rows_have_no_final_violations(result):
    _, (logistic, flat, closed, _, hcal), _ = result
    assert hcal["HVR final"] == closed["HVR final"] == 0
    assert logistic["HVR raw"] == logistic["HVR final"] > 0
    assert closed["HVR raw"] == flat["HVR raw"] == flat["HVR final"]


def test_constant_labels_get_their_prior(result):
    task, _, _ = result
    model = demo.build_models(task, TINY)["MultiOutput(LogisticRegression)"]
    X, Y = task.X_train / 16, task.Y_train.copy()
    Y[:, 1] = 1
    proba = model.fit(X, Y).predict_proba(X)
    assert proba.shape == Y.shape
    assert (proba[:, 1] == 1).all()
    assert (proba[:, task.hierarchy.position("digit 0")] == 0).all()
    np.testing.assert_array_equal(
        proba[:, 0], model.estimator_.predict_proba(X)[0][:, 1]
    )


def test_table_is_aligned(result):
    _, rows, _ = result
    lines = demo.format_table(rows).splitlines()
    assert len(lines) == 2 + len(rows)
    assert len({len(line) for line in lines}) == 1
    assert all(column in lines[0] for column in demo.COLUMNS)


def test_description_counts_constant_labels(result):
    text = demo.describe(result[0])
    assert "22 labels, 34 edges" in text
    assert "80 training and 60 test samples, 64 features" in text
    assert text.endswith("constant in training: 1")


def test_main_writes_its_files(result, tmp_path, monkeypatch, capsys):
    build = demo.build_models
    monkeypatch.setattr(demo, "digit_task", lambda: result[0])
    monkeypatch.setattr(demo, "cellcycle_task", lambda: None)
    monkeypatch.setattr(demo, "build_models", lambda task: build(task, TINY))
    demo.main(tmp_path / "out")
    printed = capsys.readouterr().out
    assert "cellcycle_FUN: skipped" in printed and "SKHMC_DATA_HOME" in printed
    assert str(tmp_path / "out" / "prediction.png") in printed
    report = json.loads((tmp_path / "out" / "demo.json").read_text())
    assert report["seed"] == demo.SEED
    assert set(report["versions"]) >= {"python", "numpy", "torch", "skhmc"}
    assert len(report["tables"]["digit properties"]) == 5
    picture = (tmp_path / "out" / "prediction.png").read_bytes()
    assert picture.startswith(b"\x89PNG")


def test_missing_data_set_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("SKHMC_DATA_HOME", str(tmp_path))
    assert demo.cellcycle_task() is None
