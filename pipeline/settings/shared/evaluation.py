"""Parameters of `evaluate` that several kinds of task have."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.core.document import Strict
from pipeline.settings.fields import Count


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
