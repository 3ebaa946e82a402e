"""A CoherentClassifier around estimators of scikit-learn as an ONNX graph.

skl2onnx converts the estimators inside. What this package adds to their probabilities
is a module of torch, whose graph is joined to theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from sklearn.multioutput import MultiOutputClassifier
from torch import Tensor, nn

from skhmc._meta.multioutput import PerLabel
from skhmc._networks.proba_modules import rule_module
from skhmc._scoring.outputs import ALMOST_1, TINY
from skhmc._utils.optional import import_optional
from skhmc.coherence import RULES

__all__ = ["LEARNT", "CoherentProba", "joined"]

LEARNT = "learnt"  # probabilities of what the estimators inside have learnt
ML_OPSET = 3  # of ONNX's operators for trees and linear models, which runtimes have
FLOAT = 1  # onnx.TensorProto.FLOAT


class CoherentProba(nn.Module):
    """From probabilities of learnt labels to coherent ones of all labels.

    Parameters
    ----------
    clf : CoherentClassifier
        Fitted, to several labels or to classes.
    """

    priors: Tensor  # (n_labels,)
    places: Tensor  # (n_labels,), of every label among the learnt ones and the priors

    def __init__(self, clf: Any) -> None:
        super().__init__()
        self.of_classes = clf.classes_.ndim == 1
        if self.of_classes:
            return
        n_learnt = len(clf._learnt)
        # forward puts the priors of all labels behind the learnt ones
        places = np.arange(len(clf._priors)) + n_learnt
        places[clf._learnt] = np.arange(n_learnt)
        self.register_buffer("priors", torch.from_numpy(clf._priors).float())
        self.register_buffer("places", torch.from_numpy(places))
        self.rule = None
        if clf.coherence is not None:
            self.rule = rule_module(RULES[clf.coherence], clf.hierarchy_)

    def forward(self, learnt: Tensor) -> Tensor:
        """Return probabilities (B, n_labels) from those of learnt labels (B, n)."""
        if self.of_classes:
            return learnt.clone()
        priors = self.priors.expand(learnt.shape[0], -1)
        proba = torch.cat([learnt, priors], 1)[:, self.places]
        if self.rule is None:
            return proba
        return self.rule(proba.t()).t().clamp(TINY, ALMOST_1)


def joined(clf: Any, following: Any, rows: np.ndarray) -> Any:
    """Return the graph of the estimators inside, joined to what follows them.

    Parameters
    ----------
    clf : CoherentClassifier
        Fitted, and with an estimator inside.
    following : onnx.ModelProto
        From ``learnt`` to ``proba``.
    rows : ndarray of shape (n_samples, n_features), float32
        Rows as the graph will take them.

    Returns
    -------
    onnx.ModelProto
        From ``X`` to ``proba``.

    Raises
    ------
    ValueError
        If skl2onnx does not know an estimator inside.
    """
    compose = import_optional("onnx.compose", "to_onnx", "onnx")
    first = _learnt_graph(clf, rows, following.opset_import[0].version)
    first.ir_version = following.ir_version
    # names of one graph may be those of the other
    following = compose.add_prefix(following, "coherent/", rename_outputs=False)
    pairs = [(LEARNT, following.graph.input[0].name)]
    return compose.merge_models(first, following, pairs, outputs=["proba"])


def _learnt_graph(clf: Any, rows: np.ndarray, opset: int) -> Any:
    """Return an onnx.ModelProto from ``X`` to ``learnt``: a column per label or class.

    skl2onnx has the probabilities as predict_proba has them, but a list of arrays
    (n_samples, 2) as a sequence of them, or as one array (n_labels, n_samples, 2).
    """
    inner = _as_scikit_learn_has_it(clf.estimator_)
    model = _converted(inner, rows, opset, clf.estimator)
    del model.graph.output[0]  # predictions
    (proba,) = model.graph.output
    if proba.type.HasField("sequence_type"):
        _append(model, "ConcatFromSequence", axis=1, new_axis=1)
        _append(model, "Gather", at=1, axis=2)
    elif len(proba.type.tensor_type.shape.dim) == 3:
        _append(model, "Transpose", perm=[1, 0, 2])
        _append(model, "Gather", at=1, axis=2)
    elif clf.classes_.ndim > 1 and np.ndim(inner.classes_) == 1 == len(clf._learnt):
        _append(model, "Gather", at=[1], axis=1)
    _append(model, "Identity", to=LEARNT)
    return model


def _as_scikit_learn_has_it(estimator: Any) -> Any:
    """Return one estimator per label as what skl2onnx knows."""
    if not isinstance(estimator, PerLabel):
        return estimator
    known = MultiOutputClassifier(estimator.estimator)
    known.estimators_ = estimator.estimators_
    known.classes_ = [one.classes_ for one in estimator.estimators_]
    return known


def _converted(inner: Any, rows: np.ndarray, opset: int, given: Any) -> Any:
    """Return what skl2onnx makes of an estimator of scikit-learn."""
    skl2onnx = import_optional("skl2onnx", "to_onnx", "onnx")
    versions = {"": opset, "ai.onnx.ml": ML_OPSET}
    try:
        return skl2onnx.to_onnx(
            inner, rows[:1], options={"zipmap": False}, target_opset=versions
        )
    except Exception as error:  # of many kinds, of skl2onnx and of onnx
        said = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"skl2onnx {skl2onnx.__version__} does not convert {given!r:.200} "
            f"({said:.200}). Expected what it knows: forests, linear models, nearest "
            f"neighbours, MLPClassifier. Put a Pipeline around the CoherentClassifier "
            f"and not into it, where every label has one."
        ) from error


def _append(
    model: Any, operator: str, to: str = "", at: Any = None, **attributes: Any
) -> None:
    """Let one more operator follow the output; ``at`` is the index for Gather."""
    helper = import_optional("onnx.helper", "to_onnx", "onnx")
    arrays = import_optional("onnx.numpy_helper", "to_onnx", "onnx")
    graph = model.graph
    inputs = [graph.output[0].name]
    to = to or f"{inputs[0]}/{operator}"
    if at is not None:
        inputs.append(f"{to}/at")
        graph.initializer.append(arrays.from_array(np.asarray(at), inputs[1]))
    graph.node.append(helper.make_node(operator, inputs, [to], **attributes))
    made = helper.make_tensor_value_info(to, FLOAT, [None, None])
    graph.output[0].CopyFrom(made)
