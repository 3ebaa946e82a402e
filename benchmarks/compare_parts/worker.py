"""Try what one library does, and print it: run by benchmarks.compare_libraries.

Run as ``python worker.py LIBRARY`` by an environment of its own, in which that library
is installed and skhmc may not be. Every cell is what a try ended with. An adapter has

- ``fit(X, Y)``, which returns what ``predict`` and ``proba`` take; ``Y`` holds 0, 1 and
  possibly NaN, a column per label of ``LABELS``, ancestors included;
- ``predict(model, X)``, indicators in the same columns;
- ``proba(model, X)``, probabilities in the same columns;
- ``edges``, the part of the hierarchy that the library can be told;
- ``estimator()``, ``targets(Y)`` and ``scorer()``, what scikit-learn's tools are given;
  ``note`` says so where a scorer is needed.
"""

import json
import sys
import warnings
from importlib.metadata import version
from textwrap import shorten

import numpy as np
import scipy.sparse as sp

LABELS = ("a", "b", "c", "d")
EDGES = (("a", "c"), ("b", "c"), ("a", "d"))  # c has two parents
# what samples have, with ancestors: c; d; b alone; c and d
KINDS = np.array([[1, 1, 1, 0], [1, 0, 0, 1], [0, 1, 0, 0], [1, 1, 1, 1]])
RIGHT = 0.9  # the share of samples that an easy problem has to get right


def easy_data(n_samples=160):
    """Return X and Y of which every method can learn all labels."""
    rng = np.random.default_rng(0)
    kind = np.arange(n_samples) % len(KINDS)
    X = np.eye(len(KINDS))[kind] + 0.05 * rng.normal(size=(n_samples, len(KINDS)))
    return X, KINDS[kind]


def hard_data(n_samples=400):
    """Return X that says little about Y: scores of labels contradict each other."""
    rng = np.random.default_rng(1)
    kind = rng.integers(len(KINDS), size=n_samples)
    X = np.eye(len(KINDS))[kind] + 1.5 * rng.normal(size=(n_samples, len(KINDS)))
    return X, KINDS[kind]


# -- the libraries ---------------------------------------------------------------------


class Skhmc:
    """HCALClassifier."""

    packages = ("skhmc", "torch")
    edges = EDGES
    note = ""

    def estimator(self):
        from skhmc import HCALClassifier, Hierarchy

        return HCALClassifier(
            Hierarchy.build(EDGES, labels=LABELS),
            hidden_layer_sizes=(32,),
            max_iter=60,
            batch_size=16,
            random_state=0,
        )

    def scorer(self):
        return None

    def targets(self, Y):
        return Y

    def fit(self, X, Y):
        return self.estimator().fit(X, Y)

    def predict(self, model, X):
        return model.predict(X)

    def proba(self, model, X):
        return model.predict_proba(X)


class MultiOutput(Skhmc):
    """MultiOutputClassifier around logistic regression."""

    packages = ()

    def estimator(self):
        from sklearn.linear_model import LogisticRegression
        from sklearn.multioutput import MultiOutputClassifier

        return MultiOutputClassifier(LogisticRegression())

    def proba(self, model, X):
        return np.column_stack([one[:, 1] for one in model.predict_proba(X)])


class BinaryRelevance(Skhmc):
    """scikit-multilearn, one logistic regression per label."""

    packages = ("scikit-multilearn",)

    def estimator(self):
        from sklearn.linear_model import LogisticRegression
        from skmultilearn.problem_transform import BinaryRelevance

        return BinaryRelevance(LogisticRegression())

    def predict(self, model, X):
        return model.predict(X).toarray()

    def proba(self, model, X):
        return model.predict_proba(X).toarray()


class HiClass(Skhmc):
    """A local classifier per node, which takes one path per sample."""

    packages = ("hiclass",)
    edges = (("a", "c"), ("a", "d"))  # a label of a path has one parent
    note = "with a scorer of its own"

    def estimator(self):
        from hiclass import LocalClassifierPerNode
        from sklearn.linear_model import LogisticRegression

        return LocalClassifierPerNode(
            LogisticRegression(),
            return_all_probabilities=True,
            probability_combiner="multiply",  # of the three, the one that can agree
        )

    def targets(self, Y):
        """Return the first path of every sample, from a root to its last label.

        A label that is not known leaves the path unknown where it would stand.
        """
        paths = np.full((len(Y), 2), "", dtype=object)
        for path, (a, _, c, d) in zip(paths, Y, strict=True):
            path[0] = "b" if a == 0 else "a"
            path[1] = "c" if c == 1 else "d" if d == 1 else ""
            if np.isnan(d):
                path[1] = np.nan
        return paths

    def scorer(self):
        from hiclass.metrics import f1
        from sklearn.metrics import make_scorer

        return make_scorer(f1)

    def fit(self, X, Y):
        return self.estimator().fit(X, self.targets(Y))

    def predict(self, model, X):
        found = np.asarray(model.predict(X), dtype=str)
        return np.column_stack([(found == label).any(axis=1) for label in LABELS])

    def proba(self, model, X):
        levels = model.predict_proba(X)
        found = np.zeros((len(X), len(LABELS)))
        for classes, of_level in zip(model.classes_, levels, strict=True):
            for name, column in zip(classes, of_level.T, strict=True):
                label = str(name).rpartition("::HiClass::Separator::")[2]
                if label in LABELS:
                    found[:, LABELS.index(label)] += column
        return found


class HmcTorch(Skhmc):
    """The constrained network of hmc-torch, trained by a plain loop."""

    packages = ("hmc-torch", "torch")

    def estimator(self):
        import torch
        from hmc.models.global_classifier.constraint.model import ConstrainedModel

        torch.manual_seed(0)
        above = np.eye(len(LABELS))
        for parent, child in EDGES:
            above[LABELS.index(parent), LABELS.index(child)] = 1
        return ConstrainedModel(
            input_dim=len(KINDS),
            hidden_dim=32,
            output_dim=len(LABELS),
            hyperparams={"num_layers": 2, "dropout": 0.0, "non_lin": "relu"},
            r_matrix=torch.tensor(above).unsqueeze(0),
        )

    def fit(self, X, Y):
        import torch

        network = self.estimator().train()
        X, Y = torch.tensor(X).float(), torch.tensor(Y).float()
        optimizer = torch.optim.Adam(network.parameters(), 0.01)
        for _ in range(200):
            optimizer.zero_grad()
            torch.nn.functional.binary_cross_entropy(network(X), Y).backward()
            optimizer.step()
        return network.eval()

    def predict(self, model, X):
        return self.proba(model, X) > 0.5

    def proba(self, model, X):
        import torch

        with torch.no_grad():
            return model(torch.tensor(X).float()).numpy()


LIBRARIES = {
    "skhmc": Skhmc(),
    "MultiOutputClassifier": MultiOutput(),
    "HiClass": HiClass(),
    "scikit-multilearn": BinaryRelevance(),
    "hmc-torch": HmcTorch(),
}


# -- the tries: each raises, or returns whether it went well, and how ------------------


def share_right(predicted, Y):
    """Return the share of samples all of whose labels are right, and a word for it."""
    share = float((np.asarray(predicted) == Y).all(axis=1).mean())
    return share >= RIGHT, f"{share:.0%} of the samples right"


def try_several_labels(library):
    """Fit samples of several branches, and predict them."""
    X, Y = easy_data()
    return share_right(library.predict(library.fit(X, Y), X), Y)


def try_two_parents(library):
    """Predict a label that has two parents, with both, from data that say little."""
    X, Y = hard_data()
    predicted = np.asarray(library.predict(library.fit(X, Y), X))
    below = predicted[:, 2] == 1
    n_wrong = int((predicted[below][:, :2] == 0).any(axis=1).sum())
    return below.any() and n_wrong == 0, f"{n_wrong} of {below.sum()} lack a parent"


def try_probabilities(library):
    """Have probabilities of all labels, no child's above its parent's."""
    X, Y = hard_data()
    proba = library.proba(library.fit(X, Y), X)
    pairs = [(LABELS.index(p), LABELS.index(c)) for p, c in library.edges]
    n_wrong = int(sum((proba[:, c] > proba[:, p] + 1e-6).sum() for p, c in pairs))
    return n_wrong == 0, f"{n_wrong} of {len(X) * len(pairs)} pairs contradict"


def try_unknown_labels(library):
    """Fit with NaN for some labels, and predict these."""
    X, Y = easy_data()
    given = Y.astype(float)
    given[:20, 3] = np.nan
    return share_right(library.predict(library.fit(X, given), X), Y)


def try_sparse(library):
    """Fit and predict a CSR X; what it ends with is compared with the dense one's."""
    X, Y = easy_data()
    sparse = sp.csr_matrix(X)
    predicted = library.predict(library.fit(sparse, Y), sparse)
    same = np.array_equal(predicted, library.predict(library.fit(X, Y), X))
    return same, "as dense" if same else "not as dense"


def try_cross_validation(library):
    """Clone, pickle and score by scikit-learn's tools."""
    import pickle

    from sklearn.model_selection import cross_val_score

    X, Y = easy_data()
    scores = cross_val_score(
        pickle.loads(pickle.dumps(library.estimator())),
        X,
        library.targets(Y),
        cv=3,
        scoring=library.scorer(),
        error_score="raise",
    )
    return bool(np.isfinite(scores).all()), f"scores {np.round(scores, 2).tolist()}"


TRIES = {
    "several labels per sample, in any branch": try_several_labels,
    "a label with two parents (DAG) comes with both": try_two_parents,
    "no child more probable than its parent": try_probabilities,
    "unknown labels (NaN in `Y`)": try_unknown_labels,
    "sparse `X`": try_sparse,
    "`clone`, pickle and `cross_val_score`": try_cross_validation,
}


def attempt(function, library):
    """Return whether a try went well, and a word about how it ended."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            works, word = function(library)
        except Exception as error:
            how = shorten(f"{type(error).__name__}: {error}", 120, placeholder=" ...")
            return {"works": False, "how": how, "note": ""}
    note = library.note if function is try_cross_validation else ""
    return {"works": bool(works), "how": word, "note": note}


def main(name):
    """Try everything with a library, and print it as JSON."""
    library = LIBRARIES[name]
    packages = (*library.packages, "scikit-learn", "numpy")
    cells = {row: attempt(function, library) for row, function in TRIES.items()}
    versions = {package: version(package) for package in packages}
    python = {"python": ".".join(map(str, sys.version_info[:3]))}
    print(json.dumps({"cells": cells, "versions": python | versions}))


if __name__ == "__main__":
    main(sys.argv[1])
