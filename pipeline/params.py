"""What may stand in the sections of params.yaml: one frozen, strict class a stage, without defaults."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from pipeline import rules


def inside(path: str) -> str:
    """Return `path` if it names something below a folder, in one spelling and on every system.

    Raises:
        ValueError: It is absolute, has an empty, `.` or `..` part, a backslash, a drive or a control character.
    """
    if not path.isprintable() or re.search(r"\\|^[A-Za-z]:", path) or {"", ".", ".."} & set(path.split("/")):
        raise ValueError(f"found {path!r}; it must be a relative path without `..` (nor `.`, `//`, `\\`, a drive)")
    return path


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(inside)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1, le=10**9)]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1)]
Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = ("train", "validation", "test")


class Section(BaseModel):
    """A part of params.yaml: unknown keys, wrong types, NaN and infinity are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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


class Profile(Section):
    """How a task's train split looked: what drift is measured against."""

    rows: Count
    label_shares: dict[str, Share]
    length_counts: tuple[Annotated[int, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(self.label_shares.values())
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the label shares sum to {total:g}; they must sum to 1")
        if sum(self.length_counts) != self.rows:
            raise ValueError(f"the lengths sum to {sum(self.length_counts)}; they must sum to `rows`, {self.rows}")
        return self


class ValidateParams(Section):
    """What the examples must look like."""

    task: Name
    min_rows: Count
    min_class_rows: Count
    min_class_share: Share
    max_majority_share: Annotated[float, Field(gt=0, le=1)]
    min_chars: Annotated[int, Field(ge=1, le=10**6)]
    max_chars: Count
    max_broken_share: Share
    max_conflict_share: Share
    max_duplicate_share: Share
    near_similarity: Annotated[float, Field(gt=0, le=1)]
    near_permutations: Annotated[int, Field(ge=16, le=512)]
    near_shingle: Annotated[int, Field(ge=2, le=20)]
    max_near_share: Share
    max_label_drift: Share
    max_length_drift: Share
    seed: Seed
    reference: Profile | None

    @model_validator(mode="after")
    def _some_length(self) -> Self:
        if self.min_chars > self.max_chars:
            raise ValueError(f"`min_chars` {self.min_chars} is above `max_chars` {self.max_chars}")
        return self


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


class PretrainParams(Section):
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
    batch_tokens: Annotated[int, Field(ge=16, le=10**7)]
    accumulate: Annotated[int, Field(ge=1, le=10**4)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    schedule: Literal["linear", "cosine"]
    warmup: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Share
    max_grad_norm: Annotated[float, Field(gt=0, le=10**6)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    evaluations: Annotated[int, Field(ge=1, le=1000)]
    patience: Annotated[int, Field(ge=1, le=10**6)]
    precision: Literal["auto", "fp32", "bf16"]
    attention: Literal["auto", "eager", "sdpa", "flat"]
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]
    seed: Seed

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


class TokenizeParams(Section):
    """How examples become token ids."""

    task: Name
    max_length: Annotated[int, Field(ge=4, le=8192)]
    batch_texts: Annotated[int, Field(ge=1, le=10**6)]


class ExtractParams(Section):
    """How the frozen encoder turns an example into a vector."""

    task: Name
    pooling: Literal["cls", "mean", "max"]
    layer: Annotated[int, Field(ge=-1, le=200)]
    batch_tokens: Annotated[int, Field(ge=16, le=10**7)]
    batch_size: Annotated[int, Field(ge=1, le=10**5)]
    precision: Literal["auto", "fp32", "bf16"]
    attention: Literal["auto", "eager", "sdpa", "flat"]
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]


class ProbeParams(Section):
    """A linear model on frozen features: the strengths tried on validation, and the solver's patience."""

    probe_strengths: Annotated[tuple[Positive, ...], Field(min_length=1)]
    max_iter: Annotated[int, Field(ge=1, le=10**6)]


class BaselineParams(ProbeParams):
    """The models a transformer has to beat."""

    task: Name
    ngrams: Annotated[int, Field(ge=1, le=5)]
    min_df: Annotated[int, Field(ge=1, le=10**6)]
    strengths: Annotated[tuple[Positive, ...], Field(min_length=1)]


class FinetuneParams(Section):
    """How the encoder is trained on a task."""

    task: Name
    epochs: Annotated[int, Field(ge=1, le=1000)]
    batch_tokens: Annotated[int, Field(ge=16, le=10**7)]
    batch_size: Annotated[int, Field(ge=1, le=10**5)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    accumulate: Annotated[int, Field(ge=1, le=10**4)]
    schedule: Literal["linear", "cosine"]
    warmup: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Share
    max_grad_norm: Annotated[float, Field(gt=0, le=10**6)]
    label_smoothing: Annotated[float, Field(ge=0, lt=1)]
    class_weights: Literal["none", "balanced"]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    freeze_embeddings: bool
    freeze_layers: Annotated[int, Field(ge=0, le=200)]
    lora: Annotated[int, Field(ge=1, le=1024)] | None
    metric: Literal["accuracy", "macro_f1", "loss"]
    evaluations: Annotated[int, Field(ge=1, le=100)]
    patience: Annotated[int, Field(ge=1, le=10**6)]
    precision: Literal["auto", "fp32", "bf16"]
    attention: Literal["auto", "eager", "sdpa", "flat"]
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]
    seed: Seed


class EvaluateParams(Section):
    """What is measured on the test split."""

    task: Name
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100, le=10**6)]
    bins: Annotated[int, Field(ge=2, le=100)]
    length_edges: tuple[Count, ...]
    slices: tuple[Text, ...]
    min_slice_rows: Count
    worst: Annotated[int, Field(ge=0, le=1000)]
    points: Annotated[int, Field(ge=0, le=10**4)]
    queries: Annotated[int, Field(ge=0, le=1000)]
    neighbours: Annotated[int, Field(ge=1, le=100)]
    seed: Seed

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(left >= right for left, right in zip(self.length_edges, self.length_edges[1:], strict=False)):
            raise ValueError(f"`length_edges` must rise: {list(self.length_edges)}")
        return self


class Gate(Section):
    """How much worse a metric may become before a change is refused; for losses and errors, worse is more."""

    largest_drop: Annotated[float, Field(ge=0, le=100)]
    level: Annotated[float, Field(gt=0, le=0.5)]
    floor: Annotated[float, Field(ge=0, le=100)] | None


class Gates(Section):
    """The gates of a task, one a metric; no stage reads them, so no edit of them runs a model again."""

    task: Name
    accuracy: Gate | None
    macro_f1: Gate | None
    log_loss: Gate | None
    brier: Gate | None
    ece: Gate | None


class ReportParams(Section):
    """What the page shows."""

    title: Text
    worst: Annotated[int, Field(ge=0, le=1000)]
    tasks: tuple[Name, ...]
    encoders: tuple[Name, ...]


TrainingParams = FinetuneParams | PretrainParams  # of any training

PER_TASK: dict[str, type[Section]] = {
    "ingest": IngestParams,
    "validate": ValidateParams,
    "tokenize": TokenizeParams,
    "extract": ExtractParams,
    "baseline": BaselineParams,
    "finetune": FinetuneParams,
    "evaluate": EvaluateParams,
    "gates": Gates,
}
