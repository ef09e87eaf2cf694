"""The sections of production: `calibrate`, `watch`, and `export`, which only its profile brings along."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from pipeline.core.document import Document, Strict
from pipeline.core.errors import listed
from pipeline.core.stage import list_kinds
from pipeline.settings.fields import Count, Name, Seed, Share, Text
from pipeline.settings.problems import Problems, describe_unknown
from pipeline.settings.section import check_section, refuse_derived, require_map

_Goal = Annotated[float, Field(gt=0, le=1)]


class _OneGoal(Strict):
    """Two goals, of which exactly one is given."""

    _goals: ClassVar[tuple[str, str]]

    @model_validator(mode="after")
    def _check_goal(self) -> Self:
        if sum(getattr(self, goal) is not None for goal in self._goals) != 1:
            raise ValueError("give either `{}` or `{}`".format(*self._goals))
        return self


class Abstain(_OneGoal):
    """What is wanted of the answers that are sure: their accuracy, or their share of all rows."""

    _goals = ("accuracy", "coverage")
    accuracy: _Goal | None = None
    coverage: _Goal | None = None


class Favoured(_OneGoal):
    """A class that matters, and the precision or the recall that is wanted of it."""

    _goals = ("precision", "recall")
    label: Annotated[Text, Field(alias="class")]
    precision: _Goal | None = None
    recall: _Goal | None = None


class CalibrateParams(Strict):
    """What is answered from the probabilities of a task; None: always the most probable class."""

    task: Name
    abstain: Abstain | None
    favoured: Favoured | None


def check_favoured(ingest: Document, calibrate: Document, problems: Problems) -> None:
    """Add an error for a favoured class that the task does not have, or cannot know yet."""
    favoured, labels = calibrate.get("favoured"), ingest.get("labels")
    if not favoured or not ingest:
        return
    if not labels and not ingest["threshold"]:
        problems.add("class", "the file names the classes; give `ingest.labels` too, so that this one can be looked up")
        return
    names = labels.values() if isinstance(labels, dict) else labels or _sides(ingest["threshold"])
    classes = tuple(dict.fromkeys(names))
    if favoured["class"] not in classes:
        problems.add("class", describe_unknown(favoured["class"], classes, kind="class"))


def _sides(threshold: Document) -> tuple[str, str]:
    return threshold["otherwise"], threshold["above"]


class ExportParams(Strict):
    """The gate of int8: how much worse than the trained model it may be on validation."""

    task: Name
    kind: Text
    largest_drop: Share
    level: Annotated[float, Field(gt=0, le=0.5)]


class WatchParams(Strict):
    """The limits of `watch`; no stage reads them. None: the number is shown, and not judged."""

    task: Name
    rows: Annotated[int, Field(ge=10, le=10**6)]
    min_rows: Count
    level: Annotated[float, Field(gt=0, le=0.5)]
    max_length_distance: Share | None
    max_truncated_rise: Share | None
    max_unknown_rise: Share | None
    max_class_distance: Share | None
    max_confidence_distance: Share | None
    max_unsure_rise: Share | None
    max_auc: Annotated[float, Field(ge=0.5, le=1)] | None
    max_accuracy_drop: Share | None
    seed: Seed


def resolve_export(raw: Document, resolved: Document, problems: Problems) -> Document:
    """Return the section of the export of each task, the same for all; `resolved` are their other sections."""
    kinds = resolved["kinds"]
    values, within = require_map(raw, "export", problems), problems.within("export")
    known = list_kinds("answers")
    for task, kind in kinds.items():
        if kind not in known:
            within.add("", f"exports the kinds {listed(known)}, found {task!r} of the kind {kind}; remove it")
    refuse_derived(values, ("task", "kind"), within)
    own = {task: {**values, "task": task, "kind": kind} for task, kind in kinds.items()}
    return {task: check_section(ExportParams, section, within) for task, section in own.items()}
