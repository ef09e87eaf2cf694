"""Which rows train, validate and test: a function of each row alone, whatever rows come and go."""

import hashlib
import unicodedata
from collections.abc import Iterable, Sequence

from pipeline.core.errors import DataError
from pipeline.examples.records import Records, fault
from pipeline.settings.fields import SPLITS, Split
from pipeline.settings.ingest import Shares

_OTHER_NAMES: dict[str, Split] = {
    "training": "train",
    "dev": "validation",
    "devel": "validation",
    "development": "validation",
    "val": "validation",
    "valid": "validation",
    "testing": "test",
    "eval": "test",
}


def position(value: str, *, salt: str) -> float:
    """Return where `value` lies in [0, 1): the first 53 bits of SHA-256 of the salt, a NUL and the value."""
    digest = hashlib.sha256(f"{salt}\0{value}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def by_hash(values: Iterable[str], *, salt: str, shares: Shares) -> list[Split]:
    """Return the split of each value (a text's key or a group): equal values, equal splits.

    The positions below `shares.train` are train, the next `shares.validation` are validation, the rest test.
    """
    first, second = shares.train, shares.train + shares.validation
    sides: list[Split] = []
    for value in values:
        place = position(value, salt=salt)
        sides.append("train" if place < first else "validation" if place < second else "test")
    return sides


def groups(records: Records, column: str) -> list[str]:
    """Return the group of every row, stripped and in NFC.

    Raises:
        DataError: Rows without a group.
    """
    values = [unicodedata.normalize("NFC", cell or "").strip() for cell in records.columns[column]]
    empty = [(line, None) for line, value in zip(records.lines, values, strict=True) if not value]
    if empty:
        raise fault(records.file, "without a group", empty, "Fill the groups, or set `group: null`.", column=column)
    return values


def by_column(records: Records, column: str) -> list[Split]:
    """Return the split that the file gives to every row.

    Raises:
        DataError: Values other than train, validation and test.
    """
    values = [(cell or "").strip() for cell in records.columns[column]]
    known: dict[str, Split] = {split: split for split in SPLITS}
    bad = [(line, value) for line, value in zip(records.lines, values, strict=True) if value not in known]
    if bad:
        near = {str(value): _near(str(value)) for _, value in bad}
        hints = "".join(f" Did you mean {split!r} for {value!r}?" for value, split in near.items() if split)
        remedy = f"Allowed are {', '.join(SPLITS)}.{hints}"
        raise fault(records.file, "with another split", bad, remedy, column=column)
    return [known[value] for value in values]


def _near(value: str) -> Split | None:
    folded = value.casefold()
    return _OTHER_NAMES.get(folded, next((split for split in SPLITS if split == folded), None))


def check_complete(sides: Sequence[Split], *, file: str, column: str) -> None:
    """Check that a split column leaves rows in every split.

    Raises:
        DataError: A split has no rows.
    """
    absent = [split for split in SPLITS if split not in set(sides)]
    if absent:
        counts = ", ".join(f"{split} {sides.count(split)}" for split in SPLITS)
        raise DataError(
            f"{file}: column {column!r} leaves no rows in {' and '.join(absent)}; rows kept: {counts}. "
            "Give all three, or set `split: null` to split by `shares`."
        )
