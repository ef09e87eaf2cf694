"""The gate before anything learns."""
