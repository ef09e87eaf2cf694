"""Files out of a zip archive that may be damaged or hostile."""

import difflib
import stat
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from pipeline.core.errors import DataError, UsageError, listed
from pipeline.settings.fields import require_relative

_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_TYPES = (0, stat.S_IFREG, stat.S_IFDIR)
# All that zipfile raises for bytes of no valid archive; NotImplementedError is its error for a newer format.
_DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError, ValueError)


def extract(archive: Path, members: Mapping[str, str], folder: Path, *, max_bytes: int) -> None:
    """Write each member (key: its path in `archive`) below `folder` under its new name (value).

    The whole archive is checked before the first byte is written. The sizes it states are not trusted: bytes are
    counted as they are unpacked. Only the bytes of a member are kept, not its mode and time.

    Raises:
        UsageError: A member is missing.
        DataError: The archive is damaged, has an entry that no honest one has, or unpacks to more than `max_bytes`.
    """
    with _open(archive) as opened:
        entries = _entries(opened, archive.name)
        if missing := [name for name in members if name not in entries]:
            raise UsageError(f"{archive.name} has no member {missing[0]!r}. {name_nearest(missing[0], entries)}")
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
                            "Raise `fetch.max_bytes` if that is meant."
                        )
                    out.write(chunk)


def name_nearest(name: str, names: Collection[str]) -> str:
    """Return a sentence with up to three of `names` that look like `name`."""
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"The nearest are {listed(near, width=200)}." if near else f"There are {listed(sorted(names))}."


def _open(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except _DAMAGE as error:
        raise DataError(f"{archive.name} is not a readable zip archive, found {error}. Pin another file.") from error


def _entries(opened: zipfile.ZipFile, archive: str) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an archive by path.

    Raises:
        DataError: An entry, wanted or not, is one that no honest archive has.
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
        require_relative(entry.orig_filename.removesuffix("/"))
    except ValueError:
        return "the name leads out of the archive or is not portable"
    if stat.S_IFMT(entry.external_attr >> 16) not in _TYPES:
        return "it is a link or a device; only files and folders are allowed"
    if entry.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if entry.compress_type not in _METHODS:
        return f"it is compressed by method {entry.compress_type}; only stored (0) and deflate (8) are allowed"
    return None


def _chunks(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, archive: str) -> Iterator[bytes]:
    """Yield the unpacked bytes of an entry; reach the last ones only if the checksum in the archive matches."""
    try:
        with opened.open(entry) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk
    except _DAMAGE as error:
        raise DataError(f"{archive}: member {entry.filename!r} is damaged: {error}. Pin another file.") from error
