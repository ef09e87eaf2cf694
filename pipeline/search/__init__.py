"""A search for hyper-parameters: proposals in rounds, trials on validation, finalists with fresh seeds."""
