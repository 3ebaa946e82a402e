"""Search on a Dask cluster that starts here: two processes with one thread each.

Run as ``OMP_NUM_THREADS=1 python examples/cluster/search_on_dask.py``.
"""

import sys
import time

from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

import skhmc
from skhmc import MaxConstraintClassifier
from skhmc.datasets import load_digit_properties
from skhmc.metrics import au_prc_scorer
from skhmc.model_selection import MultilabelStratifiedKFold


def search(max_iter=10):
    """Return a search that is not fitted, and its data."""
    digits = load_digit_properties()
    X, Y = digits.data[digits.train] / 16, digits.target[digits.train]
    clf = MaxConstraintClassifier(
        digits.hierarchy, hidden_layer_sizes=(64,), max_iter=max_iter, random_state=0
    )
    grid = {"learning_rate_init": [1e-3, 1e-2], "dropout": [0.0, 0.3]}
    folds = MultilabelStratifiedKFold(3)
    return GridSearchCV(clf, grid, scoring=au_prc_scorer, cv=folds), X, Y


def main(max_iter=10):
    """Compare the search on two processes with that in this one."""
    alone, X, Y = search(max_iter)
    start = time.perf_counter()
    alone.fit(X, Y)
    print(f"in this process: {time.perf_counter() - start:.1f} s")
    together, X, Y = search(max_iter)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as made,
        Client(made) as client,
    ):
        start = time.perf_counter()
        with skhmc.on_dask(client, verbose=1):
            together.fit(X, Y)
        print(f"on two workers: {time.perf_counter() - start:.1f} s")
    same = (
        alone.cv_results_["mean_test_score"] == together.cv_results_["mean_test_score"]
    )
    print(f"equal scores: {same.sum()} of {len(same)}")
    print(f"best: {together.best_params_}, AU(PRC) {together.best_score_:.3f}")
    return bool(same.all())


if __name__ == "__main__":  # workers are new processes, which import this file
    main(*map(int, sys.argv[1:]))
