"""Records of runs for trackers of experiments."""
