"""Examples of question answering: a passage, a question, and its answers at their places in the passage."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.examples.faults import Faults
from pipeline.examples.intake import Examples, Parsed
from pipeline.examples.records import Records
from pipeline.examples.text import CONTROLS, is_empty, normalise, text_id, text_key
from pipeline.examples.texts import count_changes
from pipeline.kinds.question_answering.settings import ANSWERABILITY, ReadingParams
from pipeline.reading.spans import Span, find_nearest, normalise_span, parse_answers

# What was said of a question: its answers, none if the passage holds none.
Said = tuple[Span, ...]
_Faulty = Sequence[tuple[int, object]]


def _parse(records: Records, params: ReadingParams, faults: Faults) -> Parsed:
    raw = {column: records.texts(column) for column in (params.context, params.question)}
    for column, cells in raw.items():
        with faults.gather():
            _check_controls(records, params, column, cells)
    passages, questions = ([normalise(cell) for cell in cells] for cells in raw.values())
    empty = {row for row, pair in enumerate(zip(passages, questions, strict=True)) if any(map(is_empty, pair))}
    with faults.gather():
        _check_empty(records, params, empty)
    reader = _AnswerReader(records, params)
    labels: list[Said | None] = [None] * len(passages)
    with faults.gather():
        labels = reader.read(raw[params.context], empty)
    together = [text_key(passage) for passage in passages]
    changed = count_changes(records, ["\n".join(pair) for pair in zip(*raw.values(), strict=True)])
    changed["moved"] = {"rows": len(reader.moved), "lines": records.places_of(reader.moved[:5])}
    return Parsed(
        values={"context": passages, "question": questions},
        keys=[f"{passage}\0{text_key(question)}" for passage, question in zip(together, questions, strict=True)],
        labels=labels,
        empty=empty,
        changed=changed,
        target=params.answers,
        together=[text_id(passage) for passage in together],
    )


def _check_controls(records: Records, params: ReadingParams, column: str, cells: Sequence[str]) -> None:
    if params.controls == "fail":
        controls = [(row, match.group()) for row, cell in enumerate(cells) if (match := CONTROLS.search(cell))]
        if controls:
            what, remedy = "with control or zero-width characters", "Remove them, or set `controls: space`."
            raise records.fault(what, controls, remedy, column=column)


def _check_empty(records: Records, params: ReadingParams, empty: set[int]) -> None:
    if empty and params.empty == "fail":
        rows, remedy = [(row, None) for row in sorted(empty)], "Fill or remove them, or set `empty: drop`."
        column = f"{params.context} + {params.question}"
        raise records.fault("without a visible character in one of both", rows, remedy, column=column)


class _AnswerReader:
    """The reading of the answers of a file; `moved` are the rows with an answer that was not at its offset."""

    def __init__(self, records: Records, params: ReadingParams) -> None:
        self._records, self._params = records, params
        self.moved: list[int] = []

    def read(self, passages: Sequence[str], empty: set[int]) -> list[Said | None]:
        """Return the answers of each row in the normal form of its passage; None if nothing is said of it.

        Raises:
            RowErrors: Rows without answers unless they may lack them, answers of another shape, that are blank, that
                are not in the passage or not at their offset, or that begin or end within a character.
        """
        faults = Faults()
        rows = self._parse_cells(empty, faults)
        spans = [(row, span) for row, own in enumerate(rows) for span in own or ()]
        blank = [(row, passages[row][:40] or "") for row, span in spans if not span.text.strip()]
        absent = [(row, span.text) for row, span in spans if span.text not in passages[row]]
        self._gather(faults, "with a blank answer", blank, "Remove it, or write `[]` if the passage has no answer.")
        self._gather(faults, "whose answer is not in the passage", absent, "It must be a part of the passage, exactly.")
        placed = self._place(rows, passages, faults)
        faults.check()
        normal = [
            None if own is None else [normalise_span(passages[row], span) for span in own]
            for row, own in enumerate(placed)
        ]
        cut: _Faulty = [
            (row, span.text)
            for row, (own, there) in enumerate(zip(placed, normal, strict=True))
            for span, new in zip(own or (), there or (), strict=True)
            if new is None
        ]
        self._gather(
            faults, "whose answer begins or ends within a character", cut, "Begin and end it at whole letters."
        )
        faults.check()
        return [None if own is None else tuple(dict.fromkeys(span for span in own if span)) for own in normal]

    def _parse_cells(self, empty: set[int], faults: Faults) -> list[list[Span] | None]:
        cells = self._records.columns[self._params.answers].to_pylist()
        rows: list[list[Span] | None] = []
        misshapen: list[tuple[int, object]] = []
        for row, cell in enumerate(cells):
            try:
                rows.append(None if cell is None else parse_answers(cell))
            except ValueError as error:
                misshapen.append((row, str(error)))
                rows.append(None)
        remedy = 'Write `[{"text": ..., "answer_start": ...}]`, or `[]` if the passage has no answer.'
        self._gather(faults, "with answers of another shape", misshapen, remedy)
        if self._params.unlabelled == "fail":
            silent: _Faulty = [(row, None) for row, cell in enumerate(cells) if cell is None and row not in empty]
            remedy = "Write `[]` if the passage has none, remove these rows, or set `unlabelled: drop`."
            self._gather(faults, "without answers", silent, remedy)
        return rows

    def _place(
        self, rows: Sequence[list[Span] | None], passages: Sequence[str], faults: Faults
    ) -> list[list[Span] | None]:
        """Return the spans of each row, those that are not where they say at their nearest occurrence."""
        apart: list[tuple[int, object]] = []
        placed: list[list[Span] | None] = []
        for row, own in enumerate(rows):
            nearest = [find_nearest(passages[row], span) or span for span in own or ()]
            pairs = zip(own or (), nearest, strict=True)
            moves = [f"{old.text!r} at {old.start}, nearest at {new.start}" for old, new in pairs if old != new]
            apart += [(row, move) for move in moves]
            self.moved += [row] * bool(moves)
            placed.append(None if own is None else nearest)
        if self._params.misplaced == "fail":
            remedy = "Count characters from 0, or set `misplaced: nearest` to move them."
            self._gather(faults, "whose answer is not at its offset", apart, remedy)
        return placed

    def _gather(self, faults: Faults, what: str, rows: _Faulty, remedy: str) -> None:
        with faults.gather():
            if rows:
                raise self._records.fault(what, rows, remedy, column=self._params.answers)


def _tabulate(
    _params: ReadingParams, values: Mapping[str, Sequence[Any]], labels: Sequence[Said]
) -> dict[str, pa.Array]:
    return {
        "context": pa.array(values["context"], pa.string()),
        "question": pa.array(values["question"], pa.string()),
        "answers": pa.array([[span.text for span in said] for said in labels], pa.list_(pa.string())),
        "starts": pa.array([[span.start for span in said] for said in labels], pa.list_(pa.int64())),
    }


EXAMPLES = Examples(
    classes=lambda _params: ANSWERABILITY,
    parse=_parse,
    tabulate=_tabulate,
    parse_label=lambda _params, _words: None,
    name_classes=lambda said: (ANSWERABILITY[0] if said else ANSWERABILITY[1],),
    indices=None,
)
