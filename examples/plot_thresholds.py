"""
Tuned thresholds find rare labels
=================================

A label is predicted when its probability is above 0.5. The probability of a rare label
is seldom so high, even if the label is ranked well. ``HierarchicalThresholdClassifier``
chooses thresholds by cross-validation. They help most at the bottom of the hierarchy,
where labels are rare, and predictions stay coherent.

"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import f1_score

from skhmc import CoherentClassifier, HierarchicalThresholdClassifier
from skhmc.datasets import make_hidden_hierarchy
from skhmc.metrics import hierarchical_violation_rate

# %%
# Points of the plane belong to 4 regions, each of 4 parts, each of 2 parts. The parts
# overlap widely, so that no classifier can be sure.

data = make_hidden_hierarchy(3000, branching=(4, 4, 2), cluster_std=0.8, random_state=0)
hierarchy = data.hierarchy.subset(data.hierarchy.labels[1:])  # without the root
X, Y = data.data, data.target[:, 1:]
train, test = data.train, data.test

forest = RandomForestClassifier(30, min_samples_leaf=5, random_state=0)
half = CoherentClassifier(forest, hierarchy)
tuned = HierarchicalThresholdClassifier(half, strategy="level", cv=3)
predicted = {
    "threshold 0.5": half.fit(X[train], Y[train]).predict(X[test]),
    "tuned": tuned.fit(X[train], Y[train]).predict(X[test]),
}

# %%
# There is one threshold per level here. The F1 of a level counts all its labels
# together.

depths = range(len(hierarchy.levels))
scores = {
    name: [
        f1_score(Y[test][:, level], y[:, level], average="micro", zero_division=0)
        for level in hierarchy.levels
    ]
    for name, y in predicted.items()
}
for depth, level in enumerate(hierarchy.levels):
    print(f"depth {depth}: threshold {tuned.thresholds_[level[0]]:.2f}, F1", end=" ")
    print(" -> ".join(f"{values[depth]:.2f}" for values in scores.values()))
for name, y in predicted.items():
    rate = hierarchical_violation_rate(y, hierarchy)
    print(f"{name}: {rate:.0%} of the predictions violate the hierarchy")

# %%
# The deeper the labels, the more the tuned thresholds gain.

plt.rcParams.update({"font.size": 16})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
for k, (name, colour) in enumerate(
    [("threshold 0.5", "#9a9a9a"), ("tuned", "#1f5f99")]
):
    bars = ax.bar(
        np.array(depths) + 0.4 * k, scores[name], 0.38, color=colour, label=name
    )
    ax.bar_label(bars, fmt="%.2f")
sizes = [len(level) for level in hierarchy.levels]
names = [f"depth {depth}\n({n} labels)" for depth, n in zip(depths, sizes, strict=True)]
ax.set_xticks(np.array(depths) + 0.2, names)
ax.set(ylabel="F1 on new points", ylim=(0, 1))
ax.legend(fontsize=16)
plt.show()
