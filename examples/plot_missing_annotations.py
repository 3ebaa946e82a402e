"""
A list for the curator
======================

Of 600 images, 5 % of the most specific labels were left out, as if nobody had looked
there. ``MissingAnnotationDetector`` ranks what is probably missing. A curator who looks
at the top of its list finds most of them; one who follows the probabilities of the
classifier, or the most frequent labels, looks in vain for longer.
"""

import matplotlib.pyplot as plt
import numpy as np

from skhmc import KernelHMC
from skhmc.audit import MissingAnnotationDetector
from skhmc.coherence import most_specific
from skhmc.datasets import load_digit_properties

# %%
# A sample keeps what is above the label that it lost.

digits = load_digit_properties()
X, Y = digits.data[:600] / 16, digits.target[:600].copy()
cells = np.argwhere(most_specific(Y, digits.hierarchy) == 1)
gone = np.random.RandomState(0).permutation(cells)[: len(cells) // 20]
hidden = np.zeros(Y.shape, dtype=bool)
hidden[tuple(gone.T)] = True
Y[hidden] = 0

# %%
# Every image is judged by a classifier that has not seen it. The table has the labels
# above the missing one that are annotated, and annotated siblings.

clf = KernelHMC(digits.hierarchy, gamma=0.02, ridge=0.003)
detector = MissingAnnotationDetector(clf).fit(X, Y)
print(detector.suggestions(5)[["sample", "label", "score", "above"]])

# %%
# How many of the hidden labels are found among the first rows of a list?

lists = {
    "MissingAnnotationDetector": detector.annotation_scores(),
    "probability": detector.proba_,
    "label frequency": np.broadcast_to(Y.mean(axis=0), Y.shape),
}
plt.rcParams.update({"font.size": 17})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
rows = np.arange(1, 4 * hidden.sum())
for name, scores in lists.items():
    order = np.argsort(-np.where(Y == 0, scores, -1).ravel(), kind="stable")
    found = np.cumsum(hidden.ravel()[order])[: len(rows)]
    at_k = found[hidden.sum() - 1] / hidden.sum()
    print(f"{name}: {at_k:.0%} of the first {hidden.sum()} are right")
    ax.plot(rows, found / hidden.sum(), lw=3, label=name)
ax.set(xlabel="rows that the curator looks at", ylabel="found, of all that is hidden")
ax.set(ylim=(0, 1.02), xlim=(0, len(rows)))
ax.legend(loc="center right", bbox_to_anchor=(1, 0.23))
plt.show()
