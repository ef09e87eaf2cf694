"""The vectors of some rows of a file of features, which is neither mapped nor held."""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.errors import REPRODUCE, DataError, EnvironmentFault, listed
from pipeline.evaluate.align import MIXED, require_alike, to_vectors

_Ints = npt.NDArray[np.int64]


class VectorFile:
    """A file of features, as `extract` writes it: memory holds one of its record batches, and the rows that are asked.

    The pages of a mapped file would stay in memory as long as there is room.
    """

    def __init__(self, path: Path) -> None:
        """Count the rows of each record batch.

        Raises:
            EnvironmentFault: The file is missing or damaged.
        """
        self._path = path
        self._starts = np.cumsum([0, *(batch.num_rows for batch in self._stream(("id",)))])

    def read(self, examples: pa.Table, positions: _Ints, *, total: int) -> npt.NDArray[np.float32]:
        """Return the vectors of examples, (n, H), at `positions` (n,), ascending, of the `total` of their file; n > 0.

        Raises:
            DataError: The features are not those of these examples, in their order.
            EnvironmentFault: The file is damaged.
        """
        rows = int(self._starts[-1])
        if rows != total:
            raise DataError(f"features: not of these examples, {rows} rows for {total}. {MIXED}")
        bounds = np.searchsorted(positions, self._starts)
        asked = np.flatnonzero(np.diff(bounds)).tolist()
        own = pa.Table.from_batches(
            batch.take(pa.array(positions[bounds[at] : bounds[at + 1]] - self._starts[at]))
            for at, batch in zip(asked, self._stream(("id", "features"), asked), strict=True)
        )
        require_alike(own, examples, "features")
        names = zip(own["id"].to_pylist(), examples["id"].to_pylist(), strict=True)
        if other := [name for name, wanted in names if name != wanted]:
            raise DataError(
                f"features: not of these examples in their order, {len(other)} ids differ: {listed(other)}. {MIXED}"
            )
        return to_vectors(own["features"])

    def _stream(self, columns: Collection[str], batches: Collection[int] | None = None) -> Iterator[pa.RecordBatch]:
        """Yield some columns of some record batches, of all if `batches` is None; nothing else is read."""
        try:
            with pa.OSFile(str(self._path)) as file:
                names = pa.ipc.open_file(file).schema.names
                options = pa.ipc.IpcReadOptions(included_fields=[names.index(name) for name in columns])
                reader = pa.ipc.open_file(file, options=options)
                for at in range(reader.num_record_batches) if batches is None else batches:
                    yield reader.get_batch(at)
        except (OSError, pa.ArrowException) as error:
            raise EnvironmentFault(f"{self._path}: could not be read, {error}. {REPRODUCE}") from error
