"""Examples of multi-label classification: texts, and the indices of their classes."""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from pipeline.examples.faults import Faults
from pipeline.examples.intake import Examples, Parsed
from pipeline.examples.labels import list_classes, map_labels, refuse_unknown, require_present
from pipeline.examples.records import Records
from pipeline.examples.text import text_key
from pipeline.examples.texts import parse_texts
from pipeline.kinds.multi_label_classification.settings import WORDS_SEPARATOR, LabelSetParams

LabelSet = frozenset[str]


def _classes(params: LabelSetParams) -> tuple[str, ...]:
    return list_classes(params.labels, None)


def read_label_sets(records: Records, params: LabelSetParams) -> list[LabelSet | None]:
    """Return the classes of each row; None for a row that says nothing of them, which is not to have none.

    Labels are stripped and in NFC, otherwise as they are in the file.

    Raises:
        RowErrors: Rows say nothing of their classes or have none, unless `params` lets them; or have an empty label, a
            label twice, or one that is not in `labels`; or a class has no rows.
    """
    cells = records.lists(params.label)
    is_missing = [not valid for valid in records.columns[params.label].is_valid().to_pylist()]
    raw = [[unicodedata.normalize("NFC", label or "").strip() for label in cell] for cell in cells]
    if params.separator:  # an empty cell of text has no labels; in a list an empty label is a fault
        raw = [[] if labels == [""] else labels for labels in raw]
    classes = map_labels(params.labels or ())
    faults = Faults()
    with faults.gather():
        _check_given(records, params, raw, is_missing)
    with faults.gather():
        _check_each(records, params, raw)
    with faults.gather():
        unknown: dict[str, list[int]] = {}
        for row, labels in enumerate(raw):
            for label in labels:
                if label and label not in classes:
                    unknown.setdefault(label, []).append(row)
        if unknown:
            raise refuse_unknown(records, params.label, unknown, params.labels)
    faults.check()
    sets = [
        None if missing else frozenset(map(classes.__getitem__, labels))
        for labels, missing in zip(raw, is_missing, strict=True)
    ]
    present = LabelSet().union(*filter(None, sets))
    every = (label for labels in raw for label in labels)
    require_present(records, params.label, _classes(params), present=present, raw=every)
    return sets


def _check_given(
    records: Records, params: LabelSetParams, raw: Sequence[Sequence[str]], is_missing: Sequence[bool]
) -> None:
    faults = Faults()
    with faults.gather():
        missing = [(row, None) for row, lacks in enumerate(is_missing) if lacks]
        if missing and params.unlabelled == "fail":
            remedy = "Fill the labels ([] if none applies), remove the rows, or set `unlabelled: drop`."
            raise records.fault("without labels", missing, remedy, column=params.label)
    with faults.gather():
        bare = [(row, None) for row, labels in enumerate(raw) if not labels and not is_missing[row]]
        if bare and params.no_labels == "fail":
            remedy = "Fill the labels, or set `no_labels: keep` if none of the classes applies to these rows."
            raise records.fault("with no label", bare, remedy, column=params.label)
    faults.check()


def _check_each(records: Records, params: LabelSetParams, raw: Sequence[Sequence[str]]) -> None:
    faults = Faults()
    joined = [f"{params.separator or WORDS_SEPARATOR} ".join(labels) for labels in raw]
    with faults.gather():
        blank = [(row, joined[row]) for row, labels in enumerate(raw) if not all(labels)]
        if blank:
            raise records.fault("with an empty label", blank, "Remove it, or fill it.", column=params.label)
    with faults.gather():
        twice = [(row, joined[row]) for row, labels in enumerate(raw) if len(set(labels)) < len(labels)]
        if twice:
            raise records.fault("with a label twice", twice, "Name each label once.", column=params.label)
    faults.check()


def _parse(records: Records, params: LabelSetParams, faults: Faults) -> Parsed:
    sets = list[LabelSet | None]()
    with faults.gather():
        sets = read_label_sets(records, params)
    texts, empty, changed = parse_texts(records, params, faults)
    keys = [text_key(text) for text in texts]
    return Parsed({"text": texts}, keys, sets, empty, changed, params.label)


def _tabulate(
    params: LabelSetParams, values: Mapping[str, Sequence[Any]], labels: Sequence[LabelSet]
) -> dict[str, pa.Array]:
    places = {name: index for index, name in enumerate(_classes(params))}
    return {
        "text": pa.array(values["text"], pa.string()),
        "labels": pa.array([sorted(places[name] for name in names) for names in labels], pa.list_(pa.int64())),
    }


def _parse_label(params: LabelSetParams, words: str) -> LabelSet | None:
    """Return the classes that stand between semicolons; None if one is no class."""
    names = frozenset(name.strip() for name in words.split(WORDS_SEPARATOR))
    return names if names <= {*_classes(params)} else None


EXAMPLES = Examples(
    classes=_classes,
    parse=_parse,
    tabulate=_tabulate,
    parse_label=_parse_label,
    name_classes=lambda names: names,
    indices="labels",
)
