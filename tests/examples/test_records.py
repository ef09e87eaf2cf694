from hypothesis import given
from hypothesis import strategies as st

from pipeline.examples.faults import find_columns
from pipeline.examples.records import Part, Records, join_records
from tests.given.ingesting import make_records


def test_columns_are_found_by_name() -> None:
    assert find_columns("f", ["b", "a"], ["a", "x", "b", "x"]) == [2, 0]


def test_rows_are_named_by_their_lines() -> None:
    records = make_records({"c": ["a", "b", "c"]}, [10, 20, 30])
    error = records.fault("odd", [(1, "b"), (2, None)], "Mend.", column="c")
    assert str(error) == "f.csv:20: column 'c': 2 row(s) odd (line 20, 30): 'b'. Mend."
    assert records.lines_of([]) == []


def several(counts: list[int]) -> Records:
    """Return the records of files with so many rows each; a cell is the row's number."""
    lines = [line for count in counts for line in range(1, count + 1)]
    records = make_records({"c": [str(row) for row in range(len(lines))]}, lines)
    return records._replace(parts=tuple(Part(f"{place}.csv", count) for place, count in enumerate(counts)))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(1, 4), st.data())
def test_rows_keep_their_places_when_they_are_divided_and_joined(
    counts: list[int], size: int, data: st.DataObject
) -> None:
    records = several(counts)
    rows = range(sum(counts))
    some = data.draw(st.lists(st.sampled_from(rows), unique=True).map(sorted) if rows else st.just([]))
    taken = records.take(some)
    assert taken.texts("c") == [str(row) for row in some]
    assert taken.places_of(range(len(some))) == records.places_of(some)
    if pieces := [*records.divide(size)]:
        whole = join_records(pieces)
        assert whole.places_of(rows) == records.places_of(rows)
        assert whole.texts("c") == records.texts("c")
        assert [part for part in whole.parts if part.rows] == [part for part in records.parts if part.rows]
