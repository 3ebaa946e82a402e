"""``save`` and ``load``: every public estimator comes back as it was, bit for bit."""

import json
import os
import pickle
import signal
import subprocess
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
import torch
from packaging.version import Version
from safetensors.numpy import load_file
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

import skhmc
from skhmc import (
    Checkpoint,
    CoherentClassifier,
    HCALClassifier,
    Hierarchy,
    KernelHMC,
    LabelTreeClassifier,
)
from skhmc._data import versions
from skhmc._networks import plain_modules
from skhmc._saving import _file, _types
from skhmc.audit import MissingAnnotationDetector
from skhmc.datasets import load_made_genes
from skhmc.hierarchy import Ontology
from skhmc.metrics import get_scorer, get_scorer_names, hierarchical_f1_score
from skhmc.nn import criteria, ensemble, modules
from skhmc.nn import sparse as sparse_layers
from skhmc.nn.losses import asl
from skhmc.preprocessing import (
    AncestorClosure,
    HierarchicalLabelBinarizer,
    HierarchicalPrototypeTransformer,
    TaxonomyEncoder,
)
from tests.contract import assert_same, build, task
from tests.instances import AROUND, FAST, KERNELS, LABEL_TREES
from tests.test_doc_link import ESTIMATORS
from tests.test_layers import run_python

SAVED = Path(__file__).parent / "saved"
DAG, X, Y = task("many")
TREE, _, PATHS = task("paths")
LOGISTIC = ("logistic", CoherentClassifier(LogisticRegression(), strategy="per_label"))
CLASSIFIERS = [*FAST, *AROUND, *KERNELS, *LABEL_TREES, LOGISTIC]
every_classifier = pytest.mark.parametrize(
    "estimator", [pytest.param(clf, id=name) for name, clf in CLASSIFIERS]
)
NETWORK = FAST[0][1]
SETS = [["mammal/cat"], ["bird"], []]
TRANSFORMERS = [
    (AncestorClosure(DAG), Y),
    (HierarchicalLabelBinarizer(), SETS),
    (TaxonomyEncoder(["mammal/cat", "bird"]), [["mammal/cat"], ["bird"]]),
]


def saved(estimator, folder, **options):
    """Return an estimator, saved and loaded."""
    path = folder / "model.skhmc"
    skhmc.save(estimator, path)
    return skhmc.load(path, **options)


def assert_same_answers(one, other, X, methods=()):
    """Two fitted classifiers say the same, bit for bit."""
    named = ("predict", "predict_proba", "decision_function", "predict_labels")
    for method in (*named, *methods):
        if hasattr(one, method):
            answer, other_answer = getattr(one, method)(X), getattr(other, method)(X)
            if isinstance(answer, list):
                assert answer == other_answer
            else:
                assert_same(answer, other_answer)
    if hasattr(one, "predict_top_k"):
        for part, same in zip(
            one.predict_top_k(X, 2), other.predict_top_k(X, 2), strict=True
        ):
            assert_same(part, same)


# -- every public estimator ------------------------------------------------------------


def test_no_public_estimator_is_forgotten():
    tried = {type(clf) for _, clf in CLASSIFIERS}
    tried |= {type(transformer) for transformer, _ in TRANSFORMERS}
    tried |= {HierarchicalPrototypeTransformer, MissingAnnotationDetector}
    assert tried == set(ESTIMATORS), "a new estimator has its example here"
    assert {kind.__name__ for kind in ESTIMATORS} <= set(_types._OBJECTS)


SLOW = dict(AROUND) | {"hyperbolic": None}  # to fit


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(clf, id=name, marks=pytest.mark.slow if name in SLOW else ())
        for name, clf in CLASSIFIERS
    ],
)
def test_every_classifier_comes_back(estimator, tmp_path):
    clf = build(estimator, TREE).fit(X, PATHS)
    loaded = saved(clf, tmp_path)
    assert type(loaded) is type(clf)
    assert vars(loaded).keys() == vars(clf).keys()
    assert_same_answers(clf, loaded, X)
    assert repr(loaded) == repr(clf)
    assert os.listdir(tmp_path) == ["model.skhmc"]  # nothing is left beside it


@every_classifier
def test_every_classifier_comes_back_unfitted(estimator, tmp_path):
    loaded = saved(build(estimator, DAG), tmp_path)
    again = clone(loaded)
    assert repr(loaded) == repr(again) == repr(build(estimator, DAG))


@pytest.mark.slow
@every_classifier
@pytest.mark.parametrize("kind", ["many", "paths", "classes"])
def test_fits_go_on_as_before(estimator, kind, tmp_path):
    """Refitted, cloned, trained on: as if there had been no file."""
    hierarchy, X, Y = task("paths" if kind == "classes" else kind)
    if kind == "classes":
        Y = np.array(hierarchy.labels, object)[Y.shape[1] - 1 - Y[:, ::-1].argmax(1)]
    clf = build(estimator, hierarchy).fit(X, Y)
    loaded = saved(clf, tmp_path)
    assert_same_answers(clf, loaded, X)
    for one in (clone(loaded), loaded.set_params(**loaded.get_params(deep=False))):
        assert_same_answers(clone(clf).fit(X, Y), one.fit(X, Y), X)


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [clf for _, clf in FAST])
@pytest.mark.parametrize("sparse", [False, True])
def test_partial_fit_goes_on(estimator, sparse, tmp_path):
    given = sp.csr_matrix(np.where(X > 0, X, 0)) if sparse else X
    clf = build(estimator, DAG)
    for _ in range(2):
        clf.partial_fit(given, Y)
    loaded = saved(clf, tmp_path)
    for one in (clf, loaded):
        one.partial_fit(given, Y).partial_fit(given, Y)
    assert_same_answers(clf, loaded, given)
    assert len(clf.history_) == len(loaded.history_) == 4


@pytest.mark.parametrize(
    "warm_start", [False, pytest.param(True, marks=pytest.mark.slow)]
)
def test_networks_grow_on(warm_start, tmp_path):
    clf = build(NETWORK, DAG, warm_start=warm_start).fit(X, Y)
    more = Hierarchy(
        [*DAG.labels, "hamster"],
        [*((DAG.labels[p], DAG.labels[c]) for p, c in DAG.edges), ("pet", "hamster")],
    )
    loaded = saved(clf, tmp_path)
    assert_same_answers(clf.grow(more), loaded.grow(more), X)
    again = saved(loaded, tmp_path)
    assert_same_answers(clf, again, X)
    if warm_start:
        grown = np.column_stack([Y, Y[:, 0] * 0])
        grown[:5] = 1
        assert_same_answers(clf.fit(X, grown), again.fit(X, grown), X)


def test_transformers_come_back(tmp_path):
    for transformer, given in TRANSFORMERS:
        transformer = clone(transformer).fit(given)
        loaded = saved(transformer, tmp_path)
        one, other = (t.transform(given) for t in (transformer, loaded))
        assert abs(sp.csr_matrix(one) - sp.csr_matrix(other)).nnz == 0
        if hasattr(transformer, "inverse_transform"):
            back = loaded.inverse_transform(other)
            assert_equal_lists(back, transformer.inverse_transform(one))
    prototypes = HierarchicalPrototypeTransformer(hierarchy=DAG).fit(X, Y)
    assert_same(prototypes.transform(X), saved(prototypes, tmp_path).transform(X))


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(clf, id=name, marks=pytest.mark.slow if k else ())
        for k, (name, clf) in enumerate(FAST)
    ],
)
@pytest.mark.parametrize("sparse", [False, True])
def test_linear_paths_come_back(network, sparse, tmp_path):
    given = sp.csr_matrix(np.where(X > 0, X, 0)) if sparse else X
    clf = build(network, DAG, linear_path=True, max_iter=1).partial_fit(given, Y)
    loaded = saved(clf, tmp_path)
    for one in (clf, loaded):
        one.partial_fit(given, Y)
    assert_same_answers(clf, loaded, given)


def test_no_layer_is_forgotten():
    """A layer that is made again needs a row, in files and in pickles."""
    for module in (criteria, ensemble, modules, sparse_layers):
        for name, kind in vars(module).items():
            ours = isinstance(kind, type) and kind.__module__ == module.__name__
            if ours and issubclass(kind, torch.nn.Module) and name[0] != "_":
                assert kind in plain_modules.NAMES or name == "Seeded", name


@pytest.mark.parametrize("folder", ["here", Path("there") / "ä"])
def test_no_file_says_where_a_fit_writes(folder, tmp_path):
    clf = build(NETWORK, DAG, checkpoint=Checkpoint(folder, every=2, resume="must"))
    clf = make_pipeline(StandardScaler(), clf, memory=str(tmp_path / "cache"))
    message = "memory='.*cache' is left out of what .* a folder of yours"
    with pytest.warns(UserWarning, match=f"checkpoint='.*' and {message}"):
        loaded = saved(clf, tmp_path)
    assert loaded.memory is None and loaded[-1].checkpoint is None
    clf[-1].checkpoint = clf.memory = None
    assert repr(loaded) == repr(clf)


def test_all_scorers_and_metrics_come_back(tmp_path):
    names = [n for n in skhmc.metrics.__all__ if n.endswith(("_score", "_loss"))]
    metrics = [getattr(skhmc.metrics, name) for name in names]
    scorers = [get_scorer(name) for name in get_scorer_names() if name[0] != "_"]
    loaded = saved(LabelTreeClassifier(C=[metrics, scorers]), tmp_path).C
    assert len(metrics) > 20 and loaded[0] == metrics
    assert repr(loaded[1]) == repr(scorers)


def test_detectors_come_back(tmp_path):
    inner = LabelTreeClassifier(DAG, C=1.0, slope=1.0, random_state=0)
    detector = MissingAnnotationDetector(inner, DAG, cv=2).fit(X, Y)
    loaded = saved(detector, tmp_path)
    assert_same(detector.annotation_scores(), loaded.annotation_scores())
    assert repr(detector.suggestions(3)) == repr(loaded.suggestions(3))


def assert_equal_lists(one, other):
    if isinstance(one, list):
        assert one == other
    else:
        np.testing.assert_array_equal(one, other)


# -- what is inside --------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        ["a", "b", "ä\n\0", "\ud800"],
        ["\ud83d\ude00", "\U0001f600", ("\ud83d\ude00",)],  # two that look alike
        [3, -1, 2**70, 0],
        [0.5, -0.0, 1e300, 2.0],
        [("a",), ("a", 1), ("b", ("c", 2.5)), (True,)],
        [True, False, "x", 7],
        [f"label {k}" for k in range(40)],
    ],
)
def test_labels_of_every_kind(labels, tmp_path):
    hierarchy = Hierarchy(labels, [(labels[0], labels[1])])
    loaded = saved(LabelTreeClassifier(hierarchy), tmp_path).hierarchy
    assert loaded == hierarchy and hash(loaded) == hash(hierarchy)
    assert [type(x) for x in loaded.labels] == [type(x) for x in hierarchy.labels]
    assert [repr(x) for x in loaded.labels] == [repr(x) for x in hierarchy.labels]


RANDOM = np.random.RandomState(3)
RANDOM.normal()  # which leaves a second number for later


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6.0).reshape(2, 3).T,  # F order, which safetensors would scramble
        np.arange(24).reshape(2, 3, 4)[:, ::-2, 1],  # strided
        np.array(2.5, np.float32),
        np.zeros((0, 3), bool),
        np.array(["", "ab", "ä"]),
        np.array([["a", "bcd"]], "U9"),
        np.array([1, "x", None, (2, 3)], object),
        np.arange(3, dtype=">i4"),
    ],
    ids=lambda value: f"{value.dtype} {value.shape}",
)
def test_arrays_of_every_kind(value, tmp_path):
    loaded = saved(LabelTreeClassifier(C=value), tmp_path).C
    np.testing.assert_array_equal(loaded, value)
    assert loaded.dtype == value.dtype.newbyteorder("=") and loaded.shape == value.shape
    for flag in ("C_CONTIGUOUS", "F_CONTIGUOUS"):
        assert loaded.flags[flag] or not value.flags[flag]


def test_values_of_every_kind(tmp_path):
    values = {
        "nan": [float("nan"), float("inf"), -0.0, 1e-320, 0.1],
        "numbers": (np.float32(0.1), np.int64(7), np.bool_(True), np.float64("nan")),
        "nested": {1: [{"a": ()}], (2, "b"): {3, 4}, None: slice(1, None, 2)},
        "sets": frozenset({"x"}),
        "types": [np.float32, np.dtype("f4"), torch.optim.SGD, str],
        "metric": hierarchical_f1_score,
        "loss": partial(asl, gamma_neg=2.0),
    }
    loaded = saved(LabelTreeClassifier(C=values), tmp_path).C
    assert repr(loaded.pop("loss")) == repr(values.pop("loss"))
    assert repr(loaded) == repr(values)


def test_random_states_go_on(tmp_path):
    given = {
        "old": RANDOM,
        "new": np.random.default_rng(5),
        "philox": np.random.Generator(np.random.Philox(1)),
    }
    loaded = saved(LabelTreeClassifier(C=given), tmp_path).C
    for name, generator in loaded.items():
        np.testing.assert_array_equal(
            generator.normal(size=5), given[name].normal(size=5)
        )


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_matrix, sp.csr_array])
def test_sparse_matrices(kind, tmp_path):
    matrix = kind(np.array([[0, 1.5, 0], [0, 0, 2]]))
    matrix.indices = matrix.indices.astype(np.int64)
    matrix.indptr = matrix.indptr.astype(np.int64)
    loaded = saved(LabelTreeClassifier(C=matrix), tmp_path).C
    assert type(loaded) is type(matrix) and loaded.indices.dtype == np.int64
    assert (loaded != matrix).nnz == 0


def test_what_is_shared_is_shared_again(tmp_path):
    clf = saved(build(NETWORK, TREE).fit(X, PATHS), tmp_path)
    assert clf._former.net is clf.net_ and clf.net_.form is clf._form


def test_pipelines_with_scikit_learn_inside(tmp_path):
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), slice(0, 3)), ("kinds", OneHotEncoder(), [3])]
    )
    table = np.column_stack([X[:, :3], np.arange(len(X)) % 3, X[:, 4]])
    pipeline = make_pipeline(
        FeatureUnion([("columns", columns), ("varying", VarianceThreshold())]),
        LabelTreeClassifier(DAG, C=1.0, slope=1.0, random_state=0),
    ).fit(table, Y)
    assert_same_answers(pipeline, saved(pipeline, tmp_path), table)
    texts = ["a cat", "a cow", "a parrot", "a cat and a cow"]
    text_clf = make_pipeline(TfidfVectorizer(), LabelTreeClassifier(DAG, C=1, slope=1))
    names = [["cat"], ["cow"], ["parrot"], ["cat", "cow"]]
    text_clf.fit(texts, names)
    assert_same_answers(text_clf, saved(text_clf, tmp_path), texts)


@pytest.mark.slow
@pytest.mark.parametrize(
    "inner",
    [
        RandomForestClassifier(5, random_state=0),
        SGDClassifier(loss="log_loss", random_state=0),
        SGDClassifier(loss="modified_huber", random_state=0),
        HistGradientBoostingClassifier(max_iter=2, max_features=0.5, random_state=0),
    ],
    ids=repr,
)
def test_classifiers_of_scikit_learn_inside(inner, tmp_path):
    clf = CoherentClassifier(inner, DAG, strategy="per_label").fit(X, Y)
    loaded = saved(clf, tmp_path)
    assert_same_answers(clf, loaded, X)
    assert_same_answers(clone(clf).fit(X, Y), loaded.fit(X, Y), X)


def test_generators_of_scikit_learn_go_on(tmp_path):
    """They are written as plain numbers: skops would call what a file names."""
    options = {"max_features": 0.5, "warm_start": True, "random_state": 0}
    inner = HistGradientBoostingRegressor(max_iter=2, **options).fit(X, X[:, 0])
    state = inner._feature_subsample_rng.bit_generator.state
    loaded = saved(LabelTreeClassifier(C=inner), tmp_path).C
    assert loaded._feature_subsample_rng.bit_generator.state == state
    assert inner._feature_subsample_rng.bit_generator.state == state
    going_on = [clf.set_params(max_iter=4).fit(X, X[:, 0]) for clf in (inner, loaded)]
    assert_same(*(clf.predict(X) for clf in going_on))


@pytest.mark.slow
def test_every_listed_class_of_scikit_learn_comes_back_unfitted(tmp_path):
    from importlib import import_module

    for module, names in _types.SCIKIT_LEARN.items():
        for name in names:
            value = getattr(import_module(module), name)()
            assert repr(saved(LabelTreeClassifier(C=value), tmp_path).C) == repr(value)


# -- encoders of users -----------------------------------------------------------------


class Encoder(torch.nn.Module):
    """A layer, with what normalises its input and is no weight."""

    def __init__(self, input_shape, width=3):
        super().__init__()
        self.layer = torch.nn.Linear(input_shape[0], width)
        self.norm = torch.nn.BatchNorm1d(input_shape[0])

    def forward(self, x):
        return self.layer(self.norm(x))


def other_encoder(input_shape):
    return torch.nn.Linear(input_shape[0], 7)


def test_an_encoder_is_given_to_load(tmp_path):
    clf = build(NETWORK, TREE, encoder=Encoder, encoder__width=4, n_estimators=2)
    clf.fit(X, PATHS)
    loaded = saved(clf, tmp_path, encoder=Encoder)
    assert_same_answers(clf, loaded, X)
    assert loaded.encoder is Encoder and loaded.encoder__width == 4
    path = tmp_path / "model.skhmc"
    name = "tests.test_saving.Encoder"
    by_name = skhmc.load(path, encoder={name: Encoder})
    assert_same_answers(clf, by_name, X)
    with pytest.raises(skhmc.ModelFileError, match=f"an encoder of yours, {name}"):
        skhmc.load(path)
    with pytest.raises(skhmc.ModelFileError, match="does not take the weights"):
        skhmc.load(path, encoder=lambda width, input_shape: other_encoder(input_shape))
    with pytest.raises(skhmc.ModelFileError, match=f"an encoder of yours, {name}"):
        skhmc.load(path, encoder={"another.Encoder": Encoder})
    with pytest.raises(ValueError, match="no network in .* has an encoder of yours"):
        saved(build(NETWORK, TREE), tmp_path, encoder=Encoder)


@pytest.mark.slow
def test_an_encoder_that_is_a_module(tmp_path):
    clf = build(NETWORK, TREE, encoder=Encoder((5,))).fit(X, PATHS)
    assert_same_answers(clf, saved(clf, tmp_path, encoder=Encoder((5,))), X)


# -- what is refused -------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator, message",
    [
        (LabelTreeClassifier(C=lambda x: x), r"LabelTreeClassifier\.C is .*<lambda>"),
        (
            HCALClassifier(label_loss=torch.nn.functional.mse_loss),
            r"label_loss is torch.nn.functional.mse_loss, expected a function that",
        ),
        (
            CoherentClassifier(KNeighborsClassifier()),
            r"CoherentClassifier\.estimator is .*KNeighborsClassifier.*there can be",
        ),
        (
            CoherentClassifier(LogisticRegression(C=np.longdouble(1))),
            r"LogisticRegression with something inside",
        ),
        (
            make_pipeline(FunctionTransformer(np.log), LabelTreeClassifier()),
            r"Pipeline\.steps\[0\]\[1\] is sklearn.*FunctionTransformer",
        ),
        (LabelTreeClassifier(C=np.arange(2) * 1j), "has the dtype complex128"),
        (LabelTreeClassifier(DAG.to_networkx()), r"Hierarchy\.build\(\.\.\.\)"),
        (GridSearchCV(NETWORK, {}), "Save its best_estimator_"),
        (
            LogisticRegression(),
            "Got LogisticRegression, expected an estimator",
        ),
        (HCALClassifier, "Got HCALClassifier, expected"),
    ],
)
def test_what_a_file_cannot_hold(estimator, message, tmp_path):
    path = tmp_path / "model.skhmc"
    path.write_bytes(b"as it was")
    with pytest.raises(skhmc.ModelFileError, match=message):
        skhmc.save(estimator, path)
    assert path.read_bytes() == b"as it was"
    assert os.listdir(tmp_path) == ["model.skhmc"]


def test_lists_that_hold_themselves(tmp_path):
    endless = []
    endless.append(endless)
    with pytest.raises(skhmc.ModelFileError, match="too deep"):
        skhmc.save(LabelTreeClassifier(C=endless), tmp_path / "model.skhmc")


def test_what_is_written_can_be_read_however_deep(tmp_path):
    """Reading takes more of the stack than writing, and may be done deep inside."""
    for kind in (dict, tuple):
        value, read = kind(), 0
        for depth in range(150):
            value = {"a": value} if kind is dict else (value,)
            if depth % 15:
                continue
            try:
                loaded = saved(LabelTreeClassifier(C=value), tmp_path)
            except skhmc.ModelFileError as error:
                assert "too deep" in str(error)
                break
            assert repr(loaded.C) == repr(value)
            read = depth
        assert 50 < read < 100


@pytest.mark.parametrize("kind", [str, Path, os.fsencode])
def test_paths_of_every_kind(kind, tmp_path):
    path = kind(str(tmp_path / ("ä" * 120)))  # 240 bytes, near the 255 of a system
    skhmc.save(LabelTreeClassifier(C=3.0), path)
    assert skhmc.load(path).C == 3.0 and len(os.listdir(tmp_path)) == 1


def test_what_is_no_path_of_a_file(tmp_path):
    clf = LabelTreeClassifier()
    for path in (tmp_path, f"{tmp_path}/new/", ""):
        with pytest.raises(IsADirectoryError, match="Expected the path of a file"):
            skhmc.save(clf, path)
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        skhmc.save(clf, tmp_path / "no" / "model")
    with open(tmp_path / "open", "wb+") as file:
        for call in (lambda: skhmc.load(file.fileno()), lambda: skhmc.save(clf, file)):
            with pytest.raises(TypeError, match="expected str"):
                call()
        os.fstat(file.fileno())  # which load has not closed
    assert os.listdir(tmp_path) == ["open"]


def test_the_rights_of_other_files_are_left_alone(tmp_path, monkeypatch):
    """To ask for the umask is to set it, in all threads."""
    monkeypatch.setattr(os, "umask", None)
    skhmc.save(LabelTreeClassifier(), tmp_path / "model")


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    skhmc.save(build(LOGISTIC[1], DAG), tmp_path / "model.skhmc")
    monkeypatch.setitem(sys.modules, "skops", None)
    with pytest.raises(ImportError, match=r"skhmc\.load needs the package skops"):
        skhmc.load(tmp_path / "model.skhmc")
    with pytest.raises(ImportError, match=r'pip install "skhmc\[save\]"'):
        skhmc.save(build(LOGISTIC[1], DAG), tmp_path / "model.skhmc")


# -- the file --------------------------------------------------------------------------


def test_the_same_model_is_the_same_file(tmp_path):
    clf = LabelTreeClassifier(DAG, C=1.0, slope=1.0, random_state=0).fit(X, Y)
    for name in ("one", "other"):
        skhmc.save(clf, tmp_path / name)
    skhmc.save(skhmc.load(tmp_path / "one"), tmp_path / "third")
    one, other, third = ((tmp_path / n).read_bytes() for n in ("one", "other", "third"))
    assert one == other == third


def test_it_is_a_file_of_safetensors_whose_document_is_json(tmp_path):
    skhmc.save(LabelTreeClassifier(DAG), tmp_path / "model")
    tensors = load_file(tmp_path / "model")
    document = json.loads(tensors["document"].tobytes())
    assert document["versions"]["skhmc"] == skhmc.__version__
    assert {"python", "numpy", "scikit-learn", "torch"} <= set(document["versions"])
    assert document["objects"][0]["class"] == "LabelTreeClassifier"


def test_a_link_leads_to_the_file_and_rights_are_kept(tmp_path):
    there, link = tmp_path / "there", tmp_path / "link"
    skhmc.save(LabelTreeClassifier(C=1.0), there)
    assert there.stat().st_mode & 0o777 == 0o666 & ~_umask()
    there.chmod(0o640)
    link.symlink_to(there)
    skhmc.save(LabelTreeClassifier(C=2.0), link)
    assert link.is_symlink() and skhmc.load(there).C == 2.0
    assert there.stat().st_mode & 0o777 == 0o640


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_disk_that_returns_something_else(tmp_path, monkeypatch):
    path = tmp_path / "model"
    skhmc.save(LabelTreeClassifier(C=1.0), path)
    write = _file.write_tensors

    def scramble(tensors, name, metadata):
        tensors = {k: np.zeros_like(v) for k, v in tensors.items()}
        write(tensors, name, metadata=metadata)

    monkeypatch.setattr(_file, "write_tensors", scramble)
    with pytest.raises(OSError, match="does not hold what was written"):
        skhmc.save(LabelTreeClassifier(C=2.0), path)
    assert skhmc.load(path).C == 1.0 and os.listdir(tmp_path) == ["model"]


def test_the_folder_and_the_file_are_flushed_in_this_order(tmp_path, monkeypatch):
    done = []
    flush, replace = _file._flush, os.replace
    monkeypatch.setattr(_file, "_flush", lambda p: done.append(p) or flush(p))
    monkeypatch.setattr(os, "replace", lambda *p: done.append("put") or replace(*p))
    skhmc.save(LabelTreeClassifier(), tmp_path / "model")
    assert len(done) == 3 and done[0].endswith(".part")
    assert done[1:] == ["put", str(tmp_path)]


SAVES = """
import sys, numpy as np, skhmc
print("ready", flush=True)
for k in range(100_000):
    skhmc.save(skhmc.LabelTreeClassifier(C=np.full(100_000, k)), sys.argv[1])
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", range(5))
def test_killed_while_it_writes(moment, tmp_path):
    """There is a whole file, the old or the new one, whenever the process is killed."""
    path = tmp_path / "model"
    skhmc.save(LabelTreeClassifier(C=np.full(100_000, -1)), path)
    command = [sys.executable, "-c", SAVES, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05 + 0.137 * moment)
        process.send_signal(signal.SIGKILL)
    values = skhmc.load(path).C
    assert len(values) == 100_000 and (values == values[0]).all()


@pytest.mark.slow
def test_kernels_are_loaded_without_torch(tmp_path):
    clf = LabelTreeClassifier(DAG, C=1.0, slope=1.0, random_state=0).fit(X, Y)
    skhmc.save(clf, tmp_path / "model")
    code = "import sys, skhmc; skhmc.load('model'); print('torch' in sys.modules)"
    assert run_python(code, tmp_path) == "False"


# -- versions --------------------------------------------------------------------------


def test_another_version_warns(tmp_path, monkeypatch):
    path = tmp_path / "model"
    skhmc.save(build(LABEL_TREES[0][1], DAG), path)
    monkeypatch.setattr(skhmc, "__version__", "9.9")
    with pytest.warns(
        InconsistentVersionWarning, match=r"of skhmc 0\.\S+ with skhmc 9"
    ):
        skhmc.load(path)


def test_a_later_format_says_what_to_do(tmp_path, monkeypatch):
    path = tmp_path / "model"
    monkeypatch.setattr(_file, "FORMAT", 2)
    skhmc.save(LabelTreeClassifier(), path)
    monkeypatch.undo()
    with pytest.raises(skhmc.ModelFileError, match="has format 2; .* a newer one"):
        skhmc.load(path)


def test_a_renamed_attribute_is_found(tmp_path, monkeypatch):
    path = tmp_path / "model"
    clf = LabelTreeClassifier(C=3.0)
    clf.strength, clf.gone = clf.__dict__.pop("C"), 1
    skhmc.save(clf, path)
    renamed = {"LabelTreeClassifier": {"strength": "C", "gone": None}}
    monkeypatch.setattr("skhmc._saving._decode.RENAMED", renamed)
    loaded = skhmc.load(path)
    assert loaded.C == 3.0 and not hasattr(loaded, "gone")


@pytest.mark.parametrize("path", sorted(SAVED.glob("*.skhmc")), ids=lambda p: p.stem)
def test_files_of_version_1_load_for_ever(path):
    """These files are never written again: ``python -m tests.make_saved`` adds some."""
    expected = np.load(path.with_suffix(".npz"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        loaded = skhmc.load(path)
    if path.stem == "logistic-1" and Version(sklearn.__version__) < Version("1.8"):
        pytest.skip("scikit-learn before 1.8 does not predict with what 1.9 learnt")
    proba = loaded.predict_proba(expected["X"])
    np.testing.assert_allclose(proba, expected["proba"], rtol=1e-5, atol=1e-7)
    assert list(map(str, loaded.hierarchy_.labels)) == expected["labels"].tolist()
    clone(loaded)


def test_there_is_a_file_of_every_classifier():
    assert {path.stem.split("-")[0] for path in SAVED.glob("*.skhmc")} == {
        name for name, _ in CLASSIFIERS
    }


# -- pickles ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", sorted(ESTIMATORS, key=lambda kind: kind.__name__))
def test_pickles_say_their_version(kind, monkeypatch):
    names = {"estimator": LogisticRegression()}
    needed = {k: v for k, v in names.items() if k in kind._get_param_names()}
    estimator = kind(**needed)
    assert pickle.loads(pickle.dumps(estimator)).get_params().keys()
    assert not hasattr(pickle.loads(pickle.dumps(estimator)), "_skhmc_version")
    monkeypatch.setattr(versions, "package_version", lambda: "0.0.7")
    old = pickle.dumps(estimator)
    monkeypatch.undo()
    said = rf"unpickle estimator {kind.__name__} of skhmc 0\.0\.7 with skhmc 0\."
    with pytest.warns(InconsistentVersionWarning, match=said):
        pickle.loads(old)


ONTOLOGY = load_made_genes()


@pytest.mark.parametrize(
    "clf",
    [
        pytest.param(
            HCALClassifier(max_iter=1, random_state=0), marks=pytest.mark.slow
        ),
        KernelHMC(),
        CoherentClassifier(DummyClassifier(strategy="prior")),
        HierarchicalLabelBinarizer(),
        AncestorClosure(),
    ],
    ids=lambda clf: type(clf).__name__,
)
@pytest.mark.filterwarnings("ignore:Of .* labels:UserWarning")
def test_an_ontology_comes_back_with_its_terms(clf, tmp_path):
    hierarchy = ONTOLOGY.hierarchy
    assert type(hierarchy) is Ontology
    clf = clone(clf).set_params(hierarchy=hierarchy)
    rows, Y = ONTOLOGY.data[:60], ONTOLOGY.target[:60]
    clf = clf.fit(Y) if hasattr(clf, "transform") else clf.fit(rows, Y)
    loaded = saved(clf, tmp_path)
    for found in (loaded.hierarchy, loaded.hierarchy_):
        assert type(found) is Ontology and found == hierarchy
        assert found.terms == hierarchy.terms


def test_a_module_may_stand_in_several_tables():
    tables = (_types.OBJECTS, _types.CONTAINERS, _types.MADE_BY_HAND)
    for table in tables:
        for names in table.values():
            for name in names:
                assert _types.name_of_class(_types.class_named(name)) == name
