"""The settings of kinds of tasks: what a kind declares, sections that several share, and how they are merged."""
