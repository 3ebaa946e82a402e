"""Metrics and scorers for hierarchical multi-label classification."""
