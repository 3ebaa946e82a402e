"""Write the table of coherence rules, docs/coherence_rules.inc.

Run as ``python docs/list_rules.py``; ``conf.py`` does so for every build. The rules and
what is said of them are those of ``skhmc.coherence.RULES``.
"""

from pathlib import Path

from skhmc.coherence import RULES

TARGET = Path(__file__).with_name("coherence_rules.inc")
HEAD = """\
.. list-table::
   :header-rows: 1
   :widths: 16 84

   * - ``coherence``
     - where a child scores above its parent
"""


def table():
    """Return the table as reStructuredText, a row for each rule."""
    rows = (
        f'   * - ``"{name}"``\n     - {rule.description}\n'
        for name, rule in RULES.items()
    )
    return HEAD + "".join(rows)


def main():
    """Write the table beside the pages."""
    TARGET.write_text(table())


if __name__ == "__main__":
    main()
