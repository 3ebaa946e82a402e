"""Descriptions of fitted estimators, for people."""
