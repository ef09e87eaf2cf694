"""What may stand in the sections of params.yaml that make a corpus and learn from it without labels."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from pipeline.settings import consistency as rules
from pipeline.settings.fields import Count, FilePath, Name, Section, Share, Text
from pipeline.settings.task import TrainingParams


class TextParams(Section):
    """How a file of running text becomes documents of sentences."""

    file: FilePath
    format: Literal["text", "delimited", "jsonl", "parquet"]
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)]
    quote: Annotated[str, StringConstraints(max_length=1)]
    encoding: Text
    sentences: Annotated[tuple[Text, ...], Field(min_length=1)]
    document: Text | None
    pattern: Text | None
    rows: Count

    @model_validator(mode="after")
    def _readable(self) -> Self:
        problems = [
            *rules.characters(delimiter=self.delimiter, quote=self.quote),
            *rules.lines_of_bytes(self.encoding),
            *rules.expression(self.pattern, wanted=("document",)),
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


class CorpusParams(Section):
    """Which texts become the corpus; `protected` are all tasks, whose validation and test texts stay out."""

    texts: dict[Name, TextParams]
    tasks: tuple[Name, ...]
    protected: tuple[Name, ...]
    held_out: Annotated[float, Field(gt=0, le=0.5)]
    salt: str
    max_document_bytes: Count


class PretrainParams(TrainingParams):
    """How an encoder learns from the corpus."""

    encoder: Name
    base: FilePath
    start: Literal["scratch", "base"]
    family: Literal["bert", "albert", "roberta", "distilbert", "electra", "modernbert"]
    hidden_size: Annotated[int, Field(ge=4, le=16384)]
    layers: Annotated[int, Field(ge=1, le=200)]
    heads: Annotated[int, Field(ge=1, le=256)]
    intermediate_size: Annotated[int, Field(ge=4, le=65536)]
    embedding_size: Annotated[int, Field(ge=4, le=16384)]
    generator: Annotated[int, Field(ge=1, le=64)]
    found_weight: Annotated[float, Field(ge=0, le=1000)]
    tokenizer: Literal["base", "wordpiece", "bpe", "unigram"]
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
    def _belongs_together(self) -> Self:
        if self.start == "base" and self.tokenizer != "base":
            raise ValueError(
                f"`start: base` goes on with the words it knows; `tokenizer` is {self.tokenizer}, set base"
            )
        if self.hidden_size % self.heads:
            raise ValueError(f"`hidden_size` {self.hidden_size} is no multiple of `heads` {self.heads}")
        if self.masked + self.random > 1:
            raise ValueError(f"`masked` and `random` sum to {self.masked + self.random:g}; they are shares of a whole")
        if self.evaluations > self.steps:
            raise ValueError(f"`evaluations` {self.evaluations} is above `steps` {self.steps}")
        return self
