"""The texts, or pairs, to compare: those of a file that are new to the model, each once, a sample if they are many."""

import heapq
import math
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from pipeline.core.errors import DataError
from pipeline.core.format import plural
from pipeline.examples.labels import LabelMap
from pipeline.examples.lines import LineCap
from pipeline.examples.read import CELLS_OF_A_LINE, Limits, open_rows
from pipeline.predict.questions import Questions
from pipeline.predict.texts import InputQuestion, InputSource, read_questions
from pipeline.settings.shared.texts import LabelledTextParams


class Sample(NamedTuple):
    """The texts compared, by id, and the rows of the file: all, those rejected, repeats, and those trained on."""

    texts: tuple[InputQuestion, ...]
    rows: int
    rejected: int
    repeated: int
    trained_on: int
    new: int

    def count_rows(self) -> dict[str, int]:
        """Return the numbers of rows, and of the texts compared."""
        return {
            "all": self.rows,
            "rejected": self.rejected,
            "repeated": self.repeated,
            "trained_on": self.trained_on,
            "new": self.new,
            "compared": len(self.texts),
        }


def read_sample(
    path: Path, source: InputSource, questions: Questions, *, trained_on: Collection[str], most: int
) -> Sample:
    """Return up to `most` texts of a file, in the order of their ids; ids are hashes, so they are a random sample.

    A text counts once, as in the examples. One that the model was trained on (`trained_on` holds the ids) is left out:
    it says nothing about new ones. Of the texts, only the sample is in memory.

    Raises:
        DataError: The file breaks its format.
        EnvironmentFault: It cannot be read.
    """
    rejected: set[int | str] = set()
    ids: set[str] = set()
    rows = trained = 0

    def new_texts() -> Iterator[InputQuestion]:
        nonlocal rows, trained
        for text in read_questions(path, source, questions, lambda row, _reason: rejected.add(row)):
            rows += 1
            trained += text.id in trained_on
            if text.id not in trained_on and text.id not in ids:
                ids.add(text.id)
                yield text

    texts = take_sample(new_texts(), most)
    return Sample(texts, rows + len(rejected), len(rejected), rows - trained - len(ids), trained, len(ids))


def take_sample(texts: Iterable[InputQuestion], most: int) -> tuple[InputQuestion, ...]:
    """Return the `most` texts with the smallest ids, in their order."""
    return tuple(heapq.nsmallest(most, texts, key=lambda text: text.id))


def require_enough(sample: Sample, path: Path, *, least: int) -> None:
    """Require a file to have enough new texts to be judged.

    Raises:
        DataError: It has fewer.
    """
    if sample.new < least:
        raise DataError(
            f"{path}: {plural(sample.new, 'new text')} in {plural(sample.rows, 'row')}, fewer than the {least} of "
            "`watch.min_rows`. Watch a longer time at once, or lower it."
        )


def read_row_labels(path: Path, source: InputSource, ingest: LabelledTextParams) -> dict[int, str]:
    """Return the label of each row as the file has it, by its line; {} if the file has no column of labels.

    Raises:
        EnvironmentFault: The file cannot be read.
    """
    if source.layout.format == "text":
        return {}
    limits = Limits(None, LineCap(CELLS_OF_A_LINE * source.max_cell_bytes, "max_cell_bytes"), source.max_cell_bytes)
    labels: dict[int, str] = {}
    columns = (ingest.label,)
    try:
        with open_rows(path, source.layout._replace(strict=False), columns, limits, texts=()) as rows:
            for row, (cell,) in rows:
                labels[row] = unicodedata.normalize("NFC", "" if cell is None else str(cell)).strip()
    except DataError:  # the texts of the file have been read already, so it is the column that is missing
        return labels
    return labels


def find_class(label: str, ingest: LabelledTextParams) -> str | None:
    """Return the class that a label of the file is, None if it is none."""
    if ingest.threshold is not None:
        number = _read_number(label)
        sides = (ingest.threshold.otherwise, ingest.threshold.above)
        return sides[number > ingest.threshold.at] if math.isfinite(number) else None
    return _class_names(ingest.labels).get(label)


def _read_number(label: str) -> float:
    try:
        return float(label)
    except ValueError:
        return math.nan


def _class_names(labels: LabelMap) -> dict[str, str]:
    pairs = labels.items() if isinstance(labels, Mapping) else ((label, label) for label in labels or ())
    return {unicodedata.normalize("NFC", label): name for label, name in pairs}
