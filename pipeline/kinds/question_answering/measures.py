"""The measures of answers: a span of the passage, or none."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.document import Document
from pipeline.core.tables import describe, labels_of, task_of
from pipeline.evaluate.kind import Details, Measured, Measures, Metric, Right
from pipeline.evaluate.projection import project_nothing
from pipeline.evaluate.slices import Slice, slice_by_columns, slice_by_length
from pipeline.examples.records import places_of
from pipeline.examples.text import text_id, text_key
from pipeline.kinds.question_answering.baseline_names import READING_BASELINES
from pipeline.kinds.question_answering.settings import ANSWERABILITY, ReadingEvaluateParams
from pipeline.reading.scores import ScoredAnswers, compute_answer_metrics, score_answers
from pipeline.settings.production import CalibrateParams

NO_ANSWER = "(no answer)"
_NO_SUCH = "no question is of this sort"
READING_METRICS = (
    Metric("f1", "F1", 1, "share"),
    Metric("exact_match", "exact match", 1, "share"),
    Metric("answerable_f1", "F1 of answerable questions", 1, "share", undefined=_NO_SUCH),
    Metric("answerable_exact", "exact match of answerable questions", 1, "share", compared=False, undefined=_NO_SUCH),
    Metric("unanswerable", "unanswerable questions left unanswered", 1, "share", undefined=_NO_SUCH),
)
# English question words; a question that begins with none of them is in no such slice.
_ASKS = ("what", "which", "who", "whose", "where", "when", "why", "how")


def _predict(model: Path, examples: pa.Table, tokens: pa.Table) -> pa.Array:
    """Return the best span of each question."""
    from pipeline.kinds.question_answering.prediction import predict_answers  # noqa: PLC0415  # torch, of use here only

    return predict_answers(model, examples, tokens)


def _calibrate(tokens: pa.Table, model: Path, _params: CalibrateParams) -> Document:
    """Return the threshold from which a question has no answer."""
    from pipeline.kinds.question_answering.prediction import calibrate_answers  # noqa: PLC0415  # torch, of use here only

    return calibrate_answers(tokens, model)


def _tabulate(examples: pa.Table, answers: pa.Array | pa.ChunkedArray, kept: Document) -> pa.Table:
    """Return one row a question: its id, its passage, its answers, the one given ("" for none), and its probability."""
    threshold = kept["threshold"]
    columns: dict[str, list[Any]] = {"predicted": [], "start": [], "probability": []}
    for answer in answers.to_pylist():
        doubt = answer["doubt"]
        withheld = doubt is not None and threshold is not None and doubt > threshold
        columns["predicted"].append("" if withheld else answer["text"])
        columns["start"].append(0 if withheld else answer["start"])
        columns["probability"].append(answer["null_probability" if withheld else "probability"])
    table = {
        "id": examples["id"],
        "passage": pa.array([text_id(text_key(text)) for text in examples["context"].to_pylist()], pa.string()),
        "answers": examples["answers"],
        "predicted": pa.array(columns["predicted"], pa.string()),
        "start": pa.array(columns["start"], pa.int64()),
        "probability": pa.array(columns["probability"], pa.float64()),
    }
    return describe(pa.table(table), task=task_of(examples), labels=labels_of(examples))


def _score(truths: pa.Table, answers: pa.Table, _params: Any) -> ScoredAnswers:
    return score_answers(
        answers["predicted"].to_pylist(), truths["answers"].to_pylist(), answers["probability"].to_pylist()
    )


def _slice(examples: pa.Table, params: ReadingEvaluateParams) -> list[Slice]:
    """Return the slices by what is asked for, by words of the passage, and by each column, that are large enough."""
    firsts = np.array([text_key(question).split()[0] for question in examples["question"].to_pylist()])
    asked = [Slice("question", ask, np.flatnonzero(firsts == ask)) for ask in _ASKS]
    lengths = slice_by_length(examples["context"].to_pylist(), params.length_edges)
    columns = slice_by_columns(examples, params.slices, never=("context", "question", "answers", "starts"))
    return [part for part in (*asked, *lengths, *columns) if len(part.rows) >= params.min_slice_rows]


def _group(predictions: pa.Table) -> list[Slice]:
    """Return the questions with an answer, and those without."""
    has = np.array([bool(own) for own in predictions["answers"].to_pylist()])
    parts = [
        Slice("question", name, np.flatnonzero(has == wanted))
        for name, wanted in zip(ANSWERABILITY, (True, False), strict=True)
    ]
    return [part for part in parts if len(part.rows)]


def list_worst_answers(
    scored: ScoredAnswers, examples: pa.Table, predictions: pa.Table, params: ReadingEvaluateParams
) -> list[Document]:
    """Return the answers that are all wrong (F1 0) of which the model was surest, the surest first."""
    wrong = np.flatnonzero(scored.f1 == 0)
    order = wrong[np.argsort(-scored.confidence[wrong], kind="stable")][: params.worst]
    places = places_of(examples)
    return [
        {
            "line": places[row],
            **{name: examples[name][row].as_py() for name in ("id", "context", "question", "answers", "starts")},
            "predicted": predictions["predicted"][row].as_py(),
            "start": predictions["start"][row].as_py(),
            "confidence": float(scored.confidence[row]),
        }
        for row in order.tolist()
    ]


def _detail(_measured: Measured, predictions: pa.Table, kept: Document, _params: Any) -> Details:
    """Return how many questions have an answer and how many got one, and the threshold."""
    pairs = list(zip(*pair_classes(predictions), strict=True))
    counts = [[pairs.count((actual, given)) for given in ANSWERABILITY] for actual in ANSWERABILITY]
    passages = len(set(predictions["passage"].to_pylist()))
    return Details(
        model={"confusion": {"labels": list(ANSWERABILITY), "matrix": counts}},
        whole={"passages": passages, "threshold": kept["threshold"]},
    )


def pair_classes(predictions: pa.Table) -> tuple[list[str], list[str]]:
    """Return for each question whether it has an answer, and whether one was given, as classes."""
    actual = [ANSWERABILITY[not own] for own in predictions["answers"].to_pylist()]
    return actual, [ANSWERABILITY[not text] for text in predictions["predicted"].to_pylist()]


MEASURES = Measures(
    metrics=READING_METRICS,
    baselines=READING_BASELINES,
    predict=_predict,
    tabulate=_tabulate,
    score_rows=_score,
    compute=compute_answer_metrics,
    right=Right("exact_match", lambda scored: scored.exact == 1, lambda scored: scored.confidence),
    truths=lambda table: [" | ".join(own) or NO_ANSWER for own in table["answers"].to_pylist()],
    answers=lambda table: [text or NO_ANSWER for text in table["predicted"].to_pylist()],
    slices=_slice,
    groups=_group,
    worst=list_worst_answers,
    variants=lambda _predictions, _kept: {},
    details=_detail,
    project=project_nothing,
    calibrate=_calibrate,
    confused=pair_classes,
    unit="passage",
)
