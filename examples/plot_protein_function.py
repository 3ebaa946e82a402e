"""
From an ontology to Fmax and a report
=====================================

An ontology (OBO), a table of proteins and terms, and features of the proteins: from
these, twenty lines give CAFA's measures beside plain baselines, a report by label, and
the annotations that a curator should look at first. Label frequency, which never looks
at a protein, has an Fmax above 0.5 here; so print it beside your own.
"""

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skhmc import CoherentClassifier, Hierarchy, KernelHMC
from skhmc.audit import MissingAnnotationDetector, SuggestionDisplay
from skhmc.datasets import read_annotations
from skhmc.metrics import (
    f_max_score,
    hierarchical_classification_report,
    information_accretion,
    s_min_score,
)

# %%
# The three files are made here: 32 terms in two namespaces, and 500 proteins with two
# functions each. Features, such as embeddings of sequences, are the sum of what terms
# add, with noise. Of the first 40 proteins, the second function is left out.

KINDS = {"molecular_function": ["binding", "catalysis", "transport"]}
KINDS["biological_process"] = ["growth", "signalling", "metabolism"]
parent_of, namespace_of = {}, {}
for namespace, kinds in KINDS.items():
    parents = {namespace: None} | dict.fromkeys(kinds, namespace)
    parents |= {f"{x} of {y}": x for x in kinds for y in ("ions", "lipids")}
    parents |= {f"{x} in roots": x for x in parents if " of " in x}
    parent_of |= parents
    namespace_of |= dict.fromkeys(parents, namespace)
ids = {name: f"T:{k:03d}" for k, name in enumerate(parent_of)}
stanzas = [
    f"[Term]\nid: {ids[name]}\nname: {name}\nnamespace: {namespace_of[name]}\n"
    + (f"is_a: {ids[above]}\n" if above else "")
    for name, above in parent_of.items()
]
rng = np.random.default_rng(0)
added = {}
for name, above in parent_of.items():
    added[name] = rng.normal(size=40) + (added[above] if above else 0)
rows, features = [], {}
for k in range(500):
    names = rng.choice([name for name in ids if " " in name], 2, replace=False)
    rows += [f"P{k:03d}\t{ids[name]}\n" for name in names[: 1 if k < 40 else 2]]
    features[f"P{k:03d}"] = rng.normal(sum(added[name] for name in names), 4.0)
folder = Path(mkdtemp())
(folder / "terms.obo").write_text("format-version: 1.4\n\n" + "\n".join(stanzas))
(folder / "annotations.tsv").write_text("".join(rows))
pd.DataFrame(features).T.to_csv(folder / "features.csv", index_label="protein")

# %%
# Twenty lines. The table names special terms; ``fit`` and the measures add those above
# them. The measures are means over both namespaces.

ontology = Hierarchy.from_obo(folder / "terms.obo")
table = read_annotations(folder / "annotations.tsv", hierarchy=ontology)
X = pd.read_csv(folder / "features.csv", index_col="protein").loc[table.samples]
X_train, X_test, y_train, y_test = train_test_split(X, table.labels, random_state=0)
methods = {
    "label frequency": CoherentClassifier(DummyClassifier(strategy="prior"), ontology),
    "neighbours": CoherentClassifier(KNeighborsClassifier(10), ontology),
    "kernel": KernelHMC(ontology),
}
bits = information_accretion(y_train, ontology)
for name, clf in methods.items():
    proba = clf.fit(X_train, y_train).predict_proba(X_test)
    f_max = f_max_score(y_test, proba, hierarchy=ontology)
    s_min = s_min_score(y_test, proba, hierarchy=ontology, information=bits)
    print(f"{name:16} Fmax {f_max:.3f}  Smin {s_min:.3f}")
given = y_test, clf.predict(X_test), ontology
print(hierarchical_classification_report(*given, y_score=proba, max_rows=8))
detector = MissingAnnotationDetector(KernelHMC(ontology)).fit(X, table.labels)
print(detector.suggestions(15)[["sample", "label", "name", "score"]])
print(detector.label_issues(5)[["sample", "label", "name", "score"]])

# %%
# The curator's list. What is in brackets is not annotated; orange are the proteins of
# which a function was left out above.

plt.rcParams.update({"font.size": 14})
display = SuggestionDisplay.from_detector(detector, n_suggestions=15)
for bar, name in zip(display.bars_, display.suggestions["sample"], strict=True):
    bar.set_color("#d55e00" if name < "P040" else "#999999")
display.ax_.set_title("Probably missing (orange: rightly so)")
plt.show()
