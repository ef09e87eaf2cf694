"""Everything that knows DVC."""
