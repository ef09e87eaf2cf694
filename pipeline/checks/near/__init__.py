"""Near duplicates: texts that share most of their runs of characters."""
