"""
A hierarchy from a CSV file
===========================

A table often has a column of paths such as "vertebrate > bird". This column is enough:
the hierarchy is read from it, and it is the target too. A classifier learns from 23
animals and is asked about a platypus, which gives milk and lays eggs. It is more sure
of "vertebrate" than of any kind of vertebrate.

"""

from io import StringIO

import matplotlib.pyplot as plt
import pandas as pd

from skhmc import HCALClassifier, Hierarchy
from skhmc.inspection import HierarchyDisplay

# %%
# The file. Here it is a text, so that the example is complete.

FILE = StringIO("""\
animal,legs,milk,eggs,feathers,wings,swims,kind
cat,4,1,0,0,0,0,vertebrate > mammal
horse,4,1,0,0,0,0,vertebrate > mammal
mole,4,1,0,0,0,0,vertebrate > mammal
otter,4,1,0,0,0,1,vertebrate > mammal
seal,0,1,0,0,0,1,vertebrate > mammal
bat,2,1,0,0,1,0,vertebrate > mammal
robin,2,0,1,1,1,0,vertebrate > bird
owl,2,0,1,1,1,0,vertebrate > bird
ostrich,2,0,1,1,1,0,vertebrate > bird
duck,2,0,1,1,1,1,vertebrate > bird
penguin,2,0,1,1,1,1,vertebrate > bird
carp,0,0,1,0,0,1,vertebrate > fish
trout,0,0,1,0,0,1,vertebrate > fish
eel,0,0,1,0,0,1,vertebrate > fish
gecko,4,0,1,0,0,0,vertebrate > reptile
turtle,4,0,1,0,0,1,vertebrate > reptile
crocodile,4,0,1,0,0,1,vertebrate > reptile
bee,6,0,1,0,1,0,invertebrate > insect
wasp,6,0,1,0,1,0,invertebrate > insect
ant,6,0,1,0,0,0,invertebrate > insect
spider,8,0,1,0,0,0,invertebrate > arachnid
mite,8,0,1,0,0,0,invertebrate > arachnid
scorpion,8,0,0,0,0,0,invertebrate > arachnid
""")
table = pd.read_csv(FILE, index_col="animal")
X, y = table.drop(columns="kind"), table["kind"]
hierarchy = Hierarchy.from_paths(y)
print(f"{len(table)} animals")
print(hierarchy.to_text())

# %%
# The target is the column itself: each row has the name of its most special label.

clf = HCALClassifier(hierarchy, hidden_layer_sizes=(32,), max_iter=100, random_state=0)
clf.fit(X, y)
platypus = pd.DataFrame([[4, 1, 1, 0, 0, 1]], columns=X.columns)
print("The platypus is predicted to be:", clf.predict(platypus)[0])
for kind, probability in zip(clf.classes_, clf.predict_proba(platypus)[0], strict=True):
    print(f"{kind}: {probability:.2f}")

# %%
# Names are written without the names of their parents before them.

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.set_title("platypus", size=20)
HierarchyDisplay.from_estimator(clf, platypus, ax=ax)
plt.show()
