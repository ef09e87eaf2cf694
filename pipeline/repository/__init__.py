"""All that knows DVC."""
