"""Params with some values replaced for every task: how a full run becomes a small one."""

import io
from collections.abc import Callable, Iterator
from typing import Any

from ruamel.yaml import YAML

from pipeline.core.errors import UsageError
from pipeline.settings.resolve import parse
from pipeline.settings.task import PER_TASK

Raw = dict[str, Any]


def overlaid(text: str, small: str, other: str) -> str:
    """Return a params.yaml in which what `small` says of a stage holds for every task; comments stay.

    A task's own value for the same key gives way. But where `other`, the params of the revision this one is compared
    with, has another value for a key, both keep theirs: what a change changes must not be hidden by the overlay.
    Whether the values are allowed, `resolve` tells.

    Raises:
        UsageError: One is not YAML, or `small` names what is no stage with params of its own.
    """
    mine, theirs, sections = parse(text)[0], parse(other)[0], parse(small)[0]
    for stage, section in sections.items():
        if stage not in PER_TASK or not isinstance(section, dict):
            raise UsageError(f"the overlay has {stage!r}: {section!r}; allowed are maps under {', '.join(PER_TASK)}")

    def replace(values: Raw) -> None:
        for stage, section in sections.items():
            for key, value in section.items():
                if _given(mine, theirs, stage, key) == _given(theirs, mine, stage, key):
                    _set(values, stage, key, value)

    return edited(text, replace)


def edited(text: str, change: Callable[[Raw], None]) -> str:
    """Return a YAML map after `change` was made to its values; comments and quotes stay."""
    yaml = YAML(typ="rt")
    yaml.width = 10_000  # characters: a line of params.yaml stays one
    yaml.preserve_quotes = True  # without them a pattern like `(?P<name>` is not YAML to DVC's reader
    values = yaml.load(text)
    change(values)
    stream = io.StringIO()
    yaml.dump(values, stream)
    return stream.getvalue()


def _given(values: Raw, other: Raw, stage: str, key: str) -> list[Any]:
    """Return what the common section and each task that is in both say of a key."""
    both = [task for task in _tasks(values) if task in _tasks(other)]
    return [
        _section(values, stage).get(key),
        *(_section(_tasks(values)[task], stage).get(key) for task in sorted(both)),
    ]


def _set(values: Raw, stage: str, key: str, value: Any) -> None:
    values.setdefault(stage, {})[key] = value
    for task, own in _with(values, stage):
        own[stage].pop(key, None)
        if not own[stage]:
            del values["tasks"][task][stage]


def _with(values: Raw, stage: str) -> Iterator[tuple[str, Raw]]:
    """Yield the tasks that have values of their own for a stage."""
    yield from [(task, own) for task, own in _tasks(values).items() if _section(own, stage)]


def _tasks(values: Raw) -> Raw:
    return _section(values, "tasks")


def _section(values: Any, name: str) -> Raw:
    found = values.get(name) if isinstance(values, dict) else None
    return found if isinstance(found, dict) else {}
