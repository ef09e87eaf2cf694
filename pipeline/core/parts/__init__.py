"""Parts of a stage's result, kept from run to run, so that a change of some rows computes little more than those."""
