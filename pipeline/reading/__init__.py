"""Reading comprehension: spans of passages that answer questions."""
