"""What HTML representations of estimators show: a link, and the hierarchy's size."""

from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

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

    def _get_params_html(self, *args: Any, **kwargs: Any) -> Any:
        """Return the table of parameters, with the size of the hierarchy.

        Scikit-learn calls it, from 1.8 on, and cuts the middle out of what is longer
        than 30 letters: of the hierarchy's own text, the number of its labels.
        """
        table = super()._get_params_html(*args, **kwargs)  # type: ignore[misc]
        hierarchy = getattr(self, "hierarchy_", None) or table.get("hierarchy")
        if "hierarchy" in table and hasattr(hierarchy, "n_labels"):
            table["hierarchy"] = _Size(hierarchy)
        return table


class _Size:
    """Text of a hierarchy in few letters."""

    def __init__(self, hierarchy: Any) -> None:
        self.hierarchy = hierarchy

    def __repr__(self) -> str:
        n_labels = self.hierarchy.n_labels
        text = f"{n_labels} label" if n_labels == 1 else f"{n_labels} labels"
        if not len(self.hierarchy.edges):
            return f"{text}, flat"
        kind = "tree" if self.hierarchy.is_tree else "DAG"
        return f"{text}, {kind}, depth {self.hierarchy.depth.max()}"
