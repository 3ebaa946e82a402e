"""The rows of an annotation file that count, as the file names samples and labels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, NamedTuple

from skhmc._utils.kinds import as_names
from skhmc._utils.lines import numbered_lines, shortened
from skhmc._utils.messages import name_list

__all__ = ["Rows", "read_rows"]

GAF_COLUMNS = range(15, 18)  # GAF 1.0 has 15, 2.x has 17, of which the last may miss
# columns of GAF, counted from 0
DATABASE = 0
SAMPLE = 1
QUALIFIER = 3
TERM = 4
EVIDENCE = 6
ASPECT = 8

EVIDENCE_CODES = set(
    "EXP IDA IPI IMP IGI IEP HTP HDA HMP HGI HEP IBA IBD IKR IRD ISS ISO ISA ISM IGC "
    "RCA TAS NAS IC ND IEA".split()
)
ASPECTS = {"P", "F", "C"}

# what stands over the columns of a table, in small letters without spaces and signs
SAMPLE_HEADINGS = {""} | set(
    "sample samples sampleid id ids name row index key accession protein proteinid "
    "gene geneid geneproductid symbol entry entryid target targetid document "
    "documentid doc docid text image".split()
)
TERM_HEADINGS = set(
    "term terms termid label labels go goid goids goterm goterms class classes "
    "category categories code codes annotation annotations".split()
)


class Line(NamedTuple):
    """The columns of one line, and where it stands."""

    number: int
    cells: list[str]


class Rows:
    """The annotations that count, as the file names them, and what else there was.

    ``names`` are by sample; ``n_of`` says how often each name stands in the rows that
    count, ``first`` on which line it stands first.
    """

    def __init__(self) -> None:
        self.names: dict[str, dict[str, None]] = {}  # a dict is a set in order
        self.n_of: Counter[str] = Counter()
        self.first: dict[str, int] = {}
        self.counts: Counter[str] = Counter(rows=0)

    def add(self, sample: str, names: Iterable[str], number: int) -> None:
        of_sample = self.names.setdefault(sample, {})
        for name in names:
            of_sample[name] = None
            self.n_of[name] += 1
            self.first.setdefault(name, number)

    def number(self, names: Iterable[str]) -> int:
        """Return how many annotations have one of the names."""
        return sum(self.n_of[name] for name in names)


def read_rows(
    path: str | os.PathLike[str],
    names_in: Callable[[str], list[str]],
    *,
    evidence: str | Iterable[str] | None,
    aspect: str | Iterable[str] | None,
    header: bool | str,
    max_bytes: int,
) -> Rows:
    """Read a file; ``names_in`` splits a cell of a table into names of labels.

    :func:`skhmc.datasets.read_annotations` says what the others mean.
    """
    file = os.fspath(path)
    is_gaf, lines = _split_lines(numbered_lines(path, max_bytes), file)
    if is_gaf:
        return _read_gaf(lines, evidence, aspect, file)
    _check_no_gaf_filter(evidence, aspect, file)
    return _read_table(lines, header, names_in, file)


# -- lines and columns -----------------------------------------------------------------


def _split_lines(
    lines: Iterator[tuple[int, str]], file: str
) -> tuple[bool, Iterator[Line]]:
    """Return whether the file is GAF, and its lines without comments."""
    said = False
    for number, text in lines:
        said = said or text.lower().startswith("!gaf-version")
        if _is_comment(text):
            continue
        first = Line(number, text.split("\t"))
        is_gaf = said or len(first.cells) in GAF_COLUMNS
        _check_width(first, is_gaf, file)
        return is_gaf, chain([first], _further(lines, is_gaf, file))
    raise ValueError(
        f"{file}: got no line that is not a comment, expected annotations."
    )


def _is_comment(text: str) -> bool:
    is_remark = text.startswith("#") and "\t" not in text  # "#sample\tterm" is a header
    return not text.strip() or text.startswith("!") or is_remark


def _further(
    lines: Iterator[tuple[int, str]], is_gaf: bool, file: str
) -> Iterator[Line]:
    for number, text in lines:
        if not _is_comment(text):
            line = Line(number, text.split("\t"))
            _check_width(line, is_gaf, file)
            yield line


def _check_width(line: Line, is_gaf: bool, file: str) -> None:
    n_columns = len(line.cells)
    if n_columns in (GAF_COLUMNS if is_gaf else (2,)):
        return
    expected = "the 15 to 17 of GAF"
    if not is_gaf:
        expected = f"two, sample and label, or {expected}"
    text = shortened("\t".join(line.cells))
    raise ValueError(
        f"{file}, line {line.number}: got {n_columns} column(s) in {text}, expected "
        f"{expected}, separated by tabs.{_way_out(line.cells)}"
    )


def _way_out(cells: list[str]) -> str:
    """Return what to do with a table that has other columns, or another separator."""
    if len(cells) > 2:
        return (
            " Write a file of the two columns that count: "
            "table[[sample, label]].to_csv(path, sep='\\t', index=False) in pandas, or "
            "cut -f1,2 where they are the first."
        )
    marks = [mark for mark in (",", ";", " ") if len(cells[0].split(mark)) == 2]
    if len(cells) == 1 and marks:
        said = "a space" if marks[0] == " " else repr(marks[0])
        return (
            f" Is {said} between them? pandas.read_csv(path, sep={marks[0]!r})"
            f".to_csv(new_path, sep='\\t', index=False) writes it with tabs."
        )
    return ""


def _required(line: Line, column: int, what: str, file: str) -> str:
    cell = line.cells[column].strip()
    if not cell:
        raise ValueError(
            f"{file}, line {line.number}: got an empty column {column + 1}, expected "
            f"the {what}."
        )
    return cell


# -- GAF -------------------------------------------------------------------------------


def _read_gaf(
    lines: Iterable[Line],
    evidence: str | Iterable[str] | None,
    aspect: str | Iterable[str] | None,
    file: str,
) -> Rows:
    codes = None if evidence is None else set(as_names(evidence, "evidence"))
    aspects = None if aspect is None else set(as_names(aspect, "aspect"))
    seen_codes = set(EVIDENCE_CODES)
    seen_aspects = set(ASPECTS)
    rows = Rows()
    databases: dict[str, str] = {}
    for line in lines:
        rows.counts["rows"] += 1
        seen_codes.add(line.cells[EVIDENCE].strip())
        seen_aspects.add(line.cells[ASPECT].strip())
        reason = _left_out(line, codes, aspects)
        if reason:
            rows.counts[reason] += 1
            continue
        sample = _required(line, SAMPLE, "id of the annotated object", file)
        _check_one_database(sample, line, databases, file)
        rows.add(sample, [_required(line, TERM, "term", file)], line.number)
    _check_filter("evidence", codes, seen_codes, file)
    _check_filter("aspect", aspects, seen_aspects, file)
    return rows


def _left_out(line: Line, codes: set[str] | None, aspects: set[str] | None) -> str:
    """Return why a row does not count, empty where it does."""
    qualifiers = line.cells[QUALIFIER].upper().split("|")
    if "NOT" in (qualifier.strip() for qualifier in qualifiers):
        return "NOT"
    if codes is not None and line.cells[EVIDENCE].strip() not in codes:
        return "other evidence"
    if aspects is not None and line.cells[ASPECT].strip() not in aspects:
        return "other aspect"
    return ""


def _check_one_database(
    sample: str, line: Line, databases: dict[str, str], file: str
) -> None:
    database = line.cells[DATABASE].strip()
    former = databases.setdefault(sample, database)
    if database != former:
        raise ValueError(
            f"{file}, line {line.number}: got {sample!r} of the database {database!r}, "
            f"but lines above have it of {former!r}: two samples would become one. "
            f"Split the file by its first column."
        )


def _check_filter(
    argument: str, wanted: set[str] | None, there: set[str], file: str
) -> None:
    """Raise on what may be a slip: neither a code of GO nor in the file."""
    unknown = sorted((wanted or set()) - there)
    if unknown:
        raise ValueError(
            f"{file}: {argument} names {name_list(unknown)}, which is neither in the "
            f"file nor known. Expected some of: {', '.join(sorted(there - {''}))}."
        )


# -- tables ----------------------------------------------------------------------------


def _check_no_gaf_filter(evidence: Any, aspect: Any, file: str) -> None:
    for argument, value in (("evidence", evidence), ("aspect", aspect)):
        if value is not None:
            raise ValueError(
                f"{file}: got {argument}={value!r} for a table of two columns, which "
                f"does not say it; only GAF files do. Leave {argument} out."
            )


def _read_table(
    lines: Iterable[Line],
    header: bool | str,
    names_in: Callable[[str], list[str]],
    file: str,
) -> Rows:
    if header not in (True, False, "auto"):
        raise ValueError(f"header must be True, False or 'auto', got {header!r}.")
    rows = Rows()
    for k, line in enumerate(lines):
        if k == 0 and _is_header(line.cells, header):
            continue
        rows.counts["rows"] += 1
        sample = _required(line, 0, "sample", file)
        rows.add(sample, names_in(line.cells[1]), line.number)
    return rows


def _is_header(cells: list[str], header: bool | str) -> bool:
    if header != "auto":
        return bool(header)
    sample, term = ("".join(filter(str.isalnum, cell.lower())) for cell in cells)
    return sample in SAMPLE_HEADINGS and term in TERM_HEADINGS
