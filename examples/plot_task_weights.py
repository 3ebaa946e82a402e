"""
Task weights follow what is still hard
======================================

``HCALClassifier`` has one task for each depth of the hierarchy. Nobody sets their
weights: they follow the losses from epoch to epoch. Here the loss at depth 3 falls
fastest, so its weight falls as well, and the labels at depth 0 get more.

"""

import matplotlib.pyplot as plt

from skhmc import HCALClassifier
from skhmc.datasets import load_digit_properties
from skhmc.inspection import TrainingHistoryDisplay

# %%
# ``history_`` has the loss and the weight of each depth, one row per epoch.

digits = load_digit_properties()
clf = HCALClassifier(
    digits.hierarchy, hidden_layer_sizes=(200,), max_iter=30, random_state=0
)
clf.fit(digits.data[digits.train] / 16, digits.target[digits.train])
for epoch in (clf.history_[0], clf.history_[-1]):
    weights = [epoch[f"weight_depth_{depth}"] for depth in range(4)]
    losses = [epoch[f"loss_depth_{depth}"] for depth in range(4)]
    print(f"epoch {epoch['epoch']}")
    print("  losses ", ", ".join(f"{loss:.2f}" for loss in losses))
    print("  weights", ", ".join(f"{weight:.2f}" for weight in weights))

# %%
# The weights of an epoch add up to 1.

plt.rcParams.update({"font.size": 18})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
TrainingHistoryDisplay.from_estimator(clf, ax=ax, panels="weight")
plt.show()
