"""MaxConstraintClassifier: a sigmoid per label, and the max constraint."""

import torch
from sklearn.utils._param_validation import StrOptions

from skhmc._networks.base import NetworkHMC
from skhmc._networks.encoder import build_encoder
from skhmc._networks.parameters import COMMITTEE_CONSTRAINTS, NETWORK_CONSTRAINTS
from skhmc._networks.training import Parts
from skhmc._scoring.label_form import ManyPaths
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
        Maps a batch of X to features. None is a multi-layer perceptron. A class or
        factory is called with ``input_shape`` (the shape of one sample) if it takes it.
        With an encoder, X may have more than two dimensions.
    hidden_layer_sizes : int or sequence of int, default=(1000, 1000)
        Widths of the perceptron's hidden layers.
    input_dropout, dropout : float or "auto", default="auto"
        Share of the input and of the hidden layers dropped in training. "auto" is 0.2
        (0.4 where ``fit`` gets more features than samples, 0 of less than 10 features)
        and 0.7.
    label_loss : {"bce", "mcloss", "asl", "zlpr"} or callable, default="bce"
        Loss of the labels: "bce" trains every label by itself, "mcloss" (the paper) the
        scores after the max constraint. A callable maps logits and targets (B, L) to
        losses (B, L).
    coherence : {"auto", "max", "isotonic", None}, default="auto"
        How probabilities become coherent: parents are raised to their highest child
        ("max", which is "auto"), or the nearest coherent probabilities are taken
        ("isotonic", trees only). None shows the raw scores. May change after ``fit``.
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
    history_ : list of dict
        Per epoch: the loss.
    label_names_, classes_, n_iter_, net_, n_features_in_, feature_names_in_
        As :class:`HCALClassifier` has them.
    coherence_, input_dropout_, dropout_
        What "auto" decided.

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
        "input_dropout": 0.0,
        "dropout": 0.7,
        "optimizer": "adam",
        "learning_rate_init": 1e-4,
        "weight_decay": 1e-5,
        "schedule": "constant",
        "batch_size": 4,
    }

    _parameter_constraints = {
        **NETWORK_CONSTRAINTS,
        **COMMITTEE_CONSTRAINTS,
        "label_loss": [StrOptions(LossNames(single_paths=False)), callable],
        "coherence": [StrOptions({"auto", "max", "isotonic"}), None],
    }

    def __init__(
        self,
        hierarchy=None,
        *,
        encoder=None,
        hidden_layer_sizes=(1000, 1000),
        input_dropout="auto",
        dropout="auto",
        label_loss="bce",
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
        return ManyPaths(targets.hierarchy)

    def _keep_form(self, form, targets):
        """Any labels can be learnt from in this form."""

    @property
    def coherence_(self):
        return "max" if self.coherence == "auto" else self.coherence

    def _build(self, problem):
        encoder, n_encoded, own = build_encoder(self, problem.X)
        n_labels, weights = len(problem.positive), problem.class_weight
        module = LabelNetwork(
            encoder,
            n_encoded,
            n_labels,
            bias=torch.from_numpy(problem.log_odds()),
            fixed=torch.from_numpy(problem.fixed),
        )
        frequencies = torch.from_numpy(problem.frequencies())
        levels = problem.form.hierarchy, [n_labels]  # all of them are one task
        criterion = LabelCriterion(
            label_tasks(self.label_loss, *levels, frequencies),
            class_weight=weights and tuple(map(torch.from_numpy, weights)),
        )
        return Parts(module, criterion, own)
