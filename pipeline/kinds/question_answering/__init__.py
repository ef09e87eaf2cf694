"""Questions about passages, answered by a span of the passage, or by none."""
