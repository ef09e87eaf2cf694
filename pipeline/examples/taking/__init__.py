"""The parts of an intake, which sees some thousand rows of a file at a time."""
