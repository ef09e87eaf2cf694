"""Tables that wait for a second look: in memory if they are few, or else in a file that has no name."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

import pyarrow as pa

from pipeline.core.errors import EnvironmentFault

IN_MEMORY = 2**25  # bytes


class Spool:
    """Tables of one schema, which are added first and then read, in their order; what is not read takes no memory."""

    def __init__(self, folder: Path, *, in_memory: int = IN_MEMORY) -> None:
        """Keep more than `in_memory` bytes in `folder`, which is made; a process that is killed leaves none there."""
        self._folder, self._in_memory, self._closing = folder, in_memory, ExitStack()
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None

    def __enter__(self) -> Self:
        """Open the file."""
        with self._writing():
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = self._closing.enter_context(SpooledTemporaryFile(self._in_memory, dir=str(self._folder)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the file."""
        self._closing.close()

    def add(self, table: pa.Table) -> None:
        """Keep a table.

        Raises:
            EnvironmentFault: There is no space.
        """
        with self._writing():
            if self._writer is None:
                self._writer = pa.ipc.new_stream(self._file, table.schema)
            self._writer.write_table(table)

    def read(self) -> Iterator[pa.Table]:
        """Yield all tables; nothing is added any more."""
        if self._writer is not None:
            with self._writing():
                self._writer.close()
                self._file.seek(0)
            for batch in pa.ipc.open_stream(self._file):
                yield pa.Table.from_batches([batch])

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise EnvironmentFault(
                f"{self._folder}: rows could not be kept there, {error}. Free space or fix the permissions, then run "
                "again."
            ) from error
