import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.decode import decode


def read(content: bytes, encoding: str = "utf-8") -> str:
    return decode(content, file="f.csv", encoding=encoding)


@given(st.text(min_size=1), st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-8-sig"]))
def test_text_reads_back_equal(text: str, encoding: str) -> None:
    text = f"text,label\n{text}".encode("utf-8", "replace").decode()
    assert read(text.encode(encoding), encoding) == text


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8_sig"])
def test_a_byte_order_mark_is_no_text(encoding: str) -> None:
    assert read(codecs.BOM_UTF8 + b"text", encoding) == "text"
    assert read(codecs.BOM_UTF16_LE + "text".encode("utf-16-le"), "utf-16-le") == "text"


def test_another_encoding_is_read_when_named() -> None:
    assert read("café".encode("cp1252"), "cp1252") == "café"


FAULTS: list[tuple[bytes, str, list[str]]] = [
    (b"", "utf-8", ["f.csv: the file is empty"]),
    (b"\xef\xbb\xbf \r\n\n", "utf-8", ["the file is empty"]),
    ("text,é".encode("utf-16"), "utf-8", ["byte order mark of utf-16", "`encoding: utf-16`"]),
    ("text,é".encode("utf-32"), "utf-8", ["byte order mark of utf-32", "`encoding: utf-32`"]),
    ("text,label\n".encode("utf-16-le"), "utf-8", ["looks like utf-16-le", "`encoding: utf-16-le`"]),
    ("text,label\n".encode("utf-16-be"), "utf-8", ["looks like utf-16-be"]),
    (b"text\nok\ncaf\xe9 au lait\r\nok\n\xe9\n", "utf-8",
     ["f.csv:3: 2 line(s) are not utf-8 (line 3, 5)", "at offset 11: e9 20", "often cp1252"]),
    (b"ok\rok\r\xff", "utf-8", ["f.csv:3:", "offset 6: ff"]),
    (b"text\n\xed\xa0\x80\n", "utf-8", ["f.csv:2:", "ed a0 80"]),
    ("ok\nok\n".encode("utf-16-le") + b"\x00\xdc", "utf-16-le", ["f.csv:3:", "offset 12: 00 dc"]),
    (b"ok\ncaf\x81", "cp1252", ["f.csv:2: 1 line(s) are not cp1252"]),
    (b"\x1f\x8b\x08\x00", "utf-8", ["a gzip file: let its name end in .gz"]),
    (b"PK\x03\x04xl/workbook", "utf-8", ["Excel workbook"]),
    (b"PAR1....PAR1", "utf-8", ["`format: parquet`"]),
]  # fmt: skip


@pytest.mark.parametrize(("content", "encoding", "words"), FAULTS)
def test_what_is_not_text_is_refused_with_its_place(content: bytes, encoding: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        read(content, encoding)
    for word in words:
        assert word in str(caught.value)
