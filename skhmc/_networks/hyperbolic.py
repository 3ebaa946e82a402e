"""HyperbolicHMC: a classifier that learns the hierarchy of its labels."""

from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skhmc._networks.base import NetworkHMC
from skhmc._networks.encoder import build_encoder
from skhmc._networks.label_embedding import (
    LabelPoints,
    build_criterion,
    count_pairs,
    learn_table,
)
from skhmc._networks.label_similarity import SIMILARITIES
from skhmc._networks.parameters import (
    EMBEDDING_CONSTRAINTS,
    NETWORK_CONSTRAINTS,
    passed_on,
)
from skhmc._networks.training import Parts
from skhmc._scoring.label_form import ManyPaths
from skhmc.coherence import RuleNames
from skhmc.induction import learn_dag, learn_tree
from skhmc.nn.hyperbolic import log0
from skhmc.nn.modules import EmbeddingNetwork

__all__ = ["HyperbolicHMC"]


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
        None: nothing is known, and the hierarchy is learnt from labels that occur
        together. Else predictions are coherent with it, and labels are to be nearer to
        their ancestors than to what is neither ancestor nor descendant.
    encoder : nn.Module, class or factory, default=None
        Maps a batch of X to features. None is a multi-layer perceptron. A class or
        factory is called with ``input_shape`` (the shape of one sample) if it takes it.
        With an encoder, X may have more than two dimensions.
    hidden_layer_sizes : int or sequence of int, default=(1000,)
        Widths of the perceptron's hidden layers.
    embedding_dim : int, default=64
        Number of coordinates d of a label.
    input_dropout, dropout : float or "auto", default="auto"
        Share of the input and of the hidden layers dropped in training. "auto" is 0.2
        (0.4 where ``fit`` gets more features than samples, 0 of less than 10 features)
        and 0.7.
    embedding_dropout : float or "auto", default=0.2
        Share of the embedding of X dropped in training. "auto" is 0.5.
    mode : {"joint", "cascade", "flat"}, default="joint"
        Whether the labels' points are trained with the classifier, before it and then
        frozen, or by the classifier alone.
    lam : float, default=0.03
        :math:`\lambda`: weight of the loss of the labels' points.
    geometry : {"hyperbolic", "euclidean"}, default="hyperbolic"
        Distance of labels: geodesic, or squared Euclidean, to compare with.
    similarity : {"cosine", "count", "jaccard", "ppmi"}, default="cosine"
        How alike labels are that occur together; ranks alone count.
    n_pairs : int, default=256
        Pairs of labels drawn per step; up to 256 labels all pairs are taken.
    n_negatives : int, default=20
        Labels drawn per pair, to be farther apart than it.
    temperature : float, default=0.1
        Distances are divided by it.
    points_rate : float, default=10
        Learning rate of the points, as a multiple of that of the network: coordinates
        grow exponentially with the radius. An ``optimizer__param_groups`` that names
        ``table`` says otherwise.
    max_radius : float, default=8
        Radius beyond which points are pulled back; None for no limit.
    tangent_scores : bool, default=True
        Whether scores are products with tangent vectors, whose length is the radius, or
        (the paper) with coordinates.
    rule : {"tree", "dag"}, default="tree"
        Whether a learnt label has one parent or several.
    reach : float, default=0.8
        Share of a label's samples that must have a label for it to be its parent.
    coherence : {"auto", "learned", "average", "max", "min", "product", "isotonic"} \
            or None, default="auto"
        Rule that makes probabilities coherent with ``hierarchy``, see
        :class:`HCALClassifier`; "auto" is "max", and "learned" is "max" with
        ``learned_hierarchy_``. None shows the raw scores. May change after ``fit``.
    threshold : float, default=None
        Probability above which a label is predicted. None is 0.5.
    proba_format : {"array", "list"}, default="array"
        Form of ``predict_proba``; "list" is MultiOutputClassifier's.
    sparse_output : bool, default=False
        Whether ``predict`` and ``predict_raw`` return CSR matrices. May change after
        ``fit``. Without effect after a 1-D y.
    class_weight : dict or "balanced", default=None
        Weight of the positives of labels, by name. "balanced" makes a label's positives
        and negatives count alike.
    class_weight_cap : float, default=3
        "balanced" weighs nothing more than this many times as much as its opposite.
    optimizer : {"adamw", "adam", "sgd"} or class, default="adamw"
        What takes the steps. A class of torch.optim gets ``learning_rate_init`` and
        what ``optimizer__*`` says.
    learning_rate_init : float, default=0.001
        Its learning rate; the peak of the one-cycle schedule.
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
    learned_hierarchy_ : Hierarchy
        What was learnt, of the labels in the order of Y's columns.
    label_embeddings_ : ndarray of shape (n_labels, ``embedding_dim``)
        The labels in the Poincaré ball; their coordinates if Euclidean.
    label_radius_ : ndarray of shape (n_labels,)
        Distances from the origin.
    cooccurrence_ : csr_matrix of shape (n_labels, n_labels)
        Training samples that have both labels, or their weight.
    hierarchy_ : Hierarchy
        What was given, in the order of Y's columns; flat if nothing was.
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
    >>> options = {"hidden_layer_sizes": (50,), "dropout": 0.0, "input_dropout": 0.0}
    >>> clf = HyperbolicHMC(**options, max_iter=5, random_state=0)
    >>> clf = clf.fit(data.data, data.target[:, 1:])  # without the root, which all have
    >>> clf.learned_hierarchy_
    Hierarchy(20 labels, 16 edges, tree of depth 1)
    """

    #: The paper's setting: ``HyperbolicHMC(**HyperbolicHMC.PUBLISHED)``.
    PUBLISHED = {
        "lam": 0.1,
        "similarity": "count",
        "temperature": 1.0,
        "points_rate": 1.0,
        "max_radius": None,
        "tangent_scores": False,
        "input_dropout": 0.0,
        "dropout": 0.0,
        "embedding_dropout": 0.0,
        "optimizer": "adam",
        "weight_decay": 0.0,
        "schedule": "constant",
    }

    _parameter_constraints = {
        **NETWORK_CONSTRAINTS,
        **EMBEDDING_CONSTRAINTS,
        "mode": [StrOptions({"joint", "cascade", "flat"})],
        "lam": [Interval(Real, 0, None, closed="left")],
        "geometry": [StrOptions({"hyperbolic", "euclidean"})],
        "similarity": [StrOptions(set(SIMILARITIES))],
        "n_pairs": [Interval(Integral, 1, None, closed="left")],
        "n_negatives": [Interval(Integral, 1, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "points_rate": [Interval(Real, 0, None, closed="neither")],
        "max_radius": [None, Interval(Real, 0, 15, closed="right")],
        "tangent_scores": ["boolean"],
        "rule": [StrOptions({"tree", "dag"})],
        "reach": [Interval(Real, 0, 1, closed="right")],
        "coherence": [StrOptions(RuleNames("auto", "learned")), None],
    }

    def __init__(
        self,
        hierarchy=None,
        *,
        encoder=None,
        hidden_layer_sizes=(1000,),
        embedding_dim=64,
        input_dropout="auto",
        dropout="auto",
        embedding_dropout=0.2,
        mode="joint",
        lam=0.03,
        geometry="hyperbolic",
        similarity="cosine",
        n_pairs=256,
        n_negatives=20,
        temperature=0.1,
        points_rate=10.0,
        max_radius=8.0,
        tangent_scores=True,
        rule="tree",
        reach=0.8,
        coherence="auto",
        threshold=None,
        proba_format="array",
        sparse_output=False,
        class_weight=None,
        class_weight_cap=3.0,
        optimizer="adamw",
        learning_rate_init=1e-3,
        momentum=0.9,
        weight_decay=1e-2,
        schedule="onecycle",
        batch_size=64,
        n_sampled_labels="auto",
        max_iter=60,
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

    @property
    def coherence_(self):
        return "max" if self.coherence == "auto" else self.coherence

    def _choose_form(self, targets, partial):
        return ManyPaths(targets.hierarchy)

    def _keep_form(self, form, targets):
        """Any labels can be learnt from in this form."""

    def _check_coherence(self, form):
        form.rule("max" if self.coherence == "learned" else self.coherence)

    def _scored_by(self):
        if self.coherence != "learned":
            return super()._scored_by()
        form = self._form.with_hierarchy(self.learned_hierarchy_)
        return form, form.rule("max")

    @property
    def _depth(self):
        return self._scored_by()[0].hierarchy_of_Y.depth

    def _build(self, problem):
        if self.mode == "cascade" and problem.partial:
            raise ValueError(
                "mode='cascade' learns the labels' points before the classifier, from "
                "all training data. Use mode='joint' with partial_fit."
            )
        former = vars(self).get("net_")
        if former is not None and self.geometry != self._geometry:
            raise ValueError(
                f"Training cannot go on with geometry={self.geometry!r}, since it was "
                f"{self._geometry!r}. Leave it as it was, or start anew."
            )
        self._geometry = self.geometry  # of the points, also when the parameter changes
        pairs = count_pairs(problem)
        self._pairs = self._pairs.plus(pairs) if problem.going_on else pairs
        self.cooccurrence_ = self._pairs.together
        criterion = build_criterion(self, problem, self._pairs)
        table = learn_table(self, criterion, former) if self.mode == "cascade" else None
        module, own = self._build_module(problem, table)
        rate = passed_on(self, "optimizer").get("lr", self.learning_rate_init)
        # the origin is no place that points should decay to
        options = {"lr": self.points_rate * rate, "weight_decay": 0.0}
        return Parts(module, criterion, own, [("table", options)])

    def _build_module(self, problem, table):
        encoder, n_encoded, own = build_encoder(self, problem.X)
        tangent = self.tangent_scores and self.geometry == "hyperbolic"
        module = EmbeddingNetwork(
            encoder,
            n_encoded,
            len(problem.positive),
            embedding_dim=self.embedding_dim,
            embedding_dropout=self.embedding_dropout_,
            tangent=log0 if tangent else None,
            table=table,
            bias=torch.from_numpy(problem.log_odds()),
            fixed=torch.from_numpy(problem.fixed),
        )
        return module, own

    def _finish(self):
        points, rates = self._points, self._pairs.rates
        options = {"threshold": self.reach, "radius": points.radius}
        if self.rule == "tree":
            self.learned_hierarchy_ = learn_tree(
                rates, self.label_names_, distances=points.apart, **options
            )
        else:
            self.learned_hierarchy_ = learn_dag(rates, self.label_names_, **options)

    @property
    def _points(self):
        check_is_fitted(self, "net_")
        return LabelPoints(self.net_.module_.table[self._form.inverse], self._geometry)

    @property
    def label_embeddings_(self):
        return self._points.positions

    @property
    def label_radius_(self):
        return self._points.radius

    def label_distances(self, labels=None):
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
