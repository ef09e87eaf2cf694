"""Examples of text classification: texts, and the index of their class."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.examples.faults import Faults
from pipeline.examples.intake import Examples, Parsed
from pipeline.examples.labels import list_classes, read_labels
from pipeline.examples.records import Records
from pipeline.examples.text import text_key
from pipeline.examples.texts import parse_texts
from pipeline.settings.shared.texts import LabelledTextParams


def _classes(params: LabelledTextParams) -> tuple[str, ...]:
    return list_classes(params.labels, params.threshold)


def _parse(records: Records, params: LabelledTextParams, faults: Faults) -> Parsed:
    labels = list[str]()
    with faults.gather():
        may_lack = params.unlabelled == "drop"
        labels = read_labels(records, params.label, labels=params.labels, threshold=params.threshold, may_lack=may_lack)
    texts, empty, changed = parse_texts(records, params, faults)
    keys = [text_key(text) for text in texts]
    return Parsed({"text": texts}, keys, [label or None for label in labels], empty, changed, params.label)


def _tabulate(
    params: LabelledTextParams, values: Mapping[str, Sequence[Any]], labels: Sequence[str]
) -> dict[str, pa.Array]:
    indices = {name: index for index, name in enumerate(_classes(params))}
    return {
        "text": pa.array(values["text"], pa.string()),
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
