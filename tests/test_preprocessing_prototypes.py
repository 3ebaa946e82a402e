"""HierarchicalPrototypeTransformer: means, shrinkage, similarities, and as a step."""

import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import cosine_similarity, rbf_kernel
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, StratifiedKFold
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhmc import Hierarchy
from skhmc.coherence import close_upward, most_specific
from skhmc.model_selection import MultilabelStratifiedKFold
from skhmc.preprocessing import HierarchicalPrototypeTransformer
from tests.hierarchies import hierarchies

SEEDS = st.integers(0, 2**32 - 1)
H = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal", "lynx": "cat"})
# mammal, cat, dog, lynx


@parametrize_with_checks([HierarchicalPrototypeTransformer()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        HierarchicalPrototypeTransformer(metric="euclidean", shrinkage=0),
        HierarchicalPrototypeTransformer(
            metric="rbf", center=False, aggregation="children", level="leaves"
        ),
    ]
)
def test_scikit_learns_checks_of_other_instances(estimator, check):
    check(estimator)


def random_data(h, seed, n_samples=12, unknown=True):
    rng = np.random.default_rng(seed)
    Y = (rng.random((n_samples, h.n_labels)) < 0.25).astype(float)
    if unknown:
        Y[rng.random(Y.shape) < 0.2] = np.nan
    X = rng.normal(size=(n_samples, 3)) * (rng.random((n_samples, 3)) < 0.7)
    return X, close_upward(Y, h), rng.integers(0, 3, n_samples) + (np.arange(12) == 0)


def naive_prototypes(X, Y, weight, h, strength, aggregation, center):
    """The formulas, one label at a time."""
    origin = np.average(X, axis=0, weights=weight) if center else np.zeros(X.shape[1])
    specific = most_specific(Y, h)

    def mass(k):
        return weight[Y[:, k] == 1].sum()

    def average(rows):
        return np.average(X[rows], axis=0, weights=weight[rows])

    def mean(k):
        if aggregation == "samples":
            return average(Y[:, k] == 1)
        own = specific[:, k] == 1
        parts = [mean(c) for c in h.children[[k]].indices if mass(c)]
        parts += [average(own)] if weight[own].sum() else []
        return np.mean(parts, axis=0)

    def prototype(k):
        parents = h.parents[[k]].indices
        above = np.mean([prototype(p) for p in parents] or [origin], axis=0)
        if not mass(k):
            return above
        return (mass(k) * mean(k) + strength * above) / (mass(k) + strength)

    return np.array([prototype(k) for k in range(h.n_labels)]), origin


@settings(max_examples=60)
@given(
    hierarchies(max_labels=10),
    SEEDS,
    st.sampled_from([0, 0.5, 3]),
    st.sampled_from(["samples", "children"]),
    st.booleans(),
    st.booleans(),
)
def test_prototypes_against_the_formula(h, seed, strength, aggregation, center, sparse):
    X, Y, weight = random_data(h, seed)
    expected, origin = naive_prototypes(X, Y, weight, h, strength, aggregation, center)
    transformer = HierarchicalPrototypeTransformer(
        h, shrinkage=strength, aggregation=aggregation, center=center
    )
    given_X, given_Y = (sp.csr_matrix(X), sp.csr_matrix(Y)) if sparse else (X, Y)
    transformer.fit(given_X, given_Y, sample_weight=weight)
    np.testing.assert_allclose(transformer.prototypes_, expected, atol=1e-12)
    np.testing.assert_allclose(transformer.center_, origin, atol=1e-12)
    found = transformer.transform(given_X)
    assert isinstance(found, np.ndarray)
    expected = cosine_similarity(X - origin, expected - origin)
    long = np.linalg.norm(X - origin, axis=1) > 1e-6  # of others the angle is noise
    far = np.linalg.norm(transformer.prototypes_ - origin, axis=1) > 1e-6
    grid = np.ix_(long, far)
    np.testing.assert_allclose(found[grid], expected[grid], atol=1e-7)


@pytest.mark.parametrize("sparse", [False, True])
def test_distances_and_rbf(sparse):
    X, Y, _ = random_data(H, 0, unknown=False)
    given_X = sp.csr_matrix(X) if sparse else X
    make = HierarchicalPrototypeTransformer(H, metric="euclidean").fit(given_X, Y)
    differences = X[:, None] - make.prototypes_
    expected = -np.linalg.norm(differences, axis=2)
    np.testing.assert_allclose(make.transform(given_X), expected, atol=1e-7)
    make = clone(make).set_params(metric="rbf").fit(given_X, Y)
    assert make.gamma_ == pytest.approx(1 / X.var(axis=0).sum())
    expected = rbf_kernel(X, make.prototypes_, gamma=make.gamma_)
    np.testing.assert_allclose(make.transform(given_X), expected)
    make = clone(make).set_params(gamma=0.3).fit(given_X, Y)
    expected = rbf_kernel(X, make.prototypes_, gamma=0.3)
    np.testing.assert_allclose(make.transform(given_X), expected)


def test_by_hand():
    X = np.array([[2.0, 0], [4, 0], [0, 3], [-6, 0]])
    y = [["cat"], ["lynx"], ["dog"], []]
    options = {"shrinkage": 1, "center": False, "metric": "euclidean"}
    make = HierarchicalPrototypeTransformer(H, **options).fit(X, y)
    mammal = np.array([6, 3]) / 4  # three samples and the origin
    cat = ([6, 0] + mammal) / 3
    lynx = ([4, 0] + cat) / 2
    dog = ([0, 3] + mammal) / 2
    np.testing.assert_allclose(make.prototypes_, [mammal, cat, dog, lynx])
    assert make.support_.tolist() == [3, 2, 1, 1]
    make.set_params(aggregation="children", shrinkage=0).fit(X, y)
    # a cat is half a lynx and half the others; a mammal half a cat and half a dog
    np.testing.assert_allclose(make.prototypes_, [[1.5, 1.5], [3, 0], [0, 3], [4, 0]])


def test_labels_without_positives_stand_where_their_parent_does():
    h = Hierarchy(["a", "b", "c", "alone"], [("a", "c"), ("b", "c")])
    X, Y = np.array([[1.0, 0], [0, 1], [5, 5]]), np.eye(3, 4)
    Y[2] = 0
    for strength in (0, 2):
        make = HierarchicalPrototypeTransformer(h, shrinkage=strength).fit(X, Y)
        a, b, c, alone = make.prototypes_
        np.testing.assert_allclose(c, (a + b) / 2)
        np.testing.assert_allclose(alone, X.mean(axis=0))
        assert make.transform(X)[:, 3].tolist() == [0, 0, 0]


def test_no_shrinkage_is_nearest_centroid():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.choice(["a", "b", "c"], 40)
    make = HierarchicalPrototypeTransformer(shrinkage=0, metric="euclidean")
    found = make.fit_transform(X, y)
    nearest = NearestCentroid().fit(X, y)
    np.testing.assert_allclose(make.prototypes_, nearest.centroids_)
    labels = make.label_names_[found.argmax(axis=1)]
    np.testing.assert_array_equal(labels, nearest.predict(X))


def test_unknown_labels_are_not_positive():
    X, Y, _ = random_data(H, 3)
    known = np.nan_to_num(Y, nan=0.0)
    one, other = (HierarchicalPrototypeTransformer(H).fit(X, Z) for Z in (Y, known))
    np.testing.assert_array_equal(one.prototypes_, other.prototypes_)


@settings(max_examples=30)
@given(hierarchies(max_labels=8), SEEDS, st.sampled_from(["samples", "children"]))
def test_a_weight_is_a_number_of_rows(h, seed, aggregation):
    X, Y, weight = random_data(h, seed)
    make = HierarchicalPrototypeTransformer(h, aggregation=aggregation, metric="rbf")
    weighted = clone(make).fit(X, Y, sample_weight=weight).transform(X)
    repeated = clone(make).fit(X.repeat(weight, axis=0), Y.repeat(weight, axis=0))
    np.testing.assert_allclose(weighted, repeated.transform(X), atol=1e-9)


def test_y_in_every_form():
    X, y = np.eye(4), np.array(["cat", "lynx", "dog", "mammal"])
    expected = HierarchicalPrototypeTransformer(H).fit_transform(X, y)
    Y = close_upward(np.eye(4)[[1, 3, 2, 0]], H)
    frame = pd.DataFrame(Y, columns=H.labels)
    for form in (Y, sp.csr_matrix(Y), frame, [[name] for name in y]):
        found = HierarchicalPrototypeTransformer(H).fit_transform(X, form)
        np.testing.assert_allclose(found, expected)
    order = ["dog", "mammal", "lynx", "cat"]  # outputs follow the columns
    found = HierarchicalPrototypeTransformer(H).fit(X, frame[order])
    names = [f"similarity_{name}" for name in order]
    assert found.get_feature_names_out().tolist() == names
    at = [H.position(name) for name in order]
    np.testing.assert_allclose(found.transform(X), expected[:, at])


def test_levels():
    X, y = np.eye(4), ["cat", "lynx", "dog", "mammal"]
    whole = HierarchicalPrototypeTransformer(H).fit_transform(X, y)
    for level, columns in {0: [0], 1: [1, 2], 2: [3], "leaves": [2, 3]}.items():
        make = HierarchicalPrototypeTransformer(H, level=level)
        np.testing.assert_allclose(make.fit_transform(X, y), whole[:, columns])
        assert len(make.get_feature_names_out()) == len(columns)
        assert len(make.prototypes_) == 4
    with pytest.raises(ValueError, match="level=3, but the hierarchy has .* 0 to 2"):
        HierarchicalPrototypeTransformer(H, level=3).fit(X, y)


def test_cross_fitting_leaves_every_sample_out_of_its_prototypes():
    X, Y, weight = random_data(H, 5)
    weight = weight + 1.0
    make = HierarchicalPrototypeTransformer(H, cv=KFold(3), metric="rbf", gamma=0.1)
    found = make.fit_transform(X, Y, sample_weight=weight)
    for rest, part in KFold(3).split(X):
        one = clone(make).fit(X[rest], Y[rest], sample_weight=weight[rest])
        np.testing.assert_allclose(found[part], one.transform(X[part]))
    plain = clone(make).set_params(cv=None).fit(X, Y, sample_weight=weight)
    np.testing.assert_array_equal(make.transform(X), plain.transform(X))
    assert np.abs(found - plain.transform(X)).max() > 0.01


@pytest.mark.parametrize("cv", [MultilabelStratifiedKFold(3), StratifiedKFold(3)])
def test_splitters_get_y(cv):
    X, y = np.random.default_rng(0).normal(size=(12, 3)), ["cat", "dog", "lynx"] * 4
    found = HierarchicalPrototypeTransformer(H, cv=cv).fit_transform(X, y)
    for rest, part in cv.split(X, y):
        one = HierarchicalPrototypeTransformer(H).fit(X[rest], np.array(y)[rest])
        np.testing.assert_allclose(found[part], one.transform(X[part]), atol=1e-12)


@pytest.mark.parametrize("cv", [ShuffleSplit(2, random_state=0), [([0], [1, 2])] * 2])
def test_folds_must_hold_every_sample_once(cv):
    make = HierarchicalPrototypeTransformer(H, cv=cv)
    with pytest.raises(ValueError, match=r"every sample into one test part, but \d+"):
        make.fit_transform(np.eye(12), ["cat", "dog", "lynx"] * 4)


@pytest.mark.parametrize("aggregation", ["samples", "children"])
@pytest.mark.parametrize("make_X", [np.array, sp.csr_matrix])
def test_a_label_of_all_samples_is_at_the_origin_for_any_rounding(make_X, aggregation):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 3)) + 1, ["cat", "dog", "lynx"] * 10  # all mammals
    X = np.vstack([X, X.mean(axis=0)])  # and a sample at the origin
    make = HierarchicalPrototypeTransformer(
        {"cat": "animal", "lynx": "animal", "dog": "animal", "animal": "all"},
        aggregation=aggregation,
    )
    weight = np.append(np.ones(30), 0)
    for dtype in (np.float64, np.float32):
        X_given = make_X(X.astype(dtype))
        found = make.fit_transform(X_given, [*y, "cat"], sample_weight=weight)
        names = list(make.label_names_)
        assert not found[:, [names.index("animal"), names.index("all")]].any()
        if dtype == np.float64:
            assert not found[-1].any()
        assert found[:-1, names.index("cat")].all()


@pytest.mark.parametrize("metric", ["cosine", "rbf", "euclidean"])
def test_sparse_single_precision_far_from_zero(metric):
    X, Y, _ = random_data(H, 2, unknown=False)
    X = (X + 1000).astype(np.float32)
    make = HierarchicalPrototypeTransformer(H, metric=metric)
    dense, sparse = (make.fit_transform(form, Y) for form in (X, sp.csr_matrix(X)))
    np.testing.assert_allclose(sparse, dense, atol=1e-5)


def test_a_failed_fit_leaves_nothing_fitted():
    X, y = np.eye(3), ["cat", "dog", "lynx"]
    make = HierarchicalPrototypeTransformer(H).fit(X, y)
    with pytest.raises(ValueError, match="level=9"):
        make.set_params(level=9).fit(X[:, :2], y)
    for use in (make.get_feature_names_out, lambda: make.transform(X)):
        with pytest.raises(NotFittedError):
            use()


def test_folds_of_a_number_are_shuffled_and_repeatable():
    X = np.repeat(np.eye(3), 10, axis=0)
    y = np.repeat(["a", "b", "c"], 10)  # sorted: whole classes would be left out
    make = HierarchicalPrototypeTransformer(cv=3)
    found = make.fit_transform(sp.csr_matrix(X), y)
    assert (found.argmax(axis=1) == np.repeat([0, 1, 2], 10)).all()
    np.testing.assert_array_equal(found, clone(make).fit_transform(sp.csr_matrix(X), y))


def test_a_sparse_x_is_not_made_dense(monkeypatch):
    X = sp.random(30, 20_000, density=0.001, random_state=0, format="csr")
    for kind in {type(X), sp.csr_matrix, sp.csr_array, sp.coo_array, sp.csc_array}:
        toarray = kind.toarray

        def small(self, *args, toarray=toarray, **kwargs):
            assert self.shape[0] < 30 or self.shape[1] < 100, "X as a dense array"
            return toarray(self, *args, **kwargs)

        monkeypatch.setattr(kind, "toarray", small)
    y = ["cat", "dog", "lynx"] * 10
    for metric in ("cosine", "euclidean", "rbf"):
        make = HierarchicalPrototypeTransformer(H, metric=metric)
        assert make.fit(X, y).transform(X).shape == (30, 4)


@pytest.mark.parametrize("metric", ["cosine", "euclidean", "rbf"])
def test_single_precision(metric):
    X, Y, _ = random_data(H, 2, unknown=False)
    make = HierarchicalPrototypeTransformer(H, metric=metric)
    double = make.fit_transform(X, Y)
    single = make.fit_transform(X.astype(np.float32), Y)
    assert single.dtype == np.float32 and double.dtype == np.float64
    np.testing.assert_allclose(single, double, atol=1e-5)


def test_as_a_step_beside_x_in_a_search():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["x", "y", "z"])
    Y = close_upward((rng.random((60, 4)) < 0.3).astype(int), H)
    both = FeatureUnion(
        [("x", "passthrough"), ("near", HierarchicalPrototypeTransformer(H))]
    )
    model = make_pipeline(both, MultiOutputClassifier(LogisticRegression()))
    grid = {"featureunion__near__metric": ["cosine", "rbf"]}
    search = GridSearchCV(model, grid, cv=KFold(2)).fit(X, Y)
    assert len(search.predict_proba(X)) == 4
    names = search.best_estimator_[0].get_feature_names_out()
    assert names.tolist()[2:4] == ["x__z", "near__similarity_mammal"]


def test_frames_in_and_out_of_a_column_transformer():
    frame = pd.DataFrame({"a": [1.0, 0, 0], "b": [0.0, 1, 0], "c": [3, 4, 5]})
    make = HierarchicalPrototypeTransformer(H, level=1)
    columns = ColumnTransformer([("near", make, ["a", "b"])], remainder="passthrough")
    out = columns.set_output(transform="pandas").fit_transform(
        frame, ["cat", "dog", "cat"]
    )
    expected = ["near__similarity_cat", "near__similarity_dog", "remainder__c"]
    assert out.columns.tolist() == expected
    assert columns.named_transformers_["near"].feature_names_in_.tolist() == ["a", "b"]


def test_clone_pickle_and_not_fitted():
    X, y = np.eye(3), ["cat", "dog", "lynx"]
    make = HierarchicalPrototypeTransformer(H)
    with pytest.raises(NotFittedError):
        clone(make).transform(X)
    loaded = pickle.loads(pickle.dumps(make.fit(X, y)))
    np.testing.assert_array_equal(loaded.transform(X), make.transform(X))


def test_errors():
    X, y = np.eye(3), ["cat", "dog", "lynx"]
    with pytest.raises(ValueError, match="does not have: 'cow'"):
        HierarchicalPrototypeTransformer(H).fit(X, ["cat", "dog", "cow"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        HierarchicalPrototypeTransformer(H).fit(X, y[:2])
    with pytest.raises(ValueError, match="All sample weights are zero"):
        HierarchicalPrototypeTransformer(H, cv=KFold(3)).fit_transform(X, y, [0, 0, 1])
    with pytest.raises(ValueError, match="The 'metric' parameter"):
        HierarchicalPrototypeTransformer(H, metric="l2").fit(X, y)
    with pytest.warns(UserWarning, match="not closed upward: added 1 missing"):
        HierarchicalPrototypeTransformer(H).fit(X[:1], [[0, 1, 0, 0]])
