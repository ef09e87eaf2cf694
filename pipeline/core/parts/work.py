"""Work in parts: what a stage computes of each chunk of rows, or finds computed by an earlier run."""

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from pipeline.core.document import json_text
from pipeline.core.files import find_repository
from pipeline.core.parts.chunks import digest_rows
from pipeline.core.parts.store import PARTS_FOLDER, Store

_Compute = Callable[[pa.RecordBatch], pa.RecordBatch]


class Computed(NamedTuple):
    """A chunk of rows, and what was computed of it, now or by an earlier run."""

    rows: pa.RecordBatch
    result: pa.RecordBatch
    is_new: bool


class Work:
    """What a stage computes of rows, chunk by chunk; no chunk may have a say in the result of another.

    Results are the same, byte for byte, whether they are kept or computed.
    """

    def __init__(self, store: Store, identity: bytes) -> None:
        """Start without rows; `identity` stands for all that a result depends on besides the rows."""
        self._store, self._identity = store, identity
        self.rows = self.computed = 0

    def do(
        self, chunks: Iterable[pa.RecordBatch], compute: _Compute, *, but: Collection[str] = (), ahead: int = 0
    ) -> Iterator[Computed]:
        """Yield the chunks with their results, in order; those that have none are computed, up to `ahead` beforehand.

        `but` are columns that results do not depend on. Beforehand means in other threads.
        """
        waiting = deque[tuple[pa.RecordBatch, str, pa.RecordBatch | Future[pa.RecordBatch] | None]]()
        with ThreadPoolExecutor(max(1, ahead)) as threads:
            for rows in chunks:
                name = hashlib.sha256(self._identity + digest_rows(rows, but=but)).hexdigest()
                result = self._store.find(name)
                later = threads.submit(compute, rows) if ahead and result is None else result
                waiting.append((rows, name, later))
                if len(waiting) > ahead:
                    yield self._finish(*waiting.popleft(), compute)
            while waiting:
                yield self._finish(*waiting.popleft(), compute)

    def _finish(
        self,
        rows: pa.RecordBatch,
        name: str,
        result: pa.RecordBatch | Future[pa.RecordBatch] | None,
        compute: _Compute,
    ) -> Computed:
        self.rows += rows.num_rows
        if isinstance(result, pa.RecordBatch):
            return Computed(rows, result, is_new=False)
        self.computed += rows.num_rows
        new = compute(rows) if result is None else result.result()
        return Computed(rows, self._store.keep(name, new), is_new=True)

    def describe(self) -> str:
        """Return how many rows were computed, in words."""
        return f"{self.computed} of {self.rows} rows computed"


def open_work(out: Path, code: str | None, **facts: object) -> Work:
    """Return the work on an output, whose results are kept if they can be (see `open_store`)."""
    store, identity = open_store(out, code, **facts)
    return Work(store or Store(None), identity)


def open_store(out: Path, code: str | None, **facts: object) -> tuple[Store | None, bytes]:
    """Return the store of the repository that holds an output, and what stands for all that its parts depend on.

    `code` is a fingerprint of the code, and `facts` are what else they depend on besides the rows. Nothing is kept
    without a fingerprint, or outside a repository.
    """
    root = find_repository(out)
    identity = hashlib.sha256(json_text({"code": code, "facts": facts}).encode()).digest()
    return None if code is None or root is None else Store(root / PARTS_FOLDER), identity


def list_facts(schema: pa.Schema, *, but: Collection[str]) -> dict[str, str]:
    """Return the metadata of a schema, `but` that of some names, as a fact for `open_work`."""
    metadata = {name.decode(): value.decode() for name, value in (schema.metadata or {}).items()}
    return {name: value for name, value in sorted(metadata.items()) if name not in but}
