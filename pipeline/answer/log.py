"""Logs as one JSON object a line, on standard output, without any text that a client has sent."""

import json
import logging
import sys
from datetime import UTC, datetime

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


def log_as_json() -> None:
    """Send what this process logs, uvicorn's messages included, to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def log_event(event: str, **fields: object) -> None:
    """Log one event of the server with its fields."""
    LOG.info(event, extra={"fields": fields})
