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
from skhmc._networks.checkpoint import Checkpoint
from skhmc._networks.growing import new_labels
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
from skhmc._networks.training import Parts, linear_path
from skhmc._utils.messages import name_list
from skhmc.coherence import RuleNames
from skhmc.induction import learn_dag, learn_tree
from skhmc.nn.criteria import EmbeddingCriterion, label_tasks
from skhmc.nn.hyperbolic import log0, radius_penalty
from skhmc.nn.modules import EmbeddingNetwork

__all__ = ["HyperbolicHMC"]

POINTS_FACTOR = 10.0  # learning rate of the points, in that of the network


class HyperbolicHMC(NetworkHMC):
    r"""Multi-label classifier that learns the hierarchy of its labels.

    One network embeds X. Every label is a point in hyperbolic space. This space has
    room for trees: the number of places grows exponentially with the radius. The score
    of a label is the product of both embeddings. The points are trained together with
    the classifier. Labels that often occur together move near to each other. General
    labels move to the inside, special labels to the outside. ``learned_hierarchy_`` is
    the hierarchy that is learnt.

    Parameters
    ----------
    hierarchy : Hierarchy or what :meth:`Hierarchy.build` takes, default=None
        Label hierarchy, if it is known. None: the hierarchy is learnt from labels that
        occur together. With a hierarchy, predictions are coherent with it. Training
        then moves labels nearer to their ancestors than to labels that are neither
        ancestors nor descendants. Columns of a DataFrame Y are matched by name.
    encoder : nn.Module, class or factory, default=None
        Network that turns a batch of X into features. None is a multi-layer perceptron.
        A class or factory is called with ``input_shape`` (the shape of one sample) if
        it has this parameter. With an encoder, X may have more than two dimensions.
    hidden_layer_sizes : int, sequence of int or "auto", default=(1000,)
        Widths of the hidden layers of the perceptron. "auto" is (1000, 1000); it is
        (1000,) for a sparse X of at least 1000 features, of which at most 3 % are
        stored. They have no effect with an ``encoder``.
    linear_path : bool or "auto", default=False
        Whether a linear function of X is added to the scores of the network. It is for
        sparse X, such as texts. It has a weight for every feature and label, and needs
        all labels in every step. "auto" is True for a sparse X of at least 1000
        features, if there are at most 20 million weights. With an ``encoder`` or with
        sampled labels "auto" is False.
    embedding_dim : int, default=64
        Number of coordinates d of a label.
    dropout : float, "auto" or tuple of three, default=("auto", "auto", 0.2)
        Shares of the input, of the hidden layers and of the embedding of X that are
        dropped in training. One number sets all three. "auto" is 0.2, 0.7 and 0.5. Of
        the input it is 0.4 if ``fit`` gets more features than samples, and 0 with less
        than 10 features.
    mode : {"joint", "cascade", "flat"}, default="joint"
        When the points of the labels are trained. "joint": together with the
        classifier. "cascade": before the classifier, and then fixed. "flat": by the
        loss of the classifier only.
    embedding_weight : float, default=0.03
        Weight :math:`\lambda` of the loss of the points.
    geometry : {"hyperbolic", "euclidean"}, default="hyperbolic"
        Distance between labels: geodesic ("hyperbolic"), or squared Euclidean for
        comparison.
    similarity : {"cosine", "count", "jaccard", "ppmi"}, default="cosine"
        Measure of similarity between labels that occur together. Only ranks count.
    ranking_sample : tuple (int, int), default=(256, 20)
        Number of pairs of labels drawn per step, and number of labels drawn per pair.
        The loss makes these labels farther apart than the pair. Up to 256 labels, all
        pairs are used.
    temperature : float, default=0.1
        Temperature of the loss of points: distances are divided by it.
    max_radius : float, default=8
        Radius beyond which points are moved back. None is no limit.
    tangent_scores : bool, default=True
        Whether scores are products with tangent vectors, which have the radius as their
        length. False uses coordinates, as in the paper.
    structure : {"tree", "dag"}, default="tree"
        Kind of hierarchy that is learnt. In a "tree" labels have at most one parent, in
        a "dag" they may have several.
    parent_threshold : float, default=0.8
        Share of the samples of a label that must have another label for it to become
        the parent.
    coherence : str or None, default="auto"
        Rule that makes probabilities coherent, one in the table of
        :ref:`rules <coherence-rules>`, such as the following. "max" ("auto") raises
        labels to their highest descendant in ``hierarchy``. "min" lowers them to their
        lowest ancestor. "learned" is "max" with ``learned_hierarchy_``;
        ``early_stopping`` does not have this hierarchy yet, and uses "auto" instead.
        None gives the raw scores. May change after ``fit``.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5. After a 1-D y, None
        predicts the most probable class. With a number, the prediction goes from the
        root towards this class, and stops at the deepest label above the number.
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
        total weight to the positives and negatives of a label. But no weight is more
        than ``cap`` times that of its opposite. Without ``cap`` the limit is 3.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        Optimizer of the weights: a name, or a class of torch.optim. The named ones have
        a weight decay of 0.01, and "sgd" has a momentum of 0.9. ``optimizer__*`` sets
        these and other parameters: ``optimizer__weight_decay=0.1``.
    learning_rate_init : float or tuple of two float, default=0.001
        Learning rate. With the one-cycle schedule it is the highest one. The rate of
        the points is 10 times as high, because coordinates grow exponentially with the
        radius. A tuple has the rate of the network and that of the points. An
        ``optimizer__param_groups`` with ``table`` replaces the rate of the points.
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
    learned_hierarchy_ : Hierarchy
        The learnt hierarchy. Its labels are in the order of Y's columns.
    label_embeddings_ : ndarray of shape (n_labels, ``embedding_dim``)
        Positions of the labels in the Poincaré ball, or their coordinates if Euclidean.
    label_radius_ : ndarray of shape (n_labels,)
        Distances of the labels from the origin.
    cooccurrence_ : csr_matrix of shape (n_labels, n_labels)
        Number of training samples that have both labels, or their total weight.
    geometry_ : str
        Geometry of the points in the fit, also if the parameter has changed since.
    hierarchy_ : Hierarchy
        The given hierarchy in the order of Y's columns. It is flat if none was given.
    dropout_ : tuple of float
        Shares of the input, the hidden layers and the embedding that were dropped.
    linear_path_ : bool
        Whether there is a linear path.
    n_sampled_labels_ : int or None
        Number of labels sampled in every step. None: all labels were used.
    history_ : list of dict
        Per epoch: the total loss, the loss of the labels, and the loss of their points.
    label_names_, classes_, n_iter_, net_, n_features_in_, feature_names_in_
        The same as those of :class:`HCALClassifier`.

    Notes
    -----
    Parameters with the prefixes ``optimizer__``, ``schedule__``, ``encoder__`` and
    ``callbacks__name__`` are passed on.

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
        hidden_layer_sizes: int | Sequence[int] | str = (1000,),
        linear_path: bool | str = False,
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
        n_sampled_labels: int | str | tuple[int | str, str] | None = "auto",
        max_iter: int | str = "auto",
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
        self.checkpoint = checkpoint
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
            pairs = pairs.plus(_pairs_of(former, problem.form))
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
            path=linear_path(problem, settings),
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

    def _check_can_grow(self, hierarchy):
        if self.mode != "cascade":
            return
        new = new_labels(hierarchy, self._former.form.hierarchy_of_Y)
        raise ValueError(
            f"mode='cascade' learns the labels' points before the classifier, and then "
            f"leaves them: new labels ({name_list(new)}) would have none. Start anew, "
            f"or use mode='joint'."
        )

    def _learnt_of_labels(self, former, form):
        points = _points_of(former.net, form, former.extra.geometry)
        pairs = _pairs_of(former, form)
        names = form.hierarchy_of_Y.labels
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
        return _points_of(self.net_, self._form, self.geometry_)

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


def _points_of(net, form, geometry):
    """Return the points of a form's labels; new roots are at the origin."""
    table = net.module_.table.detach()
    rows = torch.from_numpy(form.rows)
    none = rows < 0
    chosen = table[rows.to(table.device)]
    chosen[none] = 0
    return LabelPoints(chosen, geometry)


def _pairs_of(former, form):
    """Return the PairCounts that a former call left, of a form's labels."""
    labels = former.form.hierarchy_of_Y.labels
    now = form.hierarchy_of_Y.labels
    pairs = former.extra.pairs
    return pairs if labels == now else pairs.grown(labels, now)


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
