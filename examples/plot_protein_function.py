"""
Protein function: Fmax and Smin
===============================

An ontology (OBO), a table of proteins and terms, and sequences are what function
prediction begins with. Files are read, k-mers are counted, and a classifier is judged
by CAFA's measures in each namespace. Label frequency, which never looks at a sequence,
has an Fmax of about 0.7 here; so print it beside your own.

The ontology and the sequences are made here: a term has a motif, and the sequences of
its proteins contain it.

"""

from pathlib import Path
from tempfile import mkdtemp

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.neighbors import KNeighborsClassifier

from skhmc import CoherentClassifier, Hierarchy, KernelHMC
from skhmc.datasets import read_annotations
from skhmc.metrics import cafa_curves, information_accretion

# %%
# The files: 26 terms in two namespaces, and 400 proteins.

rng = np.random.default_rng(0)
PARENT = [None, 0, 0, 1, 1, 2, 2, 3, 3, 4, 5, 5, 6]  # of the terms of a namespace
stanzas, table, motif = [], [], {}
for namespace in ("molecular_function", "biological_process"):
    for k, parent in enumerate(PARENT):
        name = f"{namespace[0].upper()}:{k:02d}"
        stanzas.append(f"[Term]\nid: {name}\nname: {name}\nnamespace: {namespace}\n")
        if parent is not None:
            stanzas[-1] += f"is_a: {namespace[0].upper()}:{parent:02d}\n"
            motif[name] = "".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 3))
sequences = {}
for i in range(400):
    sequence = "".join(rng.choice(list("ACDEFGHIKLMNPQRSTVWY"), 60))
    # rare terms are the later ones
    share = 1 / np.arange(1, len(motif) + 1)
    for name in rng.choice(list(motif), 2, replace=False, p=share / share.sum()):
        table.append(f"P{i}\t{name}\n")
        at = rng.integers(57)  # sometimes one motif overwrites another
        sequence = sequence[:at] + motif[name] + sequence[at + 3 :]
    sequences[f"P{i}"] = sequence
folder = Path(mkdtemp())
(folder / "terms.obo").write_text("format-version: 1.2\n\n" + "\n".join(stanzas))
(folder / "annotations.tsv").write_text("".join(table))

# %%
# Files in, scores out. The table names the special terms, ``fit`` adds their ancestors.

ontology = Hierarchy.from_obo(folder / "terms.obo")
annotations = read_annotations(folder / "annotations.tsv", hierarchy=ontology)
X = CountVectorizer(analyzer="char", ngram_range=(3, 3), dtype=np.float64)
X = X.fit_transform(sequences[name] for name in annotations.samples)
y, train, test = annotations.labels, slice(0, 300), slice(300, None)
methods = {
    "kernel": KernelHMC(ontology),
    "nearest neighbours": CoherentClassifier(KNeighborsClassifier(5), ontology),
    "label frequency": CoherentClassifier(DummyClassifier(strategy="prior"), ontology),
}
bits = information_accretion(y[train], ontology)
curves, rows = {}, {}
for name, clf in methods.items():
    proba = clf.fit(X[train], y[train]).predict_proba(X[test])
    curves[name] = cafa_curves(y[test], proba, hierarchy=ontology)
    weighted = cafa_curves(y[test], proba, hierarchy=ontology, information=bits)
    for namespace, curve in curves[name].items():
        best = weighted[namespace]
        rows[namespace, name] = [curve.f_max, best.f_max, best.s_min]
print(pd.DataFrame(rows, index=["Fmax", "weighted Fmax", "Smin"]).T.round(3))

# %%
# Terms near the root are right for many proteins, so that label frequency is precise up
# to some recall. Dots are the thresholds of the greatest F.

figure, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True, layout="constrained")
for ax, namespace in zip(axes, curves["kernel"], strict=True):
    for name, by_namespace in curves.items():
        curve = by_namespace[namespace]
        (line,) = ax.plot(curve.recall, curve.precision, label=name)
        best = curve.f.argmax()
        ax.plot(curve.recall[best], curve.precision[best], "o", color=line.get_color())
    ax.set(title=namespace.replace("_", " "), xlabel="recall")
axes[0].set_ylabel("precision")
axes[1].legend()
plt.show()
