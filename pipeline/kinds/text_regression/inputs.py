"""Inputs of text regression: the token ids of one text, and its number."""

from functools import partial

import pyarrow as pa

from pipeline.models.inputs import Inputs, encode_task, summarize_tokens

INPUTS = Inputs(encode=partial(encode_task, label="label", holds=pa.float64()), summarize=summarize_tokens)
