"""Tables that benchmarks write for the documentation."""

from pathlib import Path

__all__ = [
    "README",
    "block",
    "include",
    "markdown",
    "replace_in_readme",
    "signed",
    "table",
    "text_row",
]

README = Path(__file__).parents[1] / "README.md"


def table(title, heads, rows):
    """Return a table in reStructuredText."""
    lines = [f".. list-table:: {title}", "   :header-rows: 1", ""]
    for row in (heads, *rows):
        lines += [f"   {'*' if i == 0 else ' '} - {x}" for i, x in enumerate(row)]
    return "\n".join(lines) + "\n"


def markdown(heads, rows):
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def replace_in_readme(name, text, path=README):
    """Put a text between the two marks of its name in README.md."""
    start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    before, after = path.read_text().split(start)
    path.write_text(f"{before}{start}{text}{end}{after.split(end)[1]}")


def signed(value, digits):
    """Return a difference as text with its sign; what is rounded to 0 has none."""
    text = f"{value:+.{digits}f}"
    return text if float(text) else text[1:]


def text_row(cells, widths):
    """Return cells as a line; to the right where a width is negative."""
    pairs = zip(cells, widths, strict=True)
    return " ".join(f"{x:<{w}}" if w > 0 else f"{x:>{-w}}" for x, w in pairs)


def block(name, texts):
    """Return texts between the marks by which a page includes them."""
    return "\n".join([f".. begin {name}\n", *texts, f".. end {name}\n"])


def include(command, tables, versions):
    """Return a file that the documentation includes: who printed it, tables, versions.

    Parameters
    ----------
    command : str
        What follows ``python -m``.
    tables : list of str
    versions : dict of str
    """
    note = f".. Printed by python -m {command}; edit nothing here.\n"
    said = ", ".join(f"{name} {version}" for name, version in versions.items())
    return "\n".join([note, *tables, f"Versions: {said}.\n"])
