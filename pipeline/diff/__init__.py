"""One revision against another."""
