"""The text of params.yaml as values, with the line of each key."""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.scanner import Scanner

from pipeline.core.document import Document
from pipeline.core.errors import UsageError

# Limits of values, once aliases are written out: far above any real file, and read in less than a second.
_MOST_VALUES = 100_000
_MOST_CHARACTERS = 10_000_000
_MOST_DIGITS = 100
_DEEPEST = 50


def parse_params(text: str) -> tuple[Document, dict[str, int]]:
    """Return the values of a YAML 1.2 document and the line (from 1) of each dotted key.

    Raises:
        UsageError: The text is not YAML, repeats a key, refers to itself, is too large or too deep, or is not a map.
    """
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner = _Scanner
    try:
        root = yaml.compose(text)
        if root is not None:
            _require_bounded(root)
        values = None if root is None else yaml.constructor.construct_document(root)
        lines = dict(_lines(yaml, root, ""))
    except YAMLError as error:
        raise _describe(error) from error
    if not isinstance(values, dict):
        raise UsageError(f"params.yaml must be a map of sections, found {type(values).__name__}. Correct the file.")
    return values, lines


def submap(values: Any, key: str) -> Document:
    """Return the map under `key`; {} if there is none."""
    value = values.get(key) if isinstance(values, dict) else None
    return value if isinstance(value, dict) else {}


class _Scanner(Scanner):
    """A scanner that stops at values nested too deep, since the library's time grows with the square of the depth."""

    def fetch_more_tokens(self) -> Any:
        if self.flow_level + len(self.indents) > _DEEPEST:
            raise _too_deep(self.reader.line + 1)
        return super().fetch_more_tokens()


def _too_deep(line: int) -> UsageError:
    return UsageError(f"params.yaml: line {line}: values are nested more than {_DEEPEST} deep. Write them flatter.")


def _describe(error: YAMLError) -> UsageError:
    """Return the library's error as one line."""
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return UsageError(f"params.yaml is not valid YAML: {' '.join(str(error).split())}. Correct the file.")
    reason = " ".join(f"{error.context or ''} {error.problem or ''}".split())
    return UsageError(f"params.yaml: line {error.problem_mark.line + 1}: not valid YAML, {reason}. Correct the file.")


def _require_bounded(root: Node) -> None:
    """Check the size of a document with its aliases written out, which the library keeps as references.

    Raises:
        UsageError: It has too many values, is nested too deep, refers to itself, or has an integer of too many digits.
    """
    values = characters = 0
    waiting: list[tuple[Node, str, tuple[Node, ...]]] = [(root, "", ())]
    while waiting:
        node, path, above = waiting.pop()
        line = node.start_mark.line + 1
        if node in above:
            raise UsageError(f"params.yaml: {path} refers to itself by an alias. Write out its value.")
        if len(above) > _DEEPEST:
            raise _too_deep(line)
        values += 1
        if isinstance(node, ScalarNode):
            characters += len(node.value)
            if len(node.value) > _MOST_DIGITS and str(node.tag).endswith(":int"):
                raise UsageError(f"params.yaml: line {line}: {path} is an integer of more than {_MOST_DIGITS} digits.")
        elif isinstance(node, MappingNode):
            for key, value in node.value:
                waiting.append((key, path, (*above, node)))
                waiting.append((value, f"{path}.{key.value}" if path else str(key.value), (*above, node)))
        else:
            waiting.extend((part, path, (*above, node)) for part in node.value)
        if values > _MOST_VALUES or characters > _MOST_CHARACTERS:
            raise UsageError(
                f"params.yaml: line {line}: more than {_MOST_VALUES} values or {_MOST_CHARACTERS} characters, aliases "
                "written out. Use fewer aliases."
            )


def _lines(yaml: YAML, node: Node | None, prefix: str) -> Iterator[tuple[str, int]]:
    """Yield each dotted key and its line; a key merged by `<<` has the line where it stands."""
    if not isinstance(node, MappingNode):
        return
    for key, value in node.value:
        path = f"{prefix}{yaml.constructor.construct_object(key, deep=True)}"
        yield path, key.start_mark.line + 1
        yield from _lines(yaml, value, f"{path}.")
