"""MaxConstraintClassifier: a sigmoid per label, and the max constraint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions

from skhmc._networks.base import NetworkHMC
from skhmc._networks.parameters import ENSEMBLE_CONSTRAINTS, NETWORK_CONSTRAINTS
from skhmc._networks.training import Parts
from skhmc.coherence import RuleNames
from skhmc.nn.criteria import LabelCriterion, label_tasks
from skhmc.nn.losses import LossNames
from skhmc.nn.modules import LabelNetwork

__all__ = ["MaxConstraintClassifier"]


class MaxConstraintClassifier(NetworkHMC):
    r"""Hierarchical multi-label classifier with a plain network and the max constraint.

    One network scores all labels by a linear layer. A label's probability is then the
    highest among its own and those of its descendants, so that predictions are
    coherent. The baseline to compare other networks with.

    Parameters
    ----------
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        The label hierarchy; None is flat. Columns of a DataFrame Y are matched by name.
    encoder : nn.Module, class or factory, default=None
        Network that maps a batch of X to features. None is a multi-layer perceptron. A
        class or factory is called with ``input_shape`` (the shape of one sample) if it
        takes it. With an encoder, X may have more than two dimensions.
    hidden_layer_sizes : int or sequence of int, default=(1000, 1000)
        Widths of the perceptron's hidden layers; without effect beside an ``encoder``.
    dropout : float, "auto" or tuple of two, default="auto"
        Shares of the input and of the hidden layers that are dropped in training; one
        number is both. "auto" is 0.2 (0.4 where ``fit`` gets more features than
        samples, 0 of less than 10 features) and 0.7.
    label_loss : str or callable, default="bce"
        Loss of the labels by name, such as "bce", which trains every label by itself,
        "mcloss" (the paper), which trains the scores after the max constraint, "asl" or
        "zlpr". A callable maps logits and targets (B, L) to losses (B, L).
    coherence : str or None, default="auto"
        Rule that makes probabilities coherent, one in the table of
        :ref:`rules <coherence-rules>`, such as labels raised to their highest
        descendant ("max", which is "auto") or lowered to their lowest ancestor ("min"),
        the mean of both ("average"), conditional probabilities multiplied down
        ("product"), or the nearest coherent probabilities ("isotonic", trees only).
        None shows the raw scores. May change after ``fit``.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5. After a 1-D y None
        predicts the most probable class; a number stops at the deepest label above it
        on the way there.
    proba_format : {"array", "list"}, default="array"
        Form of ``predict_proba``: an array (n_samples, n_labels), or the list of arrays
        (n_samples, 2) that MultiOutputClassifier returns.
    sparse_output : bool, default=False
        Whether ``predict`` and ``predict_raw`` return CSR matrices. May change after
        ``fit``. Without effect after a 1-D y.
    class_weight : dict, "balanced" or ("balanced", cap), default=None
        Weights of the positives of labels, by name; after a 1-D y of the classes. Keys
        0 and 1 that are no labels are the values, as in scikit-learn: ``{0: 1, 1: 20}``
        weighs all positives. "balanced" makes a label's positives and negatives count
        alike, but weighs nothing more than ``cap`` times as much as its opposite; the
        cap is 3 if it is not given.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        Optimizer of the weights: one of three by name, with a weight decay of 0.01 and,
        for "sgd", a momentum of 0.9, or a class of torch.optim. ``optimizer__*`` sets
        these and its other parameters: ``optimizer__weight_decay=0.1``.
    learning_rate_init : float, default=0.001
        Learning rate; with the one-cycle schedule its peak.
    schedule : {"onecycle", "constant"} or class, default="onecycle"
        Course of the learning rate over the epochs. A class of torch.optim.lr_scheduler
        gets what ``schedule__*`` says and steps once per epoch, or per batch with
        ``schedule__step_every="batch"``.
    batch_size : int, default=64
        Largest number of samples per step; batches are of even size. None takes all
        samples at once.
    n_sampled_labels : int, None or "auto", default="auto"
        Number of labels without a positive in a batch that enter its loss, drawn anew
        in every step beside all labels with one (see the user guide). None takes all
        labels, as "auto" does of up to 20,000; of more labels "auto" takes 5,000, where
        the loss allows it.
    max_iter : int, default=60
        Number of epochs.
    n_estimators : int, default=1
        Number of networks in the ensemble. They are trained side by side in the same
        epochs, at so many times the cost, and their logits are averaged (see the user
        guide).
    warm_start : bool, default=False
        Whether ``fit`` starts from the weights of the former fit.
    early_stopping : bool or str, default=False
        Whether to hold out ``validation_fraction`` of the samples, stop when the
        coherent AU(PRC) of these has not risen by ``tol`` for ``n_iter_no_change``
        epochs, and keep the best weights. The name of another metric watches that, such
        as "hierarchical_f1", "f1_micro" or "f1_macro" of labels predicted with the
        ``threshold`` and ``coherence`` that are set.
    validation_fraction : float, default=0.1
        Share of the samples held out by ``early_stopping``.
    n_iter_no_change : int, default=10
        Patience of ``early_stopping``, in epochs; the first 30 % of a one-cycle
        schedule, while the learning rate rises, do not count.
    tol : float, default=1e-4
        Least rise of the score that counts for ``early_stopping``.
    callbacks : list, default=None
        Callbacks of skorch: instances, classes, or pairs (name, callback).
    precision : {"float32", "float64", "tf32", "mixed"}, default="float32"
        Precision of the network: weights, losses and predictions in float32 or float64.
        "tf32" and "mixed" are float32, but multiply matrices in training with
        TensorFloat-32 on a GPU ("tf32") or in bfloat16 ("mixed"), which saves time
        where the hardware has it.
    device : str, default="auto"
        Device of the network: "auto" (a GPU when there is one), "cpu", "cuda" or
        "cuda:N".
    random_state : int, RandomState or None, default=None
        Seed that makes fits repeatable, bit for bit on one CPU with one number of
        threads. The global state of torch and numpy is left alone.
    verbose : int, default=0
        Verbosity: 1 shows a progress bar.

    Attributes
    ----------
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    history_ : list of dict
        Per epoch: the loss.
    label_names_, classes_, n_iter_, net_, n_features_in_, feature_names_in_
        As :class:`HCALClassifier` has them.
    coherence_ : str or None
        Value of ``coherence``, where "auto" is decided.
    dropout_ : tuple of float
        Shares of the input and the hidden layers that were dropped.
    n_sampled_labels_ : int or None
        Number of labels sampled in every step; None where all were taken.

    Notes
    -----
    With the network's logits :math:`s`, label a is predicted with the probability
    :math:`\sigma(\max_{b \in D_a} s_b)`, where :math:`D_a` are a and its descendants.

    Parameters with the prefixes ``optimizer__``, ``schedule__``, ``encoder__`` and
    ``callbacks__name__`` are handed on.

    References
    ----------
    Giunchiglia and Lukasiewicz, "Coherent Hierarchical Multi-Label Classification
    Networks", NeurIPS 2020.

    Examples
    --------
    >>> from skhmc import MaxConstraintClassifier
    >>> from skhmc.datasets import load_digit_properties
    >>> digits = load_digit_properties()
    >>> clf = MaxConstraintClassifier(digits.hierarchy, max_iter=5, random_state=0)
    >>> clf = clf.fit(digits.data[digits.train], digits.target[digits.train])
    >>> clf.predict(digits.data[digits.test]).shape == digits.target[digits.test].shape
    True
    """

    #: What its authors' program has in common for the FunCat and Gene Ontology sets;
    #: widths and epochs are tuned there. The paper's scores were not reproduced by it.
    PUBLISHED = {
        "label_loss": "mcloss",
        "dropout": (0.0, 0.7),
        "optimizer": "adam",
        "learning_rate_init": 1e-4,
        "optimizer__weight_decay": 1e-5,
        "schedule": "constant",
        "batch_size": 4,
    }

    _parameter_constraints: dict = {
        **NETWORK_CONSTRAINTS,
        **ENSEMBLE_CONSTRAINTS,
        "label_loss": [StrOptions(LossNames()), callable],
        "coherence": [StrOptions(RuleNames("auto")), None],
    }
    _dropped = ("the input", "the hidden layers")

    def __init__(
        self,
        hierarchy: Any = None,
        *,
        encoder: Callable[..., Any] | None = None,
        hidden_layer_sizes: int | Sequence[int] = (1000, 1000),
        dropout: float | str | tuple[float | str, ...] = "auto",
        label_loss: str | Callable[..., Any] = "bce",
        coherence: str | None = "auto",
        threshold: float | None = None,
        proba_format: str = "array",
        sparse_output: bool = False,
        class_weight: dict | str | tuple[str, float] | None = None,
        optimizer: str | Callable[..., Any] = "adamw",
        learning_rate_init: float = 1e-3,
        schedule: str | Callable[..., Any] = "onecycle",
        batch_size: int | None = 64,
        n_sampled_labels: int | str | None = "auto",
        max_iter: int = 60,
        n_estimators: int = 1,
        warm_start: bool = False,
        early_stopping: bool | str = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        callbacks: Sequence[Any] | None = None,
        precision: str = "float32",
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        **prefixed: Any,
    ) -> None:
        self.hierarchy = hierarchy
        self.encoder = encoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.dropout = dropout
        self.label_loss = label_loss
        self.coherence = coherence
        self.threshold = threshold
        self.proba_format = proba_format
        self.sparse_output = sparse_output
        self.class_weight = class_weight
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.schedule = schedule
        self.batch_size = batch_size
        self.n_sampled_labels = n_sampled_labels
        self.max_iter = max_iter
        self.n_estimators = n_estimators
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.callbacks = callbacks
        self.precision = precision
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self._set_prefixed(prefixed)

    def _build(self, problem, settings, encoder):
        """Return a linear layer on the encoder, and one loss of all labels."""
        network = LabelNetwork(
            encoder.module,
            encoder.width,
            problem.n_net_labels,
            bias=torch.from_numpy(problem.log_odds()),
            fixed=torch.from_numpy(problem.fixed),
            row_gradients=settings.row_gradients,
        )
        frequencies = torch.from_numpy(problem.frequencies())
        one_task = [problem.n_net_labels]
        hierarchy = problem.form.hierarchy
        tasks = label_tasks(settings.label_loss, hierarchy, one_task, frequencies)
        weights = problem.class_weight_tensors()
        criterion = LabelCriterion(tasks, class_weight=weights)
        return Parts(network, criterion, encoder.user_modules)
