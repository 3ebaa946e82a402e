"""Draw a prediction on its hierarchy: ``python docs/draw_prediction.py [PATH]``.

Writes ``docs/_static/prediction.png``, the picture of README.md. A network learns what
is true of the numbers that handwritten digits show. Drawn is a new image that it gets
right and is in doubt about. Labels below the second level are left out, so that the
others can be read on a phone.
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
DPI = 230
DEPTH = 1  # of the last labels that are drawn
MARGIN = 0.1  # from 0.5: a probability that is 0.50 when rounded looks like a fault
IMAGE = (0.43, 0.0, 0.16, 0.2)  # place of the digit, in shares of the picture


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


def choose(proba, Y, shown):
    """Return the position of the most doubtful image among those that are right.

    ``shown`` masks the labels that are drawn: all that are true of the image.
    """
    right = ((proba > 0.5) == Y).all(axis=1)
    distance = np.abs(proba - 0.5).min(axis=1)
    suits = right & (distance >= MARGIN) & ~Y[:, ~shown].any(axis=1)
    # none suits where the training was too short: then of all
    return int(np.lexsort((distance, ~suits))[0])


def draw(clf, X, Y):
    """Return the figure of one image and of what is predicted for it."""
    hierarchy, proba = clf.hierarchy_, clf.predict_proba(X)
    shown = hierarchy.depth <= DEPTH
    sample = choose(proba, Y, shown)
    display = HierarchyDisplay.from_predictions(
        hierarchy.subset(hierarchy.labels[i] for i in np.flatnonzero(shown)),
        proba[:, shown],
        y_true=Y[:, shown],
        sample=sample,
    )
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
