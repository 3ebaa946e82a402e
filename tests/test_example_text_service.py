"""The web service of texts in examples/serving, asked over HTTP on this machine."""

import json
import runpy
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline

import skhmc

SERVICE = Path(__file__).parents[1] / "examples" / "serving" / "text_service.py"
TEXTS = ["a cat that purrs", "a dog that barks", "a guitar and its strings"]


@pytest.fixture(scope="module")
def model():
    hierarchy = {"cat": "animal", "dog": "animal", "guitar": "instrument"}
    tree = skhmc.LabelTreeClassifier(hierarchy, random_state=0)
    model = make_pipeline(TfidfVectorizer(), tree)
    return model.fit(TEXTS * 4, [["cat"], ["dog"], ["guitar"]] * 4)


@pytest.fixture(scope="module")
def ask(model, tmp_path_factory):
    """Return a function that posts to the service, and returns status and answer."""
    path = tmp_path_factory.mktemp("service") / "texts.skhmc"
    skhmc.save(model, path)
    server = runpy.run_path(str(SERVICE))["make_server"](path, port=0)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def post(body, **headers):
        connection = HTTPConnection(*server.server_address, timeout=10)
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    yield post
    server.shutdown()
    server.server_close()


def test_a_text_is_answered_with_names_and_probabilities(ask, model):
    for text in [*TEXTS, "katzen: \u00fc \U0001f431", ""]:
        status, found = ask(json.dumps({"text": text}))
        features = model[:-1].transform([text])
        assert status == 200
        assert found["labels"] == model[-1].predict_labels(features)[0]
        (names,), (proba,) = model[-1].predict_top_k(features, 3, names=True)
        assert found["proba"] == dict(zip(names, proba, strict=True))


@pytest.mark.parametrize(
    "body",
    ["", "no JSON", "[]", "{}", '{"text": 3}', b"\xff", '{"text": NaN}', "[" * 9000],
)
def test_what_is_no_text_is_refused(ask, body):
    status, found = ask(body)
    assert status == 400
    assert found["error"].startswith('Expected JSON such as {"text": ')


@pytest.mark.parametrize("length", [str(10**9), "-1", "many"])
def test_bodies_that_are_long_or_endless_are_not_read(ask, length):
    assert ask("", **{"Content-Length": length})[0] == 413
