"""Files out of a gzipped tar archive that may be damaged or hostile."""

import fnmatch
import gzip
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from pipeline.core.errors import DataError, UsageError, listed
from pipeline.settings.fields import require_relative
from pipeline.sources.archive import name_nearest

_CHUNK = 1 << 20
_DAMAGE = (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, ValueError)


def unpack_tarball(
    archive: Path, globs: Sequence[str], folder: Path, *, prefix: str, suffix: str, max_bytes: int
) -> None:
    """Write the files below `prefix` that match any of the globs below `folder`, with `suffix` added to their names.

    The whole archive is checked before the first byte is written. Only the bytes of a file are kept, not its mode, its
    owner and its time.

    Raises:
        UsageError: A glob matches nothing.
        DataError: The archive is damaged, has an entry that no honest one has, or unpacks to more than `max_bytes`.
    """
    with _open(archive, max_bytes) as opened:
        names = _check_entries(opened, archive.name)
    targets: dict[str, str] = {}
    for pattern in globs:
        matches = [name for name in names if fnmatch.fnmatchcase(name, prefix + pattern)]
        if not matches:
            raise UsageError(f"{archive.name} has no file {pattern!r}. {name_nearest(pattern, names)}")
        targets |= {name: name.removeprefix(prefix) + suffix for name in matches}
    with _open(archive, max_bytes) as opened:
        for entry in opened:
            if entry.name in targets and (stream := opened.extractfile(entry)):
                path = folder / targets[entry.name]
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("xb") as out:
                    while chunk := stream.read(_CHUNK):
                        out.write(chunk)


@contextmanager
def _open(archive: Path, max_bytes: int) -> Iterator[tarfile.TarFile]:
    try:
        with (
            gzip.open(archive) as unpacked,
            tarfile.open(fileobj=cast("IO[bytes]", _Capped(unpacked, max_bytes)), mode="r|") as opened,
        ):
            yield opened
    except _DAMAGE as error:
        raise DataError(f"{archive.name} is not a whole gzipped tar archive: {error}. Pin another file.") from error


def _check_entries(opened: tarfile.TarFile, archive: str) -> list[str]:
    """Return the paths of the files of an archive.

    Raises:
        DataError: An entry, wanted or not, is one that no honest archive has.
    """
    names: dict[str, None] = {}
    for entry in opened:
        if fault := "the name occurs twice" if entry.name in names else _fault(entry):
            raise DataError(f"{archive} is refused: entry {listed([entry.name])}: {fault}. Pin another file.")
        if entry.isreg():
            names[entry.name] = None
    return list(names)


def _fault(entry: tarfile.TarInfo) -> str | None:
    """Return what is wrong with an entry, or None."""
    try:
        require_relative(entry.name.removesuffix("/"))
    except ValueError:
        return "the name leads out of the archive or is not portable"
    if entry.issparse() or not (entry.isreg() or entry.isdir()):  # the holes of a sparse file are bytes nobody counts
        return "it is a link or a device, or sparse; only plain files and folders are allowed"
    return None


class _Capped:
    """A stream of which more than `max_bytes` bytes cannot be read."""

    def __init__(self, stream: gzip.GzipFile, max_bytes: int) -> None:
        self._stream, self._left, self._max = stream, max_bytes, max_bytes

    def read(self, size: int) -> bytes:
        chunk = self._stream.read(size)
        self._left -= len(chunk)
        if self._left < 0:
            raise DataError(f"the archive unpacks to more than {self._max} bytes. Raise `fetch.max_bytes` if it may.")
        return chunk
