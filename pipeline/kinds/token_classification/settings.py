"""Settings of token classification: the sections of its tasks, and the rules between them."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from pipeline.core.document import Document
from pipeline.settings import consistency
from pipeline.settings.fields import Positive, Text
from pipeline.settings.ingest import Holds, IngestParams
from pipeline.settings.problems import Problems
from pipeline.settings.production import CalibrateParams, WatchParams
from pipeline.settings.shared.classes import Labels
from pipeline.settings.shared.evaluation import LengthParams, check_slices, refuse_decision
from pipeline.settings.shared.kind import Settings
from pipeline.settings.shared.texts import LabelledTextChecksParams
from pipeline.settings.task import (
    CardParams,
    EvaluateParams,
    ExtractParams,
    FinetuneParams,
    MetricGate,
    SampleParams,
    TaskParams,
    TokenizeParams,
)
from pipeline.tagging.schemes import OUTSIDE_TAG, Scheme, name_tags, parse_tag

TagMetric = Literal["span_f1", "tag_accuracy", "loss"]


class TaggedParams(IngestParams):
    """The columns of the words and the tags of a sentence, and what the tags are.

    There are three layouts: `words` and `tags`, two lists; `words` and `joint`, a list of words that each end in their
    tag; and `text` and `spans`, a text and the characters that are marked in it. Without `labels` a Parquet file names
    the tags itself.
    """

    made = ("words", "tags", "document")

    words: Text | None
    tags: Text | None
    joint: Annotated[str, StringConstraints(min_length=1, max_length=10)] | None
    text: Text | None
    spans: Text | None
    labels: Labels | None
    strip: Text | None
    scheme: Scheme
    illegal: Literal["fail", "begin"]
    empty: Literal["drop", "fail"]

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, in the layout and the tags too."""
        columns = (self.words, self.tags, self.joint, self.text, self.spans)
        given = tuple(value is not None for value in columns)
        if given not in _LAYOUTS:
            yield "give `words` and `tags`, or `words` and `joint`, or `text` and `spans`, and null for the others"
            return
        if self.labels is None and not (self.unnamed() and self.format == "parquet"):
            yield "give `labels`: the types of span or, with `scheme: none`, the tags"
            return
        yield from super().list_errors()
        if self.spans and self.scheme != "bio":
            yield f"`spans` have no scheme, so `scheme` must be bio, found {self.scheme}"
        if self.corrections:
            yield f"`corrections` are those of the one class of a text, found {self.corrections!r}; set it to null"
        yield from _check_pattern(self.strip)
        if self.labels is not None:
            yield from _check_types(list_named_types(self.labels, self.scheme))

    def own_columns(self) -> dict[str, Holds]:
        """Return the columns of the words and of what is said of them."""
        if self.text and self.spans:
            return {self.text: "text", self.spans: "json"}
        words: dict[str, Holds] = {self.words or "": "texts"}
        return {**words, self.tags: "cells"} if self.tags else words

    def unnamed(self) -> str | None:
        """Return the column of the tags if `labels` does not say what they are."""
        return self.tags if self.labels is None else None

    def list_separator(self) -> str | None:
        """Return the blank that divides the words of a cell of text."""
        return " "

    def list_classes(self) -> tuple[str, ...]:
        """Return the classes of a word, in order."""
        return name_tags(list_named_types(self.labels or (), self.scheme), self.scheme)


# Which of `words`, `tags`, `joint`, `text` and `spans` are given.
_LAYOUTS = ((True, True, False, False, False), (True, False, True, False, False), (False, False, False, True, True))


def list_named_types(labels: Mapping[str, str] | tuple[str, ...], scheme: Scheme) -> list[str]:
    """Return the types of span, or the plain tags, that `labels` names, in order.

    A map names them by what it maps to, which may be whole tags: `{"0": O, "1": B-PER, "2": I-PER}` is of type PER.
    """
    if not isinstance(labels, Mapping):
        return list(labels)
    if scheme == "none":
        return list(dict.fromkeys(labels.values()))
    tags = [(name, parse_tag(name, scheme)) for name in labels.values()]
    return list(dict.fromkeys(tag.type if tag else name for name, tag in tags if name != OUTSIDE_TAG))


def _check_pattern(pattern: str | None) -> Iterator[str]:
    try:
        re.compile(pattern or "")
    except (re.error, OverflowError, RecursionError) as error:
        yield f"`strip` is not a regular expression: {error}"


def _check_types(types: list[str]) -> Iterator[str]:
    if not types:
        yield "`labels` must name a type of span"
    elif len(types) == 1 and types[0] != types[0].strip():
        yield f"`labels` has {types[0]!r}; labels are read without surrounding white space"
    elif len(types) > 1:
        yield from consistency.check_classes(types, None)


class TagTokenizeParams(TokenizeParams):
    """The parameters that turn the words of a sentence into token ids."""

    label: Literal["first", "all"]


class TagBaselineParams(SampleParams):
    """The parameters of the conditional random field that a transformer has to beat."""

    penalties: Annotated[tuple[Positive, ...], Field(min_length=1)]
    max_iter: Annotated[int, Field(ge=1, le=10**6)]


class TaggerParams(FinetuneParams):
    """The parameters of training an encoder to tag words."""

    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    metric: TagMetric


class TagEvaluateParams(EvaluateParams, LengthParams):
    """The parameters of the measurements of tags."""


class TagGates(TaskParams):
    """The gates of a task of tags, one for each metric; no stage reads them."""

    span_f1: MetricGate | None
    tag_accuracy: MetricGate | None
    sentence_accuracy: MetricGate | None


def _check(sections: Mapping[str, Document], problems: Problems) -> None:
    check_slices(sections, problems)
    refuse_decision(sections, problems, "a sentence has no one class")


SETTINGS = Settings(
    sections={
        "ingest": TaggedParams,
        "validate": LabelledTextChecksParams,
        "tokenize": TagTokenizeParams,
        "extract": ExtractParams,
        "baseline": TagBaselineParams,
        "inspect": TaskParams,
        "finetune": TaggerParams,
        "calibrate": CalibrateParams,
        "evaluate": TagEvaluateParams,
        "gates": TagGates,
        "watch": WatchParams,
        "card": CardParams,
    },
    check=_check,
    columns={"words": "words", "tags": "tags"},
    texts=("words",),
)
