"""corpus: files of running text and the tasks' training splits -> documents of sentences, in order, for pretraining."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.errors import DataError
from pipeline.core.files import publish, sha256, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import stream_parquet
from pipeline.examples.text import identity, key
from pipeline.pretrain.corpus import Document, Rules, admitted
from pipeline.pretrain.documents import read_documents
from pipeline.settings.pretrain import CorpusParams

SCHEMA = pa.schema(
    [("id", pa.string()), ("source", pa.string()), ("split", pa.string()), ("sentences", pa.list_(pa.string()))]
)
COUNTED = ("documents", "sentences", "empty", "protected", "emptied", "repeated", "kept", "train", "held_out")
DOCUMENTS = 2048  # of a row group


def run(params: CorpusParams, *, raw: In, examples: In, findings: In, documents: Out, counts: Out) -> None:  # noqa: ARG001
    """Gather the documents; in memory are a row group of them, and the hashes of all and of all protected texts.

    `findings` is not read: that it is there says that validate let the tasks' examples pass.
    """
    protected = frozenset(_held(examples, params.protected))
    rules = Rules(protected, params.held_out, params.salt)
    seen: set[int] = set()
    told: dict[str, dict[str, Any]] = {}
    with publish(documents) as partial, pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
        waiting: list[Document] = []
        for name, file, found in _sources(params, raw, examples):
            counted: Counter[str] = Counter()
            for document in admitted(found, name, rules, seen=seen, counts=counted):
                waiting.append(document)
                if len(waiting) == DOCUMENTS:
                    writer.write_table(_table(waiting))
                    waiting.clear()
            told[name] = {"file": file.name, "sha256": sha256(file), **{word: counted[word] for word in COUNTED}}
        if waiting:
            writer.write_table(_table(waiting))
        _require(told)
    write_json(counts, {"held_out": params.held_out, "protected": len(protected), "sources": told})
    print(f"{sum(one['train'] + one['held_out'] for one in told.values())} documents of {len(told)} sources")


def _sources(params: CorpusParams, raw: Path, examples: Path) -> Iterator[tuple[str, Path, Iterator[list[str]]]]:
    """Yield name, file and documents of each source."""
    for name, text in params.texts.items():
        yield name, raw / text.file, read_documents(raw / text.file, text, max_bytes=params.max_document_bytes)
    for task in params.tasks:
        path = examples / f"{task}.parquet"
        yield f"task {task}", path, ([text] for text in _texts(path, training=True))


def _held(examples: Path, tasks: tuple[str, ...]) -> Iterator[str]:
    """Yield the identity of each text that a task chooses or is judged by."""
    for task in tasks:
        yield from (identity(key(text)) for text in _texts(examples / f"{task}.parquet", training=False))


def _texts(path: Path, *, training: bool) -> Iterator[str]:
    """Yield the texts of the train split, or of the two others."""
    _, batches = stream_parquet(path, ("split", "text"), rows=DOCUMENTS)
    for batch in batches:
        train = pc.equal(batch["split"], "train")
        yield from batch.filter(train if training else pc.invert(train))["text"].to_pylist()


def _table(documents: list[Document]) -> pa.Table:
    return pa.Table.from_pylist([document._asdict() for document in documents], SCHEMA)


def _require(told: dict[str, dict[str, Any]]) -> None:
    """Refuse a corpus that nothing can be learned from, or nothing measured on."""
    for split in ("train", "held_out"):
        if not any(one[split] for one in told.values()):
            met = sum(one["documents"] for one in told.values())
            raise DataError(
                f"the corpus has no document for {split}: {', '.join(told) or 'no source'} gave {met}. Name texts "
                "below `corpus.texts`, or change `corpus.held_out`."
            )
