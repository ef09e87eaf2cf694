"""Labelled examples out of a raw file."""
