"""Parts of benchmarks.many_labels: data sets, and the programs that it compares."""
