"""Parts of benchmarks.hierarchy_value: conditions, rows, fits and tables."""
