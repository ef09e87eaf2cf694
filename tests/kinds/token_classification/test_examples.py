"""The three layouts give the same examples, and each fault of a file has the answer owed."""

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from pipeline.core.errors import DataError
from pipeline.core.tables import labels_of
from pipeline.examples.intake import Intake
from pipeline.examples.read import read_records
from pipeline.examples.taking.entry import take_in
from pipeline.kinds.token_classification.examples import EXAMPLES
from pipeline.kinds.token_classification.settings import TaggedParams
from tests.given.settings import read_section

COMMON = read_section("ingest", "token-classification")
JSONL = {"format": "jsonl", "words": "words", "tags": "tags"}
CONLL = {"format": "conll", "words": "1", "tags": "2"}
SPANS = {"format": "jsonl", "text": "text", "spans": "spans"}
ROWS = [
    (["Maria", "López", "left"], ["B-PER", "I-PER", "O"]),
    (["Oslo", "rests"], ["B-LOC", "O"]),
    (["no", "one"], ["O", "O"]),
]


def tagged_params(**own: Any) -> TaggedParams:
    fields = TaggedParams.model_fields
    given = {key: value for key, value in COMMON.items() if key in fields}
    values = {**given, "task": "tiny", "file": "tiny", "labels": ["PER", "LOC"], "corrected": {}, **own}
    return TaggedParams.model_validate_json(json.dumps(values))


def ingest(path: Path, content: str, **own: Any) -> Intake:
    path.write_text(content, encoding="utf-8")
    params = tagged_params(**own)
    return take_in(read_records(path, params), params, EXAMPLES)


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


LAYOUTS: dict[str, tuple[str, dict[str, Any]]] = {
    "lists": (lines(*({"words": words, "tags": tags} for words, tags in ROWS)), JSONL),
    "numbers": (
        lines(*({"words": w, "tags": [["O", "B-PER", "I-PER", "B-LOC"].index(tag) for tag in t]} for w, t in ROWS)),
        {**JSONL, "labels": {"0": "O", "1": "B-PER", "2": "I-PER", "3": "B-LOC"}},
    ),
    "columns": ("\n".join("".join(f"{w} {t}\n" for w, t in zip(*row, strict=True)) for row in ROWS), CONLL),
    "joined": (
        "".join(" ".join(f"{w}/{t}" for w, t in zip(*row, strict=True)) + "\n" for row in ROWS),
        {"format": "pattern", "pattern": "(?P<words>.*)", "words": "words", "joint": "/"},
    ),
    "cells": (
        "words,tags\n" + "".join(f"{' '.join(words)},{' '.join(tags)}\n" for words, tags in ROWS),
        {"format": "delimited", "words": "words", "tags": "tags"},
    ),
    "spans": (
        lines(
            {"text": "Maria López left", "spans": [[0, 11, "PER"]]},
            {"text": "Oslo rests", "spans": [{"start": 0, "end": 4, "label": "LOC"}]},
            {"text": "no one", "spans": []},
        ),
        SPANS,
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_gives_the_same_examples(tmp_path: Path, layout: str) -> None:
    content, own = LAYOUTS[layout]
    examples, counts = ingest(tmp_path / "f", content, **own)
    classes = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")
    assert labels_of(examples) == classes
    tags = [[classes[tag] for tag in own] for own in examples["tags"].to_pylist()]
    assert list(zip(examples["words"].to_pylist(), tags, strict=True)) == ROWS
    assert counts["changed"]["widened"]["rows"] == 0
    assert sum(part["B-PER"] for part in counts["splits"].values()) == 1


def row(words: str, tags: str) -> dict[str, Any]:
    return {"words": words.split(), "tags": tags.split()}


GOOD = [row("Maria left", "B-PER O"), row("Oslo rests", "B-LOC O")]
FAULTS: dict[str, tuple[str, dict[str, Any], list[str]]] = {
    "more tags than words": (
        lines(*GOOD, row("a b", "O"), row("c", "O O")), JSONL,
        ["f:3: column 'tags': 2 row(s)", "line 3, 4", "'2 words, 1 tags', '1 words, 2 tags'"],
    ),
    "an unknown type": (
        lines(*GOOD, row("a b", "B-ORG O")), JSONL,
        ["f:3: column 'tags': 1 row(s)", "'B-ORG'", 'labels: ["PER", "LOC", "ORG"]'],
    ),
    "a tag of another scheme": (lines(*GOOD, row("a", "U-PER")), JSONL, ["f:3:", "'U-PER'", "`scheme`"]),
    "a span that nothing begins": (
        lines(*GOOD, *[row(f"a{n} b", "O I-PER") for n in range(7)]), JSONL,
        ["f:3: column 'tags': 7 row(s)", "line 3, 4, 5, 6, 7 and 2 more", "'I-PER at word 2'", "`illegal: begin`"],
    ),
    "no tags": (lines(*GOOD, {"words": ["a"], "tags": None}), JSONL, ["f:3:", "without tags", "`unlabelled: drop`"]),
    "a type without a span": (lines(GOOD[0]), JSONL, ["no word of 'LOC'", "'O' (1)", "`labels`"]),
    "tags that are text": (lines(*GOOD, {"words": ["a"], "tags": "O"}), JSONL, ["f:3:", "lists of values", "'O'"]),
    "words that are numbers": (lines(*GOOD, {"words": [1], "tags": ["O"]}), JSONL, ["f:3:", "lists of strings"]),
    "a span beyond the text": (
        lines({"text": "Oslo", "spans": [[0, 9, "LOC"]]}), SPANS,
        ["f:1: column 'spans': 1 row(s)", "'0 to 9 of 4 characters'"],
    ),
    "spans that overlap": (
        lines({"text": "Oslo Bay", "spans": [[0, 8, "LOC"], [5, 8, "LOC"]]}), SPANS,
        ["f:1:", "0 to 8 and 5 to 8 overlap"],
    ),
    "spans without a label": (lines({"text": "Oslo", "spans": [{"start": 0, "end": 4}]}), SPANS, ["f:1:", "one label"]),
    "a word without a tag": (
        "a/O b\n", {"format": "pattern", "pattern": "(?P<words>.*)", "words": "words", "joint": "/"},
        ["f:1: column 'words': 1 row(s)", "'b'", "WORD/TAG"],
    ),
    "a ragged line": ("Maria B-PER\nleft\n\nOslo B-LOC\n", CONLL, ["f:2: 1 row(s)", "'1 cells, not 2'"]),
    "a column that is not there": ("Maria B-PER\n", {**CONLL, "tags": "4"}, ["column '4' is not there", "'1', '2'"]),
    "no visible character": (
        lines(*GOOD, {"words": ["\u200b"], "tags": ["O"]}), {**JSONL, "empty": "fail"}, ["f:3:", "`empty: drop`"],
    ),
    "a sentence of two taggings": (
        lines(*GOOD, row("Oslo rests", "O O")), {**JSONL, "conflicts": "fail"}, ["f:2:", "line 2, 3"],
    ),
    "several at once": (
        lines(*GOOD, row("a", "X"), {"words": ["b"], "tags": None}), JSONL,
        ["2 kinds of faults", "'X'", "without tags"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_names_its_place_its_count_and_the_fix(tmp_path: Path, fault: str) -> None:
    content, own, words = FAULTS[fault]
    with pytest.raises(DataError) as caught:
        ingest(tmp_path / "f", content, **own)
    assert [word for word in words if word not in str(caught.value)] == []


def test_rows_without_tags_may_be_dropped(tmp_path: Path) -> None:
    content = lines(*GOOD, {"words": ["a"], "tags": None}, {"words": [], "tags": []})
    taken = ingest(tmp_path / "f", content, **JSONL, unlabelled="drop")
    assert taken.counts["dropped"] | {"unlabelled": 1, "empty": 1} == taken.counts["dropped"]
    assert taken.examples.num_rows == 2


def test_an_illegal_tag_may_begin_a_span(tmp_path: Path) -> None:
    taken = ingest(tmp_path / "f", lines(*GOOD, row("a b", "I-PER I-LOC")), **JSONL, illegal="begin")
    assert taken.examples["tags"].to_pylist()[2] == [1, 3]


def test_plain_tags_are_cleaned_and_mapped(tmp_path: Path) -> None:
    own = {"format": "pattern", "pattern": "(?P<words>.*)", "words": "words", "joint": "/", "scheme": "none"}
    labels = {"nn": "NOUN", "vb": "VERB"}
    taken = ingest(tmp_path / "f", "and/or/nn-tl  go/vb\n", **own, labels=labels, strip="-tl$")
    assert taken.examples.to_pydict()["words"] == [["and/or", "go"]]
    assert (labels_of(taken.examples), taken.examples["tags"].to_pylist()) == (("NOUN", "VERB"), [[0, 1]])


def test_the_document_is_the_group_or_the_file(tmp_path: Path) -> None:
    content = "-DOCSTART- O\n\nMaria B-PER\n\nOslo B-LOC\n"
    assert ingest(tmp_path / "f", content, **CONLL, group="docstart").examples["document"].to_pylist() == ["1", "1"]
    assert ingest(tmp_path / "f", content, **CONLL).examples["document"].to_pylist() == [None, None]
    (tmp_path / "d").mkdir()
    for name in ("a", "b"):
        (tmp_path / "d" / name).write_text(f"Maria{name} B-PER\n\nOslo{name} B-LOC\n")
    params = tagged_params(**CONLL, files=["*"])
    taken = take_in(read_records(tmp_path / "d", params), params, EXAMPLES)
    assert taken.examples["document"].to_pylist() == ["a", "a", "b", "b"]


def test_a_sentence_keeps_its_id_whatever_its_tags(tmp_path: Path) -> None:
    first = ingest(tmp_path / "f", lines(*GOOD), **JSONL).examples
    other = ingest(tmp_path / "f", lines(row("maria left", "O O"), *GOOD[1:], row("x", "B-PER")), **JSONL).examples
    assert first["id"].to_pylist() == other["id"].to_pylist()[:2]


@pytest.mark.parametrize(
    "own",
    [
        {}, {"words": "w"}, {**JSONL, "joint": "/"}, {**JSONL, "text": "t"}, {"text": "t"},
        {**SPANS, "scheme": "bilou"}, {**JSONL, "labels": {"0": "O"}}, {**JSONL, "strip": "("},
        {**JSONL, "corrections": "a.csv"}, {**JSONL, "keep": ["document"]}, {**JSONL, "labels": ["A", "a"]},
    ],
)  # fmt: skip
def test_params_that_contradict_themselves(own: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        tagged_params(**own)


def test_a_dataset_of_the_hub_is_read_as_it_is(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, Features, List, Value  # seconds

    names = ["O", "B-PER", "I-PER", "B-LOC"]
    features = Features({"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=names))})
    rows = {"tokens": [words for words, _ in ROWS], "ner_tags": [tags for _, tags in ROWS]}
    Dataset.from_dict(rows, features=features).to_parquet(tmp_path / "f.parquet")
    labels = {str(at): name for at, name in enumerate(names)}
    params = tagged_params(format="parquet", words="tokens", tags="ner_tags", labels=labels)
    taken = take_in(read_records(tmp_path / "f.parquet", params), params, EXAMPLES)
    assert taken.examples["words"].to_pylist() == rows["tokens"]
    pq.write_table(taken.examples, tmp_path / "e.parquet")
    assert Dataset.from_parquet(str(tmp_path / "e.parquet"), cache_dir=str(tmp_path))["words"][0] == rows["tokens"][0]
