"""The section `ingest` of params.yaml: reading, labelling and splitting a file, whatever kind of examples it has."""

from collections.abc import Iterator, Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pipeline.core.document import Strict
from pipeline.settings import consistency
from pipeline.settings.corrections import Correction
from pipeline.settings.fields import Count, FilePath, Files, Name, RawPath, Text

# What the cells of a column are: one value of any plain type, read as text; strings alone; lists of either; bytes; any
# value of JSON, read as its text.
Holds = Literal["cell", "text", "cells", "texts", "bytes", "json"]
HOLDINGS: dict[Holds, str] = {
    "cell": "values", "text": "strings", "cells": "lists of values", "texts": "lists of strings", "bytes": "bytes",
    "json": "values of JSON",
}  # fmt: skip


class Shares(Strict):
    """The share of each split; the shares sum to 1."""

    train: Annotated[float, Field(gt=0, le=1)]
    validation: Annotated[float, Field(gt=0, le=1)]
    test: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _check_sum(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares must sum to 1, found {total:g}")
        return self


class IngestParams(Strict):
    """The parameters that turn a task's file into examples; each kind of task adds the columns that it reads.

    `made` are the columns that the kind's examples have beside `id`, `split`, `row` and `file`.
    """

    made: ClassVar[tuple[str, ...]] = ()

    task: Name
    file: RawPath
    files: Files | None
    format: Literal["delimited", "jsonl", "parquet", "pattern", "conll", "files", "squad"]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)]
    quote: Annotated[str, StringConstraints(max_length=1)]
    pattern: Text | None
    encoding: Text
    group: Text | None
    split: Text | None
    shares: Shares
    salt: str
    keep: tuple[Text, ...]
    unlabelled: Literal["drop", "fail"]
    conflicts: Literal["drop", "majority", "fail"]
    corrections: FilePath | None
    corrected: dict[str, Correction]
    max_cell_bytes: Count
    max_file_bytes: Annotated[int, Field(ge=1, le=10**12)]

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if errors := list(self.list_errors()):
            raise ValueError("; ".join(errors))
        return self

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself; a kind adds its own."""
        if (self.format == "pattern") != (self.pattern is not None):
            yield "`pattern` belongs to `format: pattern` alone; give both or neither"
            return
        if self.format == "files" and self.files is None:
            yield "`format: files` makes a row of each file: name them in `files`, below the folder `file`"
        made = ("id", "split", "row", "file", *self.made)
        columns = self.own_columns()
        yield from consistency.check_columns(columns, group=self.group, split=self.split, keep=self.keep, made=made)
        yield from consistency.check_splits(group=self.group, split=self.split, mapped=isinstance(self.files, dict))
        yield from consistency.check_characters(delimiter=self.delimiter, quote=self.quote)
        yield from consistency.check_codec(self.encoding)
        yield from consistency.check_pattern(self.pattern, wanted=tuple(self.columns()))

    def own_columns(self) -> dict[str, Holds]:
        """Return the columns that the kind reads, and what each holds."""
        return {}

    def columns(self) -> dict[str, Holds]:
        """Return the columns to read, and what each holds."""
        further = (self.group, self.split, *self.keep)
        cells: dict[str, Holds] = {name: "cell" for name in further if name is not None}
        return {
            **self.own_columns(),
            **{name: holds for name, holds in cells.items() if name not in self.own_columns()},
        }

    def unnamed(self) -> str | None:
        """Return the column of labels whose classes the file itself has to name; None if there is none."""
        return None

    def name_classes(self, names: Sequence[str]) -> Self:
        """Return the params with these classes if they have none: a label in the file is the index of one."""
        labels = {str(index): name for index, name in enumerate(names)}
        return self.model_copy(update={"labels": labels} if self.unnamed() else {})

    def list_separator(self) -> str | None:
        """Return what stands between the parts of a list in one cell of text; None if this kind reads no lists."""
        return None
