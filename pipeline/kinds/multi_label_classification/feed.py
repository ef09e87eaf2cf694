"""Feed of multi-label classification: token ids, padded or flat."""

from pipeline.models.inference import TOKEN_FEED

FEED = TOKEN_FEED
