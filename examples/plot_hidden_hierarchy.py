"""
A hierarchy that nobody was told
================================

Points of the plane are labelled with their cluster, the quadrant that holds it, and
"root", and two of five rows lack one of the three. No hierarchy is given. From which
labels occur together, HyperbolicHMC learns one: general labels come to lie near the
middle of the disk, and every cluster beside its quadrant.

"""

import matplotlib.pyplot as plt
import pandas as pd

from skhmc import HyperbolicHMC
from skhmc.datasets import make_hidden_hierarchy
from skhmc.induction import subsumption_hierarchy
from skhmc.inspection import LabelEmbeddingDisplay
from skhmc.metrics import hierarchy_recovery_report

# %%
# The columns are in random order, so that it tells nothing either.

hidden = make_hidden_hierarchy(3000, drop_probability=0.4, random_state=0)
Y = pd.DataFrame(hidden.target, columns=hidden.label_names)
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
clf.fit(hidden.data, Y)

# %%
# Parents are chosen among labels that cover most of a label's rows. Counting alone
# finds the same tree here, as it often does on data that are this clean.

counted = subsumption_hierarchy(Y)
report = hierarchy_recovery_report(
    hidden.hierarchy,
    clf.learned_hierarchy_,
    distances=clf.label_distances(),
    radius=clf.label_radius_,
)
print(clf.learned_hierarchy_)
print(f"ancestors learnt: F1 {report.ancestor_f1:.2f}")
print(
    "by counts alone: F1 "
    f"{hierarchy_recovery_report(hidden.hierarchy, counted).ancestor_f1:.2f}"
)

# %%
# With two dimensions nothing is lost in the picture. Lines are the edges learnt.

LabelEmbeddingDisplay.from_estimator(clf)
plt.show()
