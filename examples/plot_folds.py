"""
Labels drift between plain folds
================================

``KFold`` leaves it to chance how often a label is in a fold. Here one label is five
times as frequent in one fold as in another, and its scores differ for this reason
alone. ``MultilabelStratifiedKFold`` gives each fold its share of each label, as far as
whole samples allow.

"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import KFold

from skhmc.datasets import load_made_genes
from skhmc.model_selection import MultilabelStratifiedKFold

# %%
# Genes with the terms of an ontology: few terms are frequent, and many are rare.

genes = load_made_genes()
X, Y = genes.data, genes.target
frequent_first = np.argsort(-Y.sum(axis=0), kind="stable")
print(f"{Y.shape[1]} terms; the most frequent one has {Y.sum(axis=0).max()} genes,")
print(f"the rarest one {Y.sum(axis=0).min()}")

# %%
# 1 is the share that a label has in all rows.

splitters = {
    "KFold": KFold(5, shuffle=True, random_state=0),
    "MultilabelStratifiedKFold": MultilabelStratifiedKFold(
        5, shuffle=True, random_state=0
    ),
}
shares = {}
for name, splitter in splitters.items():
    means = [Y[test].mean(axis=0) for _, test in splitter.split(X, Y)]
    shares[name] = np.array(means) / Y.mean(axis=0)
    most, least = shares[name].max(axis=0), shares[name].min(axis=0)
    print(f"{name}: shares from {least.min():.2f} to {most.max():.2f};", end=" ")
    print(f"of one term, up to {(most / least).max():.1f} times as many")

# %%
# One line per term, from the fold that has it least often to the one that has it most
# often.

plt.rcParams.update({"font.size": 18})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
at = np.arange(Y.shape[1])
for name, colour in [("KFold", "#d55e00"), ("MultilabelStratifiedKFold", "#00875f")]:
    share = shares[name][:, frequent_first]
    ax.vlines(at, share.min(axis=0), share.max(axis=0), colour, lw=7, label=name)
ax.axhline(1, color="black", lw=1)
ax.set(xlabel="terms, from frequent to rare", xticks=[], ylim=(0, 2.5))
ax.set_ylabel("share in a fold / share in all")
ax.legend(loc="upper left")
plt.show()
