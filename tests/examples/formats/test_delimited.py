import csv
import io
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.formats.delimited import DOCUMENT, Dialect, read_conll, read_delimited, split_lists, split_rows
from pipeline.examples.formats.jsonlines import as_texts, read_json_lines
from pipeline.examples.formats.parquet import read_parquet_rows
from pipeline.examples.records import Oversized, RawRow
from tests.given.ingesting import split_lines

CELL = st.text(alphabet=st.sampled_from("ab \"',;\t\n\r\\é\u2028\x00\x85")) | st.text(
    st.characters(exclude_categories=["Cs"])
)
TABLE = st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=8))


def read(content: str, *, columns: tuple[str, ...] = ("text", "label"), cap: int = 10**6) -> list[RawRow]:
    lines = split_lines(content)
    return [
        (line, tuple(cells))
        for line, cells in read_delimited(lines, file="f.csv", columns=columns, dialect=Dialect(",", '"', cap))
    ]


def all_rows(content: str, delimiter: str = ",", quote: str = '"') -> list[list[object]]:
    rows = split_rows(split_lines(content), file="f.csv", dialect=Dialect(delimiter, quote, 10**6))
    return [list(cells) for _, cells, _ in rows]


def texts(content: str) -> list[object]:
    return [cells[0] for _, cells in read(content)]


@given(TABLE, st.sampled_from(",;\t|^]-\\"), st.sampled_from("\"'"), st.sampled_from(["\n", "\r\n", "\r"]))
def test_what_the_csv_module_writes_reads_back_equal(
    table: list[list[str]], delimiter: str, quote: str, end: str
) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows(table)
    assert all_rows(stream.getvalue(), delimiter, quote) == table


@given(TABLE, st.sampled_from(["\n", "\r\n"]))
def test_well_formed_files_read_as_csv_and_pandas_read_them(table: list[list[str]], end: str) -> None:
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator=end)
    width = len(table[0]) if table else 2
    # The writer of Python 3.11 quotes a line end only if it is the file's own.
    writer.writerows([[f"c{n}" for n in range(width)], *([cell.replace("\r", "") for cell in row] for row in table)])
    content = stream.getvalue()
    rows = all_rows(content)
    assert rows == [row for row in csv.reader(io.StringIO(content, newline=""), strict=True) if row]
    if "\x00" not in content:
        frame = pd.read_csv(
            io.StringIO(content, newline=""), dtype=str, keep_default_na=False, na_values=[], skip_blank_lines=True
        )
        assert rows[1:] == frame.to_numpy().tolist()


@given(st.lists(st.text(alphabet=st.sampled_from("ab\"' é")), min_size=2, max_size=4))
def test_without_a_quote_character_quotes_are_ordinary_text(cells: list[str]) -> None:
    assert all_rows("\t".join(cells) + "\r\n", "\t", "") == [cells]


def test_rows_know_the_line_they_start_in() -> None:
    assert read('text,label\n"two\nlines",a\n\n"with\r\nCRLF and\rCR",b\nlast,c') == [
        (2, ("two\nlines", "a")),
        (5, ("with\r\nCRLF and\rCR", "b")),
        (8, ("last", "c")),
    ]


# The reader of whole files, which this one replaced, gave the same rows.
@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ('""\n\n"",x', [[""], ["", "x"]]),
        ('a"b",c""\n"d""",""""', [['a"b"', 'c""'], ['d"', '"']]),
        (' "a",b\n  \n', [[' "a"', "b"], ["  "]]),
        ('"a\n\n""b\r\n"",",c,\n', [['a\n\n"b\r\n",', "c", ""]]),
        ('"a\rb"\r"c"\r\r', [["a\rb"], ["c"]]),
        ('a,"b\nc","d\ne",f\n', [["a", "b\nc", "d\ne", "f"]]),
        ('"\n"\n', [["\n"]]),
        (",\n", [["", ""]]),
    ],
)
def test_rows_of_the_strict_grammar(content: str, rows: list[list[str]]) -> None:
    assert all_rows(content) == rows


def test_only_wanted_columns_are_kept_and_unnamed_ones_may_repeat() -> None:
    assert read(",,label,text\n1,2,a,NA\n") == [(2, ("NA", "a"))]
    assert read("a,text\n1,NA\n", columns=("text",)) == [(2, ("NA",))]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_each_line_end_alone_ends_rows(end: str) -> None:
    assert texts(end.join(["text,label", "one,a", "two,b", ""])) == ["one", "two"]


def test_lf_and_crlf_may_be_mixed() -> None:
    assert [line for line, _ in read("text,label\r\none,a\ntwo,b\r\n")] == [2, 3]


def test_words_for_missing_are_text() -> None:
    assert read("text,label\nNA,null\nNone,nan\n") == [(2, ("NA", "null")), (3, ("None", "nan"))]


FAULTS = [
    (
        "text;label\na;b\n",
        ["f.csv: column 'text', 'label' is not there", "found 1 column(s): 'text;label'", "looks like ';'"],
    ),
    ("text\tlabel\na\tb\n", ["looks like '\\t'"]),
    ("text|label|x,y\na|b|c,d\n", ["found 2 column(s)", "looks like '|'"]),
    ("Text,label\na,b\n", ["column 'text' is not there", "Did you mean 'Text' for 'text'?"]),
    ("text,label,text\na,b,c\n", ["column 'text' is there more than once"]),
    ("text,label\nhello, world,1\n", ["f.csv:2: 1 row(s) without the 2 cells", "'3 cells'", 'Put " around']),
    (
        "text,label\na,b\nc\nd,e,f\ng,h\n",
        ["f.csv:3: 2 row(s) without the 2 cells", "line 3, 4", "'1 cells', '3 cells'"],
    ),
    ("text,label\n" + "x\n" * 9, ["9 row(s)", "line 2, 3, 4, 5, 6 and 4 more"]),
    (
        'text,label\na,b\n"open,c\nd,e\n',
        ["f.csv:3: the quoted cell that starts here", "unclosed quote", "the file ends in it"],
    ),
    (
        'text,label\n"open,c\nd,"e"\n',
        ["f.csv:2:", "goes on after its closing quote in line 3", 'e"', "unclosed quote"],
    ),
    ('text,label\n"a"b,c\n', ["f.csv:2:", "in line 2 with 'b,c", 'double the quotes inside ("")']),
    ("text,label\none\rtwo,a\nthree,b\n", ["f.csv:2: 1 row(s) ending in a lone carriage return", "end in LF"]),
    ("text,label\r\none,a\rtwo,b\r\n", ["lone carriage return", "CRLF"]),
]


@pytest.mark.parametrize(("content", "words"), FAULTS)
def test_a_malformed_file_is_refused_with_place_count_and_remedy(content: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(content)
    for word in words:
        assert word in str(caught.value)


def test_control_characters_of_the_file_do_not_reach_the_message() -> None:
    with pytest.raises(DataError) as caught:
        read("\x1b[31mtext;label\n\x1b]0;\n")
    assert "\x1b" not in str(caught.value)


def test_an_unclosed_quote_costs_one_pass() -> None:
    # Quadratic matching would take hours for this.
    with pytest.raises(DataError, match="unclosed quote"):
        read('text,label\n"' + '""a,\n' * 300_000)


@pytest.mark.parametrize(("cap", "kept"), [(7, True), (6, False)])
def test_a_cell_of_several_lines_above_the_cap_is_counted_and_not_kept(cap: int, kept: bool) -> None:
    cell = 'é\n""b\n' if kept else Oversized(7)
    assert read('text,label\n"é\n""""b\n",x\ny,z\n', cap=cap) == [(2, (cell, "x")), (5, ("y", "z"))]


def test_an_unclosed_quote_does_not_keep_the_rest_of_the_file() -> None:
    lines = (line for part in (["text,label\n", '"open\n'], map("{},y\n".format, range(50_000))) for line in part)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"f\.csv:2: .*'\"open.*unclosed quote: the file ends in it"):
        list(read_delimited(lines, file="f.csv", columns=("text",), dialect=Dialect(",", '"', 1000)))
    assert tracemalloc.get_traced_memory()[1] < 500_000
    tracemalloc.stop()


def test_ten_thousand_ragged_rows_are_counted_and_five_are_shown() -> None:
    with pytest.raises(DataError) as caught:
        read("text,label\n" + "".join(f"{',' * (number % 9 + 2)}\n" for number in range(10_000)))
    assert "10000 row(s)" in str(caught.value)
    assert "line 2, 3, 4, 5, 6 and 9995 more" in str(caught.value)
    assert "'3 cells', '4 cells', '5 cells', '6 cells', '7 cells' and more" in str(caught.value)


CONLL = "-DOCSTART- -X- O O\n\nEU NNP B-ORG\nrejects VBZ O\n\n\n# NN O\n-DOCSTART- -X- O\n\nPeter NNP B-PER\n"
UNIVERSAL = (
    "# newdoc id = a\n# text = vámonos al\n1-2\tvámonos\t_\t_\n1\tvamos\tir\tVERB\n2\tnos\tnosotros\tPRON\n\n"
    "# sent_id = 2\n1\tal\ta\tADP\n"
)


def read_sentences(content: str, columns: list[str]) -> list[RawRow]:
    return list(read_conll(split_lines(content), file="f.conll", columns=columns))


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_sentence_is_a_row(end: str) -> None:
    assert read_sentences(CONLL.replace("\n", end), ["1", "3", DOCUMENT]) == [
        (3, [["EU", "rejects"], ["B-ORG", "O"], "1"]),
        (7, [["#"], ["O"], "1"]),
        (10, [["Peter"], ["B-PER"], "2"]),
    ]


def test_comments_and_multi_word_tokens_of_conll_u_are_no_words() -> None:
    wide = "\n".join(line + "\t_" * 6 if "\t" in line else line for line in UNIVERSAL.splitlines())
    assert read_sentences(wide, ["2", "4", DOCUMENT]) == [
        (4, [["vamos", "nos"], ["VERB", "PRON"], "1"]),
        (8, [["al"], ["ADP"], "1"]),
    ]


def test_a_ragged_line_takes_its_sentence_along() -> None:
    rows = read_conll(split_lines("a X\nb\n\nc Y\n"), file="f.conll", columns=["1"])
    assert next(rows) == (4, [["c"]])
    with pytest.raises(DataError, match=r"f\.conll:2: 1 row\(s\) without the cells .* '1 cells, not 2'"):
        next(rows)


def test_no_such_column() -> None:
    with pytest.raises(DataError, match=r"f\.conll: column '9' is not there.*'1', '2', 'docstart'"):
        read_sentences("a X\n", ["9"])


SPANS = '[{"start": 0, "end": 2, "label": "PER"}]'


def test_a_value_of_json_is_its_text(tmp_path: Path) -> None:
    holds: dict[str, Any] = {"spans": "json"}
    lines = split_lines(f'{{"spans": {SPANS}}}\n{{"spans": null}}\n')
    rows = read_json_lines(lines, file="f", columns=["spans"])
    assert list(as_texts(rows, file="f", columns=["spans"], texts=[], lists=holds)) == [(1, [SPANS]), (2, [None])]
    pq.write_table(pa.table({"spans": [[{"start": 0, "end": 2, "label": "PER"}], None]}), tmp_path / "f")
    parquet = read_parquet_rows(tmp_path / "f", file="f", columns=["spans"], texts=[], lists=holds)
    assert list(parquet) == [(1, (SPANS,)), (2, (None,))]
    cells = split_lists([(2, [SPANS])], file="f", columns=["spans"], lists=holds, separator=None)
    assert list(cells) == [(2, [SPANS])]
