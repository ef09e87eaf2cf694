import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.lines import number_lines, read_pattern, read_text
from pipeline.examples.records import RawRow
from tests.given.ingesting import split_lines

PATTERN = r"(?P<label>[A-Z]+):(?P<fine>\w+)? (?P<text>.*)"
COLUMNS = ("text", "label", "fine")


def read(content: str, columns: tuple[str, ...] = COLUMNS, pattern: str = PATTERN) -> list[RawRow]:
    return list(read_pattern(split_lines(content), file="f.txt", columns=columns, pattern=pattern))


def test_named_groups_are_the_columns_and_blank_lines_are_skipped() -> None:
    assert read("HUM:ind Who ?\n\n  \r\nLOC: Where\tis it ?") == [
        (1, ["Who ?", "HUM", "ind"]),
        (4, ["Where\tis it ?", "LOC", None]),
    ]
    assert read("a\n \nb\n", ("text",), "(?P<text>.*)") == [(1, ["a"]), (3, ["b"])]


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_lines_are_numbered_as_they_stand(lines: list[str], end: str) -> None:
    content = split_lines("".join(f"{line}{end}" for line in lines))
    assert list(number_lines(content, file="f")) == list(enumerate(lines, start=1))


def test_plain_text_keeps_blank_lines() -> None:
    assert list(read_text(split_lines("a\n\n b "), file="f")) == [(1, ("a",)), (2, ("",)), (3, (" b ",))]


def test_all_lines_that_do_not_match_are_told() -> None:
    with pytest.raises(DataError, match=r"f\.txt:2: 2 row\(s\) not matching .* \(line 2, 3\): 'no label', 'HUM:ind'"):
        read("HUM:ind Who ?\nno label\nHUM:ind\n")


def test_a_lone_carriage_return_does_not_end_a_line_silently() -> None:
    with pytest.raises(DataError, match=r"f\.txt:1: 1 row\(s\) ending in a lone carriage return"):
        read("HUM:ind Who\rHUM:ind Which ?\nLOC:x Where ?\n")


def test_a_group_that_the_pattern_lacks_is_a_missing_column() -> None:
    with pytest.raises(DataError, match="column 'user' is not there"):
        read("HUM:ind Who ?", ("user",))
