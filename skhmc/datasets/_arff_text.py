"""Reading of the ARFF text that Clus writes: header and rows of fields, no numbers.

``scipy.io.arff`` (tried: 1.17) raises on the ``hierarchical`` attribute of these files.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from skhmc._utils.messages import repeated

__all__ = ["ArffText", "Attribute", "parse_arff", "read_bytes", "unpack"]

QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
CODE = re.compile(rf"(?:{QUOTED}|[^%])*")  # what stands before a comment
FIELD = re.compile(rf"\s*((?:{QUOTED})(?=\s*(?:,|\Z))|[^,]*)\s*(,|\Z)")
ATTRIBUTE = re.compile(rf"@attribute\s+({QUOTED}|\S+)\s+(.+)", re.IGNORECASE)
NUMERIC = {"numeric", "real", "integer"}


@dataclass(frozen=True)
class Attribute:
    """One line of the header; ``values`` are nominal values or classes."""

    name: str
    kind: str  # "numeric", "nominal" or "hierarchical"
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class ArffText:
    """A parsed file: the fields of every row, and the line each row stands on."""

    file: str
    relation: str
    attributes: tuple[Attribute, ...]
    rows: list[list[str]]
    lines: list[int]

    @property
    def class_position(self) -> int:
        kinds = [attribute.kind for attribute in self.attributes]
        return kinds.index("hierarchical")


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return the bytes of a file, unpacked when they are gzip."""
    with open(path, "rb") as file:
        return unpack(file.read(), path)


def unpack(content: bytes, file: str | os.PathLike[str]) -> bytes:
    """Unpack gzip, which is told by its first bytes, not by the file's name."""
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{file}: got damaged or truncated gzip data ({error}), expected a whole "
            f"gzip file. Copy or download the file again."
        ) from error


def parse_arff(content: bytes, file: str) -> ArffText:
    """Split ARFF text into attributes and rows of fields.

    Parameters
    ----------
    content : bytes
        The text, not compressed; UTF-8, or else Latin-1.
    file : str
        Name of the file for messages.

    Returns
    -------
    ArffText
    """
    lines = _numbered_lines(content)
    relation, attributes = _header(lines, file)
    rows = []
    numbers = []
    for number, line in lines:
        fields = split_fields(line)
        if len(fields) != len(attributes) or line[0] == "{":
            raise _wrong_row(line, fields, attributes, f"{file}, line {number}")
        rows.append(fields)
        numbers.append(number)
    if not rows:
        raise ValueError(
            f"{file}: got no rows after @DATA, expected one line per sample."
        )
    return ArffText(file, relation, attributes, rows, numbers)


def _numbered_lines(content: bytes) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of the lines that hold more than a comment."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    for number, line in enumerate(text.split("\n"), start=1):
        if "%" in line:
            code = CODE.match(line)
            assert code is not None  # the pattern also matches nothing
            line = code[0]
        line = line.strip()
        if line:
            yield number, line


def _header(
    lines: Iterator[tuple[int, str]], file: str
) -> tuple[str, tuple[Attribute, ...]]:
    """Consume the lines up to @DATA; return the relation and the attributes."""
    relation = ""
    attributes: list[Attribute] = []
    number = 0  # where there is no line at all
    for number, line in lines:
        keyword, *rest = line.split(None, 1)
        keyword = keyword.lower()
        if keyword == "@data":
            return relation, _with_one_class(attributes, file)
        if keyword == "@relation":
            relation = unquote(rest[0]) if rest else ""
        elif keyword == "@attribute":
            attributes.append(_attribute(line, f"{file}, line {number}"))
        else:
            raise ValueError(
                f"{file}, line {number}: got {_short(line)}, expected @RELATION, "
                f"@ATTRIBUTE or @DATA. Is this an ARFF file?"
            )
    raise ValueError(
        f"{file}: got to the end of the file after {number} lines without @DATA, "
        f"expected it before the rows. Is the file cut off?"
    )


def _attribute(line: str, where: str) -> Attribute:
    match = ATTRIBUTE.fullmatch(line)
    if not match:
        raise ValueError(
            f"{where}: got {_short(line)}, expected '@ATTRIBUTE name type'. Quote "
            f"names that hold spaces or %."
        )
    name = unquote(match[1])
    text = match[2].strip()
    kind, *rest = text.split(None, 1)
    if kind.lower() in NUMERIC and not rest:
        return Attribute(name, "numeric")
    if text.startswith("{") and text.endswith("}"):
        return Attribute(name, "nominal", _values(text[1:-1], name, where))
    if kind.lower() == "hierarchical":
        return Attribute(name, "hierarchical", _values("".join(rest), name, where))
    raise ValueError(
        f"{where}: attribute {name!r} got the type {_short(text)}, expected numeric, "
        f"real, integer, {{a,b,c}} or hierarchical. Remove the attribute, or turn it "
        f"into one of these."
    )


def _values(text: str, name: str, where: str) -> tuple[str, ...]:
    values = split_fields(text)
    again = repeated(values)
    if "" in values or again:
        what = f"{again[0]!r} twice" if again else "an empty value"
        raise ValueError(
            f"{where}: attribute {name!r} got {what}, expected distinct values "
            f"separated by commas."
        )
    return tuple(values)


def _with_one_class(attributes: list[Attribute], file: str) -> tuple[Attribute, ...]:
    classes = [a.name for a in attributes if a.kind == "hierarchical"]
    if len(classes) != 1:
        raise ValueError(
            f"{file}: got {len(classes)} hierarchical attributes {classes}, expected "
            f"one, such as '@ATTRIBUTE class hierarchical a,a/b,a/b/c'."
        )
    if len(attributes) == 1:
        raise ValueError(
            f"{file}: got no attribute beside the class, expected features."
        )
    return tuple(attributes)


def _wrong_row(
    line: str, fields: list[str], attributes: tuple[Attribute, ...], where: str
) -> ValueError:
    if line.startswith("{"):
        return ValueError(
            f"{where}: got a sparse row {_short(line)}, expected one field per "
            f"attribute. Write the rows in full: whether sparse rows count from 0 or "
            f"from 1 differs between programs."
        )
    return ValueError(
        f"{where}: got {len(fields)} fields, expected {len(attributes)}, one per "
        f"attribute. The row starts with {_short(line)}."
    )


def split_fields(text: str) -> list[str]:
    """Split at commas outside quotes, without the quotes."""
    if "'" not in text and '"' not in text:
        return [field.strip() for field in text.split(",")]
    fields = []
    position = 0
    separator = ","
    while separator:  # empty behind the last field
        match = FIELD.match(text, position)
        assert match is not None  # the pattern also matches an empty field
        fields.append(unquote(match[1].strip()))
        position = match.end()
        separator = match[2]
    return fields


def unquote(text: str) -> str:
    """Remove the quotes around a text, and the backslashes within."""
    is_quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    if is_quoted:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")
