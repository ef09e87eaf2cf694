"""Learning a labelled task."""
