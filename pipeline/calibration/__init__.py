"""Probabilities that can be trusted, and what to answer with them."""
