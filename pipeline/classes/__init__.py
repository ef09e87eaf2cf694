"""Measures, decision and page of every kind of task whose examples are each of one class."""
