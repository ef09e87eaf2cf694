"""The generated part of the README: the table of results."""

import re

from pipeline.core.errors import REPRODUCE, UsageError


def replace_part(text: str, part: str, content: str) -> str:
    """Return `text` with everything between `<!-- part -->` and `<!-- /part -->` replaced by `content`.

    Raises:
        UsageError: A mark is missing, or they are not in this order.
    """
    before, start, rest = text.partition(f"<!-- {part} -->\n")
    _, end, after = rest.partition(f"<!-- /{part} -->")
    if not (start and end):
        raise UsageError(f"README: marks not found: `<!-- {part} -->` and `<!-- /{part} -->`. Restore them.")
    return f"{before}{start}{content.strip()}\n{end}{after}"


def first_table(summary: str) -> str:
    """Return the first table of the report's Markdown.

    Raises:
        UsageError: The text has no table.
    """
    table = re.search(r"^\|.*(?:\n\|.*)+", summary, flags=re.MULTILINE)
    if table is None:
        raise UsageError(f"report: no table in the summary. {REPRODUCE}")
    return table.group()
