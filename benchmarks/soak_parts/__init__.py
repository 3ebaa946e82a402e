"""Random descriptions of hierarchies, each with the hierarchy that is meant."""
