"""Parts of benchmarks.compare_libraries."""
