"""The draft of a task of any kind, fitted to a file; what cannot be decided is said."""

import json
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.core.errors import DataError, UsageError, listed
from pipeline.core.files import publish, read_utf8
from pipeline.core.format import count, visible
from pipeline.core.stage import load_facet, load_facets
from pipeline.examples.read import read_records
from pipeline.examples.taking.entry import take_in
from pipeline.project.columns import is_split
from pipeline.project.drafts.roles import assign_columns
from pipeline.project.drafts.table import Table, look_at
from pipeline.project.drafts.targets import describe_target
from pipeline.project.init import limits_of
from pipeline.project.params_file import add_entry, spell
from pipeline.project.task import FITTED_REMARK, OTHER_ENCODER, Entry, fit_limits, line_of, list_layout, require_name
from pipeline.settings.fields import SPLITS
from pipeline.settings.parse import parse_params, submap
from pipeline.settings.resolve import resolve_params
from pipeline.settings.shared.kind import Role

RAW = Path("data/raw")
_WANTED: dict[Role, str] = {
    "text": "texts",
    "class": "classes",
    "number": "numbers",
    "classes": "lists of classes",
    "words": "lists of words",
    "tags": "lists of tags",
    "answers": "answers with their starts",
    "image": "paths of images",
}


class Draft(NamedTuple):
    """The lines of a task, what is not decided, and params.yaml with the lines."""

    block: str
    undecided: list[str]
    params: str


def add_task(kind: str, name: str, path: Path, *, write: bool, root: Path = Path()) -> str:
    """Return the lines of a task that fits a file, and what is left to do; if `write`, add them to params.yaml.

    Raises:
        UsageError: There is no such kind or file, the name is taken, or `write` and something is not decided.
        DataError: The file breaks its format.
        EnvironmentFault: A file cannot be read, or params.yaml not be written.
    """
    file = root / "params.yaml"
    if not path.is_file():
        raise UsageError(f"{path}: is no file. Name the table with the rows.")
    draft = draft_task(kind, name, path, read_utf8(file), raw=root / RAW)
    if write and draft.undecided:
        raise UsageError(f"{name}: not all is decided: {draft.undecided[0]} Run without --write, and write the rest.")
    steps = [f"# Not decided: {visible(line)}" for problem in draft.undecided for line in problem.splitlines()]
    if write:
        with publish(file) as partial:
            partial.write_text(draft.params, encoding="utf-8")
        steps.append(f"# {file} has this task. Check it; then: make repro TASK={name}")
    if (root / RAW).resolve() not in path.resolve().parents:
        steps.append(f"# Put the file there: {_spell_copy(path, RAW / name, whole=has_images(kind))}")
    return "\n".join([draft.block.rstrip("\n"), *steps])


def draft_task(kind: str, name: str, path: Path, params: str, *, raw: Path = RAW) -> Draft:
    """Return the draft of a task of this name and kind for a file.

    Raises:
        UsageError: There is no such kind, the name is taken, or params.yaml is not valid, say of an older version.
        DataError: The file breaks its format.
    """
    roles, values = load_facet(kind, "settings").columns, parse_params(params)[0]
    resolve_params(params, load_facets("settings"), {})
    if require_name(name, submap(values, "sources")) in submap(values, "tasks"):
        raise UsageError(f"params.yaml: there is a task {name!r} already. Name this one otherwise.")
    table = look_at(path, limits_of({**values["ingest"], **submap(submap(submap(values, "kinds"), kind), "ingest")}))
    fitting, encoder = assign_columns(roles, table), find_encoder(kind, values)
    undecided = _list_missing(roles, fitting, encoder, table)
    entries = [*_place(name, table, raw, whole=has_images(kind)), *_list_columns(roles, fitting, table)]
    lines = [
        f"    kind: {kind}",
        *([line_of(f"    encoder: {spell(encoder)}", OTHER_ENCODER)] if encoder else []),
        "    ingest:",
        *(line_of(f"      {key}: {spell(value)}", visible(remark)) for key, value, remark in entries),
    ]
    if undecided:
        return Draft(_join(f"  {spell(name)}:", lines), undecided, params)
    return _fit_to_rows(kind, name, path, params, lines)


def find_encoder(kind: str, values: Document) -> str | None:
    """Return the encoder of another task, of this kind if there is one; None if it would have to read images."""
    tasks = [(str(task["kind"]), str(task["encoder"])) for task in submap(values, "tasks").values()]
    same = [encoder for other, encoder in tasks if other == kind]
    if same or has_images(kind):
        return next(iter(same), None)
    texts = [encoder for other, encoder in tasks if not has_images(other)]
    return next(iter([*texts, *(f"raw/{name}" for name in submap(values, "sources"))]), None)


def has_images(kind: str) -> bool:
    """Return whether the rows of a kind name images, which lie beside their table."""
    return "image" in load_facet(kind, "settings").columns.values()


def _fit_to_rows(kind: str, name: str, path: Path, params: str, lines: list[str]) -> Draft:
    """Return the draft with the rows of each split, and a limit that they pass; undecided if they cannot be read."""
    head = f"  {spell(name)}:"
    try:
        splits = _count_rows(add_entry(params, "tasks", _join(head, lines)), name, kind, path)
    except (UsageError, DataError) as error:
        return Draft(_join(head, lines), [str(error)], params)
    limits = fit_limits({split: {"": rows} for split, rows in splits.items()}, parse_params(params)[0]["validate"])
    shown = ", ".join(f"{split} {count(rows)}" for split, rows in splits.items())
    fitted = [line_of(f"    validate: {spell(limits)}", FITTED_REMARK)] if limits else []
    block = _join(line_of(head, f"rows: {shown}"), [*lines, *fitted])
    return Draft(block, [], add_entry(params, "tasks", block))


def _count_rows(params: str, name: str, kind: str, path: Path) -> dict[str, int]:
    """Return the rows of each split, as `ingest` will read them."""
    section = resolve_params(params, load_facets("settings"), {})["ingest"][name]
    ingest = load_facet(kind, "settings").sections["ingest"].model_validate_json(json.dumps(section))
    source = path.parent if ingest.files else path
    counts = Counter(
        take_in(read_records(source, ingest), ingest, load_facet(kind, "examples")).examples["split"].to_pylist()
    )
    return {split: counts[split] for split in SPLITS}


def _list_missing(
    roles: Mapping[str, Role], fitting: Mapping[str, Sequence[str]], encoder: str | None, table: Table
) -> list[str]:
    names = listed([column.name for column in table.columns], most=20)
    missing = [
        f"{key}: no column looks like {_WANTED[roles[key]]}, found {names}. Name one."
        for key, columns in fitting.items()
        if not columns
    ]
    return [*missing, *([] if encoder else ["encoder: no task has one for this kind. Name a folder below data/."])]


def _place(name: str, table: Table, raw: Path, *, whole: bool) -> list[Entry]:
    """Return the keys that say where the file is and how it holds its rows; images are looked for beside it."""
    path, below = table.path.resolve(), raw.resolve()
    file = path.relative_to(below) if below in path.parents else Path(name, path.name)
    folder: list[Entry] = [("file", str(file.parent), "the images lie in it"), ("files", [file.name], "")]
    return [*(folder if whole else [("file", str(file), "")]), *list_layout(table.layout)]


def _list_columns(roles: Mapping[str, Role], fitting: Mapping[str, Sequence[str]], table: Table) -> list[Entry]:
    """Return the keys that name columns, what follows from the target, the last of them, and the split."""
    columns = {column.name: column for column in table.columns}
    entries: list[Entry] = [
        (key, names[0], f"or {', '.join(names[1:])}" if names[1:] else "") for key, names in fitting.items() if names
    ]
    target = [*roles][-1]
    if fitting[target]:
        entries += describe_target(columns[fitting[target][0]], roles[target], table)
    return [*entries, *[("split", column.name, "") for column in columns.values() if is_split(column)][:1]]


def _spell_copy(path: Path, place: Path, *, whole: bool) -> str:
    """Return the commands that put a file, or the whole folder that it is in, where the pipeline reads it."""
    source, target = (f"{path.parent}/.", place) if whole else (str(path), place / path.name)
    return f"mkdir -p {place} && cp -r {shlex.quote(source)} {place} && dvc add {shlex.quote(str(target))}"


def _join(head: str, lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in (head, *lines))
