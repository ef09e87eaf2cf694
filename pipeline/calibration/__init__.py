"""Decisions on class probabilities: which class is answered, and which answers are unsure."""
