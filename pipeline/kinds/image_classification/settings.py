"""Settings of image classification: the sections of its tasks, and the rules between them."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import Field

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import Count, Share, Text
from pipeline.settings.ingest import Holds
from pipeline.settings.problems import Problems
from pipeline.settings.production import CalibrateParams, WatchParams, check_favoured
from pipeline.settings.shared.classes import ClassChecksParams, ClassGates, ClassifierParams, LabelParams
from pipeline.settings.shared.evaluation import ProbabilityParams, ProjectionParams, check_slices
from pipeline.settings.shared.kind import Settings
from pipeline.settings.task import CardParams, EvaluateParams, ExtractParams, ProbeParams, SampleParams, TaskParams

MOST_PIXELS = 89_478_485  # from which on the library warns of a decompression bomb


class ImageIngestParams(LabelParams):
    """The columns of images that have one class each; of Parquet they hold bytes, otherwise paths."""

    made = ("image", "width", "height", "label")

    image: Text
    empty: Literal["drop", "fail"]
    max_pixels: Annotated[int, Field(ge=1, le=MOST_PIXELS)]

    def list_errors(self) -> Iterator[str]:
        """Yield what contradicts itself, in the columns and in the folder of the images too."""
        if self.image == self.label:
            yield f"`image` and `label` must be two columns, both are {self.label!r}"
        if self.format != "parquet" and self.files is None:
            yield (
                "the images are files that rows name by their paths, so `file` must be the folder of them all, and "
                "`files` the table in it (or `format: parquet`, with the images as bytes)"
            )
        yield from super().list_errors()

    def own_columns(self) -> dict[str, Holds]:
        """Return the column of the image, then that of the label."""
        holds: Holds = "bytes" if self.format == "parquet" else "cell"
        return {self.image: holds, **super().own_columns()}


class ClassProfile(Strict):
    """The profile of a task's train split: the reference of drift."""

    rows: Count
    label_shares: dict[str, Share]


class ImageChecksParams(ClassChecksParams):
    """The thresholds of the checks of images that have one class each."""

    min_side: Count
    max_changed_share: Share
    max_near_share: Share
    reference: ClassProfile | None


class ImageTrainingParams(ClassifierParams):
    """The parameters of training an encoder to tell images apart."""

    crop: Annotated[float, Field(ge=0, le=0.5)]
    flip: bool


class ImageBaselineParams(SampleParams, ProbeParams):
    """The parameters of the linear models of images that a transformer has to beat."""


class ImageEvaluateParams(EvaluateParams, ProbabilityParams, ProjectionParams):
    """The parameters of the measurements of classes of images."""


def _check(sections: Mapping[str, Document], problems: Problems) -> None:
    ingest = sections["ingest"]
    check_slices(sections, problems, own=("label",))
    check_favoured(ingest, sections["calibrate"], problems.within("calibrate.favoured"))


SETTINGS = Settings(
    sections={
        "ingest": ImageIngestParams,
        "validate": ImageChecksParams,
        "tokenize": TaskParams,
        "extract": ExtractParams,
        "baseline": ImageBaselineParams,
        "inspect": TaskParams,
        "finetune": ImageTrainingParams,
        "calibrate": CalibrateParams,
        "evaluate": ImageEvaluateParams,
        "gates": ClassGates,
        "watch": WatchParams,
        "card": CardParams,
    },
    check=_check,
    columns={"image": "image", "label": "class"},
)
