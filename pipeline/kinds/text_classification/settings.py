"""Settings of text classification: the sections of its tasks, and the rules between them."""

from collections.abc import Mapping

from pipeline.core.document import Document
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


class TextEvaluateParams(EvaluateParams, ProbabilityParams, LengthParams, ProjectionParams):
    """The parameters of the measurements of classes of texts."""


class TextCellParams(StudyParams):
    """A cell of the study with an encoder that learns classes of texts."""

    finetune: ClassifierParams | None


def _check(sections: Mapping[str, Document], problems: Problems) -> None:
    ingest = sections["ingest"]
    check_slices(sections, problems, own=("label",))
    check_favoured(ingest, sections["calibrate"], problems.within("calibrate.favoured"))


SETTINGS = Settings(
    sections={
        "ingest": LabelledTextParams,
        "validate": LabelledTextChecksParams,
        "tokenize": TokenizeParams,
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
