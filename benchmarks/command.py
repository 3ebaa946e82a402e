"""What the commands of the benchmarks share: parser, stored results, own processes."""

import argparse
import json
import multiprocessing
from pathlib import Path

__all__ = [
    "DOCS",
    "RESULTS",
    "command_line",
    "in_own_process",
    "read_results",
    "write_results",
]

RESULTS = Path(__file__).parent / "results"
DOCS = Path(__file__).parents[1] / "docs"


def command_line(doc):
    """Return the parser of a command that the first line of ``doc`` describes."""
    return argparse.ArgumentParser(description=doc.splitlines()[0])


def read_results(path):
    """Return stored results, an empty dict where there are none."""
    return json.loads(path.read_text()) if path.is_file() else {}


def write_results(path, results):
    """Store results."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def in_own_process(function, *args):
    """Run in a fresh process, so that its peak memory is its own."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, args)
