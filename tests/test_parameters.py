"""What "auto" means is decided in one place; parameters are described alike."""

import dataclasses
import inspect
import pydoc
import re

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpydoc.docscrape import ClassDoc, NumpyDocString
from sklearn.utils._param_validation import InvalidParameterError

from skhmc import HCALClassifier, Hierarchy, HyperbolicHMC, MaxConstraintClassifier
from skhmc._data.targets import read_targets
from skhmc._networks import parameters
from skhmc._networks.parameters import resolve
from skhmc._scoring.label_form import ManyPaths, SinglePath
from skhmc.coherence import RULES
from tests.instances import FAST
from tests.test_public_names import documented

NETWORKS = [type(estimator) for _, estimator in FAST]
TREE = {"a1": "a", "a2": "a"}
LABELS = ["a", "a1", "a2"]
MANY = np.array([[1, 1, 1], [1, 0, 1], [0, 0, 0]])
SINGLE = np.array([[1, 1, 0], [1, 0, 1], [1, 0, 1]])


def settings_of(clf, Y=MANY, X=None, **options):
    """Resolve the parameters of an estimator for some labels."""
    targets = read_targets(Y, Hierarchy.build(TREE, labels=LABELS))
    X = np.zeros((len(Y), 12)) if X is None else X
    before = dict(vars(clf))
    found = resolve(
        clf._params,
        targets,
        X,
        dropped=clf._dropped,
        **{
            "n_encoded": None,
            "device": "cpu",
            "former": None,
            "partial": False,
            "title": "",
        }
        | options,
    )
    assert vars(clf) == before  # resolving writes nothing
    return found


@pytest.mark.parametrize("kind", NETWORKS)
def test_nothing_is_auto_any_more(kind):
    found = settings_of(kind())
    values = dataclasses.asdict(found).values()
    assert not [value for value in values if isinstance(value, str) and value == "auto"]
    assert "auto" not in found.dropout
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.dropout = ()


def test_labels_decide_on_their_loss():
    many = settings_of(HCALClassifier(), MANY)
    single = settings_of(HCALClassifier(), SINGLE)
    assert isinstance(many.form, ManyPaths) and many.label_loss == "bce"
    assert isinstance(single.form, SinglePath) and single.label_loss == "softmax"
    assert (many.leaf_prediction, single.leaf_prediction) == ("optional", "mandatory")
    # later parts of the data may have other sets of labels
    assert settings_of(HCALClassifier(), SINGLE, partial=True).label_loss == "bce"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("auto", (0.4, 0.7, 0.5)),  # 12 features, 3 samples
        (0.0, (0.0, 0.0, 0.0)),
        (0.3, (0.3, 0.3, 0.3)),
        (("auto", 0.1, "auto"), (0.4, 0.1, 0.5)),
        ([0.1, 0.2, np.float32(0.25)], (0.1, 0.2, 0.25)),
        (np.array([0.1, 0.2, 0.25]), (0.1, 0.2, 0.25)),
        (np.array(0.25), (0.25, 0.25, 0.25)),
        (np.array("auto"), (0.4, 0.7, 0.5)),
    ],
)
def test_dropout_is_one_share_for_all_or_one_each(given, expected):
    assert settings_of(HCALClassifier(dropout=given)).dropout == expected


def test_dropout_where_features_are_few_or_samples_many():
    tall = settings_of(HCALClassifier(), X=np.zeros((3, 3)))
    assert tall.dropout[0] == 0.0 and tall.dropout[1:] == (0.7, 0.5)
    Y = np.repeat(MANY, 10, axis=0)
    assert settings_of(HCALClassifier(), Y).dropout == (0.2, 0.7, 0.5)
    assert settings_of(MaxConstraintClassifier(), Y).dropout == (0.2, 0.7)
    assert settings_of(HyperbolicHMC(), Y).dropout == (0.2, 0.7, 0.2)
    wide = settings_of(HCALClassifier(), partial=True)  # nobody knows how many follow
    assert wide.dropout[0] == 0.2


def test_linear_head_where_there_is_room(monkeypatch):
    assert settings_of(HCALClassifier()).linear_head
    assert settings_of(HCALClassifier(), n_encoded=10**6).linear_head
    assert not settings_of(HCALClassifier(), n_encoded=10**7).linear_head
    monkeypatch.setattr(parameters, "MAX_LABELS_WITH_HEAD", 2)
    assert not settings_of(HCALClassifier()).linear_head
    assert settings_of(HCALClassifier(linear_head=True)).linear_head


def test_labels_are_sampled_where_they_are_many_and_the_loss_allows_it(monkeypatch):
    assert settings_of(HCALClassifier()).n_sampled_labels is None
    monkeypatch.setattr(parameters, "MAX_LABELS_EXACT", 2)
    found = settings_of(HCALClassifier())
    assert found.n_sampled_labels == 5_000 and found.row_gradients
    other = settings_of(HCALClassifier(optimizer="adam"))
    assert other.n_sampled_labels == 5_000 and not other.row_gradients
    assert settings_of(HCALClassifier(label_loss="mcloss")).n_sampled_labels is None


def test_wide_sparse_input_stays_sparse():
    wide = sp.random(3, 2000, 0.005, "csr", random_state=0)
    assert settings_of(HCALClassifier(), X=wide).sparse_input
    assert not settings_of(HCALClassifier(), X=wide[:, :900]).sparse_input
    assert not settings_of(HCALClassifier(), X=wide.toarray()).sparse_input


def test_named_optimizers_have_what_goes_without_saying():
    found = settings_of(HCALClassifier())
    assert found.optimizer is torch.optim.AdamW
    assert found.optimizer_options == {"weight_decay": 0.01, "fused": True}
    sgd = settings_of(HCALClassifier(optimizer="sgd", optimizer__momentum=0.5))
    assert sgd.optimizer_options == {"weight_decay": 0.01, "momentum": 0.5}
    mine = settings_of(HCALClassifier(optimizer=torch.optim.RMSprop))
    assert mine.optimizer_options == {}


def test_precision_is_one_choice():
    found = {
        p: settings_of(HCALClassifier(precision=p)).dtype for p in parameters.DTYPES
    }
    assert found.pop("float64") is torch.float64
    assert set(found.values()) == {torch.float32}


# -- the constructors ------------------------------------------------------------------


MAX_PARAMETERS = 39  # one in, one out; contrastive came for its gain on texts


@pytest.mark.parametrize("kind", NETWORKS)
def test_constructors_are_not_longer_than_this(kind):
    named = inspect.signature(kind).parameters
    assert len(named) <= MAX_PARAMETERS
    assert set(named) == set(kind._parameter_constraints)


def described(kind):
    """Return type and description of every parameter, as the docstring has them."""
    rows = ClassDoc(kind)["Parameters"]
    return {row.name: (row.type, " ".join(row.desc)) for row in rows}


# what these parameters do is another thing in each network
DIFFERING = {
    "hierarchy",
    "hidden_layer_sizes",
    "embedding_dim",
    "dropout",
    "temperature",
    "label_loss",
    "coherence",
    "threshold",
    "class_weight",
    "learning_rate_init",
}


def test_shared_parameters_are_described_alike():
    docs = [described(kind) for kind in NETWORKS]
    names = set().union(*docs)
    differing = set()
    for name in names:
        texts = {doc[name] for doc in docs if name in doc}
        if len(texts) > 1:
            differing.add(name)
    assert differing <= DIFFERING


HEADLESS = re.compile(
    r"(as|ditto|draws|false|how|its|judge|likewise|maps|must|not|of|only|or|see|that"
    r"|what|with)\b|[^\w]|\w\.$",
    re.IGNORECASE,
)


def headless(text):
    """Tell whether a description needs what stands above it to be understood."""
    return not text or HEADLESS.match(text) is not None


def test_what_stands_alone():
    alone = ("Names of the labels.", "Number of labels L.", "Official names.")
    needy = ("", "As in ``fit``.", "What is counted.", "L.", ":math:`H_k`.", "Its sum.")
    assert not any(map(headless, alone)) and all(map(headless, needy))


def test_every_description_stands_alone():
    """Of all that is public: an editor shows one parameter, and nothing around it."""
    descriptions = {}
    for path in documented():
        text = inspect.cleandoc(pydoc.locate(path).__doc__)
        for row in NumpyDocString(text)["Parameters"]:
            descriptions[path, row.name] = " ".join(row.desc)
    assert len(descriptions) > 300
    found = [
        f"{where}: {text}" for where, text in descriptions.items() if headless(text)
    ]
    assert not found, "\n".join(found)


BY_DEFAULT = HCALClassifier().get_params() | {
    "optimizer__momentum": 0.9,
    "optimizer__weight_decay": 0.01,
}

# -- what is wrong is said before anything is touched ----------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"dropout": (2.0, 0.0, 0.0)},
        {"class_weight": ("balanced", 0.5)},
        {"aggregation": (0.5, 0)},
        {"learning_rate_init": (-1.0, 1.0)},
        {"early_stopping": "hvr"},
        {"optimizer": "sgd", "optimizer__momentum": 1.0},
        {"optimizer__weight_decay": -0.1},
        {"dropout": np.array(["auto", "none"])},
        {"dropout": {0.1, 0.2, 0.3}},
        {"learning_rate_init": (True, 0.1)},
    ],
    ids=lambda wrong: list(wrong)[-1],
)
def test_a_wrong_part_leaves_a_fitted_estimator_fitted(wrong):
    clf = HCALClassifier(TREE, hidden_layer_sizes=(4,), max_iter=1, random_state=0)
    X = np.random.default_rng(0).normal(size=(20, 4))
    Y = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1]])[np.arange(20) % 4]
    clf.hierarchy = Hierarchy.build(TREE, labels=LABELS)
    before = clf.fit(X, Y).predict_proba(X)
    with pytest.raises(InvalidParameterError, match=list(wrong)[-1]):
        clf.set_params(**wrong).fit(X, Y)
    # what predictions do not read is no matter of theirs
    np.testing.assert_array_equal(clf.predict_proba(X), before)
    for name in wrong:
        clf.set_params(**{name: BY_DEFAULT.get(name)})
    np.testing.assert_array_equal(clf.predict_proba(X), before)


def test_a_subclass_need_not_declare_what_its_parameters_may_be():
    class Free(MaxConstraintClassifier):
        _parameter_constraints = {}

    class More(MaxConstraintClassifier):
        _parameter_constraints = {
            **MaxConstraintClassifier._parameter_constraints,
            "never": [int],
        }

    X = np.random.default_rng(0).normal(size=(20, 4))
    Y = np.arange(40).reshape(20, 2) % 3 > 0
    small = {"hidden_layer_sizes": (4,), "max_iter": 1, "random_state": 0}
    expected = MaxConstraintClassifier(**small).fit(X, Y).predict_proba(X)
    for kind in (Free, More):
        found = kind(**small).fit(X, Y).predict_proba(X)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("threshold", [0.2, 0.99])
@pytest.mark.parametrize("coherence", ["max", "min", None])
def test_early_stopping_judges_what_predict_would_return(threshold, coherence):
    stopping = settings_of(
        HCALClassifier(
            early_stopping="f1_micro", threshold=threshold, coherence=coherence
        )
    ).early_stopping
    assert (stopping.rule, stopping.threshold) == (RULES.get(coherence), threshold)
    probabilities = settings_of(HCALClassifier(early_stopping=True, coherence=None))
    assert probabilities.early_stopping.rule is RULES["max"]
    learned = HyperbolicHMC(early_stopping="f1_micro", coherence="learned")
    assert settings_of(learned).early_stopping.rule is RULES["max"]


def test_the_threshold_decides_when_training_ends():
    """Above 1 nothing is predicted, so that no epoch is better than the first."""
    X = np.random.default_rng(0).normal(size=(60, 4))
    Y = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1]])[np.arange(60) % 4]
    clf = HCALClassifier(
        Hierarchy.build(TREE, labels=LABELS),
        hidden_layer_sizes=(4,),
        max_iter=8,
        schedule="constant",
        early_stopping="f1_micro",
        n_iter_no_change=2,
        threshold=1.0,
        random_state=0,
    )
    assert clf.fit(X, Y).n_iter_ == 3
    assert clf.set_params(threshold=0.0).fit(X, Y).n_iter_ == 3  # all are, always


def test_encoders_are_not_made_for_a_number_that_cannot_be():
    made = []

    def encoder(input_shape):
        made.append(1)
        return torch.nn.Linear(*input_shape, 3)

    X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    Y = np.array([[1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 1]])[np.arange(20) % 4]
    clf = HCALClassifier(encoder=encoder, max_iter=1, warm_start=True).fit(X, Y)
    with pytest.raises(ValueError, match="n_estimators=1, but got n_estimators=2"):
        clf.set_params(n_estimators=2).fit(X, Y)
    assert len(made) == 1
