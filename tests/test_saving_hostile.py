"""Damaged and crafted model files: an error of one class, and nothing is run."""

import json
import zipfile
from copy import copy
from io import BytesIO

import numpy as np
import pytest
import skops.io
from safetensors.numpy import load as read_tensors
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)

import skhmc
from benchmarks.soak_files import originals, run_case
from benchmarks.soak_parts.model_files import KINDS, WRONG, _seal, watched
from skhmc._saving import _sklearn
from skhmc.datasets import load_made_genes
from skhmc.preprocessing import AncestorClosure
from tests.contract import task
from tests.instances import FAST

DAG, X, Y = task("many")
PER_KIND = 17  # 204 cases in all
TREES = 3  # the number of the original with trees inside


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.skhmc"


@pytest.fixture(scope="module")
def small():
    """Return the bytes of a small file, and its tensors."""
    data = originals()[2].data
    return data, read_tensors(data)


@pytest.mark.slow
@pytest.mark.parametrize("kind", list(KINDS))
def test_hostile_files(kind, path):
    """The first cases of every kind of ``python -m benchmarks.soak_files``."""
    for number in range(PER_KIND):
        found, text = run_case(kind, number, 0, path)
        assert found != WRONG, f"{kind}, case {number}: {text}"


def test_some_hostile_files_of_every_kind(path):
    for kind in KINDS:
        found, text = run_case(kind, 2, 1, path)
        assert found != WRONG, f"{kind}: {text}"


def test_cut_off_at_every_byte_of_the_header(small, path):
    data, _ = small
    end = 8 + int.from_bytes(data[:8], "little")
    for size in [*range(0, end, 7), *range(24), end - 1, end, end + 1]:
        path.write_bytes(data[:size])
        with pytest.raises(skhmc.ModelFileError):
            skhmc.load(path)


def document_of(tensors):
    return json.loads(tensors["document"].tobytes())


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: d.update(root={"$": "class", "v": "os.system"}), "KeyError"),
        (lambda d: d.update(root={"$": "function", "v": "eval"}), "KeyError"),
        (lambda d: d["objects"][0].update({"class": "Popen"}), "KeyError: 'Popen'"),
        (lambda d: d["objects"][0].update({"class": "os.system"}), "KeyError"),
        (lambda d: d.update(root={"$": "object", "v": -1}), "no object has the number"),
        (lambda d: d.update(root=5), "holds int, no estimator"),
        (lambda d: d["arrays"].pop(), "arrays, of which"),
        (lambda d: d["arrays"][0].update(shape=[2**60]), "of which the document says"),
        (lambda d: d["arrays"][0].update(dtype="O"), "of which the document says"),
        (
            lambda d: d.update(root={"$": "objects", "shape": [2**60], "v": []}),
            "0 items in an array of shape",
        ),
        (
            lambda d: d.update(root={"$": "object", "v": 0}, objects=[
                {"class": "csr_matrix", "shape": [2**60, 2], "state": [
                    [key, {"$": "array", "v": 0}]
                    for key in ("data", "indices", "indptr")
                ]}
            ]),
            "another shape than it says",
        ),
    ],
)  # fmt: skip
def test_crafted_documents(change, message, small, path):
    _, tensors = small
    document = document_of(tensors)
    change(document)
    path.write_bytes(_seal(tensors, json.dumps(document)))
    with watched() as done, pytest.raises(skhmc.ModelFileError, match=message):
        skhmc.load(path)
    assert not done


@pytest.mark.parametrize(
    "node",
    [
        {"$": "scalar", "dtype": "int8,int8", "v": 10**10},  # of numpy: 10 GB of zeros
        {"$": "scalar", "dtype": "float64", "v": [1.0, 2.0]},
        {"$": "codes", "v": [2**40]},
        {"$": "path", "v": 3},
    ],
)
def test_crafted_values(node, small, path):
    _, tensors = small
    document = document_of(tensors)
    document["root"] = node
    path.write_bytes(_seal(tensors, json.dumps(document)))
    with pytest.raises(skhmc.ModelFileError, match="does not write"):
        skhmc.load(path)


def test_an_estimator_without_a_parameter_is_refused(small, path):
    _, tensors = small
    document = document_of(tensors)
    state = document["objects"][document["root"]["v"]]["state"]
    state[:] = [pair for pair in state if pair[0] != "random_state"]
    path.write_bytes(_seal(tensors, json.dumps(document)))
    with pytest.raises(skhmc.ModelFileError, match=r"parameters \['random_state'\]"):
        skhmc.load(path)


def test_sparse_positions_outside_are_found(small, path):
    """scipy would read them without looking."""
    _, tensors = small
    document = document_of(tensors)
    matrices = [c for c in document["objects"] if c["class"] == "csr_matrix"]
    number = str(dict(matrices[0]["state"])["indices"]["v"])
    wrong = np.full_like(tensors[number], 2**30)
    path.write_bytes(_seal(tensors | {number: wrong}, json.dumps(document)))
    with pytest.raises(skhmc.ModelFileError, match="indices|index values"):
        skhmc.load(path)


def test_networks_whose_parts_do_not_fit_are_found(path):
    tensors = read_tensors(originals()[0].data)
    document = document_of(tensors)
    about = document["arrays"]
    number = next(k for k, a in enumerate(about) if a["shape"] == [3, 4])
    about[number]["shape"] = [2, 4]
    tensors[str(number)] = np.ascontiguousarray(tensors[str(number)][:2])
    path.write_bytes(_seal(tensors, json.dumps(document)))
    with pytest.raises(
        skhmc.ModelFileError, match="in a layer of a network that needs"
    ):
        skhmc.load(path)


# -- parts by skops --------------------------------------------------------------------


def with_skops_part(path, change):
    """Write a file of a forest in which a part by skops is another one."""
    tensors = read_tensors(originals()[TREES].data)
    document = document_of(tensors)
    parts = [c for c in document["objects"] if c["class"] == "skops"]
    part = max(parts, key=lambda part: tensors[str(part["v"])].size)
    content = np.frombuffer(change(tensors[str(part["v"])].tobytes()), np.uint8)
    document["arrays"][part["v"]]["shape"] = [len(content)]
    tensors[str(part["v"])] = content
    path.write_bytes(_seal(tensors, json.dumps(document)))


def files_of(data):
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def archive_of(files, compression=zipfile.ZIP_STORED):
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def with_schema(change):
    def changed(data):
        files = files_of(data)
        schema = json.loads(files["schema.json"])
        change(schema)
        return archive_of(files | {"schema.json": json.dumps(schema)})

    return changed


def larger_array(data):
    files = files_of(data)
    name = next(name for name in files if name.endswith(".npy"))
    stream = BytesIO()
    header = {"descr": "<f8", "fortran_order": False, "shape": (2**40,)}
    np.lib.format.write_array_header_1_0(stream, header)
    return archive_of(files | {name: stream.getvalue()})


def bomb(data):
    files = files_of(data) | {"zeros.npy": bytes(10**6)}
    return archive_of(files, zipfile.ZIP_DEFLATED)


def shell(schema):
    """Let the schema name a function that runs a command, as if it were a type."""
    schema.update(__module__="os", __class__="system", __loader__="FunctionNode")


def other_loader(schema):
    schema["__loader__"] = "OperatorFuncNode"


@pytest.mark.parametrize(
    "change, message",
    [
        (with_schema(shell), "os.system as FunctionNode is not in the list"),
        (with_schema(other_loader), "OperatorFuncNode is not in the list"),
        (larger_array, "has an array of shape"),
        (bomb, "larger than the file|compressed"),
        (lambda data: data[:-30], "BadZipFile"),
        (lambda data: archive_of(files_of(data) | {"../x": b""}), r"has '\.\./x'"),
    ],
)
def test_crafted_parts_of_skops(change, message, path):
    with_skops_part(path, change)
    with watched() as done, pytest.raises(skhmc.ModelFileError, match=message):
        skhmc.load(path)
    assert not done


def test_trees_that_point_outside_are_found():
    """scikit-learn would follow them to any place in memory."""
    clf = originals()[TREES].estimator.estimator_
    tree = clf.tree_
    _sklearn._check_trees(clf, set())
    for name, value in (("children_left", 10**6), ("feature", 10**6)):
        state = tree.__getstate__()
        nodes = state["nodes"].copy()
        nodes["left_child" if "left" in name else "feature"][0] = value
        broken = tree.__reduce__()[0](*tree.__reduce__()[1])
        broken.__setstate__(state | {"nodes": nodes})
        with pytest.raises(skhmc.ModelFileError, match="points to a node"):
            _sklearn._check_tree(broken, clf.n_features_in_)


@pytest.mark.parametrize("n_features, text", [(4, "feature that"), ("5", "Got n_feat")])
def test_trees_that_read_more_features_than_x_has_are_found(n_features, text, path):
    """The width of X is compared with what the estimator says, not the tree."""
    original = originals()[TREES]
    clf = copy(original.estimator)
    inner = clf.estimator_ = copy(clf.estimator_)
    inner.n_features_in_ = n_features
    skhmc.save(clf, path)
    with pytest.raises(skhmc.ModelFileError, match=text):
        skhmc.load(path)


def test_boosted_trees_that_point_outside_are_found():
    X = np.random.default_rng(0).normal(size=(60, 3))
    clf = HistGradientBoostingRegressor(max_iter=1, random_state=0).fit(X, X[:, 1])
    ((predictor,),) = clf._predictors
    _sklearn._check_trees(clf, set())
    right = predictor.nodes.copy()
    for name, value in (
        ("left", 0),
        ("right", len(right)),
        ("feature_idx", 3),
        ("feature_idx", -1),
        ("is_categorical", 1),
    ):
        predictor.nodes = right.copy()
        predictor.nodes[name][0] = value
        with pytest.raises(skhmc.ModelFileError, match="points to a|categories"):
            _sklearn._check_trees(clf, set())
    state = np.random.default_rng(0).bit_generator.state | {"bit_generator": "seed"}
    clf._feature_subsample_rng = {_sklearn.GENERATOR: state}
    with pytest.raises(skhmc.ModelFileError, match="bit generator 'seed'"):
        _sklearn._make_generators(clf)


def test_losses_are_named_by_where_they_are():
    """scikit-learn before 1.9 has them in a module that nothing finds."""
    y = np.arange(len(X)) % 3
    clf = HistGradientBoostingClassifier(max_iter=1, random_state=0).fit(X, y)
    files = files_of(skops.io.dumps(_sklearn._with_plain_generators(clf)))
    schema = files["schema.json"].replace(b"sklearn._loss._loss", b"_loss")
    assert b'"_loss"' in schema
    data = archive_of(files | {"schema.json": schema})
    with pytest.raises(skhmc.ModelFileError, match=r"^_loss\.Cy.* is not in the list"):
        _sklearn.from_skops(data)
    loaded = _sklearn.from_skops(_sklearn._with_full_names(data))
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


# -- files of skops itself -------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator",
    [
        pytest.param(clf, id=name, marks=pytest.mark.slow if k else ())
        for k, (name, clf) in enumerate(FAST)
    ],
)
def test_skops_names_all_types_and_no_bytes_hide(estimator, tmp_path):
    clf = estimator.__class__(**estimator.get_params(deep=False) | {"hierarchy": DAG})
    data = skops.io.dumps(clf.fit(X, Y))
    assert b"bytes" not in files_of(data)["schema.json"]
    types = skops.io.get_untrusted_types(data=data)
    assert "skhmc._networks.skorch_net.Net" in types
    loaded = skops.io.loads(data, trusted=types)
    np.testing.assert_array_equal(loaded.predict_proba(X), clf.predict_proba(X))


class Runs:
    """Runs something when it is unpickled."""

    def __reduce__(self):
        return eval, ("__import__('os').getpid()",)


def test_a_pickle_inside_a_file_of_skops_is_not_opened():
    """A net of before had one; a crafted file with no other types ran a command."""
    import pickle

    clf = FAST[2][1].set_params(hierarchy=DAG).fit(X, Y)
    net = clf.net_
    state = net.__getstate__() | {"__cuda_dependent_attributes__": b""}
    state["__cuda_dependent_attributes__"] = pickle.dumps({"module_": Runs()})
    with watched() as done, pytest.raises(ValueError, match="holds a pickle inside"):
        type(net).__new__(type(net)).__setstate__(state)
    assert not done


@pytest.mark.parametrize("terms", [5, ["a"], {"$": "dict", "v": [["a", "no term"]]}])
def test_an_ontology_of_something_else_than_terms(terms, path):
    ontology = load_made_genes().hierarchy
    skhmc.save(AncestorClosure(ontology).fit(np.eye(ontology.n_labels)), path)
    tensors = read_tensors(path.read_bytes())
    document = document_of(tensors)
    found = [one for one in document["objects"] if one["class"] == "Ontology"]
    assert len(found) == 1
    state = found[0]["state"]
    state[:] = [pair for pair in state if pair[0] != "terms"] + [["terms", terms]]
    path.write_bytes(_seal(tensors, json.dumps(document)))
    with pytest.raises(skhmc.ModelFileError, match="something else than terms"):
        skhmc.load(path)
