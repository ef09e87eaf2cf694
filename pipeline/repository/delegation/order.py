"""The order of a stage to another machine and what that delivers, as bytes: nothing here knows DVC."""

import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

# The files by which the process that does the work is told what to do, and tells what came of it.
ORDER_FILE, DELIVERY_FILE, FAULT_FILE = (Path(".dvc/tmp/delegation", name) for name in ("order", "delivery", "fault"))


class StageOrder(NamedTuple):
    """A stage for another machine to reproduce, with all that is in neither its commit nor DVC's remote.

    `pulls` are the stages whose outputs are on the remote, `entries` those of dvc.lock for the stages it needs, `files`
    the contents of small files by path, and `hashes` DVC's hash of each dependency by path.
    """

    stage: str
    pulls: list[str]
    entries: dict[str, Any]
    files: dict[str, bytes]
    hashes: dict[str, str]

    def encode(self) -> bytes:
        """Return it as bytes."""
        return _encode(self._asdict())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the order that was encoded."""
        return cls(**_decode(data))


class StageDelivery(NamedTuple):
    """The result of a stage: its entry of dvc.lock, its small files by path, and the seconds it took.

    Its other outputs are on the remote.
    """

    entry: dict[str, Any]
    files: dict[str, bytes]
    seconds: float

    def encode(self) -> bytes:
        """Return it as bytes."""
        return _encode(self._asdict())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the delivery that was encoded."""
        return cls(**_decode(data))


def _encode(fields: Mapping[str, Any]) -> bytes:
    files = {path: base64.b64encode(content).decode() for path, content in fields["files"].items()}
    return json.dumps({**fields, "files": files}).encode()


def _decode(data: bytes) -> dict[str, Any]:
    fields = json.loads(data)
    return {**fields, "files": {path: base64.b64decode(content) for path, content in fields["files"].items()}}
