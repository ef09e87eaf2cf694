"""The transfer study: what pretraining brings, with few labels."""
