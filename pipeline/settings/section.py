"""One section of params.yaml against its class: what is wrong is said in the place where it stands, all at once."""

import difflib
import json
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from pipeline.settings.fields import Name, Section

Raw = dict[str, Any]
_NAME = TypeAdapter(Name)


def section(model: type[Section], values: Raw, place: Any, problems: dict[str, str]) -> Raw:
    """Return `values` as `model` reads them; add what is wrong to `problems` under the place of its key."""
    try:
        found = model.model_validate_json(json.dumps(values))
    except ValidationError as error:
        for item in error.errors(include_url=False):
            keys = [str(part) for part in item["loc"]]
            key = keys[0] if keys else ""
            path = ".".join([place(key), *keys[1:]]).rstrip(".")
            problems.setdefault(path, _explain(dict(item), model, key))
        return {}
    except TypeError as error:
        problems.setdefault(place("").rstrip("."), f"{error}; use text, numbers, booleans, lists and maps")
        return {}
    return found.model_dump(mode="json")


def _explain(item: Raw, model: type[Section], key: str) -> str:
    if item["type"] == "extra_forbidden":
        return unknown(str(item["loc"][-1]), _allowed(model, item["loc"][:-1]))
    if item["type"] == "missing":
        return "is missing; " + ("it belongs to the task" if key in ("file",) else "add it")
    message = str(item["msg"]).removeprefix("Value error, ")
    return message if item["type"] == "value_error" else f"found {item['input']!r}; {message[0].lower()}{message[1:]}"


def _allowed(model: type[Section], path: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys of the section that lies at `path` below `model`; none where that is a free map."""
    for step in path:
        kind = model.model_fields[str(step)].annotation if str(step) in model.model_fields else None
        inner = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Section)]
        if not inner:
            return ()
        model = inner[0]
    return tuple(model.model_fields)


def unknown(key: str, allowed: tuple[str, ...], *, what: str = "key") -> str:
    """Say that `key` is no `what`, and the nearest allowed one, or all of them."""
    near = difflib.get_close_matches(key, allowed, n=1, cutoff=0.5)
    return f"unknown {what}; " + (
        f"did you mean `{near[0]}`?" if near else f"allowed: {', '.join(allowed) or 'none here'}"
    )


def check_encoder(value: object, path: str, raw: Raw, problems: dict[str, str]) -> None:
    """Find a folder that no stage makes."""
    made = (
        *(f"raw/{name}" for name in mapped(raw, "sources", problems)),
        *(f"encoder/{name}" for name in raw.get("encoders") or ()),
    )
    if value not in made:
        problems.setdefault(path, unknown(str(value), made, what="encoder"))


def check_text_keys(node: Any, prefix: str, problems: dict[str, str]) -> None:
    """Find keys that are not text: a whole number stands for its digits; `true` or 1.0 could mean several texts."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if not isinstance(key, str) and (not isinstance(key, int) or isinstance(key, bool) or str(key) in node):
            problems[f"{prefix}{key}"] = f"found the key {key!r}, which is not text; write it in quotes, once"
        check_text_keys(value, f"{prefix}{key}.", problems)


def check_keys(found: Mapping[Any, Any], allowed: tuple[str, ...], prefix: str, problems: dict[str, str]) -> None:
    """Find keys that are not allowed."""
    for key in found:
        if key not in allowed:
            problems.setdefault(f"{prefix}{key}", unknown(str(key), allowed))


def check_name(value: object, path: str, problems: dict[str, str]) -> None:
    """Find a name that could not stand in a command or in a path."""
    try:
        _NAME.validate_python(value)
    except ValidationError:
        problems.setdefault(path, f"found the name {value!r}; allowed are up to 64 of a-z, 0-9, _ and -")


def mapped(raw: Raw, key: str, problems: dict[str, str]) -> Raw:
    """Return the map under `key`; where there is none, or an empty one, add that to `problems` and return {}."""
    value = raw.get(key)
    if isinstance(value, dict) and value:
        return value
    problems.setdefault(
        key, "is missing" if value is None else f"found {value!r}; it must be a map with at least one key"
    )
    return {}
