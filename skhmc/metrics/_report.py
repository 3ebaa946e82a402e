"""hierarchical_classification_report: figures of labels, levels and subtrees."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from skhmc._data.align import align
from skhmc._data.flat_names import judge_flat
from skhmc._data.tables import as_table
from skhmc.coherence import close_upward, violations
from skhmc.hierarchy import Hierarchy, term_names
from skhmc.metrics._inputs import (
    check_indicator,
    check_scores,
    kept_labels,
    metric_weights,
    positives,
    truth,
)
from skhmc.metrics._ranking import label_areas

__all__ = ["hierarchical_classification_report"]

OUTPUTS = ("text", "dict", "frame")
KINDS = ("all", "level", "subtree", "label")
LABELS_PER_BLOCK = 256
MOST_LETTERS = 40  # of a name in the text


def hierarchical_classification_report(
    y_true: Any,
    y_pred: Any,
    hierarchy: Any,
    *,
    y_score: Any = None,
    output: str = "text",
    max_rows: int = 40,
    digits: int = 3,
    exclude: str | Iterable[Hashable] | None = None,
    close: bool = True,
    sample_weight: ArrayLike | None = None,
) -> Any:
    r"""Report precision, recall and more of labels, levels and subtrees.

    Parameters
    ----------
    y_true : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        True indicators 0 and 1; NaN is unknown and does not count. Or lists of label
        names, one per sample.
    y_pred : array-like or sparse matrix (n_samples, n_labels), or list of label sets
        Predicted indicators 0 and 1, or lists of label names.
    hierarchy : Hierarchy or anything ``Hierarchy.build`` takes
        The labels and edges.
    y_score : array-like or DataFrame of shape (n_samples, n_labels), default=None
        Scores, such as probabilities. With them the report has AU(PRC) and the best
        threshold.
    output : {"text", "dict", "frame"}, default="text"
        Form of the report: a text to print, a dict of dicts, or a DataFrame with a
        row per label, level and subtree.
    max_rows : int, default=40
        Largest number of labels, and of subtrees, in the text. It has those with the
        greatest support. Other outputs have all.
    digits : int, default=3
        Number of digits after the point in the text.
    exclude : None, "roots" or iterable of label names, default=None
        Labels that do not count; they still pass labels up when the sets are closed.
    close : bool, default=True
        Whether to add the ancestors to true and predicted sets first. Violations are
        counted before.
    sample_weight : array-like of shape (n_samples,), default=None
        Sample weights.

    Returns
    -------
    str, dict or DataFrame
        Figures by kind ("all", "level", "subtree" and "label") and name (in a dict,
        ``report[kind][name]``), see Notes. Without a library for tables, "frame" is a
        dict of lists. A figure that is not defined is NaN.

    Raises
    ------
    ValueError
        When shapes, values, names or options are wrong.

    See Also
    --------
    skhmc.inspection.LevelReportDisplay : The same as a picture.

    Notes
    -----
    ``support`` and ``predicted`` are the numbers (or weights) of true and of predicted
    cells whose truth is known. ``precision``, ``recall`` and ``f1`` of a level or
    subtree pool the cells of its labels; a subtree is a label that has children, with
    all labels below it. A ratio 0 / 0 is NaN; F1 is NaN where a label is neither true
    nor predicted.

    ``au_prc`` is the area of a label; of several labels the mean over those with
    positives. ``threshold`` is that of ``y_score`` with the greatest F1 of the label: a
    label is predicted if its score is greater. It is found on these very samples, so
    that it is too good for a choice: :class:`skhmc.HierarchicalThresholdClassifier`
    chooses by cross-validation.

    ``violations`` counts samples in which ``y_pred``, as it is given, has the label and
    lacks a parent of it, once per parent.

    ``confused_with`` is the sibling that is most often predicted wrongly in samples
    whose label was missed, and ``n_confused`` the number of these samples. Siblings
    have a parent in common; roots are siblings of each other.

    In the text, the names of terms stand behind the ids of an ontology. In a DataFrame
    they are ``frame["name"].map(ontology.names)``.

    Examples
    --------
    >>> from skhmc import Hierarchy
    >>> from skhmc.metrics import hierarchical_classification_report
    >>> animals = Hierarchy.from_parents({"cat": "mammal", "dog": "mammal"})
    >>> y_true = [["cat"], ["cat"], ["dog"], ["mammal"]]
    >>> y_pred = [["cat"], ["dog"], ["dog"], ["dog"]]
    >>> report = hierarchical_classification_report(y_true, y_pred, animals)
    >>> print(report)  # doctest: +NORMALIZE_WHITESPACE
               support  predicted  precision  recall     f1  violations  confused with
    <BLANKLINE>
    all              7          8      0.750   0.857  0.800           4
    <BLANKLINE>
    level 0          4          4      1.000   1.000  1.000           0
    level 1          3          4      0.500   0.667  0.571           4
    <BLANKLINE>
    subtree
      mammal         7          8      0.750   0.857  0.800           4
    <BLANKLINE>
    label
      mammal         4          4      1.000   1.000  1.000           0
        cat          2          1      1.000   0.500  0.667           1  dog (1)
        dog          1          3      0.333   1.000  0.500           3
    >>> report = hierarchical_classification_report(
    ...     y_true, y_pred, animals, output="dict"
    ... )
    >>> report["label"]["cat"]["recall"]
    0.5
    """
    _check_options(output, max_rows, digits)
    arrays = {"y_true": y_true, "y_pred": y_pred}
    if y_score is not None:
        arrays["y_score"] = y_score
    built, y_true, y_pred, *scores = align(hierarchy, **arrays)
    if hierarchy is None:
        judge_flat(built)
    check_indicator(y_pred, "y_pred")
    keep = kept_labels(built, exclude)
    weights = metric_weights(sample_weight, y_true.shape[0])
    columns = _label_figures(y_true, y_pred, built, weights, close)
    if scores:
        score = check_scores(scores[0])
        columns |= _score_figures(y_true, score, built, weights, close)
    rows = _rows(columns, built, keep)
    forms = {
        "text": lambda: _as_text(rows, built, max_rows, digits),
        "dict": lambda: _as_dict(rows),
        "frame": lambda: as_table(rows, y_true),
    }
    return forms[output]()


def _check_options(output, max_rows, digits):
    if output not in OUTPUTS:
        raise ValueError(f"output must be one of {OUTPUTS}, got {output!r}.")
    for argument, value, least in (("max_rows", max_rows, 1), ("digits", digits, 0)):
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(
                f"{argument} must be an integer of at least {least}, got {value!r}."
            )


# -- the figures of labels ----------------------------------------------------------


def _label_figures(y_true, y_pred, hierarchy, weights, close):
    """Return counts, violations and confusions of every label."""
    true, unknown = truth(y_true, hierarchy, close)
    predicted = positives(y_pred)
    broken = sp.csr_matrix(violations(predicted, hierarchy), dtype=np.float64)
    by_edge = broken.T @ weights
    child = hierarchy.edges[:, 1] if len(hierarchy.edges) else np.empty(0, np.intp)
    if close:
        predicted = positives(close_upward(predicted, hierarchy))
    if unknown.nnz:  # what is predicted where the truth is unknown does not count
        predicted = _without(predicted, unknown)
    right = true.multiply(predicted)
    figures = {
        "support": _column_sums(true, weights),
        "predicted": _column_sums(predicted, weights),
        "right": _column_sums(right, weights),
        "violations": np.bincount(child, by_edge, minlength=hierarchy.n_labels),
    }
    missed = _without(true, predicted)
    wrong = _without(predicted, true)
    if unknown.nnz:
        wrong = _without(wrong, unknown)
    return figures | _confusions(missed, wrong, hierarchy, weights)


def _without(cells, others):
    left = sp.csr_matrix(cells, dtype=np.float64)
    left = left - left.multiply(sp.csr_matrix(others, dtype=np.float64))
    left = sp.csr_matrix(left)
    left.eliminate_zeros()
    return left.astype(bool)


def _column_sums(cells, weights):
    return sp.csr_matrix(cells, dtype=np.float64).T @ weights


def _confusions(missed, wrong, hierarchy, weights):
    """Return the sibling that every label is most often taken for, and how often."""
    n_labels = hierarchy.n_labels
    missed = sp.csc_matrix(sp.diags(weights) @ missed.astype(np.float64))
    wrong = sp.csr_matrix(wrong, dtype=np.float64)
    other = np.full(n_labels, -1)
    times = np.zeros(n_labels)
    parents = hierarchy.parents.astype(np.float64)
    is_root = np.diff(hierarchy.parents.indptr) == 0
    for start in range(0, n_labels, LABELS_PER_BLOCK):
        stop = min(start + LABELS_PER_BLOCK, n_labels)
        counts = sp.csr_matrix(missed[:, start:stop].T @ wrong)
        siblings = sp.csr_matrix(parents[start:stop] @ hierarchy.children)
        for label in range(start, stop):
            row = slice(*counts.indptr[label - start : label - start + 2])
            met, count = counts.indices[row], counts.data[row]
            if is_root[label]:
                beside = is_root[met]
            else:
                row = slice(*siblings.indptr[label - start : label - start + 2])
                beside = np.isin(met, siblings.indices[row])
            count = np.where(beside & (met != label), count, 0)
            if count.any():
                best = np.lexsort((met, -count))[0]
                other[label], times[label] = met[best], count[best]
    return {"confused_with": other, "n_confused": times}


def _score_figures(y_true, scores, hierarchy, weights, close):
    """Return the area of every label, and its best threshold."""
    true, unknown = truth(y_true, hierarchy, close)
    use = weights > 0
    true, unknown, scores = true[use], unknown[use], scores[use]
    weights = weights[use]
    own = None if (weights == 1).all() else weights
    areas, support = label_areas(true.tocsc(), unknown.tocsc(), scores, own)
    thresholds = np.full(hierarchy.n_labels, np.nan)
    true, unknown = true.tocsc(), unknown.tocsc()
    for label in np.flatnonzero(support):
        positive = np.zeros(len(scores))
        positive[true.indices[true.indptr[label] : true.indptr[label + 1]]] = 1
        known = np.ones(len(scores), bool)
        known[unknown.indices[unknown.indptr[label] : unknown.indptr[label + 1]]] = 0
        given = scores[known, label], positive[known], weights[known]
        thresholds[label] = _best_threshold(*given)
    return {
        "au_prc": np.where(support > 0, areas, np.nan),
        "threshold": thresholds,
    }


def _best_threshold(score, positive, weight):
    """Return the score, half way to the next, above which F1 is greatest."""
    order = np.argsort(-score, kind="stable")
    score, positive, weight = score[order], positive[order], weight[order]
    found = np.cumsum(positive * weight)
    f1 = 2 * found / (np.cumsum(weight) + found[-1])
    last = np.append(score[1:] != score[:-1], True)  # equal scores go together
    best = np.flatnonzero(last)[np.argmax(f1[last])]
    # in the precision of the scores, as whoever compares them with it has them
    kind, lowest = score.dtype.type, score[best]
    if best + 1 < len(score):
        below = score[best + 1]
    else:
        below = min(lowest - kind(1e-6), np.nextafter(lowest, kind(-np.inf)))
    between = below + (lowest - below) / kind(2)
    # of neighbours among the floats none is between: a score must be greater
    return float(between if between < lowest else below)


# -- rows ------------------------------------------------------------------------------


def _rows(figures: Any, hierarchy: Hierarchy, keep: Any) -> Any:
    """Return the columns of the whole report: all, levels, subtrees, labels."""
    n_labels = hierarchy.n_labels
    kept = np.flatnonzero(keep)
    below = sp.csr_matrix(hierarchy.descendants, dtype=np.float64)
    below = below + sp.identity(n_labels, format="csr")
    inner = np.flatnonzero(np.diff(hierarchy.children.indptr) > 0)
    depth = np.asarray(hierarchy.depth)
    level = sp.csr_matrix(
        (np.ones(n_labels), (depth, np.arange(n_labels))),
        shape=(len(hierarchy.levels), n_labels),
    )
    groups = {
        "all": (["all"], sp.csr_matrix(np.ones((1, n_labels))), [np.nan]),
        "level": (list(range(len(hierarchy.levels))), level, range(level.shape[0])),
        "subtree": (_names(hierarchy, inner), below[inner], depth[inner]),
        "label": (
            _names(hierarchy, kept),
            sp.identity(n_labels, format="csr")[kept],
            depth[kept],
        ),
    }
    parts = []
    for kind, (names, members, depths) in groups.items():
        members = sp.csr_matrix(members @ sp.diags(keep.astype(np.float64)))
        part = _pooled_figures(figures, members)
        confused = [None] * len(names)
        n_confused = np.full(len(names), np.nan)
        if kind == "label":
            other = figures["confused_with"][kept]
            confused = [hierarchy.labels[k] if k >= 0 else None for k in other]
            n_confused = figures["n_confused"][kept]
            if "threshold" in figures:
                part["threshold"] = figures["threshold"][kept]
        elif "threshold" in figures:
            part["threshold"] = np.full(len(names), np.nan)
        head = {"kind": [kind] * len(names), "name": names, "depth": list(depths)}
        tail = {"confused_with": confused, "n_confused": n_confused}
        parts.append(head | part | tail)
    return {name: _joined([part[name] for part in parts]) for name in parts[0]}


def _joined(parts):
    if isinstance(parts[0], list):
        return [value for part in parts for value in part]
    return np.concatenate(parts)


def _names(hierarchy, positions):
    return [hierarchy.labels[k] for k in positions]


def _pooled_figures(figures, members):
    """Return the figures of groups of labels, a row of ``members`` for each."""
    support, predicted, right = (
        members @ figures[name] for name in ("support", "predicted", "right")
    )
    found = {
        "n_labels": np.asarray(members.sum(axis=1)).ravel().astype(int),
        "support": support,
        "predicted": predicted,
        "precision": _ratio(right, predicted),
        "recall": _ratio(right, support),
        "f1": _ratio(2 * right, support + predicted),
    }
    if "au_prc" in figures:
        defined = ~np.isnan(figures["au_prc"])
        areas = members @ np.nan_to_num(figures["au_prc"])
        found["au_prc"] = _ratio(areas, members @ defined.astype(np.float64))
    found["violations"] = members @ figures["violations"]
    return found


def _ratio(part, whole):
    some = whole > 0
    return np.where(some, part / np.where(some, whole, 1), np.nan)


# -- forms -----------------------------------------------------------------------------


def _as_dict(rows):
    """Return the rows as dicts by kind and name, with plain numbers."""
    report: dict[str, dict] = {kind: {} for kind in KINDS}
    columns = [
        column.tolist() if isinstance(column, np.ndarray) else column
        for column in rows.values()
    ]
    for values in zip(*columns, strict=True):
        row = dict(zip(rows, values, strict=True))
        kind, name = row.pop("kind"), row.pop("name")
        if kind != "label":
            row = {k: v for k, v in row.items() if k not in _OF_LABELS}
        report[kind][name] = row
    return report


_OF_LABELS = ("confused_with", "n_confused", "threshold")


def _as_text(rows, hierarchy, max_rows, digits):
    """Return the rows as text: labels as an indented tree, most support if many."""
    heads = ["support", "predicted", "precision", "recall", "f1"]
    heads += [name for name in ("au_prc", "threshold") if name in rows]
    heads.append("violations")
    kinds = np.array(rows["kind"])
    called = term_names(hierarchy)
    lines: list[list[str] | None] = [["", *heads, "confused with"]]
    for kind in KINDS:
        lines.append(None)
        chosen = np.flatnonzero(kinds == kind)
        n_left = 0
        if kind in ("subtree", "label"):
            if not len(chosen):
                lines.pop()
                continue
            lines.append([kind])
            n_left = max(0, len(chosen) - max_rows)
            most = np.argsort(-rows["support"][chosen], kind="stable")[:max_rows]
            chosen = _tree_order(chosen[most], rows, hierarchy)
        lines += [_text_row(rows, row, kind, heads, digits, called) for row in chosen]
        if n_left:
            lines.append([f"  … {n_left} more, of less support"])
    full = [line for line in lines if line is not None and len(line) > 1]
    widths = [max(len(line[k]) for line in full) for k in range(len(heads) + 1)]
    out = []
    for line in lines:
        cells = line or []
        if len(cells) > 1:
            first = cells[0].ljust(widths[0])
            rest = [c.rjust(w) for c, w in zip(cells[1:-1], widths[1:], strict=True)]
            cells = [first, *rest, cells[-1]]
        out.append("  ".join(cells).rstrip())
    return "\n".join(out)


def _tree_order(chosen, rows, hierarchy):
    """Return rows in the order of a tree: children behind their (first) parent."""
    place = {hierarchy.position(rows["name"][row]): row for row in chosen}
    below: dict[int, list[int]] = {}
    tops = []
    parents = hierarchy.parents
    for label in sorted(place):
        own = parents.indices[parents.indptr[label] : parents.indptr[label + 1]]
        shown = [p for p in own.tolist() if p in place]
        if shown:
            below.setdefault(shown[0], []).append(label)
        else:
            tops.append(label)
    ordered = []
    waiting = tops[::-1]
    while waiting:
        label = waiting.pop()
        ordered.append(place[label])
        waiting += below.get(label, [])[::-1]
    return ordered


def _text_row(rows, row, kind, heads, digits, called):
    name = str(rows["name"][row])
    if kind == "level":
        name = f"level {name}"
    elif kind != "all":
        if rows["name"][row] in called:
            name = f"{name} {called[rows['name'][row]]}"
        indent = "  " * (1 + int(rows["depth"][row]))
        if len(name) > MOST_LETTERS:
            name = f"{name[: MOST_LETTERS // 2]}…{name[1 - MOST_LETTERS // 2 :]}"
        name = indent + name
    cells = [name]
    for head in heads:
        value = rows[head][row]
        if np.isnan(value):
            cells.append("")
        elif head in ("support", "predicted", "violations"):
            cells.append(f"{value:g}")
        else:
            cells.append(f"{value:.{digits}f}")
    other = rows["confused_with"][row]
    times = rows["n_confused"][row]
    cells.append("" if other is None else f"{other} ({times:g})")
    return cells
