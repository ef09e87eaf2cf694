"""Examples of text classification: texts or pairs of texts, and the index of their class."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.examples.faults import Faults
from pipeline.examples.intake import Examples, Parsed
from pipeline.examples.labels import list_classes, read_labels
from pipeline.examples.records import Records
from pipeline.examples.texts import parse_pairs
from pipeline.settings.shared.texts import LabelledTextParams


def _classes(params: LabelledTextParams) -> tuple[str, ...]:
    return list_classes(params.labels, params.threshold)


def _parse(records: Records, params: LabelledTextParams, faults: Faults) -> Parsed:
    labels = list[str]()
    with faults.gather():
        may_lack = params.unlabelled == "drop"
        labels = read_labels(records, params.label, labels=params.labels, threshold=params.threshold, may_lack=may_lack)
    values, keys, empty, changed = parse_pairs(records, params, faults)
    return Parsed(values, keys, [label or None for label in labels], empty, changed, params.label)


def _tabulate(
    params: LabelledTextParams, values: Mapping[str, Sequence[Any]], labels: Sequence[str]
) -> dict[str, pa.Array]:
    indices = {name: index for index, name in enumerate(_classes(params))}
    return {
        **{name: pa.array(texts, pa.string()) for name, texts in values.items()},
        "label": pa.array([indices[label] for label in labels], pa.int64()),
    }


def _parse_label(params: LabelledTextParams, words: str) -> str | None:
    return words if words in _classes(params) else None


EXAMPLES = Examples(
    classes=_classes,
    parse=_parse,
    tabulate=_tabulate,
    parse_label=_parse_label,
    name_classes=lambda label: (label,),
    indices="label",
)
