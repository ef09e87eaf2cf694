"""What a tracker of experiments is told of a run."""
