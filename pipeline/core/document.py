"""JSON documents and their strict text."""

import json
from typing import Any

Document = dict[str, Any]  # a JSON object


def json_text(value: object) -> str:
    """Return strict JSON, one key a line, keys in the order given, with a final newline.

    `<`, `>` and `&` inside strings are written as `\\u003c`, `\\u003e`, `\\u0026`, so that the text can stand inside
    HTML.

    Raises:
        ValueError: `value` holds NaN or infinity; write null and a reason instead.
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026") + "\n"
