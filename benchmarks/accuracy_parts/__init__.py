"""The parts of benchmarks.accuracy, in the order in which they use one another.

``sets`` has the data sets and published figures, ``rows`` what is fitted to them,
``jobs`` one fit, ``processes`` many of them side by side, ``results`` the file of their
figures, ``series`` what a command does with all these, ``tables``, ``margins`` and
``figure`` the documentation. All but the last two serve benchmarks.ablation, too, which
has rows of its own.
"""
