"""What the keys of `ingest` promise one another: each rule returns what is wrong, in words, or nothing."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

_COLUMNS = ("id", "split", "text", "label", "row")


def columns(*, text: str, label: str, group: str | None, split: str | None, keep: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with the names of the columns."""
    if text == label:
        yield f"`text` and `label` are both {text!r}; they must be two columns"
    for name, value in (("group", group), ("split", split)):
        if value is not None and value in (text, label):
            yield f"`{name}` is {value!r}, which is the text or the label; it must be a column of its own"
    if group is not None and split is not None:
        yield "give either `group` (equal groups stay together) or `split` (the file says it all)"
    for value, count in Counter(keep).items():
        if count > 1:
            yield f"`keep` names {value!r} {count} times"
        if value in _COLUMNS:
            yield f"`keep` names {value!r}, which the examples have of their own; rename the file's column"


def classes(labels: Mapping[str, str] | Sequence[str] | None, sides: Sequence[str] | None) -> Iterator[str]:
    """Yield what is wrong with the classes, given as `labels` or as the two `sides` of a threshold."""
    given = labels or sides or ()
    names = list(dict.fromkeys(given.values())) if isinstance(given, Mapping) else list(given)
    where = "threshold" if labels is None else "labels"
    if len(set(names)) < 2:
        yield f"`{where}` has the one class {names[0]!r}; there must be at least two"
    for folded, count in Counter(name.strip().casefold() for name in names).items():
        if count > 1:
            yield f"`{where}` has {count} classes that are {folded!r} up to case and space; name each once"
    for name in dict.fromkeys((*given, *names)):
        if name != name.strip() or not name:
            yield f"`{where}` has {name!r}; labels are read without white space at the ends"


def characters(*, delimiter: str, quote: str) -> Iterator[str]:
    """Yield what is wrong with the characters between and around cells."""
    for name, value in (("delimiter", delimiter), ("quote", quote)):
        if value and value in "\r\n":
            yield f"`{name}` is {value!r}, which ends a line"
    if delimiter == quote:
        yield f"`delimiter` and `quote` are both {quote!r}"


def codec(encoding: str) -> Iterator[str]:
    """Yield what is wrong with the name of a codec."""
    try:
        b"text".decode(encoding, "ignore")
    except (LookupError, UnicodeError, ValueError):
        yield f"`encoding` is {encoding!r}, which is no codec of Python; common are utf-8, utf-16, cp1252, latin-1"


def lines_of_bytes(encoding: str) -> Iterator[str]:
    """Yield what is wrong with a codec whose files are read line by line: one that has no byte for a line's end."""
    problems = list(codec(encoding))
    if not problems and "\n".encode(encoding) != b"\n":
        problems.append(
            f"`encoding` is {encoding!r}, whose lines cannot be told apart by bytes; save the file as UTF-8"
        )
    yield from problems


def expression(pattern: str | None, *, wanted: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a pattern whose named groups are the columns."""
    if pattern is None:
        return
    try:
        names = re.compile(pattern).groupindex
    except re.error as error:
        yield f"`pattern` is not a regular expression: {error}"
        return
    missing = [name for name in wanted if name not in names]
    if missing:
        yield f"`pattern` has no group {', '.join(f'(?P<{name}>...)' for name in missing)}"
