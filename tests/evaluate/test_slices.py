import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.core.tables import describe
from pipeline.evaluate.slices import MISSING, Slice, slice_by_column, slice_by_columns, slice_by_length


def plain(parts: list[Slice]) -> list[tuple[str, str, list[int]]]:
    return [(part.slice, part.value, part.rows.tolist()) for part in parts]


def test_lengths_by_hand() -> None:
    texts = ["one", "one two", "a b c", "a b c d", "  spaced\tout \n words  ", "a b c d e f"]
    assert plain(slice_by_length(texts, [1, 3, 5])) == [
        ("length", "1", [0]),
        ("length", "2-3", [1, 2, 4]),
        ("length", "4-5", [3]),
        ("length", "6+", [5]),
    ]
    assert plain(slice_by_length(texts, [])) == [("length", "all", [0, 1, 2, 3, 4, 5])]
    assert [part.value for part in slice_by_length(["a b c"], [1, 2])] == ["3+"]


@given(st.lists(st.integers(1, 30), max_size=40), st.sets(st.integers(1, 25), max_size=5))
def test_every_row_is_in_the_one_slice_its_name_says(counts: list[int], edges: set[int]) -> None:
    parts = slice_by_length(["word " * count for count in counts], sorted(edges))
    rows = [row for part in parts for row in part.rows]
    assert sorted(rows) == list(range(len(counts)))
    for part in parts:
        low, _, high = part.value.rstrip("+").partition("-")
        for row in part.rows:
            if part.value != "all":
                assert int(low) <= counts[row] <= (int(high or low) if "+" not in part.value else 30)


@given(st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", "", MISSING])), max_size=30))
def test_column_slices_divide_the_rows(values: list[str | None]) -> None:
    parts = slice_by_column("kind", values)
    assert sorted(np.concatenate([part.rows for part in parts]).tolist() if parts else []) == list(range(len(values)))
    for part in parts:
        found = {values[row] for row in part.rows}
        assert len(found) == 1
        assert found <= {part.value, part.value.strip('"'), None}
    assert len({part.value for part in parts}) == len(parts) == len(set(values))


@pytest.mark.parametrize("values", [["b", "a", None, "b"]])
def test_column_slices_are_in_order_with_missing_last(values: list[str | None]) -> None:
    assert plain(slice_by_column("kind", values)) == [("kind", "a", [1]), ("kind", "b", [0, 3]), ("kind", MISSING, [2])]


def examples() -> pa.Table:
    columns = {
        "id": ["x", "y"],
        "split": ["test"] * 2,
        "text": ["a", "b"],
        "label": [0, 1],
        "row": [1, 2],
        "kind": ["k", None],
    }
    return describe(pa.table(columns), task="toy", labels=("ham", "spam"))


def test_columns_are_sliced_in_order_and_classes_by_name() -> None:
    parts = plain(slice_by_columns(examples(), ("label", "kind"), never=("text",)))
    assert parts == [("label", "ham", [0]), ("label", "spam", [1]), ("kind", "k", [0]), ("kind", MISSING, [1])]


@pytest.mark.parametrize("name", ["absent", "text", "row", "id", "split"])
def test_a_slice_that_is_no_column_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"evaluate\.slices: .*toy.*'{name}'.*'label', 'kind'.*ingest\.keep"):
        slice_by_columns(examples(), (name,), never=("text",))
