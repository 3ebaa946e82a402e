"""What came of the cases of every kind: printed while they run, and kept."""

from collections import Counter

from benchmarks.command import write_results
from benchmarks.figures import versions
from benchmarks.tables import text_row

__all__ = ["Counts"]


class Counts:
    """The outcomes of a long run, kind by kind.

    Parameters
    ----------
    outcomes : tuple of str
        What can come of a case, in the order of the columns.
    width : int
        Of the names of kinds.
    options : Namespace
        The command line, with ``cases`` and ``seed``.
    """

    def __init__(self, outcomes, width, options):
        self.outcomes = outcomes
        self.widths = (width, *(-len(name) - 3 for name in outcomes))
        self.options = options
        self.of = {}

    def begin(self):
        """Print what is run, and the head of the table."""
        said = ", ".join(f"{name} {version}" for name, version in versions().items())
        print(
            f"{self.options.cases} cases, seed {self.options.seed}; {said}", flush=True
        )
        print(text_row(("", *self.outcomes), self.widths))

    def add(self, kind, counts):
        """Keep a Counter of the outcomes of a kind, and print it."""
        self.of[kind] = counts
        self._print(kind, counts)

    @property
    def total(self):
        return sum(self.of.values(), Counter())

    def end(self, passed, seconds, path=None):
        """Print the sums, and write everything to a file if there is one."""
        self._print("all", self.total)
        print(f"{'passed' if passed else 'FAILED'} in {seconds:.0f} s")
        if path is None:
            return
        results = {
            "versions": versions(),
            "cases": self.options.cases,
            "seed": self.options.seed,
            "seconds": round(seconds),
            "passed": passed,
            "outcomes": {
                kind: {name: counts[name] for name in self.outcomes}
                for kind, counts in self.of.items()
            },
        }
        write_results(path, results)

    def _print(self, kind, counts):
        cells = (kind, *(counts[name] for name in self.outcomes))
        print(text_row(cells, self.widths), flush=True)
