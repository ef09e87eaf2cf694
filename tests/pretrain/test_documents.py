"""Documents out of files of running text, whatever their format; and what is wrong with one, with file and line."""

import gzip
import json
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.core.errors import DataError, EnvironmentFault
from pipeline.pretrain.documents import read_documents
from pipeline.settings.pretrain import TextParams

PARAMS = TextParams(
    file="f", format="text", delimiter=",", quote='"', encoding="utf-8", sentences=("text",), document=None,
    pattern=None, rows=2,
)  # fmt: skip
EXPECTED = [["One.", "Two."], ["Three."]]


def read(path: Path, *, most: int = 10**6, **changes: object) -> list[list[str]]:
    documents = read_documents(path, PARAMS.model_copy(update=changes), max_bytes=most)
    return [[sentence.strip() for sentence in document] for document in documents]


def written(folder: Path, content: str | bytes, name: str = "f") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_plain_text_has_blank_lines_between_documents(tmp_path):
    assert read(written(tmp_path, "\ufeffOne.\r\nTwo.\r\n\r\n\n  \nThree.")) == EXPECTED
    assert read(written(tmp_path, gzip.compress(b"One.\nTwo.\n\nThree.\n", mtime=0), "f.gz")) == EXPECTED


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_running_text_may_have_wide_characters(tmp_path, encoding):
    assert read(written(tmp_path, "One.\r\nTwo.\n\nThree.".encode(encoding)), encoding=encoding) == EXPECTED
    rows = "text\nOne.\nTwo.\nThree.\n".encode(encoding)
    assert read(written(tmp_path, rows), format="delimited", encoding=encoding) == EXPECTED


def test_a_column_says_which_rows_are_one_document(tmp_path):
    rows = "id\ttext\n1_1\tOne.\n1_2\tTwo.\n2_1\tThree.\n"
    pattern = r"(?P<document>\d+)_\d+"
    changes = {"format": "delimited", "delimiter": "\t", "quote": "", "document": "id"}
    assert read(written(tmp_path, rows), **changes, pattern=pattern) == EXPECTED
    assert read(written(tmp_path, rows), **changes) == [["One."], ["Two."], ["Three."]]
    with pytest.raises(DataError, match=r"f:3: '1-2' does not match `pattern`"):
        read(written(tmp_path, rows.replace("1_2", "1-2")), **changes, pattern=pattern)


@pytest.mark.parametrize("pattern", ["(?P<document>a)?.*", "(?P<document>a*).*"])
def test_a_pattern_that_finds_no_name_merges_no_documents(tmp_path, pattern):
    rows = "id,text\na1,One.\nq,Two.\nz,Three.\n"
    with pytest.raises(DataError, match=r"f:3: 'q' does not match `pattern`"):
        read(written(tmp_path, rows), format="delimited", document="id", pattern=pattern)


@pytest.mark.parametrize("cell", [["x"], {"y": 1}, False])
def test_a_document_is_named_by_a_string_or_a_number(tmp_path, cell):
    lines = "".join(json.dumps({"d": name, "text": "One."}) + "\n" for name in ("x", 7, cell))
    with pytest.raises(DataError, match=r"f:3: 'd' holds "):
        read(written(tmp_path, lines), format="jsonl", document="d")
    pq.write_table(pa.table({"d": [cell], "text": ["One."]}), tmp_path / "p")
    with pytest.raises(DataError, match=r"p:1: 'd' holds "):
        read(tmp_path / "p", format="parquet", document="d")


def test_where_no_column_says_some_rows_are_one_document(tmp_path):
    rows = '\na,b\n"One, ""1"".",Two\nThree,Four\n\nFive,"Si\nx"\n'
    assert read(written(tmp_path, rows), format="delimited", sentences=("a", "b")) == [
        ['One, "1".', "Two", "Three", "Four"],
        ["Five", "Si\nx"],
    ]


def test_json_and_parquet_hold_sentences_or_lists_of_them(tmp_path):
    rows = [{"d": "x", "text": ["One.", "Two."], "more": 1}, {"d": "y", "text": "Three."}, {"d": "z", "text": None}]
    lines = "\n".join(map(json.dumps, rows)) + "\n\n"
    assert read(written(tmp_path, lines), format="jsonl", document="d") == EXPECTED
    table = pa.table({"text": [["One.", "Two."], ["Three."]], "d": [1, 2]})
    pq.write_table(table, tmp_path / "p")
    assert read(tmp_path / "p", format="parquet", document="d") == EXPECTED


def test_a_row_without_sentences_ends_a_document_in_plain_text_only(tmp_path):
    rows = [{"d": "x", "text": ["a"]}, {"d": "x", "text": []}, {"d": "x", "text": ["b"]}, {"d": "y", "text": None}]
    lines = "\n".join(map(json.dumps, rows)) + "\n"
    assert read(written(tmp_path, lines), format="jsonl", document="d") == [["a", "b"]]
    assert read(written(tmp_path, lines), format="jsonl", rows=3) == [["a", "b"]]
    assert read(written(tmp_path, lines), format="jsonl", rows=2) == [["a"], ["b"]]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "p")
    assert read(tmp_path / "p", format="parquet", document="d") == [["a", "b"]]


def test_rows_that_name_no_document_are_counted_and_refused(tmp_path):
    rows = [{"d": None if line % 2 else "x", "text": f"{line}"} for line in range(1, 15)]
    message = r"f:1: column 'd': 7 row\(s\) without a document \(line 1, 3, 5, 7, 9 and 2 more\)"
    with pytest.raises(DataError, match=message):
        read(written(tmp_path, "\n".join(map(json.dumps, rows))), format="jsonl", document="d")
    with pytest.raises(DataError, match=r"f:3: column 'd': 1 row\(s\) without a document"):
        read(written(tmp_path, "d,text\nx,a\n,b\n"), format="delimited", document="d")


@pytest.mark.parametrize(
    ("content", "changes", "message"),
    [
        (b"One.\n\xff\xfe\n", {}, r"f:2: 1 line.* utf-8 .*: ff fe"),
        (b'{"text": "\\ud800"}\n', {"format": "jsonl"}, r"f:1: '\\ud800' is half of a surrogate pair"),
        (b'{"text": 7}\n', {"format": "jsonl"}, r"f:1: 'text' holds 7, and sentences are strings"),
        (b'{"words": "a"}\n', {"format": "jsonl"}, r"f: column 'text' is not there; .*'words'"),
        (b'{"text": "a"}\n{"words": "a"}\n', {"format": "jsonl"}, r"f:2: 1 row\(s\) without a key \(line 2\): 'text'"),
        (b"{\n", {"format": "jsonl"}, r"f:1: 1 row.* not one JSON object"),
        (b"a,text\n1\n", {"format": "delimited"}, r"f:2: 1 row.* the 2 cells of the header \(line 2\): '1 cells'"),
        (b'text\n"a\n', {"format": "delimited"}, r"f:2: .*'\"a.*unclosed quote: the file ends in it"),
        (b'text\n"a"b\n', {"format": "delimited"}, r"f:2: .*unclosed quote"),
        (b'text\n"' + b"x\n" * 80 + b'"\n', {"format": "delimited"}, r"f:2: a document reaches 160 bytes .* 100\b"),
        (
            b'text,id\nA,"' + b"x\n" * 80 + b'"\n',
            {"format": "delimited", "document": "id"},
            r"f:2: a document reaches 160 bytes .* 100\b",
        ),
        (b"One.\rTwo.\nThree.\n", {}, r"f:1: 1 row.* lone carriage return .* LF"),
        (b" \n", {}, r"f: the file is empty"),
        (gzip.compress(b"One.\n", mtime=0), {}, r"f: this is a gzip file"),
        (b"body\nx\n", {"format": "delimited"}, r"column 'text' is not there"),
        (b"PAR1", {"format": "parquet"}, r"f: not a whole Parquet file"),
        (b"x" * 200, {}, r"f:1: the line has more than 100 bytes.*`corpus.max_document_bytes`"),
        (b"x" * 60 + b"\n" + b"x" * 60, {}, r"f:2: a document reaches 120 bytes here; allowed are 100"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, content, changes, message):
    with pytest.raises(DataError, match=message):
        read(written(tmp_path, content), most=100, **changes)


def test_a_damaged_or_absent_file_is_told(tmp_path):
    with pytest.raises(DataError, match=r"f\.gz: not a whole gzip file"):
        read(written(tmp_path, gzip.compress(b"One.\n" * 999)[:-9], "f.gz"))
    with pytest.raises(EnvironmentFault, match="absent could not be read"):
        read(tmp_path / "absent")


def test_a_document_of_100_mb_is_refused_without_reading_it_whole(tmp_path):
    with (tmp_path / "f").open("wb") as stream:
        stream.truncate(100_000_000)
    tracemalloc.start()
    with pytest.raises(DataError, match=r"f:1: .* more than 1000000 bytes"):
        read(tmp_path / "f")
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for count in (2_000, 20_000):
        path = written(tmp_path, "text\n" + "a sentence of some words\n" * count)
        tracemalloc.start()
        for _ in read_documents(path, PARAMS.model_copy(update={"format": "delimited"}), max_bytes=10**6):
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
