"""Predictions of a finished model: opened without its training code, fed with texts, written to files."""
