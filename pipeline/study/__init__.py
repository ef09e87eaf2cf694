"""The transfer study: the gain from pretraining if labels are few."""
