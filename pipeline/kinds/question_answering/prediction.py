"""The prediction of an answer to each question of a split, and the threshold from which there is none."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.tables import labels_of
from pipeline.evaluate.align import align
from pipeline.kinds.question_answering.baselines import SPAN_ANSWER
from pipeline.kinds.question_answering.learning import READER
from pipeline.kinds.question_answering.objective import WindowRows, decode_questions, rows_of_windows
from pipeline.models.device import choose_device
from pipeline.models.folder import load_model
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, compute_token_logits
from pipeline.models.layers import require_fit
from pipeline.reading.decoding import Decoded
from pipeline.reading.scores import compute_answer_metrics, score_answers
from pipeline.reading.threshold import fit_threshold


def _decode_split(model: Path, tokens: pa.Table, split: str) -> tuple[WindowRows, dict[str, Decoded]]:
    rows, reader = rows_of_windows(tokens, split), load_model(model, READER)
    require_fit(rows.tokens, reader)
    logits = compute_token_logits(
        reader, rows.tokens, choose_device("fp32"), batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE
    )
    return rows, dict(decode_questions(rows, logits))


def predict_answers(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the best span of the passage of each example, all of one split, and how much better none scores.

    Raises:
        DataError: The tokens are not those of the examples.
    """
    (split,) = set(examples["split"].to_pylist())
    first = tokens.filter(pa.compute.is_valid(tokens["context"]))  # one window a question, of validation and test
    align(first, examples["id"].to_pylist(), like=examples, what="tokens", split=split)
    _, decoded = _decode_split(model, tokens, split)
    answers = []
    for name, context in zip(examples["id"].to_pylist(), examples["context"].to_pylist(), strict=True):
        own = decoded[name]
        answers.append(
            {
                "text": context[own.best.start : own.best.end],
                "start": own.best.start,
                "doubt": own.doubt,
                "probability": own.span_probability,
                "null_probability": own.null_probability,
            }
        )
    return pa.array(answers, SPAN_ANSWER)


def calibrate_answers(tokens: pa.Table, model: Path) -> Document:
    """Return the doubt above which no answer is given, chosen on validation, and the scores there."""
    rows, decoded = _decode_split(model, tokens, "validation")
    spans = list(decoded.values())
    texts = [context[own.best.start : own.best.end] for context, own in zip(rows.contexts, spans, strict=True)]
    doubts = np.array([own.doubt for own in spans])
    threshold = fit_threshold(doubts, texts, rows.answers)
    given = [
        "" if threshold is not None and doubt > threshold else text for text, doubt in zip(texts, doubts, strict=True)
    ]
    scored = score_answers(given, rows.answers, [None] * len(given))
    f1, exact, *_ = compute_answer_metrics(scored, np.ones(len(given))).tolist()
    return {
        "labels": labels_of(tokens),
        "threshold": threshold,
        "validation": {"threshold": threshold, "f1": f1, "exact_match": exact},
    }
