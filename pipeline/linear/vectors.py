"""The vectors of some rows of a file of features, which is neither mapped nor held."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.core.errors import DataError, listed
from pipeline.core.tables import stream_arrow
from pipeline.evaluate.align import MIXED, require_alike, to_vectors

_Ints = npt.NDArray[np.int64]


class VectorFile:
    """A file of features, as `extract` writes it: memory holds a record batch of it, and the rows that are asked."""

    def __init__(self, path: Path) -> None:
        """Count the rows of each record batch.

        Raises:
            EnvironmentFault: The file is missing or damaged.
        """
        self._path = path
        self._starts = np.cumsum([0, *(batch.num_rows for batch in stream_arrow(path, ("id",))[1])])

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
            for at, batch in zip(asked, stream_arrow(self._path, ("id", "features"), asked)[1], strict=True)
        )
        require_alike(own, examples, "features")
        names = zip(own["id"].to_pylist(), examples["id"].to_pylist(), strict=True)
        if other := [name for name, wanted in names if name != wanted]:
            raise DataError(
                f"features: not of these examples in their order, {len(other)} ids differ: {listed(other)}. {MIXED}"
            )
        return to_vectors(own["features"])
