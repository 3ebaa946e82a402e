"""How many files and functions of skhmc a fit runs.

Run as ``python -m benchmarks.fit_files``. Fits every network to a few rows, once so
that everything is imported and once under ``sys.setprofile``, and prints a line for
each fit and the files of HCALClassifier's. Neither what importing runs nor lambdas and
comprehensions are counted.
"""

import sys
import warnings
from pathlib import Path

import numpy as np

import skhmc
from skhmc import (
    HCALClassifier,
    Hierarchy,
    HyperbolicHMC,
    MaxConstraintClassifier,
)

ROOT = Path(skhmc.__file__).parent
N_ROWS = 40
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}


def run(function):
    """Return the functions of skhmc that a call runs, by file, and how many calls.

    Parameters
    ----------
    function : callable
        Called without arguments.

    Returns
    -------
    files : dict of str to set of str
        Qualified names of functions by the file's path in the package.
    n_calls : int
    """
    files = {}
    n_calls = 0

    def profile(frame, event, arg):
        nonlocal n_calls
        code = frame.f_code
        if event != "call" or code.co_name.startswith("<"):
            return
        path = Path(code.co_filename)
        if not path.is_relative_to(ROOT):
            return
        n_calls += 1
        files.setdefault(str(path.relative_to(ROOT)), set()).add(code.co_qualname)

    sys.setprofile(profile)
    try:
        function()
    finally:
        sys.setprofile(None)
    return files, n_calls


def make_data():
    """Return a hierarchy of four labels, X, sets of labels and one label per row."""
    rng = np.random.default_rng(0)
    hierarchy = Hierarchy.from_edges([(0, 1), (0, 2)], labels=range(4))
    X = rng.normal(size=(N_ROWS, 5))
    Y = (rng.random((N_ROWS, 4)) > 0.5).astype(int)
    Y[:, 0] |= Y[:, 1] | Y[:, 2]
    y = rng.integers(1, 4, size=N_ROWS)
    return hierarchy, X, Y, y


def make_calls():
    """Return what is counted: a function without arguments for each name."""
    hierarchy, X, Y, y = make_data()
    hcal = HCALClassifier(hierarchy, embedding_dim=4, **SMALL)
    stopping = HCALClassifier(
        hierarchy,
        embedding_dim=4,
        early_stopping=True,
        validation_fraction=0.3,
        **SMALL,
    )
    hyperbolic = HyperbolicHMC(hierarchy, embedding_dim=4, **SMALL)
    constraint = MaxConstraintClassifier(hierarchy, **SMALL)
    return {
        "HCALClassifier.fit, many paths": lambda: hcal.fit(X, Y),
        "HCALClassifier.fit, single paths, early stopping": lambda: stopping.fit(X, y),
        "HyperbolicHMC.fit": lambda: hyperbolic.fit(X, Y),
        "MaxConstraintClassifier.fit": lambda: constraint.fit(X, Y),
        "HCALClassifier.predict_proba": lambda: hcal.predict_proba(X),
    }


def main():
    calls = make_calls()
    shown = next(iter(calls))
    print(f"{'':50}{'files':>8}{'functions':>11}{'calls':>8}")
    for name, function in calls.items():
        function()  # so that everything is imported
        files, n_calls = run(function)
        n_functions = sum(map(len, files.values()))
        print(f"{name:50}{len(files):8}{n_functions:11}{n_calls:8}")
        if name == shown:
            listed = files
    print(f"\n{shown} runs, in the order of the first call:")
    for path, functions in listed.items():
        print(f"  {path:40}{len(functions):4} functions")


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of so few rows
        main()
