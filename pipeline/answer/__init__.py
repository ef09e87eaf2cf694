"""The HTTP server of proven models: requests in, batches by what waits, labels with probabilities out."""
