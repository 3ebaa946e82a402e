"""scikit-learn compatible hierarchical multi-label classification."""

from importlib import import_module

from skhmc.hierarchy import Hierarchy

__version__ = "0.1.0"

# Public names are resolved on first use, so that importing skhmc (or only its metrics)
# does not load torch.
_ON_DEMAND = {
    "CoherentClassifier": "skhmc._meta.coherent",
    "HCALClassifier": "skhmc._networks.hcal",
    "HierarchicalThresholdClassifier": "skhmc._meta.threshold",
    "HyperbolicHMC": "skhmc._networks.hyperbolic",
    "MaxConstraintClassifier": "skhmc._networks.max_constraint",
}

__all__ = [*_ON_DEMAND, "Hierarchy", "__version__"]


def __getattr__(name):
    if name in _ON_DEMAND:
        return getattr(import_module(_ON_DEMAND[name]), name)
    raise AttributeError(f"module 'skhmc' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
