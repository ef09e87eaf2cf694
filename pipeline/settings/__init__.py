"""The parameters: params.yaml, checked and resolved to the sections that stages read."""
