"""Files of a Debian package, downloaded by apt itself so that the user's mirrors and keys apply; nothing in it runs."""

import lzma
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO, Any, BinaryIO

import pyarrow as pa

from pipeline.core.command import read_output, run_program
from pipeline.core.errors import DataError, EnvironmentFault, UsageError
from pipeline.core.files import sha256
from pipeline.settings.fields import SPLITS
from pipeline.settings.sources import DebianSource, IdxFiles
from pipeline.sources.archive import name_nearest
from pipeline.sources.idx import join_idx_splits

_JOINED = "dataset.parquet"
_CHUNK = 1 << 20
_MAGIC, _HEADER = b"!<arch>\n", 60
_PACKERS = {"data.tar.xz": "xz", "data.tar.gz": "gzip", "data.tar.zst": "zstd", "data.tar": ""}
_DAMAGE = (tarfile.TarError, lzma.LZMAError, zlib.error, pa.ArrowException, OSError, EOFError, ValueError)


def bring_debian(params: DebianSource, folder: Path, scratch: Path) -> None:
    """Write the members of a Debian package below `folder`: as they are, or IDX files as one Parquet file.

    Raises:
        UsageError: There is no such version or member.
        DataError: The package has another sha256, is damaged or too large, or its IDX files break their format.
        EnvironmentFault: The download failed, or there is no apt.
    """
    archive = download_package(params, scratch)
    splits = {split: files for split in SPLITS if isinstance(files := params.members.get(split), IdxFiles)}
    if not splits:
        unpack_package(archive, {name: folder / str(to) for name, to in params.members.items()}, params.max_bytes)
        return
    paths = sorted({path for files in splits.values() for path in (files.images, files.labels)})
    unpacked = {path: scratch / f"{number}{Path(path).suffix}" for number, path in enumerate(paths)}
    unpack_package(archive, unpacked, params.max_bytes)
    join_idx_splits(splits, unpacked, folder / _JOINED, max_bytes=params.max_bytes)


def download_package(params: DebianSource, scratch: Path) -> Path:
    """Download the package to `scratch` and return its path; its sha256 is that of the source.

    apt reads the lists of its mirrors into `scratch` and leaves those of the system alone, so no rights are needed.

    Raises:
        UsageError: There is no such version.
        DataError: The package has another sha256 or is too large.
        EnvironmentFault: The download failed, or there is no apt.
    """
    pinned, apt = f"{params.package}={params.version}", _configure_apt(params, scratch)
    read_output([*apt, "update"], fix="Check the way to the mirrors of Debian's packages, then run again.")
    known = run_program([*apt, "download", "--print-uris", pinned], cwd=scratch)
    if known.returncode:
        raise UsageError(
            f"{pinned}: the mirrors have no package of that name and version. Correct `package` or `version`, or add a "
            "mirror that has it to apt's sources."
        )
    size = _read_size(known.stdout, pinned)
    if size > params.max_bytes:
        raise DataError(f"{pinned}: has {size} bytes, more than `fetch.max_bytes`. Raise it if that is meant.")
    read_output([*apt, "download", pinned], cwd=scratch, fix="Check the way to the mirrors, then run again.")
    archive = next(scratch.glob("*.deb"), None)
    if archive is None:
        raise EnvironmentFault(f"{pinned}: apt-get has downloaded no package. Check the mirrors, then run again.")
    if (digest := sha256(archive)) != params.sha256:
        raise DataError(
            f"{pinned}: has the sha256 {digest}, not {params.sha256}, and was not opened. Find out why; write it into "
            "params.yaml only if the new package is meant."
        )
    return archive


def _read_size(answer: bytes, pinned: str) -> int:
    """Return the bytes of a package by apt's answer: its address, its name and its size.

    Raises:
        EnvironmentFault: This is no such answer.
    """
    words = answer.split()
    if len(words) < 3 or not words[2].isdigit():
        raise EnvironmentFault(
            f"{pinned}: apt-get says nothing of its size, found {answer[:80]!r}. Check the mirrors, then run again."
        )
    return int(words[2])


def unpack_package(archive: Path, members: Mapping[str, Path], max_bytes: int) -> None:
    """Write each member (its path in the package) to its new path; the sizes that the package states are not trusted.

    Raises:
        UsageError: A member is missing.
        DataError: The package is damaged, has a member twice or as a link, or unpacks to more than `max_bytes`.
        EnvironmentFault: A member cannot be written.
    """
    names, left = dict[str, None](), dict(members)
    try:
        with _open_tar(archive, max_bytes) as tar:
            for entry in tar:
                name = entry.name.removeprefix("./")
                if name in members and (name in names or entry.issparse() or not entry.isreg()):
                    raise DataError(f"{archive.name} is refused: {name!r} is there twice or no file. Pin another one.")
                names[name] = None
                if (to := left.pop(name, None)) is not None:
                    _copy(tar.extractfile(entry), to)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno:  # of the disk; those of damaged bytes have no number
            raise EnvironmentFault(
                f"{archive.name}: could not be unpacked, {error}. Free space or fix the permissions, then run again."
            ) from error
        raise DataError(f"{archive.name}: not a whole Debian package, {error}. Pin another one.") from error
    if left:
        raise UsageError(f"{archive.name} has no member {next(iter(left))!r}. {name_nearest(next(iter(left)), names)}")


def _configure_apt(params: DebianSource, scratch: Path) -> list[str]:
    """Return the beginning of apt's command lines: its lists below `scratch`, and a limit of time."""
    lists = scratch / "lists"
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    settings = {
        "Dir::State::Lists": lists,
        "Dir::Cache::pkgcache": "",
        "Dir::Cache::srcpkgcache": "",
        "APT::Sandbox::User": "",
        "Acquire::Retries": 2,
        "Acquire::http::Timeout": params.timeout,
        "Acquire::https::Timeout": params.timeout,
        "APT::Update::Error-Mode": "any",
    }
    return ["apt-get", "--quiet", *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]


@contextmanager
def _open_tar(archive: Path, max_bytes: int) -> Iterator[tarfile.TarFile]:
    """Open the files of a package, a tar archive inside an ar archive, as a stream."""
    with archive.open("rb") as stream, _unpack(stream, _PACKERS[_find_data(stream, archive.name)]) as plain:
        counted: Any = _Counted(plain, archive.name, max_bytes)
        with tarfile.open(fileobj=counted, mode="r|") as tar:
            yield tar


def _unpack(stream: BinaryIO, packer: str) -> Any:
    """Return the stream, unpacked as it is read; a context manager."""
    if packer == "xz":
        return lzma.open(stream)
    return pa.CompressedInputStream(stream, packer) if packer else nullcontext(stream)


def _find_data(stream: BinaryIO, name: str) -> str:
    """Leave the stream of an ar archive at the member with the files; return the name of that member.

    Source: deb(5). The header of a member has its name in bytes 0 to 15 and its size in 48 to 57; members start at even
    places.
    """
    if stream.read(len(_MAGIC)) == _MAGIC:
        while len(header := stream.read(_HEADER)) == _HEADER and re.fullmatch(rb"\d+ *", header[48:58]):
            member = header[:16].decode("ascii", "replace").strip().removesuffix("/")
            if member in _PACKERS:
                return member
            size = int(header[48:58])
            stream.seek(size + size % 2, 1)
    raise DataError(f"{name}: not a Debian package, no member {' or '.join(_PACKERS)}. Pin another one.")


class _Counted:
    """A stream that raises DataError if more than `max_bytes` bytes are read."""

    def __init__(self, stream: BinaryIO, name: str, max_bytes: int) -> None:
        self._stream, self._name, self._max_bytes, self._left = stream, name, max_bytes, max_bytes

    def read(self, size: int) -> bytes:
        piece = self._stream.read(size)
        self._left -= len(piece)
        if self._left < 0:
            raise DataError(
                f"{self._name}: unpacks to more than {self._max_bytes} bytes. Raise `fetch.max_bytes` if that is meant."
            )
        return piece


def _copy(source: IO[bytes] | None, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    with to.open("xb") as out:
        while source is not None and (chunk := source.read(_CHUNK)):
            out.write(chunk)
