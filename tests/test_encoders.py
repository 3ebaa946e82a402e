"""What ``encoder=`` promises: images, sequences, texts through a user's own module."""

import functools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from benchmarks.encoders import SmallCNN
from benchmarks.peers import FlatNetwork
from benchmarks.tuning.encoders import predictions, table_head, table_row
from skhmc import HCALClassifier, Hierarchy

TREE = Hierarchy.from_parents({"cat": "animal", "dog": "animal", "rose": "plant"})
PATHS = [["animal", "cat"], ["animal", "dog"], ["plant", "rose"]]
CHOICE = np.arange(66) % 3  # one of the paths per sample
Y = np.array([[int(x in PATHS[k]) for x in TREE.labels] for k in CHOICE])


def fast(**options):
    defaults = {"embedding_dim": 8, "max_iter": 15, "learning_rate_init": 0.01}
    options = {"random_state": 0, "batch_size": 16, **defaults, **options}
    return HCALClassifier(TREE, **options)


def images(*size, n_channels=2):
    """Images (66, n_channels, *size) that are brighter at another place per path."""
    X = np.random.default_rng(0).normal(size=(66, n_channels, *size))
    X[np.arange(66), 0, 2 * CHOICE] += 3
    return X


class Convolution(nn.Sequential):
    def __init__(self, input_shape, width=4):
        super().__init__(
            nn.Conv2d(input_shape[0], width, 3), nn.BatchNorm2d(width), nn.ReLU()
        )


class TwoChannels(Convolution):
    def __init__(self):
        super().__init__((2, 6, 6))


def make_convolution(input_shape):
    return Convolution(input_shape)


class Recurrent(nn.Module):
    """The last state of a GRU, which itself returns a tuple."""

    def __init__(self, input_shape):
        super().__init__()
        self.gru = nn.GRU(input_shape[-1], 8, batch_first=True)

    def forward(self, X):
        return self.gru(X)[1][0]


class Words(nn.Module):
    """The mean of word vectors; token ids arrive as floats."""

    def __init__(self, n_words=20):
        super().__init__()
        self.vectors = nn.Embedding(n_words, 8)

    def forward(self, X):
        return self.vectors(X.long()).mean(dim=1)


class Recorder(nn.Module):
    """Remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, X):
        self.seen.append(X.clone())
        return X.flatten(1)


# -- how an encoder is given -----------------------------------------------------------


@pytest.mark.parametrize(
    "encoder",
    [
        Convolution,
        TwoChannels,
        TwoChannels(),
        make_convolution,
        lambda: Convolution((2, 6, 6), width=2),
        lambda input_shape: Convolution(input_shape),
        functools.partial(Convolution, width=3),
        functools.partial(nn.Conv2d, 2, 3, kernel_size=3),
    ],
    ids="class bare_class instance function lambda sized_lambda partial torch".split(),
)
def test_a_class_an_instance_and_a_factory_learn_from_images(encoder):
    X = images(6, 6)
    clf = fast(encoder=encoder).fit(X, Y)
    assert (clf.predict(X) == Y).mean() > 0.9
    proba = clf.predict_proba(X)
    for parent, child in TREE.edges:
        assert (proba[:, child] <= proba[:, parent] + 1e-6).all()


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 6, 6), (2, 3, 3, 3)])
def test_input_shape_is_that_of_one_sample(shape):
    asked = []

    def encoder(input_shape):
        asked.append(tuple(input_shape))
        return nn.Flatten()

    X = np.random.default_rng(0).normal(size=(66, *shape))
    clf = fast(encoder=encoder, max_iter=1).fit(X, Y)
    assert asked == [shape] and clf.n_features_in_ == shape[0]
    assert clf.predict(X).shape == Y.shape


def test_lazy_layers_are_sized_from_the_data():
    lazy = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(5))
    X = images(6, 6)
    clf = fast(encoder=lazy, max_iter=1).fit(X, Y)
    assert clf.net_.module_.encoder[2].weight.shape == (5, 4 * 4 * 4)
    assert nn.parameter.is_lazy(lazy[0].weight)


def test_an_output_with_more_dimensions_is_flattened():
    X = images(6, 6)
    torch.manual_seed(0)
    inner = nn.Conv2d(2, 3, 3)
    fits = [
        fast(encoder=encoder, max_iter=2).fit(X, Y)
        for encoder in (inner, nn.Sequential(inner, nn.Flatten()))
    ]
    assert fits[0].net_.module_.embedding.in_features == 3 * 4 * 4
    np.testing.assert_array_equal(*(clf.predict_proba(X) for clf in fits))


def test_one_class_per_image_works():
    names = np.array([path[-1] for path in PATHS])[CHOICE]
    X = images(6, 6)
    clf = fast(encoder=Convolution).fit(X, names)
    assert (clf.predict(X) == names).mean() > 0.9


# -- an instance -----------------------------------------------------------------------


def test_an_instance_is_copied_and_left_as_it_was():
    given = TwoChannels().train()
    before = {name: value.clone() for name, value in given.state_dict().items()}
    clf = fast(encoder=given, max_iter=2).fit(images(6, 6), Y)
    clf.predict(images(6, 6))
    assert clf.encoder is given and clf.net_.module_.encoder is not given
    assert given.training and all(p.grad is None for p in given.parameters())
    for name, value in given.state_dict().items():  # running statistics too
        assert torch.equal(value, before[name])
    trained = clf.net_.module_.encoder.state_dict()
    assert not torch.equal(trained["0.weight"], before["0.weight"])


def test_weights_of_an_instance_are_where_training_starts():
    given = TwoChannels()
    clf = fast(encoder=given, max_iter=1, learning_rate_init=1e-9)
    trained = clf.fit(images(6, 6), Y).net_.module_.encoder[0].weight
    torch.testing.assert_close(trained, given[0].weight, atol=1e-6, rtol=0)
    assert not torch.equal(trained, given[0].weight)


def test_frozen_parameters_are_not_trained():
    given = TwoChannels()
    given[0].requires_grad_(False)
    trained = fast(encoder=given).fit(images(6, 6), Y).net_.module_.encoder
    assert torch.equal(trained[0].weight, given[0].weight)
    assert not torch.equal(trained[1].weight, given[1].weight)


def test_two_fits_start_from_the_same_instance():
    given, X = TwoChannels(), images(6, 6)
    clf = fast(encoder=given, max_iter=3)
    first = clf.fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(clf.fit(X, Y).predict_proba(X), first)


# -- randomness and modes --------------------------------------------------------------


def test_random_state_makes_an_instance_repeatable_and_leaves_torch_alone():
    X, given = images(6, 6), TwoChannels()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = fast(encoder=given, max_iter=3).fit(X, Y).predict_proba(X)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(4)
    second = fast(encoder=given, max_iter=3).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(first, second)


def test_a_class_with_dropout_is_repeatable_after_torch_manual_seed():
    def encoder(input_shape):
        return nn.Sequential(Convolution(input_shape), nn.Dropout(0.5))

    def proba(seed):
        torch.manual_seed(seed)
        return fast(encoder=encoder, max_iter=3).fit(X, Y).predict_proba(X)

    X = images(6, 6)
    np.testing.assert_array_equal(proba(0), proba(0))
    assert not np.array_equal(proba(0), proba(1))  # random_state does not reach it


@pytest.mark.parametrize("early_stopping", [False, True])
def test_encoders_predict_in_evaluation_mode(early_stopping):
    def encoder(input_shape):
        return nn.Sequential(Convolution(input_shape), nn.Dropout(0.9))

    X, options = images(6, 6), {"max_iter": 3, "early_stopping": early_stopping}
    clf = fast(encoder=encoder, **options).fit(X, Y)
    proba = clf.predict_proba(X)
    np.testing.assert_array_equal(clf.predict_proba(X), proba)
    alone = np.concatenate([clf.predict_proba(X[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, proba[:5], rtol=1e-4)


@pytest.mark.parametrize("n_samples", [3, 17, 33, 49])
def test_batch_normalisation_never_meets_a_batch_of_one(n_samples):
    def encoder(input_shape):
        return nn.Sequential(nn.Linear(input_shape[0], 4), nn.BatchNorm1d(4))

    X = np.random.default_rng(0).normal(size=(n_samples, 5))
    clf = fast(encoder=encoder, max_iter=1).fit(X, Y[:n_samples])
    assert np.isfinite(clf.predict_proba(X)).all()


# -- kinds of X ------------------------------------------------------------------------


def test_a_gru_learns_the_order_of_sequences():
    spike = np.array([1, 4, 7])[CHOICE]  # when it happens is all that differs
    X = np.random.default_rng(0).normal(scale=0.1, size=(66, 9, 3))
    X[np.arange(66), spike] += 2
    clf = fast(encoder=Recurrent, max_iter=30).fit(X, Y)
    assert (clf.predict(X) == Y).mean() > 0.9


def test_token_ids_learn_through_word_vectors():
    X = np.random.default_rng(0).integers(3, 20, size=(66, 8))
    X[:, 4] = CHOICE  # the word that tells
    clf = fast(encoder=Words, max_iter=30).fit(X, Y)
    assert (clf.predict(X) == Y).mean() > 0.9


@pytest.mark.parametrize(("dtype", "largest"), [("float32", 24), ("float64", 53)])
def test_ids_survive_up_to_the_largest_exact_float(dtype, largest):
    ids = np.repeat([[2**largest - 1, 2**largest, 1]], 66, axis=0)
    clf = fast(encoder=Recorder(), max_iter=1, precision=dtype).fit(ids / 1e9, Y)
    clf.predict(ids)
    seen = clf.net_.module_.encoder.seen[-1]
    assert seen.dtype == getattr(torch, dtype)
    assert seen[0].long().tolist() == ids[0].tolist()
    beyond = torch.tensor(2**largest + 1).to(seen.dtype).long()
    assert beyond != 2**largest + 1


def test_csr_rows_reach_an_encoder_dense():
    X = sp.random(66, 30, density=0.2, format="csr", random_state=0)
    given = nn.Sequential(nn.Linear(30, 8), nn.ReLU())
    clf = fast(encoder=given, max_iter=3).fit(X, Y)
    dense = fast(encoder=given, max_iter=3).fit(X.toarray(), Y)
    proba = clf.predict_proba(X)
    np.testing.assert_array_equal(proba, dense.predict_proba(X.toarray()))
    np.testing.assert_array_equal(proba, clf.predict_proba(X.toarray()))


def test_raw_texts_need_no_encoder_in_a_pipeline():
    words = ["purr mouse", "bark bone", "petal thorn"]
    texts = np.array([f"{words[k]} word{i % 7}" for i, k in enumerate(CHOICE)], object)
    model = make_pipeline(TfidfVectorizer(), fast(hidden_layer_sizes=20))
    model.fit(texts, Y)
    assert (model.predict(texts) == Y).mean() > 0.9
    assert model[-1].n_features_in_ == 13


def test_float64_is_the_encoders_too():
    X = images(6, 6)
    clf = fast(encoder=TwoChannels(), precision="float64", max_iter=1).fit(X, Y)
    weight = clf.net_.module_.encoder[0].weight
    assert weight.dtype == torch.float64 and clf.predict_proba(X).dtype == np.float64
    assert clf.encoder[0].weight.dtype == torch.float32  # as given


# -- scikit-learn's tools --------------------------------------------------------------


def test_a_clone_has_a_copy_of_an_instance_and_the_same_class():
    given = TwoChannels()
    copied = clone(fast(encoder=given)).encoder
    assert copied is not given and torch.equal(copied[0].weight, given[0].weight)
    assert clone(fast(encoder=Convolution)).encoder is Convolution
    assert clone(fast(encoder=make_convolution)).encoder is make_convolution


def test_a_search_chooses_between_encoders():
    pooled = nn.AdaptiveAvgPool2d(1)  # nothing left to learn from
    grid = {"encoder": [pooled, Convolution, functools.partial(Convolution, width=2)]}
    search = GridSearchCV(fast(max_iter=10), grid, cv=2).fit(images(6, 6), Y)
    assert search.best_index_ in (1, 2)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("encoder", [Convolution, TwoChannels(), make_convolution])
def test_a_pickle_predicts_the_same(encoder):
    X = images(6, 6)
    clf = fast(encoder=encoder, max_iter=2).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(clf))
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


# -- messages --------------------------------------------------------------------------


def test_what_is_no_module_class_or_factory_is_refused():
    with pytest.raises(ValueError, match="'encoder' parameter .*Got 'resnet18'"):
        fast(encoder="resnet18").fit(images(6, 6), Y)


def test_images_with_other_channels_are_refused():
    clf = fast(encoder=Convolution, max_iter=1).fit(images(6, 6), Y)
    with pytest.raises(ValueError, match="X has 3 features.*expecting 2"):
        clf.predict(images(6, 6, n_channels=3))


def test_images_of_another_size_are_refused_even_with_as_many_entries():
    clf = fast(encoder=Convolution, max_iter=1).fit(images(6, 6), Y)
    with pytest.raises(ValueError, match=r"shape \(2, 4, 9\), but .* \(2, 6, 6\)"):
        clf.predict(images(6, 6).reshape(-1, 2, 4, 9))


def test_images_without_an_encoder_are_refused_with_advice():
    with pytest.raises(ValueError, match="dim.* <= 2.*\n.*give an encoder"):
        fast(max_iter=1).fit(images(6, 6), Y)


class Returns(nn.Module):
    """An encoder whose output is made by a function of its input."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, X):
        return self.function(X * self.weight)


@pytest.mark.parametrize(
    "function, got",
    [
        (lambda X: (X, X), "tuple"),
        (lambda X: None, "NoneType"),
        (lambda X: X.sum(), r"shape \(\) and"),
        (lambda X: X.sum(dim=(1, 2, 3)), r"shape \(2,\)"),
        (lambda X: X[:, :, 0, 0].T[:1], r"shape \(1, 2\)"),
        (lambda X: X[:, :0], r"shape \(2, 0, 6, 6\)"),
        (lambda X: X.long(), "torch.int64"),
        (lambda X: X.half(), "torch.float16"),
    ],
)
def test_an_encoder_that_gives_no_vector_per_sample_is_refused(function, got):
    with pytest.raises(
        ValueError, match=f"2 samples and returned .*{got}.*sample first"
    ):
        fast(encoder=Returns(function)).fit(images(6, 6), Y)


@pytest.mark.parametrize("made", [3, nn.Linear, len])
def test_a_factory_that_makes_no_module_is_refused(made):
    with pytest.raises(ValueError, match="gave .*, expected a torch.nn.Module"):
        fast(encoder=lambda: made).fit(images(6, 6), Y)


def test_what_a_partial_says_of_the_input_shape_stands():
    partial = functools.partial(Shaped, input_shape=(7,))
    clf = fast(encoder=partial, max_iter=1).fit(images(6, 6), Y)
    assert clf.net_.module_.encoder.shape == (7,)


class Shaped(nn.Flatten):
    def __init__(self, input_shape):
        super().__init__()
        self.shape = input_shape


class Counting(nn.Flatten):
    """Keeps something that is no tensor in its state."""

    def get_extra_state(self):
        return {"version": 1}

    def set_extra_state(self, state):
        assert state == {"version": 1}


def test_extra_state_of_an_encoder_goes_through_every_kind_of_training():
    X = images(6, 6)
    clf = fast(encoder=Counting, max_iter=2, early_stopping=True).fit(X, Y)
    clf.set_params(warm_start=True).fit(X, Y)
    clf.set_params(early_stopping=False).partial_fit(X, Y).partial_fit(X, Y)
    assert clf.predict(X).shape == Y.shape


def test_an_encoder_predicts_in_batches_no_larger_than_those_of_training():
    sizes = []

    class Watching(nn.Flatten):
        def forward(self, X):
            sizes.append(len(X))
            return super().forward(X)

    X = images(6, 6)
    clf = fast(encoder=Watching, max_iter=1, batch_size=7).fit(X, Y)
    clf.predict(X)
    assert max(sizes) <= 7


# -- the models of benchmarks.tune encoders --------------------------------------------


@pytest.mark.parametrize("head", ["sigmoid", "softmax"])
def test_the_plain_loop_learns_and_its_predictions_are_paths(head):
    X = images(16, 16).astype(np.float32)
    model = FlatNetwork(TREE, head, encoder=SmallCNN, max_iter=30, batch_size=16).fit(
        X, Y
    )
    closed, raw, final = predictions(model, X, TREE)
    assert (final == Y).mean() > 0.9 and raw.shape == Y.shape
    for parent, child in TREE.edges:
        assert (closed[:, child] <= closed[:, parent] + 1e-6).all()
    if head == "softmax":
        np.testing.assert_allclose(closed[:, TREE.roots].sum(axis=1), 1, rtol=1e-5)


def test_predictions_of_an_estimator_are_its_own():
    X = images(16, 16)
    clf = fast(encoder=SmallCNN, max_iter=2).fit(X, Y)
    proba, raw, final = predictions(clf, X, TREE)
    np.testing.assert_array_equal(proba, clf.predict_proba(X))
    np.testing.assert_array_equal(raw, clf.predict_raw(X))
    np.testing.assert_array_equal(final, clf.predict(X))


def test_the_table_is_aligned_with_what_is_missing():
    run = {"au_prc": 0.5, "f1": 0.5, "hvr_raw": 0.0, "hvr": 0.0, "seconds": 12.0}
    lines = [table_head("set"), table_row("one", [run]), table_row("two", [run] * 2)]
    assert len({len(line) for line in lines}) == 1
    assert lines[2].count("0.500 ± 0.000") == 2
