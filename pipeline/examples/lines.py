"""Lines of text out of bytes, strictly (bad bytes are refused with their place, never replaced), and lines as rows."""

import codecs
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import BinaryIO, Literal, NamedTuple

from pipeline.core.errors import DataError, listed
from pipeline.examples.faults import Faults, RowFault, find_columns
from pipeline.examples.records import RawRow

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
    b"%PDF-": "a PDF: save its table as text",
}
_WIDE = ("utf-16", "utf-32")
_BIG_ENDIAN = {"utf-16": codecs.BOM_UTF16_BE, "utf-32": codecs.BOM_UTF32_BE}
_PIECE = 1 << 16
_CHUNK = 1 << 20
# Decoding gives no lone surrogate, so that one can mark the places of bad bytes.
_BAD = "\udcff"
codecs.register_error("pipeline-mark", lambda error: (_BAD, error.end))  # type: ignore[attr-defined]
_NAMES = {"\n": "LF", "\r\n": "CRLF"}


class LineCap(NamedTuple):
    """The bytes of UTF-8 that a line may have with its end, and the parameter that sets them."""

    max_bytes: int
    key: str


def decode_lines(
    stream: BinaryIO, *, file: str, encoding: str, cap: LineCap | None = None, strict: bool = True
) -> Iterator[str]:
    """Yield each line of a seekable stream with its end (LF, CRLF or CR), without the byte order mark.

    A piece of the file and one line are in memory. Unless `strict`, bytes that do not decode become lone surrogates,
    which no encoding has.

    Raises:
        DataError: The file is empty, of another encoding, or not text, or a line is above its `cap`.
    """
    codec = codecs.lookup(encoding).name
    stream.seek(0)
    start = stream.read(4096)
    errors = "strict" if strict else "pipeline-mark"
    if not codec.startswith(_WIDE):
        _refuse_other_kinds(start, file)
    elif codec in _WIDE:
        # Little-endian without a mark, as `bytes.decode` has it; a decoder of streams insists on the mark.
        codec += "-be" if start.startswith(_BIG_ENDIAN[codec]) else "-le"
    try:
        if all(piece.isspace() for piece in _pieces(stream, codec, _PIECE, errors=errors)):
            raise DataError(f"{file}: the file is empty. Provide the data, or correct `file`.")
        # Two more characters than allowed: the first of the file may be the mark, which is cut off.
        lines = _pieces(stream, codec, -1 if cap is None else cap.max_bytes + 2, errors=errors)
        yield from lines if cap is None else _capped(lines, file, cap)
    except UnicodeDecodeError as error:
        raise _undecodable(stream, error, file=file, codec=codec) from error


def find_plain_encoding(stream: BinaryIO) -> Literal["ascii", "utf-8"] | None:
    """Return the narrower encoding that all bytes of a seekable stream are of; None if they are of neither."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_ascii = True
    stream.seek(0)
    try:
        for piece in iter(partial(stream.read, _CHUNK), b""):
            is_ascii = is_ascii and piece.isascii()
            decoder.decode(piece)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return None
    return "ascii" if is_ascii else "utf-8"


def _pieces(
    stream: BinaryIO, codec: str, characters: int, *, errors: str = "strict", newline: str | None = ""
) -> Iterator[str]:
    """Yield the lines from the start of the stream, each cut into pieces of that many characters (-1: whole)."""
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding=codec, errors=errors, newline=newline)
    try:
        if first := text.readline(characters).removeprefix("\ufeff"):
            yield first
        yield from iter(partial(text.readline, characters), "")
    finally:
        # A reader that a fault has left in the middle may outlive its stream.
        if not stream.closed:
            text.detach()


def _capped(lines: Iterator[str], file: str, cap: LineCap) -> Iterator[str]:
    max_bytes, key = cap
    for number, line in enumerate(lines, start=1):
        # A character takes four bytes at most, so most lines need not be encoded.
        if len(line) * 4 > max_bytes and len(line.encode("utf-8", "surrogatepass")) > max_bytes:
            raise DataError(f"{file}:{number}: the line has more than {max_bytes} bytes. Divide it, or raise `{key}`.")
        yield line


def _refuse_other_kinds(start: bytes, file: str) -> None:
    for mark, name in _MARKS.items():
        if start.startswith(mark):
            raise DataError(f"{file}: the file starts with the byte order mark of {name}. Set `encoding: {name}`.")
    for magic, remedy in _KINDS.items():
        if start.startswith(magic):
            raise DataError(f"{file}: this is {remedy}.")
    # Half of the bytes of Latin text in UTF-16 are NUL, in one half of the places.
    for offset, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        places = start[offset::2]
        if len(places) >= 4 and places.count(0) > 0.6 * len(places) and start[1 - offset :: 2].count(0) == 0:
            raise DataError(f"{file}: every other byte is NUL; it looks like {name}. Set `encoding: {name}`.")


def _undecodable(stream: BinaryIO, error: UnicodeDecodeError, *, file: str, codec: str) -> DataError:
    """Return the error with the offset of the first bad byte, and the number and the first five of the bad lines."""
    # The bytes given to the decoder end where the stream was read to.
    offset = stream.tell() - len(error.object) + error.start
    count, lines, number, last = 0, list[int](), 1, 0
    for piece in _pieces(stream, codec, _PIECE, errors="pipeline-mark", newline=None):
        if _BAD in piece and number != last:
            count, last = count + 1, number
            lines += [number] if count <= 5 else []
        number += piece.endswith("\n")
    more = f" and {count - 5} more" if count > 5 else ""
    stream.seek(offset)
    guess = " (often cp1252)" if codec.startswith("utf") else ""
    return DataError(
        f"{file}:{lines[0]}: {count} line(s) are not {codec} (line {listed(lines)}{more}); "
        f"the first bad byte is at offset {offset}: {stream.read(8).hex(' ')}. "
        f"Save the file as UTF-8, or set `encoding:` to what it is{guess}."
    )


class LineEnds:
    """The ends of a file's rows: CR alone may end all rows or none."""

    def __init__(self, file: str) -> None:
        """Start without rows."""
        self._carriage = RowFault(file, "ending in a lone carriage return", certain=False)
        self._others: set[str] = set()

    def add(self, line: int, end: str) -> None:
        """Count a row that starts in `line` and has this end ("" at the end of the file)."""
        if end == "\r":
            self._carriage.add(line)
        elif end:
            self._others.add(end)

    def check(self) -> None:
        """Check the ends of all rows.

        Raises:
            DataError: Some rows end in a lone CR and others in LF or CRLF.
        """
        if self._others:
            names = " and ".join(sorted(_NAMES[end] for end in self._others))
            self._carriage.check(f"The other rows end in {names}: quote the cell around the CR, or remove it.")


def number_lines(lines: Iterable[str], *, file: str) -> Iterator[tuple[int, str]]:
    """Yield the number of each line (from 1) and the line without its end.

    Raises:
        DataError: Some lines end in a lone CR and others in LF or CRLF.
    """
    ends, previous = LineEnds(file), ""
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        end = line[len(text) :]
        if end != previous or end == "\r":
            ends.add(number, end)
            previous = end
        yield number, text
    ends.check()


def read_text(lines: Iterable[str], *, file: str) -> Iterator[RawRow]:
    """Yield each line as a row of one cell, blank lines too.

    Raises:
        DataError: Some lines end in a lone CR and others in LF or CRLF.
    """
    for number, line in number_lines(lines, file=file):
        yield number, (line,)


def read_pattern(lines: Iterable[str], *, file: str, columns: Sequence[str], pattern: str) -> Iterator[RawRow]:
    """Yield the wanted groups of each line's full match; blank lines are skipped, unmatched groups are None.

    Raises:
        DataError: Lines do not match, some lines end in a lone CR and others do not, or the pattern has no group of
            a wanted name.
    """
    expression = re.compile(pattern)
    find_columns(file, columns, list(expression.groupindex))
    unmatched = RowFault(file, f"not matching {pattern!r}")
    faults = Faults()
    with faults.gather():
        for number, line in number_lines(lines, file=file):
            if not line.strip():
                continue
            if match := expression.fullmatch(line):
                yield number, [match[name] for name in columns]
            else:
                unmatched.add(number, line)
    with faults.gather():
        unmatched.check("Correct the lines, or `pattern`.")
    faults.check()
