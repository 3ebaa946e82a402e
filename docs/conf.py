"""Sphinx configuration; build with ``make docs``."""

import sys
from pathlib import Path

import skhmc

sys.path.insert(0, str(Path(__file__).parent))
import draw_layers  # noqa: E402
import list_rules  # noqa: E402

project = "skhmc"
author = "the skhmc developers"
copyright = f"2026, {author}"
version = release = skhmc.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "literal"

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings have them
numpydoc_show_class_members = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "download_all_examples": False,
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "alabaster"
html_theme_options = {
    "description": "Hierarchical multi-label classification for scikit-learn",
    "fixed_sidebar": True,
    "page_width": "1080px",
}
html_show_sourcelink = False


def skip_foreign(app, what, name, member, skip, options):
    """Leave out methods that scikit-learn and torch define and document."""
    function = getattr(member, "__func__", member)
    module = getattr(function, "__module__", None) or "skhmc"
    return True if callable(member) and not module.startswith("skhmc") else skip


def make_parts(app):
    """Make the pictures and tables of pages that the code itself decides."""
    draw_layers.main()
    list_rules.main()


def setup(app):
    app.connect("builder-inited", make_parts)
    app.connect("autodoc-skip-member", skip_foreign)
