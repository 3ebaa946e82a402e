"""Numbers, parameters and modules that users hand over: right, or refused in our words.

One short test per example. Dtypes of coherence functions stand in test_numbers.py,
files of strangers in test_datasets_clus_arff.py, callbacks in
test_contract_pass_through.py, what encoders return in test_encoders.py.
"""

import inspect
import threading
import tracemalloc
import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    LearningCurveDisplay,
    ValidationCurveDisplay,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils._param_validation import InvalidParameterError
from skorch.callbacks import (
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    Freezer,
    InputShapeSetter,
    LRScheduler,
    PassthroughScoring,
    TensorBoard,
)
from torch import nn

import skhmc
from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalThresholdClassifier,
    HierarchicalVotingClassifier,
    Hierarchy,
    HyperbolicHMC,
    LabelTreeClassifier,
    MaxConstraintClassifier,
    model_selection,
    preprocessing,
)
from skhmc._networks import base, memory
from skhmc._networks.training import n_weights
from skhmc.coherence import average_constraint
from skhmc.metrics import hierarchical_f1_scorer

NETWORKS = [HCALClassifier, HyperbolicHMC, MaxConstraintClassifier]
H = Hierarchy.from_edges([("a", "a1"), ("a", "a2")], labels=["a", "a1", "a2"])
X = np.random.default_rng(0).normal(size=(40, 4))
Y = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1]])[np.arange(40) % 4]
SMALL = {"hidden_layer_sizes": (6,), "batch_size": 16, "max_iter": 2, "random_state": 0}


def small(kind, **options):
    return kind(H, **(SMALL | options))


# -- numbers of numpy, as every parameter ----------------------------------------------


FITS_NOTHING = (Exception, Hierarchy, skhmc.Checkpoint)


def public_estimators():
    """Return every public class with parameters, by introspection."""
    found = []
    for module in (skhmc, preprocessing, model_selection):
        for name in module.__all__:
            kind = getattr(module, name)
            if inspect.isclass(kind) and not issubclass(kind, FITS_NOTHING):
                found.append(kind)
    return sorted(set(found), key=lambda kind: kind.__name__)


def forms(value):
    """Return what numpy has for a value."""
    if isinstance(value, bool):
        return [np.bool_(value)]
    if isinstance(value, int):
        return [np.int64(value), np.int8(value), np.uint16(value)]
    if isinstance(value, float):
        exact = [np.float32(value)] if float(np.float32(value)) == value else []
        return [np.float64(value), *exact]
    if isinstance(value, str):
        return [np.str_(value)]
    if isinstance(value, tuple) and not any(isinstance(v, str) for v in value):
        return [
            np.array(value),
            [np.float64(v) if v % 1 else np.int64(v) for v in value],
        ]
    return []


# what is None by default, and smaller than the default
GIVEN = SMALL | {
    "threshold": 0.5,
    "embedding_dim": 4,
    "ranking_sample": (8, 2),
    "max_radius": 8.0,
    "n_jobs": 1,
    "n_splits": 2,
    "n_repeats": 2,
    "test_size": 0.5,
    "train_size": 0.5,
    "shuffle": True,
    "cv": 2,
    "sep": "/",
}


OWN = {
    preprocessing.TaxonomyEncoder: {"taxonomies": "paths"},
    LabelTreeClassifier: {"max_iter": 100},  # in 2 it does not converge
    HierarchicalVotingClassifier: {
        "estimators": [("one", DecisionTreeClassifier(max_depth=2, random_state=0))]
    },
}


def arguments(kind):
    """Return the arguments that the test gives a class, by name."""
    given = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        if name in GIVEN:
            given[name] = GIVEN[name]
        elif parameter.default is not parameter.empty:
            given[name] = parameter.default
    if "estimator" in inspect.signature(kind).parameters:
        tree = DecisionTreeClassifier(max_depth=2, random_state=0)
        given["estimator"] = tree
        if kind is HierarchicalThresholdClassifier:
            given["estimator"] = CoherentClassifier(tree, H)
    if kind in (*NETWORKS, CoherentClassifier, preprocessing.AncestorClosure):
        given["hierarchy"] = H
    return given | OWN.get(kind, {})


def outcome(kind, given):
    """Return arrays of all that an object of a class does."""
    made = kind(**given)
    if hasattr(made, "split"):
        groups = np.arange(len(Y)) // 2 if "Group" in kind.__name__ else None
        return [rows for parts in made.split(X, Y, groups) for rows in parts]
    if kind is preprocessing.TaxonomyEncoder:
        return [made.fit_transform([["a/x"], ["a/y"]]).toarray()]
    if kind is preprocessing.HierarchicalLabelBinarizer:
        return [made.fit_transform([["a/x", "b"], ["a/y"]])]
    if kind is preprocessing.AncestorClosure:
        return [made.fit_transform(Y)]
    made.fit(X, Y)
    if hasattr(made, "predict"):
        return [made.predict(X), made.predict_proba(X)]
    return [made.transform(X)]


@pytest.mark.parametrize("kind", public_estimators(), ids=lambda kind: kind.__name__)
def test_every_parameter_in_every_form_of_numpy(kind):
    """All parameters at once, turn by turn; where one is refused, its name is said."""
    given = arguments(kind)
    expected = outcome(kind, given)
    turns = {name: forms(value) for name, value in given.items()}
    assert any(turns.values()) or kind is preprocessing.AncestorClosure
    for turn in range(4):
        changed = {
            name: turns[name][turn % len(turns[name])] if turns[name] else value
            for name, value in given.items()
        }
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = outcome(kind, changed)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_introspection_finds_the_estimators():
    assert {*NETWORKS, CoherentClassifier} < set(public_estimators())
    assert len(public_estimators()) >= 12


@pytest.mark.parametrize("kind", NETWORKS)
def test_clones_and_searches_keep_what_numpy_says(kind):
    clf = clone(kind(H).set_params(max_iter=np.int8(3), threshold=np.float32(0.5)))
    assert clf.get_params()["max_iter"] == 3 and clf.threshold == 0.5
    search = GridSearchCV(
        small(kind), {"max_iter": np.arange(1, 3)}, cv=KFold(2), error_score="raise"
    )
    assert search.fit(X, Y).best_estimator_.n_iter_ in (1, 2)


# -- weights ---------------------------------------------------------------------------

KINDS_OF_FIT = [
    lambda: small(HCALClassifier),
    lambda: small(MaxConstraintClassifier),
    lambda: small(HyperbolicHMC),
    lambda: CoherentClassifier(LogisticRegression(), H),
    lambda: HierarchicalThresholdClassifier(small(MaxConstraintClassifier), cv=2),
]


@pytest.mark.parametrize("make", KINDS_OF_FIT)
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.r_[-1.0, np.ones(39)], "at least 0, got -1.0"),
        (np.r_[np.nan, np.ones(39)], "finite sample_weight"),
        (np.r_[np.inf, np.ones(39)], "finite sample_weight"),
        (np.zeros(40), "only zeros"),
        (np.ones(3), r"shape \(40,\) or \(40, 3\), got \(3,\)"),
        (np.ones(40) * 1j, "real numbers, got complex128"),
        ([10**400] * 40, "that a float can hold"),
        (pd.Series([pd.NA] + [1.0] * 39), "finite sample_weight"),
    ],
)
def test_weights_that_cannot_be(make, weight, message):
    with pytest.raises(ValueError, match=message):
        make().fit(X, Y, sample_weight=weight)


@pytest.mark.parametrize("make", KINDS_OF_FIT[:3])
@pytest.mark.parametrize("weight", [1e308, 5e-324, np.float16(6e4), np.uint8(200)])
def test_the_scale_of_weights_means_nothing_to_a_network(make, weight):
    expected = make().fit(X, Y).predict_proba(X)
    found = make().fit(X, Y, sample_weight=np.full(40, weight)).predict_proba(X)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("make", KINDS_OF_FIT[3:])
@pytest.mark.parametrize("shape", [(40,), (40, 3)])
def test_weights_that_cannot_be_added_up_reach_no_other_estimator(make, shape):
    with pytest.raises(ValueError, match="whose sum is finite, got weights up to 1e"):
        make().fit(X, Y, sample_weight=np.full(shape, 1e308))


# -- sums in small dtypes --------------------------------------------------------------


@pytest.mark.parametrize(
    ("scores", "mean"),
    [
        (np.array([[200, 250]], np.uint8), 225),
        (np.array([[100, 127]], np.int8), 113.5),
        (np.array([[True, True]]), 1),
        (np.array([[6e4, 6e4]], np.float16), 6e4),
        (np.array([[1, 2]], object), 1.5),
    ],
)
def test_means_in_every_dtype(scores, mean):
    found = average_constraint(scores, Hierarchy.from_edges([(0, 1)]))
    np.testing.assert_allclose(found.astype(float), [[mean, mean]], rtol=1e-3)


# -- X near the limits -----------------------------------------------------------------


# of the sum by which scikit-learn looks for infinite values
@pytest.mark.filterwarnings("ignore:invalid value encountered in reduce")
@pytest.mark.parametrize("kind", NETWORKS)
def test_outputs_are_finite_or_an_error(kind):
    clf = small(kind).fit(X, Y)
    for method in ("predict", "predict_proba", "decision_function"):
        try:
            assert np.isfinite(getattr(clf, method)(np.sign(X) * 3e38)).all()
        except FloatingPointError as error:
            assert "X may hold much larger numbers" in str(error)


# -- sizes of networks -----------------------------------------------------------------


ABSURD = [
    {"hidden_layer_sizes": (10**9,)},
    {"hidden_layer_sizes": (10**30,)},
    {"hidden_layer_sizes": (10**6, 10**6)},
    {"embedding_dim": 10**12},
    {"n_estimators": 10**9},
]


@pytest.mark.parametrize(
    ("kind", "sizes"),
    [
        (kind, sizes)
        for kind in NETWORKS
        for sizes in ABSURD
        if set(sizes) <= set(kind().get_params())
    ],
)
def test_absurd_sizes_take_no_memory(kind, sizes):
    tracemalloc.start()
    with pytest.raises(InvalidParameterError, match=f"memory are free.*{[*sizes][0]}="):
        small(kind, **sizes).fit(X, Y)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def test_the_memory_that_is_said(monkeypatch):
    # 4 features, 6 hidden, embedding of 5, 3 labels: 4 * 6 + 5 * (6 + 3), and a linear
    # head 6 * 3; AdamW keeps 3 numbers of 4 bytes of each
    settings = SimpleNamespace(
        hidden_layer_sizes=[6], linear_head=True, linear_path=False
    )
    assert n_weights(4, 4, 3, {"embedding_dim": 5}, settings) == 87
    assert n_weights(4, 4, 3, {}, settings) == 42  # without an embedding
    clf = small(HCALClassifier, embedding_dim=5, linear_head=True, n_estimators=2)
    needed = 2 * (87 * 4 * 3 + memory.OBJECTS)
    monkeypatch.setattr(base, "FIT_ANYWHERE", 0)
    monkeypatch.setattr(memory, "_memory_of", lambda device: needed - 1)
    with pytest.raises(InvalidParameterError, match="2 networks have 174 weights"):
        clf.fit(X, Y)
    monkeypatch.setattr(memory, "_memory_of", lambda device: needed)
    clf.fit(X, Y)


def test_an_encoder_counts_as_often_as_it_is_copied(monkeypatch):
    made = []

    def encoder():
        made.append(1)
        return nn.Linear(4, 5)

    monkeypatch.setattr(memory, "_memory_of", lambda device: 10**6)
    with pytest.raises(InvalidParameterError, match="n_estimators=100"):
        small(HCALClassifier, encoder=encoder, n_estimators=100).fit(X, Y)
    assert made == [1]


def test_memory_that_runs_out_later_is_said(monkeypatch):
    class Greedy(nn.Linear):
        def forward(self, X):
            if self.training:
                torch.empty(10**15)
            return super().forward(X)

    message = "Memory ran out in fit.*hidden_layer_sizes=.*batch_size=16"
    with pytest.raises(MemoryError, match=message):
        small(HCALClassifier, encoder=Greedy(4, 5)).fit(X, Y)


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_size": 0},
        {"hidden_layer_sizes": (0,)},
        {"hidden_layer_sizes": (2.5,)},
        {"max_iter": 0},
        {"max_iter": np.array([1, 2])},
        {"perturbation": 1e300},
        {"random_state": -1},
        {"n_estimators": np.array(0)},
        {"dropout": np.array(1.0)},
    ],
    ids=str,
)
def test_sizes_that_cannot_be(wrong):
    with pytest.raises(InvalidParameterError, match=[*wrong][0]):
        small(HCALClassifier, **wrong).fit(X, Y)


def test_a_chunk_of_more_samples_than_there_are():
    expected = small(HCALClassifier, aggregation=(0.5, 40)).fit(X, Y)
    found = small(HCALClassifier, aggregation=(0.5, 10**12)).fit(X, Y)
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))


# -- encoders --------------------------------------------------------------------------


class Encoder(nn.Linear):
    """An encoder whose output is changed by a function."""

    def __init__(self, change, n_inputs=4):
        super().__init__(n_inputs, 5)
        self.change = change

    def forward(self, X):
        return self.change(super().forward(X))


@pytest.mark.parametrize("kind", [HCALClassifier, MaxConstraintClassifier])
@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (Encoder(lambda h: h, 7), r"shape \(2, 4\) .*float32: .*\(2x4 and 7x5\)"),
        (nn.Conv2d(1, 2, 3), r"could not encode 2 samples.*shape \(2, 4\)"),
        (nn.Embedding(9, 5), "could not encode 2 samples"),
        (nn.LSTM(4, 5), "returned tuple. Expected a tensor of shape"),
        (Encoder(lambda h: {"h": h}), "returned dict. Expected a tensor of shape"),
        (Encoder(lambda h: h.detach().numpy()), "returned ndarray. Expected a tensor"),
        (Encoder(lambda h: h[:1]), r"shape \(1, 5\).*Expected .*\(2, width\)"),
        (Encoder(lambda h: h.double()), "torch.float64. Expected .*torch.float32"),
        (Encoder(lambda h: h / 0), "NaN or infinity for 10 of 10 features"),
        (Encoder(lambda h: h * torch.nan), "NaN or infinity for 10 of 10 features"),
        (Encoder(lambda h: h[:, : len(h)]), r"\(13, 5\).*expected \(13, 2\)"),
        (lambda: 1 / 0, "made no module when it was called with .*division"),
        (nn.Linear, "made no module.*in_features.*encoder__name"),
        (lambda input_shape: nn.Linear(9, 5), r"\(2x4 and 9x5\)"),
    ],
)
def test_encoders_that_do_not_fit(kind, encoder, message):
    with pytest.raises(ValueError, match=message):
        small(kind, encoder=encoder).fit(X, Y)


def test_an_encoder_may_return_more_dimensions():
    stacked = Encoder(lambda h: torch.stack([h, -h], dim=2))
    clf = small(HCALClassifier, encoder=stacked).fit(X, Y)
    assert clf.net_.module_.n_encoded == 10


# -- callbacks of skorch ---------------------------------------------------------------


class Writer:
    """What tensorboard has, with what no copy can have."""

    def __init__(self):
        self.lock = threading.Lock()
        self.written = []

    def add_scalar(self, tag, scalar_value, global_step):
        self.written.append((tag, global_step))

    def close(self):
        pass


def fit_with(callback, **options):
    return small(MaxConstraintClassifier, callbacks=[callback], **options).fit(X, Y)


def test_a_writer_of_tensorboard():
    writer = Writer()
    fit_with(TensorBoard(writer))
    assert ("Loss/train_loss", 1) in writer.written
    assert ("Loss/train_loss", 2) in writer.written


def test_early_stopping_of_skorch():
    # no loss can fall by a factor of a million, so that the second epoch is the last
    stop = EarlyStopping("train_loss", patience=1, threshold=1 - 1e-6)
    assert fit_with(stop, max_iter=9).n_iter_ == 2


@pytest.mark.parametrize(
    "callback",
    [
        EarlyStopping(),
        Checkpoint(),
        LRScheduler("ReduceLROnPlateau", monitor="valid_loss"),
        EarlyStopping("valid_score"),
    ],
)
def test_a_record_that_is_not_there(callback):
    with pytest.raises(ValueError, match="There are .*'train_loss'.*early_stopping=T"):
        fit_with(callback)


def test_a_checkpoint_ends_with_its_best_weights(tmp_path):
    files = {"dirname": tmp_path, "sink": lambda text: None}
    best = Checkpoint("train_loss_best", load_best=True, **files)
    options = {"max_iter": 12, "learning_rate_init": 0.9, "schedule": "constant"}
    clf = fit_with(best, **options)
    losses = [epoch["train_loss"] for epoch in clf.history_]
    until = int(np.argmin(losses)) + 1
    assert until < 12
    expected = fit_with(
        PassthroughScoring("train_loss"), **options | {"max_iter": until}
    )
    np.testing.assert_array_equal(clf.predict_proba(X), expected.predict_proba(X))


@pytest.mark.parametrize(
    ("callback", "message"),
    [
        (EpochScoring("f1_micro", on_train=True), "scores a net.*Use early_stopping"),
        (InputShapeSetter(), "sets the size of a module.*input_shape"),
    ],
)
def test_callbacks_that_cannot_work_are_refused(callback, message):
    with pytest.raises(InvalidParameterError, match=message):
        fit_with(callback)


def test_frozen_weights_stay():
    clf = fit_with(Freezer("encoder*"))
    other = fit_with(Freezer("encoder*"), max_iter=4)
    for one, two in zip(
        clf.net_.module_.encoder.parameters(),
        other.net_.module_.encoder.parameters(),
        strict=True,
    ):
        assert torch.equal(one, two)


# -- displays, texts -------------------------------------------------------------------


def test_displays_take_our_scorers():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    clf = CoherentClassifier(KNeighborsClassifier(), H)
    options = {"scoring": hierarchical_f1_scorer, "cv": KFold(2)}
    shown = LearningCurveDisplay.from_estimator(
        clf, X, Y, train_sizes=[0.5, 1.0], **options
    )
    assert shown.ax_.get_ylabel() == "Hierarchical f1 score"
    name = {"param_name": "estimator__n_neighbors", "param_range": np.arange(1, 3)}
    ValidationCurveDisplay.from_estimator(clf, X, Y, **name, **options)
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize(
    "read",
    [
        lambda sep: Hierarchy.from_paths(["a/b"], sep=sep),
        lambda sep: Hierarchy.from_levels([["a", "b"]], sep=sep),
        lambda sep: preprocessing.HierarchicalLabelBinarizer(sep=sep).fit([["a/b"]]),
        lambda sep: preprocessing.TaxonomyEncoder(sep=sep).fit([["a/b"]]),
    ],
)
def test_an_empty_separator(read):
    with pytest.raises(ValueError, match="sep must be .*got ''"):
        read("")


def test_parents_of_a_long_chain():
    n = 3000
    chain = Hierarchy.from_edges([(i, i + 1) for i in range(n - 1)])
    assert chain.ancestors.nnz == n * (n - 1) // 2
