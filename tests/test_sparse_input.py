"""Sparse X: the layer that multiplies what is stored, and which X stays sparse."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

import skhmc
from skhmc import HCALClassifier, Hierarchy, HyperbolicHMC, MaxConstraintClassifier
from skhmc._networks import parameters
from skhmc._networks.batches import SliceDataset
from skhmc._networks.parameters import INPUT_NORM
from skhmc.nn import rows
from skhmc.nn.modules import Dropout, LabelNetwork, MLPEncoder, initialise
from skhmc.nn.rows import RowAdamW
from skhmc.nn.sparse import SparseLinear, map_values, sparse_rows

TREE = Hierarchy.from_edges([(0, 1), (0, 2)])
N_FEATURES = 1200
STILL = {
    "hidden_layer_sizes": (16,),
    "dropout": 0.0,
    "precision": "float64",
    "batch_size": 16,
    "max_iter": 4,
    "random_state": 0,
}


def wide(n_samples=50, density=0.005, n_features=N_FEATURES, seed=0):
    """Return sparse X, one of whose rows is empty, and labels that follow from it."""
    rng = np.random.default_rng(seed)
    X = sp.random(n_samples, n_features, density, "csr", random_state=rng)
    X = sp.csr_matrix(X.multiply(np.arange(n_samples)[:, None] > 0))
    X.eliminate_zeros()
    half = np.asarray(X[:, : n_features // 2].sum(axis=1)).ravel()
    first, some = half > np.median(half), np.arange(n_samples) % 5 > 0
    return X, np.column_stack([some, some & first, some & ~first]).astype(int)


def coo(X):
    parts = (torch.from_numpy(a) for a in (X.indptr, X.indices, X.data))
    starts, columns, values = parts
    return sparse_rows(starts.long(), columns.long(), values, X.shape[1])


def layer(n_features=N_FEATURES, width=7):
    made = SparseLinear(n_features, width).double()
    initialise(made, torch.Generator().manual_seed(0), torch.Generator(), set())
    return made


def median_length(X):
    norms = np.linalg.norm(X.toarray(), axis=1)
    return np.median(norms[norms > 0])


# -- the layer -------------------------------------------------------------------------


def test_rows_of_a_csr_matrix():
    X, _ = wide()
    np.testing.assert_array_equal(coo(X).to_dense(), X.toarray())
    doubled = map_values(coo(X), lambda values: 2 * values)
    np.testing.assert_array_equal(doubled.to_dense(), 2 * X.toarray())


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_layer_and_its_gradients_are_those_of_a_dense_one(dtype):
    X, _ = wide()
    sparse, dense = layer().to(dtype), nn.Linear(N_FEATURES, 7).to(dtype)
    dense.load_state_dict(sparse.state_dict())
    x = torch.from_numpy(X.toarray()).to(dtype)
    weigh = torch.randn(50, 7, generator=torch.Generator().manual_seed(1), dtype=dtype)
    for one in (sparse(coo(X).to(dtype)), sparse(x), dense(x)):
        one.mul(weigh).sum().backward()
        torch.testing.assert_close(one, dense(x))
    torch.testing.assert_close(sparse.weight.grad, 2 * dense.weight.grad.t())
    torch.testing.assert_close(sparse.bias.grad, 2 * dense.bias.grad)


def test_gradients_against_finite_differences():
    X, _ = wide(4, 0.2, n_features=5)
    made = layer(5, 3)

    def outputs(weight, bias):
        weights = {"weight": weight, "bias": bias}
        return torch.func.functional_call(made, weights, (coo(X),))

    assert torch.autograd.gradcheck(outputs, (made.weight, made.bias))


def test_rows_without_values():
    made = layer()
    nothing = coo(sp.csr_matrix((3, N_FEATURES)))
    torch.testing.assert_close(made(nothing), made.bias.expand(3, 7))


def test_weights_start_as_those_of_a_dense_layer_and_load_from_them():
    def network(takes_sparse):
        encoder = MLPEncoder(N_FEATURES, [6, 5], 0.0, takes_sparse=takes_sparse)
        made = LabelNetwork(encoder, 5, 3, bias=torch.zeros(3))
        initialise(made, torch.Generator().manual_seed(0), torch.Generator(), set())
        return made

    sparse, dense = network(True), network(False)
    assert sparse.takes_sparse and not dense.takes_sparse
    assert sparse.encoder[1].weight.is_contiguous()  # an optimizer's step is fast then
    for name, value in dense.state_dict().items():
        torch.testing.assert_close(sparse.state_dict()[name], value, rtol=0, atol=0)
    for one, other in [(sparse, dense), (dense, sparse)]:
        with torch.no_grad():
            one.encoder[1].weight.mul_(2)
        other.load_from(one)
        torch.testing.assert_close(
            one.state_dict()["encoder.1.weight"], other.state_dict()["encoder.1.weight"]
        )
    with pytest.raises(ValueError, match="'encoder.1.weight' is .* and was"):
        sparse.load_from(
            LabelNetwork(MLPEncoder(9, [6, 5], 0.0), 5, 3, bias=torch.zeros(3))
        )


def test_dropout_of_the_input_drops_values_and_keeps_their_mean():
    X, _ = wide(400, 0.01)
    drop = Dropout(0.25).train()
    drop.generator = torch.Generator().manual_seed(0)
    x = coo(X)
    ratio = drop(x).values() / x.values()
    kept = ratio[ratio > 0]
    torch.testing.assert_close(kept, torch.full_like(kept, 4 / 3))
    n = len(ratio)
    assert abs((ratio == 0).sum().item() - n / 4) < 5 * (n * 3 / 16) ** 0.5
    torch.testing.assert_close(x.values(), coo(X).values())  # X is what it was
    assert drop.eval()(x) is x


# -- estimators ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [HCALClassifier, MaxConstraintClassifier])
@pytest.mark.parametrize("layers", [(), (5,)])
def test_sparse_and_dense_x_give_the_same_fit_up_to_rounding(kind, layers, monkeypatch):
    X, Y = wide()
    options = STILL | {"hidden_layer_sizes": layers, "callbacks": [Callback()]}
    as_scaled = INPUT_NORM / median_length(X)
    dense = kind(TREE, **options).fit(as_scaled * X.toarray(), Y)
    widths, toarray = [], sp.csr_matrix.toarray
    spy = lambda a: widths.append(a.shape[1]) or toarray(a)  # noqa: E731
    monkeypatch.setattr(sp.csr_matrix, "toarray", spy)
    sparse = kind(TREE, **options).fit(X, Y)
    assert sparse.net_.module_.takes_sparse and not dense.net_.module_.takes_sparse
    found = sparse.decision_function(X)
    assert N_FEATURES not in widths  # X was never made dense
    monkeypatch.undo()
    assert np.ptp(found) > 0.1  # something was learnt
    np.testing.assert_allclose(
        found, dense.decision_function(as_scaled * X.toarray()), rtol=1e-9
    )
    np.testing.assert_allclose(found, dense.decision_function(as_scaled * X), rtol=1e-9)
    np.testing.assert_allclose(found, sparse.decision_function(X.toarray()), rtol=1e-9)


@pytest.mark.parametrize(
    ("n_features", "density", "stays"),
    [(1000, 0.03, True), (999, 0.005, False), (1000, 0.031, False)],
)
def test_what_stays_sparse(n_features, density, stays):
    X, Y = wide(100, density, n_features)
    options = STILL | {"max_iter": 1}
    clf = MaxConstraintClassifier(TREE, **options).fit(X, Y)
    assert clf.net_.module_.takes_sparse == stays
    assert not clf.fit(X.toarray(), Y).net_.module_.takes_sparse


def test_training_goes_on_in_the_form_it_began():
    X, Y = wide()
    clf = MaxConstraintClassifier(TREE, **STILL).partial_fit(X[:30], Y[:30])
    other = pickle.loads(pickle.dumps(clf))
    clf.partial_fit(X[30:], Y[30:])
    other.partial_fit(X[30:].toarray(), Y[30:])
    assert other.net_.module_.takes_sparse
    np.testing.assert_allclose(
        clf.decision_function(X), other.decision_function(X), rtol=1e-9
    )


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_fits_are_repeated_bit_for_bit(dtype):
    X, Y = wide()
    made = [
        HCALClassifier(TREE, hidden_layer_sizes=(8,), max_iter=3, batch_size=16)
        .set_params(random_state=0, precision=dtype)
        .fit(X, Y)
        for _ in range(2)
    ]
    one, two = (clf.decision_function(X) for clf in made)
    np.testing.assert_array_equal(one, two)
    again = pickle.loads(pickle.dumps(made[0])).decision_function(X)
    np.testing.assert_array_equal(one, again)


def test_a_step_writes_only_the_weights_of_features_that_it_has():
    X, Y = wide()
    network = MaxConstraintClassifier(TREE, linear_path=True, **STILL | {"max_iter": 1})
    clf = network.fit(X, Y)
    assert isinstance(clf.net_.optimizer_, RowAdamW)
    first = clf.net_.module_.encoder[1]
    absent = np.setdiff1d(np.arange(N_FEATURES), X.indices)
    drawn = clone(network).set_params(learning_rate_init=1e-30).fit(X, Y)
    start = drawn.net_.module_.encoder[1].weight
    assert len(absent)
    assert torch.equal(first.weight[absent], start[absent])
    moved = (first.weight[X.indices] - start[X.indices]).abs().sum(1)
    assert (moved > 0).all()


@pytest.mark.parametrize("entries", [1, 7, 2**30])
def test_blocks_of_rows_give_the_same_bits(entries, monkeypatch):
    X, Y = wide()
    options = STILL | {"max_iter": 2, "linear_path": True}
    said = MaxConstraintClassifier(TREE, **options).fit(X, Y).decision_function(X)
    monkeypatch.setattr(rows, "BLOCK_ENTRIES", entries)
    again = MaxConstraintClassifier(TREE, **options).fit(X, Y).decision_function(X)
    np.testing.assert_array_equal(said, again)


class Watching(nn.Module):
    def __init__(self, input_shape):
        super().__init__()
        self.layer = nn.Linear(*input_shape, 3)

    def forward(self, x):
        assert not x.is_sparse
        return self.layer(x)


def test_encoders_of_users_get_dense_batches():
    X, Y = wide()
    clf = MaxConstraintClassifier(TREE, encoder=Watching, max_iter=1)
    clf.fit(X, Y).predict(X)
    assert not clf.net_.module_.takes_sparse


def test_read_only_and_duplicate_entries():
    X, _ = wide()
    starts = np.array([0, 3, 3], dtype=np.int64)
    twice = sp.csr_matrix(([1.0, 2.0, 4.0], [5, 0, 5], starts), (2, N_FEATURES))
    for array in (twice.data, twice.indices, twice.indptr):
        array.flags.writeable = False
    dataset = SliceDataset(twice, dtype=torch.float64, sparse=True)
    x, _ = dataset.batch(slice(0, 2), "cpu")
    made = layer()
    torch.testing.assert_close(made(x), made(torch.from_numpy(twice.toarray())))
    assert dataset.width == 1  # stored values per row, not features


# -- what "auto" means for texts -------------------------------------------------------

NETWORKS = (HCALClassifier, HyperbolicHMC, MaxConstraintClassifier)
SMALL = {"embedding_dim": 4, "random_state": 0}


def network(kind, **options):
    if kind is MaxConstraintClassifier:
        options.pop("embedding_dim", None)
    return kind(TREE, **options)


def widths_of(clf):
    weights = clf.net_.module_.encoder.state_dict()
    return [len(w) for name, w in weights.items() if name.endswith("weight")]


def first_layer(clf):
    return clf.net_.module_.encoder[1]


@pytest.mark.parametrize("kind", [HCALClassifier, MaxConstraintClassifier])
def test_auto_is_small_and_short_for_texts(kind):
    X, Y = wide()
    clf = network(kind, **SMALL).fit(X, Y)
    assert widths_of(clf) == [1000] and clf.n_iter_ == 60  # one step each
    few = network(kind, **SMALL, max_iter=1).fit(X[:, :900], Y)  # of few features
    assert widths_of(few) == [1000, 1000]
    assert few.set_params(hidden_layer_sizes=2, max_iter="auto").fit(X[:, :9], Y)
    assert few.n_iter_ == 60


@pytest.mark.parametrize(
    ("n_samples", "batch_size", "optimizer", "n_epochs"),
    [
        (64 * 500, 64, "adamw", 10),
        (64 * 500, 64, "sgd", 60),
        (64 * 40, 64, "adam", 20),
        (64 * 40 + 1, 64, "adam", 20),
        (64 * 5, 64, "adamw", 60),
        (10_000, None, "adamw", 60),
    ],
)
def test_texts_have_as_many_epochs_as_800_steps_need(
    n_samples, batch_size, optimizer, n_epochs
):
    given = {"batch_size": batch_size, "optimizer": optimizer, "max_iter": "auto"}
    assert parameters._n_epochs(given, n_samples, True) == n_epochs
    assert parameters._n_epochs(given, n_samples, False) == 60
    assert parameters._n_epochs(given | {"max_iter": 7}, n_samples, True) == 7


def test_an_encoder_trains_as_long_as_on_dense_x():
    X, Y = wide()
    clf = network(MaxConstraintClassifier, encoder=nn.Linear(N_FEATURES, 2))
    assert clf.fit(X, Y).n_iter_ == 60
    assert type(clf.net_.optimizer_) is torch.optim.AdamW


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("factor", [1e-6, 8.0, 1e6])
def test_the_unit_of_texts_changes_nothing(kind, factor):
    X, Y = wide()
    options = SMALL | {"hidden_layer_sizes": (8,), "precision": "float64"}
    told, other = (network(kind, **options).fit(a, Y) for a in (X, factor * X))
    np.testing.assert_allclose(
        other.predict_proba(factor * X), told.predict_proba(X), rtol=1e-6, atol=1e-9
    )


@pytest.mark.parametrize("large", [1.0, 1e8])
def test_the_median_length_of_rows_is_the_same(large):
    X, Y = wide()
    X = sp.diags([large] + [1.0] * 49) @ X[::-1]  # one row does not decide
    clf = MaxConstraintClassifier(TREE, **STILL).fit(X, Y)
    scaled = clf.net_.module_.input_scale * X
    assert median_length(scaled) == pytest.approx(INPUT_NORM)
    dense = MaxConstraintClassifier(TREE, **STILL).fit(X.toarray(), Y)
    assert dense.net_.module_.input_scale == 1


def test_texts_without_a_word_are_fitted():
    X, Y = wide()
    clf = MaxConstraintClassifier(TREE, **STILL).fit(0 * X, Y)
    assert np.isfinite(clf.predict_proba(0 * X)).all()
    clf.fit(sp.csr_matrix(X.shape), Y)
    assert np.isfinite(clf.predict_proba(X)).all()


def test_row_gradients_train_nearly_as_dense_ones():
    X, Y = wide(200, 0.01)
    options = STILL | {"max_iter": 30, "hidden_layer_sizes": (64,)}
    rows_only = MaxConstraintClassifier(TREE, **options).fit(X, Y)
    options["callbacks"] = [Callback()]
    whole = MaxConstraintClassifier(TREE, **options).fit(X, Y)
    assert not isinstance(whole.net_.optimizer_, RowAdamW)
    found, expected = rows_only.predict_proba(X), whole.predict_proba(X)
    assert np.ptp(expected) > 0.9
    assert 0 < abs(found - expected).mean() < 0.05


def test_later_training_keeps_scale_and_gradients():
    X, Y = wide()
    clf = MaxConstraintClassifier(TREE, **STILL).partial_fit(X[:30], Y[:30])
    scale = clf.net_.module_.input_scale
    assert scale != 1 and first_layer(clf).row_gradients
    for more in (7 * X[30:], X[30:].toarray()):
        clf.partial_fit(more, Y[30:])
        assert clf.net_.module_.input_scale == scale and first_layer(clf).row_gradients
    clf.set_params(warm_start=True, hidden_layer_sizes=16).fit(9 * X, Y)
    assert clf.net_.module_.input_scale == scale


@pytest.mark.parametrize("n_estimators", [1, 2])
def test_files_and_graphs_have_the_scale(n_estimators, tmp_path):
    X, Y = wide()
    options = STILL | {"precision": "float32", "n_estimators": n_estimators}
    clf = MaxConstraintClassifier(TREE, **options).fit(X, Y)
    said = clf.predict_proba(X)
    skhmc.save(clf, tmp_path / "texts.skhmc")
    loaded = skhmc.load(tmp_path / "texts.skhmc")
    np.testing.assert_array_equal(loaded.predict_proba(X), said)
    module = skhmc.export.to_torch(clf)
    found = module(torch.from_numpy(X.toarray().astype(np.float32))).numpy()
    np.testing.assert_allclose(found, said, atol=1e-5)


def test_a_network_kept_before_there_was_a_scale_trains_on_as_it_did():
    X, Y = wide()
    clf = MaxConstraintClassifier(TREE, **STILL, warm_start=True).fit(X, Y)
    del clf.net_.module_.encoder.input_scale  # as in files of before
    clf.set_params(max_iter="auto").fit(X, Y)
    assert clf.net_.module_.input_scale == 1 and clf.n_iter_ == 60
    assert type(clf.net_.optimizer_) is torch.optim.AdamW


def test_a_hierarchy_that_grows_keeps_the_moments_of_the_words():
    X, Y = wide()
    clf = MaxConstraintClassifier(TREE, **STILL).partial_fit(X, Y)
    before = clf.net_.optimizer_.state[first_layer(clf).weight]["step"].item()
    more = Hierarchy.from_edges([(0, 1), (0, 2), (0, 3)])
    clf.set_params(hierarchy=more).partial_fit(X, np.column_stack([Y, 0 * Y[:, 0]]))
    state = clf.net_.optimizer_.state[first_layer(clf).weight]
    assert state["step"].item() > before
    assert state["last"].max().item() == state["step"].item()
