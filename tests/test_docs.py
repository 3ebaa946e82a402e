"""The Python in README.md and the user guide runs; the API page is complete."""

import doctest
import importlib
import re
import runpy
import shutil
import struct
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import accuracy
from benchmarks.demo import COLUMNS
from tests.test_layers import LAYERS, OWN, package_of
from tests.test_public_names import public_modules

ROOT = Path(__file__).parents[1]
PAGES = sorted(path.name for path in (ROOT / "docs").glob("*.rst"))
FENCED = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
BLOCK = ".. code-block:: python\n"
PROMPT = ">>> "
DIRECTIVE = re.compile(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", re.M)


def read_page(page):
    return (ROOT / "docs" / page).read_text()


def run_blocks(blocks, name):
    namespace = {"__name__": name}
    for number, block in enumerate(blocks, 1):
        exec(
            compile(textwrap.dedent(block), f"{name}, block {number}", "exec"),
            namespace,
        )


def check_examples(text, path):
    """Run the examples of a text and compare what they print."""
    test = doctest.DocTestParser().get_doctest(text, {}, path.name, str(path), 0)
    assert test.examples
    said = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert not said, "".join(said)


def test_readme_prints_what_is_shown(monkeypatch):
    path = ROOT / "README.md"
    monkeypatch.chdir(ROOT)
    check_examples("\n".join(FENCED.findall(path.read_text())), path)


def pages_with(text):
    """Return the pages of the guide that hold a text."""
    return [page for page in PAGES if text in read_page(page)]


@pytest.mark.parametrize("text", [BLOCK, PROMPT])
def test_some_pages_have_code(text):
    assert pages_with(text)


@pytest.mark.parametrize("page", pages_with(BLOCK))
def test_code_blocks_run(page):
    blocks = DIRECTIVE.findall(read_page(page))
    assert len(blocks) == read_page(page).count(BLOCK)
    run_blocks(blocks, page)


# pages whose examples fit forests or several networks, for seconds
LONG = ("coming_from_multioutput.rst", "thresholds.rst", "which_part.rst")


def with_long_ones_apart(pages):
    """Leave to ``make slow`` what takes seconds."""
    return [
        pytest.param(page, marks=pytest.mark.slow if page in LONG else ())
        for page in pages
    ]


@pytest.mark.parametrize("page", with_long_ones_apart(pages_with(PROMPT)))
def test_examples_print_what_is_shown(page, tmp_path, monkeypatch):
    # files that examples read are beside them, and what they write stays here
    shutil.copytree(ROOT / "docs" / "data", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    path = ROOT / "docs" / page
    check_examples(path.read_text(), path)


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs").glob("*.rst")), ids=lambda page: page.stem
)
def test_pages_begin_with_a_title(page):
    # without one, Sphinx takes the first section for it, and says nothing
    lines = [line for line in page.read_text().splitlines() if line]
    lines = [line for line in lines if not line.startswith((":", ".."))]
    assert set(lines[1]) == {"="}, lines[:2]


def test_readme_is_short_and_has_its_parts():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= 110
    assert text.index("make demo") < text.index("make test") < text.index("pip install")


def test_scores_of_readme_are_those_of_the_accuracy_page():
    text = (ROOT / "README.md").read_text()
    scores = text.split("<!-- scores -->\n")[1].split("<!-- /scores -->")[0]
    heads, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in scores.splitlines()
    )
    assert len(rows) == 6 and len(heads) == 5
    means = (ROOT / "docs" / "accuracy_tables.inc").read_text().split(".. begin ")[3]
    assert means.startswith("means")
    made = accuracy.results.read(accuracy.RESULTS)["runs"]
    cells = accuracy.tables.gather(filter(accuracy.is_current, made))
    assert scores == accuracy.tables.readme_table(cells)
    for row, funcat, ontology, *_ in rows:
        name = row.replace("as published", "published")
        line = means.split(f"   * - {name}\n")[1].split("   * - ")[0].split("- ")
        assert [funcat, ontology] == [cell.strip() for cell in line[2:4]], row


MAX_PICTURE = 150_000  # bytes of the picture in README.md


def size_of_png(path):
    """Return width and height that the header of a PNG file says."""
    header = path.read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n") and header[12:16] == b"IHDR"
    return struct.unpack(">II", header[16:])


def test_readme_shows_a_prediction():
    text = (ROOT / "README.md").read_text()
    (found,) = re.findall(r"!\[([^]]+)\]\((\S+)\)", text)
    alt, name = found
    assert len(alt) > 40
    path = ROOT / name
    assert path.stat().st_size < MAX_PICTURE
    width, height = size_of_png(path)
    assert width > 1000 and width > height


def test_the_picture_of_the_readme_is_made_by_a_command(tmp_path, capsys):
    draw_prediction = runpy.run_path(str(ROOT / "docs" / "draw_prediction.py"))
    path = tmp_path / "made" / "prediction.png"
    draw_prediction["main"](path, max_iter=1)
    assert capsys.readouterr().out.startswith(f"{path}: ")
    assert path.stat().st_size < MAX_PICTURE
    committed = size_of_png(draw_prediction["PICTURE"])
    # other labels are true of another image: the legend may differ, the boxes do not
    assert size_of_png(path) == pytest.approx(committed, rel=0.2)


def test_a_right_image_is_chosen_for_the_picture():
    choose = runpy.run_path(str(ROOT / "docs" / "draw_prediction.py"))["choose"]
    both = np.array([True, True])
    proba = np.array([[0.9, 0.1], [0.7, 0.2], [0.9, 0.51], [0.8, 0.1], [0.45, 0.1]])
    Y = np.array([[1, 0], [1, 0], [1, 1], [1, 0], [1, 0]])
    assert choose(proba, Y, both) == 1  # 2 would be printed as 0.5, and 4 is wrong
    assert choose(proba, 1 - Y, both) == 2  # none is right: then the most doubtful
    Y[1, 1], proba[1, 1] = 1, 0.7  # a label that is not shown
    assert choose(proba, Y, np.array([True, False])) == 3


def test_picture_of_the_layers():
    path = ROOT / "docs" / "draw_layers.py"
    draw_layers = runpy.run_path(str(path))
    layers = draw_layers["read_layers"]()
    assert layers == {name: layer for name, (layer, _) in LAYERS.items()}
    imports = draw_layers["read_imports"](layers)
    rows = [(package_of(module), package_of(name)) for module, _, name in OWN]
    assert {(a, b) for a, others in imports.items() for b in others} == {
        (a, b) for a, b in rows if "" not in (a, b) and a != b
    }
    picture = ElementTree.fromstring(draw_layers["draw"](layers, imports))
    text = "".join(picture.itertext())
    for name in layers:
        assert name.rpartition("_")[2] in text
    arrows = [part for part in picture if part.get("class") == "arrow"]
    assert len(layers) <= len(arrows) < sum(map(len, imports.values()))


def test_arrows_that_follow_from_others_are_left_out():
    draw_layers = runpy.run_path(str(ROOT / "docs" / "draw_layers.py"))
    chain = {"a": {"b", "c"}, "b": {"c"}, "c": set()}
    kept = draw_layers["without_implied"](chain)
    assert kept == {"a": {"b"}, "b": {"c"}, "c": set()}


def read_api_page():
    """Return the full names that docs/api.rst lists."""
    module, names = None, []
    for line in (ROOT / "docs" / "api.rst").read_text().splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif entry := re.fullmatch(r"   (?:\* - ``)?([A-Za-z]\w*)(?:``)?", line):
            names.append((module, entry.group(1)))
    return names


def test_api_page_lists_every_public_name():
    listed = [getattr(importlib.import_module(m), name) for m, name in read_api_page()]
    assert len(listed) == len(read_api_page())
    for module in public_modules():
        for name in module.__all__:
            thing = getattr(module, name)
            assert name == "__version__" or any(thing is other for other in listed), (
                f"{module.__name__}.{name} is not in docs/api.rst"
            )


def test_api_page_lists_nothing_else():
    public = {id(getattr(m, name)) for m in public_modules() for name in m.__all__}
    for module, name in read_api_page():
        assert id(getattr(importlib.import_module(module), name)) in public


def test_the_accuracy_page_shows_what_the_demo_prints():
    text = read_page("accuracy.rst")
    shown = text.split("What the demo prints")[1].split(".. _accuracy-protocol")[0]
    for name in (*COLUMNS, "HCAL, published mechanisms", "closed upward", "seed"):
        assert name in shown


# -- what CONTRIBUTING.md says of files ------------------------------------------------


def read_section(title):
    text = (ROOT / "CONTRIBUTING.md").read_text()
    return re.search(rf"^## {title}\n(.*?)^## ", text, re.M | re.S).group(1)


def named_files(text):
    """Return what is named as a file of the repository: paths, each once."""
    named = re.findall(r"`([\w./]+\.(?:py|rst|md|toml|txt))`", text)
    return list(dict.fromkeys(named))


def find_file(name):
    """Return where a file is that is named from the repository, or from skhmc."""
    places = [ROOT / name, ROOT / "skhmc" / name]
    (found,) = (path for path in places if path.is_file())
    return found


def is_of_something_new(name):
    return Path(name).stem in ("x", "_x", "test_x", "test_metrics_x")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.rst"])
def test_files_that_are_named_are_there(page):
    named = named_files((ROOT / page).read_text().replace("``", "`"))
    assert named
    for name in named:
        assert is_of_something_new(name) or find_file(name)


def test_a_fit_is_walked_through_in_few_files():
    walk, around = read_section("How a fit runs").split("What the walk calls")
    steps = re.findall(r"^\d\. (.*\n(?:   .*\n)*)", walk, re.M)
    files = [re.match(r"\[`([\w/.]+)`\]\((.*?)\)", step) for step in steps]
    assert 5 < len(steps) <= 8 and None not in files
    assert named_files(walk) == [found[1] for found in files]
    for found, step in zip(files, steps, strict=True):
        assert found[2] == f"skhmc/{found[1]}"
        text = find_file(found[1]).read_text()
        names = re.findall(r"`([A-Za-z_]+)`", step)
        assert names
        for name in names:
            defined = re.search(rf"^ *(def|class) {name}\b|^{name} = ", text, re.M)
            assert defined or name.endswith("_in_"), f"{found[1]} has no {name}"
    assert named_files(around)


# at most so many files of the package and of the tests
MOST_FILES = {
    "loss": 3,
    "rule": 4,
    "metric": 3,
    "format of X": 2,
    "format of y": 2,
    "estimator": 7,
}


def test_what_is_added_touches_few_files():
    rows = re.findall(
        r"^\| (.*) \| (\d+) \| (.*) \|$", read_section("How to add"), re.M
    )
    assert len(rows) == len(MOST_FILES)
    for (what, number, files), (kind, most) in zip(
        rows, MOST_FILES.items(), strict=True
    ):
        assert kind in what
        assert len(named_files(files)) == int(number) <= most
