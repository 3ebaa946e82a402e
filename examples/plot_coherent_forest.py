"""
A coherent forest beside MultiOutputClassifier
==============================================

``MultiOutputClassifier`` trains one forest per label and knows nothing of the
hierarchy. Some of its predictions contradict it: a label without its parent.
``CoherentClassifier`` takes its place, with the same forests inside. No prediction
contradicts the hierarchy any more, and labels are ranked at least as well.

"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.multioutput import MultiOutputClassifier

from skhmc import CoherentClassifier
from skhmc.datasets import load_digit_properties
from skhmc.metrics import au_prc_score, hierarchical_violation_rate

# %%
# Few training rows, as in many real problems with a hierarchy.

digits = load_digit_properties()
train, test = digits.train[:200], digits.test
X, Y, hierarchy = digits.data, digits.target, digits.hierarchy

forest = RandomForestClassifier(50, random_state=0)
models = {
    "MultiOutputClassifier": MultiOutputClassifier(forest),
    "CoherentClassifier": CoherentClassifier(forest, hierarchy, strategy="per_label"),
}

# %%
# ``MultiOutputClassifier`` returns a list of arrays, one per label.

violations, quality = [], []
for name, model in models.items():
    proba = model.fit(X[train], Y[train]).predict_proba(X[test])
    if isinstance(proba, list):
        proba = np.column_stack([columns[:, 1] for columns in proba])
    violations.append(hierarchical_violation_rate(model.predict(X[test]), hierarchy))
    quality.append(au_prc_score(Y[test], proba, hierarchy=hierarchy))
    print(f"{name}: violations {violations[-1]:.1%}, AU(PRC) {quality[-1]:.3f}")

# %%
# The share of rows in which a label is predicted without a parent.

plt.rcParams.update({"font.size": 17})
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
names = [f"{name}\nAU(PRC) {q:.3f}" for name, q in zip(models, quality, strict=True)]
percent = 100 * np.array(violations)
bars = ax.barh(names, percent, color=["#d55e00", "#00875f"], height=0.6)
ax.bar_label(bars, fmt="%.1f %%", padding=6, size=18)
ax.set(xlabel="rows with a violation (%)", xlim=(0, 1.35 * percent.max()))
ax.invert_yaxis()
plt.show()
