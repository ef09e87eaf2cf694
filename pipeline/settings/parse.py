"""The text of params.yaml as values, with the line of each key."""

from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node

from pipeline.core.document import Document
from pipeline.core.errors import UsageError


def parse_params(text: str) -> tuple[Document, dict[str, int]]:
    """Return the values of a YAML 1.2 document and the line (from 1) of each dotted key.

    Raises:
        UsageError: The text is not YAML, repeats a key, refers to itself, or is not a map.
    """
    yaml = YAML(typ="safe", pure=True)
    try:
        root = yaml.compose(text)
        values = None if root is None else yaml.constructor.construct_document(root)
        lines = dict(_lines(yaml, root, "", ()))
    except YAMLError as error:
        raise UsageError(f"params.yaml is not valid YAML: {error}. Correct the file.") from error
    if not isinstance(values, dict):
        raise UsageError(f"params.yaml must be a map of sections, found {type(values).__name__}. Correct the file.")
    return values, lines


def submap(values: Any, key: str) -> Document:
    """Return the map under `key`; {} if there is none."""
    value = values.get(key) if isinstance(values, dict) else None
    return value if isinstance(value, dict) else {}


def _lines(yaml: YAML, node: Node | None, prefix: str, above: tuple[Node, ...]) -> Iterator[tuple[str, int]]:
    if not isinstance(node, MappingNode):
        return
    if node in above:
        raise UsageError(f"params.yaml: {prefix.rstrip('.')} refers to itself by an alias. Write out its value.")
    for key, value in node.value:
        path = f"{prefix}{yaml.constructor.construct_object(key, deep=True)}"
        yield path, key.start_mark.line + 1
        yield from _lines(yaml, value, f"{path}.", (*above, node))
