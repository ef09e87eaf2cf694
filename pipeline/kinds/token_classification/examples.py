"""Examples of token classification: the words of a sentence, each with the index of its tag."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.examples.faults import Faults
from pipeline.examples.intake import Examples, Parsed
from pipeline.examples.records import Records
from pipeline.examples.splits import read_groups
from pipeline.examples.text import is_empty, normalise, text_key
from pipeline.examples.texts import count_changes
from pipeline.kinds.token_classification.settings import TaggedParams
from pipeline.kinds.token_classification.tags import TagReader
from pipeline.tagging.spans import find_fault, mark_words, parse_character_spans

_Sentence = tuple[list[str], list[str] | None]  # words, and their tags as the file has them


class _Sentences(NamedTuple):
    """The sentences of N rows, and those whose spans took in the rest of a word."""

    rows: list[_Sentence]
    widened: list[int]


def _parse(records: Records, params: TaggedParams, faults: Faults) -> Parsed:
    read = _mark_texts if params.text else _split_words if params.joint else _pair_lists
    sentences: _Sentences | None = None
    with faults.gather():
        sentences = read(records, params)
    if sentences is None:
        rows = len(records.lines)
        return Parsed({}, [""] * rows, [None] * rows, set(), {}, "")
    raw = [" ".join(words) for words, _ in sentences.rows]
    empty = {row for row, text in enumerate(raw) if is_empty(text)}
    with faults.gather():
        _check_empty(records, empty, params)
    labels: list[tuple[str, ...] | None] = [None] * len(sentences.rows)
    with faults.gather():
        labels = TagReader(params, records).read([tags for _, tags in sentences.rows], empty)
    changed = count_changes(records, raw)
    changed["widened"] = {"rows": len(sentences.widened), "lines": records.places_of(sentences.widened[:5])}
    words = [[normalise(word) for word in sentence] for sentence, _ in sentences.rows]
    keys = [text_key(" ".join(sentence)) for sentence in words]
    values: dict[str, Sequence[Any]] = {"words": words, "document": _list_documents(records, params)}
    return Parsed(values, keys, labels, empty, changed, params.tags or params.spans or params.words or "")


def _pair_lists(records: Records, params: TaggedParams) -> _Sentences:
    words, tags = records.lists(params.words or ""), records.columns[params.tags or ""].to_pylist()
    rows: list[_Sentence] = [
        ([word or "" for word in sentence], own) for sentence, own in zip(words, tags, strict=True)
    ]
    unequal = [
        (row, f"{len(sentence)} words, {len(own)} tags")
        for row, (sentence, own) in enumerate(rows)
        if own and len(own) != len(sentence)
    ]
    if unequal:
        remedy = "Give each word one tag; look for words with blanks in them."
        raise records.fault("with more or fewer tags than words", unequal, remedy, column=params.tags or "")
    return _Sentences(rows, [])


def _split_words(records: Records, params: TaggedParams) -> _Sentences:
    rows: list[_Sentence] = []
    bare: list[tuple[int, object]] = []
    for row, cells in enumerate(records.lists(params.words or "")):
        parts = [cell.rpartition(params.joint or "") for cell in cells if cell]
        bare += [(row, tag) for word, _, tag in parts if not (word and tag)][:1]
        rows.append(([word for word, _, _ in parts], [tag for _, _, tag in parts]))
    if bare:
        remedy = f"Write each word as WORD{params.joint}TAG, or correct `joint`."
        raise records.fault("with a word without a tag", bare, remedy, column=params.words or "")
    return _Sentences(rows, [])


def _mark_texts(records: Records, params: TaggedParams) -> _Sentences:
    rows: list[_Sentence] = []
    widened, bad = list[int](), list[tuple[int, object]]()
    texts, cells = records.texts(params.text or ""), records.columns[params.spans or ""].to_pylist()
    for row, (text, cell) in enumerate(zip(texts, cells, strict=True)):
        try:
            spans = [] if cell is None else parse_character_spans(cell)
        except ValueError as error:
            bad.append((row, str(error)))
            continue
        if fault := find_fault(text, spans):
            bad.append((row, fault))
            continue
        marked = mark_words(text, spans)
        rows.append((marked.words, None if cell is None else marked.tags))
        if marked.widened:
            widened.append(row)
    if bad:
        remedy = "A span is a start, the place after its end, and a label, within its text; spans share no character."
        raise records.fault("with spans that do not fit their text", bad, remedy, column=params.spans or "")
    return _Sentences(rows, widened)


def _check_empty(records: Records, empty: Iterable[int], params: TaggedParams) -> None:
    if params.empty == "fail" and (rows := [(row, None) for row in sorted(empty)]):
        remedy = "Fill or remove them, or set `empty: drop`."
        raise records.fault("without a visible character", rows, remedy, column=params.words or params.text or "")


def _list_documents(records: Records, params: TaggedParams) -> list[str | None]:
    """Return the document of each sentence: its group, or else its file; None if neither is known."""
    rows = len(records.lines)
    if params.group is not None:
        return [*read_groups(records, params.group)]
    return [*records.files_of(range(rows))] if params.files else [None] * rows


def _tabulate(
    params: TaggedParams, values: Mapping[str, Sequence[Any]], labels: Sequence[Sequence[str]]
) -> dict[str, pa.Array]:
    indices = {name: index for index, name in enumerate(params.list_classes())}
    return {
        "words": pa.array(values["words"], pa.list_(pa.string())),
        "tags": pa.array([[indices[tag] for tag in tags] for tags in labels], pa.list_(pa.int64())),
        "document": pa.array(values["document"], pa.string()),
    }


EXAMPLES = Examples(
    classes=TaggedParams.list_classes,
    parse=_parse,
    tabulate=_tabulate,
    parse_label=lambda _params, _words: None,
    name_classes=lambda tags: tags,
    indices="tags",
)
