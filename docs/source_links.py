"""Links from the API pages to the source, of inherited methods too, and back.

``sphinx.ext.viewcode`` looks for a method in the class that a page documents.
Estimators have most of theirs from a class that has no page.
"""

import re
import sys

from sphinx import addnodes


def find_home(module, name):
    """Return module and name of where a method, or what else a class has, is defined.

    A method that is defined outside skhmc, or is no method, stays what it is.
    """
    owner, _, method = name.rpartition(".")
    documented = getattr(sys.modules[module], owner, None)
    for base in getattr(documented, "__mro__", ()):
        if method in vars(base) and base.__module__.startswith("skhmc"):
            return base.__module__, f"{base.__qualname__}.{method}"
    return module, name


def name_homes(app, doctree):
    """Say where the source of every name is, before viewcode looks for it."""
    for signature in doctree.findall(addnodes.desc_signature):
        if signature.get("module") in sys.modules:
            home = find_home(signature["module"], signature["fullname"])
            signature["module"], signature["fullname"] = home


def keep_home(app, module, name):
    """Tell viewcode that what a class has is where name_homes says."""
    return module if "." in name else None


def mend_source_links(app, pagename, templatename, context, doctree):
    """Link the source back to where each name is documented.

    The links lead to pages of the right names; what stands behind their "#" is the name
    in the module of the source, of a base class perhaps.
    """

    def mend(link):
        page, name, anchor = link.groups()
        is_method = not anchor.endswith("." + name.rpartition(".")[2])
        return f"{page}#{name}" + is_method * f".{anchor.rpartition('.')[2]}"

    if pagename.startswith("_modules/"):
        context["body"] = re.sub(
            r"(generated/([\w.]+)\.html)#([\w.]+)", mend, context["body"]
        )
