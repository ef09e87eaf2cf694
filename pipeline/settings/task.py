"""The sections of params.yaml that tasks may override: one strict class for each stage, without defaults."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import Count, Name, Positive, Seed, Share, Text


class Profile(Strict):
    """The profile of a task's train split: the reference of drift."""

    rows: Count
    label_shares: dict[str, Share]
    length_counts: tuple[Annotated[int, Field(ge=0)], ...]

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        total = sum(self.label_shares.values())
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the label shares must sum to 1, found {total:g}")
        if sum(self.length_counts) != self.rows:
            raise ValueError(f"the lengths must sum to `rows`, {self.rows}, found {sum(self.length_counts)}")
        return self


class TaskParams(Strict):
    """A section of a task; of a stage that leaves the rest of it to the task's kind, all that the stage knows."""

    task: Name


class ValidateParams(TaskParams):
    """The thresholds of the checks of examples of any kind; a kind adds its own, and its `reference` for drift."""

    min_rows: Count
    max_conflict_share: Share
    max_duplicate_share: Share
    max_dropped_share: Share


class TokenizeParams(TaskParams):
    """The parameters that turn texts into token ids."""

    max_length: Annotated[int, Field(ge=4, le=8192)]
    batch_texts: Annotated[int, Field(ge=1, le=10**6)]
    max_unknown_share: Share


class ExtractParams(Strict):
    """The parameters that turn an example into a vector of the frozen encoder."""

    task: Name
    pooling: Literal["cls", "mean", "max"]
    layer: Annotated[int, Field(ge=-1, le=200)]
    batch_tokens: Annotated[int, Field(ge=16, le=10**7)]
    batch_size: Annotated[int, Field(ge=1, le=10**5)]
    precision: Literal["auto", "fp32", "bf16"]
    attention: Literal["auto", "eager", "sdpa", "flat"]
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]


class SampleParams(TaskParams):
    """How many rows of train a baseline is fitted to at most; it is tuned on a fifth as many of validation."""

    sample: Annotated[int, Field(ge=100, le=10**7)]


class ProbeParams(Strict):
    """A linear model on frozen features: the strengths tried on validation, and the limit of the solver."""

    probe_strengths: Annotated[tuple[Positive, ...], Field(min_length=1)]
    max_iter: Annotated[int, Field(ge=1, le=10**6)]


class BaselineParams(SampleParams, ProbeParams):
    """The parameters of the models of texts that a transformer has to beat."""

    ngrams: Annotated[int, Field(ge=1, le=5)]
    characters: Annotated[int, Field(ge=0, le=8)]
    min_df: Annotated[int, Field(ge=1, le=10**6)]
    strengths: Annotated[tuple[Positive, ...], Field(min_length=1)]


class InspectParams(BaselineParams):
    """The parameters of the search for suspicious examples; the models are the baselines."""

    near_similarity: Annotated[float, Field(gt=0, le=1)]
    near_shingle: Annotated[int, Field(ge=2, le=20)]
    folds: Annotated[int, Field(ge=3, le=20)]
    outlier_neighbours: Annotated[int, Field(ge=1, le=100)]
    outlier_sample: Annotated[int, Field(ge=2, le=10**6)]
    outlier_fence: Annotated[float, Field(gt=0, le=100)]
    most: Annotated[int, Field(ge=0, le=10**6)]


class TrainingParams(Strict):
    """The parameters of any training by gradients."""

    batch_tokens: Annotated[int, Field(ge=16, le=10**7)]
    learning_rate: Annotated[float, Field(gt=0, le=1)]
    accumulate: Annotated[int, Field(ge=1, le=10**4)]
    schedule: Literal["linear", "cosine"]
    warmup: Annotated[float, Field(ge=0, lt=1)]
    weight_decay: Share
    max_grad_norm: Annotated[float, Field(gt=0, le=10**6)]
    dropout: Annotated[float, Field(ge=0, lt=1)]
    patience: Annotated[int, Field(ge=1, le=10**6)]
    precision: Literal["auto", "fp32", "bf16"]
    attention: Literal["auto", "eager", "sdpa", "flat"]
    threads: Annotated[int, Field(ge=1, le=1024)] | Literal["auto"]
    seed: Seed


class FinetuneParams(TrainingParams):
    """The parameters of training the encoder on a task; those of its loss and metric are its kind's own."""

    task: Name
    kind: Name
    epochs: Annotated[int, Field(ge=1, le=1000)]
    batch_size: Annotated[int, Field(ge=1, le=10**5)]
    layer_decay: Annotated[float, Field(gt=0, le=1)]
    freeze_embeddings: bool
    freeze_layers: Annotated[int, Field(ge=0, le=200)]
    lora: Annotated[int, Field(ge=1, le=1024)] | None
    evaluations: Annotated[int, Field(ge=1, le=100)]


class EvaluateParams(Strict):
    """The parameters of the measurements on the test split, of any kind of task."""

    task: Name
    confidence: Annotated[float, Field(gt=0, lt=1)]
    resamples: Annotated[int, Field(ge=100, le=10**6)]
    slices: tuple[Text, ...]
    min_slice_rows: Count
    worst: Annotated[int, Field(ge=0, le=1000)]
    seed: Seed


class MetricGate(Strict):
    """The largest allowed worsening of a metric; of losses and errors, more is worse."""

    largest_drop: Annotated[float, Field(ge=0, le=100)]
    level: Annotated[float, Field(gt=0, le=0.5)]
    floor: Annotated[float, Field(ge=0, le=100)] | None


class CardParams(Strict):
    """What the pipeline cannot know about a model, for its card; None is left out."""

    task: Name
    license: Text | None
    language: Text | None
    base_model: Text | None
    dataset: Text | None


class ReportParams(Strict):
    """The parameters of the page and of the model cards."""

    title: Text
    worst: Annotated[int, Field(ge=0, le=1000)]
    tasks: tuple[Name, ...]
    kinds: dict[Name, Name]
    encoders: tuple[Name, ...]
    cards: dict[Name, CardParams]


class Trackers(Strict):
    """The trackers of experiments that are sent each run."""

    track: tuple[Literal["mlflow", "wandb"], ...]


class TrackParams(Strict):
    """The parameters of a tracker; `tasks` are the settings to show of each task, by stage."""

    tracker: Literal["mlflow", "wandb"]
    title: Text
    tasks: dict[Name, dict[str, Any]]


# The sections of a task; the class of each is its kind's (`Settings.sections`).
PER_TASK = (
    "ingest", "validate", "tokenize", "extract", "baseline", "inspect", "finetune", "calibrate", "evaluate", "gates",
    "watch", "card",
)  # fmt: skip
SHOWN = ("ingest", "tokenize", "finetune", "evaluate")  # the sections of a task that a tracker is sent


def describe_tasks(tracker: str, resolved: Document, encoders: Document) -> Document:
    """Return the section of a tracker: the encoder and the settings that the results of each task are known by."""
    tasks = {
        task: {"encoder": encoder, **{stage: {**resolved[stage][task]} for stage in SHOWN}}
        for task, encoder in encoders.items()
    }
    for settings in tasks.values():
        settings["ingest"].pop("corrected", None)  # data
    return {"tracker": tracker, "title": resolved["report"].get("title"), "tasks": tasks}
