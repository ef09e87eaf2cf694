"""The sections of production, which only its profile brings along: `export`."""

from typing import Annotated

from pydantic import Field

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import Name, Share
from pipeline.settings.problems import Problems
from pipeline.settings.section import check_section, refuse_derived, require_map


class ExportParams(Strict):
    """The gate of int8: how much worse than the trained model it may be on validation."""

    task: Name
    largest_drop: Share
    level: Annotated[float, Field(gt=0, le=0.5)]


def resolve_export(raw: Document, tasks: tuple[str, ...], problems: Problems) -> Document:
    """Return the section of the export of each task: the same values for all."""
    values, within = require_map(raw, "export", problems), problems.within("export")
    refuse_derived(values, ("task",), within)
    return {task: check_section(ExportParams, {**values, "task": task}, within) for task in tasks}
