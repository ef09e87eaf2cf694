"""Answers as columns: of a batch of texts by a predictor, in the order of the file."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from pipeline.calibration.decision import answer_rows
from pipeline.predict.logits import compute_in_batches, softmax
from pipeline.predict.predictor import Predictor
from pipeline.predict.texts import InputText

_DIGITS = 6  # of a probability; the last bits depend on the number of threads
_ALL = "probability_"  # begins the name of the column with the probability of one class


def answer_schema(labels: Sequence[str], *, every: bool) -> pa.Schema:
    """Return the columns of answers; `every` adds the probability of each class."""
    columns = {
        "row": pa.int64(),
        "id": pa.string(),
        "label": pa.string(),
        "probability": pa.float64(),
        "unsure": pa.bool_(),
    }
    return pa.schema([*columns.items(), *((f"{_ALL}{label}", pa.float64()) for label in labels if every)])


def answer_texts(predictor: Predictor, texts: Sequence[InputText], advance: Callable[[int], None]) -> pa.RecordBatch:
    """Return the answers to texts, with all columns; `advance` is called with the number of texts just computed."""
    logits = compute_in_batches(
        predictor.compute,
        predictor.encode([text.text for text in texts]),
        classes=len(predictor.labels),
        pad_token_id=predictor.pad_token_id,
        batch_tokens=predictor.batch_tokens,
        advance=advance,
    )
    probabilities = softmax(logits)
    answers = answer_rows(probabilities, predictor.labels, predictor.decision)
    columns = [
        [text.row for text in texts],
        [text.id for text in texts],
        [predictor.labels[place] for place in answers.classes],
        answers.confidence.round(_DIGITS),
        answers.unsure,
        *probabilities.round(_DIGITS).T,
    ]
    schema = answer_schema(predictor.labels, every=True)
    return pa.record_batch(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )
