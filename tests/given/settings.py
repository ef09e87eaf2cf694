"""params.yaml as a test writes it."""

import io
from typing import Any

from ruamel.yaml import YAML


def dump(values: dict[str, Any]) -> str:
    """Return `values` as YAML 1.2 text."""
    stream = io.StringIO()
    YAML().dump(values, stream)
    return stream.getvalue()
