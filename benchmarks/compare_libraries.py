"""What skhmc and other libraries do and do not do, each cell the result of a try.

Run as ``python -m benchmarks.compare_libraries [--environments FOLDER] [--page]``.
Every library is tried in an environment of its own, in the version that ``INSTALL``
names, by ``benchmarks/compare_parts/worker.py``: it fits small made data and looks at
what comes back. Environments are made in a folder that is removed at the end, or in the
one that is named, where those that are there are used; hmc-torch needs several GB.

What the tries ended with is written to ``benchmarks/results/compare_libraries.json``,
and the table from it to README.md and ``docs/libraries_table.inc``; ``--page`` writes
these alone.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.tables import include, markdown, replace_in_readme, table

__all__ = ["PAGE", "RESULTS", "page", "readme_table"]

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "compare_libraries.json"
PAGE = ROOT / "docs" / "libraries_table.inc"
WORKER = Path(__file__).parent / "compare_parts" / "worker.py"
PINNED = ("-c", str(ROOT / "constraints.txt"))
INSTALL = {
    "skhmc": (*PINNED, str(ROOT)),
    "MultiOutputClassifier": (*PINNED, "scikit-learn"),
    "HiClass": (*PINNED, "hiclass==5.0.8"),
    "scikit-multilearn": (*PINNED, "scikit-multilearn==0.2.0"),
    "hmc-torch": ("hmc-torch==0.0.11",),  # which pins what it needs
}
VERSION_OF = {  # the package whose version stands at the head of a column
    "MultiOutputClassifier": "scikit-learn",
    "HiClass": "hiclass",
}


# -- the tries -------------------------------------------------------------------------


def make_environment(folder, name):
    """Return the Python of a library's environment, which is made if it is missing."""
    home = Path(folder, name.lower())
    python = home / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    if not python.exists():
        print(f"Installing {name} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [python, "-m", "pip", "install", "--quiet"]
        subprocess.run([*pip, *INSTALL[name]], check=True)
    return python


def try_library(python, name):
    """Return what the worker prints: what every try ended with, and versions."""
    done = subprocess.run(
        [python, WORKER, name], check=True, capture_output=True, text=True, cwd="/"
    )
    return json.loads(done.stdout.splitlines()[-1])


def run(folder):
    """Try all libraries, and write the results."""
    found = {}
    for name in INSTALL:
        found[name] = try_library(make_environment(folder, name), name)
        for row, cell in found[name]["cells"].items():
            print(f"{name}: {row}: {said(cell)} ({cell['how']})", flush=True)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")


# -- the tables ------------------------------------------------------------------------


def said(cell):
    """Return a cell as text."""
    if not cell["works"]:
        return "no"
    return f"yes, {cell['note']}" if cell["note"] else "yes"


def rows_of(found):
    """Return the heads of the columns, and the rows of the table."""
    heads = [""]
    for name, one in found.items():
        version = one["versions"][VERSION_OF.get(name, name)]
        heads.append(f"{name} {version}")
    names = next(iter(found.values()))["cells"]
    rows = [[n, *(said(one["cells"][n]) for one in found.values())] for n in names]
    versions = [one["versions"]["scikit-learn"] for one in found.values()]
    return heads, [*rows, ["tried with scikit-learn", *versions]]


def readme_table(found):
    """Return the table as Markdown."""
    return markdown(*rows_of(found))


def page(found):
    """Return the table, and how every try ended, for the documentation."""
    heads, rows = rows_of(found)
    plain = [[cell.replace("`", "``") for cell in row] for row in rows]
    ends = [
        f"- {name}, {row.replace('`', '``')}: {cell['how']}"
        for name, one in found.items()
        for row, cell in one["cells"].items()
        if not cell["works"]
    ]
    tables = [
        table("What the libraries do", heads, plain),
        'Each "no" is what a try ended with:\n\n' + "\n".join(ends) + "\n",
    ]
    return include("benchmarks.compare_libraries", tables, found["skhmc"]["versions"])


def write(found):
    """Write the tables into README.md and the documentation."""
    replace_in_readme("libraries", readme_table(found))
    PAGE.write_text(page(found))


# -- the command -----------------------------------------------------------------------


def main(arguments=None):
    """Try everything, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--environments", help="folder of the environments, kept")
    parser.add_argument("--page", action="store_true", help="tries nothing")
    options = parser.parse_args(arguments)
    if options.page:
        pass
    elif options.environments:
        run(options.environments)
    else:
        with tempfile.TemporaryDirectory() as folder:
            run(folder)
    write(json.loads(RESULTS.read_text()))


if __name__ == "__main__":
    main()
