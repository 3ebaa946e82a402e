"""Networks as modules of torch: the probabilities of predict_proba, by column."""

from copy import deepcopy

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from skhmc import (
    CoherentClassifier,
    HCALClassifier,
    HierarchicalCalibratedClassifier,
    HierarchicalThresholdClassifier,
    Hierarchy,
    HyperbolicHMC,
    MaxConstraintClassifier,
)
from skhmc.coherence import RULES
from skhmc.export import to_torch
from skhmc.nn import rules
from skhmc.nn.rules import RULE_MODULES
from skhmc.nn.sparse import LinearPath
from tests.hierarchies import random_hierarchy

N_FEATURES = 5
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
KINDS = {
    "hcal": HCALClassifier(embedding_dim=4, **SMALL),
    "hyperbolic": HyperbolicHMC(embedding_dim=4, **SMALL),
    "max_constraint": MaxConstraintClassifier(**SMALL),
    "ensemble": MaxConstraintClassifier(n_estimators=2, **SMALL),
}


def closed_labels(hierarchy, n_samples, seed, single=False):
    """Return labels that are closed upward: of one label per sample, or of several."""
    rng = np.random.default_rng(seed)
    n = hierarchy.n_labels
    ends = rng.integers(n, size=(n_samples, 1 if single else 3))
    Y = np.zeros((n_samples, n), dtype=int)
    for row, labels in enumerate(ends):
        for label in labels:
            Y[row, [label, *hierarchy.ancestors[label].indices]] = 1
    return Y


def fitted(kind, *, max_parents=1, single=False, n_labels=12, **options):
    """Return a fitted network, and rows."""
    hierarchy = random_hierarchy(n_labels, seed=3, max_parents=max_parents)
    Y = closed_labels(hierarchy, 60, seed=0, single=single)
    X = np.random.default_rng(1).normal(size=(60, N_FEATURES)).astype(np.float32)
    clf = deepcopy(KINDS[kind]).set_params(hierarchy=hierarchy, **options)
    return clf.fit(X, Y), X


def check(estimator, X, tol=2e-6):
    """Compare a module with predict_proba: its columns, its rows, its dtype."""
    module = to_torch(estimator)
    found = module(torch.from_numpy(X))
    expected = np.asarray(estimator.predict_proba(X))
    found = found.numpy()
    assert found.dtype == expected.dtype
    np.testing.assert_allclose(found, expected, rtol=0, atol=tol)
    one = module(torch.from_numpy(X[:1])).numpy()
    assert [f"{p:.4f}" for p in one[0]] == [f"{p:.4f}" for p in expected[0]]
    return module


# a label with one value in Y is scored by its prior, which has its own way in networks
quiet = pytest.mark.filterwarnings("ignore:Of .* labels:UserWarning")


@quiet
@pytest.mark.parametrize("max_parents", [1, 3], ids=["tree", "dag"])
@pytest.mark.parametrize("kind", KINDS)
def test_sets_of_labels(kind, max_parents):
    clf, X = fitted(kind, max_parents=max_parents)
    assert type(clf._form).__name__ == "ManyPaths"
    for rule in ["auto", "min", "average", "product", None]:
        check(clf.set_params(coherence=rule), X)


@quiet
@pytest.mark.parametrize("kind", KINDS)
def test_the_linear_path_is_exported(kind):
    clf, X = fitted(kind, linear_path=True)
    with_path = check(clf, X)(torch.from_numpy(X))
    for module in clf.net_.module_.modules():
        if isinstance(module, LinearPath):
            assert module.weight.any()
            with torch.no_grad():
                module.weight.zero_()
    assert not torch.equal(check(clf, X)(torch.from_numpy(X)), with_path)


@quiet
def test_a_network_that_learnt_from_sparse_rows_takes_dense_ones():
    hierarchy = random_hierarchy(12, seed=3, max_parents=2)
    X = sp.random(60, 1200, 0.005, "csr", np.float32, random_state=0)
    clf = HCALClassifier(hierarchy, embedding_dim=4, linear_path=True, **SMALL)
    clf.fit(X, closed_labels(hierarchy, 60, seed=0))
    assert clf.linear_path_ and clf.net_.module_.takes_sparse
    check(clf, X.toarray())


@quiet
def test_single_paths():
    options = {"label_loss": "softmax", "leaf_prediction": "optional"}
    clf, X = fitted("hcal", single=True, **options)
    assert len(clf._form.space.stops)  # samples stop at internal labels, too
    for rule in ["auto", "max", "average", None]:
        check(clf.set_params(coherence=rule), X)


@quiet
def test_the_learned_hierarchy():
    clf, X = fitted("hyperbolic")
    check(clf.set_params(coherence="learned"), X)


@pytest.mark.parametrize("label_loss", ["bce", "softmax"])
def test_one_class_per_sample(label_loss):
    """After a 1-D y the columns are classes, whose probabilities add up to 1."""
    tree = Hierarchy.from_edges([("a", "b"), ("a", "c"), ("d", "e")])
    X = np.random.default_rng(0).normal(size=(60, N_FEATURES)).astype(np.float32)
    y = np.array(["b", "c", "e", "a"] * 15)
    clf = HCALClassifier(tree, label_loss=label_loss, **SMALL).fit(X, y)
    module = check(clf, X)
    np.testing.assert_allclose(module(torch.from_numpy(X)).sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", RULE_MODULES)
@pytest.mark.parametrize("seed", range(4))
def test_rules_are_those_of_the_table(name, seed):
    hierarchy = random_hierarchy(30, seed, max_parents=1 + seed)
    values = np.random.default_rng(seed).random((30, 7))
    values[::4] = 0  # the product divides by these
    found = RULE_MODULES[name](hierarchy)(torch.from_numpy(values.copy()))
    expected = RULES[name].constrain(values.copy(), hierarchy)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("most, n_steps", [(2**14, 8), (20, 13), (0, 19)])
def test_small_steps_of_a_level_are_joined(most, n_steps, monkeypatch):
    monkeypatch.setattr(rules, "SMALL_STEP", most)
    hierarchy = random_hierarchy(60, 0, max_parents=2)
    rule = RULE_MODULES["max"](hierarchy)
    assert rule.n_steps == n_steps
    values = np.random.default_rng(0).random((60, 7))
    found = rule(torch.from_numpy(values.copy())).numpy()
    assert np.array_equal(found, RULES["max"].constrain(values, hierarchy))


def test_a_rule_reads_nothing_back():
    """On the meta device nothing can be: there are no values."""
    rule = RULE_MODULES["average"](random_hierarchy(30, 0, max_parents=3)).to("meta")
    assert rule(torch.empty(30, 7, device="meta")).shape == (30, 7)


@quiet
def test_on_another_device_without_values():
    clf, X = fitted("hcal", max_parents=3)
    module = to_torch(clf).to("meta")
    assert module(torch.empty(4, N_FEATURES, device="meta")).shape == (4, 12)


# -- what may be around ----------------------------------------------------------------


@quiet
def test_thresholds_change_no_probability():
    clf, X = fitted("max_constraint")
    Y = closed_labels(clf.hierarchy_, 60, seed=0)
    around = HierarchicalThresholdClassifier(FrozenEstimator(clf)).fit(X, Y)
    assert torch.equal(
        to_torch(around)(torch.from_numpy(X)), to_torch(clf)(torch.from_numpy(X))
    )


# a map that is steep, as where a network has hardly learnt, shows float32's last bits
EXACT = {"precision": "float64"}


@quiet
@pytest.mark.parametrize("method", ["sigmoid", "temperature"])
@pytest.mark.parametrize("per", ["label", "level", "all"])
def test_calibration_is_exported(method, per):
    clf, X = fitted("max_constraint", max_parents=2, **EXACT)
    X = X.astype(np.float64)
    Y = closed_labels(clf.hierarchy_, 60, seed=0)
    options = {"method": method, "per": per}
    around = HierarchicalCalibratedClassifier(FrozenEstimator(clf), **options)
    check(around.fit(X, Y), X)
    check(around.set_params(coherence=None), X)


def test_calibration_of_classes():
    X = np.random.default_rng(0).normal(size=(60, N_FEATURES)).astype(np.float32)
    y = np.array(["b", "c", "e"] * 20)
    clf = MaxConstraintClassifier(**SMALL, **EXACT).fit(X, y)
    X = X.astype(np.float64)
    check(HierarchicalCalibratedClassifier(FrozenEstimator(clf)).fit(X, y), X)


# -- the module ------------------------------------------------------------------------


class Centered(nn.Module):
    """An encoder that writes into its batch, as users' do."""

    def __init__(self, input_shape):
        super().__init__()
        self.linear = nn.Linear(input_shape[0], 3)

    def forward(self, X):
        X.sub_(1)
        return self.linear(X)


@quiet
def test_users_encoder_and_precision():
    torch.manual_seed(0)
    clf, X = fitted("max_constraint", encoder=Centered, precision="float64")
    X = X.astype(np.float64)
    kept = X.copy()
    check(clf, X)
    assert (X == kept).all()


@quiet
def test_it_is_never_in_training():
    clf, X = fitted("hcal")
    module = to_torch(clf)
    before = module(torch.from_numpy(X))
    assert torch.equal(module.train()(torch.from_numpy(X)), before)
    assert not any(weight.requires_grad for weight in module.parameters())


@quiet
def test_later_training_leaves_it_as_it_was():
    clf, X = fitted("hcal")
    module = to_torch(clf)
    before = module(torch.from_numpy(X))
    clf.partial_fit(X, closed_labels(clf.hierarchy_, 60, seed=0))
    assert torch.equal(module(torch.from_numpy(X)), before)
    assert np.abs(clf.predict_proba(X) - before.numpy()).max() > 1e-4


@quiet
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_it_can_be_traced():
    clf, X = fitted("max_constraint", max_parents=3)
    traced = torch.jit.trace(to_torch(clf), torch.from_numpy(X[:2]))
    found = traced(torch.from_numpy(X)).numpy()
    np.testing.assert_allclose(found, clf.predict_proba(X), rtol=0, atol=2e-6)


# -- what cannot be exported -----------------------------------------------------------


def test_what_is_no_network_is_refused():
    X = np.random.default_rng(0).normal(size=(20, N_FEATURES))
    Y = np.tile([[1, 0], [0, 1]], (10, 1))
    coherent = CoherentClassifier(LogisticRegression()).fit(X, Y)
    with pytest.raises(TypeError, match="Only networks .* got CoherentClassifier"):
        to_torch(coherent)
    around = HierarchicalThresholdClassifier(FrozenEstimator(coherent)).fit(X, Y)
    with pytest.raises(TypeError, match="ThresholdClassifier around CoherentClassif"):
        to_torch(around)
    pipeline = make_pipeline(StandardScaler(), MaxConstraintClassifier(**SMALL))
    with pytest.raises(TypeError, match=r"got Pipeline. Export its last step"):
        to_torch(pipeline.fit(X, Y))
    with pytest.raises(TypeError, match="got the class HCALClassifier"):
        to_torch(HCALClassifier)
    with pytest.raises(TypeError, match="Expected a fitted estimator .* got list"):
        to_torch([1])
    with pytest.raises(NotFittedError):
        to_torch(HCALClassifier())


@quiet
def test_what_has_no_form_as_a_graph_is_refused():
    clf, X = fitted("max_constraint")
    Y = closed_labels(clf.hierarchy_, 60, seed=0)
    with pytest.raises(ValueError, match="'isotonic' is computed with arrays only"):
        to_torch(clf.set_params(coherence="isotonic"))
    clf.set_params(coherence="auto")
    around = HierarchicalCalibratedClassifier(FrozenEstimator(clf), method="isotonic")
    with pytest.raises(ValueError, match="by step lines .* method='sigmoid'"):
        to_torch(around.fit(X, Y))
    more = [(p, c) for p, c in clf.hierarchy_.edges.tolist()]
    names = clf.hierarchy_.labels
    more = [(names[p], names[c]) for p, c in more] + [(names[0], 99)]
    clf.grow(Hierarchy.from_edges(more, labels=[*names, 99]))
    with pytest.raises(ValueError, match=r"grow\(\) took in .* partial_fit"):
        to_torch(clf)
