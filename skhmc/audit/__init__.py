"""Annotations that are missing, improbable, or contradict the hierarchy."""

from skhmc.audit._closure import closure_report
from skhmc.audit._detector import MissingAnnotationDetector
from skhmc.audit._display import SuggestionDisplay
from skhmc.audit._issues import find_label_issues

__all__ = [
    "MissingAnnotationDetector",
    "SuggestionDisplay",
    "closure_report",
    "find_label_issues",
]
