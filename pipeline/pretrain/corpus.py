"""The documents of the corpus: each once, clean, and without a sentence that a task is judged by."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.document import Document
from pipeline.core.errors import DataError
from pipeline.core.tables import stream_parquet
from pipeline.examples.splits import hash_to_unit
from pipeline.examples.text import is_empty, normalise, text_id, text_key
from pipeline.pretrain.documents import read_documents
from pipeline.settings.pretrain import CorpusParams

CORPUS_SCHEMA = pa.schema(
    [("id", pa.string()), ("source", pa.string()), ("split", pa.string()), ("sentences", pa.list_(pa.string()))]
)
COUNTED = ("documents", "sentences", "empty", "protected", "emptied", "repeated", "kept", "train", "held_out")

_BATCH_ROWS = 2048

CorpusSplit = Literal["train", "held_out"]


class CorpusDocument(NamedTuple):
    """A text with sentences, a row of the corpus; `held_out` ones only measure."""

    id: str
    source: str
    split: CorpusSplit
    sentences: list[str]


class TextSource(NamedTuple):
    """A source of documents: its name, its file, and the sentences of each document."""

    name: str
    file: Path
    documents: Iterator[list[str]]


class AdmissionRules(NamedTuple):
    """What decides about a document: ids of the texts that no training may see, the share held out, and its salt."""

    protected: frozenset[str]
    held_out: float
    salt: str


def open_sources(params: CorpusParams, raw: Path, examples: Path) -> Iterator[TextSource]:
    """Yield the files of running text below `raw`, then the train split of each task, each text a document."""
    for name, text in params.texts.items():
        file = raw / text.file
        yield TextSource(name, file, read_documents(file, text, max_bytes=params.max_document_bytes))
    for task in params.tasks:
        file = examples / f"{task}.parquet"
        yield TextSource(f"task {task}", file, ([text] for text in _read_texts(file, "text", train=True)))


def read_protected(examples: Path, tasks: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """Return the id of each text by which a model is chosen or judged; `tasks` has the columns of each with texts."""
    columns = [(examples / f"{task}.parquet", column) for task, own in tasks.items() for column in own]
    return frozenset(
        text_id(text_key(text)) for file, column in columns for text in _read_texts(file, column, train=False)
    )


def _read_texts(path: Path, column: str, *, train: bool) -> Iterator[str]:
    """Yield the texts of the train split, or of the two others; words are joined by blanks."""
    _, batches = stream_parquet(path, ("split", column), rows=_BATCH_ROWS)
    for batch in batches:
        is_train = pc.equal(batch["split"], "train")
        for text in batch.filter(is_train if train else pc.invert(is_train))[column].to_pylist():
            yield text if isinstance(text, str) else " ".join(text)


def admit(
    documents: Iterable[list[str]], source: str, rules: AdmissionRules, *, seen: set[int], counts: Counter[str]
) -> Iterator[CorpusDocument]:
    """Yield the documents that are left, each under the hash of its text, and count what was read and dropped.

    A sentence is dropped if it is empty, or if its text is `protected`: in the validation or test split of a task. A
    document is dropped if nothing of it is left, or if the same one was `seen`. Sentences are in NFC without control
    characters, as in examples.
    """
    for document in documents:
        counts["documents"] += 1
        sentences = []
        for sentence in map(normalise, document):
            counts["sentences"] += 1
            if is_empty(sentence):
                counts["empty"] += 1
            elif text_id(text_key(sentence)) in rules.protected:
                counts["protected"] += 1
            else:
                sentences.append(sentence)
        name = text_id("\n".join(map(text_key, sentences)))
        if not sentences or int(name, 16) in seen:
            counts["repeated" if sentences else "emptied"] += 1
            continue
        seen.add(int(name, 16))
        split: CorpusSplit = "held_out" if hash_to_unit(name, salt=rules.salt) < rules.held_out else "train"
        counts[split] += 1
        counts["kept"] += len(sentences)
        yield CorpusDocument(name, source, split, sentences)


def require_documents(sources: Mapping[str, Document]) -> None:
    """Check that there is a document to learn from and one to measure on; `sources` holds the counts of each source.

    Raises:
        DataError: A split has no document.
    """
    for split in ("train", "held_out"):
        if not any(counts[split] for counts in sources.values()):
            count = sum(counts["documents"] for counts in sources.values())
            raise DataError(
                f"the corpus has no document for {split}, {count} read from {', '.join(sources) or 'no source'}. Name "
                "texts below `corpus.texts`, or change `corpus.held_out`."
            )
