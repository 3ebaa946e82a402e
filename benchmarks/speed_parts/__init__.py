"""The parts of benchmarks.speed: one file per thing that is measured.

A part has ``measure(settings)``, which returns rows (dicts that JSON can hold);
``tables(rows)``, which returns (title, heads, cells) of tables; and ``goals(rows)``,
which returns what was to be reached and what was, as rows of one table.
"""
