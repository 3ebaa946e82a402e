"""
Honest probabilities of a forest
================================

Of 100 labels that get the probability 0.9, about 90 should be true. Where classes
overlap, a forest is too sure: here about 70 are true.
``HierarchicalCalibratedClassifier`` maps its probabilities to honest ones. A label
never gets a higher probability than the label above it, before or after.

"""

import matplotlib.pyplot as plt
from sklearn.ensemble import RandomForestClassifier

from skhmc import CoherentClassifier, HierarchicalCalibratedClassifier
from skhmc.coherence import score_violations
from skhmc.datasets import make_hidden_hierarchy
from skhmc.inspection import ReliabilityDisplay
from skhmc.metrics import expected_calibration_error

# %%
# Points of the plane belong to 4 regions, each of 4 parts. The parts overlap.

data = make_hidden_hierarchy(6000, cluster_std=0.5, test_size=0.5, random_state=0)
hierarchy = data.hierarchy.subset(data.hierarchy.labels[1:])  # without the root
X, Y = data.data, data.target[:, 1:]
X_test, Y_test = X[data.test], Y[data.test]

# %%
# There is one map for each depth. It is learnt in folds, from predictions for rows that
# the forest has not seen.

forest = CoherentClassifier(RandomForestClassifier(30, random_state=0), hierarchy)
calibrated = HierarchicalCalibratedClassifier(
    forest, method="isotonic", per="level", cv=3
)
models = {"forest": forest, "calibrated": calibrated}
for name, model in models.items():
    model.fit(X[data.train], Y[data.train])
    proba = model.predict_proba(X_test)
    error = expected_calibration_error(Y_test, proba)
    print(f"{name}: calibration error {error:.3f},", end=" ")
    print(f"children above their parent: {score_violations(proba, hierarchy).nnz}")

# %%
# The labels at the bottom of the hierarchy, for new points. Honest probabilities lie on
# the diagonal.

plt.rcParams.update({"font.size": 18})
figure, ax = plt.subplots(figsize=(7, 5.5), layout="constrained")
for (name, model), colour in zip(models.items(), ["#d55e00", "#00875f"], strict=True):
    style = {"color": colour, "lw": 4, "ms": 11}
    ReliabilityDisplay.from_estimator(
        model, X_test, Y_test, name=name, levels=[1], n_bins=5, ax=ax, **style
    )
plt.show()
