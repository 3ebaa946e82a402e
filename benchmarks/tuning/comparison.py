"""What a comparison is: what it measures, how that is printed, where it is stored."""

from benchmarks.command import DOCS, RESULTS
from benchmarks.tables import include

__all__ = ["Comparison"]


class Comparison:
    """One comparison; its docstring is what ``--help`` says of it."""

    name = ""  # what the command takes, and the file of results
    data_sets = ()  # what --data-set chooses from; without them no such option
    seeds = None  # how many by default; None for no such option
    page_name = None  # the file of the documentation that holds the tables
    legend = ""  # printed below the table

    @property
    def results(self):
        """The file of results."""
        return RESULTS / f"{self.name}.json"

    @property
    def page(self):
        """The file that the documentation includes, or None."""
        return DOCS / self.page_name if self.page_name else None

    def add_options(self, parser):
        """Add options of this comparison alone."""

    def measure(self, options):
        """Yield the results so far after every step, as JSON can hold them."""
        raise NotImplementedError

    def lines(self, results, options):
        """Return the table as lines of text; more results only append lines."""
        raise NotImplementedError

    def merge(self, stored, results):
        """Return what is to be stored, where there is something already."""
        return results

    def tables(self, results):
        """Return the tables of the documentation."""
        raise NotImplementedError

    def page_text(self, results):
        """Return the text of the file that the documentation includes."""
        command = f"benchmarks.tune {self.name}"
        return include(command, self.tables(results), results["versions"])

    def failure(self, results):
        """Return what was to be reached and was not, or None."""
