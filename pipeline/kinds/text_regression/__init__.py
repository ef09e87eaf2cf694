"""Texts of a number each."""
