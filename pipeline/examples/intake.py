"""The parts of an intake: what a kind makes of the rows of a file, and the examples with what was counted."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from pipeline.core.document import Document
from pipeline.examples.faults import Faults
from pipeline.examples.records import Records


class Parsed(NamedTuple):
    """Rows of a file as a kind understands them, N each.

    Args:
        values: What an example is made of beside its label, by the kind's own names.
        keys: What equal examples share: their id and their split follow from it.
        labels: What was said of an example, None if nothing; equal if the same was said, in any hashable form.
        empty: Rows that hold no example.
        changed: By the name of each change on reading, how many `rows` it touched, and the `lines` of the first five.
        target: The column of the labels, for messages.
        together: What examples that stay in one split share, if that is more than being equal and no group is named.
    """

    values: Mapping[str, Sequence[Any]]
    keys: Sequence[str]
    labels: Sequence[Any]
    empty: set[int]
    changed: Document
    target: str
    together: Sequence[str] | None = None


class Examples(NamedTuple):
    """How rows of a raw file become examples of one kind.

    Args:
        classes: `classes(params)` are the names of the classes, in order; none if the kind has no classes.
        parse: `parse(records, params, faults)` reads the rows, some thousand of a file at a time, and gathers what is
            wrong with them in `faults`; what it then returns is not used. Whether a row is faulty may depend on it and
            on other faulty rows only. What a file must have is looked for if the records are `complete`.
        tabulate: `tabulate(params, values, labels)` are the columns of the examples between `split` and `row`, of rows
            that are neither empty nor without a label.
        parse_label: `parse_label(params, words)` is the label that a person has written as a correction, None if it is
            none.
        name_classes: `name_classes(label)` are the classes that a label names, for the counts; one empty name if the
            kind has no classes.
        indices: The column of `tabulate` that holds indices of classes, or lists of them; None if none does.
    """

    classes: Callable[[Any], tuple[str, ...]]
    parse: Callable[[Records, Any, Faults], Parsed]
    tabulate: Callable[[Any, Mapping[str, Sequence[Any]], Sequence[Any]], Mapping[str, pa.Array]]
    parse_label: Callable[[Any, str], Any]
    name_classes: Callable[[Any], Iterable[str]]
    indices: str | None


class Intake(NamedTuple):
    """The examples, a row each, and what intake counted, as strict JSON holds it."""

    examples: pa.Table
    counts: Document


class StreamedIntake(NamedTuple):
    """An intake whose examples are tables to be read once, each a row group of their file."""

    groups: Iterator[pa.Table]
    counts: Document
