"""Sections of tasks whose examples are texts."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from pipeline.settings.fields import Count, Share, Text
from pipeline.settings.ingest import Holds, IngestParams
from pipeline.settings.shared.classes import ClassChecksParams, LabelParams
from pipeline.settings.task import Profile, ValidateParams

PAIR = "text_pair"  # the column of the examples with the second text of each pair; transformers calls it so too


def _as_tuple(value: object) -> object:
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


class TextIngestParams(IngestParams):
    """The column of the text of an example, or several that are joined, and what is done with odd texts."""

    text: Annotated[tuple[Text, ...], Field(min_length=1), BeforeValidator(_as_tuple)]
    empty: Literal["drop", "fail"]
    controls: Literal["space", "fail"]

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, in the columns of the text too."""
        if len(set(self.text)) < len(self.text):
            yield f"`text` must name each column once, found {list(self.text)}"
        yield from super().list_errors()

    def own_columns(self) -> dict[str, Holds]:
        """Return the columns of the text, then those of the kind."""
        texts: dict[str, Holds] = dict.fromkeys(self.text, "text")
        return {**texts, **{name: holds for name, holds in super().own_columns().items() if name not in texts}}


class PairIngestParams(TextIngestParams):
    """The column of the second text, if each example is a pair of texts."""

    pair: Text | None

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, in the column of the second text too."""
        if self.pair in self.text:
            yield f"`text` and `pair` must be two columns, both are {self.pair!r}"
        if self.pair is not None and PAIR in self.keep:
            yield f"`keep` names {PAIR!r}, a column of the examples; rename the column of the file"
        yield from super().list_errors()

    def own_columns(self) -> dict[str, Holds]:
        """Return the columns of the texts, then those of the kind."""
        own = super().own_columns()
        return own if self.pair is None else {**own, self.pair: "text"}


class LabelledTextParams(PairIngestParams, LabelParams):
    """The columns of texts, or of pairs of texts, that have one class each."""

    made = ("text", "label")

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, between texts and label too."""
        for name, columns in (("text", self.text), ("pair", (self.pair,))):
            if self.label in columns:
                yield f"`{name}` and `label` must be two columns, both are {self.label!r}"
        yield from super().list_errors()


class TextChecksParams(ValidateParams):
    """The thresholds of the checks of texts."""

    min_chars: Annotated[int, Field(ge=1, le=10**6)]
    max_chars: Count
    max_broken_share: Share
    max_changed_share: Share
    max_escaped_share: Share
    near_similarity: Annotated[float, Field(gt=0, le=1)]
    near_shingle: Annotated[int, Field(ge=2, le=20)]
    max_near_share: Share
    max_length_drift: Share

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.min_chars > self.max_chars:
            raise ValueError(f"`min_chars` must be at most `max_chars`, found {self.min_chars} and {self.max_chars}")
        return self


class DriftChecksParams(TextChecksParams):
    """The thresholds of the checks of labelled texts against a reference."""

    max_label_drift: Share
    reference: Profile | None


class PairChecksParams(DriftChecksParams):
    """The thresholds of the checks of labelled texts, or of pairs of them; `pairs` says which."""

    pairs: bool


class LabelledTextChecksParams(PairChecksParams, ClassChecksParams):
    """The thresholds of the checks of texts that have classes."""
