"""Texts of any number of classes each."""
