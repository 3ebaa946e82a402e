"""Hierarchies that come from an ontology, and know more about its terms."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from skhmc._utils.messages import plain
from skhmc.hierarchy._hierarchy import Hierarchy
from skhmc.hierarchy._obo import Term, parse_obo
from skhmc.hierarchy._obo_choice import choose_links, choose_terms

__all__ = ["Ontology", "read_ontology"]

MAX_SHOWN = 5  # ids that a message explains


class Ontology(Hierarchy):
    """A hierarchy of the terms of an ontology; :meth:`Hierarchy.from_obo` returns it.

    It is a :class:`~skhmc.Hierarchy`, equal to one of the same labels and edges, and
    goes wherever one goes. It also keeps what the file says of its terms, of those too
    that are no labels: obsolete ones and those of other namespaces. ``subset`` keeps
    all of this.

    Parameters
    ----------
    labels : iterable of hashable
        The labels, in the order of the columns of ``Y``. Unique.
    edges : iterable of (parent, child), default=()
        Pairs of labels.

    Attributes
    ----------
    terms : mapping
        Every :class:`Term` of the file by its id.
    names : dict
        What people call the labels, by label.
    alt_ids : dict
        The id of the term that an alternative id means. An alternative id of several
        terms is left out, for it means none of them.
    obsolete : tuple of str
        Ids of the obsolete terms.

    See Also
    --------
    skhmc.datasets.read_annotations : Read which sample has which terms.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import mkdtemp
    >>> from skhmc import Hierarchy
    >>> path = Path(mkdtemp(), "colours.obo")
    >>> text = "[Term]\\nid: C:1\\nname: colour\\nalt_id: C:7\\n\\n"
    >>> text += "[Term]\\nid: C:2\\nis_obsolete: true\\nreplaced_by: C:1\\n"
    >>> _ = path.write_text(text)
    >>> colours = Hierarchy.from_obo(path)
    >>> colours.labels, colours.names, colours.obsolete
    (('C:1',), {'C:1': 'colour'}, ('C:2',))
    >>> colours.resolve("C:7"), colours.resolve("C:2")
    ('C:1', 'C:1')
    """

    _terms: Mapping[Hashable, Term] = MappingProxyType({})

    @classmethod
    def _with_terms(
        cls, labels: tuple, edges: np.ndarray, terms: Mapping[Hashable, Term]
    ) -> Ontology:
        ontology = cls.__new__(cls)
        ontology._set(labels, edges)
        ontology.__dict__["_terms"] = terms  # by assignment it would be refused
        return ontology

    @property
    def terms(self) -> Mapping[Hashable, Term]:
        return MappingProxyType(self._terms)

    @cached_property
    def names(self) -> dict[Hashable, str]:
        terms = self._terms
        return {x: terms[x].name if x in terms else str(x) for x in self.labels}

    @cached_property
    def alt_ids(self) -> dict[Hashable, str]:
        return unique_alt_ids(self._terms)

    @cached_property
    def obsolete(self) -> tuple[str, ...]:
        return tuple(term.id for term in self._terms.values() if term.obsolete)

    def resolve(self, name: Any) -> Hashable:
        """Return the label that an id means, or None if there is none.

        Parameters
        ----------
        name : str
            A label, an alternative id, or the id of an obsolete term that is replaced
            by exactly one other.

        Returns
        -------
        str or None
            The label. None for ids that are unknown, obsolete without such a term, or
            of a term that is no label.
        """
        name = plain(name)
        met = set()  # terms may replace one another in a circle
        while name not in self and name not in met:
            met.add(name)
            name = self.alt_ids.get(name, name)
            term = self._terms.get(name)
            if term is not None and term.obsolete and len(term.replaced_by) == 1:
                name = term.replaced_by[0]
        return name if name in self else None

    def explain(self, names: Iterable[Any]) -> str:
        """Return sentences about ids that are not labels, from the ontology.

        Parameters
        ----------
        names : iterable
            Ids that are no labels. The first few are explained.

        Returns
        -------
        str
            Empty where the ontology has none of them.
        """
        said = [self._explain(plain(name)) for name in names]
        said = [text for text in said if text]
        text = "; ".join(said[:MAX_SHOWN])
        if len(said) > MAX_SHOWN:
            text += f"; ... ({len(said)} in all)"
        return text + "." if text else ""

    def _explain(self, name: Hashable) -> str:
        if name in self.alt_ids:
            return f"{name!r} is an alternative id of {self.alt_ids[name]!r}"
        term = self._terms.get(name)
        if term is None:
            return ""
        if not term.obsolete:
            of = f" of {term.namespace!r}" if term.namespace else ""
            return f"{name!r} is a term{of} that was left out"
        if term.replaced_by:
            return f"{name!r} is obsolete, replaced by {', '.join(term.replaced_by)}"
        if term.consider:
            return f"{name!r} is obsolete, consider {', '.join(term.consider)}"
        return f"{name!r} is obsolete"

    def _take(self, positions: Sequence[int] | np.ndarray) -> Ontology:
        taken = super()._take(positions)
        return self._with_terms(taken.labels, taken.edges, self._terms)

    def __reduce__(self) -> tuple:
        parts = (self.labels, np.array(self.edges), self._terms)
        return type(self)._with_terms, parts

    def __repr__(self) -> str:
        return super().__repr__().replace("Hierarchy", "Ontology", 1)


def unique_alt_ids(terms: Mapping[Hashable, Term]) -> dict[Hashable, str]:
    """Return the one term that each alternative id means."""
    pairs = [(alt_id, term.id) for term in terms.values() for alt_id in term.alt_ids]
    n_terms = Counter(alt_id for alt_id, _ in dict.fromkeys(pairs))
    return {a: x for a, x in pairs if n_terms[a] == 1 and a not in terms}


def read_ontology(
    path: str | os.PathLike[str],
    relations: str | Iterable[str],
    namespace: str | Iterable[str] | None,
    max_bytes: int,
) -> Ontology:
    """Read an OBO file; :meth:`Hierarchy.from_obo` says what the parameters mean."""
    obo = parse_obo(path, max_bytes)
    labels = choose_terms(obo, namespace)
    edges = choose_links(obo, labels, unique_alt_ids(obo.terms), relations)
    return Ontology._with_terms(labels, edges, obo.terms)
