import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.settings.corrections import Correction, inert_cell, parse_corrections, plain_cell

ONE, TWO = "0123456789abcdef", "fedcba9876543210"


def test_rows_without_a_correction_and_other_columns_are_not_read():
    text = f'line,id,label,text,correction\n1,{ONE},ham,\'=1,spam\n2,{TWO},ham,"a\nb",\n'
    assert parse_corrections(text, file="c.csv") == {ONE: Correction(label="ham", correction="spam")}


def test_the_label_is_optional():
    text = f"correction,id\n-,{ONE}\nspam,{TWO}\nspam,{TWO}\n"
    assert parse_corrections(text, file="c.csv") == {
        ONE: Correction(label=None, correction="-"),
        TWO: Correction(label=None, correction="spam"),
    }


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("", ["line 1", "'id', 'correction'"]),
        ("id,label\n", ["line 1", "'correction'"]),
        (f"id;label;correction\n{ONE};a;b\n", ["line 1", "'id', 'correction'", "commas, not with ';'"]),
        (f"id\tcorrection\n{ONE}\tb\n", ["line 1", r"commas, not with '\t'"]),
        (f"id,correction\n{ONE}\n", ["line 2", "2"]),
        (f"id,correction\n{ONE},a,b\n", ["line 2", "2"]),
        ("id,correction\nx,a\n" * 1 + "y,b\n", ["2 rows", "line 2: 'x'", "line 3: 'y'"]),
        (f"id,correction\n{ONE},a\n{ONE},b\n", ["1 rows", f"line 3: '{ONE}'"]),
        (f'id,correction\n{ONE},"a\n', ["line 2"]),
    ],
)
def test_a_file_that_is_none_is_refused(text, facts):
    with pytest.raises(DataError) as error:
        parse_corrections(text, file="c.csv")
    assert all(fact in str(error.value) for fact in ["c.csv", *facts])


@given(st.text())
def test_a_cell_is_inert_and_reads_back(text):
    cell = inert_cell(text)
    assert plain_cell(cell) == text
    assert cell[:1] not in {"=", "+", "-", "@", "\t", "\r"} or not cell
