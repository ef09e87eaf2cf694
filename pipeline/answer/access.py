"""Access to the server: a token if one is set, and an id, a line of log and a count for each request."""

import hmac
import re
import time
import uuid
from collections.abc import Mapping
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.answer.log import log_event
from pipeline.answer.metrics import Metrics

GONE = 499  # nginx's code: the client has left before anything was sent
REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
GUARDED = ("/v1/", "/metrics")
PATHS = (
    "/",
    "/v1/predict",
    "/v1/neighbours",
    "/v1/models",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/openapi.json",
    "/docs",
)


class Access:
    """An application behind a token, each of whose requests is named, logged and counted."""

    def __init__(self, app: ASGIApp, metrics: Metrics, token: str | None) -> None:
        """Stand before `app`; without a token everybody may ask."""
        self._app, self._metrics = app, metrics
        self._expected = None if token is None else f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        start, status = time.monotonic(), GONE  # if nothing is sent
        name = _name_request(headers)
        facts = scope.setdefault("state", {})

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = name
            await send(message)

        try:
            if self._may_pass(scope["path"], headers):
                await self._app(scope, receive, send_named)
            else:
                await _challenge(scope, receive, send_named)
        except Exception:  # only to count it: the server answers 500 and logs the traceback
            status = HTTPStatus.INTERNAL_SERVER_ERROR.value
            raise
        finally:
            seconds = time.monotonic() - start
            path = scope["path"] if scope["path"] in PATHS else "other"
            self._metrics.requests.labels(path, status).inc()
            self._metrics.request_seconds.labels(path).observe(seconds)
            log_event(
                "request", id=name, method=scope["method"], path=scope["path"][:100], code=status,
                texts=facts.get("texts", 0), tokens=facts.get("tokens", 0), ms=round(seconds * 1000, 1),
            )  # fmt: skip

    def _may_pass(self, path: str, headers: Mapping[bytes, bytes]) -> bool:
        """Return whether a request has the token, or needs none."""
        if self._expected is None or not path.startswith(GUARDED):
            return True
        return hmac.compare_digest(headers.get(b"authorization", b""), self._expected)


def _name_request(headers: Mapping[bytes, bytes]) -> str:
    """Return the id that the client gave if it is a harmless word, else a new one."""
    given = headers.get(b"x-request-id", b"")
    return given.decode("ascii") if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


async def _challenge(scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse(
        {"detail": "Send the header `Authorization: Bearer TOKEN`."}, HTTPStatus.UNAUTHORIZED,
        headers={"WWW-Authenticate": "Bearer"},
    )  # fmt: skip
    await response(scope, receive, send)
