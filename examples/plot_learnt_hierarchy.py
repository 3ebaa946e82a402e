"""
A hierarchy that nobody gave
============================

Points of the plane are labelled with their cluster, the quadrant that holds it, and
"root". One of five training rows lacks one of the three. No hierarchy is given.
``HyperbolicHMC`` learns one from the labels that occur together. The root lies in the
middle of the disk, and each cluster lies nearer to its own quadrant than to the others.

"""

import matplotlib.pyplot as plt
import pandas as pd

from skhmc import HyperbolicHMC
from skhmc.datasets import make_hidden_hierarchy
from skhmc.induction import subsumption_hierarchy
from skhmc.inspection import LabelEmbeddingDisplay
from skhmc.metrics import hierarchy_recovery_report

# %%
# The columns are in random order, so that the order tells nothing.

hidden = make_hidden_hierarchy(3000, drop_probability=0.2, random_state=0)
Y = pd.DataFrame(hidden.target, columns=hidden.label_names)
lacking = (hidden.target != hidden.complete_target).any(axis=1)[hidden.train]
print(f"{lacking.mean():.0%} of the training rows lack a label")
Y = Y.sample(frac=1, axis=1, random_state=0)
clf = HyperbolicHMC(
    hidden_layer_sizes=(100,),
    embedding_dim=2,
    dropout=0.0,
    learning_rate_init=0.01,
    embedding_weight=1.0,
    max_iter=30,
    random_state=0,
)
clf.fit(hidden.data[hidden.train], Y.iloc[hidden.train])

# %%
# Parents are chosen among labels that cover most of a label's rows. Counting alone
# finds the same tree here, as it often does on data that are this clean. With more gaps
# (``drop_probability=0.4``) both make mistakes.

counted = subsumption_hierarchy(Y.iloc[hidden.train])
for name, found in [("learnt", clf.learned_hierarchy_), ("by counts alone", counted)]:
    report = hierarchy_recovery_report(hidden.hierarchy, found)
    print(f"{name}: {found}, F1 of the ancestors {report.ancestor_f1:.2f}")

# %%
# The points are two-dimensional, so the picture loses nothing. Lines are the edges that
# were learnt.

figure, ax = plt.subplots(figsize=(3.2, 3.2), dpi=200, layout="constrained")
names = [name.removeprefix("root/") for name in Y.columns]
LabelEmbeddingDisplay.from_estimator(clf, ax=ax, label_names=names)
plt.show()
