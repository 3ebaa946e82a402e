"""A web service of one row: names of labels and their probabilities.

Needs fastapi, uvicorn, numpy and onnxruntime; neither torch nor skhmc.
"""

import json
import os

import numpy as np
import onnxruntime
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

PATH = os.environ.get("MODEL", "model.onnx")
THRESHOLD = 0.5

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1  # a worker per core serves more rows than threads do
session = onnxruntime.InferenceSession(
    PATH, options, providers=["CPUExecutionProvider"]
)
names = json.loads(session.get_modelmeta().custom_metadata_map["skhmc.columns"])
n_features = session.get_inputs()[0].shape[1]
app = FastAPI()


class Sample(BaseModel):
    """One row of X."""

    row: list[float]


@app.post("/predict")
def predict(sample: Sample) -> dict:
    """Return the labels above the threshold, and the probabilities of all labels."""
    row = np.array([sample.row], dtype=np.float32)
    if row.shape[1] != n_features:
        raise HTTPException(422, f"Expected {n_features} numbers, got {row.shape[1]}.")
    if not np.isfinite(row).all():  # the graph does not look
        raise HTTPException(422, "Expected finite numbers.")
    (proba,) = session.run(["proba"], {"X": row})
    found = {name: float(p) for name, p in zip(names, proba[0], strict=True)}
    return {"labels": [n for n, p in found.items() if p > THRESHOLD], "proba": found}
