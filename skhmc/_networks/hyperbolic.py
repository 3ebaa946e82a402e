"""HyperbolicHMC: a classifier that learns the hierarchy of its labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, InvalidParameterError, StrOptions
from sklearn.utils.validation import check_is_fitted

from skhmc._networks.base import NetworkHMC
from skhmc._networks.label_embedding import (
    LabelPoints,
    PairCounts,
    build_ranking,
    count_pairs,
    learn_table,
)
from skhmc._networks.label_similarity import SIMILARITIES
from skhmc._networks.parameters import (
    EMBEDDING_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
    elements,
)
from skhmc._networks.training import Parts
from skhmc.coherence import RuleNames
from skhmc.induction import learn_dag, learn_tree
from skhmc.nn.criteria import EmbeddingCriterion, label_tasks
from skhmc.nn.hyperbolic import log0, radius_penalty
from skhmc.nn.modules import EmbeddingNetwork

__all__ = ["HyperbolicHMC"]

POINTS_FACTOR = 10.0  # learning rate of the points, in that of the network


class HyperbolicHMC(NetworkHMC):
    r"""Multi-label classifier that learns the hierarchy of its labels.

    One network embeds X, and every label has a point in hyperbolic space, where a tree
    has room: the number of places grows exponentially with the radius. A label is
    scored by the product of both embeddings. Together with the classifier the points
    are trained such that labels are as near to one another as they occur together;
    general labels come to lie inside, special ones outside. The hierarchy that is
    learnt is in ``learned_hierarchy_``.

    Parameters
    ----------
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        The label hierarchy, if it is known. None: it is learnt from labels that occur
        together. Else predictions are coherent with it, and labels are to be nearer to
        their ancestors than to what is neither ancestor nor descendant. Columns of a
        DataFrame Y are matched by name.
    encoder : nn.Module, class or factory, default=None
        Network that maps a batch of X to features. None is a multi-layer perceptron. A
        class or factory is called with ``input_shape`` (the shape of one sample) if it
        takes it. With an encoder, X may have more than two dimensions.
    hidden_layer_sizes : int or sequence of int, default=(1000,)
        Widths of the perceptron's hidden layers; without effect beside an ``encoder``.
    embedding_dim : int, default=64
        Number of coordinates d of a label.
    dropout : float, "auto" or tuple of three, default=("auto", "auto", 0.2)
        Shares of the input, of the hidden layers and of the embedding of X that are
        dropped in training; one number is all three. "auto" is 0.2 (0.4 where ``fit``
        gets more features than samples, 0 of less than 10 features), 0.7 and 0.5.
    mode : {"joint", "cascade", "flat"}, default="joint"
        Whether the labels' points are trained with the classifier, before it and then
        frozen, or by the classifier alone.
    embedding_weight : float, default=0.03
        Weight :math:`\lambda` of the loss of the labels' points.
    geometry : {"hyperbolic", "euclidean"}, default="hyperbolic"
        Distance of labels: geodesic, or squared Euclidean, to compare with.
    similarity : {"cosine", "count", "jaccard", "ppmi"}, default="cosine"
        Measure of how alike labels are that occur together; ranks alone count.
    ranking_sample : tuple (int, int), default=(256, 20)
        Number of pairs of labels drawn per step, and number of labels drawn per pair,
        to be farther apart than it. Up to 256 labels all pairs are taken.
    temperature : float, default=0.1
        Temperature of the loss of points: distances are divided by it.
    max_radius : float, default=8
        Radius beyond which points are pulled back; None for no limit.
    tangent_scores : bool, default=True
        Whether scores are products with tangent vectors, whose length is the radius, or
        (the paper) with coordinates.
    structure : {"tree", "dag"}, default="tree"
        Kind of hierarchy that is learnt: labels have one parent, or several.
    parent_threshold : float, default=0.8
        Share of a label's samples that must have a label for it to be its parent.
    coherence : str or None, default="auto"
        Rule that makes probabilities coherent with ``hierarchy``, one in the table of
        :ref:`rules <coherence-rules>`, such as labels raised to their highest
        descendant ("max", which is "auto") or lowered to their lowest ancestor ("min").
        "learned" is "max" with ``learned_hierarchy_``, which ``early_stopping`` does
        not know yet and takes for "auto". None shows the raw scores. May change after
        ``fit``.
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
    learning_rate_init : float or tuple of two float, default=0.001
        Learning rate; with the one-cycle schedule its peak. The labels' points move 10
        times as fast, since coordinates grow exponentially with the radius; a tuple
        gives the rate of the network and that of the points. An
        ``optimizer__param_groups`` that names ``table`` says otherwise.
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
    learned_hierarchy_ : Hierarchy
        What was learnt, of the labels in the order of Y's columns.
    label_embeddings_ : ndarray of shape (n_labels, ``embedding_dim``)
        The labels in the Poincaré ball; their coordinates if Euclidean.
    label_radius_ : ndarray of shape (n_labels,)
        Distances from the origin.
    cooccurrence_ : csr_matrix of shape (n_labels, n_labels)
        Training samples that have both labels, or their weight.
    geometry_ : str
        Geometry of the points, also when the parameter has changed since.
    hierarchy_ : Hierarchy
        What was given, in the order of Y's columns; flat if nothing was.
    dropout_ : tuple of float
        Shares of the input, the hidden layers and the embedding that were dropped.
    n_sampled_labels_ : int or None
        Number of labels sampled in every step; None where all were taken.
    history_ : list of dict
        Per epoch: the loss, that of the labels and that of their points.
    label_names_, classes_, n_iter_, net_, n_features_in_, feature_names_in_
        As :class:`HCALClassifier` has them.

    Notes
    -----
    Parameters with the prefixes ``optimizer__``, ``schedule__``, ``encoder__`` and
    ``callbacks__name__`` are handed on.

    References
    ----------
    Chatterjee, Maheshwari, Ramakrishnan and Jagarlapudi, "Joint Learning of Hyperbolic
    Label Embeddings for Hierarchical Multi-label Classification", EACL 2021, arXiv
    2101.04997.

    Examples
    --------
    >>> from skhmc import HyperbolicHMC
    >>> from skhmc.datasets import make_hidden_hierarchy
    >>> data = make_hidden_hierarchy(600, random_state=0)
    >>> options = {"hidden_layer_sizes": (50,), "dropout": (0.0, 0.0, 0.2)}
    >>> clf = HyperbolicHMC(**options, max_iter=5, random_state=0)
    >>> clf = clf.fit(data.data, data.target[:, 1:])  # without the root, which all have
    >>> clf.learned_hierarchy_
    Hierarchy(20 labels, 16 edges, tree of depth 1)
    """

    #: The paper's setting: ``HyperbolicHMC(**HyperbolicHMC.PUBLISHED)``.
    PUBLISHED = {
        "embedding_weight": 0.1,
        "similarity": "count",
        "temperature": 1.0,
        "learning_rate_init": (1e-3, 1e-3),
        "max_radius": None,
        "tangent_scores": False,
        "dropout": (0.0, 0.0, 0.0),
        "optimizer": "adam",
        "optimizer__weight_decay": 0.0,
        "schedule": "constant",
    }

    _parameter_constraints: dict = {
        **NETWORK_CONSTRAINTS,
        **EMBEDDING_CONSTRAINTS,
        "mode": [StrOptions({"joint", "cascade", "flat"})],
        "embedding_weight": [Interval(Real, 0, None, closed="left")],
        "geometry": [StrOptions({"hyperbolic", "euclidean"})],
        "similarity": [StrOptions(set(SIMILARITIES))],
        "ranking_sample": [tuple, list, np.ndarray],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "max_radius": [None, Interval(Real, 0, 15, closed="right")],
        "tangent_scores": ["boolean"],
        "structure": [StrOptions({"tree", "dag"})],
        "parent_threshold": [Interval(Real, 0, 1, closed="right")],
        "coherence": [StrOptions(RuleNames("auto", "learned")), None],
    }
    _dropped = ("the input", "the hidden layers", "the embedding")
    _learns_hierarchy = True

    def __init__(
        self,
        hierarchy: Any = None,
        *,
        encoder: Callable[..., Any] | None = None,
        hidden_layer_sizes: int | Sequence[int] = (1000,),
        embedding_dim: int = 64,
        dropout: float | str | tuple[float | str, ...] = ("auto", "auto", 0.2),
        mode: str = "joint",
        embedding_weight: float = 0.03,
        geometry: str = "hyperbolic",
        similarity: str = "cosine",
        ranking_sample: tuple[int, int] = (256, 20),
        temperature: float = 0.1,
        max_radius: float | None = 8.0,
        tangent_scores: bool = True,
        structure: str = "tree",
        parent_threshold: float = 0.8,
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
        self.mode = mode
        self.embedding_weight = embedding_weight
        self.geometry = geometry
        self.similarity = similarity
        self.ranking_sample = ranking_sample
        self.temperature = temperature
        self.max_radius = max_radius
        self.tangent_scores = tangent_scores
        self.structure = structure
        self.parent_threshold = parent_threshold
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

    def _validate_params(self):
        super()._validate_params()
        _ranking_sample(self.ranking_sample)
        _check_rates(self.learning_rate_init)

    def _check_coherence(self, form):
        form.rule("max" if self.coherence == "learned" else self.coherence)

    def _scored_by(self):
        if self.coherence != "learned":
            return super()._scored_by()
        form = self._form.with_hierarchy(self.learned_hierarchy_)
        return form, form.rule("max")

    @property
    def _answered_hierarchy(self):
        return (
            self.hierarchy_ if self._one_class else self._scored_by()[0].hierarchy_of_Y
        )

    def _build(self, problem, settings, encoder):
        """Return points of labels, and the loss of labels plus that of their points."""
        former = problem.former
        self._check_kept(problem)
        pairs = count_pairs(problem)
        if problem.partial and former is not None:
            pairs = pairs.plus(former.extra.pairs)
        criterion = EmbeddingCriterion(
            self._tasks(problem),
            self._ranking(problem, pairs),
            embedding_weight=self.embedding_weight,
            penalty=self._penalty(),
            class_weight=problem.class_weight_tensors(),
        )
        table = None
        if self.mode == "cascade":
            table = former.net.module_.table.detach().cpu() if former else None
            if table is None:
                table = learn_table(criterion, self.embedding_dim, self.random_state)
            criterion.ranking = None  # the points stay where they are
        hyperbolic = self.geometry == "hyperbolic"
        network = EmbeddingNetwork(
            encoder.module,
            encoder.width,
            problem.n_net_labels,
            embedding_dim=self.embedding_dim,
            embedding_dropout=settings.dropout[2],
            tangent=log0 if self.tangent_scores and hyperbolic else None,
            table=table,
            bias=torch.from_numpy(problem.log_odds()),
            fixed=torch.from_numpy(problem.fixed),
            row_gradients=settings.row_gradients,
        )
        # weight decay would pull the points to the origin
        rates = [("table", {"lr": _points_rate(settings), "weight_decay": 0.0})]
        learnt_from = LearntFrom(pairs, self.geometry)
        return Parts(network, criterion, encoder.user_modules, rates, learnt_from)

    def _check_kept(self, problem):
        """Raise where training cannot go on, or not in parts."""
        if self.mode == "cascade" and problem.partial:
            raise ValueError(
                "mode='cascade' learns the labels' points before the classifier, from "
                "all training data. Use mode='joint' with partial_fit."
            )
        former = problem.former
        if former is not None and self.geometry != former.extra.geometry:
            raise ValueError(
                f"Training cannot go on with geometry={self.geometry!r}, since it was "
                f"{former.extra.geometry!r}. Leave it as it was, or start anew."
            )

    def _tasks(self, problem):
        """Return the loss of all labels as one task, L_1."""
        frequencies = torch.from_numpy(problem.frequencies())
        one_task = [problem.n_net_labels]
        return label_tasks("bce", problem.form.hierarchy, one_task, frequencies)

    def _ranking(self, problem, pairs):
        """Return what maps points of labels to the losses of their pairs, L_2."""
        if self.mode == "flat":
            return None
        n_pairs, n_negatives = _ranking_sample(self.ranking_sample)
        order = problem.form.order  # the network's
        counts = pairs.together[order][:, order].tocsr()
        counts.sort_indices()
        return build_ranking(
            problem.form.hierarchy,
            counts,
            pairs.n_samples,
            geometry=self.geometry,
            similarity=self.similarity,
            temperature=self.temperature,
            n_pairs=n_pairs,
            n_negatives=n_negatives,
        )

    def _penalty(self):
        """Return what maps points to the losses of radii beyond the limit, or None."""
        if self.geometry != "hyperbolic" or self.max_radius is None:
            return None
        return partial(radius_penalty, limit=self.max_radius)

    def _fitted(self, former, settings, names):
        table = former.net.module_.table[former.form.inverse]
        points = LabelPoints(table, former.extra.geometry)
        pairs = former.extra.pairs
        options = {"threshold": self.parent_threshold, "radius": points.radius}
        if self.structure == "tree":
            distances = points.distance_less_radius
            learned = learn_tree(pairs.rates, names, distances=distances, **options)
        else:
            learned = learn_dag(pairs.rates, names, **options)
        return {
            "learned_hierarchy_": learned,
            "cooccurrence_": pairs.together,
            "geometry_": former.extra.geometry,
        }

    @property
    def _points(self):
        check_is_fitted(self, "net_")
        table = self.net_.module_.table[self._form.inverse]
        return LabelPoints(table, self.geometry_)

    @property
    def label_embeddings_(self) -> np.ndarray:
        return self._points.positions

    @property
    def label_radius_(self) -> np.ndarray:
        return self._points.radius

    def label_distances(self, labels: Any = None) -> np.ndarray:
        """Return the distances of labels from all labels (n_labels, n_labels).

        Parameters
        ----------
        labels : array-like of int, default=None
            Positions of the labels to start from; None for all.

        Returns
        -------
        ndarray of shape (n_chosen, n_labels), float64
            Geodesic, or Euclidean, distances.
        """
        return self._points.rows(labels)


class LearntFrom(NamedTuple):
    """What a HyperbolicHMC remembers for training that goes on."""

    pairs: PairCounts
    geometry: str  # of the points, also when the parameter changes after fit


def _ranking_sample(given):
    """Return the numbers of pairs and of labels per pair that are drawn, checked."""
    numbers = elements(given)
    right = len(numbers) == 2
    for number in numbers:
        whole = isinstance(number, Integral) and not isinstance(number, bool)
        right = right and whole and number >= 1
    if not right:
        raise InvalidParameterError(
            f"The 'ranking_sample' parameter must be a tuple of two integers of at "
            f"least 1, the number of pairs drawn per step and that of labels drawn per "
            f"pair, got {given!r}."
        )
    return tuple(int(number) for number in numbers)


def _points_rate(settings):
    """Return the learning rate of the points: coordinates grow with the radius."""
    rate, *more = settings.learning_rates
    if more:
        return more[0]
    return POINTS_FACTOR * settings.optimizer_options.get("lr", rate)


def _check_rates(given):
    if len(elements(given)) > 2:
        raise InvalidParameterError(
            f"The 'learning_rate_init' parameter must be a number, or a pair of the "
            f"rate of the network and that of the points, got {given!r}."
        )
