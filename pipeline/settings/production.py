"""The sections of production: `watch`, and `export`, which only its profile brings along."""

from typing import Annotated

from pydantic import Field

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import Count, Name, Seed, Share
from pipeline.settings.problems import Problems
from pipeline.settings.section import check_section, refuse_derived, require_map


class ExportParams(Strict):
    """The gate of int8: how much worse than the trained model it may be on validation."""

    task: Name
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


def resolve_export(raw: Document, tasks: tuple[str, ...], problems: Problems) -> Document:
    """Return the section of the export of each task: the same values for all."""
    values, within = require_map(raw, "export", problems), problems.within("export")
    refuse_derived(values, ("task",), within)
    return {task: check_section(ExportParams, {**values, "task": task}, within) for task in tasks}
