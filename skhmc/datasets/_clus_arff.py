"""Loading of the ARFF files of Clus, whose class attribute is a hierarchy."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import zip_longest

import numpy as np
import scipy.sparse as sp
from sklearn.utils import Bunch

from skhmc._utils.messages import name_list
from skhmc.coherence import close_upward
from skhmc.datasets._arff_columns import feature_names, read_features
from skhmc.datasets._arff_text import (
    MAX_BYTES,
    MAX_VALUES,
    ArffText,
    Attribute,
    parse_arff,
    read_bytes,
    shortened,
)
from skhmc.hierarchy import Hierarchy

__all__ = ["bunch_of", "load_clus_arff"]

ROOT = "root"  # where the pairs of a DAG start; no label


def load_clus_arff(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
    *,
    max_bytes: int = MAX_BYTES,
    max_values: int = MAX_VALUES,
) -> Bunch:
    """Load one or more ARFF files with a hierarchical class attribute.

    Parameters
    ----------
    paths : str, path-like, or iterable of them
        Files, plain or gzipped (told by content). Several files are concatenated in
        the order given; their headers must agree.
    max_bytes : int, default=2**30
        Largest number of bytes of a file, also when it is unpacked. No more are
        unpacked.
    max_values : int, default=2**28
        Largest number of values in the features of a file, rows times columns. A
        nominal attribute has a column per value.

    Returns
    -------
    Bunch
        data : ndarray of shape (n_samples, n_features), float64
            NaN where the file has ``?``.
        target : csr_matrix of shape (n_samples, n_labels), int64
            Indicators, closed upward.
        hierarchy : Hierarchy
            Hierarchy whose labels are the columns of ``target``.
        label_names : list of str
            The labels, in the order in which the header first names them, parents
            before the paths that hold them.
        feature_names : list of str
            The attribute's name, or ``name=value`` for a one-hot column.
        feature_group : list of str
            Attribute that every feature comes from.
        relation : str
            Name after ``@RELATION`` in the first file.
        file_rows : list of slice
            Rows of every file in ``data``.

    Raises
    ------
    FileNotFoundError
        When a file does not exist.
    ValueError
        When a file is malformed; the message names the file, the line, what was got
        and what was expected. When it is larger than the limits. When the headers of
        several files differ.

    Notes
    -----
    The class attribute, normally the last, is one of ::

        @ATTRIBUTE class hierarchical a,a/b,a/b/c
        @ATTRIBUTE class hierarchical root/a,root/b,a/c,b/c

    The first is a tree, one path per node; a label's name is its whole path. The
    second, told by entries that start with ``root/`` while ``root`` itself is no entry,
    is a DAG of ``parent/child`` pairs; ``root`` is not a label. A row holds classes
    joined by ``@``.

    A nominal attribute with exactly the values 0 and 1 becomes one numeric column,
    any other is one-hot encoded; where it is missing, all its columns are NaN, so that
    imputing the mean gives the shares of its values. Keywords are read in any case,
    names and values may be quoted, text after ``%`` outside quotes is a comment. String
    attributes and sparse rows are errors. Time is linear in the length of the text. A
    class has 1,000 levels at most.

    References
    ----------
    Vens, Struyf, Schietgat, Džeroski and Blockeel, "Decision trees for hierarchical
    multi-label classification", Machine Learning, 2008.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from skhmc.datasets import load_clus_arff
    >>> text = '''@RELATION pets
    ... @ATTRIBUTE weight numeric
    ... @ATTRIBUTE class hierarchical bird,cat,cat/siamese
    ... @DATA
    ... 4.5,cat/siamese
    ... ?,bird
    ... '''
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "pets.arff")
    ...     _ = path.write_text(text)
    ...     pets = load_clus_arff(path)
    >>> pets.label_names
    ['bird', 'cat', 'cat/siamese']
    >>> pets.target.toarray()
    array([[0, 1, 1],
           [1, 0, 0]])
    """
    if isinstance(paths, (str, os.PathLike)):
        paths = [paths]
    paths = list(paths)
    if not paths:
        raise ValueError("Got no paths, expected at least one ARFF file.")
    texts = [
        parse_arff(read_bytes(path, max_bytes), str(path), max_values) for path in paths
    ]
    return bunch_of(texts)


def bunch_of(texts: list[ArffText]) -> Bunch:
    """Turn parsed files of one data set into a Bunch."""
    first = texts[0]
    for other in texts[1:]:
        _check_headers(first, other)
    position = first.class_position
    hierarchy, no_label = _hierarchy(first.attributes[position], first.file)
    kept = [a for i, a in enumerate(first.attributes) if i != position]
    names = [(a.name, name) for a in kept for name in feature_names(a)]
    ends = np.cumsum([len(text.rows) for text in texts]).tolist()
    starts = [0, *ends[:-1]]
    return Bunch(
        data=np.concatenate([read_features(text) for text in texts]),
        target=sp.vstack([_target(t, hierarchy, no_label) for t in texts], "csr"),
        hierarchy=hierarchy,
        label_names=list(hierarchy.labels),
        feature_names=[name for _, name in names],
        feature_group=[group for group, _ in names],
        relation=first.relation,
        file_rows=[slice(i, j) for i, j in zip(starts, ends, strict=True)],
    )


# -- header ------------------------------------------------------------------------


def _check_headers(first: ArffText, other: ArffText) -> None:
    pairs = zip_longest(first.attributes, other.attributes)
    for number, (ours, theirs) in enumerate(pairs, start=1):
        if ours == theirs:
            continue
        kinds = {a.kind for a in (ours, theirs) if a}
        if kinds == {"hierarchical"} and ours.name == theirs.name:
            only = sorted(set(ours.values) ^ set(theirs.values))
            if not only:
                continue  # the same classes in another order
            where = first.file if only[0] in ours.values else other.file
            what = f"class {only[0]!r} stands only in {where}"
        else:
            what = f"attribute {number} is {_said(ours)} and {_said(theirs)}"
        raise ValueError(
            f"The headers of {first.file} and {other.file} differ: {what}. Expected "
            f"files of one data set; load them one by one."
        )


def _said(attribute: Attribute | None) -> str:
    if attribute is None:
        return "missing"
    values = f" [{name_list(attribute.values)}]" if attribute.kind == "nominal" else ""
    return f"{attribute.name!r} {attribute.kind}{values}"


def _hierarchy(attribute: Attribute, file: str) -> tuple[Hierarchy, tuple[str, ...]]:
    """Return the hierarchy, and the names that rows may hold but are no labels."""
    classes = attribute.values
    is_tree = ROOT in classes or not any(c.startswith(ROOT + "/") for c in classes)
    try:
        if is_tree:
            return Hierarchy.from_paths(classes, sep="/"), ()
        pairs = [_pair(name) for name in classes]
        children = {child for _, child in pairs}
        lost = [p for p, _ in pairs if p != ROOT and p not in children]
        if lost:
            raise ValueError(
                f"the class {lost[0]!r} has children but no parent, expected every "
                f"class below {ROOT!r}. Add '{ROOT}/{lost[0]}' or correct the name."
            )
        labels = dict.fromkeys(x for pair in pairs for x in pair if x != ROOT)
        return Hierarchy(labels, [p for p in pairs if p[0] != ROOT]), (ROOT,)
    except ValueError as error:
        raise ValueError(f"{file}, attribute {attribute.name!r}: {error}") from error


def _pair(name: str) -> tuple[str, str]:
    parts = name.split("/")
    if len(parts) != 2 or "" in parts or parts[1] == ROOT:
        raise ValueError(
            f"got the class {name!r}, expected a pair 'parent/child', since other "
            f"entries start with '{ROOT}/'. For a tree list {ROOT!r} itself as a class."
        )
    return parts[0], parts[1]


# -- rows --------------------------------------------------------------------------


def _target(
    text: ArffText, hierarchy: Hierarchy, no_label: tuple[str, ...]
) -> sp.csr_matrix:
    """Return the labels of one file, closed upward."""
    index = {label: i for i, label in enumerate(hierarchy.labels)}
    position = text.class_position
    rows = []
    columns = []
    for number, fields in enumerate(text.rows):
        for name in fields[position].split("@"):
            name = name.strip()
            if name in no_label:
                continue
            if name not in index:
                raise _unknown_class(name, text, number, hierarchy.labels[0])
            rows.append(number)
            columns.append(index[name])
    ones = np.ones(len(rows), bool)
    shape = (len(text.rows), len(index))
    direct = sp.csr_matrix((ones, (rows, columns)), shape=shape)
    return close_upward(direct, hierarchy).astype(np.int64)


def _unknown_class(
    name: str, text: ArffText, number: int, example: object
) -> ValueError:
    attribute = text.attributes[text.class_position]
    start = f"{text.file}, line {text.lines[number]}: attribute {attribute.name!r} got"
    if name in ("", "?"):
        return ValueError(
            f"{start} {shortened(text.rows[number][text.class_position])}, expected "
            f"classes joined by @. Leave out samples whose classes are not known."
        )
    return ValueError(
        f"{start} the class {shortened(name)}, expected one of those the header lists, "
        f"such as {example!r}. Add it to the header or correct the row."
    )
