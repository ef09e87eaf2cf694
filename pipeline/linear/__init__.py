"""The linear baseline of a task as it is saved: its weights, its n-grams, and its folder."""
