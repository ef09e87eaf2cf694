"""Texts of rows: joined, brought to their normal form, and checked, for the kinds of tasks whose examples have one."""

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.examples.faults import Faults
from pipeline.examples.records import Records
from pipeline.examples.text import CHANGES, CONTROLS, is_empty, normalise
from pipeline.settings.shared.texts import TextIngestParams


class ParsedTexts(NamedTuple):
    """The texts of N rows in their normal form, the rows without a visible character, and what was changed."""

    texts: list[str]
    empty: set[int]
    changed: Document


def parse_texts(records: Records, params: TextIngestParams, faults: Faults) -> ParsedTexts:
    """Return the text of each row; gather the rows that `params` refuses in `faults`."""
    raw = _join_texts(records, params.text)
    texts = [normalise(text) for text in raw]
    empty = set[int]()
    with faults.gather():
        _check_controls(records, raw, params)
    with faults.gather():
        empty = _find_empty(records, texts, params)
    return ParsedTexts(texts, empty, count_changes(records, raw))


def _join_texts(records: Records, columns: Sequence[str]) -> list[str]:
    """Return the text of each row: that of its column or, if there are several, those that are not blank, by lines."""
    cells = [records.texts(column) for column in columns]
    if len(cells) == 1:
        return cells[0]
    return ["\n".join(cell for cell in row if cell.strip()) for row in zip(*cells, strict=True)]


def _check_controls(records: Records, raw: Sequence[str], params: TextIngestParams) -> None:
    if params.controls == "fail":
        controls = [(row, found.group()) for row, text in enumerate(raw) if (found := CONTROLS.search(text))]
        if controls:
            what, remedy = "with control or zero-width characters", "Remove them, or set `controls: space`."
            raise records.fault(what, controls, remedy, column=" + ".join(params.text))


def _find_empty(records: Records, texts: Sequence[str], params: TextIngestParams) -> set[int]:
    empty = {row for row, text in enumerate(texts) if is_empty(text)}
    if empty and params.empty == "fail":
        rows, remedy = [(row, None) for row in sorted(empty)], "Fill or remove them, or set `empty: drop`."
        raise records.fault("without a visible character", rows, remedy, column=" + ".join(params.text))
    return empty


def count_changes(records: Records, raw: Sequence[str]) -> Document:
    """Return how many texts each change of `normalise` touched, and the lines of the first; none shows a text."""
    changed = {name: [row for row, text in enumerate(raw) if touches(text)] for name, touches in CHANGES.items()}
    return {name: {"rows": len(rows), "lines": records.places_of(rows[:5])} for name, rows in changed.items()}
