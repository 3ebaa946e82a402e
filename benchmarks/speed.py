"""Speed and memory: the lines of docs/speed.rst, most beside a peer in the same run.

Run as ``python -m benchmarks.speed [--part NAME] [--device cuda] [--threads N]``.
Parts: ``training`` and ``inference`` beside a bare PyTorch loop over the same network,
``whole_fit``, the seconds of one fit of the defaults, ``busy``, fits beside other
processes, ``latency``, the CPU time of one row beside the bare network and other
libraries, ``coherence`` beside one matrix product and the dense formulation,
``time_to_score`` beside what scikit-learn (and HiClass, where it is installed) need for
a fit, ``curves`` against the numbers of labels and samples, and ``profile``, where a
step's time goes. What is compared is run in turn,
several times; ratios are medians of paired times, with the lowest and the highest in
brackets. On a GPU: ``training``, ``inference`` and ``coherence``.

Writes ``benchmarks/results/speed_cpu.json`` (or ``speed_cuda.json``), each part for
itself, the tables of ``docs/speed.rst`` and ``docs/speed_curves.svg``. With ``--quick``
it measures little of each part and writes nothing. ``--page`` writes the documentation
from what was measured before.
"""

import time
from importlib import import_module
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from benchmarks.command import command_line, read_results, write_results
from benchmarks.speed_parts import (
    busy,
    coherence,
    curves,
    inference,
    latency,
    profile,
    time_to_score,
    training,
    whole_fit,
)
from benchmarks.speed_parts.common import Settings, machine
from benchmarks.tables import block, table

__all__ = ["PAGE", "PARTS", "merge", "page", "text_table"]

PARTS = {
    "training": training,
    "whole_fit": whole_fit,
    "busy": busy,
    "inference": inference,
    "latency": latency,
    "coherence": coherence,
    "time_to_score": time_to_score,
    "curves": curves,
    "profile": profile,
}
CPU_ONLY = ("whole_fit", "busy", "latency", "time_to_score", "curves", "profile")
RESULTS = {
    device: Path(__file__).parent / "results" / f"speed_{device}.json"
    for device in ("cpu", "cuda")
}
LARGE = RESULTS["cpu"].with_name("large.json")  # of benchmarks.large
PAGE = Path(__file__).parents[1] / "docs" / "speed_tables.inc"
GOALS = ["what", "beside", "to reach", "reached"]


def text_table(title, heads, rows):
    """Return a table as text."""
    cells = [[str(x) for x in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(x.ljust(w) for x, w in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([title, *lines, ""])


def read(device):
    """Return what was measured on a device, by part."""
    return read_results(RESULTS[device])


def merge(results, name, rows, measured):
    """Return results with new rows of a part, in the order of the parts.

    Rows that a part could not measure again stay.
    """
    before = results.get(name, {"rows": []})["rows"]
    keep = getattr(PARTS[name], "keep", lambda row: False)
    rows = rows + [row for row in before if keep(row)]
    results = results | {name: {"measured": measured, "rows": rows}}
    return {name: results[name] for name in PARTS if name in results}


# -- the documentation -----------------------------------------------------------------


def measured_on(measured):
    """Return on what a part was measured, as a sentence."""
    parts = [measured["cpu"], f"{measured['cores']} cores"]
    parts.append(f"threads: {measured['threads']}")
    if "load" in measured:  # figures are good for something where others do nothing
        parts.append(f"load before the run: {measured['load']:.1f}")
    parts += [measured["gpu"]] if "gpu" in measured else []
    parts.append(f"seed {measured['seed']}")
    parts += [f"{name} {version}" for name, version in measured["versions"].items()]
    return f"Measured on {', '.join(parts)}.\n"


def goals(results):
    """Return the table of what was to be reached."""
    lines = [x for name in results for x in PARTS[name].goals(results[name]["rows"])]
    return table("To reach, and reached", GOALS, lines)


def part_texts(name, result):
    """Return the tables of one part, and on what it was measured."""
    if result is None:
        return ["Not measured yet.\n"]
    made = PARTS[name].tables(result["rows"])
    return [table(*one) for one in made] + [measured_on(result["measured"])]


def page():
    """Return the part of the documentation that holds the tables."""
    results, on_gpu = read("cpu"), read("cuda")
    blocks = [".. Printed by python -m benchmarks.speed; edit nothing here.\n"]
    blocks.append(block("goals", [goals(results)]))
    blocks += [block(name, part_texts(name, results.get(name))) for name in PARTS]
    texts = ["No figures of a GPU have been taken yet.\n"]
    if on_gpu:
        parts = [text for name, x in on_gpu.items() for text in part_texts(name, x)]
        texts = [goals(on_gpu), *parts]
    blocks.append(block("gpu", texts))
    texts = ["``python -m benchmarks.large`` measures it.\n"]
    if LARGE.exists():
        texts = import_module("benchmarks.large").tables()
    blocks.append(block("large", texts))
    return "\n".join(blocks)


def write_documentation():
    """Write the tables and the figure."""
    PAGE.write_text(page())
    found = read("cpu").get("curves")
    if found:
        curves.draw(found["rows"])
    print(f"Wrote {PAGE}")


# -- the command -----------------------------------------------------------------------


def run(name, settings):
    """Measure one part, print its tables, and record it unless it is quick."""
    start, measured = time.perf_counter(), machine(settings)
    with threadpool_limits(settings.threads):
        rows = PARTS[name].measure(settings)
    made = PARTS[name].tables(rows)
    lines = PARTS[name].goals(rows)
    if lines:
        made = [*made, ("To reach, and reached", GOALS, lines)]
    print(*(text_table(*one) for one in made), sep="\n")
    print(f"{name}: {time.perf_counter() - start:.0f} s\n", flush=True)
    if not settings.quick:
        results = merge(read(settings.device), name, rows, measured)
        write_results(RESULTS[settings.device], results)


def parse(arguments=None):
    """Return the parts to measure, and how."""
    parser = command_line(__doc__)
    parser.add_argument("--device", choices=list(RESULTS), default="cpu")
    parser.add_argument("--part", choices=list(PARTS), action="append")
    parser.add_argument("--quick", action="store_true", help="records nothing")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--page", action="store_true", help="measures nothing")
    options = parser.parse_args(arguments)
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda was asked for, but torch sees no CUDA device.")
    usual = [n for n in PARTS if options.device == "cpu" or n not in CPU_ONLY]
    others = set(options.part or ()) - set(usual)
    if others:
        parser.error(f"{', '.join(sorted(others))}: measured with --device cpu only.")
    names = [] if options.page else options.part or usual
    return names, Settings(options.device, options.threads, options.quick)


def main():
    """Print the tables, record the figures and write the documentation."""
    names, settings = parse()
    torch.set_num_threads(settings.threads)
    for name in names:
        run(name, settings)
    if not settings.quick:
        write_documentation()


if __name__ == "__main__":
    main()
