"""A small profile over params.yaml: some values replaced for every task, so that a full run becomes a small one."""

import io
from collections.abc import Callable
from typing import Any

from ruamel.yaml import YAML

from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.settings.parse import parse_params, submap
from pipeline.settings.task import PER_TASK


def overlay_params(text: str, small: str, other: str) -> str:
    """Return the params.yaml `text` with the values of `small` for every task; comments stay.

    A task's own value for such a key is removed. The exception: if `other`, the params.yaml of the revision to compare
    with, has another value for a key, both revisions keep theirs, since the overlay must not hide what a change
    changes. The values are not checked here, but by `resolve_params`.

    Raises:
        UsageError: A text is not YAML, or `small` has a key that is no stage with parameters of its own.
    """
    mine, theirs, sections = (parse_params(yaml)[0] for yaml in (text, other, small))
    for stage, section in sections.items():
        if stage not in PER_TASK or not isinstance(section, dict):
            raise UsageError(
                f"the overlay may have only maps under {', '.join(PER_TASK)}, found {stage!r}: {section!r}. "
                "Correct the file."
            )

    def replace(values: Document) -> None:
        for stage, section in sections.items():
            for key, value in section.items():
                if _values_of(mine, theirs, stage, key) == _values_of(theirs, mine, stage, key):
                    _set(values, stage, key, value)

    return edit_yaml(text, replace)


def edit_yaml(text: str, change: Callable[[Document], None]) -> str:
    """Return a YAML map after `change` has edited its values in place; comments and quotes stay."""
    yaml = YAML(typ="rt")
    yaml.width = 10_000  # characters: a line of params.yaml stays one
    yaml.preserve_quotes = True  # without them a pattern like `(?P<name>` is not YAML to DVC's reader
    values = yaml.load(text)
    change(values)
    stream = io.StringIO()
    yaml.dump(values, stream)
    return stream.getvalue()


def _values_of(values: Document, other: Document, stage: str, key: str) -> list[Any]:
    """Return the values of a key in the common section and in each task that `other` has too."""
    tasks = submap(values, "tasks")
    shared = sorted(tasks.keys() & submap(other, "tasks").keys())
    return [submap(values, stage).get(key), *(submap(tasks[task], stage).get(key) for task in shared)]


def _set(values: Document, stage: str, key: str, value: Any) -> None:
    """Set a key of a common section, without the tasks' own; a map may be several at once, by an alias or `<<`."""
    for own in submap(values, "tasks").values():
        submap(own, stage).pop(key, None)
    if not values.get(stage):  # missing, or nothing stands under it
        values[stage] = {}
    values[stage][key] = value
