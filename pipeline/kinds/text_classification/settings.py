"""Settings of text classification: the sections of its tasks, and the rules between them."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.core.document import Document, Strict
from pipeline.settings.problems import Problems
from pipeline.settings.production import CalibrateParams, WatchParams, check_favoured
from pipeline.settings.shared.classes import ClassGates, ClassifierParams
from pipeline.settings.shared.evaluation import LengthParams, ProbabilityParams, ProjectionParams, check_slices
from pipeline.settings.shared.kind import Settings
from pipeline.settings.shared.texts import LabelledTextChecksParams, LabelledTextParams
from pipeline.settings.study import RivalParams, StudyParams
from pipeline.settings.task import (
    BaselineParams,
    CardParams,
    EvaluateParams,
    ExtractParams,
    InspectParams,
    TokenizeParams,
)

_LEAST_NEW = 8  # tokens at least that a window does not share with the one before, special ones among them


class Windows(Strict):
    """The windows of a text: the tokens that one shares with the next."""

    stride: Annotated[int, Field(ge=0, le=4096)]


class TextTokenizeParams(TokenizeParams):
    """The parameters that turn texts into token ids, or into those of windows that leave nothing out."""

    windows: Windows | None

    @model_validator(mode="after")
    def _check_stride(self) -> Self:
        if self.windows and self.windows.stride > self.max_length - _LEAST_NEW:
            raise ValueError(
                f"`windows.stride` must be at most `max_length` - {_LEAST_NEW}, or a window has no new token, found "
                f"{self.windows.stride} of {self.max_length}"
            )
        return self


class TextEvaluateParams(EvaluateParams, ProbabilityParams, LengthParams, ProjectionParams):
    """The parameters of the measurements of classes of texts."""


class TextCellParams(StudyParams):
    """A cell of the study with an encoder that learns classes of texts."""

    finetune: ClassifierParams | None


def _check(sections: Mapping[str, Document], problems: Problems) -> None:
    ingest = sections["ingest"]
    check_slices(sections, problems, own=("label",))
    check_favoured(ingest, sections["calibrate"], problems.within("calibrate.favoured"))
    if ingest.get("pair") is not None and sections["tokenize"].get("windows") is not None:
        problems.within("tokenize.windows").add("", "must be null if `ingest.pair` is set: windows are of single texts")


SETTINGS = Settings(
    sections={
        "ingest": LabelledTextParams,
        "validate": LabelledTextChecksParams,
        "tokenize": TextTokenizeParams,
        "extract": ExtractParams,
        "baseline": BaselineParams,
        "inspect": InspectParams,
        "finetune": ClassifierParams,
        "calibrate": CalibrateParams,
        "evaluate": TextEvaluateParams,
        "gates": ClassGates,
        "watch": WatchParams,
        "card": CardParams,
        "rival": RivalParams,
        "study": TextCellParams,
    },
    check=_check,
    columns={"text": "text", "label": "class"},
    texts=("text",),
)
