"""The kinds of tasks: a folder of values for each, one module a facet."""
