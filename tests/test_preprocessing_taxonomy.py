"""TaxonomyEncoder: categories and their ancestors as features."""

import pickle

import networkx as nx
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
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.estimator_checks import parametrize_with_checks

from skhmc import Hierarchy
from skhmc.coherence import close_upward
from skhmc.preprocessing import TaxonomyEncoder
from tests.hierarchies import hierarchies

PARENTS = {"cat": "mammal", "dog": "mammal", "lynx": "cat"}
H = Hierarchy.from_parents(PARENTS)  # mammal, cat, dog, lynx
PLACES = ["europe/france/paris", "europe/spain"]


@parametrize_with_checks([TaxonomyEncoder()])
def test_scikit_learns_checks(estimator, check):
    check(estimator)


@pytest.mark.slow
@parametrize_with_checks(
    [
        TaxonomyEncoder(sparse_output=False),
        TaxonomyEncoder("paths", unknown="ignore"),
    ]
)
def test_scikit_learns_checks_of_other_instances(estimator, check):
    check(estimator)


def encode(*args, **options):
    return TaxonomyEncoder(*args, sparse_output=False, **options)


@given(hierarchies(), st.integers(0, 2**32 - 1))
def test_ancestors_over_random_hierarchies(h, seed):
    X = np.random.default_rng(seed).integers(0, h.n_labels, (8, 2))
    found = TaxonomyEncoder(h).fit_transform(X)
    assert isinstance(found, sp.csr_matrix) and found.dtype == np.float64
    own = [np.eye(h.n_labels)[[h.position(x) for x in column]] for column in X.T]
    expected = np.hstack([close_upward(part, h) for part in own])
    np.testing.assert_array_equal(found.toarray(), expected)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1))
def test_without_taxonomies_it_is_one_hot(seed):
    X = np.random.default_rng(seed).integers(0, 5, (9, 2))
    for form in (X, X.astype(str), X.astype(str).astype(object), X * 0.5):
        ours, theirs = TaxonomyEncoder().fit(form), OneHotEncoder().fit(form)
        np.testing.assert_array_equal(
            ours.transform(form).toarray(), theirs.transform(form).toarray()
        )
        assert list(ours.get_feature_names_out()) == list(
            theirs.get_feature_names_out()
        )


@pytest.mark.parametrize(
    "taxonomy",
    [H, PARENTS, H.to_networkx(), pd.DataFrame(H.children.toarray(), columns=H.labels)],
)
def test_one_taxonomy_for_all_columns(taxonomy):
    X = np.array([["lynx", "dog"], ["mammal", "cat"]])
    found = encode(taxonomy, dtype=np.int8).fit_transform(X)
    expected = [[1, 1, 0, 1, 1, 0, 1, 0], [1, 0, 0, 0, 1, 1, 0, 0]]
    assert found.tolist() == expected and found.dtype == np.int8


def test_paths_and_edges_are_one_taxonomy():
    X = [["europe/france"], ["europe/spain"]]
    assert encode(PLACES).fit_transform(X).tolist() == [[1, 1, 0, 0], [1, 0, 0, 1]]
    edges = [("mammal", "cat"), ("mammal", "dog")]
    assert encode(edges).fit_transform([["dog"]]).tolist() == [[1, 0, 1]]


X_TWO = [["lynx", "paris"], ["dog", "rome"]]
TWO = [[1, 1, 0, 1, 1, 0], [1, 0, 1, 0, 0, 1]]


@pytest.mark.parametrize("first", [H, PARENTS, H.to_networkx()])
def test_a_list_has_one_per_column(first):
    assert encode([first, None]).fit_transform(X_TWO).tolist() == TWO


@pytest.mark.parametrize("taxonomy", [H, PARENTS, nx.DiGraph(H.to_networkx())])
def test_a_dict_goes_by_name_or_number(taxonomy):
    frame = pd.DataFrame(X_TWO, columns=["animal", "city"])
    encoder = encode({"animal": taxonomy}).fit(frame)
    assert encoder.transform(frame).tolist() == TWO
    names = "animal_mammal animal_cat animal_dog animal_lynx city_paris city_rome"
    assert encoder.get_feature_names_out().tolist() == names.split()
    assert encode({0: taxonomy, 1: None}).fit_transform(X_TWO).tolist() == TWO
    assert [t.n_labels for t in encoder.taxonomies_] == [4, 2]


def test_taxonomies_learnt_from_paths():
    X = [["europe/france", 1], ["europe/spain/madrid", 2], ["asia", 1]]
    encoder = encode("paths").fit(X)
    expected = ["asia", "europe", "europe/france", "europe/spain"]
    assert list(encoder.taxonomies_[0].labels[:4]) == expected
    assert encoder.transform([["europe/spain", 2]]).tolist() == [[0, 1, 0, 1, 0, 0, 1]]
    dots = encode("paths", sep=".").fit([["1.2"], ["1.3"]])
    assert dots.get_feature_names_out().tolist() == ["x0_1", "x0_1.2", "x0_1.3"]


def test_what_is_known_of_an_unknown_path_is_encoded():
    encoder = encode(PLACES).fit([["europe"]])
    known = encoder.transform([["europe/france"]])
    for new in ("europe/france/lyon", "europe/france/lyon/center"):
        np.testing.assert_array_equal(encoder.transform([[new]]), known)
    animals = encode(H).fit([["cat"]])
    assert animals.transform([["mammal/cat/puma"]]).tolist() == [[1, 1, 0, 0]]


@pytest.mark.parametrize("moment", ["fit", "transform"])
def test_unknown_categories(moment):
    X = pd.DataFrame({"a": ["lynx", "cow", "asia/japan"], "b": ["cat", "cat", "cat"]})
    encoder = encode(H) if moment == "fit" else encode(H).fit(X[:1])
    message = "unknown categories in column 'a': 'asia/japan', 'cow'.*unknown='ignore'"
    with pytest.raises(ValueError, match=message):
        getattr(encoder, moment)(X)
    ignoring = clone(encoder).set_params(unknown="ignore").fit(X)
    assert ignoring.transform(X)[1:, :4].tolist() == [[0] * 4] * 2


def test_flat_columns_have_no_paths():
    encoder = encode(unknown="ignore").fit([["N"], ["y"]])
    assert encoder.transform([["N/A"]]).tolist() == [[0, 0]]


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
def test_missing_categories_are_zeros(missing):
    frame = pd.DataFrame({"a": ["lynx", missing, "dog"]}, dtype=object)
    for X in (frame, frame.to_numpy()):
        for taxonomies, n_columns in ((H, 4), (None, 2)):
            found = encode(taxonomies).fit_transform(X)
            assert found.shape == (3, n_columns) and not found[1].any()
    numbers = encode().fit([[1.0], [np.nan]])
    assert numbers.transform([[np.nan], [1]]).tolist() == [[0], [1]]


@pytest.mark.parametrize("dtype", ["category", "string", object, "str"])
def test_columns_of_any_text_type(dtype):
    animals = pd.Series(["lynx", None, "dog"], dtype=dtype)
    frame = pd.DataFrame({"a": animals, "n": [3, 1, 3]})
    found = encode([H, None]).fit_transform(frame)
    assert found.tolist() == [[1, 1, 0, 1, 0, 1], [0] * 4 + [1, 0], [1, 0, 1, 0, 0, 1]]


def test_whole_numbers_keep_their_names_beside_missing_ones():
    frame = pd.DataFrame({"n": pd.array([3, None, 1], "Int64"), "s": list("aba")})
    names = TaxonomyEncoder().fit(frame).get_feature_names_out()
    assert names.tolist() == ["n_1", "n_3", "s_a", "s_b"]


def test_frames_out():
    frame = pd.DataFrame({"a": ["lynx", "dog"]}, index=[7, 8])
    out = encode(H).set_output(transform="pandas").fit_transform(frame)
    columns = ["a_mammal", "a_cat", "a_dog", "a_lynx"]
    values = np.array([[1.0, 1, 0, 1], [1, 0, 1, 0]])
    expected = pd.DataFrame(values, index=[7, 8], columns=columns)
    pd.testing.assert_frame_equal(out, expected)
    sparse = TaxonomyEncoder(H).set_output(transform="pandas").fit(frame)
    with pytest.raises(ValueError, match="Pandas output .* Set sparse_output=False"):
        sparse.transform(frame)


def test_in_a_column_transformer_under_a_search():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"animal": rng.choice(H.labels, 40), "weight": rng.normal(size=40)}
    )
    y = frame["animal"].isin(["cat", "lynx"])
    columns = ColumnTransformer(
        [("taxonomy", TaxonomyEncoder(H), ["animal"])], remainder="passthrough"
    )
    model = make_pipeline(columns, LogisticRegression())
    grid = {"columntransformer__taxonomy__taxonomies": [None, H]}
    search = GridSearchCV(model, grid).fit(frame, y)
    assert search.score(frame, y) == 1
    names = columns.fit(frame).get_feature_names_out().tolist()
    assert names == [f"taxonomy__animal_{x}" for x in H.labels] + ["remainder__weight"]


def test_a_dict_may_leave_all_columns_out():
    frame = pd.DataFrame(X_TWO, columns=["animal", "city"])
    expected = TaxonomyEncoder().fit_transform(frame).toarray()
    for taxonomies in ({}, {"animal": None}):
        found = encode(taxonomies).fit_transform(frame)
        np.testing.assert_array_equal(found, expected)


def test_a_failed_fit_leaves_nothing_fitted():
    encoder = TaxonomyEncoder([H, None]).fit(X_TWO)
    with pytest.raises(ValueError, match="unknown categories"):
        encoder.fit([["cow", "paris"]])
    for use in (encoder.get_feature_names_out, lambda: encoder.transform(X_TWO)):
        with pytest.raises(NotFittedError):
            use()


def test_clone_pickle_and_not_fitted():
    encoder = TaxonomyEncoder({0: H})
    with pytest.raises(NotFittedError):
        clone(encoder).transform(X_TWO)
    loaded = pickle.loads(pickle.dumps(encoder.fit(X_TWO)))
    assert loaded.transform(X_TWO).toarray().tolist() == TWO


def test_errors():
    with pytest.raises(ValueError, match=r"Got 1 taxonomies for the 2 columns"):
        TaxonomyEncoder([H]).fit(X_TWO)
    with pytest.raises(ValueError, match="does not have: 'animal'. Expected some of 0"):
        TaxonomyEncoder({"animal": H}).fit(X_TWO)
    frame = pd.DataFrame({"a": ["x/y"], "b": ["x"]})
    with pytest.raises(ValueError, match=r"of which 'a' hold no taxonomy, got \['x/y'"):
        TaxonomyEncoder({"a": ["x/y"], "b": None}).fit(frame)
    with pytest.raises(ValueError, match="The 'taxonomies' parameter"):
        TaxonomyEncoder("path").fit(X_TWO)
    with pytest.raises(TypeError, match=r"string or number .*got \['a'\]"):
        TaxonomyEncoder().fit(pd.DataFrame({"a": [["a"], ["b"]]}))
    with pytest.raises(ValueError, match="The 'unknown' parameter"):
        TaxonomyEncoder(unknown="drop").fit(X_TWO)
