"""Files around the package say the same as the package."""

import importlib
import re
import runpy
import tomllib
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc

import skhmc
from tests.test_public_names import public_modules

ROOT = Path(__file__).parents[1]
INVENTORIES = runpy.run_path(str(ROOT / "docs" / "make_inventories.py"))
GROUPS = runpy.run_path(str(ROOT / "docs" / "group_parameters.py"))


def read(name):
    return (ROOT / name).read_text()


def read_project():
    return tomllib.loads(read("pyproject.toml"))["project"]


@pytest.mark.parametrize("name", ["CITATION.cff", "docs/cite.rst"])
def test_version_to_cite(name):
    (found,) = re.findall(r"(?<!-)version(?:: | = {)(\d[\w.]*\w)", read(name))
    assert found == skhmc.__version__


def test_pre_commit_has_the_ruff_of_constraints():
    (pinned,) = re.findall(r"^ruff==(.*)$", read("constraints.txt"), re.M)
    assert f"rev: v{pinned}\n" in read(".pre-commit-config.yaml")


def test_workflow_runs_what_ci_runs():
    """Every target of make in .ci/run, but for those that need the data sets."""
    targets = set(re.findall(r"(?:step make|^tests) ([\w-]+)$", read(".ci/run"), re.M))
    in_workflow = set(
        re.findall(r"run: make ([\w-]+)$", read(".github/workflows/ci.yml"), re.M)
    )
    assert {"test", "docs", "docs-check"} <= targets
    assert targets - {"demo", "slow"} == in_workflow - {"venv"}


def test_classifiers_have_the_oldest_python():
    oldest = read_project()["requires-python"].removeprefix(">=")
    assert (
        f"Programming Language :: Python :: {oldest}" in read_project()["classifiers"]
    )


@pytest.mark.parametrize("project", INVENTORIES["SITES"])
def test_inventory_is_written_and_its_names_exist(project):
    written = (ROOT / "docs" / "_inventories" / f"{project}.inv").read_bytes()
    assert written == INVENTORIES["write_inventory"](project)
    for name, (role, _) in INVENTORIES["NAMES"][project].items():
        module, _, last = name.rpartition(".")
        if role == "module":
            importlib.import_module(name)
        else:
            assert hasattr(importlib.import_module(module), last)


def test_parameters_are_grouped_and_none_is_lost():
    lines = [
        "",
        "    **gamma** : float",
        "        Text.",
        "",
        "    **tol** : float",
        "",
    ]
    entries = GROUPS["read_entries"](lines)
    assert list(entries) == ["gamma", "tol"]
    grouped = GROUPS["write_groups"](entries)
    headings = [line.split()[-1] for line in grouped if ".. rubric::" in line]
    assert headings == ["Loss", "stop"]
    assert [line for line in grouped if line in lines and line] == [
        x for x in lines if x
    ]


def test_parameter_without_a_group_is_an_error():
    with pytest.raises(ValueError, match=r"without a group: \['beta'\]"):
        GROUPS["check_groups"]({"gamma": [], "beta": []}, "skhmc.Some")


def test_estimators_of_many_parameters_have_them_in_groups():
    """As the pages of the documentation need it: without building them."""
    many = {}
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, type):
                entries = {row.name: [] for row in ClassDoc(thing)["Parameters"]}
                if len(entries) > GROUPS["FEW"]:
                    many[name] = entries
    assert len(many) > 3
    for name, entries in many.items():
        GROUPS["check_groups"](entries, name)


def test_no_parameter_is_in_two_groups():
    names = [name for group in GROUPS["GROUPS"].values() for name in group]
    assert len(names) == len(set(names))
