"""Commands that print tables."""
