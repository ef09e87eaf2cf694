"""A raw file becomes labelled examples."""
