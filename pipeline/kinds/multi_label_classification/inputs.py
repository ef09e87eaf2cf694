"""Inputs of multi-label classification: the token ids of one text, and the indices of its classes."""

from functools import partial

import pyarrow as pa

from pipeline.models.inputs import Inputs, encode_task, summarize_tokens

INPUTS = Inputs(
    encode=partial(encode_task, label="labels", holds=pa.list_(pa.int64())),
    summarize=summarize_tokens,
)
