"""The split of each row: a function of the row alone, whatever rows come and go."""

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from pipeline.core.errors import DataError
from pipeline.examples.records import Records
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


def hash_to_unit(value: str, *, salt: str) -> float:
    """Return the position of `value` in [0, 1): the first 53 bits of SHA-256 of the salt, a NUL and the value."""
    digest = hashlib.sha256(f"{salt}\0{value}".encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def split_by_hash(values: Iterable[str], *, salt: str, shares: Shares) -> list[Split]:
    """Return the split of each value (a text's key or a group): equal values, equal splits.

    The positions below `shares.train` are train, the next `shares.validation` are validation, the rest test.
    """
    first, second = shares.train, shares.train + shares.validation
    sides: list[Split] = []
    for value in values:
        position = hash_to_unit(value, salt=salt)
        sides.append("train" if position < first else "validation" if position < second else "test")
    return sides


def deal_validation(sides: Sequence[Split], keys: Sequence[str], *, salt: str, shares: Shares) -> list[Split]:
    """Return the given splits of the rows with validation dealt out of train, in the ratio of the two shares.

    The split of a row depends on its text's key alone, as in `split_by_hash`.
    """
    bound = shares.train / (shares.train + shares.validation)
    return [
        "validation" if side == "train" and hash_to_unit(key, salt=salt) >= bound else side
        for side, key in zip(sides, keys, strict=True)
    ]


def read_groups(records: Records, column: str) -> list[str]:
    """Return the group of each row, stripped and in NFC.

    Raises:
        DataError: Rows without a group.
    """
    values = [unicodedata.normalize("NFC", cell).strip() for cell in records.texts(column)]
    empty = [(row, None) for row, value in enumerate(values) if not value]
    if empty:
        raise records.fault("without a group", empty, "Fill the groups, or set `group: null`.", column=column)
    return values


def split_by_column(records: Records, column: str) -> list[Split]:
    """Return the split of each row as the file has it.

    Raises:
        DataError: Values other than train, validation and test.
    """
    known: dict[str, Split] = {split: split for split in SPLITS}
    values = [cell.strip() for cell in records.texts(column)]
    unknown = [(row, value) for row, value in enumerate(values) if value not in known]
    if unknown:
        near = {value: _near(value) for _, value in unknown}
        hints = "".join(f" Did you mean {split!r} for {value!r}?" for value, split in near.items() if split)
        remedy = f"Allowed are {', '.join(SPLITS)}.{hints}"
        raise records.fault("with another split", unknown, remedy, column=column)
    return [known[value] for value in values]


def _near(value: str) -> Split | None:
    folded = value.casefold()
    return _OTHER_NAMES.get(folded, next((split for split in SPLITS if split == folded), None))


def check_complete(counts: Mapping[Split, int], *, file: str) -> None:
    """Check that given splits leave rows in each; `counts` are the rows kept.

    Raises:
        DataError: A split has no rows.
    """
    absent = [split for split in SPLITS if not counts[split]]
    if absent:
        shown = ", ".join(f"{split} {counts[split]}" for split in SPLITS)
        raise DataError(
            f"{file}: the splits leave no rows in {' and '.join(absent)}; rows kept: {shown}. Give train and test "
            "(validation may be dealt out of train), or set `split: null` and list the `files` to split by `shares`."
        )
