"""Forms in which a model reads texts: pairs of them, and one in windows."""
