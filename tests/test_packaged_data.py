"""The data sets that are files of the package: their bytes, licences and loaders."""

import gzip
import hashlib
import sys
import tomllib
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import skhmc
from benchmarks import packaged_data
from skhmc import Hierarchy
from skhmc.coherence import violations
from skhmc.datasets import load_intents, load_made_genes, read_annotations
from tests.real_data import real_data_home

ROOT = Path(__file__).parents[1]
FOLDER = Path(skhmc.__file__).parent / "datasets" / "data"
MAX_BYTES = 300_000
# of the unpacked text, as compressed bytes depend on the version of zlib
SUMS = """
22a8b8d9c03141b2e13327155e6e9f9aebc263f579431ad771d0064a3f2bf9a6  intents.LICENSE.txt
38b6cc28f0574daf74bbb2662402a4ea834f3b0aea2b2fae644c6527f22e98d1  intents.csv.gz
e7252f342437d7bf9a1013810f01cab69468ddc9268126796e367c639c01d65f  made_genes.csv
77658fe87240bb064eec33f2bf31b7d61b943420a7d73c2413fbc52eb668ff6f  made_genes.obo
282c447fdea3de9e701be00ac17bbc8a1126e0d21c00a6a4e5703e09b091cedd  made_genes.tsv
"""
SHA256 = {name: digest for digest, name in map(str.split, SUMS.splitlines()[1:])}
AUTHORS = (
    "Larson Mahendran Peper Clarke Lee Hill Kummerfeld Leach Laurenzano Tang Mars"
).split()


@pytest.fixture(scope="module")
def intents():
    return load_intents()


@pytest.fixture(scope="module")
def genes():
    return load_made_genes()


# -- the files -------------------------------------------------------------------------


def unpacked(path):
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


@pytest.mark.parametrize("name", SHA256)
def test_files_are_small_and_the_ones_that_were_made(name):
    path = FOLDER / name
    assert path.stat().st_size < MAX_BYTES
    assert hashlib.sha256(unpacked(path)).hexdigest() == SHA256[name]


def test_there_are_no_other_files():
    assert {path.name for path in FOLDER.iterdir()} == set(SHA256)


def test_the_wheel_has_them():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = project["tool"]["setuptools"]["package-data"]["skhmc"]
    package = Path(skhmc.__file__).parent
    found = {path for pattern in patterns for path in package.glob(pattern)}
    assert set(FOLDER.iterdir()) < found
    assert project["project"]["license"] == "BSD-3-Clause AND CC-BY-3.0"
    assert (
        "skhmc/datasets/data/intents.LICENSE.txt" in project["project"]["license-files"]
    )


def test_genes_are_made_by_the_command(tmp_path):
    packaged_data.make_made_genes(tmp_path)
    made = sorted(tmp_path.iterdir())
    assert [path.name for path in made] == [n for n in SHA256 if "genes" in n]
    for path in made:
        assert path.read_bytes() == (FOLDER / path.name).read_bytes()


def test_intents_are_made_by_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv("SKHMC_DATA_HOME", str(real_data_home("npz")))
    packaged_data.make_intents(tmp_path)
    made = sorted(tmp_path.iterdir())
    assert [path.name for path in made] == [n for n in SHA256 if "intents" in n]
    for path in made:
        assert unpacked(path) == unpacked(FOLDER / path.name)


PLACES = {
    "file": lambda: unpacked(FOLDER / "intents.csv.gz").decode(),
    "beside the file": lambda: (FOLDER / "intents.LICENSE.txt").read_text(),
    "loader": lambda: load_intents().DESCR,
    "documentation": lambda: (ROOT / "docs" / "data.rst").read_text(),
}


@pytest.mark.parametrize("place", PLACES)
def test_attribution(place):
    words = " ".join(PLACES[place]().replace("#", " ").split())
    assert [name for name in AUTHORS if name not in words] == []
    for part in (
        "An Evaluation Dataset for Intent Classification and Out-of-Scope Prediction",
        "https://github.com/clinc/oos-eval",
        "CC BY 3.0",
        "https://creativecommons.org/licenses/by/3.0/",
        "40 of 100 training texts and 20 of 30 test texts",  # what was changed
    ):
        assert part in words


def test_the_licence_beside_the_file_says_what_the_file_says(intents):
    beside = (FOLDER / "intents.LICENSE.txt").read_text()
    assert intents.DESCR.endswith(beside.rstrip())


# -- the loaders -----------------------------------------------------------------------


def test_intents(intents):
    assert intents.data.shape == intents.intents.shape == (9000,)
    assert all(isinstance(text, str) for text in intents.data)
    assert intents.target.shape == (9000, 160) and intents.target.dtype.kind == "i"
    assert intents.label_names == intents.target_names
    assert intents.label_names == list(intents.hierarchy.labels)
    assert intents.eval_mask.all() and intents.eval_mask.shape == (160,)
    both = np.sort(np.concatenate([intents.train, intents.test]))
    np.testing.assert_array_equal(both, np.arange(9000))


def test_every_text_has_its_intent_and_domain(intents):
    expected = [{name, name.split(" > ")[0]} for name in intents.intents]
    names = np.array(intents.label_names, dtype=object)
    found = [set(names[row == 1]) for row in intents.target]
    assert found == expected


def test_intents_are_equally_frequent(intents):
    leaves = intents.hierarchy.leaves
    assert len(leaves) == 150 and len(intents.hierarchy.roots) == 10
    assert (intents.target[intents.train][:, leaves].sum(axis=0) == 40).all()
    assert (intents.target[intents.test][:, leaves].sum(axis=0) == 20).all()


def test_the_file_of_intents_is_read_by_pandas(intents):
    table = pd.read_csv(intents.filename, comment="#")
    assert table["text"].tolist() == intents.data.tolist()
    assert table["intent"].tolist() == intents.intents.tolist()
    in_train = (table["part"] == "train").to_numpy()
    np.testing.assert_array_equal(np.flatnonzero(in_train), intents.train)


def test_genes(genes):
    n_labels = genes.hierarchy.n_labels
    assert genes.data.shape == (600, len(genes.feature_names))
    assert np.isfinite(genes.data).all() and genes.data.dtype == np.float64
    assert genes.target.shape == (600, n_labels) and genes.target.dtype.kind == "i"
    assert genes.label_names == list(genes.hierarchy.labels)
    assert genes.target_names == list(genes.hierarchy.names.values())
    assert len(set(genes.sample_names)) == 600
    assert genes.eval_mask.all() and genes.eval_mask.shape == (n_labels,)
    assert not set(genes.train) & set(genes.test)
    assert (len(genes.train), len(genes.test)) == (400, 200)
    # every label can be learnt, and its score be computed
    assert genes.target[genes.train].any(axis=0).all()
    assert genes.target[genes.test].any(axis=0).all()


def test_genes_have_what_their_annotations_imply(genes):
    assert not genes.hierarchy.is_tree
    assert violations(genes.target, genes.hierarchy).nnz == 0
    graph = genes.hierarchy.to_networkx()
    for row, terms in zip(genes.target, genes.annotations, strict=True):
        implied = set(terms).union(*(nx.ancestors(graph, term) for term in terms))
        assert {name for name, has in zip(graph, row, strict=True) if has} == implied


def test_files_of_genes_are_those_of_one_s_own(genes):
    """The readers of users' files find in them what the loader returns."""
    ontology = Hierarchy.from_obo(genes.ontology_filename)
    assert ontology == genes.hierarchy and ontology.obsolete == ("MADE:0102",)
    assert ontology.resolve("MADE:0101") in ontology
    table = read_annotations(genes.annotations_filename, hierarchy=ontology)
    assert (table.samples, table.labels) == (genes.sample_names, genes.annotations)
    assert table.counts["alternative id"] > 0
    X = pd.read_csv(genes.data_filename, index_col="gene")
    assert X.index.tolist() == genes.sample_names
    assert X.columns.tolist() == genes.feature_names
    np.testing.assert_array_equal(X, genes.data)


def test_genes_as_frames(genes):
    framed = load_made_genes(as_frame=True)
    assert framed.data.columns.tolist() == genes.feature_names
    assert framed.target.columns.tolist() == genes.label_names
    assert framed.data.index.tolist() == genes.sample_names
    np.testing.assert_array_equal(framed.data, genes.data)
    np.testing.assert_array_equal(framed.target, genes.target)
    pd.testing.assert_frame_equal(framed.frame[framed.data.columns], framed.data)
    assert "frame" not in genes


def test_frames_need_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert load_made_genes().data.shape == (600, 30)
    with pytest.raises(ImportError, match="load_made_genes.*pandas"):
        load_made_genes(as_frame=True)


@pytest.mark.parametrize("load", [load_intents, load_made_genes])
def test_return_X_y(load):
    X, Y = load(return_X_y=True)
    bunch = load()
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(Y, bunch.target)


def test_frames_of_X_and_y():
    X, Y = load_made_genes(return_X_y=True, as_frame=True)
    assert X.index.equals(Y.index) and X.shape == (600, 30)
