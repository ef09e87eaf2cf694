"""Readers of the formats of raw files."""
