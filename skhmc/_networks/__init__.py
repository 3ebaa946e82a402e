"""Estimators that are networks, and how they are trained."""
