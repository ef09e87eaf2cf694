"""The section `ingest` of params.yaml: reading, labelling and splitting a file."""

import json
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, StringConstraints, Tag, model_validator

from pipeline.core.document import Strict
from pipeline.settings import consistency
from pipeline.settings.corrections import Correction
from pipeline.settings.fields import LIST, MAP, Count, FilePath, Files, Name, RawPath, Text, shape


def _require_labels(labels: object) -> object:
    """Return `labels` if every label and class is text.

    Raises:
        ValueError: Some are numbers, truth values or null, or the map is turned round.
    """
    values = list(labels.values()) if isinstance(labels, dict) else labels if isinstance(labels, list) else []
    odd = [value for value in values if value is None or isinstance(value, bool | int | float)]
    if not odd:
        return tuple(labels) if isinstance(labels, list) else labels
    if isinstance(labels, dict) and len(odd) == len(labels):
        turned = {json.dumps(value): str(key) for key, value in labels.items()}
        raise ValueError(
            f"`labels` maps the text in the file to the class; turn it round: {json.dumps(turned, ensure_ascii=False)}"
        )
    spelled = json.dumps(odd[0])
    raise ValueError(f'labels and classes are text, found {spelled}; write "{spelled}" in quotes')


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class Threshold(Strict):
    """Classes from numeric labels: `above` if the label is above `at`, else `otherwise`."""

    at: float
    above: Text
    otherwise: Text


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


_Labels = Annotated[
    Annotated[dict[str, Text], Field(min_length=1), Tag(MAP)]
    | Annotated[tuple[Text, ...], Field(min_length=1), Tag(LIST)],
    Discriminator(shape),
]


class IngestParams(Strict):
    """The parameters that turn a task's file into examples."""

    task: Name
    file: RawPath
    files: Files | None
    format: Literal["delimited", "jsonl", "parquet", "pattern"]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)]
    quote: Annotated[str, StringConstraints(max_length=1)]
    pattern: Text | None
    encoding: Text
    text: Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(_as_tuple)]
    label: Text
    labels: Annotated[_Labels, BeforeValidator(_require_labels)] | None
    threshold: Threshold | None
    group: Text | None
    split: Text | None
    shares: Shares
    salt: str
    keep: tuple[Text, ...]
    empty: Literal["drop", "fail"]
    unlabelled: Literal["drop", "fail"]
    conflicts: Literal["drop", "majority", "fail"]
    corrections: FilePath | None
    corrected: dict[str, Correction]
    controls: Literal["space", "fail"]
    max_cell_bytes: Count
    max_file_bytes: Annotated[int, Field(ge=1, le=10**12)]

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if (self.labels is None) == (self.threshold is None):
            raise ValueError("give either `labels` (the classes) or `threshold` (for numeric labels)")
        if (self.format == "pattern") != (self.pattern is not None):
            raise ValueError("`pattern` belongs to `format: pattern` alone; give both or neither")
        sides = (self.threshold.otherwise, self.threshold.above) if self.threshold else None
        errors = [
            *consistency.check_columns(
                text=self.text, label=self.label, group=self.group, split=self.split, keep=self.keep
            ),
            *consistency.check_splits(group=self.group, split=self.split, mapped=isinstance(self.files, dict)),
            *consistency.check_classes(self.labels, sides),
            *consistency.check_characters(delimiter=self.delimiter, quote=self.quote),
            *consistency.check_codec(self.encoding),
            *consistency.check_pattern(self.pattern, wanted=self.columns()),
        ]
        if errors:
            raise ValueError("; ".join(errors))
        return self

    def columns(self) -> tuple[str, ...]:
        """Return the names of the columns to read, each once."""
        named = (*self.text, self.label, self.group, self.split, *self.keep)
        return tuple(dict.fromkeys(name for name in named if name is not None))
