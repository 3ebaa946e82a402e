"""The parts of benchmarks.accuracy, in the order in which they use one another.

``sets`` has the data sets and published figures, ``rows`` what is fitted to them,
``jobs`` one fit, ``processes`` many of them side by side, ``results`` the file of their
figures, ``tables``, ``summary`` and ``figure`` the documentation.
"""
