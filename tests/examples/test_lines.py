import codecs
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.examples.lines import LineCap, decode_lines, number_lines, read_pattern, read_text
from pipeline.examples.records import RawRow
from pipeline.examples.text import SURROGATES
from tests.given.ingesting import small_blocks, split_lines

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


ENCODINGS = st.sampled_from(["utf-8", "utf-16", "utf-16-be", "utf-32", "utf-8-sig"])
TEXTS = st.text(alphabet=st.sampled_from("a,\n\r é漢👍\u2028\x85\x00\ufeff")) | st.text()


def decode(content: bytes, encoding: str = "utf-8") -> str:
    return "".join(decode_lines(io.BytesIO(content), file="f.csv", encoding=encoding))


def decode_all(content: bytes, encoding: str = "utf-8", *, block: int, max_bytes: int | None = None) -> list[str]:
    stream = small_blocks(content, block)
    cap = None if max_bytes is None else LineCap(max_bytes, "max_it")
    return list(decode_lines(stream, file="f.csv", encoding=encoding, cap=cap))


@given(st.text(min_size=1), st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-8-sig"]))
def test_text_reads_back_equal(text: str, encoding: str) -> None:
    text = f"text,label\n{text}".encode("utf-8", "replace").decode()
    assert decode(text.encode(encoding), encoding) == text


@given(TEXTS, ENCODINGS, st.integers(1, 9))
def test_blocks_of_any_size_give_the_same_lines(text: str, encoding: str, block: int) -> None:
    content = f"a{text}".encode("utf-8", "replace").decode()
    expected = re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", content)
    assert decode_all(content.encode(encoding), encoding, block=block) == expected
    assert decode_all(content.encode(encoding), encoding, block=8192) == expected


@given(st.binary(max_size=40), st.sampled_from(["utf-8", "utf-16-le", "cp1252", "shift_jis"]), st.integers(1, 9))
def test_blocks_of_any_size_give_the_same_verdict(content: bytes, encoding: str, block: int) -> None:
    def verdict(block: int) -> list[str] | str:
        try:
            return decode_all(content, encoding, block=block)
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
        decode_all(content, block=1000)


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("content", ["abc\nde", "aé\nb", "éé\n", "abcd\n", "abcde", "abcd", "abc\r\n", "abcdefghi\n"])
def test_a_line_is_capped_with_its_end(mark: bytes, content: str) -> None:
    expected = content.splitlines(keepends=True)
    if all(len(line.encode()) <= 4 for line in expected):
        assert decode_all(mark + content.encode(), block=3, max_bytes=4) == expected
        return
    with pytest.raises(DataError, match=r"f\.csv:1: the line has more than 4 bytes.*`max_it`"):
        decode_all(mark + content.encode(), block=3, max_bytes=4)


@pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "utf_8_sig"])
def test_a_byte_order_mark_is_no_text(encoding: str) -> None:
    assert decode(codecs.BOM_UTF8 + b"text", encoding) == "text"
    assert decode(codecs.BOM_UTF16_LE + "text".encode("utf-16-le"), "utf-16-le") == "text"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_without_its_mark_a_wide_encoding_is_little_endian(encoding: str) -> None:
    assert decode("text".encode(f"{encoding}-le"), encoding) == "text"


def test_another_encoding_is_read_when_named() -> None:
    assert decode("café".encode("cp1252"), "cp1252") == "café"


UNDECODABLE: list[tuple[bytes, str, list[str]]] = [
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


@pytest.mark.parametrize(("content", "encoding", "words"), UNDECODABLE)
def test_what_is_not_text_is_refused_with_its_place(content: bytes, encoding: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        decode(content, encoding)
    for word in words:
        assert word in str(caught.value)


def test_undecodable_bytes_become_lone_surrogates_if_asked():
    stream = io.BytesIO(b"good\nb\xff\xfed\nend\n")
    lines = [*decode_lines(stream, file="f", encoding="utf-8", strict=False)]
    assert [bool(SURROGATES.search(line)) for line in lines] == [False, True, False]
    assert lines[::2] == ["good\n", "end\n"]
