"""Fit a small network to digits, and write it as the file that the service reads."""

import sys

from skhmc import MaxConstraintClassifier
from skhmc.datasets import load_digit_properties
from skhmc.export import to_onnx


def main(path="model.onnx", max_iter=10):
    """Fit, and write model.onnx."""
    digits = load_digit_properties()
    X, Y, train = digits.data / 16, digits.target, digits.train
    clf = MaxConstraintClassifier(
        digits.hierarchy, hidden_layer_sizes=(200,), max_iter=max_iter, random_state=0
    )
    clf.fit(X[train], Y[train])
    to_onnx(clf, path, X[:100])  # checked with 100 rows before it is written
    return clf


if __name__ == "__main__":
    main(*sys.argv[1:])
