"""Suspicious examples: wrong labels, contradicting near duplicates and outliers, ranked for a person to look at."""
