"""What comes of reading: right, warned, refused, or wrong without a word."""

import warnings

from skhmc import HierarchyWarning

__all__ = ["FALSE_ALARM", "REFUSED", "RIGHT", "WARNED", "WRONG", "Case", "outcome"]

RIGHT = "right"
WARNED = "warned"
REFUSED = "refused"
FALSE_ALARM = "false alarm"  # warned, though Y says that the hierarchy is right
WRONG = "WRONG"


class Case:
    """One reading, and what may come of it.

    Parameters
    ----------
    read : callable
        Reads; called without arguments.
    is_right : callable
        Tells whether what was read is what is meant.
    shown : object
        What the message of a wrong case shows.
    allowed : tuple of str, default=("right",)
        What is no fault.
    """

    def __init__(self, read, is_right, shown, allowed=(RIGHT,)):
        self.read = read
        self.is_right = is_right
        self.shown = shown
        self.allowed = allowed


def outcome(case):
    """Return what comes of a case, and a text that says what was wrong or ""."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found = case.read()
        except (ValueError, TypeError) as error:
            return _checked(REFUSED, case, f"{type(error).__name__}: {error}")
        except Exception as error:  # no message of ours
            return WRONG, f"{case.shown!r} raised {type(error).__name__}: {error}"
    said = [w for w in caught if issubclass(w.category, HierarchyWarning)]
    if said and RIGHT in case.allowed and FALSE_ALARM in case.allowed:
        return FALSE_ALARM, str(said[0].message)
    if said:
        return _checked(WARNED, case, str(said[0].message))
    if case.is_right(found):
        return _checked(RIGHT, case, "not warned of")
    return WRONG, f"{case.shown!r} was read without a word as {_text(found)}"


def _checked(found, case, text):
    if found in case.allowed:
        return found, ""
    return WRONG, f"{case.shown!r}: {found}, {text}"


def _text(found):
    if hasattr(found, "to_text"):
        return f"{found!r}\n{found.to_text(max_rows=12)}"
    return repr(found)
