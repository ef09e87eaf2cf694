"""A ledger: what a stage made of each chunk of a file, by the question and by the digest of the chunk."""

import hashlib
import itertools
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from pipeline.core.parts.store import Store
from pipeline.core.parts.work import open_store


class Ledger:
    """The answers of a run, for the next; each question is one part, so that a file of many chunks makes few parts.

    Answers are small, or few: those to a question are in memory at once. Larger ones are parts of their own.
    """

    def __init__(self, store: Store, identity: bytes) -> None:
        """Look up nothing yet; `identity` stands for all that answers depend on besides the chunks."""
        self._store, self._identity = store, identity

    def read(self, question: str) -> dict[bytes, bytes]:
        """Return the answers that an earlier run has kept, by the digests of the chunks."""
        part = self._store.find(self._name(question.encode()))
        if part is None:
            return {}
        return dict(zip(part["chunk"].to_pylist(), part["answer"].to_pylist(), strict=True))

    def write(self, question: str, answers: Mapping[bytes, bytes]) -> None:
        """Keep the answers to a question, in the place of those before."""
        ends = pa.array(itertools.accumulate(map(len, answers.values()), initial=0), pa.int64())
        content = pa.py_buffer(b"".join(answers.values()))
        buffers = [None, ends.buffers()[1], content]  # without the room to grow that a builder would have
        columns = {
            "chunk": pa.array(answers.keys(), pa.binary()),
            "answer": pa.Array.from_buffers(pa.large_binary(), len(answers), buffers),
        }
        self._store.keep(self._name(question.encode()), pa.record_batch(columns))

    def has_part(self, question: str, *digests: bytes) -> bool:
        """Return whether there is a large answer; it may be damaged."""
        return self._store.has(self._name(question.encode(), *digests))

    def read_part(self, question: str, *digests: bytes) -> pa.RecordBatch | None:
        """Return a large answer about one chunk, or about what else the digests stand for; None if there is none."""
        return self._store.find(self._name(question.encode(), *digests))

    def write_part(self, question: str, *digests: bytes, answer: pa.RecordBatch) -> None:
        """Keep a large answer."""
        self._store.keep(self._name(question.encode(), *digests), answer)

    def _name(self, *words: bytes) -> str:
        digests = (hashlib.sha256(word).digest() for word in words)
        return hashlib.sha256(b"".join([self._identity, *digests])).hexdigest()


def open_ledger(out: Path, code: str | None, **facts: object) -> Ledger | None:
    """Return the ledger of an output; None if nothing would be kept (see `open_store`)."""
    store, identity = open_store(out, code, **facts)
    return None if store is None else Ledger(store, identity)
