import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.pattern import numbered, parse

PATTERN = r"(?P<label>[A-Z]+):(?P<fine>\w+)? (?P<text>.*)"
COLUMNS = ("text", "label", "fine")


def test_named_groups_are_the_columns_and_blank_lines_are_skipped() -> None:
    records = parse("HUM:ind Who ?\n\n  \r\nLOC: Where\tis it ?", file="f.txt", columns=COLUMNS, pattern=PATTERN)
    assert records.lines == [1, 4]
    assert records.columns == {"text": ["Who ?", "Where\tis it ?"], "label": ["HUM", "LOC"], "fine": ["ind", None]}


@given(
    st.lists(st.text(alphabet=st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]))),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_lines_are_numbered_as_they_stand(lines: list[str], end: str) -> None:
    expected = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    assert numbered(end.join(lines), file="f") == expected


def test_all_lines_that_do_not_match_are_told() -> None:
    with pytest.raises(DataError, match=r"f\.txt:2: 2 row\(s\) not matching .* \(line 2, 3\): 'no label', 'HUM:ind'"):
        parse("HUM:ind Who ?\nno label\nHUM:ind\n", file="f.txt", columns=COLUMNS, pattern=PATTERN)


def test_a_lone_carriage_return_does_not_end_a_line_silently() -> None:
    with pytest.raises(DataError, match=r"f\.txt:1: 1 row\(s\) ending in a lone carriage return"):
        parse("HUM:ind Who\rHUM:ind Which ?\nLOC:x Where ?\n", file="f.txt", columns=COLUMNS, pattern=PATTERN)


def test_a_group_that_the_pattern_lacks_is_a_missing_column() -> None:
    with pytest.raises(DataError, match="column 'user' is not there"):
        parse("HUM:ind Who ?", file="f.txt", columns=("user",), pattern=PATTERN)
