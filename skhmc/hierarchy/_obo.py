"""Reading of OBO files: terms, and the lines that relate one term to another.

A reader of our own, not obonet (read: 1.3.0), whose graph is only part of what is
needed: it leaves escapes, the default namespace and alternative ids to its caller,
makes terms of ids that have no stanza, takes a stanza that follows no blank line as
part of the one before, holds definitions and synonyms too, and names no line where a
file is malformed. What is needed here is nine tags of a format of lines.
"""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Iterable, Iterator
from typing import NamedTuple

from skhmc._utils.lines import numbered_lines, shortened

__all__ = ["Link", "OboText", "Term", "parse_obo"]

# the tags that are read, each with whether it may stand more than once
TAGS = {
    "id": False,
    "name": False,
    "namespace": False,
    "is_obsolete": False,
    "alt_id": True,
    "is_a": True,
    "relationship": True,
    "replaced_by": True,
    "consider": True,
}
MAX_CONTINUED = 100  # times that a line may go on in the next one
HEADER = "header"  # kind of the lines before the first stanza

# an escaped character, or what follows a value: {modifiers} or ! a comment
ESCAPE_OR_END = re.compile(r"\\(.)|(?<!\S)[{!].*")
ESCAPED = {"n": "\n", "t": "\t", "W": " "}  # other characters stand for themselves


class Term(NamedTuple):
    """A term of an ontology, obsolete or not.

    Parameters
    ----------
    id : str
        Identifier of the term, such as ``"GO:0008150"``.
    name : str
        Name that people read; the id where the file gives no name.
    namespace : str or None, default=None
        The part of the ontology that it belongs to.
    alt_ids : tuple of str, default=()
        Other ids that mean the same term.
    obsolete : bool, default=False
        Whether the term is no longer used; it is then no label.
    replaced_by : tuple of str, default=()
        Terms that stand for an obsolete one.
    consider : tuple of str, default=()
        Terms that may stand for an obsolete one, after a look at each annotation.
    """

    id: str
    name: str
    namespace: str | None = None
    alt_ids: tuple[str, ...] = ()
    obsolete: bool = False
    replaced_by: tuple[str, ...] = ()
    consider: tuple[str, ...] = ()


class Link(NamedTuple):
    """One line that relates a term, the child, to another one, the parent."""

    child: str
    relation: str
    parent: str


class OboText(NamedTuple):
    """What a file holds; ``relations`` names its [Typedef] stanzas by id.

    ``same_relations`` has their ids in other vocabularies, which links may use instead:
    part_of is BFO:0000050.
    """

    file: str
    terms: dict[Hashable, Term]
    links: list[Link]
    relations: dict[str, str]
    same_relations: dict[str, tuple[str, ...]]


class Stanza:
    """The tags of one stanza that are read, and the line of its heading."""

    def __init__(self, kind: str, where: str) -> None:
        self.kind = kind
        self.where = where
        self.tags: dict[str, list[str]] = {}

    def add(self, tag: str, text: str, where: str) -> None:
        value = plain_value(text)
        _check_value(tag, value, where)
        values = self.tags.setdefault(tag, [])
        if values and not TAGS.get(tag, tag == "xref"):
            raise ValueError(
                f"{where}: got a second {tag!r} in the stanza of {self.where}, "
                f"expected one. Is the heading of a stanza missing between them?"
            )
        values.append(value)

    def several(self, tag: str) -> tuple[str, ...]:
        return tuple(self.tags.get(tag, ()))

    def one(self, tag: str) -> str | None:
        return self.tags[tag][0] if tag in self.tags else None

    def id(self) -> str:
        name = self.one("id")
        if name is None:
            raise ValueError(
                f"{self.where}: got a [{self.kind}] without 'id: ...', expected one in "
                f"every stanza."
            )
        return name


def _check_value(tag: str, value: str, where: str) -> None:
    if not value:
        raise ValueError(f"{where}: got {tag!r} without a value, expected one.")
    if tag == "is_obsolete" and value not in ("true", "false"):
        raise ValueError(f"{where}: got is_obsolete: {value}, expected true or false.")
    if tag == "relationship" and len(value.split(None, 1)) != 2:
        raise ValueError(
            f"{where}: got 'relationship: {value}', expected a relation and a term, "
            f"such as 'relationship: part_of GO:0008150'."
        )


def plain_value(text: str) -> str:
    """Return a value without comment and modifiers, its escapes resolved.

    Examples
    --------
    >>> from skhmc.hierarchy._obo import plain_value
    >>> plain_value(r'GO:1 {source="PMID:2"} ! name'), plain_value(r"a\\, b \\{c\\}")
    ('GO:1', 'a, b {c}')
    """
    return ESCAPE_OR_END.sub(_unescaped, text).strip()


def _unescaped(match: re.Match[str]) -> str:
    character = match[1]
    return "" if character is None else ESCAPED.get(character, character)


def parse_obo(path: str | os.PathLike[str], max_bytes: int) -> OboText:
    """Read the terms of a file, the links between them, and its relations.

    Raises
    ------
    ValueError
        When the file is malformed; the message has the line.
    """
    obo = OboText(str(path), {}, [], {}, {})
    default = None
    for stanza in _stanzas(_joined_lines(path, max_bytes), obo.file):
        if stanza.kind == HEADER:
            default = stanza.one("default-namespace")
        elif stanza.kind == "Term":
            _add_term(obo, stanza, default)
        elif stanza.kind == "Typedef":
            name = stanza.one("name") or stanza.id()
            obo.relations[stanza.id()] = name.replace(" ", "_")
            obo.same_relations[stanza.id()] = stanza.several("xref")
    if not obo.terms:
        raise ValueError(
            f"{path}: got no [Term] stanza, expected at least one. Is this an OBO file?"
        )
    return obo


def _joined_lines(
    path: str | os.PathLike[str], max_bytes: int
) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of the lines; an escaped line end continues a line."""
    begun: list[str] = []
    first = 0
    for number, line in numbered_lines(path, max_bytes):
        first = first if begun else number
        if len(begun) > MAX_CONTINUED:
            raise ValueError(
                f"{path}, line {first}: got a line that is continued (by a backslash "
                f"at its end) more than {MAX_CONTINUED} times. Is this an OBO file?"
            )
        n_backslashes = len(line) - len(line.rstrip("\\"))
        is_comment = not begun and line.startswith("!")
        if n_backslashes % 2 and not is_comment:
            begun.append(line[:-1])
        else:
            yield first, "".join([*begun, line]).strip()
            begun.clear()
    if begun:
        yield first, "".join(begun).strip()


def _stanzas(lines: Iterable[tuple[int, str]], file: str) -> Iterator[Stanza]:
    stanza = Stanza(HEADER, file)
    for number, line in lines:
        if not line or line.startswith("!"):
            continue
        where = f"{file}, line {number}"
        if line.startswith("["):
            yield stanza
            stanza = Stanza(_heading(line, where), where)
            continue
        tag, colon, text = line.partition(":")
        if not colon:
            raise ValueError(
                f"{where}: got {shortened(line)}, expected 'tag: value', or the "
                f"heading of a stanza such as [Term]. Is this an OBO file?"
            )
        is_same = tag == "xref" and stanza.kind == "Typedef"  # terms have thousands
        if tag in TAGS or tag == "default-namespace" or is_same:
            stanza.add(tag, text, where)
    yield stanza


def _heading(line: str, where: str) -> str:
    heading = plain_value(line)
    if not heading.endswith("]"):
        raise ValueError(
            f"{where}: got {shortened(line)}, expected the heading of a stanza, such "
            f"as [Term]. Is the line cut off?"
        )
    return heading[1:-1].strip()


def _add_term(obo: OboText, stanza: Stanza, default: str | None) -> None:
    label = stanza.id()
    if label in obo.terms:
        raise ValueError(
            f"{stanza.where}: got the term {label!r} again, expected one stanza per "
            f"term. Remove one of them."
        )
    obo.terms[label] = Term(
        id=label,
        name=stanza.one("name") or label,
        namespace=stanza.one("namespace") or default,
        alt_ids=stanza.several("alt_id"),
        obsolete=stanza.one("is_obsolete") == "true",
        replaced_by=stanza.several("replaced_by"),
        consider=stanza.several("consider"),
    )
    obo.links.extend(Link(label, "is_a", value) for value in stanza.several("is_a"))
    for value in stanza.several("relationship"):
        relation, parent = value.split(None, 1)
        obo.links.append(Link(label, relation, parent))
