"""Bytes as text, strictly: what does not decode is refused with its place, never replaced."""

import codecs
import re

from pipeline.core.errors import DataError, listed

# The longer mark comes first: UTF-32's begins with UTF-16's.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_KINDS = {
    b"\x1f\x8b": "a gzip file: let its name end in .gz",
    b"PK\x03\x04": "a zip archive or an Excel workbook: unpack it, or save the sheet as CSV UTF-8",
    b"PAR1": "a Parquet file: set `format: parquet`",
    b"BZh": "a bzip2 file: unpack it",
    b"\xfd7zXZ\x00": "an xz file: unpack it",
    b"(\xb5/\xfd": "a zstd file: unpack it",
    b"%PDF-": "a PDF: bring the table as text",
}
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_WIDE = ("utf-16", "utf-32")


def decode(content: bytes, *, file: str, encoding: str) -> str:
    """Return the text of a file's bytes, without the byte order mark.

    Raises:
        DataError: The file is empty, of another encoding, or not text.
    """
    codec = codecs.lookup(encoding).name
    if not codec.startswith(_WIDE):
        _refuse_other_kinds(content, file)
    try:
        text = content.decode(codec).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise _undecodable(content, error, file=file, codec=codec) from error
    if not text or text.isspace():
        raise DataError(f"{file}: the file is empty. Bring the data, or correct `file`.")
    return text


def _refuse_other_kinds(content: bytes, file: str) -> None:
    for mark, name in _MARKS.items():
        if content.startswith(mark):
            raise DataError(f"{file}: the file starts with the byte order mark of {name}. Set `encoding: {name}`.")
    for magic, remedy in _KINDS.items():
        if content.startswith(magic):
            raise DataError(f"{file}: this is {remedy}.")
    start = content[:4096]
    # Half of the bytes of Latin text in UTF-16 are NUL, in one half of the places.
    for offset, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        places = start[offset::2]
        if len(places) >= 4 and places.count(0) > 0.6 * len(places) and start[1 - offset :: 2].count(0) == 0:
            raise DataError(f"{file}: every other byte is NUL; it looks like {name}. Set `encoding: {name}`.")


def _undecodable(content: bytes, error: UnicodeDecodeError, *, file: str, codec: str) -> DataError:
    """Return the error with the byte offset, the line and, where lines can be told apart, all such lines."""
    if codec.startswith(_WIDE):
        before = content[: error.start].decode(codec, "ignore")
        lines, start = [len(re.findall(r"\r\n|\r|\n", before)) + 1], error.start
    else:
        lines, start = _undecodable_lines(content, codec) or ([1], error.start)
    found = content[start : start + 8].hex(" ")
    return DataError(
        f"{file}:{lines[0]}: {len(lines)} line(s) are not {codec} (line {listed(lines)}); "
        f"the first bad byte is at offset {start}: {found}. "
        "Save the file as UTF-8, or set `encoding:` to what it is (often cp1252)."
    )


def _undecodable_lines(content: bytes, codec: str) -> tuple[list[int], int] | None:
    """Return the numbers of the lines that do not decode and the offset of the first bad byte."""
    lines, first = [], len(content)
    for number, line in enumerate(_LINE.finditer(content), start=1):
        try:
            line.group().decode(codec)
        except UnicodeDecodeError as error:
            lines.append(number)
            first = min(first, line.start() + error.start)
    return (lines, first) if lines else None
