"""Parameters of `evaluate` that several kinds of task have, and rules for them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import Count
from pipeline.settings.problems import Problems


class ProbabilityParams(Strict):
    """The parameters of the calibration of class probabilities."""

    bins: Annotated[int, Field(ge=2, le=100)]


class LengthParams(Strict):
    """The parameters of slices of texts by their length."""

    length_edges: tuple[Count, ...]

    @model_validator(mode="after")
    def _check_edges(self) -> Self:
        if any(left >= right for left, right in zip(self.length_edges, self.length_edges[1:], strict=False)):
            raise ValueError(f"`length_edges` must rise, found {list(self.length_edges)}")
        return self


class ProjectionParams(Strict):
    """The parameters of the plot of the features."""

    points: Annotated[int, Field(ge=0, le=10**4)]
    queries: Annotated[int, Field(ge=0, le=1000)]
    neighbours: Annotated[int, Field(ge=1, le=100)]


def check_slices(sections: Mapping[str, Document], problems: Problems, *, own: Sequence[str] = ()) -> None:
    """Add an error for a slice by a column that the examples will not have: now, and not after hours of training.

    They have those of `ingest.keep`, and the kind's `own`.
    """
    columns = (*sections["ingest"].get("keep", ()), *own)
    for column in sections["evaluate"].get("slices", ()):
        if sections["ingest"] and column not in columns:
            shown = ", ".join(columns) or "none yet"
            problems.within("evaluate.slices").add("", f"must be columns of `ingest.keep` ({shown}), found {column!r}")


def refuse_decision(sections: Mapping[str, Document], problems: Problems, why: str) -> None:
    """Add an error for each rule of `calibrate` that decides between classes, of a kind that has none."""
    for key in ("abstain", "favoured"):
        if sections["calibrate"].get(key) is not None:
            problems.within(f"calibrate.{key}").add("", f"must be null, since {why}")
