"""Stages delegated to other machines, through DVC's remote."""
