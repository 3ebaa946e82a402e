"""A file of results: figures of every fit, what they are of, and where.

Every run names its definition and its environment, which stand in the file once.
"""

import hashlib
import json
import os
from importlib.metadata import version
from pathlib import Path

import torch

from benchmarks.peers import has_hiclass
from benchmarks.speed_parts.common import Settings, machine

__all__ = ["add", "environment", "is_done", "named", "read", "timed", "write"]

CORES = 2  # of the machines whose times are compared
COSTS = ("seconds", "cpu_seconds", "job_seconds", "peak_gb")


def read(path):
    """Return the results in a file, or none."""
    if not Path(path).exists():
        return {"environments": [], "definitions": {}, "runs": []}
    return json.loads(Path(path).read_text())


def write(path, results):
    """Write results, a line per run; the file is always either the old or the new."""
    path = Path(path)
    parts = []
    for name, value in results.items():
        items = [json.dumps(x) for x in value]
        marks = "[]"
        if isinstance(value, dict):
            pairs = zip(items, map(json.dumps, value.values()), strict=True)
            items, marks = [f"{key}: {x}" for key, x in pairs], "{}"
        inside = "\n" + ",\n".join(items) + "\n" if items else ""
        parts.append(f'"{name}": {marks[0]}{inside}{marks[1]}')
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text("{\n" + ",\n".join(parts) + "\n}\n")
    draft.replace(path)


def named(definition):
    """Return a definition as JSON has it, and the short name that runs give for it.

    Returns
    -------
    dict, str
    """
    text = json.dumps(definition, sort_keys=True)
    return json.loads(text), hashlib.sha256(text.encode()).hexdigest()[:12]


def _key(run):
    return run["data_set"], run["row"], run["seed"]


def is_done(results, job, fingerprint):
    """Tell whether there is a run of a job, of the same definition."""
    runs = results["runs"]
    return any(_key(r) == job and r["fingerprint"] == fingerprint for r in runs)


def add(path, job, figures, defined, where):
    """Add a run to a file, in place of the same job's.

    Runs of the same row and data set that have another definition go: no mean is of
    both.

    Parameters
    ----------
    path : path-like
    job : Job
    figures : dict
    defined : tuple of (dict, str)
        Of ``definition``.
    where : dict
        Of ``environment``.

    Returns
    -------
    dict
        What the file has now.
    """
    results = read(path)
    details, fingerprint = defined
    places = results["environments"]
    places = places if where in places else [*places, where]
    run = {**job._asdict(), "fingerprint": fingerprint}
    run |= {"environment": places.index(where), **figures}
    runs = [r for r in results["runs"] if _keeps(r, run)] + [run]
    known = results["definitions"] | {fingerprint: details}
    used = {r["fingerprint"] for r in runs}
    results = {
        "environments": places,
        "definitions": {name: known[name] for name in sorted(used)},
        "runs": sorted(runs, key=_key),
    }
    write(path, results)
    return results


def _keeps(old, new):
    same_cell = _key(old)[:2] == _key(new)[:2]
    other = old["fingerprint"] != new["fingerprint"]
    return not (same_cell and (other or old["seed"] == new["seed"]))


def environment():
    """Return on what figures are measured now: machine and versions."""
    found = machine(Settings(threads=1))
    versions = found["versions"]
    if has_hiclass():
        versions = versions | {"hiclass": version("hiclass")}
    place = {"cpu": found["cpu"], "cores": found["cores"], "versions": versions}
    if torch.cuda.is_available():
        place["gpu"] = torch.cuda.get_device_name()
    return place


def timed(results):
    """Return the runs, without what they cost where that is not to be compared.

    Compared are fits on the CPU of a machine with ``CORES`` cores.
    """
    places, nothing = results["environments"], dict.fromkeys(COSTS)

    def compared(run):
        cores = places[run["environment"]]["cores"]
        return cores == CORES and run.get("device", "cpu") == "cpu"

    return [run if compared(run) else run | nothing for run in results["runs"]]
