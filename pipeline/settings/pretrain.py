"""The sections `corpus` and `pretrain` of params.yaml: the texts, and learning from them without labels."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pipeline.core.document import Strict
from pipeline.settings import consistency
from pipeline.settings.fields import Count, FilePath, Name, RawPath, Share, Text
from pipeline.settings.task import TrainingParams


class TextParams(Strict):
    """The parameters that turn a file of running text into documents of sentences."""

    file: RawPath
    format: Literal["text", "delimited", "jsonl", "parquet"]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)]
    quote: Annotated[str, StringConstraints(max_length=1)]
    encoding: Text
    sentences: Annotated[tuple[Text, ...], Field(min_length=1)]
    document: Text | None
    pattern: Text | None
    rows: Count

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        errors = [
            *consistency.check_characters(delimiter=self.delimiter, quote=self.quote),
            *consistency.check_codec(self.encoding),
            *consistency.check_pattern(self.pattern, wanted=("document",)),
        ]
        if errors:
            raise ValueError("; ".join(errors))
        return self


class CorpusParams(Strict):
    """The texts of the corpus; `protected` are the columns of each task whose validation and test texts stay out."""

    texts: dict[Name, TextParams]
    tasks: tuple[Name, ...]
    protected: dict[Name, tuple[str, ...]]
    held_out: Annotated[float, Field(gt=0, le=0.5)]
    salt: str
    max_document_bytes: Count
    max_broken_share: Share
    max_changed_share: Share


class PretrainParams(TrainingParams):
    """The parameters of pretraining an encoder on the corpus."""

    encoder: Name
    base: FilePath
    start: Literal["scratch", "base"]
    family: Literal["bert", "albert", "roberta", "distilbert", "modernbert"]
    hidden_size: Annotated[int, Field(ge=4, le=16384)]
    layers: Annotated[int, Field(ge=1, le=200)]
    heads: Annotated[int, Field(ge=1, le=256)]
    intermediate_size: Annotated[int, Field(ge=4, le=65536)]
    embedding_size: Annotated[int, Field(ge=4, le=16384)]
    tokenizer: Literal["base", "wordpiece"]
    vocabulary: Annotated[int, Field(ge=32, le=10**6)]
    lowercase: bool
    max_length: Annotated[int, Field(ge=8, le=8192)]
    pair: Literal["none", "nsp", "sop"]
    short: Share
    unit: Literal["token", "word", "span"]
    share: Annotated[float, Field(gt=0, lt=1)]
    masked: Share
    random: Share
    steps: Count
    evaluations: Annotated[int, Field(ge=1, le=1000)]

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        if self.start == "base" and self.tokenizer != "base":
            raise ValueError(
                f"`start: base` keeps the vocabulary of `base`, found `tokenizer: {self.tokenizer}`; set base"
            )
        if self.hidden_size % self.heads:
            raise ValueError(f"`hidden_size` must be a multiple of `heads`, found {self.hidden_size} and {self.heads}")
        if self.masked + self.random > 1:
            raise ValueError(f"`masked` and `random` must sum to at most 1, found {self.masked + self.random:g}")
        if self.evaluations > self.steps:
            raise ValueError(f"`evaluations` must be at most `steps`, found {self.evaluations} and {self.steps}")
        return self
