"""What benchmarks say of their figures, and a figure that several take."""

import platform

import numpy as np
import sklearn
import torch

import skhmc

__all__ = ["leaf_accuracy", "versions"]


def versions():
    """Return the versions that figures depend on."""
    modules = {m.__name__: m.__version__ for m in (np, sklearn, torch, skhmc)}
    return {"python": platform.python_version()} | modules


def leaf_accuracy(Y, predicted, hierarchy):
    """Return the share of samples whose leaf is predicted, and no other leaf."""
    leaves = hierarchy.leaves
    return float((Y[:, leaves] == predicted[:, leaves]).all(axis=1).mean())
