"""The prediction of the tags of each sentence of a table of examples."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch

from pipeline.kinds.token_classification.baselines import TAG_ANSWER
from pipeline.kinds.token_classification.learning import tagger_head
from pipeline.kinds.token_classification.objective import join_words, rows_of_tags
from pipeline.models.device import choose_device
from pipeline.models.folder import load_model
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, compute_token_logits
from pipeline.models.layers import require_fit


def predict_tags(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the tags of the words of the examples with their probabilities, answers each.

    A word without a token, one of invisible characters say, has the first tag (O, if tags mark spans), with probability
    0.

    Raises:
        DataError: The tokens are not those of the examples.
    """
    wanted = tokens.filter(pc.is_in(tokens["id"], value_set=pc.unique(examples["id"])))
    (split,) = set(examples["split"].to_pylist())
    rows = rows_of_tags(wanted, split)
    tagger = load_model(model, tagger_head(examples))
    require_fit(rows.tokens, tagger)
    logits = compute_token_logits(
        tagger, rows.tokens, choose_device("fp32"), batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE
    )
    sure, best = torch.softmax(logits.double(), dim=-1).max(dim=-1)
    tags = {name: (words, own) for name, words, own in join_words(rows, best.numpy())}
    shares = {name: own for name, _, own in join_words(rows, sure.numpy())}
    answers = []
    for name, words in zip(examples["id"].to_pylist(), examples["words"].to_pylist(), strict=True):
        own, probabilities = np.zeros(len(words), np.int64), np.zeros(len(words))
        if name in tags:
            own[tags[name][0]], probabilities[tags[name][0]] = tags[name][1], shares[name]
        answers.append({"tags": own.tolist(), "probabilities": probabilities.tolist()})
    return pa.array(answers, TAG_ANSWER)
