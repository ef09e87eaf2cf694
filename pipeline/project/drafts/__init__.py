"""Drafts of tasks of any kind: what a kind wants, looked for in a file."""
