"""Linear classifiers along a hierarchy."""
