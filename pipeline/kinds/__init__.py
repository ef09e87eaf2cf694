"""The kinds of task: a folder of values each."""
