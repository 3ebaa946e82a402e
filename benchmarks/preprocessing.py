"""What is done to tables before HCALClassifier: missing values, scales, heavy tails.

Run as ``python -m benchmarks.preprocessing [--seeds N]``; needs the data sets of the
Clus collection in SKHMC_DATA_HOME. Every recipe is fitted, with the classifier's
defaults, to the training rows, and scored by micro AU(PRC) on the validation rows, or
on 20 % of the training rows if a set has none. Writes
``benchmarks/results/preprocessing.json`` and ``docs/preprocessing_table.inc``.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.coherent import rows
from benchmarks.figures import versions
from benchmarks.recipe import cut
from benchmarks.tables import include, table
from skhmc import HCALClassifier
from skhmc.datasets import fetch_clus
from skhmc.metrics import au_prc_score

__all__ = ["PAGE", "RECIPES", "RESULTS", "SETS", "page"]

SETS = ("cellcycle_FUN", "eisen_FUN", "gasch1_FUN", "seq_FUN", "enron", "diatoms")
RECIPES = {  # what follows the imputer; mean values but in the last
    "StandardScaler": [StandardScaler()],
    "not scaled": [],
    "RobustScaler": [RobustScaler()],
    "StandardScaler, cut at ±3": [StandardScaler(), cut(3)],
    "StandardScaler, cut at ±2": [StandardScaler(), cut(2)],
    "QuantileTransformer to a normal": [
        QuantileTransformer(output_distribution="normal", random_state=0),
        StandardScaler(),
    ],
    "indicators of missing values, StandardScaler": [StandardScaler()],
}
RESULTS = Path(__file__).parent / "results" / "preprocessing.json"
PAGE = Path(__file__).parents[1] / "docs" / "preprocessing_table.inc"


def score(name, recipe, seed):
    """Return AU(PRC) of one fit."""
    data = fetch_clus(name, download_if_missing=False)
    (train, held_out), Y = rows(data, "validation"), data.target.toarray()
    indicator = recipe.startswith("indicators")
    impute = SimpleImputer(keep_empty_features=True, add_indicator=indicator)
    clf = HCALClassifier(data.hierarchy, random_state=seed)
    model = make_pipeline(impute, *RECIPES[recipe], clf)
    with warnings.catch_warnings():  # labels without a row; ties of quantiles
        warnings.simplefilter("ignore", UserWarning)
        model.fit(data.data[train], Y[train])
    proba = model.predict_proba(data.data[held_out])
    return au_prc_score(Y[held_out], proba, hierarchy=data.hierarchy)


def page(results):
    """Return the table of the documentation."""
    names, cells = results["sets"], []
    best = [max(np.mean(row["au_prc"][k]) for row in results["rows"]) for k in names]
    for row in results["rows"]:
        means = [np.mean(row["au_prc"][name]) for name in names]
        said = [
            f"**{x:.3f}**" if x == top else f"{x:.3f}"
            for x, top in zip(means, best, strict=True)
        ]
        cells.append([row["recipe"], *said])
    title = (
        f"After imputing: AU(PRC) of validation rows, mean of {results['seeds']} seeds"
    )
    made = [table(title, ["steps", *names], cells)]
    return include("benchmarks.preprocessing", made, results["versions"])


def main():
    """Print the scores, write them and their table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=2)
    seeds, found = parser.parse_args().seeds, []
    for recipe in RECIPES:
        with threadpool_limits(1):
            scores = {
                name: [score(name, recipe, seed) for seed in range(seeds)]
                for name in SETS
            }
        found.append({"recipe": recipe, "au_prc": scores})
        print(found[-1], flush=True)
    results = {"versions": versions(), "seeds": seeds, "sets": SETS}
    results["rows"] = found
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    PAGE.write_text(page(results))
    print(f"Wrote {PAGE}")


if __name__ == "__main__":
    main()
