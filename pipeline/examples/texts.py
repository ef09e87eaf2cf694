"""Texts of rows: joined, brought to their normal form, and checked, for the kinds of tasks whose examples have them."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.examples.faults import Faults
from pipeline.examples.records import Records
from pipeline.examples.text import CHANGES, CONTROLS, is_empty, normalise, text_key
from pipeline.settings.shared.texts import PAIR, PairIngestParams, TextIngestParams


class ParsedTexts(NamedTuple):
    """The texts of N rows in their normal form, the rows without a visible character, and what was changed."""

    texts: list[str]
    empty: set[int]
    changed: Document


class ParsedPairs(NamedTuple):
    """The texts of N rows by the column of the examples, one or two, and what equal rows share.

    A row is `empty` if one of its texts is, and `changed` counts it once.
    """

    values: dict[str, list[str]]
    keys: list[str]
    empty: set[int]
    changed: Document


def parse_texts(records: Records, params: TextIngestParams, faults: Faults) -> ParsedTexts:
    """Return the text of each row; gather the rows that `params` refuses in `faults`."""
    raw = _join_texts(records, params.text)
    texts, empty = _parse(records, params.text, raw, params, faults)
    return ParsedTexts(texts, empty, count_changes(records, raw))


def parse_pairs(records: Records, params: PairIngestParams, faults: Faults) -> ParsedPairs:
    """Return the text of each row, of pairs both; gather the rows that `params` refuses in `faults`.

    Pairs are equal if both of their texts are, in this order.
    """
    if params.pair is None:
        texts, empty, changed = parse_texts(records, params, faults)
        return ParsedPairs({"text": texts}, [text_key(text) for text in texts], empty, changed)
    raws = _join_texts(records, params.text), records.texts(params.pair)
    first, second = (
        _parse(records, columns, raw, params, faults)
        for columns, raw in zip((params.text, (params.pair,)), raws, strict=True)
    )
    keys = [f"{text_key(text)}\0{text_key(other)}" for text, other in zip(first[0], second[0], strict=True)]
    values = {"text": first[0], PAIR: second[0]}
    return ParsedPairs(values, keys, first[1] | second[1], count_changes(records, *raws))


def _parse(
    records: Records, columns: Sequence[str], raw: Sequence[str], params: TextIngestParams, faults: Faults
) -> tuple[list[str], set[int]]:
    """Return the normal form of the texts of some columns, and the rows where it is empty."""
    texts = [normalise(text) for text in raw]
    empty = set[int]()
    with faults.gather():
        _check_controls(records, columns, raw, params)
    with faults.gather():
        empty = _find_empty(records, columns, texts, params)
    return texts, empty


def _join_texts(records: Records, columns: Sequence[str]) -> list[str]:
    """Return the text of each row: that of its column or, if there are several, those that are not blank, by lines."""
    cells = [records.texts(column) for column in columns]
    if len(cells) == 1:
        return cells[0]
    return ["\n".join(cell for cell in row if cell.strip()) for row in zip(*cells, strict=True)]


def _check_controls(records: Records, columns: Sequence[str], raw: Sequence[str], params: TextIngestParams) -> None:
    if params.controls == "fail":
        controls = [(row, found.group()) for row, text in enumerate(raw) if (found := CONTROLS.search(text))]
        if controls:
            what, remedy = "with control or zero-width characters", "Remove them, or set `controls: space`."
            raise records.fault(what, controls, remedy, column=" + ".join(columns))


def _find_empty(records: Records, columns: Sequence[str], texts: Sequence[str], params: TextIngestParams) -> set[int]:
    empty = {row for row, text in enumerate(texts) if is_empty(text)}
    if empty and params.empty == "fail":
        rows, remedy = [(row, None) for row in sorted(empty)], "Fill or remove them, or set `empty: drop`."
        raise records.fault("without a visible character", rows, remedy, column=" + ".join(columns))
    return empty


def count_changes(records: Records, *columns: Sequence[str]) -> Document:
    """Return how many rows each change of `normalise` touched, and the lines of the first; none shows a text.

    `columns` are the raw texts of the rows, or several of each.
    """
    rows = [*enumerate(zip(*columns, strict=True))]
    changed = {name: [row for row, texts in rows if any(map(touches, texts))] for name, touches in CHANGES.items()}
    return {name: {"rows": len(rows), "lines": records.places_of(rows[:5])} for name, rows in changed.items()}
