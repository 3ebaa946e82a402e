"""Links from the HTML representations of estimators to their pages."""

from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

__all__ = ["DocLinkMixin"]

# where ``make docs`` writes the pages, in a clone of the repository
BUILT = Path(__file__).resolve().parents[2] / "docs" / "_build" / "html"


def find_documentation() -> str | None:
    """Return the address of the documentation, or None if there is none.

    That is "Documentation" of ``[project.urls]`` in pyproject.toml. Without it, and in
    a clone of the repository, it is the folder of the pages that were built there.
    """
    try:
        urls = metadata("skhmc").get_all("Project-URL") or []
    except PackageNotFoundError:
        urls = []
    found = dict(url.split(", ", 1) for url in urls)
    if "Documentation" in found:
        return found["Documentation"]
    return BUILT.as_uri() if (BUILT / "index.html").exists() else None


class DocLinkMixin:
    """Mixin of estimators that have a page, before BaseEstimator, which asks these."""

    @property
    def _doc_link_module(self) -> str:
        # the package whose estimators are linked: none without an address
        return "skhmc" if find_documentation() else ""

    @property
    def _doc_link_template(self) -> str:
        pages = f"{find_documentation()}".rstrip("/") + "/api/generated/"
        return pages + "{estimator_module}.{estimator_name}.html"
