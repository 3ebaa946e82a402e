"""Tests of skhmc._utils.optional."""

import math
import sys

import pytest

from skhmc._utils.optional import import_optional


def test_returns_the_module_itself():
    assert import_optional("math", "f", "plot") is math
    assert import_optional("os.path", "f", "plot").join("a", "b")


def test_missing_package_names_caller_package_and_extra():
    match = r'^f needs the package no_such_package,.*pip install "skhmc\[plot\]"\.$'
    with pytest.raises(ImportError, match=match) as error:
        import_optional("no_such_package.part", "f", "plot")
    assert error.value.name == "no_such_package"


def test_blocked_package_counts_as_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="g needs the package matplotlib"):
        import_optional("matplotlib.pyplot", "g", "plot")


def test_errors_inside_an_installed_package_pass_through(tmp_path, monkeypatch):
    (tmp_path / "broken_inside.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        import_optional("broken_inside", "f", "plot")
