"""What may stand in the section `ingest` of params.yaml: how a file is read, labelled and split."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pipeline.settings import consistency as rules
from pipeline.settings.fields import Count, FilePath, Name, Section, Text


class Threshold(Section):
    """Numeric labels: above `at` is class `above`, everything else class `otherwise`."""

    at: float
    above: Text
    otherwise: Text


class Shares(Section):
    """Share of each split, summing to 1."""

    train: Annotated[float, Field(gt=0, le=1)]
    validation: Annotated[float, Field(gt=0, le=1)]
    test: Annotated[float, Field(gt=0, le=1)]

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares sum to {total:g}; they must sum to 1")
        return self


class IngestParams(Section):
    """How a task's file becomes examples."""

    task: Name
    file: FilePath
    format: Literal["delimited", "jsonl", "parquet", "pattern"]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)]
    quote: Annotated[str, StringConstraints(max_length=1)]
    pattern: Text | None
    encoding: Text
    text: Text
    label: Text
    labels: Annotated[dict[str, Text] | tuple[Text, ...], Field(min_length=1)] | None
    threshold: Threshold | None
    group: Text | None
    split: Text | None
    shares: Shares
    salt: str
    keep: tuple[Text, ...]
    empty: Literal["drop", "fail"]
    conflicts: Literal["drop", "majority", "fail"]
    controls: Literal["space", "fail"]
    max_cell_bytes: Count
    max_file_bytes: Annotated[int, Field(ge=1, le=10**12)]

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if (self.labels is None) == (self.threshold is None):
            raise ValueError("give either `labels` (the classes) or `threshold` (for numeric labels)")
        if (self.format == "pattern") != (self.pattern is not None):
            raise ValueError("`pattern` goes with `format: pattern`, and with no other")
        problems = [
            *rules.columns(text=self.text, label=self.label, group=self.group, split=self.split, keep=self.keep),
            *rules.classes(self.labels, (self.threshold.otherwise, self.threshold.above) if self.threshold else None),
            *rules.characters(delimiter=self.delimiter, quote=self.quote),
            *rules.codec(self.encoding),
            *rules.expression(self.pattern, wanted=self.columns()),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns to read, each once."""
        named = (self.text, self.label, self.group, self.split, *self.keep)
        return tuple(dict.fromkeys(name for name in named if name is not None))
