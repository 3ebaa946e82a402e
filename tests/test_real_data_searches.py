"""A grid search over transformer and CoherentClassifier on real data (slow)."""

import pytest
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

from benchmarks.npz_sets import load_npz_set
from skhmc import CoherentClassifier
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_scorer, hvr_scorer
from skhmc.model_selection import MultilabelStratifiedKFold
from skhmc.preprocessing import HierarchicalPrototypeTransformer
from tests.real_data import real_data_home

pytestmark = pytest.mark.slow


def load_enron():
    return fetch_clus("enron", real_data_home(), download_if_missing=False)


def load_cei():
    return load_npz_set("cei", real_data_home("npz"))


@pytest.mark.filterwarnings("ignore:Of .* labels, .* in the training data")
@pytest.mark.parametrize(
    "load, n_rows, C, least",
    [(load_enron, None, 0.1, 0.74), (load_cei, 400, 10, 0.72)],
    ids=["enron", "cei"],
)
def test_a_search_is_coherent_where_its_raw_scores_are_not(load, n_rows, C, least):
    data = load()
    rows, test = data.train[:n_rows], data.test  # of cei a part, to save time
    near = HierarchicalPrototypeTransformer(data.hierarchy)
    features = FeatureUnion([("x", "passthrough"), ("near", near)])
    clf = CoherentClassifier(LogisticRegression(max_iter=1000), data.hierarchy)
    search = GridSearchCV(
        Pipeline([("features", features), ("classify", clf)]),
        [{"features__near__shrinkage": [0, 1]}, {"classify__estimator__C": [C]}],
        scoring={"hvr": hvr_scorer, "auprc": au_prc_scorer},
        refit="auprc",
        cv=MultilabelStratifiedKFold(3),
        n_jobs=2,
    ).fit(data.data[rows], data.target[rows])
    X, Y = data.data[test], data.target[test]
    assert (search.cv_results_["mean_test_hvr"] == 0).all()
    assert hvr_scorer(search, X, Y) == 0
    assert au_prc_scorer(search, X, Y) > least
    model = search.best_estimator_
    assert sp.issparse(model[:-1].transform(X)) == sp.issparse(data.data)
    model.set_params(classify__coherence=None)  # the logistic regressions themselves
    assert hvr_scorer(model, X, Y) < -0.01
