"""Training steps one by one: cases of them, and the data that a fit goes through."""

from unittest import mock

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skhmc._networks.batches import Batches
from skhmc._networks.skorch_net import Net
from tests.contract import NETWORKS, build, estimators_with, task

CASES = {
    "dense": {},
    "sparse Y": {"sparse_y": True},
    "unknown labels": {"unknown": True},
    "1-D y": {"one": True},
    "weights": {"weight": True},
    "class weights": {"class_weight": "balanced"},
    "sampled": {"n_sampled_labels": 2},
    "sampled, sparse Y": {"n_sampled_labels": 2, "sparse_y": True},
    "sampled, weights": {
        "n_sampled_labels": 2,
        "class_weight": "balanced",
        "weight": True,
    },
    "aggregation": {"aggregation": 0.5},
    "aggregation of paths": {"aggregation": 0.5, "one": True},
    "dwa": {"task_weighting": "dwa"},
    "sparse X": {"sparse_x": True},
    "mcloss": {"label_loss": "mcloss"},
    "asl": {"label_loss": "asl"},
    "zlpr": {"label_loss": "zlpr"},
}
FLAGS = {"sparse_x", "sparse_y", "unknown", "one", "weight"}  # about the data


def every_case(estimators=NETWORKS):
    """Parametrize a test by estimators and the names of the cases that they can do."""
    pairs = [
        pytest.param(*param.values, name, id=f"{param.id}-{name}")
        for name, case in CASES.items()
        for param in estimators_with(*case.keys() - FLAGS, among=estimators)
    ]
    return pytest.mark.parametrize("estimator, case", pairs)


def fit_and_keep(clf, *args, **kwargs):
    """Fit an estimator; return it and the dataset that the fit goes through."""
    kept, original = [], Net.train

    def train(net, dataset, *rest):
        kept.append(dataset)
        return original(net, dataset, *rest)

    with mock.patch.object(Net, "train", train):
        clf.fit(*args, **kwargs)
    return clf, kept[0]


def fitted(estimator, case, device="cpu"):
    """Return an estimator fitted for one epoch, and its training data."""
    options, (hierarchy, X, Y) = dict(case), task("paths" if "one" in case else "many")
    named = [name for name in options if name in estimator.get_params(deep=False)]
    flags, Y = options.keys() - set(named), Y.astype(np.float64)
    weight = np.linspace(1, 2, Y.size).reshape(Y.shape) if "weight" in flags else None
    if "unknown" in flags:
        Y[::5, hierarchy.leaves[0]] = np.nan
    if "one" in flags:
        names = np.array(hierarchy.labels)
        Y = names[hierarchy.leaves[np.arange(len(Y)) % len(hierarchy.leaves)]]
    Y = sp.csr_matrix(Y) if "sparse_y" in flags else Y
    X = sp.csr_matrix(X) if "sparse_x" in flags else X
    options = {name: options[name] for name in named} | {"device": device}
    clf = build(estimator, hierarchy, max_iter=1, **options)
    return fit_and_keep(clf, X, Y, sample_weight=weight)


def steps(net, dataset, device):
    """Take the steps of one epoch on a device, by the fit's kind of optimizer.

    What skorch does between steps is not among them.
    """
    for part in (net.module_, net.criterion_):
        part.to(device)
    net.device = device
    weights = [weight for _, weight in net.get_all_learnable_params()]
    defaults = net.optimizer_.defaults
    options = {name: defaults[name] for name in ("lr", "weight_decay")}
    net.optimizer_ = type(net.optimizer_)(weights, **options)
    net.module_.train()
    net.criterion_.train()
    for batch in Batches(dataset, 8, device, torch.Generator().manual_seed(0)):
        yield net.train_step(batch)
