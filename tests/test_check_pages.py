"""docs/check_pages.py finds what is wrong with pages, and nothing else."""

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("websocket", reason="needs the extra docs")

PROGRAM = Path(__file__).parents[1] / "docs" / "check_pages.py"
GOOD = """<!doctype html><title>good</title><body style="background: white">
<h1 id="top">Good</h1> <a href="bad.html">bad</a> <a href="#top">up</a>
<p>Black on white</p> <code>\\tau</code> <img alt="a dot" src="dot.svg">
<div style="overflow-x: auto"><pre>{wide}</pre></div>"""
BAD = """<!doctype html><title>bad</title><body style="background: white">
<a href="missing.html">1</a> <a href="#nowhere">2</a> <a href="good.html#nowhere">3</a>
<p>The temperature \\(\\tau\\)</p> <p class="math">x</p>
<p style="color: #999">too pale</p>
<img src="dot.svg"> <img alt="far" src="http://example.org/far.png">
<pre>{wide}</pre>
<div style="overflow: hidden; width: 100px"><p style="width: 3000px">{cut}</p></div>
<main style="overflow-x: auto"><h1>Title</h1><h2>{wide}</h2></main>
<script>console.error("oh"); throw new Error("no");</script>"""
DOT = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("check_pages", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found(program, tmp_path_factory):
    """Return {finding: pages} of one page without faults and one full of them."""
    browser = program.find_browser()
    if browser is None:
        pytest.skip("needs Chromium")
    folder = tmp_path_factory.mktemp("pages")
    (folder / "good.html").write_text(GOOD.format(wide="wide " * 500))
    (folder / "bad.html").write_text(
        BAD.format(wide="wide&nbsp;" * 500, cut="cut off " * 200)
    )
    (folder / "dot.svg").write_text(DOT)
    found, n_pages = program.check_pages(folder, browser)
    assert n_pages == 2
    return found


@pytest.mark.parametrize(
    "finding",
    [
        "broken link: /missing.html",
        "broken anchor: /bad.html#nowhere",
        "broken anchor: /good.html#nowhere",
        "raw TeX: The temperature \\(\\tau\\)",
        "formula not drawn: x",
        "contrast 2.85 of p, rgb(153, 153, 153): too pale (light)",
        "contrast 2.85 of p, rgb(153, 153, 153): too pale (dark)",
        "picture without a text: ",
        "request to another host: http://example.org/far.png",
        "overflow at 390: the page is ",
        "overflow at 1440: pre ends at ",
        "overflow at 768: p ends at ",
        "overflow at 390: h2 ends at ",
        "console: oh",
        "console: Error: no",
    ],
)
def test_fault_is_found(found, finding):
    assert [line for line in found if line.startswith(finding)]


def test_nothing_else_is_found(found):
    assert {page for pages in found.values() for page in pages} == {"bad.html"}


@pytest.mark.parametrize("required, status", [("0", 0), ("1", 1)])
def test_without_a_browser(program, required, status, monkeypatch, capsys):
    monkeypatch.setattr(program.shutil, "which", lambda name: None)
    monkeypatch.setenv("SKHMC_REQUIRE_BROWSER", required)
    assert program.main() == status
    assert "SKIPPED: no page was looked at" in capsys.readouterr().err


def test_folder_without_pages(program, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(program, "find_browser", lambda: "chromium")
    assert program.main(tmp_path) == 1
    assert "run make docs first" in capsys.readouterr().err
