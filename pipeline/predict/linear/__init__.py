"""Answers of a linear baseline, without a tokenizer and without torch."""
