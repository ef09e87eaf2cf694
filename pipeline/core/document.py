"""JSON documents: their type, the strict base class of their schemas, and their strict text."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

Document = dict[str, Any]  # a JSON object


class Strict(BaseModel):
    """An immutable JSON object of known keys; unknown keys, other types, NaN and infinity are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def json_text(value: object) -> str:
    """Return strict JSON, one key a line, keys in the order given, with a final newline.

    `<`, `>` and `&` in strings are written as `\\u003c`, `\\u003e` and `\\u0026`, so the text is safe inside HTML.

    Raises:
        ValueError: `value` holds NaN or infinity; write null and a reason instead.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") + "\n"


def describe_mismatch(error: ValidationError, *above: str) -> str:
    """Return the first thing in a document that is not as its schema, `PLACE: WHAT`; `above` are the keys above it."""
    first = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, (*above, *first['loc']))) or 'document'}: {first['msg']}"
