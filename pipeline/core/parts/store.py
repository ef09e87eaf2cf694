"""Kept parts: files of this machine, each whole or absent, with a checksum, and bounded in number of bytes.

They are no outputs: DVC removes those before a run. Whoever removes the folder loses time alone.
"""

import hashlib
import os
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pyarrow as pa

from pipeline.core.parts.chunks import from_bytes, to_bytes

PARTS_FOLDER = Path(".dvc/tmp/parts")  # of the repository that holds the output
KEPT_BYTES = 2**33  # bytes of all parts, and never more than a quarter of what would be free without them
_DIGEST_BYTES = 32


class Store:
    """A folder of parts, by names that say all that a part depends on; without a folder nothing is kept.

    Several processes may use a folder. If it is full, the parts that have not been used for longest go, and never those
    that this run has used: if these alone fill it, no more are kept. After an error of the disk nothing is kept.
    """

    def __init__(self, folder: Path | None, *, most: int = KEPT_BYTES) -> None:
        """Look at what is there; `most` bounds the bytes."""
        self._folder = folder
        self._unused: dict[str, int] = {}  # bytes by name, those unused for longest first
        self._size, self._most = 0, most
        if folder is None:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._look(folder)
        except OSError as error:
            self._give_up(error)

    def _look(self, folder: Path) -> None:
        times = {}
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process has removed it
                    times[entry.name] = entry.stat(follow_symlinks=False)
        self._unused = {name: times[name].st_size for name in sorted(times, key=lambda name: times[name].st_mtime_ns)}
        self._size = sum(self._unused.values())
        self._most = min(self._most, (shutil.disk_usage(folder).free + self._size) // 4)
        self._make_room(0)

    def has(self, name: str) -> bool:
        """Return whether there is a part; it may be damaged."""
        return self._folder is not None and (self._folder / name).exists()

    def find(self, name: str) -> pa.RecordBatch | None:
        """Return a part; None if it is not kept, or damaged."""
        if self._folder is None:
            return None
        path = self._folder / name
        try:
            content = path.read_bytes()
            os.utime(path)
        except OSError:
            return None
        part = pa.py_buffer(content).slice(0, max(0, len(content) - _DIGEST_BYTES))
        if _digest(name, part) != content[-_DIGEST_BYTES:]:
            return None
        self._unused.pop(name, None)
        return from_bytes(part)

    def keep(self, name: str, part: pa.RecordBatch) -> pa.RecordBatch:
        """Return a part as `find` would, and keep it if there is room."""
        content = to_bytes(part)
        size = content.size + _DIGEST_BYTES
        if self._folder is not None and self._make_room(size - self._unused.get(name, 0)):
            try:
                self._write(self._folder, name, content)
                self._size += size - self._unused.pop(name, 0)
            except OSError as error:
                self._give_up(error)
        return from_bytes(content)

    def _make_room(self, more: int) -> bool:
        """Remove what has not been used for longest, and return whether there is room."""
        while self._folder is not None and self._size + more > self._most and self._unused:
            name = next(iter(self._unused))
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)
            self._size -= self._unused.pop(name)
        return self._size + more <= self._most

    def _write(self, folder: Path, name: str, content: pa.Buffer) -> None:
        """Write a file that is whole or absent; what a killed process leaves of it goes as unused parts do."""
        partial = folder / f"{uuid4().hex}.partial"
        try:
            with partial.open("xb") as stream:
                stream.write(content)
                stream.write(_digest(name, content))
            partial.replace(folder / name)
        except BaseException:  # whatever ends the writing, also a request to stop, leaves no half file
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise

    def _give_up(self, error: OSError) -> None:
        print(f"No parts are kept for the next run: {error}", flush=True)
        self._folder = None


def _digest(name: str, content: pa.Buffer) -> bytes:
    digest = hashlib.sha256(name.encode())
    digest.update(content)
    return digest.digest()
