"""Write the files of ``tests/saved`` that are not there yet, and what they predict.

Run as ``python -m tests.make_saved`` when an estimator or a format is new. Files that
are there stay as they are: they show that files of before can still be loaded.
"""

import numpy as np

import skhmc
from tests.contract import build, task
from tests.test_saving import CLASSIFIERS, SAVED


def main():
    hierarchy, X, Y = task("many")
    SAVED.mkdir(exist_ok=True)
    for name, estimator in CLASSIFIERS:
        path = SAVED / f"{name}-1.skhmc"
        if path.exists():
            continue
        clf = build(estimator, hierarchy).fit(X, Y)
        skhmc.save(clf, path)
        proba = clf.predict_proba(X[:8])
        labels = np.array(list(map(str, hierarchy.labels)))
        np.savez(path.with_suffix(".npz"), X=X[:8], proba=proba, labels=labels)
        print(f"{path.name}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
