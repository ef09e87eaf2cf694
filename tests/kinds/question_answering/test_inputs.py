"""Windows hold every token of a passage, and the labels are those of the answer."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from pipeline.core.errors import DataError
from pipeline.core.parts.work import open_work
from pipeline.core.tables import describe, write_parquet
from pipeline.kinds.question_answering.feed import to_windows
from pipeline.kinds.question_answering.inputs import INPUTS, find_answer
from pipeline.kinds.question_answering.settings import ANSWERABILITY, WindowParams
from pipeline.models.inputs import encode_in_parts
from pipeline.reading.spans import Span
from tests.given.encoder import make_encoder

PASSAGE = "the film was long and the cast ate soup in the hotel . the music was lovely and the ending was grim"


def write_examples(path: Path, question: str, answer: str) -> Path:
    row = {
        "id": "a", "split": "test", "context": PASSAGE, "question": question,
        "answers": [answer] if answer else [], "starts": [PASSAGE.index(answer)] if answer else [], "row": 7,
    }  # fmt: skip
    table = pa.Table.from_pylist([row]).set_column(
        5, "starts", pa.array([row["starts"]], pa.list_(pa.int64()))
    ).set_column(4, "answers", pa.array([row["answers"]], pa.list_(pa.string())))  # fmt: skip
    write_parquet(path, describe(table, task="tiny", labels=ANSWERABILITY))
    return path


def make_windows(folder: Path, question: str, answer: str, *, max_length: int = 16, stride: int = 4) -> pa.Table:
    params = WindowParams(
        task="tiny", max_length=max_length, stride=stride, batch_texts=10, max_unknown_share=1.0
    )  # fmt: skip
    encoder = make_encoder(folder / "encoder")
    encoded = INPUTS.encode(params, write_examples(folder / "examples.parquet", question, answer), encoder)
    return pa.Table.from_batches(encode_in_parts(encoded, open_work(folder, None)))


def test_windows_are_those_of_the_stock_tokenizer(tmp_path):
    table = make_windows(tmp_path, "the music was", "lovely")
    stock = AutoTokenizer.from_pretrained(tmp_path / "encoder", local_files_only=True)(
        "the music was", PASSAGE, max_length=16, stride=4, truncation="only_second",
        return_overflowing_tokens=True, return_offsets_mapping=True, return_token_type_ids=True,
    )  # fmt: skip
    assert table["input_ids"].to_pylist() == stock["input_ids"]
    assert table["token_type_ids"].to_pylist() == stock["token_type_ids"]
    assert to_windows(table).types is not None
    for at, row in enumerate(table.to_pylist()):
        sides = zip(stock["offset_mapping"][at], stock.sequence_ids(at), strict=True)
        assert list(zip(row["starts"], row["ends"], strict=True)) == [
            offsets if side == 1 else (-1, -1) for offsets, side in sides
        ]
    assert table["truncated"].to_pylist() == [False] * len(table)


def test_the_labels_are_the_tokens_of_the_answer_in_each_window_that_holds_it(tmp_path):
    table = make_windows(tmp_path, "the music was", "lovely and the ending")
    held = 0
    for row in table.to_pylist():
        inside = [start for start in row["starts"] if start >= 0]
        if row["first"] == 0:
            assert row["last"] == 0
            continue
        held += 1
        assert PASSAGE[row["starts"][row["first"]] : row["ends"][row["last"]]] == "lovely and the ending"
        assert inside[0] <= PASSAGE.index("lovely")
    assert 1 <= held < table.num_rows
    assert [row is not None for row in table["context"].to_pylist()] == [True] + [False] * (table.num_rows - 1)


def test_a_question_without_an_answer_points_at_the_first_token(tmp_path):
    table = make_windows(tmp_path, "who", "")
    assert set(table["first"].to_pylist()) == set(table["last"].to_pylist()) == {0}


def test_a_question_that_leaves_no_room_is_refused_by_row(tmp_path):
    with pytest.raises(DataError, match=r"1 questions \(rows 7\) have more than 4 tokens, 5"):
        make_windows(tmp_path, "the music was the film", "lovely")


@given(st.lists(st.integers(1, 4), min_size=1, max_size=8), st.data())
def test_an_answer_is_covered_by_its_tokens(sizes, data):
    ends = [sum(sizes[: at + 1]) for at in range(len(sizes))]
    starts = [0, *ends[:-1]]
    start = data.draw(st.integers(0, ends[-1] - 1))
    end = data.draw(st.integers(start + 1, ends[-1]))
    first, last = find_answer([-1, *starts, -1], [-1, *ends, -1], Span(start, "x" * (end - start)))
    assert starts[first - 1] <= start < ends[first - 1]
    assert starts[last - 1] < end <= ends[last - 1]
    assert find_answer([-1, *starts], [-1, *ends], Span(start, "x" * (ends[-1] + 1))) == (0, 0)
