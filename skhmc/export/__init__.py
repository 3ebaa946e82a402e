"""Fitted estimators for programs without skhmc: a torch module, or an ONNX file."""

from skhmc.export._onnx import to_onnx
from skhmc.export._torch import to_torch

__all__ = ["to_onnx", "to_torch"]
