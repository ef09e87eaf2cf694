"""Stages as processes."""
