"""Feed of text regression: token ids, padded or flat."""

from pipeline.models.inference import TOKEN_FEED

FEED = TOKEN_FEED
