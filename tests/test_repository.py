"""Files around the package say the same as the package."""

import importlib
import os
import re
import runpy
import subprocess
import tomllib
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc
from sphinx.pycode import ModuleAnalyzer

import skhmc
from tests.test_public_names import public_modules

ROOT = Path(__file__).parents[1]
INVENTORIES = runpy.run_path(str(ROOT / "docs" / "make_inventories.py"))
GROUPS = runpy.run_path(str(ROOT / "docs" / "group_parameters.py"))
LINKS = runpy.run_path(str(ROOT / "docs" / "source_links.py"))


def read(name):
    return (ROOT / name).read_text()


def read_project():
    return tomllib.loads(read("pyproject.toml"))["project"]


@pytest.mark.parametrize("name", ["CITATION.cff", "docs/cite.rst"])
def test_version_to_cite(name):
    (found,) = re.findall(r"(?<!-)version(?:: | = {)(\d[\w.]*\w)", read(name))
    assert found == skhmc.__version__


def test_newest_changes_are_of_this_version_and_dated():
    newest = re.search(r"^## (.*)$", read("CHANGES.md"), re.M).group(1)
    assert re.fullmatch(
        rf"{re.escape(skhmc.__version__)} \(\d{{4}}-\d\d-\d\d\)", newest
    )
    assert "../CHANGES.md" in read("docs/release_notes.rst")


def test_pre_commit_has_the_ruff_of_constraints():
    (pinned,) = re.findall(r"^ruff==(.*)$", read("constraints.txt"), re.M)
    assert f"rev: v{pinned}\n" in read(".pre-commit-config.yaml")


# -- what nothing here runs: the workflow, the recipe, Read the Docs -------------------

JOB_KEYS = {"runs-on", "timeout-minutes", "strategy", "env", "steps"}
PINNED = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
NOT_RUN_HERE = (".github/workflows/ci.yml", ".readthedocs.yaml", "conda/recipe.yaml")
SYSTEMS = ["ubuntu-latest", "macos-latest", "windows-latest"]


def read_yaml(name):
    import yaml

    return yaml.safe_load(read(name))


@pytest.fixture(scope="module")
def workflow():
    return read_yaml(".github/workflows/ci.yml")


@pytest.fixture(scope="module")
def jobs(workflow):
    return workflow["jobs"]


def commands_of(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def read_commands():
    """Return what .ci/run runs: all commands at its left edge, in their order."""
    found = []
    for line in read(".ci/run").splitlines():
        word, _, rest = line.partition(" ")
        if word in ("step", "tests", "make"):
            rest = re.split(r" #| \|\|", rest)[0]
            found.append(rest if word == "step" else f"make {rest}")
    return found


def read_targets():
    """Return the targets of the Makefile that are no files."""
    (phony,) = re.findall(r"^\.PHONY: (.*)$", read("Makefile"), re.M)
    return set(phony.split())


def classified_pythons():
    lines = read_project()["classifiers"]
    return [x.rpartition(" :: ")[2] for x in lines if re.search(r":: 3\.\d+$", x)]


@pytest.mark.parametrize("name", NOT_RUN_HERE)
def test_files_that_are_not_run_here_say_so(name):
    comment = re.match(r"(#.*\n)+", read(name)).group()
    assert "Not run here" in comment
    assert f"`{name}`" in read("CONTRIBUTING.md")


def test_workflow_runs_what_ci_runs(jobs):
    commands = read_commands()
    assert {"make demo", "make test", "make docs-check", "make slow"} < set(commands)
    assert commands_of(jobs["check"]) == commands
    assert commands_of(jobs["platforms"]) == ["make test"]
    assert commands_of(jobs["release"]) == ["make release"]
    assert commands_of(jobs["nightly"]) == ["make nightly"]


def test_commands_that_are_not_run_here_exist(jobs):
    commands = [command for job in jobs.values() for command in commands_of(job)]
    commands += read_yaml(".readthedocs.yaml")["build"]["commands"][:1]
    for command in commands:
        word, _, target = command.partition(" ")
        if word == "make" and not target.startswith("--question"):
            assert target in read_targets(), command
        elif word != "make":
            assert os.access(ROOT / word, os.X_OK), command


def test_workflow_has_the_form_of_one(workflow, jobs):
    # YAML 1.1 reads the word on as true
    assert set(workflow) == {"name", True, "permissions", "jobs"}
    assert set(workflow[True]) <= {"push", "pull_request", "schedule"}
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in jobs.items():
        assert set(job) - {"continue-on-error"} == JOB_KEYS
        assert ("continue-on-error" in job) == (name == "nightly")
        assert all(isinstance(value, str) for value in job["env"].values())
        for step in job["steps"]:
            assert set(step) in ({"run"}, {"uses"}, {"uses", "with"})
            assert all(step.values())
        named = re.findall(r"\$\{\{ (.*?) \}\}", str(job))
        expected = {f"matrix.{key}" for key in job["strategy"]["matrix"]}
        if name == "nightly":  # the project's settings say where its wheels are
            expected.add("vars.NIGHTLY_WHEELS")
        assert set(named) == expected


def test_workflow_pins_its_actions(jobs):
    steps = [step for job in jobs.values() for step in job["steps"]]
    used = {step["uses"] for step in steps if "uses" in step}
    assert used and all(PINNED.fullmatch(action) for action in used)
    text = read(".github/workflows/ci.yml")
    for action in used:  # the version is beside it, for people
        assert re.search(rf"{re.escape(action)} # v\d+\.\d+\.\d+\n", text)


def test_workflow_has_all_systems_and_pythons(jobs):
    matrix = jobs["platforms"]["strategy"]["matrix"]
    assert matrix["os"] == SYSTEMS
    assert set(classified_pythons()) <= set(matrix["python-version"])
    checked = jobs["check"]["strategy"]["matrix"]["python-version"]
    assert checked == classified_pythons()[: len(checked)]


def test_read_the_docs_builds_the_documentation():
    config = read_yaml(".readthedocs.yaml")
    assert set(config) == {"version", "build"} and config["version"] == 2
    assert set(config["build"]) == {"os", "tools", "commands"}
    assert config["build"]["tools"]["python"] in classified_pythons()
    assert config["build"]["commands"][0] == "make docs"


def test_recipe_has_the_requirements_of_the_project():
    recipe, project = read_yaml("conda/recipe.yaml"), read_project()
    assert recipe["context"]["version"] == skhmc.__version__
    python, *packages = recipe["requirements"]["run"]
    assert python == f"python {project['requires-python']}"
    expected = [re.sub("^torch>", "pytorch>", x) for x in project["dependencies"]]
    assert [line.replace(" ", "") for line in packages] == sorted(expected)
    about, description = recipe["about"], project["description"]
    assert (about["summary"], about["license"]) == (description, project["license"])
    (test,) = recipe["tests"]
    for module in test["python"]["imports"]:
        importlib.import_module(module)


def test_scripts_of_ci_can_be_run():
    for name in (".ci/run", ".ci/try_wheel"):
        assert os.access(ROOT / name, os.X_OK)
        subprocess.run(["bash", "-n", ROOT / name], check=True)


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
    grouped = GROUPS["write_groups"](entries, "Some")
    headings = [line.split()[-1] for line in grouped if ".. rubric::" in line]
    assert headings == ["Loss", "stop"]
    assert [line for line in grouped if line in lines and line] == [
        x for x in lines if x
    ]


def test_parameter_without_a_group_is_an_error():
    with pytest.raises(ValueError, match=r"without a group: \['beta'\]"):
        GROUPS["find_groups"]({"gamma": [], "beta": []}, "Some")


def test_estimators_have_their_parameters_in_groups():
    """As the pages of the documentation need it: without building them."""
    grouped = {}
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, type):
                entries = {row.name: [] for row in ClassDoc(thing)["Parameters"]}
                if GROUPS["is_grouped"](thing, len(entries)):
                    grouped[name] = GROUPS["find_groups"](entries, name)
                    found = [one for row in grouped[name].values() for one in row]
                    assert sorted(found) == sorted(entries)
    assert set(GROUPS["OWN_GROUPS"]) < set(grouped)
    assert {len(groups) > 2 for groups in grouped.values()} == {True}
    assert grouped["CoherentClassifier"] == {
        "Hierarchy": ["hierarchy"],
        "Estimator": ["estimator", "strategy", "min_positives"],
        "Predictions": ["coherence", "threshold", "proba_format"],
        "Computation": ["n_jobs", "verbose"],
    }


def test_no_parameter_is_in_two_groups():
    names = [name for group in GROUPS["GROUPS"].values() for name in group]
    assert len(names) == len(set(names))


def test_methods_have_their_source_also_inherited_ones():
    found = {}
    for name in ("HCALClassifier", "CoherentClassifier", "Hierarchy"):
        documented = getattr(skhmc, name)
        for method in dir(documented):
            function = getattr(documented, method)
            module = getattr(function, "__module__", None) or ""
            if method.startswith("_") or not module.startswith("skhmc"):
                continue
            home, path = LINKS["find_home"]("skhmc", f"{name}.{method}")
            analyzer = ModuleAnalyzer.for_module(home)
            analyzer.find_tags()
            assert path in analyzer.tags
            found[f"{name}.{method}"] = path
    assert found["Hierarchy.build"] == "Hierarchy.build"
    assert not found["HCALClassifier.fit"].startswith("HCALClassifier.")
    assert LINKS["find_home"]("skhmc", "HCALClassifier") == ("skhmc", "HCALClassifier")
    foreign = ("skhmc.nn", "MaxConstraint.forward_hook")
    assert LINKS["find_home"](*foreign) == foreign


@pytest.mark.parametrize(
    ("link", "mended"),
    [
        ("skhmc.A.html#skhmc.A", "skhmc.A.html#skhmc.A"),
        ("skhmc.A.html#skhmc.A.fit", "skhmc.A.html#skhmc.A.fit"),
        ("skhmc.A.html#skhmc._b.Base.fit", "skhmc.A.html#skhmc.A.fit"),
        ("skhmc.nn.f.html#skhmc.g.f", "skhmc.nn.f.html#skhmc.nn.f"),
    ],
)
def test_source_links_lead_to_what_is_documented(link, mended):
    context = {"body": f'<a href="../api/generated/{link}">'}
    LINKS["mend_source_links"](None, "_modules/skhmc/x", "", context, None)
    assert context["body"] == f'<a href="../api/generated/{mended}">'
