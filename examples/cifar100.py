"""
CIFAR-100: 20 groups, 100 classes
=================================

Every image of CIFAR-100 has one of 20 groups and one of 100 classes: a path of two
labels. This script is not run here, since it takes a download of yours and, in
reasonable time, a GPU. Unpack the "CIFAR-100 python version" of its makers' page, and
run::

    python examples/cifar100.py cifar-100-python
    python examples/cifar100.py cifar-100-python --published

The second command has the mechanisms of the paper of HCAL in place of the defaults.
Both print for how many test images the group, the class and the whole path are right.
They also print how many have a group and a class that do not belong together, when each
is the most probable one of its level.
"""

import argparse
import pickle
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import accuracy_score
from torch import nn

from skhmc import HCALClassifier, Hierarchy
from skhmc.metrics import hierarchical_violation_rate

# %%
# The files are pickles, which may run any code when they are read. This reader knows
# arrays and plain objects, and nothing else.


class ArraysOnly(pickle.Unpickler):
    """Read pickles of plain objects and numpy arrays."""

    def find_class(self, module, name):
        of_arrays = module.split(".")[0] == "numpy"
        of_arrays &= name in ("_reconstruct", "ndarray", "dtype")
        if of_arrays or (module, name) == ("_codecs", "encode"):  # bytes of arrays
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"Expected arrays alone, got {module}.{name}.")


def read_file(path):
    with open(path, "rb") as file:
        return ArraysOnly(file, encoding="latin1").load()


def read_cifar100(folder):
    """Return the hierarchy, and images and labels of the parts "train" and "test"."""
    names = read_file(Path(folder, "meta"))
    groups, classes = names["coarse_label_names"], names["fine_label_names"]
    files = {part: read_file(Path(folder, part)) for part in ("train", "test")}
    children = {group: set() for group in groups}
    for file in files.values():
        for group, fine in zip(file["coarse_labels"], file["fine_labels"], strict=True):
            children[groups[group]].add(classes[fine])
    hierarchy = Hierarchy.from_children({k: sorted(x) for k, x in children.items()})
    parts = {}
    for part, file in files.items():
        X = np.asarray(file["data"], np.uint8).reshape(-1, 3, 32, 32)
        rows, Y = np.arange(len(X)), np.zeros((len(X), hierarchy.n_labels), np.uint8)
        for codes, known in (
            (file["coarse_labels"], groups),
            (file["fine_labels"], classes),
        ):
            Y[rows, [hierarchy.position(known[code]) for code in codes]] = 1
        parts[part] = X.astype(np.float32) / 255, Y
    return hierarchy, parts


# %%
# A small residual network. Any module that takes a batch of images will do, such as a
# pretrained one.


class Block(nn.Module):
    def __init__(self, n_in, n_out, stride):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
            nn.ReLU(),
            nn.Conv2d(n_out, n_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(n_out),
        )
        self.shortcut = nn.Conv2d(n_in, n_out, 1, stride, bias=False)

    def forward(self, x):
        return torch.relu(self.main(x) + self.shortcut(x))


class SmallResNet(nn.Sequential):
    def __init__(self, input_shape, widths=(64, 128, 256, 512)):
        blocks, n_in = [], input_shape[0]
        for number, width in enumerate(widths):
            blocks += [Block(n_in, width, 1 + (number > 0)), Block(width, width, 1)]
            n_in = width
        super().__init__(*blocks, nn.AdaptiveAvgPool2d(1))


# %%
# Papers on images call the share of samples with all labels right full-path accuracy,
# FPA. It is ``accuracy_score``. Their tree-based inconsistency error, TICE, takes the
# most probable label of every level, and is the share of samples in which these are not
# on one path. Where all paths are equally long, that is the violation rate of
# ``predict_raw``.


def report(clf, X, Y, hierarchy):
    """Return accuracies of levels and paths, and inconsistency, by name."""
    predicted = clf.predict(X)
    found = {
        f"level {k + 1}": accuracy_score(Y[:, labels], predicted[:, labels])
        for k, labels in enumerate(hierarchy.levels)
    }
    found["full path (FPA)"] = accuracy_score(Y, predicted)
    found["inconsistent before coherence (TICE)"] = hierarchical_violation_rate(
        clf.predict_raw(X), hierarchy
    )
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description="HCALClassifier on CIFAR-100")
    parser.add_argument("folder", help="of the unpacked files train, test and meta")
    parser.add_argument(
        "--published", action="store_true", help="the paper's mechanisms"
    )
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    hierarchy, parts = read_cifar100(options.folder)
    changes = HCALClassifier.PUBLISHED if options.published else {}
    clf = HCALClassifier(
        hierarchy,
        encoder=SmallResNet,
        max_iter=options.epochs,
        random_state=options.seed,
        verbose=1,
        **changes,
    )
    torch.manual_seed(options.seed)  # of the encoder's first weights
    clf.fit(*parts["train"])
    for name, value in report(clf, *parts["test"], hierarchy).items():
        print(f"{name}: {value:.4f}")


if __name__ == "__main__":
    main()
