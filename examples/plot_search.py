"""
A search that counts violations
===============================

``GridSearchCV`` can score each candidate of a Pipeline twice, with the ready scorers of
``skhmc.metrics``: how well it ranks the labels (AU(PRC)), and how often it violates the
hierarchy. Here the candidates are trees, one tree per label. At each depth the coherent
trees rank the labels better than the raw ones, and nothing is violated.

"""

import matplotlib.pyplot as plt
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skhmc import CoherentClassifier
from skhmc.datasets import load_digit_properties
from skhmc.metrics import au_prc_scorer, hvr_scorer
from skhmc.model_selection import MultilabelStratifiedKFold

# %%
# Parameters have the names of the steps before them, as always in scikit-learn. The
# splitter gives each fold its share of rare labels.

digits = load_digit_properties()
rows = digits.train[::5]
trees = CoherentClassifier(DecisionTreeClassifier(random_state=0), digits.hierarchy)
depths = [2, 4, 6, 8]
search = GridSearchCV(
    Pipeline([("scale", StandardScaler()), ("trees", trees)]),
    {
        "trees__strategy": ["per_label"],
        "trees__coherence": [None, "average"],
        "trees__estimator__max_depth": depths,
    },
    scoring={"quality": au_prc_scorer, "violations": hvr_scorer},
    refit="quality",
    cv=MultilabelStratifiedKFold(3, shuffle=True, random_state=0),
)
search.fit(digits.data[rows], digits.target[rows])
print("best:", search.best_params_)

# %%
# The best candidate was fitted anew, to all rows. Here it meets new images. The scorer
# of violations has a minus, so that greater is better.

new = digits.data[digits.test], digits.target[digits.test]
print(f"AU(PRC) on new images: {search.score(*new):.2f}")
print(f"violations: {abs(hvr_scorer(search, *new)):.0%}")

# %%
# One line for the raw trees, one for the coherent ones, as the grid has them.

plt.rcParams.update({"font.size": 16})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
quality = search.cv_results_["mean_test_quality"].reshape(2, -1)
violated = abs(search.cv_results_["mean_test_violations"]).reshape(2, -1).mean(axis=1)
for k, (name, colour) in enumerate([("raw", "#d55e00"), ("coherent", "#00875f")]):
    label = f"{name}: {violated[k]:.0%} of rows with a violation"
    ax.plot(depths, quality[k], lw=4, marker="o", ms=10, color=colour, label=label)
ax.set(xlabel="depth of the trees", ylabel="AU(PRC), in 3 folds", xticks=depths)
ax.set_ylim(quality.min() - 0.02, quality.max() + 0.06)  # with room for the legend
ax.legend(loc="upper right")
ax.grid(alpha=0.3)
plt.show()
