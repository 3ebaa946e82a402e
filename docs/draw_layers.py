"""Draw the layers of skhmc and what imports what: ``python docs/draw_layers.py``.

Writes ``docs/layers.svg``, which the page "Architecture" shows; building the
documentation does it first. The layers are those of the table in
``tests/test_layers.py``, the arrows are the imports in the files of ``skhmc/``.
"""

import ast
from itertools import permutations
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PICTURE = DOCS / "layers.svg"

WIDTH = 920
LEFT = 46  # what the layers' numbers take
BOX_WIDTH = 162
BOX_HEIGHT = 70
GAP = 12  # between boxes
STEP = 158  # from layer to layer
MARGIN = 16
LONGEST = 13  # characters in a line of a box
LINE = 26  # height of a line in a box

# The picture has a background of its own: it is readable whatever the page is like.
STYLE = """
  .page { fill: #ffffff }
  .band { fill: #f1f3f5 }
  .arrow { fill: none; stroke: #6b7280; stroke-width: 2 }
  .head { fill: #6b7280 }
  .box { stroke: #1f5f99; stroke-width: 2; fill: #dcebf9 }
  .private { stroke: #7a7f87; fill: #ffffff }
  text { font: 22px sans-serif; fill: #16202c; text-anchor: middle }
  .number { fill: #6b7280 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #14181d }
    .band { fill: #1f252d }
    .arrow { stroke: #98a2b0 }
    .head { fill: #98a2b0 }
    .box { stroke: #6fb1ee; fill: #17395a }
    .private { stroke: #98a2b0; fill: #14181d }
    text { fill: #f0f3f6 }
    .number { fill: #98a2b0 }
  }
"""


# -- what is drawn ---------------------------------------------------------------------


def read_layers():
    """Return {package: layer} as the test of the layers has it."""
    # read, not imported: a documentation is built without the packages of the tests
    tree = ast.parse((ROOT / "tests" / "test_layers.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "LAYERS":
            rows = zip(node.value.keys, node.value.values, strict=True)
            return {name.value: row.elts[0].value for name, row in rows}
    raise ValueError("tests/test_layers.py has no table LAYERS, expected one.")


def imported_names(path):
    """Yield the full names of what a file imports, types included."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def read_imports(layers):
    """Return {package: the other packages that it imports}."""
    imports = {package: set() for package in layers}
    for path in sorted((ROOT / "skhmc").rglob("*.py")):
        package = path.relative_to(ROOT / "skhmc").with_suffix("").parts[0]
        if package not in layers:  # skhmc/__init__.py, which stands in no layer
            continue
        for name in imported_names(path):
            top, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if top != "skhmc" or other not in layers or other == package:
                continue
            # Hierarchy.plot alone calls up, as tests/test_layers.py makes sure
            if layers[other] <= layers[package]:
                imports[package].add(other)
    return imports


def without_implied(imports):
    """Leave out what a package also imports by way of another one."""

    def below(package):
        found = set(imports[package])
        for other in imports[package]:
            found |= below(other)
        return found

    kept = {}
    for package, others in imports.items():
        implied = set().union(*(below(other) for other in others))
        kept[package] = others - implied
    return kept


# -- where it is drawn -----------------------------------------------------------------


def middles(order):
    """Return where the middles of the boxes of one layer are, {package: x}."""
    step = BOX_WIDTH + GAP
    first = LEFT + (WIDTH - LEFT) / 2 - step * (len(order) - 1) / 2
    return {package: first + step * k for k, package in enumerate(order)}


def place(layers, arrows):
    """Return {package: x}, in an order in which arrows are short."""
    rows = {}
    for package, layer in sorted(layers.items()):
        rows.setdefault(layer, []).append(package)
    x = {}
    for row in rows.values():
        x |= middles(row)

    def length(order):
        new = x | middles(order)
        return sum((new[a] - new[b]) ** 2 for a in arrows for b in arrows[a])

    for _ in range(4):  # one layer at a time, until nothing changes any more
        for layer, row in rows.items():
            rows[layer] = list(min(permutations(row), key=length))
            x |= middles(rows[layer])
    return x


def way(package, other, layers, x):
    """Return the points of an arrow: past a layer it goes between two boxes."""
    top = max(layers.values())
    points = [(x[package], height(layers[package], top) + BOX_HEIGHT)]
    for layer in range(layers[package] - 1, layers[other], -1):
        there = [x[name] for name in layers if layers[name] == layer]
        half = (BOX_WIDTH + GAP) / 2
        gaps = sorted({m - half for m in there} | {m + half for m in there})
        ahead = layers[package] - layer
        share = ahead / (layers[package] - layers[other])
        straight = x[package] + share * (x[other] - x[package])
        free = straight < gaps[0] or straight > gaps[-1]
        where = straight if free else min(gaps, key=lambda gap: abs(gap - straight))
        y = height(layer, top)
        points += [(where, y), (where, y + BOX_HEIGHT)]
    return [*points, (x[other], height(layers[other], top) - 8)]


def height(layer, top):
    """Return the upper edge of the boxes of a layer; the lowest layer is below."""
    return MARGIN + 14 + STEP * (top - layer)


# -- the text --------------------------------------------------------------------------


def lines_of(package):
    """Break a long name behind its underscore."""
    head, underscore, tail = package.rpartition("_")
    if len(package) <= LONGEST or not head:
        return [package]
    return [head + underscore, tail]


def draw_box(package, x, y, is_public):
    """Draw a box around the name of a package."""
    kind = "box" if is_public else "box private"
    yield (
        f'<rect class="{kind}" x="{x - BOX_WIDTH / 2:.0f}" y="{y:.0f}" rx="8" '
        f'width="{BOX_WIDTH}" height="{BOX_HEIGHT}"/>'
    )
    lines = lines_of(package)
    middle = y + BOX_HEIGHT / 2 + 8  # the baseline of a single line
    for k, line in enumerate(lines):
        baseline = middle + LINE * (k - (len(lines) - 1) / 2)
        yield f'<text x="{x:.0f}" y="{baseline:.0f}">{line}</text>'


def draw_arrow(points):
    """Draw curves that leave and reach every point straight down."""
    (x, y), *rest = points
    path = f"M {x:.0f} {y:.0f}"
    for new_x, new_y in rest:
        middle = (y + new_y) / 2
        path += f" C {x:.0f} {middle:.0f} {new_x:.0f} {middle:.0f}"
        path += f" {new_x:.0f} {new_y:.0f}"
        x, y = new_x, new_y
    return f'<path class="arrow" marker-end="url(#head)" d="{path}"/>'


def draw(layers, imports):
    """Return the picture as the text of an SVG file."""
    arrows = without_implied(imports)
    x = place(layers, arrows)
    top = max(layers.values())
    total = 2 * MARGIN + STEP * top + BOX_HEIGHT + 28
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {total}">',
        "<title>Packages of skhmc by layer, with their imports</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" class="head" viewBox="0 0 10 10" refX="5" refY="5" '
        'markerWidth="6" markerHeight="6" orient="auto">'
        '<path d="M 0 0 L 10 5 L 0 10 z"/></marker></defs>',
        f'<rect class="page" width="{WIDTH}" height="{total}"/>',
    ]
    for layer in range(top + 1):
        y = height(layer, top)
        parts.append(
            f'<rect class="band" x="4" y="{y - 14}" width="{WIDTH - 8}" '
            f'height="{BOX_HEIGHT + 28}" rx="10"/>'
        )
        middle = y + BOX_HEIGHT / 2 + 8
        parts.append(f'<text class="number" x="28" y="{middle:.0f}">{layer}</text>')
    for package in sorted(arrows):
        for other in sorted(arrows[package]):
            parts.append(draw_arrow(way(package, other, layers, x)))
    for package in sorted(layers):
        y = height(layers[package], top)
        parts += draw_box(package, x[package], y, not package.startswith("_"))
    return "\n".join([*parts, "</svg>", ""])


def main():
    """Write the picture."""
    layers = read_layers()
    PICTURE.write_text(draw(layers, read_imports(layers)))


if __name__ == "__main__":
    main()
