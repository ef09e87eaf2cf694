"""Questions and answers of the HTTP interface, and the answers that probabilities lead to."""

from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictStr

from pipeline.answer.batcher import Probabilities
from pipeline.calibration.decision import Decision, decide

MAX_TEXTS = 1000  # of one request


class Question(BaseModel):
    """What `POST /v1/predict` takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"texts": ["A gripping film.", "Two hours of my life, gone."], "all": True}]},
    )

    texts: StrictStr | Annotated[list[StrictStr], Field(min_length=1, fail_fast=True)] = Field(
        description=f"One text, or up to {MAX_TEXTS}."
    )
    model: StrictStr | None = Field(None, description="The name of the model; may be left out if there is only one.")
    all: StrictBool = Field(False, description="Whether an answer holds the probabilities of all classes.")
    shape: Literal["answers", "transformers"] = Field(
        "answers",
        description="`transformers`: a list of label and score, as its pipeline gives it.",
    )


class NeighbourQuestion(BaseModel):
    """What `POST /v1/neighbours` takes."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "A gripping film."}]})

    text: StrictStr
    model: StrictStr | None = Field(None, description="The name of the model; may be left out if there is only one.")


class TrainingText(BaseModel):
    """A training example."""

    text: str = Field(description="Cut if it is long.")
    label: str
    similarity: float = Field(description="The cosine of the features of both texts by the frozen encoder, -1 to 1.")


class Answer(BaseModel):
    """The class of one text."""

    label: str
    probability: float = Field(description="Of this label, calibrated on the validation split.")
    unsure: bool = Field(description="Whether the model abstains: no class is probable enough.")
    probabilities: dict[str, float] | None = Field(None, description="Of all classes, if `all` asks for them.")


class AnswerList(BaseModel):
    """What `POST /v1/predict` returns, in the order of the texts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "reviews",
                    "version": "1f0c…",
                    "answers": [
                        {
                            "label": "positive",
                            "probability": 0.97,
                            "unsure": False,
                            "probabilities": {"negative": 0.03, "positive": 0.97},
                        }
                    ],
                }
            ]
        }
    )

    model: str
    version: str = Field(description="The SHA-256 of the model that has answered.")
    answers: list[Answer]


class Score(BaseModel):
    """One class of a text, as transformers' pipeline gives it."""

    label: str
    score: float


def to_answers(
    probabilities: Probabilities, labels: tuple[str, ...], decision: Decision, *, with_all: bool
) -> list[dict[str, Any]]:
    """Return an `Answer` for each row of (N, C) probabilities."""
    chosen, unsure = decide(probabilities, labels, decision)
    answers: list[dict[str, Any]] = []
    for row, label, abstains in zip(probabilities.tolist(), chosen, unsure.tolist(), strict=True):
        by_label = dict(zip(labels, row, strict=True))
        answer = {"label": label, "probability": by_label[label], "unsure": abstains}
        answers.append({**answer, "probabilities": by_label} if with_all else answer)
    return answers


def to_scores(probabilities: Probabilities, labels: tuple[str, ...], *, with_all: bool) -> list[Any]:
    """Return the best class of each row of (N, C) probabilities as a `Score`, or all of them, the best first."""
    order: npt.NDArray[np.int64] = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = [
        [{"label": labels[place], "score": row[place]} for place in places]
        for row, places in zip(probabilities.tolist(), order.tolist(), strict=True)
    ]
    return ranked if with_all else [scores[0] for scores in ranked]
