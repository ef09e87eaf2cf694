"""A profile laid over the project: values over params.yaml, stages over dvc.yaml."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from pipeline.core.document import Document
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import publish, read_utf8
from pipeline.settings.parse import parse_params, submap
from pipeline.settings.task import PER_TASK

_PARAMS, _STAGES = "params.yaml", "dvc.yaml"  # of a project, and of a profile, which has at least one of them


def overlay_project(root: Path, profile: Path, check: Callable[[str], object], other: Path | None = None) -> list[Path]:
    """Lay the folder `profile` over the project in `root`; return the files it has changed.

    `other` is the params.yaml that `overlay_params` compares with. Nothing is written if `check`, which
    gets the new params.yaml, raises an error.

    Raises:
        UsageError: A file is not a YAML map, or `check` raises it; the message begins with the profile.
        EnvironmentFault: A file cannot be read, or the profile has neither file.
    """
    names = [name for name in (_PARAMS, _STAGES) if (profile / name).exists()]
    if not names:
        raise EnvironmentFault(f"{profile}: no profile, neither {_PARAMS} nor {_STAGES} is there. Correct the path.")
    compared = None if other is None else read_utf8(other)
    texts = {}
    try:
        for name in names:
            text, laid = read_utf8(root / name), read_utf8(profile / name)
            texts[name] = overlay_params(text, laid, compared) if name == _PARAMS else overlay_stages(text, laid)
        check(texts.get(_PARAMS) or read_utf8(root / _PARAMS))
    except UsageError as error:
        raise UsageError(f"{profile} over the project: {error}") from error
    for name, text in texts.items():
        with publish(root / name) as partial:
            partial.write_text(text, encoding="utf-8")
    return [root / name for name in names]


def overlay_params(text: str, profile: str, other: str | None = None) -> str:
    """Return a params.yaml with the values of a profile: maps are merged, all else is replaced, comments stay.

    A map for which the profile has null is removed. But keys of a task's stage are replaced as they are, and for every
    task: the kinds' and the tasks' own values are removed. What `other`, the params.yaml of the revision compared with,
    has otherwise both revisions keep, since the overlay must not hide what a change changes. Values are not checked.

    Raises:
        UsageError: A text is not YAML, or not a map.
    """
    mine, laid = parse_params(text)[0], parse_params(profile)[0]
    theirs = mine if other is None else parse_params(other)[0]
    apart = [
        (section, key)
        for section in laid
        for key in submap(laid, section)
        if _values_of(mine, theirs, section, key) != _values_of(theirs, mine, section, key)
    ]

    def lay(values: Document) -> None:
        new = _load(profile)
        for section, key in apart:
            del new[section][key]
        for stage in PER_TASK:
            if isinstance(new.get(stage), dict):
                for key, value in new.pop(stage).items():
                    _replace(values, stage, key, value)
        _merge(values, new)

    return edit_yaml(text, lay)


def overlay_stages(text: str, profile: str) -> str:
    """Return a dvc.yaml with the stages of a profile: maps are merged, all else is replaced, comments stay.

    A map for which the profile has null is removed.

    Raises:
        UsageError: A text is not YAML, or not a map.
    """
    parse_params(text), parse_params(profile)
    return edit_yaml(text, lambda values: _merge(values, _load(profile)))


def edit_yaml(text: str, change: Callable[[Document], None]) -> str:
    """Return a YAML map after `change` has edited its values in place; comments and quotes stay."""
    values = _load(text)
    change(values)
    stream = io.StringIO()
    _round_trip().dump(values, stream)
    return stream.getvalue()


class _Representer(RoundTripRepresenter):
    """The library's representer, but null is written out."""


_Representer.add_representer(type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null"))


def _round_trip() -> YAML:
    yaml = YAML(typ="rt")
    yaml.width = 10_000  # characters: a line of params.yaml stays one
    yaml.indent(mapping=2, sequence=4, offset=2)  # as these files are written
    yaml.preserve_quotes = True  # without them a pattern like `(?P<name>` is not YAML to DVC's reader
    yaml.Representer = _Representer
    return yaml


def _load(text: str) -> Any:
    return _round_trip().load(text)


def _values_of(values: Document, other: Document, section: str, key: str) -> list[Any]:
    """Return the values of a key in its section, and in each kind and task that `other` has too."""
    found = [submap(values, section).get(key)]
    for owners in ("kinds", "tasks"):
        own = submap(values, owners)
        shared = sorted(own.keys() & submap(other, owners).keys())
        found += [submap(own[name], section).get(key) for name in shared]
    return found


def _replace(values: Document, stage: str, key: str, value: Any) -> None:
    """Set a key of a stage, without kinds' and tasks' own; a map may be several tasks' at once, by an alias or `<<`."""
    for own in (*submap(values, "kinds").values(), *submap(values, "tasks").values()):
        submap(own, stage).pop(key, None)
    if not values.get(stage):  # missing, or nothing stands under it
        values[stage] = {}
    values[stage][key] = value


def _merge(values: Any, profile: Any) -> None:
    """Merge the profile into `values`; a key that is new takes its comment along."""
    for key, new in profile.items():
        if isinstance(new, dict) and isinstance(values.get(key), dict):
            _merge(values[key], new)
        elif new is None and isinstance(values.get(key), dict):
            del values[key]
        else:
            if key not in values and key in profile.ca.items:
                values.ca.items[key] = profile.ca.items[key]
            values[key] = new
