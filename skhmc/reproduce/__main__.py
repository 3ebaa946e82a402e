"""The command ``python -m skhmc.reproduce``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import torch
from sklearn.utils import Bunch

from skhmc.reproduce._reproduce import ESTIMATORS, NAMES, reproduce


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(
        prog="python -m skhmc.reproduce",
        description="Fit an estimator to a Clus data set, and print its AU(PRC) beside "
        "published figures.",
        epilog=f"Data sets: {', '.join(NAMES)}. Files are read from SKHMC_DATA_HOME "
        f"(see skhmc.datasets.fetch_clus), and downloaded when they are missing.",
    )
    parser.add_argument("name", nargs="?", help="data set; without it, all are listed")
    parser.add_argument("--estimator", choices=ESTIMATORS, default="HCALClassifier")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu", help='such as "cpu" or "cuda"')
    parser.add_argument(
        "--threads", type=int, default=1, help="of PyTorch; stored figures have one"
    )
    options = parser.parse_args(arguments)
    if options.name not in (None, *NAMES):
        parser.error(f"got {options.name!r}, expected one of {', '.join(NAMES)}")
    return options


def describe(options: argparse.Namespace, found: Bunch) -> str:
    """Return what was fitted, the figures and what they depend on."""
    data, ours = found.data, f"{options.estimator}, seed {options.seed}"
    published = {f"{name}, published": x for name, x in found.published.items()}
    rows = [f"  {name:<40}{x:.3f}" for name, x in published.items()]
    first = next(iter(published))
    versions = ", ".join(f"{name} {x}" for name, x in found.versions.items())
    n_fit, n_scored = len(data.train) + len(data.valid), int(data.eval_mask.sum())
    return "\n".join(
        [
            f"{options.name}: {n_fit} samples to fit, {len(data.test)} to score; "
            f"{data.data.shape[1]} features; {n_scored} labels are scored",
            "",
            f"  {'AU(PRC) of the test samples':<40}",
            *rows,
            f"  {ours:<40}{found.score:.3f}",
            f"  {'  less ' + first:<40}{found.score - published[first]:+.3f}",
            "",
            f"The fit took {found.seconds:.1f} s on {options.device}, PyTorch with "
            f"{options.threads} threads. {versions}.",
            "C-HMCNN(h) is a mean of ten runs. Missing values are means, features are "
            "standardised and cut at two standard deviations.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    options = parse(arguments)
    if options.name is None:
        print("\n".join(NAMES))
        return
    torch.set_num_threads(options.threads)
    try:
        found = reproduce(
            options.name, options.estimator, seed=options.seed, device=options.device
        )
    except (ImportError, OSError) as error:
        sys.exit(f"{error}")
    print(describe(options, found))


if __name__ == "__main__":
    main()
