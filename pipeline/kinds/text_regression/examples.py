"""Examples of text regression: texts or pairs of texts, and their number."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.examples.faults import Faults, RowErrors
from pipeline.examples.intake import Examples, Parsed
from pipeline.examples.labels import parse_number, refuse_odd_numbers
from pipeline.examples.records import Records
from pipeline.examples.texts import parse_pairs
from pipeline.kinds.text_regression.settings import NumberParams


def read_numbers(records: Records, params: NumberParams) -> list[float | None]:
    """Return the number of each row; None if it has none.

    Raises:
        RowErrors: Rows have no number, unless they are dropped, or one that is not finite or has a decimal comma; or
            all numbers are equal.
    """
    raw = [cell.strip() for cell in records.texts(params.label)]
    faults = Faults()
    with faults.gather():
        empty = [(row, None) for row, cell in enumerate(raw) if not cell]
        if empty and params.unlabelled == "fail":
            remedy = "Fill in the numbers, remove the rows, or set `unlabelled: drop`."
            raise records.fault("without a number", empty, remedy, column=params.label)
    numbers = [parse_number(cell) if cell else None for cell in raw]
    with faults.gather():
        remedy = "Write each as digits with a decimal point (1.5, -2, 3e-4), and no unit or thousands separator."
        refuse_odd_numbers(records, params.label, raw, remedy=remedy)
    faults.check()
    if len({*numbers} - {None}) == 1 and records.complete:
        raise RowErrors(
            f"{records.file}: column {params.label!r}: all numbers are equal, {max(filter(None, raw))}, so there is "
            "nothing to learn. Name the column of the numbers in `label`, or add rows."
        )
    return numbers


def _parse(records: Records, params: NumberParams, faults: Faults) -> Parsed:
    numbers = list[float | None]()
    with faults.gather():
        numbers = read_numbers(records, params)
    values, keys, empty, changed = parse_pairs(records, params, faults)
    return Parsed(values, keys, numbers, empty, changed, params.label)


def _tabulate(
    _params: NumberParams, values: Mapping[str, Sequence[Any]], labels: Sequence[float]
) -> dict[str, pa.Array]:
    texts = {name: pa.array(column, pa.string()) for name, column in values.items()}
    return {**texts, "label": pa.array(labels, pa.float64())}


def _parse_label(_params: NumberParams, words: str) -> float | None:
    number = parse_number(words.strip())
    return number if math.isfinite(number) else None


EXAMPLES = Examples(
    classes=lambda _: (),
    parse=_parse,
    tabulate=_tabulate,
    parse_label=_parse_label,
    name_classes=lambda _: ("",),
    indices=None,
)
