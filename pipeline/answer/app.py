"""The application: the routes of the HTTP interface, and its errors as answers."""

import asyncio
import json
import math
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from pipeline.answer.access import GONE
from pipeline.answer.batcher import Batcher, Overloaded
from pipeline.answer.page import PAGE_ROUTES
from pipeline.answer.question import (
    MAX_TEXTS,
    NeighbourQuestion,
    Question,
    Score,
    ScoredSpan,
    TrainingText,
    list_answers,
)
from pipeline.answer.service import Service
from pipeline.answer.waiting import BadQuestion, ClientGone, DeadlinePassed, ask, prepare_rows, prepare_texts
from pipeline.core.errors import listed

MOST_SECONDS = 600.0  # a client may ask to wait
INTERFACE = "1"  # of the paths below /v1
_SHOWN = 5  # faults of a body, and the length in words of a place in it
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"description": "The token is missing or wrong."},
    404: {"description": "There is no such model."},
    408: {"description": "The body came too slowly."},
    413: {"description": f"The body is too large, or holds more than {MAX_TEXTS} texts."},
    503: {"description": "Too much waits, or too many requests are open; `Retry-After` says when to try again."},
    504: {"description": "The time of the request is over."},
}
ROUTES = APIRouter()

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def make_app(service: Service, lifespan: Lifespan) -> FastAPI:
    """Return the application of a service, with neither limits nor a token."""
    app = FastAPI(
        title="Transferline", version=INTERFACE, docs_url=None, redoc_url=None, lifespan=lifespan,
        description="Answers of models to texts and images.",
    )  # fmt: skip
    app.state.service = service
    answers = list_answers(batcher.predictor.answers for batcher in service.models.values())
    app.add_api_route(
        "/v1/predict", answer_question, methods=["POST"], responses=REFUSALS,
        response_model=answers | list[Score] | list[list[Score]] | list[ScoredSpan] | list[list[ScoredSpan]],
    )  # fmt: skip
    app.include_router(ROUTES)
    app.include_router(PAGE_ROUTES)
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)  # type: ignore[arg-type]
    return app


async def answer_question(
    question: Question,
    request: Request,
    x_timeout_seconds: Annotated[
        float | None, Header(gt=0, le=MOST_SECONDS, description="The request is worth nothing afterwards.")
    ] = None,
) -> Response:
    """Return the answer to each text."""
    service = _service(request)
    texts = [question.texts] if isinstance(question.texts, str) else question.texts
    request.state.texts = len(question.rows or texts)
    if request.state.texts > MAX_TEXTS:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"Send at most {MAX_TEXTS} texts a request.")
    name, batcher = _choose(service, question.model)
    predictor = batcher.predictor
    if fault := _find_contradiction(question, name, has_shape=predictor.answers.pipe is not None):
        return _json({"detail": [fault]}, HTTPStatus.UNPROCESSABLE_ENTITY)
    read = partial(prepare_rows, batcher, question.rows) if question.rows else partial(prepare_texts, batcher, texts)
    gone = asyncio.ensure_future(_until_gone(request))
    try:
        outputs, prepared = await ask(batcher, read, seconds=x_timeout_seconds or service.patience.answer, gone=gone)
    except (Overloaded, BadQuestion, DeadlinePassed, ClientGone) as error:
        return _refuse_texts(service, name, error)
    finally:
        gone.cancel()
    request.state.tokens = sum(map(len, prepared.rows))
    pipe = predictor.answers.pipe if question.shape == "transformers" else None
    give = pipe or predictor.answers.respond
    answers: Any = give(outputs, prepared.questions, predictor.labels, predictor.decision, question.all)
    content = answers if pipe else {"model": name, "version": predictor.version, "answers": answers}
    return _json(content, headers={"X-Model-Version": predictor.version})


def _find_contradiction(question: Question, name: str, *, has_shape: bool) -> dict[str, Any] | None:
    """Return what a question asks of a model, which has transformers' shape or not, and cannot have; None: nothing."""
    if question.shape == "transformers" and not has_shape:
        return _fault(("body", "shape"), f"{listed([name])} gives no such shape. Leave it out.")
    if question.rows and question.texts:
        return _fault(("body", "rows"), "Send either `texts` or `rows`.")
    return None


@ROUTES.post("/v1/neighbours", response_model=list[TrainingText], responses=REFUSALS)
async def find_neighbours_of_text(question: NeighbourQuestion, request: Request) -> Response:
    """Return the training texts nearest to a text, the nearest first, if the server may show them (`--neighbours`)."""
    service = _service(request)
    name, batcher = _choose(service, question.model)
    if name not in service.neighbours:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"{listed([name])} shows no training texts.")
    if service.finding.locked():  # for a person, not for a load
        return _refuse_load(service, name, 1)
    async with service.finding:
        try:
            rows = (await asyncio.to_thread(prepare_texts, batcher, [question.text])).rows
        except BadQuestion as error:
            fault = _fault(("body", "text"), str(error))
            return _json({"detail": [fault]}, HTTPStatus.UNPROCESSABLE_ENTITY)
        near = await asyncio.to_thread(service.neighbours[name], rows)
    return _json(near)


@ROUTES.get("/v1/models")
async def list_models(request: Request) -> list[dict[str, Any]]:
    """Return the models with their versions and labels."""
    service = _service(request)
    return [
        {
            "model": name,
            "kind": batcher.predictor.kind,
            "version": batcher.predictor.version,
            "backend": batcher.predictor.backend,
            "takes": list(batcher.predictor.answers.questions.fields),
            "labels": list(batcher.predictor.labels),
            "max_length": batcher.predictor.max_length,
            "neighbours": name in service.neighbours,
        }
        for name, batcher in service.models.items()
    ]


@ROUTES.get("/health/live")
async def say_live() -> dict[str, str]:
    """Answer as long as the server does anything: restart it otherwise."""
    return {"status": "live"}


@ROUTES.get("/health/ready", responses={503: {"description": "The server is stopping."}})
async def say_ready(request: Request) -> Response:
    """Answer 200 if requests should be sent here, 503 otherwise."""
    if _service(request).is_ready():
        return _json({"status": "ready"})
    return _json({"status": "stopping"}, HTTPStatus.SERVICE_UNAVAILABLE)


@ROUTES.get("/metrics", response_class=Response)
async def show_metrics(request: Request) -> Response:
    """Return all metrics in the text form of Prometheus."""
    return Response(_service(request).metrics.expose(), media_type="text/plain; version=0.0.4")


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _choose(service: Service, name: str | None) -> tuple[str, Batcher]:
    """Return the model that a request names, or the only one.

    Raises:
        HTTPException: There is no such model (404), or none is named among several (422).
    """
    names = listed(service.models)
    if name is None and len(service.models) == 1:
        return next(iter(service.models.items()))
    if name is None:
        raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, [_fault(("body", "model"), f"Name one of {names}.")])
    if name not in service.models:
        raise HTTPException(HTTPStatus.NOT_FOUND, f"No model {listed([name])}. Name one of {names}.")
    return name, service.models[name]


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _refuse_texts(service: Service, name: str, error: Exception) -> Response:
    """Return the answer to a request that is not computed."""
    if isinstance(error, BadQuestion):
        fault = _fault(("body", *error.place), str(error))
        return _json({"detail": [fault]}, HTTPStatus.UNPROCESSABLE_ENTITY)
    if isinstance(error, Overloaded):
        return _refuse_load(service, name, math.ceil(error.seconds))
    if isinstance(error, DeadlinePassed):
        service.metrics.dropped.labels(name, "deadline").inc()
        return _json(
            {"detail": "The time of the request is over. Allow more or send less."}, HTTPStatus.GATEWAY_TIMEOUT
        )
    service.metrics.dropped.labels(name, "gone").inc()
    return Response(status_code=GONE)


def _refuse_load(service: Service, name: str, seconds: int) -> Response:
    service.metrics.dropped.labels(name, "overload").inc()
    return _json(
        {"detail": f"Too much waits. Try again in {seconds} s."}, HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Retry-After": str(seconds)},
    )  # fmt: skip


async def _say_what_is_wrong(_request: Request, error: RequestValidationError) -> Response:
    """Return the places and kinds of the first faults, but nothing of what was sent: it may be large, or no JSON."""
    faults = [_fault(fault["loc"], fault["msg"]) for fault in error.errors()[:_SHOWN]]
    return _json({"detail": faults}, HTTPStatus.UNPROCESSABLE_ENTITY)


def _fault(place: tuple[int | str, ...], message: str) -> dict[str, Any]:
    words = [word if isinstance(word, int) else word[:100] for word in place[:_SHOWN]]
    return {"loc": words, "msg": message}


def _json(content: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    """Return strict JSON in ASCII, which also a lone surrogate fits into."""
    return Response(json.dumps(content, allow_nan=False), status, headers, media_type="application/json")
