import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.labels import list_classes, read_labels
from pipeline.examples.records import Records
from pipeline.settings.ingest import Threshold
from tests.given.ingesting import make_records

SIDES = Threshold(at=0, above="pos", otherwise="neg")


def column(*cells: str | None) -> Records:
    return make_records({"c": list(cells)}, range(2, len(cells) + 2))


def read(*cells: str | None, labels: dict[str, str] | tuple[str, ...] | None = None) -> list[str]:
    return read_labels(column(*cells), "c", labels=labels, threshold=None if labels else SIDES)


def test_classes_keep_the_order_of_their_first_appearance() -> None:
    assert list_classes({"0": "ham", "1": "spam", "2": "ham"}, None) == ("ham", "spam")
    assert list_classes(("b", "a"), None) == ("b", "a")
    assert list_classes(None, SIDES) == ("neg", "pos")


def test_labels_are_stripped_and_mapped_as_text() -> None:
    assert read(" 0", "1\t", "01", labels={"0": "ham", "1": "spam", "01": "spam"}) == ["ham", "spam", "spam"]
    assert read("cafe\u0301", "b", labels=("caf\u00e9", "b")) == ["caf\u00e9", "b"]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_a_threshold_splits_numbers_as_float_does(numbers: list[float]) -> None:
    cells = [repr(number) for number in (*numbers, -1.0, 1.0)]
    assert read(*cells) == ["pos" if float(cell) > 0 else "neg" for cell in cells]


@pytest.mark.parametrize("odd", ["nan", "inf", "-Infinity", "1e999", "1,5", "1_000", "٣", "five", "0x1", "--1"])
def test_a_threshold_refuses_what_is_not_a_finite_number(odd: str) -> None:
    with pytest.raises(
        DataError, match=r"f\.csv:3: column 'c': 2 row\(s\) whose label is not a finite number \(line 3, 5\)"
    ):
        read("1", odd, "-2", odd)


def test_empty_labels_come_first() -> None:
    with pytest.raises(DataError, match=r"f\.csv:2: column 'c': 2 row\(s\) without a label \(line 2, 4\)"):
        read(None, "odd", "  ", labels=("a", "b"))


def test_unknown_labels_are_counted_with_lines_and_collisions() -> None:
    with pytest.raises(DataError) as caught:
        read("pos", "Pos", "odd", "P OS", "Pos", "neg", labels=("neg", "pos"))
    message = str(caught.value)
    assert message.startswith(
        "f.csv:3: column 'c': 4 row(s) with 3 label(s) that are not in `labels`: 'Pos' (2 row(s), line 3, 6"
    )
    assert "'Pos' (2 row(s), line 3, 6, collides with 'pos' up to case and space)" in message
    assert "'odd' (1 row(s), line 4)" in message
    assert "Allowed: 'neg', 'pos'" in message


@pytest.mark.parametrize("labels", [("a", "b"), {"a": "a", "x": "b"}])
def test_a_class_without_rows_is_refused(labels: dict[str, str] | tuple[str, ...]) -> None:
    with pytest.raises(DataError, match=r"no row of class 'b'; the commonest labels are 'a' \(2\)"):
        read("a", "a", labels=labels)


def test_a_threshold_above_all_numbers_is_refused() -> None:
    with pytest.raises(DataError, match="no row of class 'pos'"):
        read("-1", "0")
