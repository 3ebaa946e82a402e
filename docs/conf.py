"""Sphinx configuration; build with ``make docs``. Nothing here asks the network."""

import re
import sys
from pathlib import Path

import numpydoc.xref
from docutils import nodes
from sphinx.util.nodes import make_refnode

import skhmc

sys.path.insert(0, str(Path(__file__).parent))
import draw_layers  # noqa: E402
import list_rules  # noqa: E402
from group_parameters import group_parameters  # noqa: E402
from make_inventories import SITES  # noqa: E402
from source_links import keep_home, mend_source_links, name_homes  # noqa: E402

project = "skhmc"
author = "the skhmc developers"
copyright = f"2026, {author}"
version = release = skhmc.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "literal"
nitpicky = True  # a name that leads nowhere is a warning

autosummary_generate = True
autodoc_member_order = "bysource"
toc_object_entries_show_parents = "hide"
autodoc_typehints = "none"  # the docstrings have them
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc.xref.DEFAULT_LINKS.clear()  # int, str and the like need no explanation
numpydoc_xref_ignore = "all"  # but for these words in the types of parameters
numpydoc_xref_aliases = {
    "BaseEstimator": "sklearn.base.BaseEstimator",
    "DataFrame": "pandas.DataFrame",
    "Generator": "torch.Generator",
    "Hierarchy": "skhmc.Hierarchy",
    "Module": "torch.nn.Module",
    "RandomState": "numpy.random.RandomState",
    "Tensor": "torch.Tensor",
    "csr_matrix": "scipy.sparse.csr_matrix",
    "ndarray": "numpy.ndarray",
    "nn.Module": "torch.nn.Module",
    "skorch.NeuralNet": "skorch.NeuralNet",
    "torch.Generator": "torch.Generator",
}

# Lists of names that docs/make_inventories.py writes: no build downloads any.
intersphinx_mapping = {
    name: (site, f"_inventories/{name}.inv") for name, site in SITES.items()
}

# MathJax and its fonts are in docs/_static/mathjax; its licence is beside them.
mathjax_path = "mathjax/tex-chtml.js"
mathjax3_config = {"options": {"enableMenu": False}}  # menus load further files

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "backreferences_dir": "api/generated/backreferences",
    "doc_module": ("skhmc",),
    "reference_url": {"skhmc": None},
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "within_subsection_order": "order_examples.RunsFirst",
    "thumbnail_size": (640, 448),
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = f"skhmc {release}"
html_static_path = ["_static"]
html_css_files = ["skhmc.css"]
html_show_sourcelink = False
html_domain_indices = False
html_context = {"default_mode": "auto"}
html_theme_options = {
    "logo": {"text": "skhmc"},
    "navbar_align": "left",
    "header_links_before_dropdown": 5,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
# Pages that list others, or have none beside them, need no navigation on the left.
html_sidebars = {
    page: []
    for page in ("index", "install", "quick_start", "guide", "api", "cite")
    + ("release_notes", "architecture", "auto_examples/index")
}


TITLE = re.compile('class="sphx-glr-thumbnail-title">([^<]*)<')


def find_in_skhmc(app, env, node, child):
    """Resolve names of skhmc itself, such as Hierarchy.build, in all its modules."""
    domain = env.domains["py"]
    name = f"skhmc.{node.get('reftarget')}"
    page = domain.objects.get(name)
    if page is None or node.get("refdomain") != "py":
        return None
    return make_refnode(
        app.builder, node["refdoc"], page.docname, page.node_id, child, name
    )


def skip_foreign(app, what, name, member, skip, options):
    """Leave out methods that scikit-learn and torch define and document."""
    function = getattr(member, "__func__", member)
    module = getattr(function, "__module__", None) or "skhmc"
    return True if callable(member) and not module.startswith("skhmc") else skip


def make_parts(app):
    """Make the pictures and tables of pages that the code itself decides."""
    draw_layers.main()
    list_rules.main()


def read_markdown(app, path, document, content):
    """Make headings of CHANGES.md, which a page includes, such that Sphinx knows."""
    if path.suffix == ".md":
        for mark, line in (("##", "-"), ("###", "~")):
            content[0] = re.sub(
                rf"^{mark} (.*)$",
                lambda heading, line=line: f"{heading[1]}\n{line * len(heading[1])}",
                content[0],
                flags=re.MULTILINE,
            )


def name_thumbnails(app, doctree):
    """Give thumbnails of examples a text: the title that stands below them."""
    picture = None
    for node in doctree.findall(
        lambda node: isinstance(node, (nodes.image, nodes.raw))
    ):
        if isinstance(node, nodes.image):
            picture = node
        elif picture is not None and (title := TITLE.search(node.astext())):
            picture["alt"] = f"Figure of the example: {title[1]}"


def setup(app):
    app.connect("builder-inited", make_parts)
    app.connect("doctree-read", name_thumbnails)
    app.connect("doctree-read", name_homes, priority=400)  # before viewcode
    app.connect("viewcode-follow-imported", keep_home)
    app.connect("missing-reference", find_in_skhmc)
    app.connect("html-page-context", mend_source_links)
    app.connect("include-read", read_markdown)
    app.connect("autodoc-skip-member", skip_foreign)
    app.connect("autodoc-process-docstring", group_parameters, priority=900)
