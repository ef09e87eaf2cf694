"""Texts of one class each."""
