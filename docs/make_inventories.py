"""Write the lists of foreign pages to link to: ``python docs/make_inventories.py``.

Sphinx usually downloads such a list, ``objects.inv``, from every project that pages
link to. A build without a network cannot. So the few names that the documentation uses
stand here, with the pages that describe them; the lists are in ``docs/_inventories``.
"""

import zlib
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "_inventories"

# project: where its documentation is, and {name: (role, page)}; "$" is the name
SITES = {
    "python": "https://docs.python.org/3/",
    "networkx": "https://networkx.org/documentation/stable/",
    "numpy": "https://numpy.org/doc/stable/",
    "pandas": "https://pandas.pydata.org/docs/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "sklearn": "https://scikit-learn.org/stable/",
    "skorch": "https://skorch.readthedocs.io/en/stable/",
    "torch": "https://docs.pytorch.org/docs/stable/",
}
NAMES = {
    "python": {"json": ("module", "library/json.html#module-json")},
    "networkx": {
        "networkx.DiGraph": ("class", "reference/classes/digraph.html#$"),
    },
    "numpy": {
        "numpy.memmap": ("class", "reference/generated/$.html#$"),
        "numpy.ndarray": ("class", "reference/generated/$.html#$"),
        "numpy.random.RandomState": ("class", "reference/random/legacy.html#$"),
    },
    "pandas": {
        "pandas.DataFrame": ("class", "reference/api/$.html#$"),
        "pandas.NA": ("attribute", "reference/api/$.html#$"),
    },
    "scipy": {
        "scipy.io.arff": ("module", "reference/io.html#module-$"),
        "scipy.sparse.csr_matrix": ("class", "reference/generated/$.html#$"),
        "scipy.special.expit": ("data", "reference/generated/$.html#$"),
    },
    "sklearn": {
        f"sklearn.{name}": (role, "modules/generated/$.html#$")
        for name, role in (
            ("base.BaseEstimator", "class"),
            ("exceptions.ConvergenceWarning", "exception"),
            ("frozen.FrozenEstimator", "class"),
            ("kernel_ridge.KernelRidge", "class"),
            ("linear_model.LogisticRegression", "class"),
            ("metrics.coverage_error", "function"),
            ("metrics.ndcg_score", "function"),
            ("model_selection.GroupShuffleSplit", "class"),
            ("model_selection.RepeatedStratifiedKFold", "class"),
            ("model_selection.StratifiedGroupKFold", "class"),
            ("model_selection.StratifiedKFold", "class"),
            ("model_selection.StratifiedShuffleSplit", "class"),
            ("model_selection.TunedThresholdClassifierCV", "class"),
            ("model_selection.train_test_split", "function"),
            ("multioutput.MultiOutputClassifier", "class"),
            ("neighbors.NearestCentroid", "class"),
            ("preprocessing.LabelBinarizer", "class"),
            ("preprocessing.MultiLabelBinarizer", "class"),
            ("preprocessing.OneHotEncoder", "class"),
            ("preprocessing.StandardScaler", "class"),
            ("svm.LinearSVC", "class"),
        )
    },
    "skorch": {"skorch.NeuralNet": ("class", "net.html#skorch.net.NeuralNet")},
    "torch": {
        "torch.Generator": ("class", "generated/$.html#$"),
        "torch.Tensor": ("class", "tensors.html#$"),
        "torch.nn.Module": ("class", "generated/$.html#$"),
    },
}


def write_inventory(project):
    """Return the bytes of a project's inventory, in the second form that Sphinx has."""
    head = f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n"
    head += "# The remainder of this file is compressed using zlib.\n"
    lines = []
    for name, (role, page) in sorted(NAMES[project].items()):
        lines.append(f"{name} py:{role} 1 {page.replace('$', name)} -\n")
    return head.encode() + zlib.compress("".join(lines).encode(), 9)


def main():
    """Write the inventories of all projects."""
    FOLDER.mkdir(exist_ok=True)
    for project in SITES:
        (FOLDER / f"{project}.inv").write_bytes(write_inventory(project))


if __name__ == "__main__":
    main()
