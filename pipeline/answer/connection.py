"""Connections that are closed if their client does not send the headers of a request in time."""

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

SECONDS_TO_HEADERS = 10.0
MOST_BYTES_OF_HEADERS = 2**16  # h11 has this limit, httptools has none


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # httptools' or h11's, whichever is installed
    """uvicorn's connection, which alone waits for headers forever, and may take endless ones."""

    _timer: asyncio.TimerHandle | None = None
    _bytes = 0  # since the headers of the request began

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first headers."""
        super().connection_made(transport)
        self._watch(0)

    def data_received(self, data: bytes) -> None:
        """Read on; the time of one request's headers begins with their first byte."""
        super().data_received(data)
        self._watch(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop()
        super().connection_lost(exc)

    def _watch(self, received: int) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
            return
        self._bytes += received
        if self._bytes > MOST_BYTES_OF_HEADERS:
            self.transport.close()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SECONDS_TO_HEADERS, self.transport.close)

    def _stop(self) -> None:
        self._bytes = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
