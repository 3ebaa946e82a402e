"""
Patients stay in one fold
=========================

Here 80 patients have five rows each, and their diagnoses are drawn by chance. There is
nothing to learn: an AUC of 0.5 is the truth. Folds that tear patients apart promise
almost 1, because the model knows other rows of the same patients.
``MultilabelStratifiedGroupKFold`` keeps all rows of a patient in one fold.

"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from skhmc import CoherentClassifier, Hierarchy
from skhmc.coherence import close_upward
from skhmc.model_selection import (
    MultilabelStratifiedGroupKFold,
    MultilabelStratifiedKFold,
)

# %%
# Rows of one patient are alike, as they are in real data. Their labels are the same.

hierarchy = Hierarchy.from_paths(["heart/valve", "heart/rhythm", "lung/asthma"])
rng = np.random.default_rng(0)
patients = np.repeat(np.arange(80), 5)
X = rng.normal(size=(80, 10))[patients] + 0.1 * rng.normal(size=(400, 10))
drawn = (rng.random((80, hierarchy.n_labels)) < 0.3).astype(int)
Y = close_upward(drawn, hierarchy)[patients]

# %%
# Both splitters give each fold its share of each label. One of them knows the patients.

model = CoherentClassifier(ExtraTreesClassifier(30, random_state=0), hierarchy)
folds = {
    "folds of rows": MultilabelStratifiedKFold(5).split(X, Y),
    "folds of patients": MultilabelStratifiedGroupKFold(5).split(X, Y, patients),
}
scores = []
for name, parts in folds.items():
    parts = list(parts)
    torn = [np.intersect1d(patients[train], patients[test]) for train, test in parts]
    proba = cross_val_predict(model, X, Y, cv=parts, method="predict_proba")
    scores.append(roc_auc_score(Y, proba))
    print(f"{name}: AUC {scores[-1]:.2f},", end=" ")
    print(f"{len(np.unique(np.concatenate(torn)))} patients in both parts of a fold")

# %%
# What cross-validation promises, where nothing can be predicted.

plt.rcParams.update({"font.size": 18})
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
bars = ax.barh(list(folds), scores, color=["#d55e00", "#00875f"], height=0.6)
ax.bar_label(bars, fmt="%.2f", padding=6, size=22)
ax.axvline(0.5, color="black", ls="--", lw=2)
ax.text(0.51, 0.5, "chance", va="center")
ax.set(xlabel="AUC", xlim=(0, 1.2), xticks=[0, 0.5, 1])
ax.invert_yaxis()
plt.show()
