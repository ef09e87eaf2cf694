"""The page, its Markdown summary and the model cards."""
