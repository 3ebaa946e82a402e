"""Links from the HTML representations of estimators to their pages."""

from importlib.metadata import PackageNotFoundError, metadata

__all__ = ["DocLinkMixin"]


def find_documentation() -> str | None:
    """Return the address "Documentation" of ``[project.urls]`` in pyproject.toml.

    None where there is none, or where skhmc is not installed.
    """
    try:
        urls = metadata("skhmc").get_all("Project-URL") or []
    except PackageNotFoundError:
        return None
    found = dict(url.split(", ", 1) for url in urls)
    return found.get("Documentation")


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
