"""Parts of benchmarks.audit: the rows and labels, and the scores of cleanlab."""
