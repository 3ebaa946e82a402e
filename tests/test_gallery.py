"""The examples of the gallery: their form, and that they run as they say."""

import ast
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GALLERY = sorted(ROOT.glob("examples/plot_*.py"))
MAX_SECONDS = 20  # of the processor
# what the first lines of an example say in numbers, as it prints them
CLAIMS = {
    "plot_coherent_forest": r"CoherentClassifier: violations 0\.0%",
    "plot_folds": r"\nKFold: .* up to 5\.\d times",
    "plot_images": r"violations: 0%",
    "plot_protein_function": r"label frequency +Fmax 0\.4",
    "plot_rare_labels": r"71 intents are rare(.|\n)*regression: rare F1 0\.1",
    "plot_suggestions": r"8 of 10 are right",
    "plot_texts": r"\['banking > pay bill', 'home > reminder update'\]",
}
# Runs an example without a window and without a network.
RUN = """
import runpy, socket, sys
import matplotlib
matplotlib.use("Agg", force=True)
import matplotlib.pyplot as plt
def refuse(*args):
    raise OSError("an example asks for the network")
socket.socket.connect = socket.getaddrinfo = refuse
plt.show = lambda: None
runpy.run_path(sys.argv[1], run_name="__main__")
print("figures:", len(plt.get_fignums()))
"""


def test_there_are_enough_examples():
    assert len(GALLERY) >= 16


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_an_example_makes_one_claim_with_one_figure(path):
    tree = ast.parse(path.read_text(), path.name)
    title, line, blank, *words = ast.get_docstring(tree).splitlines()
    assert set(line) == {"="} and len(line) == len(title) and not blank
    claim = "\n".join(words)
    assert "\n\n" not in claim and claim.endswith(".")  # one paragraph
    calls = [ast.unparse(node.func) for node in ast.walk(tree) if is_call(node)]
    assert calls.count("plt.subplots") == 1


def is_call(node):
    return isinstance(node, ast.Call)


def test_claims_are_of_examples():
    assert set(CLAIMS) < {path.stem for path in GALLERY}


@pytest.mark.slow
@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_an_example_runs(path, tmp_path):
    if path.stem == "plot_optuna":
        pytest.importorskip("optuna", reason="needs the extra docs of skhmc")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", RUN, str(path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("figures: 1\n")
    assert re.search(CLAIMS.get(path.stem, ""), done.stdout)
    assert after.ru_utime - before.ru_utime < MAX_SECONDS
    assert not list(tmp_path.iterdir())  # it leaves nothing behind
