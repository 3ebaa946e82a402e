"""Data sets with label hierarchies."""
