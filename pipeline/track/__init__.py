"""The results of a run as a tracker of experiments has them."""
