"""Feed of text classification: token ids, padded or flat."""

from pipeline.models.batches import to_ragged
from pipeline.models.inference import Feed, collate
from pipeline.models.layers import require_fit

FEED = Feed(
    rows=lambda table: to_ragged(table["input_ids"]),
    lengths=lambda tokens: tokens.lengths,
    collate=collate,
    require_fit=require_fit,
)
