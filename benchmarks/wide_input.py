"""What dropout of the input does where features are more than samples.

Run as ``python -m benchmarks.wide_input [--seeds N]``. HCALClassifier is fitted to some
hundred training rows, drawn anew for every seed, and scored by micro AU(PRC) on the
set's validation rows, or on 20 % of the training rows if it has none. Writes
``benchmarks/results/wide_input.json`` and ``docs/wide_input_table.inc``.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.coherent import rows
from benchmarks.figures import versions
from benchmarks.npz_sets import load_npz_set
from benchmarks.tables import include, table
from skhmc import HCALClassifier
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_score

SETS = (  # and how many training rows
    ("seq_FUN", 500),
    ("seq_FUN", 250),
    ("gasch1_FUN", 160),
    ("enron", 700),
    ("cei", 600),
    ("rcv1_subset1", 600),
    ("goemotions", 1000),
    ("diatoms", 350),
)
TEXTS = ("cei", "rcv1_subset1", "goemotions")  # tf-idf in CSR
SHARES = (0.2, 0.4, 0.5, 0.6, 0.7)
RESULTS = Path(__file__).parent / "results" / "wide_input.json"
PAGE = Path(__file__).parents[1] / "docs" / "wide_input_table.inc"


def scores(name, n_samples, seed):
    """Return the number of features, and AU(PRC) with every share."""
    texts = name in TEXTS
    data = load_npz_set(name) if texts else fetch_clus(name, download_if_missing=False)
    (train, held_out), Y = rows(data, "validation"), data.target.toarray()
    train = np.random.RandomState(seed).permutation(train)[:n_samples]
    steps = [SimpleImputer(keep_empty_features=True), StandardScaler()]
    found = []
    for share in SHARES:
        clf = HCALClassifier(data.hierarchy, input_dropout=share, random_state=seed)
        model = make_pipeline(*(["passthrough"] if texts else steps), clf)
        with warnings.catch_warnings():  # labels without a row
            warnings.filterwarnings("ignore", "Of .* labels", UserWarning)
            model.fit(data.data[train], Y[train])
        proba = model.predict_proba(data.data[held_out])
        found.append(au_prc_score(Y[held_out], proba, hierarchy=data.hierarchy))
    return data.data.shape[1], found


def page(results):
    """Return the table of the documentation."""
    heads = ["data set", "samples", "features"]
    heads += [f"input_dropout={share}" for share in SHARES]
    cells = []
    for row in results["rows"]:
        means = np.mean(row["au_prc"], axis=0)
        best = [f"**{x:.3f}**" if x == max(means) else f"{x:.3f}" for x in means]
        cells.append([row["set"], row["samples"], f"{row['features']:,}", *best])
    title = f"Fewer samples than features: AU(PRC), mean of {results['seeds']} seeds"
    made = [table(title, heads, cells)]
    return include("benchmarks.wide_input", made, results["versions"])


def main():
    """Print the table, write it and the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    seeds, found = parser.parse_args().seeds, []
    for name, n_samples in SETS:
        with threadpool_limits(1):
            runs = [scores(name, n_samples, seed) for seed in range(seeds)]
        row = {"set": name, "samples": n_samples, "features": runs[0][0]}
        found.append(row | {"au_prc": [run[1] for run in runs]})
        print(found[-1], flush=True)
    results = {"versions": versions(), "seeds": seeds, "rows": found}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(results))
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()
