"""Losses by a sample of the labels: unbiased, and never all labels in a batch."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from skhmc import HCALClassifier, Hierarchy, HyperbolicHMC, MaxConstraintClassifier
from skhmc._networks import parameters
from skhmc._networks.batches import Batches, SliceDataset
from skhmc._networks.label_sampling import LabelSampler, Siblings
from skhmc.coherence import close_upward
from skhmc.nn.criteria import (
    EmbeddingCriterion,
    HCALCriterion,
    LabelCriterion,
    LabelSample,
    LabelTasks,
)
from skhmc.nn.functional import level_counts
from skhmc.nn.losses import asl, bce
from skhmc.nn.modules import (
    EmbeddingNetwork,
    LabelNetwork,
    MLPEncoder,
    PrototypeNetwork,
    initialise,
)
from tests.contract import build, every_estimator_with
from tests.hierarchies import random_hierarchy
from tests.instances import FAST

every_network = pytest.mark.parametrize(
    "estimator", [pytest.param(e, id=name) for name, e in FAST]
)
SIZES = [2, 4, 1]
N_LABELS = sum(SIZES)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def rand(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


# -- drawing ---------------------------------------------------------------------------


def test_a_sample_has_all_positive_labels_and_some_others():
    sampler = LabelSampler(50, 8, generator())
    positive = torch.tensor([3, 7, 49])
    for _ in range(20):
        labels, importance = sampler.draw(positive, torch.float64)
        assert (labels.diff() > 0).all() and len(labels) == 3 + 8
        there = torch.isin(labels, positive)
        assert there.sum() == 3
        expected = torch.where(there, 1.0, 47 / 8).double()
        torch.testing.assert_close(importance, expected)


def test_others_are_drawn_uniformly():
    sampler, counts = LabelSampler(9, 3, generator()), np.zeros(9)
    for _ in range(3000):
        counts[sampler.draw(torch.tensor([4]), torch.float64).labels] += 1
    assert counts[4] == 3000
    assert np.abs(np.delete(counts, 4) - 3000 * 3 / 8).max() < 5 * (3000 * 0.25) ** 0.5


@pytest.mark.parametrize("n_sampled", [6, 100])
def test_nothing_is_drawn_where_all_labels_are_taken(n_sampled):
    sampler = LabelSampler(7, n_sampled, generator())
    labels, importance = sampler.draw(torch.tensor([2]), torch.float64)
    assert labels.tolist() == list(range(7)) and (importance == 1).all()
    assert (sampler.generator.get_state() == generator().get_state()).all()
    every = sampler.draw(torch.arange(7), torch.float64)
    assert every.labels.tolist() == list(range(7)) and (every.importance == 1).all()


@pytest.mark.parametrize("seed", range(5))
def test_siblings_have_a_parent_in_common(seed):
    rng = np.random.default_rng(seed)
    hierarchy = random_hierarchy(12, seed, max_parents=3)
    parents = [set(hierarchy.parents[k].indices.tolist()) for k in range(12)]
    some = np.sort(rng.choice(12, 3, replace=False))
    expected = [
        k
        for k in range(12)
        if k not in some
        and any(parents[k] & parents[m] or not (parents[k] or parents[m]) for m in some)
    ]
    found = Siblings(hierarchy).of(torch.from_numpy(some))
    assert found.tolist() == expected


def near_and_far():
    """Return two labels of a hierarchy: siblings are 2 to 5, ten others are not."""
    edges = [(0, k) for k in range(2, 6)] + [(1, k) for k in range(6, 16)]
    hierarchy = Hierarchy.from_edges(edges, labels=range(16))
    return Siblings(hierarchy), torch.tensor([0, 1, 2]), np.r_[3:6], np.r_[6:16]


@pytest.mark.parametrize("n_sampled", [2, 5, 9, 12, 99])
def test_half_of_a_sample_are_siblings(n_sampled):
    siblings, positive, near, far = near_and_far()
    positive = positive[[0, 2]]  # 1 is a sibling of 0, too
    near = np.r_[1, near]
    n_near = min(n_sampled // 2, 4)
    sampler = LabelSampler(16, n_sampled, generator(), siblings)
    for _ in range(10):
        labels, importance = sampler.draw(positive, torch.float64)
        assert (labels.diff() > 0).all()
        assert len(labels) == min(2 + n_sampled, 16)
        is_near = np.isin(labels, near)
        assert is_near.sum() == n_near
        assert np.isin(labels, far).sum() == min(n_sampled - n_near, 10)
        assert (importance[is_near] == 4 / n_near).all()
        assert (importance[np.isin(labels, positive)] == 1).all()


def test_siblings_fill_up_where_there_are_few_others():
    siblings, _, _, _ = near_and_far()
    positive = torch.tensor([1, *range(6, 10)])  # near are 0 and 10 to 15
    sampler = LabelSampler(16, 9, generator(), siblings)
    labels, _ = sampler.draw(positive, torch.float64)
    assert len(labels) == 5 + 9
    assert np.isin(labels, np.r_[2:6]).sum() == 4  # all others, fewer than half


@pytest.mark.parametrize("n_sampled", [1, 2, 8])
def test_every_label_counts_once_on_average(n_sampled):
    siblings, positive, near, far = near_and_far()
    sampler, total = LabelSampler(16, n_sampled, generator(), siblings), np.zeros(16)
    n = 300
    for _ in range(n):
        labels, importance = sampler.draw(positive, torch.float64)
        total[labels] += importance.numpy()
    # importance w with probability 1 / w: its variance is w - 1
    widest = max(len(near), len(far), 13 if n_sampled == 1 else 0)
    assert np.abs(total / n - 1).max() < 5 * ((widest - 1) / n) ** 0.5
    assert (total[positive] == n).all()


@every_network
def test_siblings_are_drawn_in_a_fit(estimator, monkeypatch):
    hierarchy, X, Y = rare_labels(50)
    seen = []
    of = Siblings.of
    monkeypatch.setattr(Siblings, "of", lambda *args: seen.append(1) or of(*args))
    options = {"n_sampled_labels": 4, "max_iter": 1}
    build(estimator, hierarchy, **options).fit(X, Y)
    assert not seen
    options["n_sampled_labels"] = (4, "siblings")
    clf = build(estimator, hierarchy, **options).fit(X, Y)
    assert clf.n_sampled_labels_ == 4
    assert seen and np.isfinite(clf.predict_proba(X)).all()


def test_levels_of_a_sample():
    labels = torch.tensor([1, 2, 4, 6])
    assert level_counts(labels, SIZES) == [1, 2, 1]
    assert level_counts(labels[:0], SIZES) == [0, 0, 0]


# -- the loss is unbiased --------------------------------------------------------------


def every_sample(positive, n_sampled):
    """Yield all equally probable samples."""
    rest = np.setdiff1d(np.arange(N_LABELS), positive)
    for drawn in itertools.combinations(rest, n_sampled):
        labels = torch.from_numpy(np.sort([*positive, *drawn]))
        importance = torch.full((len(labels),), len(rest) / n_sampled).double()
        importance[torch.isin(labels, torch.tensor(positive))] = 1
        yield LabelSample(labels, importance)


def criteria():
    entropies = 0.3 + torch.rand(len(SIZES), dtype=torch.float64, generator=generator())
    weights = rand(N_LABELS).exp(), rand(N_LABELS, seed=1).exp()
    options = {"aggregation": 0.0, "chunk": 2, "gamma": 1.0}
    for loss, class_weight in itertools.product((bce, asl), (None, weights)):
        tasks = LabelTasks(loss, SIZES, entropies)
        yield LabelCriterion(tasks, class_weight=class_weight)
        options |= {"weighting": "equal", "class_weight": class_weight}
        yield HCALCriterion(tasks, **options)
        yield EmbeddingCriterion(
            tasks, None, embedding_weight=0.0, class_weight=class_weight
        )


@pytest.mark.parametrize("width", [None, 1, N_LABELS])
@pytest.mark.parametrize("unknown", [False, True])
def test_the_mean_of_all_samples_is_the_loss_of_all_labels(unknown, width):
    positive = [1, 4]
    Y = torch.zeros(3, N_LABELS, dtype=torch.float64)
    Y[0, 1] = Y[2, 1] = Y[1, 4] = 1
    if unknown:
        Y[0, 0] = Y[1, 1] = Y[2, 5] = torch.nan
    weight = None if width is None else rand(3, width, seed=2).exp()
    for criterion in criteria():
        exact = rand(3, N_LABELS).requires_grad_()
        criterion(exact, Y, weight).backward()
        logits = rand(3, N_LABELS).requires_grad_()
        samples, losses = list(every_sample(positive, 2)), []
        for sample in samples:
            C = sample.labels
            w = weight[:, C] if width == N_LABELS else weight
            losses.append(criterion.double()(logits[:, C], Y[:, C], w, sample))
        mean = torch.stack(losses).mean()
        mean.backward()
        torch.testing.assert_close(mean, criterion(exact, Y, weight))
        torch.testing.assert_close(logits.grad, exact.grad)
        assert torch.stack(losses).std() > 0.01  # one sample alone is not


def test_every_levels_loss_is_unbiased():
    tasks = LabelTasks(bce, SIZES, torch.ones(3, dtype=torch.float64))
    logits, Y = rand(2, N_LABELS), torch.zeros(2, N_LABELS, dtype=torch.float64)
    Y[0, 2] = 1
    losses = [
        tasks(logits[:, s.labels], Y[:, s.labels], None, s)
        for s in every_sample([2], 3)
    ]
    torch.testing.assert_close(torch.stack(losses).mean(0), tasks(logits, Y, None))


# -- networks --------------------------------------------------------------------------


def networks():
    """Yield networks whose logits of a label do not depend on what is drawn."""
    bias, fixed = rand(N_LABELS), torch.arange(N_LABELS) == 3
    options = {"bias": bias, "fixed": fixed}
    encoder = {"n_features": 3, "hidden_layer_sizes": [4], "dropout": 0.0}
    table = {"embedding_dim": 5, "embedding_dropout": 0.0}
    yield LabelNetwork(MLPEncoder(**encoder), 4, N_LABELS, **options)
    yield PrototypeNetwork(
        MLPEncoder(**encoder),
        4,
        SIZES,
        temperature=0.5,
        perturbation=0.0,
        normalize_features=False,
        **table,
        **options,
    )
    for tangent in (None, torch.tanh):
        yield EmbeddingNetwork(
            MLPEncoder(**encoder),
            4,
            N_LABELS,
            tangent=tangent,
            table=None,
            **table,
            **options,
        )


@pytest.mark.parametrize("labels", [[0, 2, 5, 6], [3], [0, 1], list(range(N_LABELS))])
def test_logits_of_some_labels_are_those_among_all(labels):
    X, C = rand(6, 3), torch.tensor(labels)
    for network in networks():
        network = network.double()
        initialise(network, generator(), generator(), set())
        if isinstance(network, LabelNetwork):
            network.weight.data.copy_(rand(N_LABELS, 4))
        for training in (True, False):
            network.train(training)
            every, some = network(X), network(X, labels=C)
            every, some = (
                x.logits if training and hasattr(x, "logits") else x
                for x in (every, some)
            )
            torch.testing.assert_close(some, every[:, C])
            grads = []
            for logits in (every[:, C], some):
                network.zero_grad()
                logits.square().sum().backward()
                grads.append([p.grad.clone() for p in network.parameters()])
            for one, other in zip(*grads, strict=True):
                torch.testing.assert_close(one, other)


def test_only_sampled_rows_of_the_labels_are_touched(monkeypatch):
    network = list(networks())[1].double()
    initialise(network, generator(), generator(), set())
    network.perturbation = 0.1
    out = network.train()(rand(2, 3), labels=torch.tensor([1, 4]))
    assert out.prototypes.shape == (2, 5) and out.logits.shape == (2, 2)
    out.logits.sum().backward()
    touched = torch.cat([p.grad.ne(0).any(1) for p in network.prototypes])
    assert touched.nonzero().ravel().tolist() == [1, 4]


# -- batches ---------------------------------------------------------------------------


@pytest.mark.parametrize("permuted", [False, True])
def test_batches_hold_the_columns_of_the_sample(permuted):
    rng = np.random.default_rng(0)
    Y = (rng.random((20, 30)) < 0.05).astype(float)
    Y[3, 4] = Y[9, 11] = np.nan
    columns = rng.permutation(30) if permuted else np.arange(30)
    inside = np.empty_like(Y)
    inside[:, columns] = Y
    X, weight = rng.normal(size=(20, 2)), rng.random((20, 30))
    kinds = [(sp.csr_matrix(Y), columns if permuted else None), (inside, None)]
    passes = []
    for kind, places in kinds:
        sampler = LabelSampler(30, 5, generator(1))
        options = {"dtype": torch.float64, "columns": places, "sampler": sampler}
        data = SliceDataset(X, kind, weight, **options)
        passes.append(list(Batches(data, 6, "cpu", generator())))
    order = torch.randperm(20, generator=generator())
    start = 0
    for one, other in zip(*passes, strict=True):
        (X1, (Y1, w1, s1)), (X2, (Y2, w2, s2)) = one, other
        rows = order[start : start + len(Y1)].numpy()
        start += len(Y1)
        np.testing.assert_array_equal(Y1, inside[rows][:, s1.labels])
        np.testing.assert_array_equal(w1, weight[rows][:, s1.labels])
        positive = np.flatnonzero((inside[rows] == 1).any(axis=0))
        assert set(positive) <= set(s1.labels.tolist())
        assert len(s1.labels) == len(positive) + 5
        for a, b in [
            (X1["X"], X2["X"]),
            (X1["labels"], X2["labels"]),
            (Y1, Y2),
            (w1, w2),
            (s1.importance, s2.importance),
        ]:
            assert torch.equal(a.nan_to_num(-1), b.nan_to_num(-1))
        assert torch.equal(X1["labels"], s1.labels)


def rare_labels(n_labels, n_samples=120):
    """Return a DAG, X and a closed Y of two leaves per row, each often enough."""
    hierarchy = random_hierarchy(n_labels, seed=3, max_parents=2, root_rate=0.1)
    leaves, rng = hierarchy.leaves, np.random.default_rng(0)
    Y = np.zeros((n_samples, n_labels), int)
    for _ in range(2):
        Y[np.arange(n_samples), leaves[rng.permutation(n_samples) % len(leaves)]] = 1
    Y[::7] = 0  # no label is always there
    Y = close_upward(Y, hierarchy)
    return hierarchy, Y @ rng.normal(size=(n_labels, 8)) + 0.1, Y


# -- estimators ------------------------------------------------------------------------


@every_network
def test_sparse_and_dense_targets_give_the_same_fit(estimator):
    hierarchy, X, Y = rare_labels(50)
    clf = [
        build(estimator, hierarchy, n_sampled_labels=5, batch_size=4)
        .fit(X, kind)
        .decision_function(X)
        for kind in (Y, sp.csr_matrix(Y), Y, sp.csr_matrix(Y).tocsc())
    ]
    for other in clf[1:]:
        np.testing.assert_array_equal(clf[0], other)
    exact = build(estimator, hierarchy, batch_size=4).fit(X, Y)
    assert exact.n_sampled_labels_ is None
    assert not np.array_equal(clf[0], exact.decision_function(X))


@every_network
def test_a_sample_of_all_labels_is_none(estimator):
    hierarchy, X, Y = rare_labels(50)
    options = {
        "precision": "float64",
        "schedule__cycle_momentum": False,
    }  # see RowAdamW
    every, none = (
        build(estimator, hierarchy, n_sampled_labels=n, **options).fit(X, Y)
        for n in (50, None)
    )
    np.testing.assert_allclose(
        every.decision_function(X), none.decision_function(X), rtol=1e-9
    )


@every_network
def test_fits_by_samples_go_on_and_take_weights(estimator):
    hierarchy, X, Y = rare_labels(50)
    names = {"class_weight": "balanced", "n_sampled_labels": 10}
    clf = build(estimator, hierarchy, early_stopping=True, **names)
    heavy = np.linspace(1, 2, len(X))
    assert np.isfinite(clf.fit(X, Y, sample_weight=heavy).predict_proba(X)).all()
    each = heavy[:, None] + np.zeros(50)
    np.testing.assert_allclose(
        build(clf, hierarchy, early_stopping=False)
        .fit(X, Y, sample_weight=each)
        .decision_function(X),
        build(clf, hierarchy, early_stopping=False)
        .fit(X, Y, sample_weight=heavy)
        .decision_function(X),
        rtol=1e-4,
        atol=1e-5,
    )
    clf = build(estimator, hierarchy, n_sampled_labels=10).partial_fit(X, Y)
    assert clf.partial_fit(X, Y).n_iter_ == 2


def test_what_was_learnt_by_samples_ranks_labels_as_what_was_learnt_by_all():
    hierarchy, X, Y = rare_labels(50, 400)
    options = {"hidden_layer_sizes": (32,), "max_iter": 30, "random_state": 0}
    scores = [
        MaxConstraintClassifier(hierarchy, **options, n_sampled_labels=n, dropout=0.0)
        .fit(X[:300], Y[:300])
        .predict_proba(X[300:])
        for n in (None, 10)
    ]
    for found in scores:
        assert np.corrcoef(found.ravel(), scores[0].ravel())[0, 1] > 0.95


# -- what "auto" is, and errors --------------------------------------------------------


def test_auto_samples_where_labels_are_many_and_the_loss_allows_it(monkeypatch):
    monkeypatch.setattr(parameters, "MAX_LABELS_EXACT", 49)
    monkeypatch.setattr(parameters, "N_SAMPLED_LABELS", 7)
    hierarchy, X, Y = rare_labels(50)
    small = {"hidden_layer_sizes": (4,), "max_iter": 1, "hierarchy": hierarchy}
    for kind, options, expected in [
        (MaxConstraintClassifier, {}, 7),
        (MaxConstraintClassifier, {"label_loss": "asl"}, 7),
        (MaxConstraintClassifier, {"label_loss": "mcloss"}, None),
        (MaxConstraintClassifier, {"label_loss": bce}, None),  # may look at columns
        (HCALClassifier, {}, 7),
        (HCALClassifier, {"aggregation": 0.5}, None),
        (HCALClassifier, {"n_sampled_labels": None}, None),
        (HyperbolicHMC, {}, 7),
    ]:
        assert kind(**small, **options).fit(X, Y).n_sampled_labels_ == expected
    hierarchy, X, Y = rare_labels(5)
    small["hierarchy"] = hierarchy
    assert MaxConstraintClassifier(**small).fit(X, Y).n_sampled_labels_ is None


def test_auto_of_single_paths_is_all_labels(monkeypatch):
    monkeypatch.setattr(parameters, "MAX_LABELS_EXACT", 0)
    tree, X = Hierarchy.from_edges([(0, 1), (0, 2)], labels=range(4)), np.eye(10)
    y = np.arange(10) % 3 + 1
    clf = HCALClassifier(tree, hidden_layer_sizes=(4,), max_iter=1).fit(X, y)
    assert clf.label_loss_ == "softmax" and clf.n_sampled_labels_ is None
    with pytest.raises(ValueError, match="=2 takes a sample .* label_loss='softmax'"):
        clf.set_params(n_sampled_labels=2).fit(X, y)


@every_estimator_with("label_loss")
@pytest.mark.parametrize(
    "options, message",
    [
        ({"label_loss": "mcloss"}, "=5 takes .* but label_loss='mcloss' needs all"),
        (
            {"label_loss": bce},
            "=5 takes .* but a callable label_loss needs all of them",
        ),
        ({"label_loss": "zlpr"}, "label_loss='zlpr' needs all of them. Use n_sampl"),
    ],
)
def test_losses_of_whole_label_sets_take_no_sample(estimator, options, message):
    hierarchy, X, Y = rare_labels(50)
    with pytest.raises(ValueError, match=message):
        build(estimator, hierarchy, n_sampled_labels=5, **options).fit(X, Y)


@every_estimator_with("aggregation")
def test_class_means_take_no_sample(estimator):
    hierarchy, X, Y = rare_labels(50)
    with pytest.raises(ValueError, match="aggregation=0.5 needs all of them"):
        build(estimator, hierarchy, n_sampled_labels=5, aggregation=0.5).fit(X, Y)


WRONG = [0, -1, 2.5, "many", (5,), (0, "siblings"), (5, "near"), ("many", "siblings")]


@every_network
@pytest.mark.parametrize("value", WRONG)
def test_wrong_values(estimator, value):
    hierarchy, X, Y = rare_labels(5)
    with pytest.raises(ValueError, match="'n_sampled_labels' parameter"):
        build(estimator, hierarchy, n_sampled_labels=value).fit(X, Y)
