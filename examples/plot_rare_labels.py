"""
Rare labels need weights or thresholds
======================================

Of 150 intents, almost half have no more than four training texts. Plain logistic
regression ranks them, but hardly ever predicts them. Weights of classes or tuned
thresholds mend this, and a label tree helps, too. None of them makes rare labels as
good as frequent ones.

"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, f1_score

from skhmc import (
    CoherentClassifier,
    HierarchicalThresholdClassifier,
    LabelTreeClassifier,
)
from skhmc.datasets import load_intents

# %%
# All intents of the data set are equally frequent. In real data few labels are, so some
# are made rare here, in the test part, too: the k-th intent keeps a share of its texts
# that falls with k.

intents = load_intents()
hierarchy, leaves = intents.hierarchy, intents.hierarchy.leaves
share = 1 / (1 + np.random.default_rng(0).permutation(len(leaves)) / 10)
n_train = np.maximum(2, np.round(40 * share)).astype(int)
n_test = np.maximum(1, np.round(20 * share)).astype(int)


def keep(rows, numbers):
    """Return the first rows of each intent."""
    Y = intents.target[rows][:, leaves]
    return np.concatenate([rows[Y[:, k] == 1][:n] for k, n in enumerate(numbers)])


train, test = keep(intents.train, n_train), keep(intents.test, n_test)
tfidf = TfidfVectorizer(sublinear_tf=True)
X, Y = tfidf.fit_transform(intents.data[train]), intents.target[train]
X_test, Y_test = tfidf.transform(intents.data[test]), intents.target[test]
groups = {"rare": leaves[n_train <= 4], "frequent": leaves[n_train >= 10]}
print(", ".join(f"{len(labels)} intents are {name}" for name, labels in groups.items()))

# %%
# F1 and average precision count all labels of a group together. Average precision looks
# at the order of the probabilities only.


def logistic(weight=None):
    model = LogisticRegression(C=10, class_weight=weight, solver="liblinear")
    return CoherentClassifier(model, hierarchy, strategy="per_label")


def tuned(model):
    return HierarchicalThresholdClassifier(model, strategy="level", cv=3)


label_tree = LabelTreeClassifier(hierarchy, random_state=0)
models = {
    "logistic regression": logistic(),
    "balanced weights": logistic("balanced"),
    "tuned thresholds": tuned(logistic()),
    "label tree": label_tree,
    "label tree,\ntuned thresholds": tuned(label_tree),
}
f1 = {name: [] for name in groups}
for name, model in models.items():
    proba, predicted = model.fit(X, Y).predict_proba(X_test), model.predict(X_test)
    print(" ".join(name.split()), end=":")
    for group, labels in groups.items():
        cells = Y_test[:, labels], predicted[:, labels]
        f1[group].append(f1_score(*cells, average="micro", zero_division=0))
        precision = average_precision_score(cells[0], proba[:, labels], average="micro")
        print(f" {group} F1 {f1[group][-1]:.2f}, AP {precision:.2f}", end=";")
    print()

# %%
# Rare labels gain much, and frequent labels lose nothing.

plt.rcParams.update({"font.size": 17})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
at = np.arange(len(models))
for k, (group, colour) in enumerate([("rare", "#d55e00"), ("frequent", "#9a9a9a")]):
    bars = ax.barh(at + 0.4 * k, f1[group], 0.38, color=colour, label=f"{group} labels")
    ax.bar_label(bars, fmt="%.2f", padding=3)
ax.set_yticks(at + 0.2, list(models))
ax.set(xlabel="F1 on new texts", xlim=(0, 1), xticks=[0, 0.5, 1])
ax.invert_yaxis()
ax.legend(loc="upper center", bbox_to_anchor=(0.2, 1.16), ncols=2, frameon=False)
plt.show()
