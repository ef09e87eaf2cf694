"""Questions and answers of the HTTP interface."""

from collections.abc import Iterable
from functools import reduce
from operator import or_
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictStr,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

from pipeline.predict.kind import Answers

MAX_TEXTS = 1000  # of one request


class Question(BaseModel):
    """What `POST /v1/predict` takes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"texts": ["A gripping film.", "Two hours of my life, gone."], "all": True}]},
    )

    rows: Annotated[list[dict[str, Any]], Field(min_length=1, fail_fast=True)] | None = Field(
        None, description=f"Up to {MAX_TEXTS} questions that are no plain texts: objects with what the model takes."
    )
    texts: StrictStr | Annotated[list[StrictStr], Field(min_length=1, fail_fast=True)] = Field(
        None, validate_default=True, description=f"One text, or up to {MAX_TEXTS}; without `rows`."
    )  # fmt: skip
    model: StrictStr | None = Field(None, description="The name of the model; may be left out if there is only one.")
    all: StrictBool = Field(False, description="Whether an answer holds the probabilities of all classes.")
    shape: Literal["answers", "transformers"] = Field(
        "answers",
        description="`transformers`: a list of label and score, or of spans, as its pipelines give them.",
    )

    @field_validator("texts", mode="wrap")
    @classmethod
    def _need_texts_or_rows(cls, value: Any, check: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """Return the texts, none if there are rows in their place."""
        if value is not None:
            return check(value)
        if not info.data.get("rows"):
            raise PydanticCustomError("missing", "Field required")
        return []


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


class AnswerList(BaseModel):
    """What `POST /v1/predict` returns, in the order of the texts."""

    model: str
    version: str = Field(description="The SHA-256 of the model that has answered.")
    answers: list[Any]


class Score(BaseModel):
    """One output of the model for a text, as transformers' pipeline gives it."""

    label: str
    score: float


class ScoredSpan(BaseModel):
    """A part of a passage, as transformers' pipeline gives it; "" says that it holds no answer."""

    score: float
    start: int
    end: int
    answer: str


def list_answers(kinds: Iterable[Answers]) -> type[AnswerList]:
    """Return the class of the lists of answers of some kinds."""
    types = {kind.answer[0]: kind.answer[1] for kind in kinds}
    shown: list[Any] = [{"model": "reviews", "version": "1f0c…", "answers": [example]} for example in types.values()]
    own = {
        "__module__": __name__,
        "__doc__": AnswerList.__doc__,
        "__annotations__": {"answers": list[reduce(or_, types)]},  # type: ignore[misc]  # known at run time alone
        "model_config": ConfigDict(json_schema_extra={"examples": shown}),
    }
    return type("AnswerList", (AnswerList,), own)
