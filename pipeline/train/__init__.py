"""Any training: its plan, updates, checkpoints and exact resume."""
