"""The version of this package, for what is written into files."""

import sys

__all__ = ["package_version"]


def package_version() -> str:
    """Return ``skhmc.__version__``.

    The package itself stands above all layers, so that none imports it. Whoever calls
    this has loaded it.
    """
    version: str = sys.modules["skhmc"].__version__
    return version
