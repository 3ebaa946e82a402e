"""HCALClassifier: prototypes, aggregation, perturbation and adaptive task weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions

from skhmc._data.weights import max_positives_per_row
from skhmc._networks.base import NetworkHMC
from skhmc._networks.parameters import (
    EMBEDDING_CONSTRAINTS,
    ENSEMBLE_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
)
from skhmc._networks.training import Parts
from skhmc._scoring.label_form import ManyPaths
from skhmc.coherence import RuleNames
from skhmc.nn.criteria import HCALCriterion, SetTasks, label_tasks
from skhmc.nn.losses import LossNames, find_loss
from skhmc.nn.modules import PrototypeNetwork

__all__ = ["HCALClassifier"]


class HCALClassifier(NetworkHMC):
    r"""Hierarchical multi-label classifier with prototypes and adaptive task weights.

    One network embeds X; every label has a prototype and is scored by its similarity
    with the embedding. Each depth level of the hierarchy is a task: the losses of the
    levels are weighed against each other while training. Predictions are coherent: no
    label is more probable than one of its parents.

    Where every training sample has one path of labels in a tree, a softmax scores each
    level; else every label has a sigmoid of its own. ``label_loss_`` says which.

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
    embedding_dim : int, default=256
        Width d of the embedding and the prototypes.
    dropout : float, "auto" or tuple of three, default="auto"
        Shares of the input, of the hidden layers and of the embedding that are dropped
        in training; one number is all three. "auto" is 0.1, 0.5, 0.2 for single paths,
        else 0.2, 0.7, 0.5; of the input it is 0.4 where ``fit`` gets more features than
        samples, and 0 of less than 10 features.
    temperature : float, default=0.3
        Temperature :math:`\tau`: similarities are divided by it.
    normalize_features : bool or "auto", default="auto"
        Whether embeddings have length 1, as in the paper; else they are divided by
        :math:`\sqrt d`. "auto" has it where levels are scored by softmaxes and there
        is a linear head; where training goes on, what it began with.
    linear_head : bool or "auto", default="auto"
        Whether a linear layer on the encoder's output is added to the similarities.
        "auto" does so for up to 20,000 labels and 20 million weights.
    perturbation : float, default=0.01
        Bound :math:`\epsilon` of the uniform noise that shakes prototypes in training.
    aggregation : float or tuple (float, int), default=0.0
        Share of every level's loss, but the deepest's, that is computed on the mean
        embeddings of its classes (child-to-parent aggregation), the paper's is 1; and
        the number of samples per class mean, which is 32 if it is not given.
    task_weighting : {"adaptive", "dwa", "equal"}, default="adaptive"
        Weights of the levels' losses: a softmax of them or of their rates, or equal.
    gamma : float, default=0.5
        Temperature of the adaptive weights: small ones look at the worst level only.
    label_loss : str or callable, default="auto"
        Loss of a level's labels by name, such as "softmax", "bce", "mcloss", "asl" or
        "zlpr". "auto" is "softmax" for single paths in a tree, else "bce". A callable
        maps logits and targets (B, L) to losses (B, L).
    leaf_prediction : {"auto", "mandatory", "optional"}, default="auto"
        Whether a single path must end at a leaf, may stop under any internal label, or
        ("auto") where training samples stop.
    coherence : str or None, default="auto"
        Rule that makes probabilities coherent, one in the table of
        :ref:`rules <coherence-rules>`, such as labels raised to their highest
        descendant ("max") or lowered to their lowest ancestor ("min"), the mean of both
        ("average"), conditional probabilities multiplied down ("product"), the nearest
        coherent probabilities ("isotonic", trees only), or paths scored as wholes
        ("path", single paths only). "auto" is "path" for single paths, else "max". None
        shows the raw scores. May change after ``fit``.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5; for single paths it
        is the most probable path ("path") or label of every level (None). After a 1-D
        y None predicts the most probable class; a number stops at the deepest label
        above it on the way there.
    proba_format : {"array", "list"}, default="array"
        Form of ``predict_proba``: an array (n_samples, n_labels), or the list of arrays
        (n_samples, 2) that MultiOutputClassifier returns.
    sparse_output : bool, default=False
        Whether ``predict`` and ``predict_raw`` return CSR matrices. May change after
        ``fit``. Without effect after a 1-D y.
    class_weight : dict, "balanced" or ("balanced", cap), default=None
        Weights of the positives of labels, by name; after a 1-D y of the classes. Keys
        0 and 1 that are no labels are the values, as in scikit-learn: ``{0: 1, 1: 20}``
        weighs all positives. "balanced" makes a label's positives and negatives, or the
        labels of a softmax, count alike, but weighs nothing more than ``cap`` times as
        much as its opposite; the cap is 3 if it is not given.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        Optimizer of the weights: one of three by name, with a weight decay of 0.01 and,
        for "sgd", a momentum of 0.9, or a class of torch.optim. ``optimizer__*`` sets
        these and its other parameters: ``optimizer__weight_decay=0.1``.
    learning_rate_init : float or tuple of float, default=0.001
        Learning rate; with the one-cycle schedule its peak. A tuple gives that of the
        network and then those of the prototypes, from the deepest level up; the last
        one serves the levels above, too.
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
    label_names_ : ndarray of shape (n_labels,), object
        Names of the columns of all outputs.
    classes_ : ndarray
        ``[[0, 1]] * n_labels``; after a 1-D y the classes met, sorted.
    label_loss_, leaf_prediction_, linear_head_, normalize_features_, coherence_
        Values of these parameters, where "auto" is decided.
    dropout_ : tuple of float
        Shares of the input, the hidden layers and the embedding that were dropped.
    n_sampled_labels_ : int or None
        Number of labels sampled in every step; None where all were taken.
    history_ : list of dict
        Per epoch: loss, and loss and weight of every depth; ``pandas.DataFrame`` reads
        it.
    n_iter_ : int
        Number of epochs trained.
    net_ : skorch.NeuralNet
        The trained net. Its ``predict_proba`` has the columns of Y, the output of its
        module a column order of its own.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Their names, where X had names.

    Notes
    -----
    Parameters with the prefixes ``optimizer__``, ``schedule__``, ``encoder__`` and
    ``callbacks__name__`` are handed on: ``optimizer__betas=(0.9, 0.99)``.

    References
    ----------
    Jiang, Liu, Liu and Yu, "Hierarchy-Consistent Learning and Adaptive Loss Balancing
    for Hierarchical Multi-Label Classification", CIKM 2025, arXiv 2508.13452.

    Examples
    --------
    >>> from skhmc import HCALClassifier
    >>> from skhmc.datasets import load_digit_properties
    >>> digits = load_digit_properties()
    >>> clf = HCALClassifier(digits.hierarchy, max_iter=5, random_state=0)
    >>> clf = clf.fit(digits.data[digits.train], digits.target[digits.train])
    >>> clf.predict(digits.data[digits.test]).shape == digits.target[digits.test].shape
    True
    """

    #: The paper's setting: ``HCALClassifier(hierarchy, **HCALClassifier.PUBLISHED)``.
    PUBLISHED = {
        "normalize_features": True,
        "linear_head": False,
        "temperature": 0.1,
        "perturbation": 0.01,
        "aggregation": 1.0,
        "task_weighting": "adaptive",
        "gamma": 0.5,
        "coherence": None,
        "dropout": (0.0, 0.0, 0.0),
        "optimizer": "sgd",
        "learning_rate_init": (0.01, 0.05, 0.1, 0.2),
        "optimizer__momentum": 0.9,
        "optimizer__weight_decay": 1e-4,
        "schedule": "constant",
        "batch_size": 32,
    }

    _parameter_constraints: dict = {
        **NETWORK_CONSTRAINTS,
        **ENSEMBLE_CONSTRAINTS,
        **EMBEDDING_CONSTRAINTS,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "normalize_features": ["boolean", StrOptions({"auto"})],
        "linear_head": ["boolean", StrOptions({"auto"})],
        "perturbation": [Interval(Real, 0, 1e30, closed="left")],  # as float32
        "aggregation": [Interval(Real, 0, 1, closed="both"), "array-like"],
        "task_weighting": [StrOptions({"adaptive", "dwa", "equal"})],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "label_loss": [StrOptions(LossNames("auto", paths=True)), callable],
        "leaf_prediction": [StrOptions({"auto", "mandatory", "optional"})],
        "coherence": [StrOptions(RuleNames("auto", paths=True)), None],
    }
    _dropped = ("the input", "the hidden layers", "the embedding")

    def __init__(
        self,
        hierarchy: Any = None,
        *,
        encoder: Callable[..., Any] | None = None,
        hidden_layer_sizes: int | Sequence[int] = (1000, 1000),
        embedding_dim: int = 256,
        dropout: float | str | tuple[float | str, ...] = "auto",
        temperature: float = 0.3,
        normalize_features: bool | str = "auto",
        linear_head: bool | str = "auto",
        perturbation: float = 0.01,
        aggregation: float | tuple[float, int] = 0.0,
        task_weighting: str = "adaptive",
        gamma: float = 0.5,
        label_loss: str | Callable[..., Any] = "auto",
        leaf_prediction: str = "auto",
        coherence: str | None = "auto",
        threshold: float | None = None,
        proba_format: str = "array",
        sparse_output: bool = False,
        class_weight: dict | str | tuple[str, float] | None = None,
        optimizer: str | Callable[..., Any] = "adamw",
        learning_rate_init: float | tuple[float, ...] = 1e-3,
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
        self.embedding_dim = embedding_dim
        self.dropout = dropout
        self.temperature = temperature
        self.normalize_features = normalize_features
        self.linear_head = linear_head
        self.perturbation = perturbation
        self.aggregation = aggregation
        self.task_weighting = task_weighting
        self.gamma = gamma
        self.label_loss = label_loss
        self.leaf_prediction = leaf_prediction
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
        """Return prototypes, and the losses of levels weighed against each other."""
        form = problem.form
        bias = fixed = None
        if isinstance(form, ManyPaths):  # every label starts at its log-odds
            bias = torch.from_numpy(problem.log_odds())
            fixed = torch.from_numpy(problem.fixed)
        network = PrototypeNetwork(
            encoder.module,
            encoder.width,
            form.level_sizes,
            embedding_dim=self.embedding_dim,
            embedding_dropout=settings.dropout[2],
            temperature=self.temperature,
            perturbation=self.perturbation,
            normalize_features=settings.normalize_features,
            linear_head=settings.linear_head,
            bias=bias,
            fixed=fixed,
            row_gradients=settings.row_gradients,
        )
        tasks = _tasks(problem, settings)
        criterion = HCALCriterion(
            tasks,
            aggregation=settings.aggregation,
            chunk=settings.chunk,
            weighting=self.task_weighting,
            gamma=self.gamma,
            class_weight=problem.class_weight_tensors(),
            max_means=_max_means(problem, settings, tasks),
        )
        rates = _prototype_rates(settings.learning_rates[1:], len(form.level_sizes))
        return Parts(network, criterion, encoder.user_modules, rates)

    def _fitted(self, former, settings, names):
        return {
            "label_loss_": settings.label_loss,
            "leaf_prediction_": settings.leaf_prediction,
            "linear_head_": settings.linear_head,
            "normalize_features_": settings.normalize_features,
        }


def _tasks(problem, settings):
    """Return the tasks: a loss per level of the hierarchy."""
    form = problem.form
    if isinstance(form, ManyPaths):
        frequencies = torch.from_numpy(problem.frequencies())
        levels = form.hierarchy, form.level_sizes
        return label_tasks(settings.label_loss, *levels, frequencies)
    positive, _ = problem.weighted_counts()
    classes = [torch.from_numpy(frontier) for frontier in form.frontiers]
    n_covered = np.array([positive[frontier].sum() for frontier in form.frontiers])
    # a level that no sample reaches has no loss, whatever it is divided by
    share = np.where(n_covered == 0, 1, n_covered / problem.counts.n_samples)
    loss = find_loss(settings.label_loss).of(form.hierarchy)
    return SetTasks(loss, classes, torch.from_numpy(share))


def _max_means(problem, settings, tasks):
    """Return the most class means that a chunk can have on every level, or None.

    On a GPU this saves waiting for their number in every step.
    """
    if not settings.aggregation or settings.device == "cpu":
        return None
    positions = torch.arange(problem.n_net_labels)
    levels = [positions[classes].numpy() for classes in tasks.classes]
    per_row = max_positives_per_row(*problem.form.to_net_order(problem.Y), levels)
    return [settings.chunk * n for n in per_row]


def _prototype_rates(rates, n_levels):
    """Return (pattern, options) of every level's prototypes, deepest level first.

    The last rate serves the levels above, too.
    """
    if not rates:
        return []
    rates = rates + rates[-1:] * n_levels
    from_the_deepest = reversed(range(n_levels))
    pairs = zip(from_the_deepest, rates, strict=False)
    return [(f"prototypes.{level}", {"lr": rate}) for level, rate in pairs]
