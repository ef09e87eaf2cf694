"""Logs as one JSON object a line, on standard output, without any text that a client has sent."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import TextIO

LOG = logging.getLogger("transferline.answer")


class JsonLines(logging.Formatter):
    """A record as one line of JSON: time, level, event, and what `extra={"fields": {...}}` holds."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry)


class LogStream(logging.StreamHandler[TextIO]):
    """The log on a stream; once nobody reads it any more, the rest goes nowhere, and the server goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Say nothing of a reader that has gone: one line of log would become a traceback each."""
        if not isinstance(sys.exc_info()[1], BrokenPipeError):
            super().handleError(record)
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, self.stream.fileno())  # what is still in the buffer would fail again when Python ends
        os.close(nowhere)


def log_as_json() -> None:
    """Send what this process logs, uvicorn's messages included, to standard output."""
    handler = LogStream(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def log_event(event: str, **fields: object) -> None:
    """Log one event of the server with its fields."""
    LOG.info(event, extra={"fields": fields})
