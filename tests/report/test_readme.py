import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import UsageError
from pipeline.report.readme import first_table, replace_part


@given(st.text(alphabet="abc\n<-!"), st.text(alphabet="xyz\n"))
def test_a_part_is_replaced_and_replacing_twice_is_once(around, content):
    text = f"{around}<!-- p -->\nold\n<!-- /p -->{around}"
    once = replace_part(text, "p", content)
    assert once == f"{around}<!-- p -->\n{content.strip()}\n<!-- /p -->{around}"
    assert replace_part(once, "p", content) == once


def test_a_missing_part_or_table_is_named():
    with pytest.raises(UsageError, match="<!-- p -->"):
        replace_part("nothing", "p", "x")
    with pytest.raises(UsageError, match="no table"):
        first_table("# Title\n")
