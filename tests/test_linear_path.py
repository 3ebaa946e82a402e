"""The linear path from X to the labels, beside the network."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from torch import nn

from skhmc import HCALClassifier, Hierarchy, HyperbolicHMC, MaxConstraintClassifier
from skhmc._networks.optimizer_state import transfer_grown_state
from skhmc.nn.growth import Growth
from skhmc.nn.rows import RowAdamW
from skhmc.nn.sparse import LinearPath, SparseLinear, sparse_rows

NAMES = ["all", "left", "right"]
TREE = Hierarchy(NAMES, [("all", "left"), ("all", "right")])
N_FEATURES = 1100
OPTIONS = {"hidden_layer_sizes": (4,), "batch_size": 16, "max_iter": 2}
OPTIONS |= {"random_state": 0, "learning_rate_init": 0.01, "linear_path": True}
KINDS = [
    HCALClassifier(embedding_dim=3, **OPTIONS),
    HyperbolicHMC(embedding_dim=3, **OPTIONS),
    MaxConstraintClassifier(**OPTIONS),
]
every_network = pytest.mark.parametrize(
    "network", KINDS, ids=lambda c: type(c).__name__
)


def texts(n_samples=60, n_features=N_FEATURES, density=0.01):
    """Return sparse X, and labels of which one follows from half of the features."""
    rng = np.random.default_rng(0)
    X = sp.random(n_samples, n_features, density, "csr", random_state=rng)
    half = n_features // 2
    score = np.asarray(X[:, :half].sum(axis=1) - X[:, half:].sum(axis=1)).ravel()
    number = np.arange(n_samples)
    some = number % 5 > 0
    both = number % 7 == 0
    Y = np.column_stack([some, some & ((score > 0) | both), some & (score < 0.1)])
    Y = Y.astype(int)
    return X, pd.DataFrame(Y, columns=NAMES)


def fitted(network, X, Y, **options):
    return clone(network).set_params(hierarchy=TREE, **options).fit(X, Y)


def path_of(clf):
    module = clf.net_.module_
    return getattr(module, "members", [module])[0].path


# -- gradients of the rows that a batch stores -----------------------------------------


def coo(X):
    starts, columns, values = map(torch.from_numpy, (X.indptr, X.indices, X.data))
    return sparse_rows(starts.long(), columns.long(), values, X.shape[1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_of_rows_are_those_of_the_whole(dtype):
    X, _ = texts(20)
    nothing = sp.csr_matrix((1, N_FEATURES))  # a sample without values
    X = sp.vstack([X[:3], nothing, X[3:]], format="csr")
    rows, whole = (SparseLinear(N_FEATURES, 5, row_gradients=r) for r in (True, False))
    rows, whole = rows.to(dtype), whole.to(dtype)
    rows.reset_parameters(torch.Generator().manual_seed(0))
    whole.load_state_dict(rows.state_dict())
    weigh = torch.randn(21, 5, generator=torch.Generator().manual_seed(1), dtype=dtype)
    for layer in (rows, whole):
        (layer(coo(X).to(dtype)) * weigh).sum().backward()
    grad = rows.weight.grad
    assert grad.is_sparse
    stored = grad._indices()[0]
    np.testing.assert_array_equal(stored, np.unique(X.indices))  # ascending, once
    torch.testing.assert_close(grad.to_dense(), whole.weight.grad)
    torch.testing.assert_close(rows.bias.grad, whole.bias.grad)
    dense = coo(X).to(dtype).to_dense()
    rows.weight.grad = None
    (rows(dense) * weigh).sum().backward()
    assert rows.weight.grad.is_sparse
    torch.testing.assert_close(rows.weight.grad.to_dense(), whole.weight.grad)


def test_duplicate_entries_of_a_row_add_up():
    path = LinearPath(3, 2, row_gradients=True)
    path.reset_parameters(torch.Generator())
    starts, columns = torch.tensor([0, 3]), torch.tensor([2, 0, 2])
    x = sparse_rows(starts, columns, torch.tensor([1.0, 2.0, 4.0]), 3)
    path(x).sum().backward()
    expected = torch.tensor([[2.0, 2.0], [0.0, 0.0], [5.0, 5.0]])
    torch.testing.assert_close(path.weight.grad.to_dense(), expected)


def test_a_batch_without_values_has_no_gradient():
    path = LinearPath(3, 2, row_gradients=True)
    path.reset_parameters(torch.Generator())
    optimizer = RowAdamW(path.parameters())
    path(coo(sp.csr_matrix((2, 3), dtype=np.float32))).sum().backward()
    optimizer.step()
    assert not path.weight.any()


# -- estimators ------------------------------------------------------------------------


@every_network
def test_logits_are_those_of_the_network_plus_x_times_weights(network):
    X, Y = texts()
    clf = fitted(network, X, Y)
    assert clf.linear_path_ and isinstance(clf.net_.optimizer_, RowAdamW)
    said = clf.raw_decision_function(X)
    weight = path_of(clf).weight.detach().clone()
    assert weight.abs().sum() > 0
    path_of(clf).weight.detach().zero_()
    without = clf.raw_decision_function(X)
    # columns of the network stand level by level, which is the order of Y here
    expected = without + X @ weight.numpy()
    np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-5)


@every_network
def test_only_features_that_were_seen_have_weights(network):
    X, Y = texts()
    X = X.tolil()
    X[:, 7] = 0
    clf = fitted(network, X.tocsr(), Y)
    weight = path_of(clf).weight.detach()
    seen = np.unique(X.tocsr().indices)
    assert not weight[7].any()
    assert (weight[seen].abs().sum(1) > 0).all()


@every_network
def test_without_a_path_nothing_is_drawn_for_it(network):
    X, Y = texts(n_features=20, density=0.3)
    one = fitted(network, X, Y, linear_path=False)
    two = fitted(network, X, Y, linear_path="auto")
    assert not one.linear_path_ and not two.linear_path_
    assert "path.weight" not in one.net_.module_.state_dict()
    assert np.array_equal(one.decision_function(X), two.decision_function(X))
    three = fitted(network, X, Y, max_iter=1, optimizer="sgd", learning_rate_init=1e-30)
    four = fitted(
        three, X, Y, linear_path=False
    )  # starts at 0: what else is drawn is the same
    assert np.allclose(three.decision_function(X), four.decision_function(X), atol=1e-6)


@every_network
def test_dense_and_sparse_x_give_the_same_path(network):
    X, Y = texts(n_features=30, density=0.2)
    still = {"precision": "float64"}
    sparse, dense = (fitted(network, Z, Y, **still) for Z in (X, X.toarray()))
    found = sparse.decision_function(X)
    np.testing.assert_allclose(found, dense.decision_function(X.toarray()), rtol=1e-9)


def test_what_auto_is():
    X, Y = texts()
    network = KINDS[2].set_params(linear_path="auto")
    clf = fitted(network, X, Y)
    assert clf.linear_path_
    assert not fitted(network, X.toarray(), Y).linear_path_
    assert not fitted(network, X, Y, n_sampled_labels=1).linear_path_
    assert not fitted(network, X, Y, encoder=nn.Linear(N_FEATURES, 2)).linear_path_
    # training goes on as it began
    again = clf.set_params(warm_start=True).fit(X.toarray(), Y)
    assert again.linear_path_
    KINDS[2].set_params(linear_path=True)


def test_auto_stops_at_too_many_weights(monkeypatch):
    X, Y = texts()
    network = clone(KINDS[2]).set_params(linear_path="auto")
    from skhmc._networks import parameters

    for limit, expected in ((3 * N_FEATURES, True), (3 * N_FEATURES - 1, False)):
        monkeypatch.setattr(parameters, "MAX_PATH_WEIGHTS", limit)
        assert fitted(network, X, Y).linear_path_ == expected


@every_network
def test_all_labels_are_needed(network):
    X, Y = texts()
    with pytest.raises(ValueError, match="needs all labels.*LabelTreeClassifier"):
        fitted(network, X, Y, n_sampled_labels=1)


def test_x_has_to_have_features():
    X, Y = texts()
    images = X.toarray()[:, :64].reshape(-1, 8, 8)
    with pytest.raises(ValueError, match=r"linear_path=True.*\(60, 8, 8\)"):
        fitted(KINDS[2], images, Y, encoder=nn.Flatten())


def test_an_encoder_of_the_user_may_have_a_path_beside_it():
    X, Y = texts()
    clf = fitted(KINDS[2], X, Y, encoder=nn.Linear(N_FEATURES, 2))
    assert clf.linear_path_ and path_of(clf).weight.any()
    assert clf.predict_proba(X).shape == Y.shape


class Overwriting(nn.Module):
    def forward(self, x):
        return x.zero_()[:, :2]


def test_the_path_has_x_as_it_was_before_an_encoder_wrote_into_it():
    X, Y = texts(n_features=20, density=0.3)
    clf = fitted(KINDS[2], X.toarray(), Y, encoder=Overwriting())
    assert np.ptp(clf.predict_proba(X.toarray()), axis=0).min() > 0


@pytest.mark.parametrize("given", ["yes", None, 3])
def test_other_values_are_refused(given):
    X, Y = texts()
    with pytest.raises(ValueError, match="'linear_path' parameter"):
        fitted(KINDS[2], X, Y, linear_path=given)


def test_memory_counts_its_weights(monkeypatch):
    X, Y = texts()
    asked = []
    from skhmc._networks import base

    monkeypatch.setattr(base, "FIT_ANYWHERE", 0)
    monkeypatch.setattr(base, "check_memory", lambda n, *rest: asked.append(n))
    for has_path in (True, False):
        fitted(KINDS[2], X, Y, linear_path=has_path)
    assert asked[0] - asked[1] == 3 * N_FEATURES


@every_network
@pytest.mark.parametrize(
    "options",
    [
        {"class_weight": "balanced"},
        {"precision": "float64", "optimizer": "sgd"},
        {"early_stopping": True, "n_iter_no_change": 1, "validation_fraction": 0.3},
    ],
    ids=["class weights", "sgd", "early stopping"],
)
def test_other_parameters_work_with_it(network, options):
    X, Y = texts()
    clf = fitted(network, X, Y, **options)
    assert clf.linear_path_ and path_of(clf).weight.any()
    assert np.array_equal(
        clf.predict_proba(X), pickle.loads(pickle.dumps(clf)).predict_proba(X)
    )


@pytest.mark.parametrize("network", [KINDS[0], KINDS[2]])
def test_several_networks_have_one_path_each(network):
    X, Y = texts()
    clf = fitted(network, X, Y, n_estimators=2)
    members = clf.net_.module_.members
    assert not torch.equal(members[0].path.weight, members[1].path.weight)


@every_network
def test_training_goes_on_with_it(network):
    X, Y = texts()
    parts = [(X[:30], Y[:30]), (X[30:], Y[30:])]
    clf = clone(network).set_params(hierarchy=TREE)
    for part in parts:
        clf.partial_fit(*part)
    again = clone(network).set_params(hierarchy=TREE).partial_fit(*parts[0])
    again = pickle.loads(pickle.dumps(again)).partial_fit(*parts[1])
    assert np.array_equal(clf.decision_function(X), again.decision_function(X))
    steps = clf.net_.optimizer_.state[path_of(clf).weight]["step"]
    assert steps == 4  # of both parts
    with pytest.raises(ValueError, match="'path.weight' is None and was"):
        clf.set_params(linear_path=False).partial_fit(*parts[0])
    warm = fitted(network, X, Y, warm_start=True)
    before = path_of(warm).weight.detach().clone()
    still = {"learning_rate_init": 1e-30, "optimizer__weight_decay": 0.0}
    warm.set_params(**still).fit(X, Y)
    torch.testing.assert_close(path_of(warm).weight.detach(), before)


# -- new labels ------------------------------------------------------------------------

GROWN = Hierarchy(
    ["new", "all", "left", "far left", "right"],
    [("all", "left"), ("all", "right"), ("left", "far left")],
)


@every_network
def test_new_labels_start_from_their_parent(network):
    X, Y = texts()
    clf = clone(network).set_params(hierarchy=TREE).partial_fit(X, Y)
    said = pd.DataFrame(clf.raw_decision_function(X), columns=clf.label_names_)
    before = pd.DataFrame(path_of(clf).weight.detach().numpy(), columns=NAMES)
    grown = pickle.loads(pickle.dumps(clf)).grow(GROWN)
    now = pd.DataFrame(grown.raw_decision_function(X), columns=grown.label_names_)
    np.testing.assert_allclose(now[NAMES], said[NAMES], rtol=1e-6)
    whole = Y.assign(new=0, **{"far left": Y["left"]})
    whole.iloc[:5, whole.columns.get_loc("new")] = 1
    still = {"learning_rate_init": 1e-30, "optimizer__weight_decay": 0.0}
    clf.set_params(hierarchy=GROWN, **still).partial_fit(X, whole[list(GROWN.labels)])
    module = clf.net_.module_
    assert module.path.weight.shape == (N_FEATURES, 5)
    order = clf._former.form.hierarchy.labels  # the network's
    after = pd.DataFrame(module.path.weight.detach().numpy(), columns=order)
    # the decay that rows are due since they were last seen comes with the next step
    np.testing.assert_allclose(after[NAMES], before, rtol=1e-3)
    np.testing.assert_allclose(after["far left"], after["left"], rtol=1e-6)
    assert after["new"].abs().max() < 1e-20
    state = clf.net_.optimizer_.state[module.path.weight]
    assert state["exp_avg"].shape == (N_FEATURES, 5)
    assert state["last"].shape == (N_FEATURES,)


def test_what_the_optimizer_knows_of_columns_goes_with_the_labels():
    growth = Growth(
        source=torch.tensor([1, 1, 0]),
        own=torch.tensor([True, False, False]),
        drawn=torch.tensor([False, False, True]),
        shift=torch.zeros(3),
    )
    old = torch.nn.Parameter(torch.randn(4, 2))
    new = torch.nn.Parameter(torch.randn(4, 3))
    former, follower = RowAdamW([old]), RowAdamW([new])
    former.state[old] = {
        "step": torch.tensor(3.0),
        "exp_avg": torch.arange(8.0).view(4, 2),
        "last": torch.arange(4.0),
    }
    tables = {"path": ["path.weight"]}
    one, other = {"path.weight": old}, {"path.weight": new}
    given = former, one, follower, other.items(), growth, (tables, tables)
    transfer_grown_state(*given, {"path.weight"})
    state = follower.state[new]
    first, second = torch.arange(8.0).view(4, 2).unbind(1)
    expected = torch.stack([second, second, (first + second) / 2], 1)
    assert torch.equal(state["exp_avg"], expected)
    assert torch.equal(state["last"], torch.arange(4.0)) and state["step"] == 3
