"""Programs that measure side by side, within one run; each prints a table, then one JSON object as its last line."""
