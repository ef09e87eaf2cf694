"""corpus: files of running text and the tasks' training splits -> documents of sentences, in order, for pretraining."""

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.document import Document
from pipeline.core.files import publish, sha256, write_json
from pipeline.core.stage import Gate, In, Out
from pipeline.pretrain.changes import ChangeCount, judge_changes
from pipeline.pretrain.corpus import (
    CORPUS_SCHEMA,
    COUNTED,
    AdmissionRules,
    CorpusDocument,
    admit,
    open_sources,
    read_protected,
    require_documents,
)
from pipeline.settings.pretrain import CorpusParams

_GROUP_DOCUMENTS = 2048  # of a row group


def run(params: CorpusParams, *, raw: In, examples: In, findings: Gate, documents: Out, counts: Out) -> None:
    """Gather the documents; in memory are a row group of them, and the hashes of all and of all protected texts."""
    rules = AdmissionRules(read_protected(examples, params.protected), params.held_out, params.salt)
    sources: Document = {}
    changes: dict[str, ChangeCount] = {}

    def gather() -> Iterator[CorpusDocument]:
        seen: set[int] = set()
        for name, file, texts in open_sources(params, raw, examples):
            counted: Counter[str] = Counter()
            changed = changes[name] = ChangeCount(str(file))
            yield from admit(changed.watch(texts), name, rules, seen=seen, counts=counted)
            sources[name] = {
                "file": file.name,
                "sha256": sha256(file),
                **{word: counted[word] for word in COUNTED},
                "changed": changed.counts,
            }

    gathered = gather()
    with publish(documents) as partial, pq.ParquetWriter(partial, CORPUS_SCHEMA, compression="zstd") as writer:
        while group := list(islice(gathered, _GROUP_DOCUMENTS)):
            rows = [document._asdict() for document in group]
            writer.write_table(pa.Table.from_pylist(rows, CORPUS_SCHEMA))
        require_documents(sources)
        warnings = judge_changes(changes, params)
    write_json(counts, {"held_out": params.held_out, "protected": len(rules.protected), "sources": sources})
    kept = sum(counted["train"] + counted["held_out"] for counted in sources.values())
    print(f"{kept} documents of {len(sources)} sources", *warnings, sep="\n")
