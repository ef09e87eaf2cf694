"""The prediction of a whole file: in parts, each kept once it is whole, so that a killed run goes on where it was."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.errors import UsageError
from pipeline.core.files import publish, remove
from pipeline.core.progress import show_progress
from pipeline.core.tables import read_arrow, write_arrow
from pipeline.examples.files import open_file
from pipeline.predict.kind import CLASS_COLUMN, Answers
from pipeline.predict.linear.predictor import UNCUT_LENGTH, AnyPredictor
from pipeline.predict.outputs import find_form, write_answers
from pipeline.predict.parts import hold_parts, list_others
from pipeline.predict.questions import Unanswerable
from pipeline.predict.texts import InputQuestion, InputSource, Reject, read_questions

_FORMAT = 3  # of a part; another one makes all parts anew
PART_ROWS = 50_000
# Of its questions: a passage has as many windows as it needs, a gigabyte for all of these. Of images, bytes.
PART_CHARACTERS = 2**24
_PART_TOKENS = 2**23  # rows times `max_length`: a third of a gigabyte as Python holds ids
_SECONDS_BETWEEN_LINES = 10.0
_PIECE = 1 << 20


class PartSize(NamedTuple):
    """The most rows of a part, and the most characters of their questions."""

    rows: int
    characters: int


class JobOutcome(NamedTuple):
    """The numbers of a finished job: rows answered, those of them unsure, by their names, and rows rejected."""

    answered: int
    unsure: int
    labels: dict[str, int]
    rejected: int


def predict_file(
    predictor: AnyPredictor,
    path: Path,
    source: InputSource,
    out: Path,
    *,
    every: bool,
    part_rows: int = PART_ROWS,
    part_characters: int = PART_CHARACTERS,
) -> JobOutcome:
    """Write the answers to the questions of a file to `out`, in its order, and the rows that are none beside it.

    `every` adds the probabilities of all classes. Rows that cannot be predicted go to `<out>.rejected.jsonl`. Parts are
    kept in `<out>.parts` until the end; a run with the same file, model and settings takes over those that are whole.

    Raises:
        UsageError: The name of `out` tells no format, or what would be replaced is none of this command's files.
        DataError: The file as a whole breaks its format.
        EnvironmentFault: A file cannot be read or written.
        Busy: Another run is writing `out`.
    """
    find_form(out)  # before the work
    parts, rejects = out.with_name(f"{out.name}.parts"), out.with_name(f"{out.name}.rejected.jsonl")
    _require_replaceable(path, out, parts, rejects)
    most = PartSize(min(part_rows, _PART_TOKENS // (predictor.max_length or UNCUT_LENGTH)), part_characters)
    with hold_parts(parts):
        digest, total = _survey(path, source)
        folder = parts / _key(predictor, source, digest, most)
        for other in parts.iterdir():
            if other != folder:
                remove(other)
        with publish(rejects) as unpublished:
            rejected = _make_parts(predictor, path, source, folder, unpublished, most=most, total=total)
        if not rejected:
            remove(rejects)
        tables = [folder / name for name in sorted(name.name for name in folder.glob("*.arrow"))]
        schema = answer_schema(predictor.answers, predictor.labels, every=every)
        write_answers(out, schema, _batches(tables))
        outcome = _count(predictor.answers, tables, rejected)
        remove(parts)
    return outcome


def _require_replaceable(path: Path, out: Path, parts: Path, rejects: Path) -> None:
    """Refuse to write over the file that is read, over a folder, or over a folder of parts that holds anything else.

    Raises:
        UsageError: One of these would be lost.
    """
    for place in (out, rejects):
        if place.is_dir() or place.resolve() == path.resolve():
            what = "a folder" if place.is_dir() else "the file to read"
            raise UsageError(f"--out: {place} would be replaced, and is {what}. Give another name.")
    if others := list_others(parts):
        raise UsageError(f"--out: {parts} is for parts, and holds {others}. Give another name.")


def _make_parts(
    predictor: AnyPredictor, path: Path, source: InputSource, folder: Path, rejects: Path, *, most: PartSize, total: int
) -> int:
    """Make the parts that are missing, write the rejected rows, and return their number."""
    count = 0
    with (
        rejects.open("w", encoding="utf-8") as stream,
        show_progress(total, "row", between=_SECONDS_BETWEEN_LINES) as advance,
    ):

        def reject(row: int | str, reason: str) -> None:
            nonlocal count
            count += 1
            stream.write(json.dumps({"row": row, "reason": reason}, ensure_ascii=False) + "\n")
            advance(1)

        read = read_questions(path, source, predictor.answers.questions, reject)
        for number, batch in enumerate(group_questions(_fit(predictor, read, reject), most)):
            part = folder / f"{number:08}.arrow"
            if part.is_file() and _read_ids(part) == [each.id for each in batch]:
                advance(len(batch))
            else:
                answers = answer_batch(predictor, batch, advance)
                write_arrow(part, answers.schema, [answers])
    return count


def _read_ids(part: Path) -> list[str]:
    """Return the ids of the questions that a part answers: a file that a row names may have changed since."""
    ids: list[str] = read_arrow(part)["id"].to_pylist()
    return ids


def _fit(predictor: AnyPredictor, questions: Iterable[InputQuestion], reject: Reject) -> Iterator[InputQuestion]:
    """Yield the questions that the model can read, without what it does not reach."""
    for each in questions:
        try:
            yield each._replace(question=predictor.fit(each.question))
        except Unanswerable as error:
            reject(each.row, str(error))


def answer_schema(answers: Answers, labels: Sequence[str], *, every: bool) -> pa.Schema:
    """Return the columns of answers; `every` adds the probability of each class."""
    columns = {"row": pa.int64(), "id": pa.string(), **answers.columns(labels)}
    return pa.schema([(name, holds) for name, holds in columns.items() if every or not name.startswith(CLASS_COLUMN)])


def answer_batch(
    predictor: AnyPredictor, batch: Sequence[InputQuestion], advance: Callable[[int], None]
) -> pa.RecordBatch:
    """Return the answers to questions, with all columns; `advance` is called with the number of those just computed."""
    kind, labels = predictor.answers, predictor.labels
    prepared = predictor.prepare([each.question for each in batch])
    outputs = predictor.compute_outputs(prepared.rows, advance if len(prepared.rows) == len(batch) else lambda _: None)
    outputs = kind.join(outputs, prepared)
    columns = [[each.row for each in batch], [each.id for each in batch]]
    columns += kind.tabulate(outputs, prepared.questions, labels, predictor.decision)
    if len(prepared.rows) != len(batch):
        advance(len(batch))
    schema = answer_schema(kind, labels, every=True)
    return pa.record_batch(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema=schema
    )


def _survey(path: Path, source: InputSource) -> tuple[str, int]:
    """Return the SHA-256 of a file's bytes as unpacked, and about how many rows it has."""
    digest, lines, piece = hashlib.sha256(), 0, b""
    with open_file(path, max_bytes=None) as stream:
        for piece in iter(partial(stream.read, _PIECE), b""):
            digest.update(piece)
            lines += piece.count(b"\n")
    lines += not piece.endswith(b"\n")
    if source.layout.format == "parquet":
        try:
            lines = pq.read_metadata(path).num_rows
        except (pa.ArrowException, OSError):  # the reader says what is wrong
            lines = 0
    return digest.hexdigest(), lines


def _key(predictor: AnyPredictor, source: InputSource, digest: str, most: PartSize) -> str:
    """Return a name for all that decides the parts of a job."""
    deciding = [
        _FORMAT,
        digest,
        predictor.version,
        predictor.backend,
        predictor.decision,
        source._replace(folder=""),
        most,
        predictor.batch_tokens,
    ]
    return hashlib.sha256(json.dumps(deciding).encode()).hexdigest()[:32]


def group_questions(questions: Iterable[InputQuestion], most: PartSize) -> Iterator[list[InputQuestion]]:
    """Yield the questions in parts of a size, or of a single question that is larger."""
    part, size = list[InputQuestion](), 0
    for each in questions:
        own = _count_characters(each.question)
        if part and (len(part) == most.rows or size + own > most.characters):
            yield part
            part, size = [], 0
        part.append(each)
        size += own
    if part:
        yield part


def _count_characters(question: Any) -> int:
    """Return the characters of a question, or the bytes of an image."""
    if isinstance(question, str):
        return len(question)
    return int(question.nbytes) if hasattr(question, "nbytes") else sum(map(_count_characters, question))


def _batches(tables: Iterable[Path]) -> Iterator[pa.RecordBatch]:
    for table in tables:
        yield from read_arrow(table).to_batches()


def _count(answers: Answers, tables: Iterable[Path], rejected: int) -> JobOutcome:
    answered, unsure, labels = 0, 0, Counter[str]()
    for batch in _batches(tables):
        answered += batch.num_rows
        unsure += batch["unsure"].true_count if "unsure" in batch.schema.names else 0
        labels.update(answers.names(batch))
    return JobOutcome(answered, unsure, dict(labels.most_common()), rejected)
