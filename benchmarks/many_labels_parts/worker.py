"""Fits one program to one data set, and stores what it predicts and what it took.

Run as ``python worker.py FOLDER PROGRAM THREADS SEED`` by benchmarks.many_labels, with
the Python of the program: other programs live in an environment of their own, which
needs no skhmc. Reads X_train.npz, Y_train.npz, X_judged.npz, edges.npy and leaves.npy;
writes top.npz, predicted.npz, scores.npy where there are not many labels, and
figures.json.
"""

import json
import os
import pickle
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import scipy.sparse as sp

K = 5
N_BEST = 100  # labels that are asked of a program that does not predict sets
N_SINGLE = 200  # rows that are predicted one by one
LEAST_SECONDS = 0.2
DENSE_LABELS = 1000  # with more, no scores of all labels
MB = 2**20


class Data:
    """What a program is fitted to, and what it predicts for."""

    def __init__(self, folder):
        files = ("X_train", "Y_train", "X_judged")
        self.X, self.Y, self.X_judged = (
            sp.csr_matrix(sp.load_npz(folder / f"{name}.npz")) for name in files
        )
        self.edges = np.load(folder / "edges.npy")
        self.leaves = np.load(folder / "leaves.npy")
        self.n_labels = self.Y.shape[1]


def rows_of(X):
    """Return rows as lists of pairs of a feature and its value."""
    starts = X.indptr.tolist()
    pairs = list(zip(X.indices.tolist(), X.data.tolist(), strict=True))
    return [pairs[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]


def size_of(path):
    """Return the bytes of the files in a folder."""
    return sum(p.stat().st_size for p in Path(path).rglob("*") if p.is_file())


class Peer:
    """A program that ranks a list of labels: all of them, or the leaves."""

    def __init__(self, data, leaves_only):
        self.n_labels = data.n_labels
        self.labels = data.leaves if leaves_only else np.arange(data.n_labels)
        self.is_leaf = np.isin(np.arange(data.n_labels), data.leaves)
        self.edges = data.edges
        self.leaves_only = leaves_only

    def scores(self, X, n):
        """Return a CSR matrix (n_samples, n_labels) of the n best scores of a row."""
        rows, columns, values = [], [], []
        for row, found in enumerate(self.ranked(X, n)):
            rows += [row] * len(found)
            columns += [int(column) for column, _ in found]
            values += [float(value) for _, value in found]
        columns = self.labels[np.array(columns, np.intp)]
        shape = X.shape[0], self.n_labels
        return sp.csr_matrix((np.array(values), (rows, columns)), shape)

    def top(self, X):
        # inner labels come first: more are asked for, so that K leaves are there
        return self.scores(X, K if self.leaves_only else N_BEST)

    def all_scores(self, X):
        scores = self.scores(X, len(self.labels)).toarray()
        if self.leaves_only:  # an inner label scores as the best leaf below it
            for _ in range(len(self.edges)):
                before = scores.copy()
                np.maximum.at(scores.T, self.edges[:, 0], before[:, self.edges[:, 1]].T)
                if np.array_equal(before, scores):
                    break
        return scores

    def predicted(self, X):
        chosen = self.scores(X, min(N_BEST, len(self.labels))) > 0.5
        if not self.leaves_only:
            return chosen
        ones = np.ones(len(self.edges), bool)  # inner labels follow from leaves
        parents = sp.csr_matrix((ones, self.edges[:, ::-1].T), 2 * (self.n_labels,))
        while True:
            more = chosen + chosen @ parents
            if more.nnz == chosen.nnz:
                return more
            chosen = more


class Omikuji(Peer):
    """Omikuji: trees of labels, learnt by 2-means or k-means."""

    def __init__(self, data, threads, seed, folder, leaves_only, **options):
        super().__init__(data, leaves_only)
        self.options = options
        self.threads = threads
        self.folder = folder
        self.path = folder / "train.txt"
        labels = sp.csr_matrix(data.Y[:, self.labels])
        with self.path.open("w") as file:  # its one input: a file
            file.write(f"{data.X.shape[0]} {data.X.shape[1]} {labels.shape[1]}\n")
            for i, row in enumerate(rows_of(data.X)):
                own = labels.indices[labels.indptr[i] : labels.indptr[i + 1]]
                words = " ".join(f"{j}:{v:.6g}" for j, v in row)
                line = f"{','.join(map(str, own.tolist()))} {words}"
                file.write(f"{line.rstrip()}\n")  # else no row without words

    def fit(self, data):
        import omikuji

        wanted = omikuji.Model.default_hyper_param()
        for name, value in self.options.items():
            setattr(wanted, name, value)
        self.model = omikuji.Model.train_on_data(
            str(self.path), wanted, n_threads=self.threads
        )

    def ranked(self, X, n):
        beam = max(10, min(n, 1000))
        for row in rows_of(X):
            yield self.model.predict(row, beam_size=beam, top_k=n)

    def size(self):
        path = self.folder / "omikuji"
        self.model.save(str(path))
        return size_of(path)


class NapkinXC(Peer):
    """NapkinXC: probabilistic label trees, learnt by 2-means."""

    def __init__(self, data, threads, seed, folder, leaves_only):
        super().__init__(data, leaves_only)
        self.path = folder / "napkinxc"
        self.options = {"threads": threads, "seed": seed}
        labels = sp.csr_matrix(data.Y[:, self.labels])
        starts = labels.indptr.tolist()
        columns = labels.indices.tolist()
        self.rows = [columns[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]

    def fit(self, data):
        from napkinxc.models import PLT

        self.model = PLT(str(self.path), **self.options)
        self.model.fit(data.X, self.rows)
        self.model.load()

    def ranked(self, X, n):
        return self.model.predict_proba(X, top_k=n)

    def size(self):
        return size_of(self.path)


class OneVsRest:
    """OneVsRestClassifier(LinearSVC()) over all labels."""

    def __init__(self, data, threads, seed, folder):
        from sklearn.multiclass import OneVsRestClassifier
        from sklearn.svm import LinearSVC

        self.clf = OneVsRestClassifier(LinearSVC(random_state=seed), n_jobs=threads)
        self.is_leaf = np.isin(np.arange(data.n_labels), data.leaves)
        self.never = np.asarray(data.Y.sum(axis=0)).ravel() == 0

    def fit(self, data):
        # scikit-learn 1.9 takes some of more than 255 labels for others in uint8
        self.clf.fit(data.X, data.Y.astype(np.int64))

    def all_scores(self, X):
        scores = self.clf.decision_function(X)
        scores[:, self.never] = scores.min()  # 0 would be above most margins
        return scores

    def top(self, X):
        scores = np.where(self.is_leaf, self.all_scores(X), -np.inf)
        best = np.argsort(-scores, axis=1, kind="stable")[:, :K]
        return in_rows(best, np.take_along_axis(scores, best, axis=1), scores.shape[1])

    def predicted(self, X):
        return sp.csr_matrix(self.clf.predict(X))

    def size(self):
        return len(pickle.dumps(self.clf))


class Ours:
    """An estimator of skhmc."""

    def __init__(self, data, threads, seed, folder, name):
        import skhmc

        hierarchy = skhmc.Hierarchy.from_edges(
            data.edges.tolist(), labels=range(data.n_labels)
        )
        if name in NETWORKS:
            self.clf = self._network(name, hierarchy, threads, seed)
        elif name in VOTES:
            self.clf = self._vote(name, hierarchy, threads, seed)
        elif name in RECOMMENDED:
            torch_threads(threads)
            self.clf = skhmc.HierarchicalVotingClassifier(
                None,
                hierarchy,
                **RECOMMENDED[name],
                n_jobs=threads,
                random_state=seed,
            )
        elif name == KERNEL:
            self.clf = skhmc.KernelHMC(hierarchy, random_state=seed)
        else:
            changes = {ALL: {"negatives": "all"}, FIXED: {"C": 1.0}}.get(name, {})
            self.clf = skhmc.LabelTreeClassifier(
                hierarchy,
                n_jobs=threads,
                random_state=seed,
                sparse_output=True,
                **changes,
            )

    def _network(self, name, hierarchy, threads, seed):
        import skhmc

        torch_threads(threads)
        options = {}
        if hierarchy.n_labels > DENSE_LABELS:  # as in benchmarks.large
            options |= {"hidden_layer_sizes": (128,), "batch_size": 256}
            options |= {"n_sampled_labels": 1000, "max_iter": 12}
        make = getattr(skhmc, name)
        return make(hierarchy, random_state=seed, sparse_output=True, **options)

    def _vote(self, name, hierarchy, threads, seed):
        import skhmc

        options = {"n_jobs": threads, "random_state": seed}
        members = [
            (how, skhmc.LabelTreeClassifier(negatives=how, **options))
            for how in ("siblings", "all")
        ]
        if name == VOTE:
            members.append(("kernel", skhmc.KernelHMC(random_state=seed)))
        return skhmc.HierarchicalVotingClassifier(
            members, hierarchy, average=VOTES[name]
        )

    def fit(self, data):
        self.clf.fit(data.X, data.Y)

    def all_scores(self, X):
        return self.clf.predict_proba(X)

    def top(self, X):
        best, proba = self.clf.predict_top_k(X, K, among="leaves")
        return in_rows(best, proba, len(self.clf.label_names_))

    def predicted(self, X):
        return self.clf.predict(X)

    def size(self):
        return len(pickle.dumps(self.clf))


def torch_threads(number):
    """Have torch use as many threads as were asked for."""
    import torch

    torch.set_num_threads(number)


def in_rows(columns, scores, n_columns):
    """Return a CSR matrix that stores some columns of every row."""
    starts = np.arange(0, columns.size + 1, columns.shape[1])
    parts = scores.ravel(), columns.ravel(), starts
    return sp.csr_matrix(parts, (len(columns), n_columns))


FIXED = "LabelTreeClassifier, C=1"
ALL = "LabelTreeClassifier, all negatives"
BOTH = "LabelTreeClassifier, both negatives"
KERNEL = "KernelHMC"
VOTE = "LabelTreeClassifier, both negatives, and KernelHMC"
VOTES = {BOTH: "logit", VOTE: "proba"}  # of what the mean is taken
RECOMMENDED = {  # votes of its own members
    "HierarchicalVotingClassifier": {},
    "HierarchicalVotingClassifier, weights by folds": {
        "weights": "cv",
        "average": "logit",
    },
}
NETWORKS = ("HCALClassifier", "MaxConstraintClassifier")
BONSAI = {"cluster_k": 100, "cluster_balanced": False, "max_depth": 3}
PROGRAMS = {  # name: what makes it, with its options
    "omikuji": (Omikuji, {"leaves_only": True}),
    "omikuji, all labels": (Omikuji, {"leaves_only": False}),
    "omikuji, as Bonsai": (Omikuji, {"leaves_only": True, **BONSAI}),
    "napkinXC PLT": (NapkinXC, {"leaves_only": True}),
    "napkinXC PLT, all labels": (NapkinXC, {"leaves_only": False}),
    "OneVsRest LinearSVC": (OneVsRest, {}),
    "HCALClassifier": (Ours, {"name": "HCALClassifier"}),
    "MaxConstraintClassifier": (Ours, {"name": "MaxConstraintClassifier"}),
    "LabelTreeClassifier": (Ours, {"name": "LabelTreeClassifier"}),
    FIXED: (Ours, {"name": FIXED}),
    ALL: (Ours, {"name": ALL}),
    KERNEL: (Ours, {"name": KERNEL}),
    BOTH: (Ours, {"name": BOTH}),
    VOTE: (Ours, {"name": VOTE}),
    **{name: (Ours, {"name": name}) for name in RECOMMENDED},
}


class Clock:
    """Seconds of a block: by the wall, and of the processor."""

    def __enter__(self):
        self._wall, self._cpu = time.perf_counter(), self._used()
        return self

    def __exit__(self, *error):
        self.wall = time.perf_counter() - self._wall
        self.cpu = self._used() - self._cpu

    def _used(self):
        below = os.times()  # processes of joblib, where there are any
        return time.process_time() + below.children_user + below.children_system


def resident(name):
    """Return memory of this process in bytes: "VmRSS", or "VmHWM", the peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(name))
    return int(line.split()[1]) * 1024


def forget_peak():
    """Have the peak begin from what is held now."""
    Path("/proc/self/clear_refs").write_text("5")


def speed(predict, X, n_rows):
    """Return rows per second of the processor; often enough to be measured."""
    n_times, used = 0, 0.0
    while used < LEAST_SECONDS:
        with Clock() as clock:
            predict(X)
        used += clock.cpu
        n_times += 1
    return n_times * n_rows / used


def measure(folder, program, threads, seed):
    """Fit, predict and return the figures."""
    make, options = PROGRAMS[program]
    data = Data(folder)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        model = make(data, threads, seed, Path(own), **options)
        forget_peak()
        before = resident("VmRSS")
        with Clock() as fit:
            model.fit(data)
        figures = {
            "fit_cpu_seconds": fit.cpu,
            "fit_seconds": fit.wall,
            "fit_peak_mb": (resident("VmHWM") - before) / MB,
            "model_mb": model.size() / MB,
        }
        X = data.X_judged

        def one_by_one(X):
            for i in range(X.shape[0]):
                model.top(X[i : i + 1])

        few = X[:N_SINGLE]
        sp.save_npz(folder / "top.npz", sp.csr_matrix(model.top(X)))
        figures["rows_per_second_batch"] = speed(model.top, X, X.shape[0])
        figures["rows_per_second_single"] = speed(one_by_one, few, few.shape[0])
        sp.save_npz(folder / "predicted.npz", sp.csr_matrix(model.predicted(X)))
        if data.n_labels <= DENSE_LABELS:
            np.save(folder / "scores.npy", model.all_scores(X).astype(np.float32))
    return figures


def main():
    """Measure what the command line names."""
    folder, program, threads, seed = sys.argv[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # labels without a row, and the like
        figures = measure(Path(folder), program, int(threads), int(seed))
    Path(folder, "figures.json").write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
