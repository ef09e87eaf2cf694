"""One section of params.yaml: its values merged from several places, and checked against its class."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from pipeline.core.document import Document, Strict
from pipeline.settings.fields import LIST, MAP, Name
from pipeline.settings.parse import submap
from pipeline.settings.problems import Problems, describe_unknown

_NAME = TypeAdapter(Name)


def merge(*layers: tuple[str, Mapping[str, Any]]) -> tuple[Document, dict[str, str]]:
    """Return the values of all layers, where a later one replaces keys of an earlier one, and where each key stands.

    A layer is a map of params.yaml, after its dotted key. The places are for `Problems.within`.
    """
    values: Document = {}
    places: dict[str, str] = {}
    for at, layer in layers:
        values |= layer
        places |= {str(key): f"{at}.{key}" for key in layer}
    return values, places


def check_section(model: type[Strict], values: Document, problems: Problems) -> Document:
    """Return `values` as `model` reads them, or {} if there are errors, which are added to `problems`."""
    try:
        params = model.model_validate_json(json.dumps(values))
    except ValidationError as error:
        for item in error.errors(include_url=False):
            _add_error(item, model, problems)
        return {}
    except TypeError as error:
        problems.add("", f"{error}; use text, numbers, booleans, lists and maps")
        return {}
    return params.model_dump(mode="json", by_alias=True)


def check_part(model: type[Strict], values: Document, problems: Problems) -> None:
    """Add an error for each of some values of a section that its key cannot have; null is left to who gives a value."""
    given = {key: value for key, value in values.items() if value is not None or key not in model.model_fields}
    try:
        model.model_validate_json(json.dumps(given))
    except ValidationError as error:
        for item in error.errors(include_url=False):
            if item["type"] != "missing" or item["loc"][0] in given:
                _add_error(item, model, problems)
    except TypeError as error:
        problems.add("", f"{error}; use text, numbers, booleans, lists and maps")


def _add_error(item: Any, model: type[Strict], problems: Problems) -> None:
    """Add one of pydantic's errors under its key."""
    if item["type"] == "too_short" and len(item["input"]) >= item["ctx"]["min_length"]:
        return  # pydantic counts the items without an error
    path = [step for step in item["loc"] if step not in (LIST, MAP, "[key]")]
    problems.add(".".join(map(str, path)), _describe({**item, "loc": tuple(path)}, model))


def _describe(item: Document, model: type[Strict]) -> str:
    """Return the words for one of pydantic's errors."""
    path = item["loc"]
    if item["type"] == "extra_forbidden":
        return describe_unknown(str(path[-1]), _allowed(model, path[:-1]))
    if item["type"] == "missing":
        return "is missing; add it"
    message = str(item["msg"]).removeprefix("Value error, ")
    return message if item["type"] == "value_error" else f"{message[0].lower()}{message[1:]}, found {item['input']!r}"


def _allowed(model: type[Strict], path: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys of the section that lies at `path` below `model`; none if that is a free map."""
    for step in path:
        kind = model.model_fields[str(step)].annotation if str(step) in model.model_fields else None
        inner = [part for part in (kind, *get_args(kind)) if isinstance(part, type) and issubclass(part, Strict)]
        if not inner:
            return ()
        model = inner[0]
    return tuple(field.alias or name for name, field in model.model_fields.items())


def require_map(raw: Document, key: str, problems: Problems) -> Document:
    """Return the map under `key`; if it is missing, empty or no map, add that to `problems` and return {}."""
    values = submap(raw, key)
    if not values:
        value = raw.get(key)
        problems.add(key, "is missing" if value is None else f"must be a map with at least one key, found {value!r}")
    return values


def check_encoder(folder: object, key: str, raw: Document, problems: Problems) -> None:
    """Add an error if the folder of an encoder is missing, or no stage makes it."""
    made = (
        *(f"raw/{name}" for name in submap(raw, "sources")),
        *(f"encoder/{name}" for name in submap(raw, "encoders")),
    )
    if folder is None:
        problems.add(key, f"is missing; add it, one of {', '.join(made)}")
    elif folder not in made:
        problems.add(key, describe_unknown(str(folder), made, kind="encoder"))


def check_text_keys(node: Any, problems: Problems) -> None:
    """Add an error for each key that is not text: an integer stands for its digits; `true` or 1.0 is ambiguous."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if not isinstance(key, str) and (not isinstance(key, int) or isinstance(key, bool) or str(key) in node):
            problems.add(str(key), f"the key must be text, found {key!r}; write it in quotes, once")
        check_text_keys(value, problems.within(str(key)))


def check_keys(keys: Iterable[object], allowed: Sequence[str], problems: Problems) -> None:
    """Add an error for each key that is not allowed."""
    for key in keys:
        if key not in allowed:
            problems.add(str(key), describe_unknown(str(key), allowed))


def refuse_derived(
    written: Mapping[str, Any], derived: Iterable[str], problems: Problems, sections: Mapping[str, str] | None = None
) -> None:
    """Add an error for each `derived` key that a person has written; `sections` names the ones that some are set in."""
    for key in (key for key in derived if key in written):
        section = (sections or {}).get(key)
        problems.add(key, "is not set here; " + (f"set `{section}.{key}` instead" if section else "remove it"))


def check_name(name: object, problems: Problems) -> bool:
    """Return whether `name` is safe in a command and in a path; add an error if not."""
    if isinstance(name, int | float) and not isinstance(name, bool):
        problems.add("", f'the name {name} is a number; write "{name}" in quotes')
        return False
    try:
        _NAME.validate_python(name)
    except ValidationError:
        problems.add("", f"a name has up to 64 of a-z, 0-9, _ and -, a letter or digit first, found {name!r}")
        return False
    return True
