"""Layouts of files found by reading them, whatever their names say."""

import csv
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import DataError, UsageError
from pipeline.examples.lines import LineCap
from pipeline.examples.read import Layout, Limits
from pipeline.project.layout import guess_layout, read_columns, read_schema

LIMITS = Limits(10**6, LineCap(10**5, "max_cell_bytes"), 10**4)
ROWS = [['said "no"; and left', "a"], ["one, two\nthree", "b"], ["caf\u00e9 | bar", "a"]]


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_a_table_with_quotes(tmp_path, delimiter, encoding):
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter).writerows([["text", "label"], *ROWS])
    path = write(tmp_path / "x.dat", stream.getvalue(), encoding)
    layout = guess_layout(path, LIMITS)
    assert layout == Layout("delimited", encoding.removesuffix("-sig"), delimiter, '"')
    names, rows = read_columns(path, layout, LIMITS)
    assert names == ["text", "label"]
    assert [list(row) for row in rows] == ROWS


def test_quotes_that_are_text(tmp_path):
    path = write(tmp_path / "x.tsv", 'text\tlabel\n"unclosed, it is\ta\nfive o\'clock "sharp"\tb\n')
    assert guess_layout(path, LIMITS)[2:4] == ("\t", "")


def test_a_file_that_fits_no_dialect_has_the_likeliest(tmp_path):
    path = write(tmp_path / "x.csv", "text;label\na;b;c\nd,e,f;g\n")
    layout = guess_layout(path, LIMITS)
    assert layout[2:4] == (";", '"')
    assert [list(row) for row in read_columns(path, layout, LIMITS)[1]] == [["d,e,f", "g"]]


def test_json_lines(tmp_path):
    lines = [{"text": "a b", "n": 1}, {"text": "c", "more": [1]}]
    path = write(tmp_path / "x.csv", "\n".join(map(json.dumps, lines)))
    layout = guess_layout(path, LIMITS)
    assert layout.format == "jsonl"
    names, rows = read_columns(path, layout, LIMITS)
    assert names == ["text", "n", "more"]
    assert [list(row) for row in rows] == [["a b", "1", None], ["c", None, ["1"]]]


def test_parquet(tmp_path):
    path = tmp_path / "x.bin"
    pq.write_table(pa.table({"text": ["a", "b"], "n": [1, 2], "tags": [["x"], []], "raw": [b"x", b"y"]}), path)
    layout = guess_layout(path, LIMITS)
    assert layout.format == "parquet"
    names, rows = read_columns(path, layout, LIMITS)
    assert names == ["text", "n"]
    assert [list(row) for row in rows] == [["a", "1"], ["b", "2"]]


def test_what_is_refused(tmp_path):
    with pytest.raises(UsageError, match="one JSON list"):
        guess_layout(write(tmp_path / "x.json", '\n[{"a": 1}]'), LIMITS)
    with pytest.raises(DataError, match="empty"):
        guess_layout(write(tmp_path / "x.csv", " \n"), LIMITS)
    (tmp_path / "x.zip").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(DataError, match="zip"):
        guess_layout(tmp_path / "x.zip", LIMITS)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    assert guess_layout(tmp_path / "x.parquet", LIMITS).format == "parquet"
    with pytest.raises(DataError, match="not a whole Parquet file"):
        read_schema(tmp_path / "x.parquet")
