"""HCALClassifier: prototypes, aggregation, perturbation and adaptive task weights."""

from numbers import Integral, Real

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions

from skhmc._data.weights import most_per_row
from skhmc._networks.base import NetworkHMC
from skhmc._networks.encoder import build_encoder, positive_elements
from skhmc._networks.label_sampling import MOST_EXACT
from skhmc._networks.parameters import (
    COMMITTEE_CONSTRAINTS,
    EMBEDDING_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
)
from skhmc._networks.skorch_net import resolve_device
from skhmc._networks.training import Parts
from skhmc._scoring.label_form import ManyPaths, SinglePath, choose_form
from skhmc.nn.criteria import HCALCriterion, SetTasks, label_tasks
from skhmc.nn.losses import LossNames, softmax_loss
from skhmc.nn.modules import PrototypeNetwork

__all__ = ["HCALClassifier"]


MOST_WEIGHTS = 20_000_000  # that "auto" gives a linear head


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
        Maps a batch of X to features. None is a multi-layer perceptron. A class or
        factory is called with ``input_shape`` (the shape of one sample) if it takes it.
        With an encoder, X may have more than two dimensions.
    hidden_layer_sizes : int or sequence of int, default=(1000, 1000)
        Widths of the perceptron's hidden layers.
    embedding_dim : int, default=256
        Width d of the embedding and the prototypes.
    input_dropout, dropout, embedding_dropout : float or "auto", default="auto"
        Share of the input, of the hidden layers and of the embedding dropped in
        training. "auto" is 0.1, 0.5, 0.2 for single paths, else 0.2, 0.7, 0.5, and of
        the input 0.4 where ``fit`` gets more features than samples; it is 0 of less
        than 10 features.
    temperature : float, default=0.3
        :math:`\tau`: similarities are divided by it.
    normalize_features : bool or "auto", default="auto"
        Whether embeddings have length 1, as in the paper; else they are divided by
        :math:`\sqrt d`. "auto" has it where levels are scored by softmaxes and there
        is a linear head; where training goes on, what it began with.
    linear_head : bool or "auto", default="auto"
        Whether a linear layer on the encoder's output is added to the similarities.
        "auto" does so for up to 20,000 labels and 20 million weights.
    perturbation : float, default=0.01
        :math:`\epsilon`: prototypes are shaken by uniform noise in training.
    aggregation : float, default=0.0
        Share of every level's loss, but the deepest's, that is computed on the mean
        embeddings of its classes (child-to-parent aggregation). The paper's is 1.
    aggregation_chunk : int, default=32
        Samples per class mean.
    task_weighting : {"adaptive", "dwa", "equal"}, default="adaptive"
        Weights of the levels' losses: a softmax of them or of their rates, or equal.
    gamma : float, default=0.5
        Temperature of the adaptive weights: small ones look at the worst level only.
    label_loss : str or callable, default="auto"
        Loss of a level's labels: "softmax", "bce", "mcloss", "asl" or "zlpr". "auto" is
        "softmax" for single paths in a tree, else "bce". A callable maps logits and
        targets (B, L) to losses (B, L).
    leaf_prediction : {"auto", "mandatory", "optional"}, default="auto"
        Whether a single path must end at a leaf, may stop under any internal label, or
        ("auto") where training samples stop.
    coherence : {"auto", "max", "path", "isotonic", None}, default="auto"
        How probabilities become coherent: parents are raised to their highest child
        ("max"), paths are scored as wholes ("path", single paths only), or the nearest
        coherent probabilities are taken ("isotonic", trees only). "auto" is "path" for
        single paths, else "max". None shows the raw scores. May change after ``fit``.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5; for single paths it
        is the most probable path ("path") or label of every level (None).
    proba_format : {"array", "list"}, default="array"
        Form of ``predict_proba``; "list" is MultiOutputClassifier's.
    sparse_output : bool, default=False
        Whether ``predict`` and ``predict_raw`` return CSR matrices. May change after
        ``fit``. Without effect after a 1-D y.
    class_weight : dict or "balanced", default=None
        Weight of the positives of labels, by name. "balanced" makes a label's positives
        and negatives, or the labels of a softmax, count alike.
    class_weight_cap : float, default=3
        "balanced" weighs nothing more than this many times as much as its opposite.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        What takes the steps. A class of torch.optim gets ``learning_rate_init`` and
        what ``optimizer__*`` says.
    learning_rate_init : float, default=0.001
        Its learning rate; the peak of the one-cycle schedule.
    prototype_learning_rate : float or sequence of float, default=None
        Learning rate of the prototypes, or one per level from the deepest up (the last
        one serves the rest). None is ``learning_rate_init``.
    momentum : float, default=0.9
        Of "sgd".
    weight_decay : float, default=0.01
        Weight decay of the named optimisers.
    schedule : {"onecycle", "constant"} or class, default="onecycle"
        How the learning rate moves. A class of torch.optim.lr_scheduler gets what
        ``schedule__*`` says and steps once per epoch, or per batch with
        ``schedule__step_every="batch"``.
    batch_size : int, default=64
        Most samples per step; batches are even. None takes all at once.
    n_sampled_labels : int, None or "auto", default="auto"
        How many of the labels that no sample of a batch has enter its loss, drawn anew
        in every step; the others do (see the user guide). None takes all labels, as
        "auto" does of up to 20,000; of more it takes 5,000, where the loss allows it.
    max_iter : int, default=60
        Number of epochs.
    n_networks : int, default=1
        Number of networks, trained side by side in the same epochs, whose logits are
        averaged, at so many times the cost (see the user guide).
    warm_start : bool, default=False
        Whether ``fit`` starts from the weights of the former fit.
    early_stopping : bool, default=False
        Whether to hold out ``validation_fraction`` of the samples, stop when their
        coherent AU(PRC) has not risen by ``tol`` for ``n_iter_no_change`` epochs, and
        keep the best weights.
    validation_fraction : float, default=0.1
        Share of the samples held out by ``early_stopping``.
    n_iter_no_change : int, default=10
        Patience of ``early_stopping``, in epochs; the first 30 % of a one-cycle
        schedule, while the learning rate rises, do not count.
    tol : float, default=1e-4
        Least rise that counts for ``early_stopping``.
    callbacks : list, default=None
        Callbacks of skorch: instances, classes, or pairs (name, callback).
    dtype : {"float32", "float64"}, default="float32"
        Precision of the network.
    precision : {"full", "tf32", "mixed"}, default="full"
        Of matrix products in training: those of a GPU with TensorFloat-32 ("tf32"), or
        all in bfloat16 ("mixed"), which saves time where the hardware has it. Losses,
        weights and predictions keep ``dtype``.
    device : str, default="auto"
        "auto" (a GPU when there is one), "cpu", "cuda" or "cuda:N".
    random_state : int, RandomState or None, default=None
        Makes fits repeatable, bit for bit on one CPU with one number of threads. The
        global state of torch and numpy is left alone.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    hierarchy_ : Hierarchy
        The hierarchy in the order of Y's columns.
    label_names_ : ndarray of shape (n_labels,), object
        Names of the columns of all outputs.
    classes_ : ndarray
        ``[[0, 1]] * n_labels``; after a 1-D y the classes met, sorted.
    label_loss_, leaf_prediction_, coherence_
        What "auto" decided; likewise ``linear_head_``, ``input_dropout_``,
        ``normalize_features_``, ``dropout_`` and ``embedding_dropout_``.
    history_ : list of dict
        Per epoch: loss, and loss and weight of every depth; ``pandas.DataFrame`` reads
        it.
    n_iter_ : int
        Number of epochs trained.
    net_ : skorch.NeuralNet
        The trained net.
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
        "aggregation_chunk": 32,
        "task_weighting": "adaptive",
        "gamma": 0.5,
        "coherence": None,
        "input_dropout": 0.0,
        "dropout": 0.0,
        "embedding_dropout": 0.0,
        "optimizer": "sgd",
        "learning_rate_init": 0.01,
        "prototype_learning_rate": (0.05, 0.1, 0.2),
        "momentum": 0.9,
        "weight_decay": 1e-4,
        "schedule": "constant",
        "batch_size": 32,
    }

    _parameter_constraints = {
        **NETWORK_CONSTRAINTS,
        **COMMITTEE_CONSTRAINTS,
        **EMBEDDING_CONSTRAINTS,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "normalize_features": ["boolean", StrOptions({"auto"})],
        "linear_head": ["boolean", StrOptions({"auto"})],
        "perturbation": [Interval(Real, 0, None, closed="left")],
        "aggregation": [Interval(Real, 0, 1, closed="both")],
        "aggregation_chunk": [Interval(Integral, 1, None, closed="left")],
        "task_weighting": [StrOptions({"adaptive", "dwa", "equal"})],
        "gamma": [Interval(Real, 0, None, closed="neither")],
        "label_loss": [StrOptions(LossNames("auto")), callable],
        "leaf_prediction": [StrOptions({"auto", "mandatory", "optional"})],
        "coherence": [StrOptions({"auto", "max", "path", "isotonic"}), None],
        "prototype_learning_rate": [
            None,
            "array-like",
            Interval(Real, 0, None, closed="neither"),
        ],
    }

    def __init__(
        self,
        hierarchy=None,
        *,
        encoder=None,
        hidden_layer_sizes=(1000, 1000),
        embedding_dim=256,
        input_dropout="auto",
        dropout="auto",
        embedding_dropout="auto",
        temperature=0.3,
        normalize_features="auto",
        linear_head="auto",
        perturbation=0.01,
        aggregation=0.0,
        aggregation_chunk=32,
        task_weighting="adaptive",
        gamma=0.5,
        label_loss="auto",
        leaf_prediction="auto",
        coherence="auto",
        threshold=None,
        proba_format="array",
        sparse_output=False,
        class_weight=None,
        class_weight_cap=3.0,
        optimizer="adamw",
        learning_rate_init=1e-3,
        prototype_learning_rate=None,
        momentum=0.9,
        weight_decay=1e-2,
        schedule="onecycle",
        batch_size=64,
        n_sampled_labels="auto",
        max_iter=60,
        n_networks=1,
        warm_start=False,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        callbacks=None,
        dtype="float32",
        precision="full",
        device="auto",
        random_state=None,
        verbose=0,
        **passed_on,
    ):
        self._assign(locals())

    def _choose_form(self, targets, partial):
        form, self.label_loss_, self.leaf_prediction_ = choose_form(
            targets, self.label_loss, self.leaf_prediction, partial
        )
        return form

    def _keep_form(self, form, targets):
        asked = self.label_loss_ if self.label_loss == "auto" else self.label_loss
        if (asked == "softmax") != isinstance(form, SinglePath):
            raise ValueError(
                f"Training goes on with label_loss={self.label_loss_!r}, but got "
                f"{asked!r}. Use 'auto', or start anew: a softmax has other outputs."
            )
        self.label_loss_ = asked
        for name in ("leaf_prediction", "normalize_features"):
            given, began_with = getattr(self, name), getattr(self, name + "_")
            if given not in ("auto", began_with):
                raise ValueError(
                    f"Training goes on with {name}={began_with!r}, but got {given!r}. "
                    f"Use 'auto', or start anew."
                )
        form.accepts(targets.Y, self.leaf_prediction)

    @property
    def coherence_(self):
        if self.coherence == "auto":
            return "path" if isinstance(self._form, SinglePath) else "max"
        return self.coherence

    def _build(self, problem):
        module, own = self._build_module(problem)
        tasks, weights, most = self._build_tasks(problem), problem.class_weight, None
        if self.aggregation and resolve_device(self.device) != "cpu":
            groups = [torch.arange(len(problem.positive))[c] for c in tasks.classes]
            groups = [group.numpy() for group in groups]
            per_row = most_per_row(*problem.form.place(problem.Y), groups)
            most = [self.aggregation_chunk * n for n in per_row]
        criterion = HCALCriterion(
            tasks,
            aggregation=self.aggregation,
            chunk=self.aggregation_chunk,
            weighting=self.task_weighting,
            gamma=self.gamma,
            class_weight=weights and tuple(map(torch.from_numpy, weights)),
            max_means=most,
        )
        groups = self._prototype_groups(len(problem.form.level_sizes))
        return Parts(module, criterion, own, groups)

    def _build_module(self, problem):
        encoder, n_encoded, own = build_encoder(self, problem.X)
        given, n_labels = self.linear_head, len(problem.positive)
        fits = n_labels <= MOST_EXACT and n_labels * n_encoded <= MOST_WEIGHTS
        self.linear_head_ = fits if given == "auto" else bool(given)
        given, many = self.normalize_features, isinstance(problem.form, ManyPaths)
        if "net_" not in vars(self):  # else what training began with stays
            unit = self.linear_head_ and not many
            self.normalize_features_ = unit if given == "auto" else bool(given)
        bias = fixed = None
        if many:  # every label starts at its log-odds
            bias = torch.from_numpy(problem.log_odds())
            fixed = torch.from_numpy(problem.fixed)
        module = PrototypeNetwork(
            encoder,
            n_encoded,
            problem.form.level_sizes,
            embedding_dim=self.embedding_dim,
            embedding_dropout=self.embedding_dropout_,
            temperature=self.temperature,
            perturbation=self.perturbation,
            normalize_features=self.normalize_features_,
            linear_head=self.linear_head_,
            bias=bias,
            fixed=fixed,
        )
        return module, own

    def _build_tasks(self, problem):
        form = problem.form
        if self.label_loss_ == "softmax":
            positive, _ = problem.weighted_counts()
            classes = [torch.from_numpy(frontier) for frontier in form.frontiers]
            covered = np.array([positive[f].sum() for f in form.frontiers])
            covered = np.where(covered == 0, 1, covered / problem.n_samples)
            return SetTasks(softmax_loss, classes, torch.from_numpy(covered))
        frequencies = torch.from_numpy(problem.frequencies())
        levels = form.hierarchy, form.level_sizes
        return label_tasks(self.label_loss_, *levels, frequencies)

    def _prototype_groups(self, n_levels):
        if self.prototype_learning_rate is None:
            return []
        speeds = positive_elements(self, "prototype_learning_rate", Real)
        speeds += speeds[-1:] * n_levels
        levels = reversed(range(n_levels))  # the first rate is the deepest level's
        pairs = zip(levels, speeds, strict=False)
        return [(f"prototypes.{level}", {"lr": speed}) for level, speed in pairs]
