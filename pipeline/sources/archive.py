"""Files out of a zip archive that may be damaged or hostile."""

import difflib
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pipeline.core.errors import DataError, UsageError, listed
from pipeline.settings.fields import inside

CHUNK = 1 << 20
ENCRYPTED = 0x1
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
TYPES = (0, stat.S_IFREG, stat.S_IFDIR)
# All that zipfile raises for bytes that are no sound archive; NotImplementedError is its word for a newer format.
DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError, ValueError)


def extract(archive: Path, members: Mapping[str, str], folder: Path, *, max_bytes: int) -> None:
    """Write each member (key: its path in `archive`) below `folder` under its new name (value).

    The whole archive is judged before the first byte is written. Sizes that it states are not believed: the bytes
    are counted as they are unpacked. Of a member only its bytes are kept, not its mode and time.

    Raises:
        UsageError: A member is not there.
        DataError: The archive is damaged, holds what no honest one holds, or unpacks to more than `max_bytes`.
    """
    with _opened(archive) as opened:
        entries = _entries(opened, archive.name)
        if missing := [name for name in members if name not in entries]:
            raise UsageError(f"{archive.name} has no member {missing[0]!r}. {nearest(missing[0], entries)}")
        left = max_bytes
        for name, target in members.items():
            path = folder / target
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("xb") as out:
                for chunk in _chunks(opened, entries[name], archive.name):
                    left -= len(chunk)
                    if left < 0:
                        raise DataError(
                            f"{archive.name}: the members unpack to more than {max_bytes} bytes (reached in {name!r}). "
                            "If they are meant to be so large, raise `fetch.max_bytes`."
                        )
                    out.write(chunk)


def nearest(name: str, names: Collection[str]) -> str:
    """Return a sentence with up to three of `names` that look like `name`."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"The nearest are {listed(near, width=200)}." if near else f"There are {listed(sorted(names))}."


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except DAMAGE as error:
        raise DataError(f"{archive.name} is not a readable zip archive: {error}. Pin another file.") from error


def _entries(opened: zipfile.ZipFile, archive: str) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an archive by path.

    Raises:
        DataError: Any entry, wanted or not, is one that no honest archive has.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in opened.infolist():
        fault = "the name occurs twice" if entry.filename in entries else _fault(entry)
        if fault:
            raise DataError(f"{archive} is refused: entry {listed([entry.orig_filename])}: {fault}. Pin another file.")
        entries[entry.filename] = entry
    return {name: entry for name, entry in entries.items() if not entry.is_dir()}


def _fault(entry: zipfile.ZipInfo) -> str | None:
    """Return what is wrong with an entry, or None."""
    try:
        inside(entry.orig_filename.removesuffix("/"))
    except ValueError:
        return "the name leads out of the archive or is not portable"
    if stat.S_IFMT(entry.external_attr >> 16) not in TYPES:
        return "it is a link or a device; only files and folders are allowed"
    if entry.flag_bits & ENCRYPTED:
        return "it is encrypted"
    if entry.compress_type not in METHODS:
        return f"it is compressed by method {entry.compress_type}; only stored (0) and deflate (8) are allowed"
    return None


def _chunks(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, archive: str) -> Iterator[bytes]:
    """Yield the unpacked bytes of an entry; the last one is reached only if the checksum in the archive fits."""
    try:
        with opened.open(entry) as stream:
            while chunk := stream.read(CHUNK):
                yield chunk
    except DAMAGE as error:
        raise DataError(f"{archive}: member {entry.filename!r} is damaged: {error}. Pin another file.") from error
