"""Whether estimators give the same bits as at an older commit.

    python -m benchmarks.same_bits [COMMIT]

unpacks the package as it was at a commit of this repository (by default the last one
before parameters were renamed), fits the same cases with both, on one thread, and
compares probabilities, decisions, predictions, weights and the record of every epoch
bit for bit. Prints a line per case, "identical" or what differs, and the table of
calls that are spelled in another way. Exits with 1 when anything differs.
"""

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp

REPOSITORY = Path(__file__).parents[1]
BEFORE = "579a6a5"

# the shape of all networks here: small, and random as by default
SMALL = {"hidden_layer_sizes": (12,), "max_iter": 3, "batch_size": 16}
SMALL |= {"random_state": 0, "device": "cpu"}
EMBEDDED = {"embedding_dim": 6}


class Case:
    """One estimator, fitted to some data in some way.

    Parameters
    ----------
    kind : str
        Name of the class in skhmc.
    data : str
        A name that ``make_data`` knows.
    old, new : dict
        Parameters that are spelled in another way now, as they were and as they are.
    how : {"fit", "partial_fit", "warm_start"}
    weights : {None, "samples", "labels"}
    **same : dict
        Parameters that are spelled as they were.
    """

    def __init__(self, kind, data, old=None, new=None, how="fit", weights=None, **same):
        self.kind = kind
        self.data = data
        self.old = old or {}
        self.new = new or {}
        self.how = how
        self.weights = weights
        self.same = same

    @property
    def name(self):
        """What the case is called in the output."""
        given = self.same | self.new
        options = ", ".join(f"{key}={value!r}" for key, value in given.items())
        weights = f", {self.weights} weighted" if self.weights else ""
        return f"{self.kind}({options}) · {self.data} · {self.how}{weights}"


HCAL, HYPERBOLIC, MAX = "HCALClassifier", "HyperbolicHMC", "MaxConstraintClassifier"
NETWORKS = (HCAL, HYPERBOLIC, MAX)
FLOAT64 = {"old": {"dtype": "float64"}, "new": {"precision": "float64"}}


def every_network(data, **options):
    """Return a case per network estimator."""
    return [Case(kind, data, **options) for kind in NETWORKS]


CASES = [
    *every_network("many paths"),
    *every_network("single paths"),
    *every_network("classes"),
    *every_network("sparse"),
    *every_network("unknown labels"),
    *every_network("many paths", **FLOAT64),
    *every_network("sparse", n_sampled_labels=2),
    *every_network("many paths", n_sampled_labels=2),
    *every_network("many paths", how="partial_fit"),
    *every_network("sparse", how="partial_fit"),
    *every_network("many paths", how="warm_start"),
    *every_network("many paths", weights="samples"),
    *every_network("many paths", weights="labels"),
    *every_network("many paths", early_stopping=True, n_iter_no_change=1),
    *every_network("single paths", class_weight="balanced"),
    *every_network(
        "many paths",
        old={"class_weight": "balanced", "class_weight_cap": 2.0},
        new={"class_weight": ("balanced", 2.0)},
    ),
    *every_network("many paths", class_weight={"cat": 2.0, "pet": 0.5}),
    *every_network("classes", class_weight="balanced"),
    *every_network("many paths", schedule="constant", optimizer="adam"),
    *every_network("many paths", optimizer="sgd", learning_rate_init=0.05),
    *every_network(
        "many paths",
        old={"momentum": 0.5, "weight_decay": 0.1},
        new={"optimizer__momentum": 0.5, "optimizer__weight_decay": 0.1},
        optimizer="sgd",
    ),
    *every_network("many paths", optimizer__betas=(0.8, 0.99)),
    *every_network(
        "many paths", old={"precision": "mixed"}, new={"precision": "mixed"}
    ),
    *every_network("tree", coherence="isotonic"),
    *every_network("many paths", coherence=None),
    *every_network("many paths", threshold=0.3, sparse_output=True),
    Case(HCAL, "many paths", {"n_networks": 2}, {"n_estimators": 2}),
    Case(MAX, "many paths", {"n_networks": 2}, {"n_estimators": 2}),
    Case(HCAL, "sparse", {"n_networks": 2}, {"n_estimators": 2}, n_sampled_labels=2),
    Case(
        HCAL,
        "single paths",
        {"n_networks": 2},
        {"n_estimators": 2},
        how="partial_fit",
        label_loss="softmax",
    ),
    Case(HCAL, "single paths", leaf_prediction="optional", coherence="max"),
    Case(HCAL, "single paths", coherence=None),
    Case(HCAL, "many paths", normalize_features=True, linear_head=False),
    Case(HCAL, "many paths", aggregation=0.5),
    Case(
        HCAL,
        "single paths",
        {"aggregation": 1.0, "aggregation_chunk": 8},
        {"aggregation": (1.0, 8)},
    ),
    Case(HCAL, "many paths", task_weighting="dwa"),
    Case(HCAL, "many paths", task_weighting="equal", label_loss="mcloss"),
    Case(HCAL, "many paths", label_loss="asl", gamma=0.1),
    Case(HCAL, "many paths", label_loss="zlpr"),
    Case(MAX, "many paths", label_loss="mcloss"),
    Case(
        HCAL,
        "many paths",
        {"prototype_learning_rate": (0.05, 0.1)},
        {"learning_rate_init": (0.001, 0.05, 0.1)},
    ),
    Case(
        HCAL,
        "many paths",
        {"input_dropout": 0.1, "dropout": 0.0, "embedding_dropout": "auto"},
        {"dropout": (0.1, 0.0, "auto")},
    ),
    Case(
        MAX,
        "many paths",
        {"input_dropout": 0.3, "dropout": 0.3},
        {"dropout": 0.3},
    ),
    Case(
        HYPERBOLIC,
        "many paths",
        {"embedding_dropout": "auto"},
        {"dropout": "auto"},
    ),
    Case(HYPERBOLIC, "no hierarchy"),
    Case(HYPERBOLIC, "no hierarchy", mode="cascade"),
    Case(HYPERBOLIC, "no hierarchy", mode="flat"),
    Case(HYPERBOLIC, "no hierarchy", geometry="euclidean", coherence="learned"),
    Case(
        HYPERBOLIC,
        "no hierarchy",
        {"lam": 0.2, "rule": "dag", "reach": 0.6},
        {"embedding_weight": 0.2, "structure": "dag", "parent_threshold": 0.6},
        similarity="jaccard",
    ),
    Case(
        HYPERBOLIC,
        "no hierarchy",
        {"learning_rate_init": 0.002, "points_rate": 3.0},
        {"learning_rate_init": (0.002, 3.0 * 0.002)},
        max_radius=None,
        tangent_scores=False,
    ),
    Case(
        HYPERBOLIC,
        "300 labels",
        {"n_pairs": 20, "n_negatives": 5},
        {"ranking_sample": (20, 5)},
    ),
    *every_network("many paths", published=True),
    *[
        Case("CoherentClassifier", data, {"method": rule}, {"coherence": rule})
        for data, rule in [
            ("tree", "average"),
            ("tree", "max"),
            ("tree", "min"),
            ("tree", "isotonic"),
            ("many paths", "product"),
            ("many paths", None),
        ]
    ],
    Case("HierarchicalThresholdClassifier", "many paths"),
]


# -- data ------------------------------------------------------------------------------


DAG = {"cat": ["mammal", "pet"], "cow": ["mammal"], "parrot": ["bird", "pet"]}
DAG_LABELS = ["cow", "mammal", "cat", "bird", "parrot", "pet", "stone"]
TREE = {"a1": ["a"], "a2": ["a"], "b1": ["b"], "b2": ["b"], "a11": ["a1"]}
TREE_LABELS = ["a11", "a", "b", "a1", "b1", "b2", "a2", "c"]
WIDE = {f"x{k}": [f"x{k // 7}"] for k in range(1, 300)}
WIDE_LABELS = [f"x{k}" for k in range(300)]


def make_data(name):
    """Return X, y and the hierarchy: None, ``{child: parents}``, or that and labels."""
    parents, names = DAG, DAG_LABELS
    if name in ("single paths", "classes", "tree"):
        parents, names = TREE, TREE_LABELS
    if name == "300 labels":
        parents, names = WIDE, WIDE_LABELS
    rng = np.random.default_rng(0)
    X = rng.normal(size=(70, 12))
    if name == "sparse":
        X = sp.random(70, 1200, 0.008, "csr", random_state=0)
    scores = X @ rng.normal(size=(X.shape[1], len(names)))
    hierarchy = {label: parents.get(label, []) for label in names}
    if name == "classes":
        return X, np.array(names)[scores.argmax(axis=1)], hierarchy
    Y = scores > np.quantile(scores, 0.7, axis=0)
    if name == "single paths":
        Y = scores.argmax(axis=1)[:, None] == np.arange(len(names))
    Y = closed(Y, parents, names).astype(float)
    if name == "unknown labels":
        Y[rng.random(Y.shape) < 0.1] = np.nan
    if name == "sparse":
        Y = sp.csr_matrix(Y)
    return X, Y, (None if name == "no hierarchy" else hierarchy, names)


def closed(Y, parents, names):
    """Add ancestors, by as many rounds as there can be levels."""
    position = {label: k for k, label in enumerate(names)}
    edges = [(position[p], position[c]) for c, above in parents.items() for p in above]
    for _ in range(10):
        for parent, child in edges:
            Y[:, parent] |= Y[:, child]
    return Y


# -- fits ------------------------------------------------------------------------------


def build(case, spelled, hierarchy):
    """Return the estimator of a case, its parameters spelled as the package does."""
    import skhmc

    kind = getattr(skhmc, case.kind)
    options = case.same | (case.old if spelled == "old" else case.new)
    if case.kind == "CoherentClassifier":
        from sklearn.linear_model import LogisticRegression

        return kind(LogisticRegression(), hierarchy, **options)
    if case.kind == "HierarchicalThresholdClassifier":
        network = skhmc.MaxConstraintClassifier(hierarchy, **SMALL)
        return kind(network, cv=2)
    options = SMALL | (EMBEDDED if case.kind != MAX else {}) | options
    if options.pop("published", False):
        options = options | kind.PUBLISHED
    if case.how == "warm_start":
        options["warm_start"] = True
    return kind(hierarchy, **options)


def run(case, spelled):
    """Return a digest of everything that a fit says, by name."""
    from skhmc import Hierarchy

    X, y, source = make_data(case.data)
    hierarchy = source
    if isinstance(source, tuple):
        hierarchy, names = source
        if hierarchy is not None:
            hierarchy = Hierarchy.build(hierarchy, labels=names)
    clf = build(case, spelled, hierarchy)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(clf, X, y, case)
        found = {m: getattr(clf, m)(X) for m in METHODS if hasattr(clf, m)}
        if hasattr(clf, "predict_top_k"):
            found["predict_top_k"] = clf.predict_top_k(X, 3)
    if hasattr(clf, "net_"):
        weights = [*clf.net_.module_.state_dict().values()]
        found["weights"] = sorted(digest(w.numpy()) for w in weights)
        found["history"] = [
            {key: value for key, value in epoch.items() if key != "dur"}
            for epoch in clf.history_
        ]
    if hasattr(clf, "learned_hierarchy_"):
        found["learned_hierarchy"] = clf.learned_hierarchy_.edges
    return {name: digest(value) for name, value in found.items()}


def fit(clf, X, y, case):
    """Fit an estimator in the way of a case."""
    options = {}
    if case.weights:
        shape = {"samples": 70, "labels": np.shape(y)}[case.weights]
        options["sample_weight"] = np.random.default_rng(1).random(shape)
    if case.how == "partial_fit":
        for rows in (slice(0, 40), slice(40, 70)) * 2:
            clf.partial_fit(X[rows], y[rows], **options)
        return
    clf.fit(X, y, **options)
    if case.how == "warm_start":
        clf.fit(X[:50], y[:50], **options)


METHODS = (
    "predict_proba",
    "decision_function",
    "raw_decision_function",
    "predict",
    "predict_raw",
)


def digest(value):
    """Return a hash of an array, matrix, tuple of arrays, or what JSON can hold."""
    if isinstance(value, tuple):
        return [digest(part) for part in value]
    if sp.issparse(value):
        value = value.toarray()
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            value = value.astype(str)
        data = np.ascontiguousarray(value).tobytes()
        kind = f"{value.dtype.kind}{value.shape}".encode()
        return hashlib.sha256(kind + data).hexdigest()[:16]
    text = json.dumps(value, sort_keys=True, default=float)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def run_all(spelled, chosen):
    """Print the digests of all cases as JSON, or what stopped them."""
    found = {}
    for case in chosen:
        try:
            found[case.name] = run(case, spelled)
        except Exception as error:  # the other side may fail in the same way
            found[case.name] = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(found))


# -- the comparison --------------------------------------------------------------------


def unpack(commit, folder):
    """Write the package as it was at a commit into a folder."""
    command = ["git", "archive", commit, "skhmc"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True)
    if done.returncode:
        raise SystemExit(
            f"git knows no commit {commit!r} here ({done.stderr.decode().strip()}). "
            f"Clone the whole history: git fetch --unshallow."
        )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def digests(package, spelled, match):
    """Return what :func:`run_all` prints with the package in a folder."""
    env = os.environ | {"PYTHONPATH": str(package), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--spelled", spelled, "--match", match]
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"The fits with the {spelled} package failed.")
    return json.loads(done.stdout)


def compare(commit, match):
    """Print what differs between a commit and the working tree; return how much."""
    with tempfile.TemporaryDirectory() as folder:
        unpack(commit, folder)
        before = digests(folder, "old", match)
    now = digests(REPOSITORY, "new", match)
    n_differing = 0
    for name, one in before.items():
        other = now[name]
        # what an estimator did not have before has nothing to be compared with
        names = sorted(key for key in one if one[key] != other.get(key))
        failed = one.get("error") or other.get("error")
        n_differing += bool(names or failed)
        verdict = f"DIFFERS in {', '.join(names)}" if names else "identical"
        if failed:
            verdict = f"FAILS: {one.get('error')} / {other.get('error')}"
        print(f"{verdict}: {name}")
    print(f"{len(before) - n_differing} of {len(before)} cases are identical.")
    return n_differing


def print_calls():
    """Print the table of calls that are spelled in another way now."""
    rows = {(case.kind, str(case.old)): case for case in CASES if case.old != case.new}
    print("\nOld call -> new call")
    for case in rows.values():
        print(f"{case.kind}: {spell(case.old)} -> {spell(case.new)}")


def spell(options):
    """Return parameters as one writes them."""
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def main():
    """Compare, or (in the processes that this starts) fit."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("commit", nargs="?", default=BEFORE)
    parser.add_argument("--match", default="", help="only cases with this in the name")
    parser.add_argument("--spelled", choices=("old", "new"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.spelled:
        chosen = [case for case in CASES if args.match in case.name]
        return run_all(args.spelled, chosen)
    n_differing = compare(args.commit, args.match)
    print_calls()
    return sys.exit(1 if n_differing else 0)


if __name__ == "__main__":
    main()
