"""Baselines of question answering: the sentence that is most like the question, and no answer at all."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.evaluate.align import select_split
from pipeline.evaluate.baselines import Baselines, FittedBaselines, ReadVectors
from pipeline.reading.scores import score_answer
from pipeline.reading.sentences import SentenceMatch, fit_words, match_sentence
from pipeline.reading.spans import Span
from pipeline.reading.threshold import fit_threshold
from pipeline.settings.task import SampleParams

# What a model says of a question: a span, "" if there is none. If the model doubts by a number, whether that is too
# much is decided later (`tabulate`); the probabilities are those of the span and of there being no answer.
SPAN_ANSWER = pa.struct(
    {
        "text": pa.string(),
        "start": pa.int64(),
        "doubt": pa.float64(),
        "probability": pa.float64(),
        "null_probability": pa.float64(),
    }
)


def _fit(_params: SampleParams, examples: pa.Table, _vectors: ReadVectors) -> FittedBaselines:
    """Return both baselines; validation chooses how much of the sentence is the answer, and when there is none.

    Raises:
        DataError: A split is empty.
    """
    train, validation = (select_split(examples, split) for split in ("train", "validation"))
    words = fit_words(train["context"].to_pylist())

    def match(table: pa.Table) -> list[SentenceMatch]:
        pairs = zip(table["context"].to_pylist(), table["question"].to_pylist(), strict=True)
        return [match_sentence(words, passage, question) for passage, question in pairs]

    truths, tuned = validation["answers"].to_pylist(), match(validation)
    choices = {}
    for part in ("sentence", "rest"):
        texts = [getattr(own, part).text for own in tuned]
        threshold = fit_threshold(np.array([-own.similarity for own in tuned]), texts, truths)
        given = [_take(own, part, threshold).text for own in tuned]
        choices[part, threshold] = float(
            np.mean([score_answer(text, own)[1] for text, own in zip(given, truths, strict=True)])
        )
    (part, threshold), score = max(choices.items(), key=lambda choice: choice[1])

    def answer(rows: pa.Table, _vectors: ReadVectors) -> dict[str, pa.Array]:
        answers = {
            "sentence": [_take(own, part, threshold) for own in match(rows)],
            "never": [Span(0, "")] * rows.num_rows,
        }
        return {name: _tabulate(spans) for name, spans in answers.items()}

    whole = {"sentence": "the whole sentence", "rest": "its longest part that the question does not say"}[part]
    limit = "always" if threshold is None else f"if their similarity is at least {-threshold:.3f}"
    return FittedBaselines(answer, [f"sentence: {whole}, {limit}; F1 {score:.4f} on validation"], None)


def _take(match: SentenceMatch, part: str, threshold: float | None) -> Span:
    span: Span = getattr(match, part)
    return Span(0, "") if threshold is not None and -match.similarity > threshold else span


def _tabulate(spans: Sequence[Span]) -> pa.Array:
    unknown: Document = dict.fromkeys(("doubt", "probability", "null_probability"))
    return pa.array([{"text": span.text, "start": span.start, **unknown} for span in spans], SPAN_ANSWER)


BASELINES = Baselines(fit=_fit, inspect=None)
