"""scikit-learn compatible hierarchical multi-label classification."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skhmc.hierarchy import Hierarchy

if TYPE_CHECKING:
    from skhmc._cards.model_card import model_card
    from skhmc._kernels.kernel_hmc import KernelHMC
    from skhmc._linear.label_tree import LabelTreeClassifier
    from skhmc._meta.calibrated import HierarchicalCalibratedClassifier
    from skhmc._meta.coherent import CoherentClassifier
    from skhmc._meta.threshold import HierarchicalThresholdClassifier
    from skhmc._meta.voting import HierarchicalVotingClassifier
    from skhmc._networks.checkpoint import Checkpoint
    from skhmc._networks.distributed import distributed
    from skhmc._networks.hcal import HCALClassifier
    from skhmc._networks.hyperbolic import HyperbolicHMC
    from skhmc._networks.max_constraint import MaxConstraintClassifier
    from skhmc._saving import ModelFileError, load, save
    from skhmc._scale.on_dask import on_dask
    from skhmc._scale.predict_files import predict_files
    from skhmc._utils.warnings import HierarchyWarning

__version__ = "0.1.0"

# Public names are resolved on first use, so that importing skhmc (or only its metrics)
# does not load torch. Type checkers and editors read the imports above instead.
_ON_DEMAND = {
    "Checkpoint": "skhmc._networks.checkpoint",
    "CoherentClassifier": "skhmc._meta.coherent",
    "HCALClassifier": "skhmc._networks.hcal",
    "HierarchicalCalibratedClassifier": "skhmc._meta.calibrated",
    "HierarchicalThresholdClassifier": "skhmc._meta.threshold",
    "HierarchicalVotingClassifier": "skhmc._meta.voting",
    "HierarchyWarning": "skhmc._utils.warnings",
    "HyperbolicHMC": "skhmc._networks.hyperbolic",
    "KernelHMC": "skhmc._kernels.kernel_hmc",
    "LabelTreeClassifier": "skhmc._linear.label_tree",
    "MaxConstraintClassifier": "skhmc._networks.max_constraint",
    "ModelFileError": "skhmc._saving",
    "distributed": "skhmc._networks.distributed",
    "load": "skhmc._saving",
    "model_card": "skhmc._cards.model_card",
    "on_dask": "skhmc._scale.on_dask",
    "predict_files": "skhmc._scale.predict_files",
    "save": "skhmc._saving",
}

# So are modules: ``import skhmc`` is enough to use skhmc.metrics.
_MODULES = (
    "audit",
    "coherence",
    "datasets",
    "export",
    "hierarchy",
    "induction",
    "inspection",
    "metrics",
    "model_selection",
    "nn",
    "paths",
    "preprocessing",
    "reproduce",
)

__all__ = [
    "Checkpoint",
    "CoherentClassifier",
    "HCALClassifier",
    "HierarchicalCalibratedClassifier",
    "HierarchicalThresholdClassifier",
    "HierarchicalVotingClassifier",
    "Hierarchy",
    "HierarchyWarning",
    "HyperbolicHMC",
    "KernelHMC",
    "LabelTreeClassifier",
    "MaxConstraintClassifier",
    "ModelFileError",
    "__version__",
    "distributed",
    "load",
    "model_card",
    "on_dask",
    "predict_files",
    "save",
]


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return getattr(import_module(_ON_DEMAND[name]), name)
    if name in _MODULES:
        return import_module(f"skhmc.{name}")
    raise AttributeError(f"module 'skhmc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_MODULES])
