"""The section `search` of params.yaml: the space of values, the rounds of trials, and what their stages read."""
