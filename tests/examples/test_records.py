import pytest

from pipeline.core.errors import DataError
from pipeline.examples.records import Records, check_cells, choose, fault


def test_a_fault_names_place_count_five_lines_and_distinct_values() -> None:
    error = fault(
        "f.csv", "with a fault", [(line, "x" if line < 9 else "y") for line in range(3, 11)], "Mend them.", column="c"
    )
    assert str(error) == (
        "f.csv:3: column 'c': 8 row(s) with a fault (line 3, 4, 5, 6, 7 and 3 more): 'x', 'y'. Mend them."
    )
    assert str(fault("f", "bad", [(1, None)], "Mend.")) == "f:1: 1 row(s) bad (line 1). Mend."


def test_columns_are_chosen_by_name() -> None:
    assert choose("f", ["b", "a"], ["a", "x", "b", "x"]) == [2, 0]


@pytest.mark.parametrize("size", [999, 1000])
def test_cells_up_to_the_cap_pass(size: int) -> None:
    check_cells(Records("f", [1], {"c": ["é" * (size // 2)]}), max_cell_bytes=1000)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([], "f: found no rows"),
        (["a", "b" * 1001], "f:3: column 'c': 1 row(s) with more than 1000 bytes (line 3): '1001 bytes'"),
        (["é" * 501, None], "'1002 bytes'"),
        (
            ["a", "\ud800", "x\udfff"],
            "f:3: column 'c': 2 row(s) with a lone surrogate (half a character) (line 3, 4): '\\ud800'",
        ),
    ],
)
def test_cells_that_cannot_be_kept_are_refused(cells: list[str | None], words: str) -> None:
    with pytest.raises(DataError) as caught:
        check_cells(Records("f", list(range(2, len(cells) + 2)), {"c": cells}), max_cell_bytes=1000)
    assert words in str(caught.value)
