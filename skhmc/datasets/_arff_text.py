"""Reading of the ARFF text that Clus writes: header and rows of fields, no numbers.

``scipy.io.arff`` (tried: 1.17) raises on the ``hierarchical`` attribute of these files.
"""

from __future__ import annotations

import gzip
import io
import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from skhmc._utils.messages import repeated

__all__ = [
    "MAX_BYTES",
    "MAX_VALUES",
    "ArffText",
    "Attribute",
    "parse_arff",
    "read_at_most",
    "read_bytes",
    "shortened",
    "unpack",
]

MAX_BYTES = 2**30
MAX_VALUES = 2**28  # 2 GiB of floats
MAX_LEVELS = 1000  # of a class; relations between all levels are squares of it
CHUNK = 2**20  # bytes read at a time
MAX_SHOWN = 60  # characters of a text in a message

QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
QUOTED_TEXT = re.compile(QUOTED)
QUOTE_OR_COMMENT = re.compile("[%'\"]")
FIELD = re.compile(rf"\s*((?:{QUOTED})(?=\s*(?:,|\Z))|[^,]*)\s*(,|\Z)")
ATTRIBUTE = re.compile(rf"@attribute\s+({QUOTED}|\S+)\s+(.+)", re.IGNORECASE)
NUMERIC = {"numeric", "real", "integer"}


@dataclass(frozen=True)
class Attribute:
    """One line of the header; ``values`` are nominal values or classes."""

    name: str
    kind: str  # "numeric", "nominal" or "hierarchical"
    values: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)  # where it stands

    @property
    def is_one_column(self) -> bool:
        """Whether it is one column of numbers, not one per value."""
        return self.kind == "numeric" or set(self.values) == {"0", "1"}

    @property
    def n_columns(self) -> int:
        """How many features it has; the class has none."""
        if self.kind == "hierarchical":
            return 0
        return 1 if self.is_one_column else len(self.values)


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


def read_bytes(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> bytes:
    """Return the bytes of a file, unpacked when they are gzip.

    Raises
    ------
    ValueError
        When they are more than ``max_bytes``, or damaged.
    """
    with open(path, "rb") as file:
        content = read_at_most(file, max_bytes + 1)
    if len(content) <= max_bytes:
        content = unpack(content, path, max_bytes)
    if len(content) > max_bytes:
        raise ValueError(
            f"{path}: got more than max_bytes={max_bytes} bytes of ARFF text, expected "
            f"at most that many. Is it the right file? If so, raise max_bytes."
        )
    return content


def read_at_most(file: Any, n_bytes: int) -> bytes:
    """Return the first bytes of an open file, in memory for those that there are."""
    chunks = []
    while n_bytes > 0 and (chunk := file.read(min(n_bytes, CHUNK))):
        chunks.append(chunk)
        n_bytes -= len(chunk)
    return b"".join(chunks)


def unpack(content: bytes, file: str | os.PathLike[str], max_bytes: int) -> bytes:
    """Unpack gzip, which is told by its first bytes, not by the file's name.

    Of more than ``max_bytes`` only one more is unpacked, which tells that there are.
    """
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as packed:
            return read_at_most(packed, max_bytes + 1)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(
            f"{file}: got damaged or truncated gzip data ({error}), expected a whole "
            f"gzip file. Copy or download the file again."
        ) from error


def parse_arff(content: bytes, file: str, max_values: int = MAX_VALUES) -> ArffText:
    """Split ARFF text into attributes and rows of fields.

    Parameters
    ----------
    content : bytes
        The text, not compressed; UTF-8, or else Latin-1.
    file : str
        Name of the file for messages.
    max_values : int
        How many numbers the features may have, rows times columns.

    Returns
    -------
    ArffText
    """
    lines = _numbered_lines(content)
    relation, attributes = _header(lines, file)
    n_columns = sum(attribute.n_columns for attribute in attributes)
    max_rows = max_values // n_columns
    rows: list[list[str]] = []
    numbers: list[int] = []
    for number, line in lines:
        if len(rows) == max_rows:
            raise _too_large(n_columns, max_values, attributes, file, number)
        fields = split_fields(line, len(attributes))
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
            line = _before_comment(line)
        line = line.strip()
        if line:
            yield number, line


def _before_comment(line: str) -> str:
    """Return what stands before the first % outside of quotes."""
    position = 0
    unclosed: set[str] = (
        set()
    )  # quotes without an end, and so without one further on, too
    while match := QUOTE_OR_COMMENT.search(line, position):
        mark = match[0]
        if mark == "%":
            return line[: match.start()]
        quoted = None
        if mark not in unclosed:
            quoted = QUOTED_TEXT.match(line, match.start())
        if quoted is None:
            unclosed.add(mark)
        position = (quoted or match).end()
    return line


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
            attributes.append(_attribute(line, file, number))
        else:
            raise ValueError(
                f"{file}, line {number}: got {shortened(line)}, expected @RELATION, "
                f"@ATTRIBUTE or @DATA. Is this an ARFF file?"
            )
    raise ValueError(
        f"{file}: got to the end of the file after {number} lines without @DATA, "
        f"expected it before the rows. Is the file cut off?"
    )


def _attribute(line: str, file: str, number: int) -> Attribute:
    where = f"{file}, line {number}"
    match = ATTRIBUTE.fullmatch(line)
    if not match:
        raise ValueError(
            f"{where}: got {shortened(line)}, expected '@ATTRIBUTE name type'. Quote "
            f"names that hold spaces or %."
        )
    name = unquote(match[1])
    text = match[2].strip()
    kind, *rest = text.split(None, 1)
    if kind.lower() in NUMERIC and not rest:
        return Attribute(name, "numeric", line=number)
    if text.startswith("{") and text.endswith("}"):
        values = _values(text[1:-1], name, where)
        return Attribute(name, "nominal", values, number)
    if kind.lower() == "hierarchical":
        values = _values("".join(rest), name, where)
        _check_levels(values, where)
        return Attribute(name, "hierarchical", values, number)
    raise ValueError(
        f"{where}: attribute {name!r} got the type {shortened(text)}, expected "
        f"numeric, real, integer, {{a,b,c}} or hierarchical. Remove the attribute, or "
        f"turn it into one of these."
    )


def _values(text: str, name: str, where: str) -> tuple[str, ...]:
    values = split_fields(text)
    again = repeated(values)
    if "" in values or again:
        what = f"{shortened(str(again[0]))} twice" if again else "an empty value"
        raise ValueError(
            f"{where}: attribute {name!r} got {what}, expected distinct values "
            f"separated by commas."
        )
    return tuple(values)


def _check_levels(classes: tuple[str, ...], where: str) -> None:
    for name in classes:
        levels = name.count("/") + 1
        if levels > MAX_LEVELS:
            raise ValueError(
                f"{where}: got the class {shortened(name)} of {levels} levels, "
                f"expected at most {MAX_LEVELS}."
            )


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


def _too_large(
    n_columns: int,
    max_values: int,
    attributes: tuple[Attribute, ...],
    file: str,
    number: int,
) -> ValueError:
    widest = max(attributes, key=lambda attribute: attribute.n_columns)
    return ValueError(
        f"{file}, line {number}: got more rows than max_values={max_values} numbers "
        f"have room for, with {n_columns} columns of features, of which "
        f"{widest.n_columns} are values of the attribute {shortened(widest.name)} "
        f"(line {widest.line}). Is such an attribute an identifier? Remove it, or "
        f"raise max_values."
    )


def _wrong_row(
    line: str, fields: list[str], attributes: tuple[Attribute, ...], where: str
) -> ValueError:
    if line.startswith("{"):
        return ValueError(
            f"{where}: got a sparse row {shortened(line)}, expected one field per "
            f"attribute. Write the rows in full: whether sparse rows count from 0 or "
            f"from 1 differs between programs."
        )
    n_fields = str(len(fields))
    if len(fields) > len(attributes):
        n_fields = f"more than {len(attributes)}"
    return ValueError(
        f"{where}: got {n_fields} fields, expected {len(attributes)}, one per "
        f"attribute. The row starts with {shortened(line)}."
    )


def split_fields(text: str, n_expected: int | None = None) -> list[str]:
    """Split at commas outside quotes, without the quotes.

    Of more fields than expected only one too many is split off.
    """
    most = len(text) if n_expected is None else n_expected
    if "'" not in text and '"' not in text:
        return [field.strip() for field in text.split(",", most)]
    fields: list[str] = []
    position = 0
    separator = ","
    while separator and len(fields) <= most:  # empty behind the last field
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


def shortened(text: str) -> str:
    """Return a text for a message, cut where it is long."""
    return repr(text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "...")
