"""What the networks are made of, in plain torch: no scikit-learn, no skorch.

Losses, networks, criteria and the max constraint. Hyperbolic geometry is in
:mod:`skhmc.nn.hyperbolic`.
"""

from skhmc.nn.coherence import MaxConstraint
from skhmc.nn.contrast import HMCE, HiLeCon, label_contrast, level_contrast
from skhmc.nn.criteria import (
    HCALCriterion,
    LabelCriterion,
    LabelTasks,
    SetTasks,
    label_tasks,
)
from skhmc.nn.functional import (
    adaptive_weights,
    class_means,
    dwa_weights,
    perturb,
    prototype_logits,
    unit,
)
from skhmc.nn.losses import LOSSES, Loss, MCLoss, asl, bce, softmax_loss, zlpr
from skhmc.nn.modules import LabelNetwork, PrototypeNetwork, initialise
from skhmc.nn.rows import RowAdamW, take_rows
from skhmc.nn.sparse import LinearPath, SparseLinear

__all__ = [
    "HMCE",
    "LOSSES",
    "HCALCriterion",
    "HiLeCon",
    "LabelCriterion",
    "LabelNetwork",
    "LabelTasks",
    "LinearPath",
    "Loss",
    "MCLoss",
    "MaxConstraint",
    "PrototypeNetwork",
    "RowAdamW",
    "SetTasks",
    "SparseLinear",
    "adaptive_weights",
    "asl",
    "bce",
    "class_means",
    "dwa_weights",
    "initialise",
    "label_contrast",
    "label_tasks",
    "level_contrast",
    "perturb",
    "prototype_logits",
    "softmax_loss",
    "take_rows",
    "unit",
    "zlpr",
]
