"""
Very many labels
================

A label tree learns each label from the samples of its parent alone, so that its time
grows with the samples, not with the labels times the samples. Here more than 6,000
labels take seconds. Classifiers that see all samples, one per label, take several times
as long for 1,000 labels, and are no better.

"""

from time import process_time

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp

from skhmc import Hierarchy, LabelTreeClassifier

# %%
# A leaf is a number, the labels above it are its last digits: "7/2/4" is 427. Rows are
# sparse, as texts are: two words tell the leaf, two the label above it, and six tell
# nothing. Each word has three forms.


def make_samples(n_leaves, n_per_leaf=5):
    """Return X and the path of the leaf of each row."""
    rng = np.random.default_rng(0)
    leaf = np.repeat(np.arange(n_leaves), n_per_leaf)
    n_digits = len(str(n_leaves - 1))
    above = n_leaves + leaf % 10 ** (n_digits - 1)
    other = 2 * n_leaves + rng.integers(400, size=(6, len(leaf)))
    words = np.vstack([leaf, leaf, above, above, other])
    columns = 3 * words + rng.integers(3, size=words.shape)
    rows = np.broadcast_to(np.arange(len(leaf)), words.shape)
    entries = np.ones(words.size), (rows.ravel(), columns.ravel())
    X = sp.csr_matrix(entries, shape=(len(leaf), 3 * (2 * n_leaves + 400)))
    paths = ["/".join(f"{number:0{n_digits}}"[::-1]) for number in range(n_leaves)]
    return X, np.array(paths, dtype=object)[leaf]


# %%
# ``negatives="all"`` fits each label to all samples. One row in five is kept for the
# test.

sizes = {"siblings": [100, 300, 1000, 3000, 6000], "all": [100, 300, 1000]}
n_labels, seconds = {}, {}
for negatives, numbers in sizes.items():
    n_labels[negatives], seconds[negatives] = [], []
    for n_leaves in numbers:
        X, y = make_samples(n_leaves)
        hierarchy = Hierarchy.from_paths(np.unique(y))
        train = np.arange(len(y)) % 5 < 4
        clf = LabelTreeClassifier(hierarchy, negatives=negatives, random_state=0)
        began = process_time()
        clf.fit(X[train], y[train])
        seconds[negatives].append(process_time() - began)
        n_labels[negatives].append(hierarchy.n_labels)
        names, _ = clf.predict_top_k(X[~train], 1, names=True)
        right = np.mean(np.concatenate(names) == y[~train])
        print(f"{negatives}: {hierarchy.n_labels} labels,", end=" ")
        print(f"{seconds[negatives][-1]:.1f} seconds, {right:.1%} of new rows right")

# %%
# Seconds of one processor. Both axes are logarithmic.

plt.rcParams.update({"font.size": 18})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
names = {"all": "all samples", "siblings": "samples of the parent"}
for negatives, colour in [("all", "#d55e00"), ("siblings", "#00875f")]:
    ax.loglog(
        n_labels[negatives],
        seconds[negatives],
        marker="o",
        ms=10,
        lw=4,
        color=colour,
        label=names[negatives],
    )
ax.set(xlabel="labels", ylabel="seconds of a fit")
ax.legend(title="each label sees", loc="lower right")
ax.grid(alpha=0.3)
plt.show()
