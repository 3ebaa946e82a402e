"""Draw a prediction on its hierarchy: ``python docs/draw_prediction.py [PATH]``.

Writes ``docs/_static/prediction.png``, the picture of README.md. A network learns what
is true of the numbers that handwritten digits show. Drawn is a new image, of those that
it gets right the one that it doubts most.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np

from skhmc import HCALClassifier
from skhmc.datasets import load_digit_properties
from skhmc.inspection import HierarchyDisplay

PICTURE = Path(__file__).resolve().parent / "_static" / "prediction.png"
PAGE = "#ffffff"  # a background of its own: readable on dark pages, too
DPI = 130
IMAGE = (0.87, 0.70, 0.12, 0.30)  # place of the digit, in shares of the picture


def train(max_iter):
    """Return a network that has learnt the digits, with the images it has not seen."""
    digits = load_digit_properties()
    clf = HCALClassifier(
        digits.hierarchy,
        hidden_layer_sizes=(200,),
        max_iter=max_iter,
        device="cpu",
        random_state=0,
    )
    clf.fit(digits.data[digits.train] / 16, digits.target[digits.train])
    return clf, digits.data[digits.test] / 16, digits.target[digits.test]


def choose(proba, predicted, Y):
    """Return the position of the most doubtful image among those that are right."""
    right = (predicted == Y).all(axis=1)
    doubt = 0.5 - np.abs(proba - 0.5).min(axis=1)
    # none is right where the training was too short: then of all
    return int(np.lexsort((-doubt, ~right))[0])


def draw(clf, X, Y):
    """Return the figure of one image and of what is predicted for it."""
    sample = choose(clf.predict_proba(X), clf.predict(X), Y)
    display = HierarchyDisplay.from_estimator(clf, X, y_true=Y, sample=sample)
    image = display.ax_.inset_axes(IMAGE)
    image.imshow(X[sample].reshape(8, 8), cmap="gray_r")
    image.set_axis_off()
    display.figure_.set_facecolor(PAGE)
    return display.figure_


def main(path=PICTURE, max_iter=30):
    """Train, draw and write the picture."""
    matplotlib.use("Agg")  # no window
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    draw(*train(max_iter)).savefig(path, dpi=DPI, bbox_inches="tight")
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(*sys.argv[1:2])
