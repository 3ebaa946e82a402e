"""Kernel ridge regression on the labels of a hierarchy."""
