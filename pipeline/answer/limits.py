"""Limits of requests: how many at once, and of each its bytes and its time, whatever its headers claim."""

import asyncio
from http import HTTPStatus

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_REQUESTS = 512  # at once; each may hold a body. If bodies may be larger, as many fewer
HEALTH = "/health/"  # begins the paths that hold none: a server must not be restarted because it has much to do
MAX_BODY = 2 * 1024**2  # bytes
MAX_FILE_BODY = 8 * MAX_BODY  # of a server whose models take files, say images: in base64, 12 MB
SECONDS_TO_READ = 10.0  # of a whole body
SECONDS_TO_SEND = 30.0  # of each part of an answer, to a client that reads slowly
SECONDS_TO_DRAIN = 1.0  # a connection closed on unread bytes is reset, and the client may never see the answer


class RequestLimits:
    """An application that sees only bodies that are small and come in time; others are answered with 413 and 408.

    While it works on as many requests as it may, others are answered with 503.
    """

    def __init__(self, app: ASGIApp, *, max_body: int = MAX_BODY) -> None:
        """Stand before `app`, whose bodies have `max_body` bytes at most."""
        self._app, self._open = app, 0
        self._max_body, self._most_open = max_body, max(1, MOST_REQUESTS * MAX_BODY // max_body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body of an HTTP request, then hand the request on."""
        if scope["type"] != "http" or scope["path"].startswith(HEALTH):
            await self._app(scope, receive, send)
            return
        if self._open >= self._most_open:
            detail = f"{self._most_open} requests are open. Try again in 1 s."
            await _refuse(scope, receive, send, HTTPStatus.SERVICE_UNAVAILABLE, detail, **{"Retry-After": "1"})
            return
        self._open += 1
        try:
            await self._read_and_hand_on(scope, receive, send)
        finally:
            self._open -= 1

    async def _read_and_hand_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(SECONDS_TO_READ):
                body = await _read(scope, receive, self._max_body)
        except TimeoutError:
            await _refuse(scope, receive, send, HTTPStatus.REQUEST_TIMEOUT, f"Send the body in {SECONDS_TO_READ:g} s.")
            return
        if isinstance(body, bytes):
            await self._app(scope, _replay(body, receive), _in_time(send))
        elif body:
            detail = f"Send at most {self._max_body} bytes; split the request."
            await _refuse(scope, receive, send, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)


async def _read(scope: Scope, receive: Receive, most: int) -> bytes | bool:
    """Return the whole body, True if it is too large, False if the client has gone."""
    claimed = dict(scope["headers"]).get(b"content-length", b"0")
    if claimed.isdigit() and int(claimed[:20]) > most:
        await _drain(receive)
        return True
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return False
        body += message.get("body", b"")
        if len(body) > most:
            await _drain(receive)
            return True
        if not message.get("more_body", False):
            return bytes(body)


async def _drain(receive: Receive) -> None:
    """Read on for a moment, and keep nothing."""
    try:
        async with asyncio.timeout(SECONDS_TO_DRAIN):
            while (await receive()).get("more_body", False):
                pass
    except TimeoutError:
        pass


async def _refuse(scope: Scope, receive: Receive, send: Send, status: HTTPStatus, detail: str, **headers: str) -> None:
    response = JSONResponse({"detail": detail}, status, headers={"Connection": "close", **headers})
    await response(scope, receive, _in_time(send))


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the body first, then whatever comes: that the client has gone."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return parts.pop() if parts else await receive()

    return replay


def _in_time(send: Send) -> Send:
    async def send_in_time(message: Message) -> None:
        async with asyncio.timeout(SECONDS_TO_SEND):
            await send(message)

    return send_in_time
