"""Many fits and very many rows: on a Dask cluster, or part by part in one process."""
