"""The text of params.yaml, edited by lines, so that all that is not meant stays as it was to the last blank."""

import json
import re
from collections.abc import Sequence
from typing import Any

from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.settings.parse import parse_params, submap

_PLAIN = re.compile(r"[^\W\d_][\w /.*-]*")
# What YAML 1.1, which DVC reads, takes for something else than text.
_NOT_TEXT = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}


def list_encoders(values: Document) -> list[str]:
    """Return the folders below data/ of the encoders that the tasks start from, each once."""
    return list(dict.fromkeys(str(task.get("encoder")) for task in submap(values, "tasks").values()))


def drop_demos(text: str) -> str:
    """Return params.yaml without its tasks, and without the sources that bring no encoder of theirs.

    Raises:
        UsageError: The text is no params.yaml.
    """
    values, numbers = parse_params(text)
    kept = {folder.removeprefix("raw/") for folder in list_encoders(values)}
    dropped = [
        *(f"sources.{name}" for name in submap(values, "sources") if name not in kept),
        *(f"tasks.{name}" for name in submap(values, "tasks")),
    ]
    lines = text.splitlines(keepends=True)
    for start in sorted((numbers[path] - 1 for path in dropped), reverse=True):
        del lines[start : _find_end(lines, start)]
    return "".join(lines)


def drop_entry(text: str, path: str) -> str:
    """Return params.yaml without a dotted key and its value.

    Raises:
        UsageError: There is no such key.
    """
    lines, start = _find_key(text, path)
    del lines[start : _find_end(lines, start)]
    return "".join(lines)


def add_entry(text: str, section: str, block: str) -> str:
    """Return params.yaml with a block, whose lines are indented, at the end of a section of its top level.

    Raises:
        UsageError: There is no such section, or it stands in one line.
    """
    lines, start = _find_key(text, section)
    if lines[start].partition("#")[0].rstrip() != f"{section}:":
        raise UsageError(f"params.yaml: `{section}` stands in one line. Write its entries below it, a line each.")
    end = _find_end(lines, start)
    return "".join([*lines[: end - 1], lines[end - 1].rstrip("\n"), "\n", block, *lines[end:]])


def set_value(text: str, path: str, value: object) -> str:
    """Return params.yaml with another value under a dotted key that stands in one line; its comment stays."""
    lines, start = _find_key(text, path)
    key, _, comment = lines[start].partition(" #")
    key = f"{key[: key.index(':')]}: {spell(value)}"
    lines[start] = f"{key.ljust(len(lines[start]) - len(comment) - 2)} #{comment}" if comment else f"{key}\n"
    return "".join(lines)


def set_block(text: str, path: str, block: str) -> str:
    """Return params.yaml with a block, whose lines are indented, as all that stands below a dotted key.

    Raises:
        UsageError: There is no such key.
    """
    lines, start = _find_key(text, path)
    return "".join([*lines[: start + 1], block, *lines[_find_end(lines, start) :]])


def spell(value: Any) -> str:
    """Return a text, number, list or map as YAML in one line, in quotes only if it needs them."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{spell(key)}: {spell(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(spell, value))}]"
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT and value == value.strip():
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)


def _find_key(text: str, path: str) -> tuple[list[str], int]:
    """Return the lines of params.yaml, and which of them, from 0, a dotted key stands in.

    Raises:
        UsageError: There is no such key.
    """
    _, numbers = parse_params(text)
    if path not in numbers:
        raise UsageError(f"params.yaml: has no key `{path}`. Add it.")
    return text.splitlines(keepends=True), numbers[path] - 1


def _find_end(lines: Sequence[str], start: int) -> int:
    """Return the line after the value of the key in line `start`; comments after it are the next key's."""
    end = start + 1
    for place in range(start + 1, len(lines)):
        if not lines[place].strip() or lines[place].lstrip().startswith("#"):
            continue
        if _indent(lines[place]) <= _indent(lines[start]):
            break
        end = place + 1
    return end


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
