"""Inputs of text classification: the token ids of one text or pair, and the index of its class."""

from functools import partial

import pyarrow as pa

from pipeline.models.inputs import Inputs, encode_task, summarize_tokens

INPUTS = Inputs(encode=partial(encode_task, label="label", holds=pa.int64()), summarize=summarize_tokens)
