"""The layers: which package imports which, and what importing does.

A package, or a module beside them, stands in one layer and imports from itself and from
lower layers; CONTRIBUTING.md shows the tree.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import skhmc

ROOT = Path(skhmc.__file__).parent
REPOSITORY = Path(__file__).parents[1]

# package: (layer, what it imports from outside beside the standard library)
ARRAYS = {"numpy", "scipy"}
LEARNING = ARRAYS | {"sklearn"}
TORCH = LEARNING | {"torch"}
LAYERS = {
    "_utils": (0, ARRAYS | {"networkx"}),
    "hierarchy": (1, ARRAYS | {"networkx"}),
    "coherence": (2, ARRAYS),
    "_data": (3, LEARNING),
    "datasets": (3, LEARNING),
    "nn": (3, {"numpy", "torch"}),
    "paths": (3, ARRAYS),
    "_scoring": (4, LEARNING),
    "induction": (4, ARRAYS),
    "metrics": (4, LEARNING),
    "model_selection": (4, LEARNING),
    "preprocessing": (4, LEARNING),
    "_kernels": (5, LEARNING),
    "_linear": (5, LEARNING | {"joblib"}),
    "_meta": (6, LEARNING | {"tqdm"}),
    "audit": (7, LEARNING),
    "_networks": (5, TORCH | {"filelock", "joblib", "safetensors", "skorch", "tqdm"}),
    "_cards": (7, LEARNING),
    "export": (7, TORCH),
    "inspection": (5, TORCH | {"networkx"}),
    "_saving": (7, LEARNING | {"safetensors", "torch"}),
    "_scale": (7, LEARNING | {"filelock", "joblib", "tqdm"}),
    "reproduce": (8, TORCH),
}
NO_TORCH = [name for name, (_, packages) in LAYERS.items() if "torch" not in packages]
SKORCH = "skhmc._networks.skorch_net"  # the one module that imports it
# the one import upward, in a method and when it is called: Hierarchy.plot
CALLS_UP = [("skhmc.hierarchy._hierarchy", "skhmc.inspection")]
MAX_EXAMPLE = 100  # lines of an example in the gallery

FILES = sorted(ROOT.rglob("*.py"))


def module_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def package_of(module):
    """Return the row of the table that a module stands in, "" for skhmc itself."""
    return module.split(".")[1] if "." in module else ""


def is_module(name):
    path = ROOT.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imported(node):
    """Return the modules that a node of a syntax tree imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: import by the full name"
        whole = [f"{node.module}.{alias.name}" for alias in node.names]
        # "from skhmc.nn import losses" names a module, "from skhmc import X" skhmc
        return [name if is_module(name) else node.module for name in whole]
    if isinstance(node, ast.Call):
        function = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if function in ("import_module", "__import__"):
            return [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
    return []


def for_types_only(tree):
    """Return the nodes under ``if TYPE_CHECKING:``, which never runs."""
    blocks = [n for n in ast.walk(tree) if isinstance(n, ast.If)]
    blocks = [n for n in blocks if getattr(n.test, "id", "") == "TYPE_CHECKING"]
    return {below for block in blocks for n in block.body for below in ast.walk(n)}


def all_imports(types=True):
    """Yield (module, where, imported module) of every import, in functions too."""
    for path in FILES:
        tree = ast.parse(path.read_text())
        left_out = set() if types else for_types_only(tree)
        for node in ast.walk(tree):
            for name in imported(node) if node not in left_out else []:
                where = f"{path.relative_to(ROOT.parent)}:{node.lineno} imports {name}"
                yield module_of(path), where, name


IMPORTS = list(all_imports(types=False))  # what runs
OWN = [
    (module, where, name)
    for module, where, name in all_imports()
    if name.split(".")[0] == "skhmc" and (module, name) not in CALLS_UP
]


# -- the layers ------------------------------------------------------------------------


def test_the_table_and_the_folders_agree():
    found = {package_of(module_of(path)) for path in FILES} - {""}
    assert found == set(LAYERS), (
        "Every package and every module beside them has one row in LAYERS of "
        "tests/test_layers.py, and nothing else has: read 'Layers' in CONTRIBUTING.md."
    )


def test_imports_point_down():
    wrong = []
    for module, where, name in OWN:
        package, other = package_of(module), package_of(name)
        if package in ("", other):
            continue
        if not other or LAYERS[other][0] >= LAYERS[package][0]:
            wrong.append(where)
    assert not wrong, "these imports do not point to a lower layer:\n" + "\n".join(
        wrong
    )


def test_what_calls_up_is_no_more_than_that():
    up = [(m, n) for m, _, n in IMPORTS if (m, n) in CALLS_UP]
    assert up == CALLS_UP  # once, and not for types alone
    loaded = "import sys, skhmc; print('skhmc.inspection' in sys.modules)"
    assert run_python(loaded, REPOSITORY) == "False"


def test_private_modules_are_imported_by_their_package_only():
    """``skhmc.package._module``; a package ``_package`` is open to all above it."""
    wrong = []
    for module, where, name in OWN:
        private = any(part.startswith("_") for part in name.split(".")[2:])
        if private and package_of(module) != package_of(name):
            wrong.append(where)
    assert not wrong, "import these from their package:\n" + "\n".join(wrong)


def test_skhmc_itself_imports_the_hierarchy_only():
    """So that ``import skhmc`` stays light: estimators are resolved on demand."""
    found = {name for module, _, name in IMPORTS if module == "skhmc"}
    assert {n for n in found if n.startswith("skhmc")} == {"skhmc.hierarchy"}


def test_networks_are_pure_torch():
    allowed = {"nn", "coherence", "hierarchy", "_utils"}
    rows = [(w, package_of(n)) for module, w, n in OWN if package_of(module) == "nn"]
    assert not [where for where, other in rows if other not in allowed]


def test_packages_of_the_layer():
    wrong = []
    for module, where, name in IMPORTS:
        package = name.split(".")[0]
        if package == "skhmc" or package in sys.stdlib_module_names:
            continue
        if package not in LAYERS.get(package_of(module), (0, set()))[1]:
            wrong.append(where)
    assert not wrong, "these packages are not in LAYERS:\n" + "\n".join(wrong)


def test_one_module_imports_skorch():
    found = {module for module, _, name in IMPORTS if name.split(".")[0] == "skorch"}
    assert found == {SKORCH}


def test_optional_packages_are_imported_in_functions():
    asking = set()  # packages that call import_optional
    wrong = []
    for path in FILES:
        tree = ast.parse(path.read_text())
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        inside = {id(below) for function in functions for below in ast.walk(function)}
        for node in ast.walk(tree):
            if getattr(getattr(node, "func", None), "id", "") == "import_optional":
                asking.add(path.parent.name)
                if id(node) not in inside:
                    wrong.append(f"{path.name}:{node.lineno}")
    own = {"_data", "_saving", "_scale"}
    assert asking == own | {"audit", "datasets", "export", "inspection"}
    assert not wrong


def test_examples_are_short_and_have_one_figure():
    paths = list(REPOSITORY.glob("examples/plot_*.py"))
    assert len(paths) >= 8
    others = set(REPOSITORY.glob("examples/*.py")) - set(paths)
    assert {path.name for path in others} == {"cifar100.py"}  # needs a download
    for path in paths:
        text = path.read_text()
        n_lines = len(text.splitlines())
        assert n_lines < MAX_EXAMPLE, f"{path.name} has {n_lines} lines"
        assert text.endswith("plt.show()\n") and text.count("plt.show()") == 1
        # what an example claims, it prints
        assert "print(" in text and text.startswith('"""\n')


# -- what importing does ---------------------------------------------------------------


def run_python(code, cwd, home=None):
    """Run code in a new interpreter and return what it prints."""
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home or cwd)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


HEAVY = {"torch", "skorch", "matplotlib", "dask", "distributed", "pooch"}
LOADED = f"import sys; print(sorted({HEAVY} & set(sys.modules)))"


def test_torch_is_loaded_on_demand(tmp_path):
    light = ", ".join(f"skhmc.{name}" for name in NO_TORCH if name != "_meta")
    assert run_python(f"import skhmc, {light}; {LOADED}", tmp_path) == "[]"


def test_extras_are_loaded_on_demand(tmp_path):
    """scikit-learn loads pyarrow where that is installed; ``import skhmc`` does not."""
    with_arrow = LOADED.replace("{", "{'pyarrow', ", 1)
    assert run_python(f"import skhmc; {with_arrow}", tmp_path) == "[]"


def test_modules_are_loaded_on_demand(tmp_path):
    """A module that is not imported yet is there all the same, and only then loaded."""
    some = "from skhmc import Hierarchy; dir(Hierarchy); import skhmc; dir(skhmc)"
    one = "skhmc.metrics.au_prc_score; skhmc.coherence.RULES; skhmc.CoherentClassifier"
    shown = "skhmc.inspection.HierarchyDisplay; skhmc.nn.asl"
    said = run_python(f"{some}; {one}; {LOADED}; {shown}; {LOADED}", tmp_path)
    assert said.splitlines()[0] == "[]"
    assert "'matplotlib'" not in said.splitlines()[1]


def test_estimators_load_torch_and_no_pictures(tmp_path):
    loaded = run_python(f"from skhmc import HCALClassifier; {LOADED}", tmp_path)
    assert loaded == "['skorch', 'torch']"


IDLE = """
import importlib, logging, random, warnings
import numpy as np, sklearn, torch, skorch  # what they do is not ours
before = [logging.root.level, list(logging.root.handlers), random.getstate()]
numpy_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()
n_filters, n_threads = len(warnings.filters), torch.get_num_threads()
for name in {names!r}:
    importlib.import_module(name)
assert before == [logging.root.level, logging.root.handlers, random.getstate()]
for name in logging.root.manager.loggerDict:
    assert not name.startswith("skhmc") or not logging.getLogger(name).handlers
assert (numpy_state == np.random.get_state()[1]).all(), "numpy's global seed"
assert torch.equal(torch_state, torch.get_rng_state()), "torch's global seed"
assert n_filters == len(warnings.filters), "warning filters"
assert n_threads == torch.get_num_threads(), "threads"
"""


def test_importing_does_nothing(tmp_path):
    home, work = tmp_path / "home", tmp_path / "work"
    home.mkdir(), work.mkdir()
    modules = [module_of(path) for path in FILES]
    assert run_python(IDLE.format(names=modules), work, home) == ""
    assert not [*home.iterdir(), *work.iterdir()], "importing wrote files"


@pytest.mark.parametrize("required, outcome", [("", "1 skipped"), ("1", "1 failed")])
@pytest.mark.slow
def test_missing_data_can_be_made_a_failure(required, outcome, monkeypatch):
    monkeypatch.delenv("SKHMC_DATA_HOME", raising=False)
    monkeypatch.setenv("SKHMC_REQUIRE_DATA", required)
    one = "tests/test_datasets_clus.py::test_published_sizes[enron]"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", one]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert outcome in done.stdout.splitlines()[-1], done.stdout
    assert (done.returncode != 0) == bool(required)
