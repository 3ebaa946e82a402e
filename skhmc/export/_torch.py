"""A fitted network, with all that follows it, as one module of torch."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Self

from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from skhmc._meta.calibrated import HierarchicalCalibratedClassifier
from skhmc._meta.coherent import CoherentClassifier
from skhmc._meta.threshold import HierarchicalThresholdClassifier
from skhmc._networks.base import NetworkHMC
from skhmc._networks.proba_modules import proba_module, rule_module
from skhmc.coherence import RULES
from skhmc.export._calibration import CalibratedProba
from skhmc.nn.modules import MLPEncoder

__all__ = [
    "calibration",
    "check_exportable",
    "core_of",
    "estimator_of_labels",
    "to_torch",
]


class ProbaModule(nn.Module):
    """A network and what makes probabilities of its logits; it is never in training.

    Parameters
    ----------
    network : nn.Module
        From X (B, ...) to logits.
    *following : nn.Module
        Modules that follow it, one after the other.
    """

    def __init__(self, network: nn.Module, *following: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.following = nn.Sequential(*following)
        self.requires_grad_(False)
        self.train(False)

    def train(self, mode: bool = True) -> Self:
        """Leave the module as it is: it has no training, and so no dropout."""
        return super().train(False)

    @property
    def _writes_into_X(self) -> bool:
        """Whether the encoder is a user's, which may."""
        return not all(
            isinstance(module.encoder, MLPEncoder)
            for module in self.network.modules()
            if hasattr(module, "encoder")
        )

    def forward(self, X: Tensor) -> Tensor:
        """Return probabilities (B, n_labels) of samples (B, ...)."""
        X = X.to(next(self.network.parameters()).dtype)
        if self._writes_into_X:
            X = X.clone()
        return self.following(self.network(X))


def to_torch(estimator: Any) -> nn.Module:
    """Return a fitted network as a torch module, from X to coherent probabilities.

    The module needs no scikit-learn. It is on the CPU, without gradients. It can be
    moved to any device, and can be traced, exported and compiled by torch.

    Parameters
    ----------
    estimator : estimator
        Fitted :class:`~skhmc.HCALClassifier`, :class:`~skhmc.MaxConstraintClassifier`
        or :class:`~skhmc.HyperbolicHMC`. Or a
        :class:`~skhmc.HierarchicalThresholdClassifier` around one, whose thresholds do
        not change probabilities. Or a
        :class:`~skhmc.HierarchicalCalibratedClassifier` around one, with a ``method``
        other than "isotonic". It stays as it is.

    Returns
    -------
    nn.Module
        Module that maps a dense tensor X of shape (n_samples, n_features), or
        (n_samples, ...) with an encoder, to a tensor of shape (n_samples, n_labels).
        Its columns are those of ``predict_proba``: they follow ``label_names_`` or,
        after a 1-D y, ``classes_``. The rule is that of ``coherence`` at the time of
        the call. X is taken as it is: it is not checked for NaN.

    Raises
    ------
    TypeError
        If the estimator is not one of these.
    ValueError
        If something in it has no form as a module: ``coherence="isotonic"``, an
        isotonic calibration, or labels from ``grow`` that were not trained yet.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    to_onnx : The same as a file, for programs without torch.

    Examples
    --------
    >>> import torch
    >>> from skhmc import MaxConstraintClassifier
    >>> from skhmc.export import to_torch
    >>> X, Y = [[0.0], [1.0], [2.0]], [[1, 0], [1, 1], [0, 0]]
    >>> clf = MaxConstraintClassifier([(0, 1)], max_iter=1, random_state=0).fit(X, Y)
    >>> module = to_torch(clf)
    >>> proba = module(torch.tensor(X))
    >>> proba.shape
    torch.Size([3, 2])
    >>> bool((proba[:, 0] >= proba[:, 1]).all())  # coherent
    True
    """
    check_exportable(estimator)
    network = core_of(estimator)
    module = deepcopy(network.net_.module_).cpu()
    module.freeze()
    form, rule = network._scored_by()
    classes = network.classes_ if network.classes_.ndim == 1 else None
    proba = proba_module(form, rule, classes)
    return ProbaModule(module, proba, *calibration(estimator))


def calibration(estimator: Any) -> list[nn.Module]:
    """Return the maps of a calibrated classifier as a module, none without one."""
    estimator = estimator_of_labels(estimator)
    if not isinstance(estimator, HierarchicalCalibratedClassifier):
        return []
    name = estimator.coherence
    rule = RULES[name] if name is not None else None
    of_classes = estimator.classes_.ndim == 1
    made = None if of_classes else rule_module(rule, estimator.hierarchy_)
    return [CalibratedProba(estimator.maps_, made, of_classes)]


# -- what can be exported --------------------------------------------------------------


def estimator_of_labels(estimator: Any) -> Any:
    """Return the estimator whose ``predict_proba`` this one's is."""
    while isinstance(estimator, (FrozenEstimator, HierarchicalThresholdClassifier)):
        inner = "estimator" if isinstance(estimator, FrozenEstimator) else "estimator_"
        estimator = getattr(estimator, inner)
    return estimator


def core_of(estimator: Any) -> Any:
    """Return what is inside thresholds and a calibration, such as a network."""
    found = estimator_of_labels(estimator)
    if isinstance(found, HierarchicalCalibratedClassifier):
        found = estimator_of_labels(found.estimator_)
    return found


def check_exportable(estimator: Any, known: tuple[type, ...] = (NetworkHMC,)) -> None:
    """Raise unless an estimator is a fitted one of some kinds, or is around one."""
    if isinstance(estimator, type):
        raise TypeError(
            f"Expected a fitted estimator, got the class {estimator.__name__}. Make "
            f"one and fit it first."
        )
    if not hasattr(estimator, "fit"):
        raise TypeError(
            f"Expected a fitted estimator of skhmc, got {type(estimator).__name__}."
        )
    check_is_fitted(estimator)
    found = core_of(estimator)
    if isinstance(found, known):
        return
    what = type(found).__name__
    if found is not estimator:
        what = f"{type(estimator).__name__} around {what}"
    advice = "Serve others in Python: the guide page 'Keep, resume, export, serve'."
    if isinstance(found, CoherentClassifier):
        advice = "Use skhmc.export.to_onnx, if skl2onnx knows the estimator inside."
    if isinstance(found, Pipeline):
        advice = (
            "Export its last step, pipeline[-1], and give it what the steps before "
            "make of X: pipeline[:-1].transform(X)."
        )
    raise TypeError(
        f"Only networks can be exported (HCALClassifier, MaxConstraintClassifier, "
        f"HyperbolicHMC) and, by to_onnx, CoherentClassifier, with thresholds or a "
        f"calibration around; got {what}. {advice}"
    )
