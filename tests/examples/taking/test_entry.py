import json
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.tables import labels_of, task_of
from pipeline.examples.intake import Intake
from pipeline.examples.records import Part, Records, places_of
from pipeline.examples.taking.entry import stream_in, take_in
from pipeline.examples.taking.spool import Spool
from pipeline.examples.text import normalise, text_id, text_key
from pipeline.kinds.text_classification.examples import EXAMPLES
from tests.given.ingesting import ingest_params, make_records

FILLER = [("good one", "pos"), ("bad one", "neg")]
TEXTS = st.text(alphabet=st.sampled_from("aAb é\u0301\x00\t\u200b"), max_size=5)
ROWS = st.lists(st.tuples(TEXTS, st.sampled_from(["pos", "neg"]), st.sampled_from("uvw")), max_size=30)


def records(rows: list[tuple[str | None, ...]], *more: str) -> Records:
    columns = {name: [row[place] for row in rows] for place, name in enumerate(("text", "label", *more))}
    return make_records(columns, range(10, 10 * len(rows) + 1, 10))


def take(rows: list[Any], *more: str, **own: Any) -> Intake:
    return take_in(records(rows, *more), ingest_params(**own), EXAMPLES)


def test_examples_hold_what_later_stages_read() -> None:
    taken = take([(" Cafe\u0301\x92 ", "pos", "x"), ("bad", "neg", None)], "topic", keep=["topic"])
    names = ["id", "split", "text", "label", "row", "topic"]
    assert taken.examples.schema.names == names
    kinds = ["string", "string", "string", "int64", "int64", "string"]
    assert [str(taken.examples.schema.field(name).type) for name in names] == kinds
    assert all(taken.examples.column(name).num_chunks == 1 for name in names)
    assert (task_of(taken.examples), labels_of(taken.examples)) == ("tiny", ("neg", "pos"))
    first = taken.examples.to_pylist()[0]
    assert (first["text"], first["label"], first["row"], first["topic"]) == ("Caf\u00e9", 1, 10, "x")
    assert first["id"] == text_id("caf\u00e9")
    assert taken.examples.column("topic").to_pylist() == ["x", None]
    one = {"rows": 1, "lines": [10]}
    assert taken.counts["changed"] == {"trimmed": one, "normalised": one, "controls": one, "misread": one}


def test_every_row_is_kept_or_counted_once() -> None:
    rows = [*FILLER, ("", "pos"), ("GOOD  one", "pos"), ("odd", "pos"), ("odd", "neg"), ("Odd", "neg")]
    taken = take(rows)
    assert taken.counts == {
        "task": "tiny", "file": "tiny.csv", "rows": 7, "kept": 2,
        "dropped": {"empty": 1, "removed": 0, "unlabelled": 0, "duplicates": 1, "conflicts": 3, "leaks": 0},
        "corrections": {"given": 0, "applied": 0, "removed": 0, "needless": 0, "stale": {"count": 0, "ids": []}},
        "conflicts": {"texts": 1, "rows": 3, "lines": [50, 60, 70]},
        "changed": {name: {"rows": 0, "lines": []} for name in ("trimmed", "normalised", "controls", "misread")},
        "splits": taken.counts["splits"],
    }  # fmt: skip
    assert sum(sum(counts.values()) for counts in taken.counts["splits"].values()) == 2
    assert list(taken.counts["splits"]) == ["train", "validation", "test"]
    json.dumps(taken.counts, allow_nan=False)


def test_majority_keeps_the_text_with_its_commonest_label() -> None:
    rows = [*FILLER, ("odd", "pos"), ("odd", "neg"), ("Odd", "neg")]
    taken = take(rows, conflicts="majority")
    assert taken.examples.to_pylist()[2] | {"split": ""} == {
        "id": text_id("odd"), "split": "", "text": "odd", "label": 0, "row": 40,
    }  # fmt: skip
    assert taken.counts["dropped"] == {
        "empty": 0,
        "removed": 0,
        "unlabelled": 0,
        "duplicates": 1,
        "conflicts": 1,
        "leaks": 0,
    }


def test_examples_of_several_files_name_theirs() -> None:
    rows = records([*FILLER, ("x\x92", "pos"), ("odd", "pos"), ("odd", "neg")])
    several = rows._replace(parts=(Part("a.csv", 2), Part("b.csv", 3)))
    taken = take_in(several, ingest_params(files=["*.csv"]), EXAMPLES)
    assert taken.examples.schema.names == ["id", "split", "text", "label", "row", "file"]
    assert taken.examples["file"].to_pylist() == ["a.csv", "a.csv", "b.csv"]
    assert places_of(taken.examples) == ["a.csv:10", "a.csv:20", "b.csv:30"]
    assert taken.counts["changed"]["misread"]["lines"] == ["b.csv:30"]
    assert taken.counts["conflicts"]["lines"] == ["b.csv:40", "b.csv:50"]
    assert places_of(take([*FILLER]).examples) == [10, 20]


def test_rows_without_a_label_go_by_policy_and_count_once() -> None:
    rows = [*FILLER, ("odd", None), ("odd", "pos"), ("", " "), (None, "pos")]
    taken = take(rows, unlabelled="drop")
    assert taken.counts["dropped"] == {
        "empty": 2,
        "removed": 0,
        "unlabelled": 1,
        "duplicates": 0,
        "conflicts": 0,
        "leaks": 0,
    }
    assert taken.examples.column("row").to_pylist() == [10, 20, 40]
    with pytest.raises(DataError, match=r"2 row\(s\) without a label \(line 30, 50\).*`unlabelled: drop`"):
        take(rows)


def test_several_columns_become_one_text() -> None:
    rows = [("Title", "pos", "the body "), ("", "neg", " only a body"), ("Only a title", "pos", None), (" ", "neg", "")]
    taken = take(rows, "body", text=["text", "body"])
    assert taken.examples.column("text").to_pylist() == ["Title\nthe body", "only a body", "Only a title"]
    assert taken.counts["dropped"]["empty"] == 1
    with pytest.raises(DataError, match=r"f\.csv:40: column 'text \+ body': 1 row\(s\) without a visible"):
        take(rows, "body", text=["text", "body"], empty="fail")


def test_all_problems_of_a_file_come_at_once() -> None:
    rows = [("a\x00", "pos", "train"), ("", "neg", "test"), ("b", "", "dev"), ("c", "odd", "train")]
    with pytest.raises(DataError) as caught:
        take(rows, "side", split="side", empty="fail", controls="fail")
    message = str(caught.value)
    facts = (
        "f.csv:30: column 'label': 1 row(s) without a label",
        "f.csv:40: column 'label': 1 row(s) with 1 label(s)",
        "f.csv:10: column 'text': 1 row(s) with control",
        "f.csv:20: column 'text': 1 row(s) without a visible",
        "f.csv:30: column 'side': 1 row(s) with another split",
    )
    assert all(fact in message for fact in facts)
    assert message.startswith("5 ")


@given(ROWS)
def test_a_given_test_split_stays_and_validation_comes_out_of_train(rows: list[tuple[str, str, str]]) -> None:
    given_sides = [(f"{text} {n}", label, "test" if n % 2 else "train") for n, (text, label, _) in enumerate(rows)]
    filler = [
        (f"{text} {n} {side}", label, side) for text, label in FILLER for n in range(40) for side in ("train", "test")
    ]
    taken = take([*filler, *given_sides], "side", split="side")
    by_row = dict(zip(range(10, 10**6, 10), (side for *_, side in [*filler, *given_sides]), strict=False))
    for example in taken.examples.to_pylist():
        assert example["split"] == by_row[example["row"]] or (example["split"], by_row[example["row"]]) == (
            "validation", "train",
        )  # fmt: skip
    assert {"train", "validation", "test"} == set(taken.examples.column("split").to_pylist())


@given(ROWS, st.booleans())
def test_no_text_is_there_twice_and_all_rows_are_accounted_for(rows: list[tuple[str, str, str]], grouped: bool) -> None:
    rows = [*((text, label, "u") for text, label in FILLER), *rows]
    taken = take(rows, "user", group="user" if grouped else None)
    kept = taken.examples.to_pylist()
    assert len({row["id"] for row in kept}) == len(kept) == taken.counts["kept"]
    assert taken.counts["rows"] == len(rows) == taken.counts["kept"] + sum(taken.counts["dropped"].values())
    assert [row["row"] for row in kept] == sorted(row["row"] for row in kept)
    assert all(row["id"] == text_id(text_key(row["text"])) and row["text"] == normalise(row["text"]) for row in kept)
    if grouped:
        by_row = dict(zip(range(10, 10 * len(rows) + 1, 10), (row[2] for row in rows), strict=True))
        sides = {(by_row[row["row"]], row["split"]) for row in kept}
        assert len(sides) == len({group for group, _ in sides})


@given(ROWS, ROWS)
def test_a_text_never_changes_its_id_or_side_when_other_rows_come_or_go(
    rows: list[tuple[str, str, str]], others: list[tuple[str, str, str]]
) -> None:
    def sides(rows: list[tuple[str, ...]]) -> dict[str, tuple[str, str]]:
        return {row["id"]: row["split"] for row in take([*FILLER, *(row[:2] for row in rows)]).examples.to_pylist()}

    few, many = sides(list(rows)), sides([*others, *reversed(rows)])
    assert all(many[name] == few[name] for name in few.keys() & many.keys())


def test_a_text_in_two_groups_stays_where_it_comes_first() -> None:
    users = [f"user {n}" for n in range(12)]
    taken = take(
        [*((*row, "user 0") for row in FILLER), *(("same", "pos", user) for user in users)], "user", group="user"
    )
    assert taken.counts["dropped"]["leaks"] + taken.counts["dropped"]["duplicates"] == 11
    assert taken.counts["dropped"]["leaks"] > 0
    assert taken.examples.column("row").to_pylist() == [10, 20, 30]


def test_a_given_split_is_kept_and_test_keeps_what_leaks() -> None:
    rows = [
        (f"{word} {side}", label, side)
        for side in ("train", "validation", "test")
        for word, label in (("good", "pos"), ("bad", "neg"))
    ]
    taken = take([*rows, ("Good  TEST", "pos", "train"), ("good train", "pos", "validation")], "side", split="side")
    assert taken.counts["dropped"]["leaks"] == 2
    assert taken.examples.column("row").to_pylist() == [20, 30, 40, 50, 60, 80]
    assert taken.counts["splits"]["train"] == {"neg": 1, "pos": 0}


FAULTS: list[tuple[list[Any], tuple[str, ...], dict[str, Any], list[str]]] = [
    (
        [*FILLER, (" \u200b", "pos"), ("", "neg")],
        (),
        {"empty": "fail"},
        ["f.csv:30: column 'text': 2 row(s) without a visible character", "`empty: drop`"],
    ),
    (
        [*FILLER, ("a\x00b", "pos")],
        (),
        {"controls": "fail"},
        ["f.csv:30: column 'text': 1 row(s) with control", "'\\x00'"],
    ),
    (
        [*FILLER, ("x", "pos"), ("X", "neg")],
        (),
        {"conflicts": "fail"},
        ["f.csv:30: column 'label': 2 row(s) of 1 text(s) with several labels"],
    ),
    ([*FILLER, ("x", "other")], (), {"empty": "fail"}, ["f.csv:30: column 'label'", "'other'"]),
    (
        [("x", "pos"), ("x", "neg"), ("", "neg")],
        (),
        {},
        ["none of 3 rows", "1 have no text, no label, or were removed by corrections", "2 belong"],
    ),
    (
        [(*row, "train") for row in FILLER],
        ("side",),
        {"split": "side"},
        ["leave no rows in validation and test"],
    ),
    (
        [(*FILLER[0], "dev"), (*FILLER[1], "train")],
        ("side",),
        {"split": "side"},
        ["f.csv:10: column 'side'", "'validation' for 'dev'"],
    ),
    (
        [(*row, "") for row in FILLER],
        ("user",),
        {"group": "user"},
        ["f.csv:10: column 'user': 2 row(s) without a group"],
    ),
]


@pytest.mark.parametrize(("rows", "more", "own", "words"), FAULTS)
def test_rows_that_break_a_rule_are_refused(
    rows: list[Any], more: tuple[str, ...], own: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(DataError) as caught:
        take(rows, *more, **own)
    for word in words:
        assert word in str(caught.value)


def test_a_row_that_is_empty_and_removed_counts_once() -> None:
    corrected = {text_id(text): {"label": None, "correction": "-"} for text in ("", "good one")}
    taken = take([*FILLER, *FILLER, (" ", "pos")], corrected=corrected)
    assert taken.counts["dropped"] == {
        "empty": 1, "removed": 2, "unlabelled": 0, "duplicates": 1, "conflicts": 0, "leaks": 0,
    }  # fmt: skip
    assert taken.counts["kept"] + sum(taken.counts["dropped"].values()) == taken.counts["rows"] == 5


def test_corrections_replace_labels_and_remove_rows_before_anything_is_counted() -> None:
    rows = [*FILLER, ("odd", "pos"), ("Odd", "neg"), ("junk", "pos")]
    items = {"odd": ("neg", None), "junk": ("-", "pos"), "gone": ("pos", "neg"), "bad one": ("pos", "pos")}
    corrected = {
        text_id(text): {"label": label, "correction": correction} for text, (correction, label) in items.items()
    }
    taken = take(rows, corrected=corrected)
    examples = taken.examples.to_pylist()
    assert [(row["text"], row["label"]) for row in examples] == [("good one", 1), ("bad one", 0), ("odd", 0)]
    assert taken.counts["conflicts"]["texts"] == 0
    assert taken.counts["corrections"] == {
        "given": 4, "applied": 2, "removed": 1, "needless": 0,
        "stale": {"count": 2, "ids": [text_id("gone"), text_id("bad one")]},
    }  # fmt: skip


def test_a_correction_gives_a_row_its_missing_label() -> None:
    corrected = {text_id("odd"): {"label": None, "correction": "neg"}}
    taken = take([*FILLER, ("odd", None)], corrected=corrected, unlabelled="drop")
    assert [row["label"] for row in taken.examples.to_pylist()] == [1, 0, 0]
    assert taken.counts["dropped"]["unlabelled"] == 0


FILE_ROWS = st.lists(
    st.tuples(TEXTS, st.sampled_from(["pos", "neg", "", "odd", "pos;neg"]), st.sampled_from(["train", "test", "dev"])),
    min_size=1,
    max_size=30,
)
FAIR_ROWS = st.lists(
    st.tuples(TEXTS, st.sampled_from(["pos", "neg"]), st.sampled_from(["train", "test"])), min_size=1, max_size=30
)
PARAMS = st.fixed_dictionaries(
    {
        "conflicts": st.sampled_from(["drop", "majority", "fail"]),
        "unlabelled": st.sampled_from(["drop", "fail"]),
        "empty": st.sampled_from(["drop", "fail"]),
        "controls": st.sampled_from(["space", "fail"]),
        "split": st.sampled_from([None, "side"]),
        "corrected": st.sampled_from([{}, {text_id("a"): {"label": None, "correction": "pos"}}]),
    }
)


def outcome(make: Callable[[], tuple[pa.Table, Document]]) -> Any:
    try:
        return make()
    except DataError as error:
        return str(error)


@given(st.one_of(FILE_ROWS, FAIR_ROWS), PARAMS, st.integers(1, 40))
def test_some_rows_at_a_time_give_what_all_at_once_give(rows: list[Any], own: dict[str, Any], size: int) -> None:
    whole, params = records(rows, "side"), ingest_params(**own, keep=["side"] if own["split"] is None else [])

    def read() -> Iterator[Records]:
        yield from (piece._replace(partial=True) for piece in whole.divide(size))

    def stream() -> tuple[pa.Table, Document]:
        with Spool(Path(tempfile.gettempdir())) as spool:
            taken = stream_in(read, params, EXAMPLES, spool)
            return next(taken.groups), taken.counts

    streamed, taken = outcome(stream), outcome(lambda: take_in(whole, params, EXAMPLES))
    if isinstance(taken, str):
        assert streamed == taken
    else:
        assert streamed[0].equals(taken[0], check_metadata=True)
        assert streamed[1] == taken[1]


def test_memory_does_not_grow_with_the_texts(tmp_path: Path) -> None:
    peaks = {}
    for count in (4_000, 12_000):

        def read(count: int = count) -> Iterator[Records]:
            for start in range(0, count, 1000):
                rows = [(f"{row} {'word ' * 100}", ("pos", "neg")[row % 2]) for row in range(start, start + 1000)]
                yield records(list(rows))._replace(partial=True)

        tracemalloc.start()
        with Spool(tmp_path, in_memory=1) as spool:
            taken = stream_in(read, ingest_params(), EXAMPLES, spool)
            peaks[count] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            assert sum(group.num_rows for group in taken.groups) == taken.counts["kept"] == count
    assert peaks[12_000] - peaks[4_000] < 8_000 * 100  # of 500 bytes each
