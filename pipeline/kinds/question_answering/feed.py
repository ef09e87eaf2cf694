"""Feed of question answering: token ids with the text that each is of, padded or flat."""

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.models.batches import Ragged, to_ragged
from pipeline.models.inference import TOKEN_FEED


def to_windows(table: pa.Table | pa.RecordBatch) -> Ragged:
    """Return the token ids of windows, with their types if the encoder has them."""
    tokens, types = to_ragged(table["input_ids"]), table["token_type_ids"]
    if pc.any(pc.is_null(types)).as_py() is not False:
        return tokens
    return tokens._replace(types=to_ragged(types).values)


FEED = TOKEN_FEED._replace(rows=to_windows)
