"""Pure numbers on the test split: metrics, intervals, paired tests, baselines."""
