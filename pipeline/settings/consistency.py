"""Rules between the keys of one section: each function yields the violations as text."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence


def check_columns(
    own: Iterable[str], *, group: str | None, split: str | None, keep: Sequence[str], made: Sequence[str]
) -> Iterator[str]:
    """Yield the conflicts between the names of columns: those that a kind reads, and those that its examples have."""
    read = tuple(own)
    for name, value in (("group", group), ("split", split)):
        if value is not None and value in read:
            yield f"`{name}` must be a column other than {', '.join(map(repr, read))}, found {value!r}"
    for value, count in Counter(keep).items():
        if count > 1:
            yield f"`keep` names {value!r} {count} times; name it once"
        if value in made:
            yield f"`keep` names {value!r}, a column of the examples; rename the column of the file"


def check_splits(*, group: str | None, split: str | None, mapped: bool) -> Iterator[str]:
    """Yield the conflict between several ways to split; `mapped` if `files` is a map of splits."""
    ways = [
        *(["`group` (equal groups stay together)"] if group is not None else []),
        *(["`split` (a column has the splits)"] if split is not None else []),
        *(["a map of `files` (each file has one split)"] if mapped else []),
    ]
    if len(ways) > 1:
        yield f"give either {' or '.join(ways)}"


def check_classes(labels: Mapping[str, str] | Sequence[str] | None, sides: Sequence[str] | None) -> Iterator[str]:
    """Yield the errors of the classes, which are given as `labels` or as the two `sides` of a threshold."""
    source = labels or sides or ()
    names = list(dict.fromkeys(source.values())) if isinstance(source, Mapping) else list(source)
    key = "threshold" if labels is None else "labels"
    if len(set(names)) < 2:
        yield f"`{key}` must have at least two classes, found only {names[0]!r}"
    for folded, count in Counter(name.strip().casefold() for name in names).items():
        if count > 1:
            yield f"`{key}` has {count} classes that differ from {folded!r} only in case or space; name each once"
    for name in dict.fromkeys((*source, *names)):
        if name != name.strip() or not name:
            yield f"`{key}` has {name!r}; labels are read without surrounding white space"


def check_characters(*, delimiter: str, quote: str) -> Iterator[str]:
    """Yield the errors of the characters between and around cells."""
    for name, value in (("delimiter", delimiter), ("quote", quote)):
        if value and value in "\r\n":
            yield f"`{name}` must not end a line, found {value!r}"
    if delimiter == quote:
        yield f"`delimiter` and `quote` must differ, both are {quote!r}"


def check_codec(encoding: str) -> Iterator[str]:
    """Yield the error of a codec that Python does not have."""
    try:
        b"text".decode(encoding, "ignore")
    except (LookupError, UnicodeError, ValueError):
        yield f"`encoding` must be a codec of Python, such as utf-8, utf-16, cp1252 or latin-1, found {encoding!r}"


def check_pattern(pattern: str | None, *, wanted: Sequence[str]) -> Iterator[str]:
    """Yield the errors of a regular expression whose named groups are the columns."""
    if pattern is None:
        return
    try:
        groups = re.compile(pattern).groupindex
    except (re.error, OverflowError, RecursionError) as error:
        yield f"`pattern` is not a regular expression: {error}"
        return
    missing = [f"(?P<{name}>...)" for name in wanted if name not in groups]
    if missing:
        yield f"`pattern` has no group {', '.join(missing)}"
