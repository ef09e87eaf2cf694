"""Rows of a file of SQuAD: one JSON document of articles, their paragraphs and questions; a row a question."""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pipeline.core.errors import DataError
from pipeline.examples.faults import Faults, RowFault, find_columns
from pipeline.examples.records import RawRow

_COLUMNS = ("id", "title", "context", "question", "answers", "is_impossible")


def read_squad(lines: Iterable[str], *, file: str, columns: Sequence[str]) -> Iterator[RawRow]:
    """Yield the wanted columns of each question; rows are counted from 1, since JSON has no lines.

    `answers` is a list as JSON text, null if nothing is said of the question. The document is held in memory.

    Raises:
        DataError: The file is not such a document.
        RowErrors: Questions that contradict themselves or are none, which are left out.
    """
    find_columns(file, columns, _COLUMNS)
    bad = RowFault(file, "that are no question of SQuAD")
    number = 0
    for title, context, questions in _walk(_parse(lines, file), file):
        for question in questions:
            number += 1
            if fault := _find_fault(question):
                bad.add(number, fault)
                continue
            cells = {
                **{name: question.get(name) for name in ("id", "question")},
                "title": title,
                "context": context,
                "answers": _write_answers(question),
                "is_impossible": _spell(question.get("is_impossible")),
            }
            yield number, [cells[name] for name in columns]
    faults = Faults()
    with faults.gather():
        bad.check("Correct these questions; rows are counted over the whole file.")
    faults.check()


def _parse(lines: Iterable[str], file: str) -> Any:
    try:
        return json.loads("".join(lines))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not one JSON document, {error}. Export it again, or set `format: jsonl`.") from error


def _walk(document: Any, file: str) -> Iterator[tuple[str | None, str, list[Any]]]:
    """Yield the title, the text and the questions of each paragraph.

    Raises:
        DataError: Something is missing or of another type.
    """
    for at, article in enumerate(_take(document, "data", list, file, "")):
        place = f"data[{at}]"
        title = article.get("title") if isinstance(article, dict) else None
        if title is not None and not isinstance(title, str):
            raise _misshapen(file, f"{place}.title", "a string", title)
        for index, paragraph in enumerate(_take(article, "paragraphs", list, file, place)):
            within = f"{place}.paragraphs[{index}]"
            yield title, _take(paragraph, "context", str, file, within), _take(paragraph, "qas", list, file, within)


def _take(parent: Any, key: str, kind: type, file: str, place: str) -> Any:
    value = parent.get(key) if isinstance(parent, dict) else None
    if not isinstance(value, kind):
        raise _misshapen(file, f"{place}.{key}".lstrip("."), f"a {'string' if kind is str else 'list'}", value)
    return value


def _misshapen(file: str, place: str, wanted: str, value: object) -> DataError:
    found = "nothing" if value is None else f"a {type(value).__name__}"
    return DataError(f"{file}: {place}: must be {wanted}, found {found}. Write it as SQuAD does.")


def _find_fault(question: Any) -> str | None:
    if not isinstance(question, dict):
        return f"a {type(question).__name__}"
    if not isinstance(question.get("question"), str):
        return "no `question`"
    if not isinstance(question.get("id", ""), str):
        return "an `id` that is no string"
    answers, impossible = question.get("answers"), question.get("is_impossible")
    if impossible not in (True, False, None):
        return "an `is_impossible` that is neither true nor false"
    if impossible and answers:
        return "impossible, with answers"
    return "possible, without answers" if impossible is False and answers == [] else None


def _write_answers(question: dict[str, Any]) -> str | None:
    answers = question.get("answers")
    if answers is None:
        return "[]" if question.get("is_impossible") else None
    return json.dumps(answers, ensure_ascii=False)


def _spell(value: bool | None) -> str | None:
    return None if value is None else str(value).lower()
