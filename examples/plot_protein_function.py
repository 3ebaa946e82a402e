"""
From an ontology to Fmax and a report
=====================================

An ontology (OBO), a table of genes and terms, and measurements: from these, a few lines
give CAFA's measures beside plain baselines, and a report by label. Label frequency,
which never looks at a gene, has an Fmax above 0.4 here; so print it beside your own.

"""

import matplotlib.pyplot as plt
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skhmc import CoherentClassifier, Hierarchy, KernelHMC
from skhmc.datasets import load_made_genes, read_annotations
from skhmc.metrics import (
    cafa_curves,
    f_max_score,
    hierarchical_classification_report,
    information_accretion,
    s_min_score,
)

# %%
# Three files, as you may have them. These are of genes that do not exist. The table
# names special terms; ``fit`` and the measures add those above them.

files = load_made_genes()
ontology = Hierarchy.from_obo(files.ontology_filename)
table = read_annotations(files.annotations_filename, hierarchy=ontology)
X = pd.read_csv(files.data_filename, index_col="gene").loc[table.samples]
print(ontology, table.counts)
with open(files.annotations_filename) as lines:
    print(*(next(lines).rstrip() for _ in range(4)), sep="\n")

# %%
# The measures are means over both namespaces of the ontology.

X_train, X_test, y_train, y_test = train_test_split(
    X, table.labels, test_size=0.3, random_state=0
)
methods = {
    "label frequency": CoherentClassifier(DummyClassifier(strategy="prior"), ontology),
    "neighbours": CoherentClassifier(KNeighborsClassifier(10), ontology),
    "kernel": KernelHMC(ontology),
}
bits = information_accretion(y_train, ontology)
f_max, curves = {}, {}
for name, clf in methods.items():
    proba = clf.fit(X_train, y_train).predict_proba(X_test)
    f_max[name] = f_max_score(y_test, proba, hierarchy=ontology)
    curves[name] = cafa_curves(y_test, proba, hierarchy=ontology)["process"]
    s_min = s_min_score(y_test, proba, hierarchy=ontology, information=bits)
    print(f"{name:16} Fmax {f_max[name]:.3f}  Smin {s_min:.3f}")
given = y_test, clf.predict(X_test), ontology
print(hierarchical_classification_report(*given, y_score=proba, max_rows=6))

# %%
# Precision and recall at all thresholds, of processes. A dot is where F is greatest.

plt.rcParams.update({"font.size": 18})
figure, ax = plt.subplots(figsize=(7, 5), layout="constrained")
for name, colour in zip(curves, ["#9a9a9a", "#d55e00", "#00875f"], strict=True):
    curve = curves[name]
    best = curve.f.argmax()
    ax.plot(curve.recall, curve.precision, color=colour, lw=4)
    at = curve.recall[best], curve.precision[best]
    ax.plot(*at, "o", ms=14, color=colour, label=f"{name}: {f_max[name]:.2f}")
ax.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
ax.legend(title="Fmax", loc="lower left")
plt.show()
