"""The features of texts for the domain classifier, by the encoder that the task starts from."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.evaluate.metrics import Vectors
from pipeline.kinds.text_classification.feed import FEED
from pipeline.models.batches import to_ragged
from pipeline.models.compute import with_attention
from pipeline.models.device import choose_device
from pipeline.models.features import choose_for_extraction, extract_vectors
from pipeline.models.folder import load_encoder
from pipeline.predict.logits import Ids
from pipeline.settings.task import ExtractParams


def extract_features(encoder: Path, ids: Ids, params: ExtractParams) -> Vectors:
    """Return one vector for each row of token ids, (N, H), as the stage `extract` makes them.

    Raises:
        EnvironmentFault: The encoder is missing or damaged.
    """
    model, tokens = load_encoder(encoder), to_ragged(pa.array(ids, pa.list_(pa.int32())))
    choice = choose_for_extraction(model, tokens, params, FEED)
    with with_attention(model, choice.attention):
        return np.asarray(extract_vectors(model, tokens, params, choose_device(choice.precision), kind=FEED))
