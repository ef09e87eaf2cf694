import codecs
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.decode import decode_lines
from tests.given.ingesting import small_blocks

ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
TEXTS = st.text(alphabet=st.sampled_from("a,\n\r é漢👍\u2028\x85\x00\ufeff")) | st.text()


def read(content: bytes, encoding: str = "utf-8") -> str:
    return "".join(decode_lines(io.BytesIO(content), file="f.csv", encoding=encoding))


def lines(content: bytes, encoding: str = "utf-8", *, block: int, max_bytes: int | None = None) -> list[str]:
    stream = small_blocks(content, block)
    return list(decode_lines(stream, file="f.csv", encoding=encoding, max_bytes=max_bytes))


@given(st.text(min_size=1), st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-8-sig"]))
def test_text_reads_back_equal(text: str, encoding: str) -> None:
    text = f"text,label\n{text}".encode("utf-8", "replace").decode()
    assert read(text.encode(encoding), encoding) == text


@given(TEXTS, ENCODINGS, st.integers(1, 9))
def test_blocks_of_any_size_give_the_same_lines(text: str, encoding: str, block: int) -> None:
    content = f"a{text}".encode("utf-8", "replace").decode()
    expected = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", content)
    assert lines(content.encode(encoding), encoding, block=block) == expected
    assert lines(content.encode(encoding), encoding, block=8192) == expected


@given(st.binary(max_size=40), st.sampled_from(["utf-8", "utf-16-le", "cp1252", "shift_jis"]), st.integers(1, 9))
def test_blocks_of_any_size_give_the_same_verdict(content: bytes, encoding: str, block: int) -> None:
    def verdict(block: int) -> list[str] | str:
        try:
            return lines(content, encoding, block=block)
        except DataError as error:
            return str(error)

    small = verdict(block)
    assert small == verdict(8192)
    if isinstance(small, list):
        assert "".join(small) == content.decode(encoding).removeprefix("\ufeff")


def test_all_lines_that_do_not_decode_are_counted_over_all_blocks() -> None:
    content = b"ok\n" + b"caf\xe9\r\n" * 7 + "é\n".encode() * 30_000 + b"\xff\xff"
    with pytest.raises(
        DataError, match=r"f\.csv:2: 8 line\(s\) .*\(line 2, 3, 4, 5, 6 and 3 more\).* offset 6: e9 0d 0a"
    ):
        lines(content, block=1000)


@pytest.mark.parametrize(("content", "fits"), [(b"abc\nde", True), ("aé\nb".encode(), True), ("éé\n".encode(), False)])
def test_a_line_is_capped_with_its_end(content: bytes, fits: bool) -> None:
    if fits:
        assert "".join(lines(content, block=3, max_bytes=4)) == content.decode()
        return
    with pytest.raises(DataError, match=r"f\.csv:1: the line has more than 4 bytes"):
        lines(content, block=3, max_bytes=4)


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8_sig"])
def test_a_byte_order_mark_is_no_text(encoding: str) -> None:
    assert read(codecs.BOM_UTF8 + b"text", encoding) == "text"
    assert read(codecs.BOM_UTF16_LE + "text".encode("utf-16-le"), "utf-16-le") == "text"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_without_its_mark_a_wide_encoding_is_little_endian(encoding: str) -> None:
    assert read("text".encode(f"{encoding}-le"), encoding) == "text"


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
