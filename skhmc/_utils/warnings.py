"""Warnings that point at the user's line."""

import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType

__all__ = [
    "HierarchyWarning",
    "Kept",
    "each_kind_once",
    "each_said_once",
    "kept_warnings",
    "kind_of",
    "read_before",
    "warn_of_input",
    "warn_user",
]

OURS = {"skhmc", "sklearn", "joblib"}  # packages whose lines a warning does not show

Kept = tuple[str, type[Warning]]  # a message, and its category

_KEPT: ContextVar[list[Kept] | None] = ContextVar("kept", default=None)
_KINDS: ContextVar[set[Kept] | None] = ContextVar("kinds", default=None)
# what differs in messages of one kind: names, numbers, and how many of them there are
DIFFERENT = re.compile(r"""'[^']*'|"[^"]*"|\d[\d,.]*""")
LISTED = re.compile(r"#(?:(?:, | and )#)*")


class HierarchyWarning(UserWarning):
    """A hierarchy is perhaps not the one that was meant.

    Y contradicts the direction of its edges, say: the message has the numbers, both
    readings, and the call that means the other one.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> from skhmc import HierarchyWarning
    >>> from skhmc.metrics import hierarchical_f1_score
    >>> Y = np.tile([[1, 1, 0], [1, 0, 1]], (5, 1))  # 0 is above 1 and 2 ...
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     _ = hierarchical_f1_score(Y, Y, hierarchy=[(1, 0), (2, 0)])  # ... or not
    >>> caught[0].category is HierarchyWarning
    True
    """


def warn_user(
    message: str,
    category: type[Warning] = UserWarning,
    *,
    kind: Kept | None = None,
) -> None:
    """Warn from the nearest line outside this package and scikit-learn.

    Whatever wraps an estimator, a Pipeline say, the line shown is the one that called
    it. Inside ``each_kind_once``, nothing is said of a kind that was said before.

    Parameters
    ----------
    message : str
    category : type, default=UserWarning
    kind : tuple, default=None
        What ``kind_of`` returned; None is that of the message.
    """
    kept = _KEPT.get()
    if kept is not None:
        kept.append((message, category))
        return
    kinds = _KINDS.get()
    if kinds is not None:
        kind = kind or kind_of(message, category)
        if kind in kinds:
            return
        kinds.add(kind)
    frame = sys._getframe()
    level = 1
    while frame.f_back is not None and _package_of(frame) in OURS:
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)


def kind_of(message: str, category: type[Warning]) -> Kept:
    """Return what is the same in messages that differ in names and numbers alone."""
    return LISTED.sub("#", DIFFERENT.sub("#", message)), category


@contextmanager
def each_kind_once() -> Iterator[None]:
    """Say once what several fits inside a fit have to say.

    Of what ``warn_user`` says in this thread: what other threads and processes say is
    kept by ``kept_warnings``, and said here.
    """
    if _KINDS.get() is not None:
        yield
        return
    token = _KINDS.set(set())
    try:
        yield
    finally:
        _KINDS.reset(token)


@contextmanager
def kept_warnings() -> Iterator[list[Kept]]:
    """Keep what ``warn_user`` would say, for whoever decides what is said of it."""
    kept: list[Kept] = []
    token = _KEPT.set(kept)
    try:
        yield kept
    finally:
        _KEPT.reset(token)


_READ_BEFORE = ContextVar("read_before", default=False)
_SAID: ContextVar[set[str] | None] = ContextVar("said", default=None)


@contextmanager
def read_before() -> Iterator[None]:
    """Keep quiet while labels are read again: one call of the user warns once.

    Of what ``warn_of_input`` says. Not as a decorator, whose frame would seem to be the
    user's line.
    """
    token = _READ_BEFORE.set(True)
    try:
        yield
    finally:
        _READ_BEFORE.reset(token)


@contextmanager
def each_said_once() -> Iterator[None]:
    """Say the same of what the user handed over once, though it is read repeatedly.

    A hierarchy that is no ``Hierarchy`` is built wherever it is needed, say.
    """
    if _SAID.get() is not None:
        yield
        return
    token = _SAID.set(set())
    try:
        yield
    finally:
        _SAID.reset(token)


def warn_of_input(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn of what the user handed over, unless it was read before."""
    if _READ_BEFORE.get():
        return
    said = _SAID.get()
    if said is not None:
        if message in said:
            return
        said.add(message)
    warn_user(message, category)


def _package_of(frame: FrameType) -> str:
    return frame.f_globals.get("__name__", "").split(".")[0]
