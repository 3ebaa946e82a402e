"""
Images with a small CNN
=======================

``encoder=`` puts a network of yours before the labels. Here it is a small convolutional
network, and X holds images of shape (channels, height, width). The labels say what is
true of the number in the image. Every predicted label comes with all labels above it.

"""

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import nn

from skhmc import HCALClassifier
from skhmc.datasets import load_digit_properties
from skhmc.metrics import hierarchical_f1_score, hierarchical_violation_rate


class SmallCNN(nn.Sequential):
    def __init__(self, input_shape, width=16):
        super().__init__(
            nn.Conv2d(input_shape[0], width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
        )


# %%
# The class is called in ``fit``, with the shape of one image. Its first weights are
# drawn by torch.

digits = load_digit_properties()
X, Y = digits.data.reshape(-1, 1, 8, 8) / 16, digits.target
torch.manual_seed(0)
clf = HCALClassifier(digits.hierarchy, encoder=SmallCNN, max_iter=15, random_state=0)
clf.fit(X[digits.train], Y[digits.train])
X, Y = X[digits.test], Y[digits.test]
predicted = clf.predict(X)
print(f"F1 on new images: {hierarchical_f1_score(Y, predicted, digits.hierarchy):.3f}")
print(f"violations: {hierarchical_violation_rate(predicted, digits.hierarchy):.0%}")

# %%
# Six new images, with the three most special labels that are predicted for each:
# green where all its labels are right, else red.

plt.rcParams.update({"font.size": 15})
figure, axes = plt.subplots(2, 3, figsize=(7, 6.4), layout="constrained")
order = np.argsort(-digits.hierarchy.depth, kind="stable")  # special labels first
for sample, ax in enumerate(axes.flat):
    ax.imshow(X[sample, 0], cmap="gray_r")
    ax.set(xticks=[], yticks=[])
    names = [digits.label_names[label] for label in order if predicted[sample, label]]
    right = (predicted[sample] == Y[sample]).all()
    ax.set_xlabel("\n".join(names[:3]), color="#00875f" if right else "#d55e00")
plt.show()
