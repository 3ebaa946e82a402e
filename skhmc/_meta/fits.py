"""Fits inside a fit: with a bar, and each kind of warning once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sklearn.utils.parallel import Parallel, delayed
from tqdm.auto import tqdm

from skhmc._utils.warnings import Kept, kept_warnings, kind_of, warn_user

__all__ = ["Fits", "say_of_folds"]

T = TypeVar("T")


class Fits:
    """Runs the fits of an estimator around others, or steps after them.

    Parameters
    ----------
    estimator : BaseEstimator
        The one whose ``fit`` runs; its class is named in front of bars.
    verbose : int, default=0
        Whether to show a bar; 0 shows none.
    """

    def __init__(self, estimator: Any, verbose: int = 0) -> None:
        self.name = type(estimator).__name__
        self.verbose = verbose

    def run(
        self,
        what: str,
        function: Callable[..., T],
        arguments: Iterable[Sequence[Any]],
        *,
        n_jobs: int | None = None,
    ) -> tuple[list[T], list[list[Kept]]]:
        """Call a function with every one of some arguments, perhaps several at a time.

        Parameters
        ----------
        what : str
            What the calls are, for the bar: "folds".
        function : callable
        arguments : iterable of sequence
        n_jobs : int, default=None
            Number of calls at a time.

        Returns
        -------
        results : list
            What the calls return, in order.
        warnings : list of list of (str, type)
            What each of them warned of, which nobody has seen yet.
        """
        given = list(arguments)
        jobs = (delayed(_keeping_warnings)(function, *one) for one in given)
        found = []
        with self.bar(what, len(given)) as step:
            # results come one by one where there is a bar; some backends cannot do that
            form = "generator" if self.verbose else "list"
            for result in Parallel(n_jobs=n_jobs, return_as=form)(jobs):
                found.append(result)
                step()
        return [result for result, _ in found], [kept for _, kept in found]

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Callable[[], Any]]:
        """Show a bar, and give what moves it on by one.

        Parameters
        ----------
        what : str
            What is counted.
        total : int
            How many of them there are.
        """
        title = f"{self.name}: {what}"
        with tqdm(total=total, desc=title, disable=not self.verbose) as bar:
            yield bar.update


def _keeping_warnings(
    function: Callable[..., T], *arguments: Any
) -> tuple[T, list[Kept]]:
    """Call a function, also in another process, and return what it warned of, too."""
    with kept_warnings() as kept:
        result = function(*arguments)
    return result, kept


def say_of_folds(warnings: list[list[Kept]]) -> None:
    """Warn once of each kind of what folds warned of.

    The text is that of the first fold: numbers and names may differ in others.

    Parameters
    ----------
    warnings : list of list of (str, type)
        What each fold warned of.
    """
    first: dict[Any, Kept] = {}
    folds: dict[Any, int] = {}
    for kept in warnings:
        of_fold = {kind_of(*one): one for one in reversed(kept)}
        for kind, one in of_fold.items():
            first.setdefault(kind, one)
            folds[kind] = folds.get(kind, 0) + 1
    for kind, (message, category) in first.items():
        counted = f"{folds[kind]} of {len(warnings)} folds of cv"
        warn_user(f"{message} (So or similarly in {counted}.)", category, kind=kind)
