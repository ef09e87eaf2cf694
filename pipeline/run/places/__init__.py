"""Places where stages run: this machine, and the workers of a Dask cluster."""
