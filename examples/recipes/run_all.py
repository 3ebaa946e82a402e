"""Run the recipes of the guide page "Keep, resume, export, serve", one after the other.

``make recipes`` makes an environment for them and keeps what this prints. A recipe
whose package is not installed is said to be skipped; one that fails ends the run with
an error.
"""

import logging
import os
import sys
import tempfile
from importlib import import_module, metadata
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    MaxConstraintClassifier,
    model_card,
)
from skhmc.datasets import load_digit_properties
from skhmc.inspection import explain
from skhmc.metrics import au_prc_score

DIGITS = load_digit_properties()
X, Y = DIGITS.data / 16, DIGITS.target
TRAIN, TEST = DIGITS.train, DIGITS.test
SERVING = Path(__file__).resolve().parents[1] / "serving"


def network(**options):
    """Return a small network that is not fitted."""
    defaults = {"hidden_layer_sizes": (50,), "max_iter": 4, "random_state": 0}
    return MaxConstraintClassifier(DIGITS.hierarchy, **(defaults | options))


def web_service(folder):
    """Serve one row by FastAPI: the same probabilities, by name."""
    sys.path.insert(0, str(SERVING))
    path = folder / "model.onnx"
    clf = import_module("make_model").main(str(path), max_iter=2)
    os.environ["MODEL"] = str(path)
    client = import_module("fastapi.testclient").TestClient(
        import_module("service").app
    )
    answer = client.post("/predict", json={"row": X[TEST][0].tolist()})
    assert answer.status_code == 200, answer.text
    proba = answer.json()["proba"]
    assert list(proba) == list(clf.label_names_)
    expected = clf.predict_proba(X[TEST][:1])[0]
    np.testing.assert_allclose(list(proba.values()), expected, rtol=0, atol=1e-5)
    assert client.post("/predict", json={"row": [1.0]}).status_code == 422
    return f"22 names, probabilities within 1e-5; labels {answer.json()['labels']}"


def mlflow_model(folder):
    """Log a fitted network with MLflow, and load it."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    name = mlflow.create_experiment("skhmc", artifact_location=f"file:{folder}/mlruns")
    clf = network().fit(X[TRAIN], Y[TRAIN])
    with mlflow.start_run(experiment_id=name):
        score = au_prc_score(Y[TEST], clf.predict_proba(X[TEST]))
        mlflow.log_params(clf.get_params())
        mlflow.log_metric("au_prc", score)
        logged = mlflow.sklearn.log_model(
            clf, name="model", serialization_format="cloudpickle"
        )
    again = mlflow.sklearn.load_model(logged.model_uri)
    assert np.array_equal(again.predict_proba(X[TEST]), clf.predict_proba(X[TEST]))
    return f"loaded with the same bits; AU(PRC) {score:.3f}"


def optuna_search(folder):
    """Search with Optuna; trials that begin badly are pruned between epochs."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    rows = np.flatnonzero(TRAIN) if np.asarray(TRAIN).dtype == bool else TRAIN
    fit_rows, valid_rows = rows[::2], rows[1::2]

    def objective(trial):
        rate = trial.suggest_float("learning_rate_init", 1e-6, 1e-2, log=True)
        clf = network(learning_rate_init=rate)
        for epoch in range(4):
            clf.partial_fit(X[fit_rows], Y[fit_rows])
            proba = clf.predict_proba(X[valid_rows])
            score = au_prc_score(Y[valid_rows], proba)
            trial.report(score, epoch)
            if trial.should_prune():
                raise optuna.TrialPruned
        return score

    study = optuna.create_study(
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=1),
    )
    study.optimize(objective, n_trials=8)
    n_pruned = sum(t.state == optuna.trial.TrialState.PRUNED for t in study.trials)
    assert n_pruned
    return f"{n_pruned} of 8 trials pruned; best AU(PRC) {study.best_value:.3f}"


def tensorboard_log(folder):
    """Write the losses of a fit for TensorBoard, and read them again."""
    from skorch.callbacks import TensorBoard
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    writer = SummaryWriter(str(folder / "runs"))
    clf = network(callbacks=[TensorBoard(writer)]).fit(X[TRAIN], Y[TRAIN])
    writer.close()
    log = EventAccumulator(str(folder / "runs")).Reload()
    losses = [event.value for event in log.Scalars("Loss/train_loss")]
    expected = [epoch["train_loss"] for epoch in clf.history_]
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    return f"{len(losses)} losses, the last one {losses[-1]:.3f}"


def parquet_scoring(folder):
    """Score a Parquet file batch by batch into another one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    clf = network().fit(X[TRAIN], Y[TRAIN])
    names = [f"x{k}" for k in range(X.shape[1])]
    repeated = np.tile(X, (20, 1))
    source, target = folder / "rows.parquet", folder / "proba.parquet"
    pq.write_table(pa.table(dict(zip(names, repeated.T, strict=True))), source)
    columns = [str(name) for name in clf.label_names_]
    schema = pa.schema([(name, pa.float32()) for name in columns])
    most = 0
    with pq.ParquetWriter(target, schema) as writer:
        for batch in pq.ParquetFile(source).iter_batches(batch_size=4096):
            most = max(most, batch.num_rows)
            rows = np.column_stack([column.to_numpy() for column in batch.columns])
            proba = clf.predict_proba(rows)
            writer.write_table(pa.table(list(proba.T), schema=schema))
    found = pq.read_table(target).to_pandas().to_numpy()
    np.testing.assert_allclose(found, clf.predict_proba(repeated), rtol=0, atol=1e-6)
    return f"{len(found)} rows, at most {most} at a time"


def card(folder):
    """Write a model card."""
    clf = network().fit(X[TRAIN], Y[TRAIN])
    (folder / "card.md").write_text(model_card(clf, X[TEST], Y[TEST]))
    return f"{len((folder / 'card.md').read_text().splitlines())} lines of Markdown"


def shap_explanations(folder):
    """Explain a label of a network, and of a member of a linear classifier, by shap."""
    import shap

    few, background, label = X[TEST][:10], X[TRAIN][:50], "digit 5"
    clf = HCALClassifier(DIGITS.hierarchy, max_iter=4, random_state=0)
    clf = clf.fit(X[TRAIN], Y[TRAIN])
    column = list(clf.label_names_).index(label)

    def of_label(rows):
        return clf.predict_proba(rows)[:, column].astype(float)

    found = shap.Explainer(of_label, background, seed=0)(few, silent=True)
    total = found.base_values + found.values.sum(axis=1)
    np.testing.assert_allclose(total, of_label(few), rtol=0, atol=1e-5)
    # of a linear member, shap says what explain says, less that of the mean sample
    each = MultiOutputClassifier(LogisticRegression(max_iter=1000))
    linear = CoherentClassifier(each, DIGITS.hierarchy).fit(X[TRAIN], Y[TRAIN])
    member = linear.estimator_.estimators_[column]
    values = shap.LinearExplainer(member, background).shap_values(few)
    both = np.vstack([few, background.mean(axis=0)])
    ours = explain(linear, both, label).contributions[:, -1]
    np.testing.assert_allclose(values, ours[:-1] - ours[-1], rtol=0, atol=1e-9)
    pixel = np.abs(found.values).mean(axis=0).argmax()
    return f"sums of 10 rows within 1e-5; pixel {pixel} says most; linear as explain"


RECIPES = {
    "FastAPI": (web_service, ("fastapi", "httpx", "onnxruntime")),
    "MLflow": (mlflow_model, ("mlflow",)),
    "Optuna": (optuna_search, ("optuna",)),
    "TensorBoard": (tensorboard_log, ("tensorboard",)),
    "Parquet": (parquet_scoring, ("pyarrow",)),
    "shap": (shap_explanations, ("shap",)),
    "model card": (card, ()),
}


def missing(packages):
    """Return the packages that are not installed."""
    found = []
    for package in packages:
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            found.append(package)
    return found


def main():
    """Run every recipe in a folder of its own, and print what it found."""
    logging.disable(logging.WARNING)
    for name, (recipe, packages) in RECIPES.items():
        lacking = missing(packages)
        if lacking:
            print(f"{name}: skipped, {', '.join(lacking)} not installed", flush=True)
            continue
        versions = ", ".join(f"{p} {metadata.version(p)}" for p in packages)
        with tempfile.TemporaryDirectory() as folder:
            said = recipe(Path(folder))
        print(f"{name}: {said}" + (f" ({versions})" if versions else ""), flush=True)


if __name__ == "__main__":
    main()
