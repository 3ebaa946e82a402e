"""
Prototypes can be looked at
===========================

``HierarchicalPrototypeTransformer`` makes a prototype of each label: the mean of its
images, drawn towards the prototypes above it. So it is an image, too. Nearly all of the
20 new images that are most similar to the prototype of a label have this label, whether
it is a digit or a property of several digits.

"""

import matplotlib.pyplot as plt
import numpy as np

from skhmc.datasets import load_digit_properties
from skhmc.preprocessing import HierarchicalPrototypeTransformer

# %%
# Prototypes are learnt from the training part. Similarities are those of new images.

digits = load_digit_properties()
prototypes = HierarchicalPrototypeTransformer(digits.hierarchy)
prototypes.fit(digits.data[digits.train], digits.target[digits.train])
X, Y = digits.data[digits.test], digits.target[digits.test]
nearest = np.argsort(-prototypes.transform(X), axis=0)[:20]  # of each label

right = np.take_along_axis(Y, nearest, axis=0).mean(axis=0)
print("Of the 20 nearest images have the label:")
for name, share in zip(digits.label_names, right, strict=True):
    print(f"{name}: {share:.0%}")

# %%
# On the left the prototype; beside it the four new images that are nearest to it.

plt.rcParams.update({"font.size": 18})
shown = ["digit 3", "digit 7", "odd prime", "power of two"]
figure, axes = plt.subplots(len(shown), 5, figsize=(7, 5.4), layout="constrained")
for row, name in zip(axes, shown, strict=True):
    label = digits.label_names.index(name)
    row[0].imshow(prototypes.prototypes_[label].reshape(8, 8), cmap="Blues")
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, sample in zip(row[1:], nearest[:, label], strict=False):
        ax.imshow(X[sample].reshape(8, 8), cmap="gray_r")
        colour = "#00875f" if Y[sample, label] else "#d55e00"
        ax.spines[:].set(color=colour, lw=4)
    for ax in row:
        ax.set(xticks=[], yticks=[])
axes[0, 0].set_title("prototype", size=15)
axes[0, 2].set_title("nearest images", x=1)
plt.show()
