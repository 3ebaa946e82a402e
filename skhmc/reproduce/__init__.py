"""Figures of publications beside those of skhmc, by ``python -m skhmc.reproduce``."""

from skhmc.reproduce._reproduce import reproduce

__all__ = ["reproduce"]
