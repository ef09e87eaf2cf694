"""The comparison of one revision with another, and the comment it becomes."""
