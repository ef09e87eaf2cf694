"""params.yaml, checked and resolved."""
