"""The house rules: who may import whom, how long things are, what importing does.

The floors are described in CONTRIBUTING.md. A module may import modules of lower
floors and of its own room; everything else it may import is listed here.
"""

import ast
import importlib
import inspect
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
from numpydoc.validate import validate

import skhmc

ROOT = Path(skhmc.__file__).parent
REPOSITORY = Path(__file__).parents[1]

# -- the table ---------------------------------------------------------------------

# room -> floor. A room is a module, or a package with all its modules.
FLOORS = {
    "hierarchy": 0,
    "_levels": 0,
    "_sources": 0,
    "_optional": 0,
    "_warnings": 0,
    "_columns": 1,
    "_cuts": 1,
    "_file_rows": 1,
    "_hold_out": 1,
    "_similarity": 1,
    "coherence": 1,
    "induction": 1,
    "paths": 1,
    "metrics": 2,
    "preprocessing": 2,
    "model_selection": 2,
    "datasets": 2,
    "audit": 2,
    "_targets": 2,
    "_input": 2,
    "_frequencies": 2,
    "_label_form": 2,
    "_inner": 2,
    "_many_labels": 2,
    "_out_of_fold": 2,
    "_outputs": 2,
    "nn": 3,
    "_batches": 4,
    "_label_sample": 4,
    "_net": 4,
    "_optimizer_memory": 4,
    "_pass_through": 4,
    "_encoder": 4,
    "_training": 4,
    "_base": 4,
    "_network": 4,
    "_label_embedding": 4,
    "_coherent": 5,
    "_hcal": 5,
    "_hyperbolic": 5,
    "_max_constraint": 5,
    "_threshold": 5,
    "inspection": 6,
    "persistence": 6,
}
# Imports between rooms of one floor; there are no others.
SAME_FLOOR = {
    ("hierarchy", "_levels"),
    ("hierarchy", "_sources"),
    ("paths", "coherence"),
    ("_cuts", "coherence"),
    ("_input", "_targets"),
    ("_inner", "_input"),
    ("_inner", "_targets"),
    ("_inner", "metrics"),
    ("_many_labels", "metrics"),
    ("_out_of_fold", "metrics"),
    ("_out_of_fold", "model_selection"),
    ("model_selection", "_targets"),
    ("preprocessing", "_targets"),
    ("_label_form", "_frequencies"),
    ("_label_form", "_outputs"),
    ("_encoder", "_batches"),
    ("_encoder", "_pass_through"),
    ("_net", "_batches"),
    ("_net", "_optimizer_memory"),
    ("_training", "_batches"),
    ("_training", "_label_sample"),
    ("_training", "_net"),
    ("_training", "_pass_through"),
    ("_base", "_batches"),
    ("_network", "_base"),
    ("_network", "_pass_through"),
    ("_network", "_training"),
}
# Lower floors that a room may not import, though they are lower.
CLOSED = {("nn", 2)}
# The front door (skhmc/__init__.py) imports this; the rest resolves on demand.
DOOR = {"hierarchy"}

ARRAYS = {"numpy", "scipy"}
PACKAGES = {
    0: ARRAYS | {"networkx"},
    1: ARRAYS,
    2: ARRAYS | {"sklearn"},
    3: {"numpy", "torch"},
    4: ARRAYS | {"sklearn", "torch"},
    5: ARRAYS | {"sklearn", "torch"},
    6: ARRAYS | {"sklearn", "torch", "networkx"},
}
EXTRA = {"_net": {"skorch", "tqdm"}}  # the only skorch import
# Never imported by statement, but inside functions of these floors by the helper.
OPTIONAL = {"matplotlib", "pandas"}
OPTIONAL_FLOORS = {6}

MAX_LINES = 400
MAX_LINES_OF = {"_base.py": 100}  # think twice
MAX_BODY = 40  # lines of a function without its docstring; __init__ may be longer
MAX_FIT = 20
MAX_EXAMPLE = 100

FILES = sorted(ROOT.rglob("*.py"))
NAMES = [path.relative_to(ROOT).as_posix() for path in FILES]


def room_of(module):
    """Return the room of a module ``skhmc.x.y``, "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def module_of(path):
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_module(name):
    path = ROOT.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def imports(tree):
    """Yield (module, line) of every import in a syntax tree, inside functions too."""
    for node in ast.walk(tree):
        for name in _imported(node):
            yield name, node.lineno


def _imported(node):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, f"line {node.lineno}: import by the full name"
        whole = [f"{node.module}.{alias.name}" for alias in node.names]
        # "from skhmc.nn import losses" names a module, "from skhmc import X" the door
        return [name if is_module(name) else node.module for name in whole]
    if isinstance(node, ast.Call):
        function = getattr(node.func, "attr", getattr(node.func, "id", ""))
        if function in ("import_module", "__import__"):
            return [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
    return []


def may_import(room, other):
    """Tell whether the table lets a room import another."""
    above, below = FLOORS[room], FLOORS[other]
    if room == other or (room, other) in SAME_FLOOR:
        return True
    return below < above and (room, below) not in CLOSED


# -- the floors --------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_module_is_in_the_table(name):
    room = room_of(module_of(ROOT / name))
    assert not room or room in FLOORS, (
        f"skhmc/{name} stands on no floor: read 'Floors' in CONTRIBUTING.md, decide, "
        f"and add {room!r} to FLOORS in tests/test_house.py."
    )


@pytest.mark.parametrize("name", NAMES)
def test_own_imports_point_down(name):
    room = room_of(module_of(ROOT / name))
    for module, line in imports(ast.parse((ROOT / name).read_text())):
        if module.split(".")[0] != "skhmc":
            continue
        other = room_of(module)
        where = f"skhmc/{name}, line {line}: imports {module}"
        if not room:
            assert other in DOOR, f"{where}; the front door imports {DOOR} only"
            continue
        assert other, f"{where}, the front door; import from the module itself"
        assert may_import(room, other), (
            f"{where} on floor {FLOORS[other]} from floor {FLOORS[room]}; imports "
            f"point down (or stand in SAME_FLOOR)"
        )


@pytest.mark.parametrize("name", NAMES)
def test_packages_of_the_floor(name):
    room = room_of(module_of(ROOT / name))
    floor = FLOORS[room] if room else 0
    allowed = PACKAGES[floor] | EXTRA.get(room, set())
    for module, line in imports(ast.parse((ROOT / name).read_text())):
        package = module.split(".")[0]
        if package == "skhmc" or package in sys.stdlib_module_names:
            continue
        where = f"skhmc/{name}, line {line}: imports {module}"
        assert package not in OPTIONAL, (
            f"{where}; import optional packages inside functions, by import_optional"
        )
        assert package in allowed, (
            f"{where}; floor {floor} may import {sorted(allowed)}"
        )


@pytest.mark.parametrize("name", NAMES)
def test_optional_packages_are_imported_late(name):
    tree = ast.parse((ROOT / name).read_text())
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
    inside = {id(below) for function in functions for below in ast.walk(function)}
    for node in ast.walk(tree):
        if getattr(getattr(node, "func", None), "id", "") == "import_optional":
            where = f"skhmc/{name}, line {node.lineno}"
            assert FLOORS[room_of(module_of(ROOT / name))] in OPTIONAL_FLOORS, where
            assert id(node) in inside, f"{where}: import inside the function"


def test_table_lists_what_may_be_same_floor():
    for room, other in SAME_FLOOR:
        assert FLOORS[room] == FLOORS[other]
        assert (other, room) not in SAME_FLOOR, "one of the two comes first"


# -- the length of things ----------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_file_is_short(name):
    n_lines = len((ROOT / name).read_text().splitlines())
    limit = MAX_LINES_OF.get(name, MAX_LINES)
    assert n_lines <= limit, f"skhmc/{name} has {n_lines} lines, at most {limit}"


def body_length(function):
    """Return the lines of a function from behind its docstring to its end."""
    body = function.body[ast.get_docstring(function, clean=False) is not None :]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("name", NAMES)
def test_functions_are_short(name):
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        if isinstance(node, ast.FunctionDef) and node.name != "__init__":
            limit = MAX_FIT if node.name == "fit" else MAX_BODY
            n_lines = body_length(node)
            assert n_lines <= limit, (
                f"skhmc/{name}, line {node.lineno}: the body of {node.name} has "
                f"{n_lines} lines, at most {limit}"
            )


def test_examples_are_short():
    for path in REPOSITORY.glob("examples/*.py"):
        assert path.name.startswith("plot_")
        n_lines = len(path.read_text().splitlines())
        assert n_lines < MAX_EXAMPLE, f"{path.name} has {n_lines} lines"


# -- what importing does -----------------------------------------------------------


def run_python(code, cwd, home=None):
    """Run code in a new interpreter and return what it prints."""
    env = os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "HOME": str(home or cwd)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


LOADED = (
    "import sys; print(sorted({'torch', 'skorch', 'matplotlib'} & set(sys.modules)))"
)


def test_torch_is_loaded_on_demand(tmp_path):
    rooms = [r for r, floor in FLOORS.items() if floor <= 2 and is_module(f"skhmc.{r}")]
    light = ", ".join(f"skhmc.{room}" for room in rooms)
    assert run_python(f"import skhmc, {light}; {LOADED}", tmp_path) == "[]"
    some = "from skhmc import Hierarchy; dir(Hierarchy); import skhmc; dir(skhmc)"
    assert run_python(f"{some}; {LOADED}", tmp_path) == "[]"


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
def test_missing_data_can_be_made_a_failure(required, outcome, monkeypatch):
    monkeypatch.delenv("SKHMC_DATA_HOME", raising=False)
    monkeypatch.setenv("SKHMC_REQUIRE_DATA", required)
    one = "tests/test_datasets_clus.py::test_published_sizes[enron]"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", one]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert outcome in done.stdout.splitlines()[-1], done.stdout
    assert (done.returncode != 0) == bool(required)


# -- public names and their docstrings ---------------------------------------------


def public_modules():
    """Return the modules without underscore that say what is public."""
    found = ["skhmc"]
    found += [m.name for m in pkgutil.walk_packages(skhmc.__path__, "skhmc.")]
    modules = [importlib.import_module(n) for n in found if "._" not in n]
    return [module for module in modules if hasattr(module, "__all__")]


@pytest.mark.parametrize("name", NAMES)
def test_all_names_exist_and_say_what_they_are(name):
    module = importlib.import_module(module_of(ROOT / name))
    for public in getattr(module, "__all__", []):
        assert isinstance(public, str)
        thing = getattr(module, public)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert thing.__doc__ and thing.__doc__.strip(), f"{name}: {public}"


def test_unknown_public_name():
    with pytest.raises(AttributeError, match="has no attribute 'HCALClasifier'"):
        skhmc.HCALClasifier  # noqa: B018
    assert set(skhmc.__all__) <= set(dir(skhmc))


# numpydoc's checks but for: an extended summary (ES01), examples (EX01) and "see also"
# (SA01) everywhere; capital letters where a Bunch lists its contents (RT04).
CHECKS = {
    *(f"GL{k:02d}" for k in range(1, 11)),
    *(f"SS{k:02d}" for k in range(1, 7)),
    *(f"PR{k:02d}" for k in range(1, 11)),
    *("RT01", "RT02", "RT03", "RT05"),
    *("YD01", "SA02", "SA03", "SA04"),
}
# A method may be said in one paragraph without sections, and what it returns by a
# summary that begins with "Return". Modules of nn/ have shapes in their type hints.
TYPED = {"PR01", "PR07", "RT01", "GL08"}


def documented():
    """Return the full names of public functions, classes and methods, each once."""
    found = {}
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            path = f"{module.__name__}.{name}"
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found.setdefault(thing, path)
    for thing, path in list(found.items()):
        if inspect.isclass(thing):
            found |= {f"{path}.{m}": f"{path}.{m}" for m in own_methods(thing)}
    return list(found.values())


def own_methods(kind):
    for name, member in inspect.getmembers(kind, callable):
        function = getattr(member, "__func__", member)
        module = getattr(function, "__module__", None) or ""
        if not name.startswith("_") and module.startswith("skhmc"):
            yield name


@pytest.mark.parametrize("path", documented())
def test_docstring_follows_numpydoc(path):
    found = validate(path)
    lines = found["docstring"].splitlines()
    allowed = set()
    if path.startswith("skhmc.nn."):
        allowed = TYPED
    elif path.split(".")[-2][0].isupper():  # a method
        allowed |= {"PR01"} if not any(x.startswith("---") for x in lines) else set()
        allowed |= {"RT01"} if "".join(lines).startswith("Return") else set()
    wrong = [
        f"{code} {text}"
        for code, text in found["errors"]
        if code in CHECKS and code not in allowed
    ]
    assert not wrong, f"{path}: {'; '.join(wrong)}"
