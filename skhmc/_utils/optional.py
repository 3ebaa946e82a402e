"""Optional packages, imported where they are used."""

from importlib import import_module
from types import ModuleType

__all__ = ["import_optional"]


def import_optional(module: str, caller: str, extra: str) -> ModuleType:
    """Import a module of an optional package, or say how to install it.

    Parameters
    ----------
    module : str
        Full name of the module, such as ``"matplotlib.pyplot"``.
    caller : str
        Name of what needs it, for the message, such as ``"HierarchyDisplay.plot"``.
    extra : str
        The extra of skhmc that installs the package.

    Returns
    -------
    module
        The imported module.

    Raises
    ------
    ImportError
        When the package is not installed. An error inside an installed package is
        raised as it is.

    Examples
    --------
    >>> from skhmc._utils.optional import import_optional
    >>> import_optional("math", caller="the example", extra="plot").sqrt(4)
    2.0
    """
    package = module.partition(".")[0]
    try:
        import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:  # the package is there, what it needs is not
            raise
        raise ImportError(
            f"{caller} needs the package {package}, which is not installed. Install "
            f'it with pip install "skhmc[{extra}]".',
            name=package,
        ) from error
    return import_module(module)
