"""What is chosen of an OBO file: terms that are labels, and links that are edges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping

import numpy as np

from skhmc._utils.kinds import as_names
from skhmc._utils.levels import depths
from skhmc._utils.messages import name_list, repeated
from skhmc._utils.warnings import warn_user
from skhmc.hierarchy._obo import Link, OboText, Term

__all__ = ["choose_links", "choose_terms"]

DEFAULT = ("is_a", "part_of")  # relations
MAX_COUNTS = 12  # names with their numbers that a message shows


def choose_terms(
    obo: OboText, namespace: str | Iterable[str] | None
) -> tuple[str, ...]:
    """Return the ids of the terms that are labels: of a namespace, and not obsolete."""
    terms = [term for term in obo.terms.values() if not term.obsolete]
    if namespace is not None:
        wanted = as_names(namespace, "namespace")
        _check_namespaces(wanted, Counter(term.namespace for term in terms), obo.file)
        terms = [term for term in terms if term.namespace in wanted]
    if not terms:
        raise ValueError(
            f"{obo.file}: all {len(obo.terms)} terms are obsolete, expected some that "
            f"are not."
        )
    return tuple(term.id for term in terms)


def _check_namespaces(wanted: list[str], there: Mapping, file: str) -> None:
    unknown = [name for name in wanted if name not in there]
    if unknown:
        raise ValueError(
            f"{file}: no term has the namespace {name_list(unknown)}. There are: "
            f"{_counts(there)}. Choose some of these, or None for all."
        )


def _counts(counts: Mapping) -> str:
    """Return names and how often each occurs, as text for a message."""
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    text = ", ".join(f"{name!r} ({number})" for name, number in ordered[:MAX_COUNTS])
    if len(ordered) > MAX_COUNTS:
        text += f", ... ({len(ordered)} in all)"
    return text


def choose_links(
    obo: OboText,
    labels: tuple[str, ...],
    alt_ids: Mapping[Hashable, str],
    relations: str | Iterable[str],
) -> np.ndarray:
    """Return edges by position (n_edges, 2) in ``labels``, parent first.

    Links to other terms of the file are left out; a warning counts links to terms that
    are obsolete or not in the file at all.

    Raises
    ------
    ValueError
        When there is no such relation, when the relations chosen relate no terms while
        others do, or when they make a cycle.
    """
    chosen = _chosen_relations(obo, as_names(relations, "relations"))
    position = {label: i for i, label in enumerate(labels)}
    links = [link for link in obo.links if link.child in position]
    links = [_by_main_id(link, obo.terms, alt_ids) for link in links]
    inside = [link for link in links if link.parent in position]
    kept = [link for link in inside if link.relation in chosen]
    if inside and not kept:
        there = Counter(link.relation for link in inside)
        raise ValueError(
            f"{obo.file}: the relations {name_list(chosen)} relate none of the "
            f"{len(labels)} terms, which would give a flat hierarchy. Relations that "
            f"do: {_counts(there)}. Choose some of these."
        )
    _warn_of_dangling([k for k in links if k.relation in chosen], obo)
    pairs = [(position[link.parent], position[link.child]) for link in kept]
    edges = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    _check_no_cycle(edges, labels, kept)
    return edges


def _chosen_relations(obo: OboText, wanted: list[str]) -> list[str]:
    """Return the relations wanted, by id; some files have "part of" only as a name."""
    again = repeated(wanted)
    if again:
        raise ValueError(f"relations names {name_list(again)} twice, expected it once.")
    there = Counter(dict.fromkeys(obo.relations, 0))
    there.update(link.relation for link in obo.links)
    chosen = []
    unknown = []
    for relation in wanted:
        named = [key for key, name in obo.relations.items() if name == relation]
        if relation in there:
            same = obo.same_relations.get(relation, ())
            chosen.extend([relation, *(key for key in same if key in there)])
        elif named:
            chosen.extend(named)
        elif relation in DEFAULT:
            chosen.append(relation)  # which a file need not have
        else:
            unknown.append(relation)
    if unknown:
        raise ValueError(
            f"{obo.file}: there is no relation {name_list(unknown)}. There are: "
            f"{_counts(there)}. Choose some of these."
        )
    return chosen


def _by_main_id(
    link: Link, terms: Mapping[Hashable, Term], alt_ids: Mapping[Hashable, str]
) -> Link:
    if link.parent in terms:
        return link
    return link._replace(parent=alt_ids.get(link.parent, link.parent))


def _warn_of_dangling(links: list[Link], obo: OboText) -> None:
    gone = [
        f"{link.child} {link.relation} {link.parent}"
        for link in links
        if link.parent not in obo.terms or obo.terms[link.parent].obsolete
    ]
    if gone:
        warn_user(
            f"{obo.file}: {len(gone)} links lead to terms that are obsolete or that "
            f"the file does not have, and are left out: {name_list(gone)}."
        )


def _check_no_cycle(
    edges: np.ndarray, labels: tuple[str, ...], links: list[Link]
) -> None:
    _, cycle = depths(np.unique(edges, axis=0), len(labels))
    if not cycle:
        return
    around = [labels[i] for i in reversed(cycle)]  # child first, as the file says it
    relations: dict[tuple[str, str], str] = {}
    for link in links:
        relations.setdefault((link.child, link.parent), link.relation)
    steps = list(zip(around[:-1], around[1:], strict=True))
    said = [f"{a} {relations[a, b]} {b}" for a, b in steps]
    used = dict.fromkeys(relations[step] for step in steps)
    raise ValueError(
        f"The relations make a cycle: {name_list(said)}. A hierarchy has none: leave "
        f"one of {name_list(used)} out of relations, or correct these terms."
    )
