import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from pipeline.core.errors import DataError
from pipeline.examples.labels import list_classes, read_labels
from pipeline.examples.records import Records
from pipeline.settings.shared.classes import Threshold
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


def test_empty_and_unknown_labels_come_at_once() -> None:
    with pytest.raises(DataError) as caught:
        read(None, "odd", "  ", labels=("a", "b"))
    message = str(caught.value)
    assert "f.csv:2: column 'c': 2 row(s) without a label (line 2, 4)" in message
    assert "`unlabelled: drop`" in message
    assert "f.csv:3: column 'c': 1 row(s) with 1 label(s)" in message


@pytest.mark.parametrize("threshold", [None, SIDES])
def test_rows_may_lack_a_label(threshold: Threshold | None) -> None:
    cells, labels = (["1", None, " ", "-1"], None) if threshold else (["pos", None, " ", "neg"], ("neg", "pos"))
    classes = read_labels(column(*cells), "c", labels=labels, threshold=threshold, may_lack=True)
    assert classes == ["pos", "", "", "neg"]


def remedy(message: str) -> object:
    """Return the value of `labels` that a message proposes, as YAML reads it."""
    (text,) = re.findall(r"set `labels: (.*)`\.", message)
    return YAML(typ="safe").load(text)


def test_sixty_labels_are_listed_whole_ready_to_paste() -> None:
    cells = [f'intent "{n:02}", é' for n in range(60)] * 3
    with pytest.raises(DataError) as caught:
        read(*cells, labels=tuple(cells[:2]))
    assert remedy(str(caught.value)) == cells[:60]
    assert read(*cells, labels=tuple(remedy(str(caught.value)))) == cells  # type: ignore[arg-type]


@pytest.mark.parametrize("labels", [("pos", "neg"), {"pos": "good", "neg": "bad"}])
def test_labels_of_another_case_are_proposed_as_a_map(labels: dict[str, str] | tuple[str, ...]) -> None:
    cells = ["pos", "neg", "POS", "other"]
    with pytest.raises(DataError) as caught:
        read(*cells, labels=labels)
    proposed = remedy(str(caught.value))
    assert isinstance(proposed, dict)
    assert len(read(*cells, labels=proposed)) == 4
    assert proposed["POS"] == proposed["pos"]


def test_a_column_of_names_is_not_listed() -> None:
    with pytest.raises(DataError, match="at most 1000 classes") as caught:
        read(*(f"user {n}" for n in range(2000)), labels=("a", "b"))
    assert len(str(caught.value)) < 1000


def test_a_column_of_texts_is_not_listed() -> None:
    """Fewer than a thousand, but each a text: the data themselves would be in the message."""
    with pytest.raises(DataError, match="200 characters") as caught:
        read(*(f"text {n} " * 200 for n in range(900)), labels=("a", "b"))
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("cell", ["bad|good", "bad, good", "good;bad", "bad/new", "good + bad"])
def test_several_labels_in_a_cell_are_no_new_class(cell: str) -> None:
    with pytest.raises(DataError) as caught:
        read("good", "bad", cell, "new", labels=("bad", "good"))
    message = str(caught.value)
    assert f"f.csv:4: column 'c': 1 row(s) with several labels in a cell (line 4): {cell!r}" in message
    assert "one class" in message
    assert remedy(message) == ["bad", "good", "new"]


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
