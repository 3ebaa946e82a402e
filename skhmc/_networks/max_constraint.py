"""MaxConstraintClassifier: a sigmoid per label, and the max constraint."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions

from skhmc._networks.base import NetworkHMC
from skhmc._networks.checkpoint import Checkpoint
from skhmc._networks.parameters import ENSEMBLE_CONSTRAINTS, NETWORK_CONSTRAINTS
from skhmc._networks.training import Parts, linear_path
from skhmc.coherence import RuleNames
from skhmc.nn.criteria import LabelCriterion, label_tasks
from skhmc.nn.losses import LossNames
from skhmc.nn.modules import LabelNetwork

__all__ = ["MaxConstraintClassifier"]


class MaxConstraintClassifier(NetworkHMC):
    r"""Hierarchical multi-label classifier with a plain network and the max constraint.

    One network scores all labels with a linear layer. The probability of a label is
    then the highest one among the label and its descendants. So predictions are
    coherent. Use it as a baseline for other networks.

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
    dropout : float, "auto" or tuple of two, default="auto"
        Shares of the input and of the hidden layers that are dropped in training. One
        number sets both. "auto" is 0.2 and 0.7. Of the input it is 0.4 if ``fit`` gets
        more features than samples, and 0 with less than 10 features.
    label_loss : str or callable, default="bce"
        Loss of the labels by name, such as "bce" (each label by itself), "mcloss"
        (scores after the max constraint, as in the paper), "asl" or "zlpr". A callable
        takes logits and targets (B, L) and returns losses (B, L).
    coherence : str or None, default="auto"
        Rule that makes probabilities coherent, one in the table of
        :ref:`rules <coherence-rules>`, such as the following. "max" ("auto") raises
        labels to their highest descendant. "min" lowers them to their lowest ancestor.
        "average" is the mean of both. "product" multiplies conditional probabilities
        from the roots down. "isotonic" takes the nearest coherent probabilities (trees
        only). None gives the raw scores. May change after ``fit``.
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
    learning_rate_init : float, default=0.001
        Learning rate. With the one-cycle schedule it is the highest one.
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
    history_ : list of dict
        Per epoch: the loss.
    label_names_, classes_, n_iter_, net_, n_features_in_, feature_names_in_
        The same as those of :class:`HCALClassifier`.
    coherence_ : str or None
        Value of ``coherence`` in the fit, with "auto" replaced.
    dropout_ : tuple of float
        Shares of the input and the hidden layers that were dropped.
    linear_path_ : bool
        Whether there is a linear path.
    n_sampled_labels_ : int or None
        Number of labels sampled in every step. None: all labels were used.

    Notes
    -----
    With logits :math:`s` of the network, the probability of label a is
    :math:`\sigma(\max_{b \in D_a} s_b)`. The set :math:`D_a` contains a and its
    descendants.

    Parameters with the prefixes ``optimizer__``, ``schedule__``, ``encoder__`` and
    ``callbacks__name__`` are passed on.

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
        hidden_layer_sizes: int | Sequence[int] | str = "auto",
        linear_path: bool | str = False,
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
        self.checkpoint = checkpoint
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
            path=linear_path(problem, settings),
        )
        frequencies = torch.from_numpy(problem.frequencies())
        one_task = [problem.n_net_labels]
        hierarchy = problem.form.hierarchy
        tasks = label_tasks(settings.label_loss, hierarchy, one_task, frequencies)
        weights = problem.class_weight_tensors()
        criterion = LabelCriterion(tasks, class_weight=weights)
        return Parts(network, criterion, encoder.user_modules)
