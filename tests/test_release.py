"""What ``make release`` builds from, compares and refuses; it takes long itself."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def release():
    spec = importlib.util.spec_from_file_location(
        "release", ROOT / ".ci" / "release.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def pins_of(name):
    """Return the versions that a file of constraints has, by package."""
    lines = (ROOT / name).read_text().splitlines()
    pins = [line.split("==") for line in lines if line and line[0] != "#"]
    return {package.lower(): Version(version) for package, version in pins}


def test_oldest_versions_are_the_lower_bounds(release):
    bounds, pins = release.bounds(), pins_of("constraints-oldest.txt")
    assert {"torch", "scikit-learn", "skops", "onnx", "pooch", "pytest"} < set(bounds)
    assert "sphinx" not in bounds  # builds the documentation, which users do not
    for package, bound in bounds.items():
        assert pins[package] == Version(bound), package


def test_development_has_no_older_version_than_the_bounds(release):
    pins = pins_of("constraints.txt")
    for package, bound in release.bounds().items():
        assert pins[package] >= Version(bound), package


def test_installed_files_are_those_of_the_package(release, tmp_path):
    python = tmp_path / "bin" / "python"
    record = tmp_path / "lib" / "skhmc-0.1.0.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    rows = ["skhmc/a.py,sha256=1,3", "skhmc/py.typed,sha256=2,0"]
    others = ["skhmc/__pycache__/a.cpython-311.pyc,,", "skhmc-0.1.0.dist-info/RECORD,,"]
    record.write_text("\n".join([*rows, *others]))
    assert release.installed_files(python) == set(rows)


def test_sdist_that_installs_other_files_is_refused(release, tmp_path, monkeypatch):
    found = iter([{"skhmc/a.py,sha256=1,3"}, set()])
    monkeypatch.setattr(release, "run", lambda *command: None)
    monkeypatch.setattr(release, "installed_files", lambda python: next(found))
    with pytest.raises(
        SystemExit, match=r"^s.tar.gz installs other files than w.whl\.$"
    ):
        release.install("python", tmp_path / "w.whl", tmp_path / "s.tar.gz", None)


def test_tests_of_the_source_tree_are_refused(release, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    python = Path(sys.prefix, "bin", "python")
    with pytest.raises(
        SystemExit, match="would import .*skhmc/__init__.py, not the ins"
    ):
        release.test(python, ROOT, ["tests"], "1")


def test_a_failing_command_ends_the_release(release, capfd):
    with pytest.raises(subprocess.CalledProcessError):
        release.run(sys.executable, "-c", "raise SystemExit(3)")
    assert "=== " in capfd.readouterr().out


def test_the_copy_has_the_tests_and_not_the_package(release, tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("lists files by git, and this is no clone")
    release.copy_without_package(tmp_path)
    assert (tmp_path / "tests" / "conftest.py").is_file()
    assert (tmp_path / "docs" / "data" / "products.csv").is_file()
    assert not (tmp_path / "skhmc").exists()


def test_the_package_s_tests_are_run(release):
    """What is left out is of the repository, and there."""
    for pattern in release.OF_THE_REPOSITORY:
        assert list((ROOT / "tests").glob(pattern)), pattern
