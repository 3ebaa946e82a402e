"""Helpers that every layer may use: arrays and texts in, arrays and texts out."""
