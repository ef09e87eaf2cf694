"""The join of two JSON files of a source: the objects of one list, each with columns of the object that it names."""

import json
from pathlib import Path
from typing import Any

from pipeline.core.document import Document
from pipeline.core.errors import DataError, listed
from pipeline.settings.sources import Joined, JsonList


def write_joined(join: Joined, folder: Path) -> None:
    """Write the objects of `join.rows` that pass its `where` and name one of `join.lookup`, a line of JSON each.

    Both files and the one that is written are below `folder`. A row that names no object of the lookup is left out.

    Raises:
        DataError: A file is not as `join` says, or an object of the lookup is there twice.
    """
    others: dict[Any, Document] = {}
    for place, other in enumerate(_read_objects(folder, join.lookup, (join.match, *join.add))):
        if other[join.match] in others:
            raise DataError(
                f"{folder / join.lookup.file}: {join.lookup.list}[{place}]: {join.match} is there twice, found "
                f"{listed([other[join.match]])}. Name a key in `match` that each object has for itself."
            )
        others[other[join.match]] = {name: other[name] for name in join.add}
    rows = _read_objects(folder, join.rows, (join.key, *join.keep, *join.where))
    joined = [
        {**{name: row[name] for name in join.keep}, **others[row[join.key]]}
        for row in rows
        if row[join.key] in others and all(row[name] == value for name, value in join.where.items())
    ]
    lines = "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in joined)
    (folder / join.file).parent.mkdir(parents=True, exist_ok=True)
    (folder / join.file).write_text(lines, encoding="utf-8", newline="")


def _read_objects(folder: Path, source: JsonList, names: tuple[str, ...]) -> list[Document]:
    """Return the objects of a list of a JSON file, each of which has the keys `names`; those joined by are text."""
    path = folder / source.file
    try:
        document = json.loads(path.read_bytes())
        objects = document[source.list]
    except (ValueError, RecursionError, KeyError, TypeError, OSError) as error:
        fix = "Name a member that is JSON, and the key of its list."
        raise DataError(f"{path}: has no list {source.list!r}, {type(error).__name__}: {error}. {fix}") from error
    for place, row in enumerate(objects if isinstance(objects, list) else [None]):
        missing = [name for name in names if not isinstance(row, dict) or name not in row]
        if missing or not isinstance(row[names[0]], str):
            raise DataError(
                f"{path}: {source.list}[{place}]: must be an object with {listed(names)}, the first of them text; "
                f"missing: {listed(missing) or 'none'}. Name keys that each object has."
            )
    return list(objects)
