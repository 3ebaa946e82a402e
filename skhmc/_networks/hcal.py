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
from skhmc._networks.checkpoint import Checkpoint
from skhmc._networks.parameters import (
    EMBEDDING_CONSTRAINTS,
    ENSEMBLE_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
)
from skhmc._networks.training import Parts, linear_path
from skhmc._scoring.label_form import ManyPaths
from skhmc.coherence import RuleNames
from skhmc.nn.contrast import HMCE
from skhmc.nn.criteria import HCALCriterion, SetTasks, label_tasks
from skhmc.nn.losses import LossNames, find_loss
from skhmc.nn.modules import PrototypeNetwork

__all__ = ["HCALClassifier"]


class HCALClassifier(NetworkHMC):
    r"""Hierarchical multi-label classifier with prototypes and adaptive task weights.

    One network embeds X. Every label has a prototype, and its score is the similarity
    of prototype and embedding. Each depth level of the hierarchy is a task. Training
    balances the losses of the levels. Predictions are coherent: no label is more
    probable than any of its parents.

    If every training sample has one path of labels in a tree, each level has a softmax.
    Otherwise every label has its own sigmoid. ``label_loss_`` shows which form was
    used.

    Parameters
    ----------
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Label hierarchy. None means that labels are flat. Columns of a DataFrame Y are
        matched by name.
    encoder : nn.Module, class or factory, default=None
        Network that turns a batch of X into features. None is a multi-layer perceptron.
        A class or factory is called with ``input_shape`` (the shape of one sample) if
        it has this parameter. With an encoder, X may have more than two dimensions.
    hidden_layer_sizes : int, sequence of int or "auto", default="auto"
        Widths of the hidden layers of the perceptron. "auto" is (1000, 1000); it is
        (1000,) for a sparse X of at least 1000 features, of which at most 3 % are
        stored. They have no effect with an ``encoder``.
    linear_path : bool or "auto", default=False
        Whether a linear function of X is added to the scores of the network. It is for
        sparse X, such as texts. It has a weight for every feature and label, and needs
        all labels in every step. "auto" is True for a sparse X of at least 1000
        features, if there are at most 20 million weights. With an ``encoder`` or with
        sampled labels "auto" is False.
    embedding_dim : int, default=256
        Number of dimensions d of the embedding and the prototypes.
    dropout : float, "auto" or tuple of three, default="auto"
        Shares of the input, of the hidden layers and of the embedding that are dropped
        in training. One number sets all three. "auto" is 0.1, 0.5, 0.2 for single
        paths. Otherwise it is 0.2, 0.7, 0.5, or 0.4, 0.7, 0.5 if ``fit`` gets more
        features than samples. With less than 10 features, "auto" drops nothing of the
        input.
    temperature : float, default=0.3
        Temperature :math:`\tau`. Similarities are divided by it.
    normalize_features : bool or "auto", default="auto"
        Whether embeddings are scaled to length 1, as in the paper. False divides them
        by :math:`\sqrt d`. "auto" is True if softmaxes score the levels and there is a
        linear head. Training that continues keeps the form it began with.
    linear_head : bool or "auto", default="auto"
        Whether to add a linear layer on the output of the encoder to the similarities.
        "auto" is True for up to 20,000 labels and 20 million weights.
    perturbation : float, default=0.01
        Bound :math:`\epsilon` of the uniform noise that is added to prototypes in
        training.
    aggregation : float or tuple (float, int), default=0.0
        Share of the loss of a level that is computed on the mean embeddings of its
        classes (child-to-parent aggregation). The deepest level has none. The paper
        uses 1. In a tuple, the second number is the number of samples per mean;
        otherwise it is 32.
    contrastive : None, "hmce" or tuple ("hmce", float), default=None
        Contrastive loss beside those of the levels. It draws the embeddings of samples
        of one batch together that have the same labels down to a level. The number is
        its weight, 0.03 by default. It helps on texts (see the user guide), and needs
        all labels in every step.
    task_weighting : {"adaptive", "dwa", "equal"}, default="adaptive"
        Weights of the losses of the levels. "adaptive" is a softmax of the losses,
        "dwa" a softmax of their rates, and "equal" gives equal weights.
    gamma : float, default=0.5
        Temperature of the adaptive weights. With a small one, only the worst level
        counts.
    label_loss : str or callable, default="auto"
        Loss of the labels of a level by name, such as "softmax", "bce", "mcloss", "asl"
        or "zlpr". "auto" is "softmax" for single paths in a tree, otherwise "bce". A
        callable takes logits and targets (B, L) and returns losses (B, L).
    leaf_prediction : {"auto", "mandatory", "optional"}, default="auto"
        Whether a single path must end at a leaf ("mandatory") or may stop at any
        internal label ("optional"). With "auto" it may stop where training samples
        stop.
    coherence : str or None, default="auto"
        Rule that makes probabilities coherent, one in the table of
        :ref:`rules <coherence-rules>`, such as the following. "max" raises labels to
        their highest descendant. "min" lowers them to their lowest ancestor. "average"
        is the mean of both. "product" multiplies conditional probabilities from the
        roots down. "isotonic" takes the nearest coherent probabilities (trees only).
        "path" scores whole paths (single paths only). "auto" is "path" for single
        paths, otherwise "max". None gives the raw scores. May change after ``fit``.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5. For single paths,
        None is the most probable path ("path"), or the most probable label of every
        level (``coherence=None``). After a 1-D y, None predicts the most probable
        class. With a number, the prediction goes from the root towards this class, and
        stops at the deepest label above the number.
    proba_format : {"array", "list"}, default="array"
        Form of the output of ``predict_proba``: an array (n_samples, n_labels), or a
        list of arrays (n_samples, 2) as from MultiOutputClassifier.
    sparse_output : bool, default=False
        Whether ``predict`` and ``predict_raw`` return CSR matrices. May change after
        ``fit``. After a 1-D y it has no effect.
    class_weight : dict, "balanced" or ("balanced", cap), default=None
        Weights of the positives of labels, by name. After a 1-D y, weights of the
        classes. If no labels are named 0 and 1, these keys are the values, as in
        scikit-learn: ``{0: 1, 1: 20}`` weighs all positives. "balanced" gives equal
        total weight to the positives and negatives of a label, or to the labels of a
        softmax. But no weight is more than ``cap`` times that of its opposite. Without
        ``cap`` the limit is 3.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        Optimizer of the weights: a name, or a class of torch.optim. The named ones have
        a weight decay of 0.01, and "sgd" has a momentum of 0.9. ``optimizer__*`` sets
        these and other parameters: ``optimizer__weight_decay=0.1``.
    learning_rate_init : float or tuple of float, default=0.001
        Learning rate. With the one-cycle schedule it is the highest one. In a tuple,
        the first number is for the network. The others are for the prototypes, from the
        deepest level up. The last one is also for all levels above.
    schedule : {"onecycle", "constant"} or class, default="onecycle"
        Change of the learning rate over the epochs. A class of torch.optim.lr_scheduler
        gets the parameters ``schedule__*``. It steps once per epoch, or once per batch
        with ``schedule__step_every="batch"``.
    batch_size : int, default=64
        Largest number of samples per step. Batches have nearly equal sizes. None puts
        all samples in one batch.
    n_sampled_labels : int, None, "auto" or tuple, default="auto"
        Number of labels without a positive in a batch that enter its loss (see the user
        guide). They are drawn anew in every step. All labels with a positive enter it,
        too. None takes all labels. "auto" takes all of up to 20,000 labels. Of more
        labels it takes 5,000, if the loss allows this.
        ``(1000, "siblings")`` draws half of 1000 from the labels that have a parent in
        common with a positive one, which are the hardest to tell apart.
    max_iter : int or "auto", default="auto"
        Number of epochs. "auto" is 60. For a sparse X of at least 1000 features, of
        which at most 3 % are stored, it is as many as 800 steps need, from 10 to 60;
        this holds for Adam and AdamW, and without an ``encoder``.
    n_estimators : int, default=1
        Number of networks in the ensemble. They are trained together in the same
        epochs, and their logits are averaged (see the user guide). The cost is so many
        times that of one network.
    warm_start : bool, default=False
        Whether ``fit`` starts from the weights of the previous fit. ``hierarchy`` may
        then have new labels, which start from their parents (see the user guide).
    early_stopping : bool or str, default=False
        Whether to hold out ``validation_fraction`` of the samples and stop when their
        coherent AU(PRC) has not risen by ``tol`` for ``n_iter_no_change`` epochs. The
        best weights are kept. The name of another metric replaces AU(PRC), such as
        "hierarchical_f1", "f1_micro" or "f1_macro" of labels predicted with the current
        ``threshold`` and ``coherence``.
    validation_fraction : float, default=0.1
        Share of the samples held out by ``early_stopping``.
    n_iter_no_change : int, default=10
        Number of epochs without a rise of the score before ``early_stopping`` stops.
        The first 30 % of a one-cycle schedule do not count, because the learning rate
        still rises.
    tol : float, default=1e-4
        Smallest rise of the score that counts for ``early_stopping``.
    callbacks : list, default=None
        Callbacks of skorch: instances, classes, or pairs (name, callback).
    checkpoint : Checkpoint, default=None
        Where and how often ``fit`` writes what it takes to go on after a kill or
        Ctrl-C, see :class:`skhmc.Checkpoint`. A fit that is run again then goes on
        where it stopped, and ends with the same bits. None writes nothing.
    precision : {"float32", "float64", "tf32", "mixed"}, default="float32"
        Precision of the network. "float32" and "float64" are that of weights, losses
        and predictions. "tf32" and "mixed" are float32, but training multiplies
        matrices in TensorFloat-32 on a GPU ("tf32") or in bfloat16 ("mixed"). This
        saves time if the hardware supports it.
    device : str, default="auto"
        Device of the network: "auto" (a GPU if there is one), "cpu", "cuda" or
        "cuda:N".
    random_state : int, RandomState or None, default=None
        Seed that makes fits repeatable, bit for bit on one CPU with one number of
        threads. The global state of torch and numpy does not change.
    verbose : int, default=0
        Verbosity: 1 says what is trained, the memory and, after the first epoch, the
        time that it takes, and shows a progress bar. 0 is quiet.

    Attributes
    ----------
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,), object
        Names of the columns of all outputs.
    label_counts_ : ndarray of shape (n_labels, 2)
        Training samples that have a label, and that have all its parents: what
        scorers weigh labels by.
    classes_ : ndarray
        ``[[0, 1]] * n_labels``. After a 1-D y, its classes, sorted.
    label_loss_, leaf_prediction_, linear_head_, normalize_features_, coherence_
        Values of these parameters in the fit, with "auto" replaced.
    dropout_ : tuple of float
        Shares of the input, the hidden layers and the embedding that were dropped.
    linear_path_ : bool
        Whether there is a linear path.
    n_sampled_labels_ : int or None
        Number of labels sampled in every step. None: all labels were used.
    history_ : list of dict
        Per epoch: the loss, the loss and weight of every depth, and with
        ``contrastive`` that loss, without its weight.
        ``pandas.DataFrame`` reads it.
    n_iter_ : int
        Number of epochs trained.
    net_ : skorch.NeuralNet
        The trained net. Its ``predict_proba`` has the columns of Y. Its module has
        another order of columns.
    n_features_in_ : int
        Number of features seen in ``fit``.
    feature_names_in_ : ndarray of shape (``n_features_in_``,)
        Names of the features, if X had names.

    Notes
    -----
    Parameters with the prefixes ``optimizer__``, ``schedule__``, ``encoder__`` and
    ``callbacks__name__`` are passed on: ``optimizer__betas=(0.9, 0.99)``.

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
        "contrastive": [None, StrOptions({"hmce"}), tuple, list],
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
        hidden_layer_sizes: int | Sequence[int] | str = "auto",
        linear_path: bool | str = False,
        embedding_dim: int = 256,
        dropout: float | str | tuple[float | str, ...] = "auto",
        temperature: float = 0.3,
        normalize_features: bool | str = "auto",
        linear_head: bool | str = "auto",
        perturbation: float = 0.01,
        aggregation: float | tuple[float, int] = 0.0,
        contrastive: str | tuple[str, float] | None = None,
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
        n_sampled_labels: int | str | tuple[int | str, str] | None = "auto",
        max_iter: int | str = "auto",
        n_estimators: int = 1,
        warm_start: bool = False,
        early_stopping: bool | str = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        callbacks: Sequence[Any] | None = None,
        checkpoint: Checkpoint | None = None,
        precision: str = "float32",
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        **prefixed: Any,
    ) -> None:
        self.hierarchy = hierarchy
        self.encoder = encoder
        self.hidden_layer_sizes = hidden_layer_sizes
        self.linear_path = linear_path
        self.embedding_dim = embedding_dim
        self.dropout = dropout
        self.temperature = temperature
        self.normalize_features = normalize_features
        self.linear_head = linear_head
        self.perturbation = perturbation
        self.aggregation = aggregation
        self.contrastive = contrastive
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
        self.checkpoint = checkpoint
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
            path=linear_path(problem, settings),
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
            contrast=_contrast(problem, settings),
        )
        rates = _prototype_rates(settings.learning_rates[1:], len(form.level_sizes))
        return Parts(network, criterion, encoder.user_modules, rates)

    def _fitted(self, settings):
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


def _contrast(problem, settings):
    """Return the contrastive loss and its weight, None without one."""
    if settings.contrast_weight is None:
        return None
    return HMCE(problem.form.hierarchy), settings.contrast_weight


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
