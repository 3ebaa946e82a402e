"""Annotations: which sample has which labels."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Hashable, Iterable
from typing import Any

from sklearn.utils import Bunch

from skhmc._utils.lines import MAX_BYTES
from skhmc._utils.messages import name_list
from skhmc._utils.warnings import HierarchyWarning, warn_user
from skhmc.datasets._annotation_rows import Rows, read_rows
from skhmc.hierarchy import Hierarchy, Ontology

__all__ = ["read_annotations"]

# why an annotation is left out, in ``counts``
UNKNOWN = "unknown"
OBSOLETE = "obsolete"
ELSEWHERE = "other namespace"
CUT = "not in the hierarchy"
TERM = re.compile(r"[A-Za-z]+:\d{4,}")  # "GO:0008150"


def _cell_reader(known: Hierarchy | None, sep: str | None) -> Callable:
    """Return what splits a cell of a table into names."""
    texts = set() if known is None else set(map(str, known.labels))

    def names_in(cell: str) -> list[str]:
        whole = cell.strip()
        parts = [whole] if sep is None or whole in texts else whole.split(sep)
        return [part.strip() for part in parts if part.strip()]

    return names_in


def _warn_if_turned(rows: Rows, file: str) -> None:
    """Warn where the samples are called as terms of an ontology, and no label is."""
    terms = [sample for sample in rows.names if TERM.fullmatch(sample)]
    if not terms or len(terms) < len(rows.names) or any(map(TERM.fullmatch, rows.n_of)):
        return
    label = next(iter(rows.n_of), None)
    warn_user(
        f"{file}: the samples in the first column, such as {terms[0]!r}, look like "
        f"terms of an ontology, and the labels, such as {label!r}, do not. Are the "
        f"columns the other way round? Put the sample first. With a hierarchy of the "
        f"labels this is not asked.",
        HierarchyWarning,
    )


def _labels_meant(
    rows: Rows, known: Hierarchy, unknown: str, file: str
) -> dict[str, Hashable]:
    """Return the label that each name means; names without one are left out."""
    by_text = {str(label): label for label in known.labels}  # a file has texts only
    terms = known.terms if isinstance(known, Ontology) else {}
    namespaces = {terms[x].namespace for x in known.labels if x in terms}
    meant: dict[str, Hashable] = {}
    lost: dict[str, list[str]] = {}
    for name in rows.n_of:
        label = _label_of(name, known, by_text)
        if label is None:
            reason = _why_lost(name, known, namespaces)
            lost.setdefault(reason, []).append(name)
        else:
            meant[name] = label
    for reason, names in lost.items():
        rows.counts[reason] = rows.number(names)
    if UNKNOWN in lost:
        _report_unknown(lost[UNKNOWN], rows, known, unknown, file)
    if CUT in lost:
        _warn_of_cut(lost[CUT], rows, file)
    if isinstance(known, Ontology):
        _report_renamed(lost.get(OBSOLETE, []), meant, rows, known, file)
    return meant


def _label_of(name: str, known: Hierarchy, by_text: dict[str, Hashable]) -> Any:
    if name in known:
        return name
    if isinstance(known, Ontology):
        return known.resolve(name)
    return by_text.get(name)


def _why_lost(name: str, known: Hierarchy, namespaces: set) -> str:
    if not isinstance(known, Ontology):
        return UNKNOWN
    term = known.terms.get(known.alt_ids.get(name, name))
    if term is None:
        return UNKNOWN
    if term.obsolete:
        return OBSOLETE
    return CUT if term.namespace in namespaces else ELSEWHERE


def _report_unknown(
    names: list[str], rows: Rows, known: Hierarchy, unknown: str, file: str
) -> None:
    said = (
        f"{file}: {rows.number(names)} annotations hold names that the hierarchy does "
        f"not have: {name_list(names)}"
    )
    if unknown == "ignore":
        warn_user(f"{said}. They are left out.")
        return
    by_text = {str(label): label for label in known.labels}
    turned = [x for x in rows.names if _label_of(x, known, by_text) is not None]
    if len(turned) > len(rows.names) / 2:
        raise ValueError(
            f"{file}: the samples in the first column, such as {turned[0]!r}, are "
            f"labels of the hierarchy, and those in the second, such as {names[0]!r}, "
            f"are not. Put the sample first."
        )
    hint = ""
    if not isinstance(known, Ontology):
        hint = "A hierarchy from Hierarchy.from_obo knows alternative ids. "
    raise ValueError(
        f"{said}, first on line {rows.first[names[0]]} (for a line of headings, pass "
        f"header=True). {hint}Correct the names, take the ontology of the same "
        f"release, or leave them out by unknown='ignore'."
    )


def _warn_of_cut(names: list[str], rows: Rows, file: str) -> None:
    warn_user(
        f"{file}: {rows.number(names)} annotations name terms that the hierarchy "
        f"leaves out, though it has others of their namespace: {name_list(names)}. "
        f"They are left out, and with them what follows for the labels kept. Read the "
        f"file with the whole ontology to keep it."
    )


def _report_renamed(
    lost: list[str],
    meant: dict[str, Hashable],
    rows: Rows,
    ontology: Ontology,
    file: str,
) -> None:
    """Count names that mean a label of another name; warn of obsolete terms."""
    renamed = {name: label for name, label in meant.items() if name != label}
    alike = [x for x in renamed if ontology.alt_ids.get(x) == renamed[x]]
    replaced = [x for x in renamed if ontology.alt_ids.get(x) != renamed[x]]
    rows.counts["alternative id"] = rows.number(alike)
    rows.counts["replaced"] = rows.number(replaced)
    if replaced:
        pairs = [f"{name} by {renamed[name]}" for name in replaced]
        warn_user(
            f"{file}: {rows.number(replaced)} annotations name obsolete terms, and are "
            f"taken for the terms that replace these: {name_list(pairs)}."
        )
    if lost:
        warn_user(
            f"{file}: {rows.number(lost)} annotations name obsolete terms that no "
            f"label replaces, and are left out. {ontology.explain(lost)}"
        )


def _as_bunch(rows: Rows, meant: dict[str, Hashable], file: str) -> Bunch:
    samples = []
    labels = []
    for sample, names in rows.names.items():
        found = dict.fromkeys(meant[name] for name in names if name in meant)
        if found or not names:  # no label because there is none, not as it is lost
            samples.append(sample)
            labels.append(list(found))
    counts = {reason: number for reason, number in rows.counts.items() if number}
    if not any(labels):
        raise ValueError(
            f"{file}: no annotation is left of {rows.counts['rows']} rows; left out "
            f"are: {counts}. Is the namespace, the evidence or the aspect right?"
        )
    return Bunch(samples=samples, labels=labels, counts=counts)


def read_annotations(
    path: str | os.PathLike[str],
    *,
    hierarchy: Any = None,
    evidence: str | Iterable[str] | None = None,
    aspect: str | Iterable[str] | None = None,
    header: bool | str = "auto",
    sep: str | None = ";",
    unknown: str = "error",
    max_bytes: int = MAX_BYTES,
) -> Bunch:
    """Read which sample has which labels, from a GAF file or a table.

    Parameters
    ----------
    path : str or path-like
        A file, plain or gzipped (told by content): GAF (told by its first line or by
        15 to 17 columns), or a table of two columns, sample and label, separated by
        tabs.
    hierarchy : Hierarchy, anything ``Hierarchy.build`` takes, or None, default=None
        The labels there are. With one from :meth:`skhmc.Hierarchy.from_obo`,
        alternative ids become the term they mean, obsolete terms the one that replaces
        them, and terms of other namespaces are left out. None takes names as they are.
    evidence : str or iterable of str, default=None
        Evidence codes of the GAF rows that count, such as ``("EXP", "IDA")``. None is
        all, ND ("no data") among them.
    aspect : str or iterable of str, default=None
        Aspects of the GAF rows that count: ``"P"`` (process), ``"F"`` (function),
        ``"C"`` (component). None is all.
    header : bool or "auto", default="auto"
        Whether the first line of a table names its columns. "auto" looks for words such
        as "protein" and "term".
    sep : str or None, default=";"
        Text between several labels in a cell of a table. None: a cell is one label.
        A cell that is a label of ``hierarchy`` stays whole.
    unknown : {"error", "ignore"}, default="error"
        Treatment of names that ``hierarchy`` does not have: raise, or leave them out
        with a warning.
    max_bytes : int, default=2**30
        Largest amount of text, unpacked, that is read, in bytes.

    Returns
    -------
    Bunch
        samples : list of str
            Names of the samples, in order of appearance. Column 2 of GAF.
        labels : list of list
            The labels of every sample as they are annotated, each once; what follows
            from them (ancestors) is not added. Estimators take this as ``y``.
        counts : dict
            How many rows there are, and how many annotations were left out or
            renamed, by reason.

    Raises
    ------
    ValueError
        When the file is malformed; the message has the line. When no annotation is
        left, or names are unknown.

    Warns
    -----
    UserWarning
        When annotations name obsolete terms, or terms of its namespaces that the
        hierarchy leaves out, and are renamed or left out.

    See Also
    --------
    skhmc.Hierarchy.from_obo : Read the hierarchy of an ontology.

    Notes
    -----
    Lines that start with ``!`` are comments. GAF rows whose qualifier has NOT are left
    out: they say what a sample is known not to have.

    A sample is listed when a row of it counts, so that whoever has annotations of other
    evidence or namespaces only is not taken for one without labels. A row of a table
    with an empty second column counts: its sample has no label.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from skhmc.datasets import read_annotations
    >>> path = Path(mkdtemp(), "animals.tsv")
    >>> _ = path.write_text("sample\\tlabel\\ns1\\tcat\\ns2\\tdog; pet\\ns1\\tpet\\n")
    >>> animals = read_annotations(path)
    >>> animals.samples, animals.labels
    (['s1', 's2'], [['cat', 'pet'], ['dog', 'pet']])
    """
    if unknown not in ("error", "ignore"):
        raise ValueError(f"unknown must be 'error' or 'ignore', got {unknown!r}.")
    known = None if hierarchy is None else Hierarchy.build(hierarchy)
    rows = read_rows(
        path,
        _cell_reader(known, sep),
        evidence=evidence,
        aspect=aspect,
        header=header,
        max_bytes=max_bytes,
    )
    file = os.fspath(path)
    if known is None:
        _warn_if_turned(rows, file)
        meant: dict[str, Hashable] = {name: name for name in rows.n_of}
    else:
        meant = _labels_meant(rows, known, unknown, file)
    return _as_bunch(rows, meant, file)
