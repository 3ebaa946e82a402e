"""What skhmc is compared with: networks that know of no hierarchy, HiClass, priors."""

import importlib.util

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from torch import nn

from skhmc._networks.parameters import epochs_of_texts
from skhmc.coherence import most_specific

__all__ = [
    "FlatNetwork",
    "HiClassPaths",
    "PriorForConstantLabels",
    "as_paths",
    "from_paths",
    "has_hiclass",
    "paths_to",
]


class PriorForConstantLabels(ClassifierMixin, BaseEstimator):
    """Give labels with one class, on which others raise, their training prior."""

    def __init__(self, estimator):
        self.estimator = estimator

    def fit(self, X, Y):
        self.prior_ = Y.mean(axis=0)
        self.fitted_ = np.flatnonzero((self.prior_ > 0) & (self.prior_ < 1))
        self.estimator_ = clone(self.estimator).fit(X, Y[:, self.fitted_])
        return self

    def predict_proba(self, X):
        proba = np.tile(self.prior_, (X.shape[0], 1))
        fitted = self.estimator_.predict_proba(X)
        proba[:, self.fitted_] = np.column_stack([p[:, 1] for p in fitted])
        return proba


# -- a network without a hierarchy -----------------------------------------------------


class FlatNetwork(ClassifierMixin, BaseEstimator):
    """A network trained in a plain torch loop: AdamW, one cycle, nothing else.

    Parameters
    ----------
    hierarchy : Hierarchy
        Trained without it; it says which labels are above the most specific ones.
    head : {"sigmoid", "softmax"}
        One sigmoid per label, or a softmax over the most specific labels of the
        training rows. The probability of any other label is then the sum of those below
        it.
    encoder : class, default=None
        Called with the shape of a sample; None is a multi-layer perceptron.
    hidden_layer_sizes, input_dropout : tuple of int, float
        Of the perceptron.
    wide_dropout : float, default=None
        The input's, where there are more features than samples; None is as elsewhere.
    dropout : float
        Behind every hidden layer, or behind the encoder.
    input_norm : float, default=None
        The median length of rows of X; None takes X as it is.
    learning_rate_init, weight_decay, batch_size, max_iter, random_state
        As the networks of skhmc have them.
    """

    def __init__(
        self,
        hierarchy=None,
        head="sigmoid",
        *,
        encoder=None,
        hidden_layer_sizes=(1000, 1000),
        input_dropout=0.0,
        wide_dropout=None,
        dropout=0.0,
        input_norm=None,
        learning_rate_init=1e-3,
        weight_decay=1e-2,
        batch_size=64,
        max_iter=60,
        random_state=0,
    ):
        self.hierarchy = hierarchy
        self.head = head
        self.encoder = encoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.input_dropout = input_dropout
        self.wide_dropout = wide_dropout
        self.dropout = dropout
        self.input_norm = input_norm
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X, Y):
        torch.manual_seed(self.random_state)
        loss = nn.BCEWithLogitsLoss()
        self.classes_, targets = np.arange(Y.shape[1]), np.asarray(Y, np.float32)
        if self.head == "softmax":
            ends = most_specific(Y, self.hierarchy).argmax(axis=1)
            self.classes_, targets = np.unique(ends, return_inverse=True)
            loss = nn.CrossEntropyLoss()
        targets = torch.from_numpy(targets)
        self.scale_ = 1.0
        if self.input_norm is not None:
            squares = X.multiply(X) if sp.issparse(X) else X**2
            norms = np.sqrt(np.asarray(squares.sum(axis=1)))
            self.scale_ = self.input_norm / float(np.median(norms[norms > 0]))
        self.net_ = self._build(X).train()
        n_batches = -(-X.shape[0] // self.batch_size)
        max_iter = self.max_iter
        if max_iter == "auto":  # as for texts in networks of skhmc
            max_iter = epochs_of_texts(X.shape[0], self.batch_size)
        optimizer = torch.optim.AdamW(
            self.net_.parameters(),
            self.learning_rate_init,
            weight_decay=self.weight_decay,
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate_init, max_iter * n_batches
        )
        for _ in range(max_iter):
            for rows in torch.randperm(X.shape[0]).chunk(n_batches):
                optimizer.zero_grad()
                loss(self._outputs(X, rows), targets[rows]).backward()
                optimizer.step()
                schedule.step()
        return self

    def _build(self, X):
        if self.encoder is None:
            n_samples, n_encoded = X.shape
            wide = n_encoded > n_samples and self.wide_dropout is not None
            layers = [nn.Dropout(self.wide_dropout if wide else self.input_dropout)]
            for width in self.hidden_layer_sizes:
                layers += [nn.Linear(n_encoded, width), nn.ReLU()]
                layers.append(nn.Dropout(self.dropout))
                n_encoded = width
        else:
            encoder = self.encoder(X.shape[1:])
            n_encoded = encoder.eval()(_tensor(X, slice(2))).flatten(1).shape[1]
            layers = [encoder, nn.Flatten()]
            layers += [nn.Dropout(self.dropout)] if self.dropout else []
        return nn.Sequential(*layers, nn.Linear(n_encoded, len(self.classes_)))

    @torch.no_grad()
    def _logits(self, X):
        self.net_.eval()
        blocks = [slice(k, k + 256) for k in range(0, X.shape[0], 256)]
        return torch.cat([self._outputs(X, rows) for rows in blocks])

    def _outputs(self, X, rows):
        return self.net_(self.scale_ * _tensor(X, rows))

    def predict_proba(self, X):
        logits = self._logits(X)
        if self.head == "sigmoid":
            return logits.sigmoid().numpy()
        proba = np.zeros((X.shape[0], self.hierarchy.n_labels), np.float32)
        proba[:, self.classes_] = logits.softmax(1).numpy()
        return proba + proba @ self.hierarchy.ancestors.toarray().astype(np.float32)

    def predict(self, X):
        """Return labels above 0.5, or the most probable most specific one's path."""
        logits = self._logits(X).numpy()
        if self.head == "sigmoid":
            return (logits > 0).astype(np.int64)
        return paths_to(self.classes_[logits.argmax(axis=1)], self.hierarchy)


def _tensor(X, rows):
    X = X[rows if isinstance(rows, slice) else rows.numpy()]
    return torch.tensor(X.toarray() if sp.issparse(X) else X, dtype=torch.float32)


def paths_to(labels, hierarchy):
    """Return indicators of one label per sample and of its ancestors."""
    Y = hierarchy.ancestors[labels].toarray()
    Y[np.arange(len(Y)), labels] = 1
    return (Y > 0).astype(np.int64)


# -- HiClass ---------------------------------------------------------------------------


def has_hiclass():
    """Tell whether HiClass is installed; it is no requirement of skhmc."""
    return importlib.util.find_spec("hiclass") is not None


class HiClassPaths(ClassifierMixin, BaseEstimator):
    """A classifier of HiClass, fitted to indicators of single paths, and back."""

    def __init__(self, estimator, hierarchy=None):
        self.estimator = estimator
        self.hierarchy = hierarchy

    def fit(self, X, Y):
        self.estimator_ = clone(self.estimator).fit(X, as_paths(Y, self.hierarchy))
        return self

    def predict(self, X):
        return from_paths(self.estimator_.predict(X), self.hierarchy)


def as_paths(Y, hierarchy):
    """Return single paths as HiClass wants them: names by depth, "" below their end."""
    paths = np.full((len(Y), len(hierarchy.levels)), "", dtype=object)
    rows, labels = np.nonzero(Y)
    paths[rows, hierarchy.depth[labels]] = np.array(hierarchy.labels, object)[labels]
    return paths


def from_paths(paths, hierarchy):
    """Return indicators of paths."""
    Y = np.zeros((len(paths), hierarchy.n_labels), int)
    for row, path in zip(Y, paths, strict=True):
        row[[hierarchy.position(name) for name in path if name != ""]] = 1
    return Y
