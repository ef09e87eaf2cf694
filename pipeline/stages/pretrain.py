"""pretrain: a corpus, and an encoder or none -> an encoder that learned from it, with its tokenizer, and how it did."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from transformers import PreTrainedModel

from pipeline.core.errors import DataError, UsageError
from pipeline.core.files import publish, remove, write_json
from pipeline.core.stage import In, Out
from pipeline.core.tables import read_arrow, stream_parquet, write_arrow
from pipeline.models.batches import ragged
from pipeline.models.layers import positions
from pipeline.models.processes import first_then_others, joined
from pipeline.models.tokenizer import TOKENIZER_FILES, load_tokenizer
from pipeline.pretrain.batches import Corpus, chance
from pipeline.pretrain.families import continued_encoder, new_encoder, require_pair, without_generator
from pipeline.pretrain.objective import TEXT
from pipeline.pretrain.pairs import Layout
from pipeline.pretrain.vocabulary import learned, words, write_tokenizer
from pipeline.report.cards import pretrained_card, save
from pipeline.settings.pretrain import PretrainParams
from pipeline.train.choice import chosen, key
from pipeline.train.identity import identity
from pipeline.train.resume import to_the_end
from pipeline.train.training import Training

TYPED = ("bert", "albert", "electra")  # families that are told which text of a pair a token is of
DOCUMENTS = 512  # tokenised at a time
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("split", pa.string()),
        ("sentences", pa.int64()),
        ("lengths", pa.list_(pa.int32())),
        ("input_ids", pa.list_(pa.int32())),
    ]
)


def run(params: PretrainParams, *, documents: In, base: In, encoder: Out, history: Out) -> None:
    """Train the tokenizer where asked, then the encoder; keep the weights that did best on held-out documents.

    Started by torchrun, each process computes its share of every batch, and the first publishes.
    """
    require_pair(params)
    work = encoder.with_name(f"{encoder.name}.checkpoints")  # not a DVC output: DVC removes those before a run
    who = identity(params, (documents, base), stage="pretrain")
    with joined() as ranks:
        with first_then_others(ranks):
            if ranks.first:
                prepare(params, documents, base, work, who)
        train, held, special, size = corpora(work, params)
        model = (
            new_encoder(params, special, vocabulary=size)
            if params.start == "scratch"
            else continued_encoder(base, params)
        )
        _require_fit(model, size, params)
        with chosen(model, train, params, work / "choice.json", who, ranks, TEXT) as (choice, device):
            training = Training(model, train, held, params, device, TEXT, ranks)
            trained = to_the_end(training, work / "steps", key=key(who, choice, processes=ranks.size))
            if not ranks.first:
                return
    record = {
        "encoder": params.encoder,
        "device": {"device": device.device.type, **choice._asdict()},
        "parameters": sum(value.numel() for value in without_generator(model).parameters()),
        "vocabulary": size,
        "documents": {"train": len(train.ids), "held_out": len(held.ids)},
        "tokens": {"train": len(train.tokens), "held_out": len(held.tokens)},
        "chance": chance(train, held, params),
        "steps": trained.steps,
        "best": trained.best._asdict(),
        "stopped": trained.stopped,
        "evaluations": [found._asdict() for found in trained.evaluations],
    }
    write_json(history, record)
    save(model, work / "tokenizer", pretrained_card(record, params.model_dump()), encoder)
    remove(work)


def prepare(params: PretrainParams, documents: Path, base: Path, work: Path, who: str) -> None:
    """Make tokenizer and token ids of the corpus, once for each identity of a training."""
    mark = work / "prepared"
    if mark.is_file() and mark.read_text(encoding="utf-8") == who:
        return
    work.mkdir(parents=True, exist_ok=True)
    mark.unlink(missing_ok=True)
    with publish(work / "tokenizer") as partial:
        partial.mkdir()
        if params.tokenizer == "base":
            for name in TOKENIZER_FILES:
                if (base / name).is_file():
                    shutil.copyfile(base / name, partial / name)
        else:
            made = learned(
                lambda: (text for _, _, sentences in _rows(documents, "train") for text in sentences),
                params.tokenizer,
                size=params.vocabulary,
                lowercase=params.lowercase,
            )
            types = params.family in TYPED
            write_tokenizer(made, partial, max_length=params.max_length, types=types)
    write_arrow(work / "corpus.arrow", SCHEMA, _tokenised(documents, work / "tokenizer"))
    mark.write_text(who, encoding="utf-8")


def _rows(documents: Path, split: str | None = None) -> Iterator[tuple[str, str, list[str]]]:
    _, batches = stream_parquet(documents, ("id", "split", "sentences"), rows=DOCUMENTS)
    for batch in batches:
        for row in batch.to_pylist():
            if split in (None, row["split"]):
                yield row["id"], row["split"], row["sentences"]


def _tokenised(documents: Path, folder: Path) -> Iterator[pa.RecordBatch]:
    """Yield the documents with the token ids of their sentences end to end, without special tokens.

    A blank stands before every sentence of a document but the first, as between any two words: some tokenizers tell by
    it where a word begins, and to the others it is nothing.
    """
    tokenizer = load_tokenizer(folder, max_length=10**6)
    tokenizer.no_truncation()
    _, batches = stream_parquet(documents, ("id", "split", "sentences"), rows=DOCUMENTS)
    for batch in batches:
        sentences = batch["sentences"]
        texts = [f" {text}" if place else text for own in sentences.to_pylist() for place, text in enumerate(own)]
        found = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        ids = [one.ids for one in found]
        rows, place = [], 0
        for name, split, count in zip(
            batch["id"].to_pylist(),
            batch["split"].to_pylist(),
            pc.list_value_length(sentences).to_pylist(),
            strict=True,
        ):
            own = [one for one in ids[place : place + count] if one]  # a sentence may come to nothing
            place += count
            if own:
                rows.append(
                    {
                        "id": name,
                        "split": split,
                        "sentences": len(own),
                        "lengths": [len(one) for one in own],
                        "input_ids": [value for one in own for value in one],
                    }
                )
        yield pa.RecordBatch.from_pylist(rows, SCHEMA)


def corpora(work: Path, params: PretrainParams) -> tuple[Corpus, Corpus, dict[str, int], int]:
    """Return the documents that train and those that measure, the ids of special tokens, and the vocabulary's size."""
    known, size, pad, around = words(work / "tokenizer")
    table = read_arrow(work / "corpus.arrow")
    corpora = []
    for split in ("train", "held_out"):
        part = table.filter(pc.equal(table["split"], split))
        if not part.num_rows:
            raise DataError(f"the corpus has no document for {split}; raise `corpus.held_out` or bring more text.")
        counts = part["sentences"].to_numpy()
        if params.pair == "nsp" and len(counts) < 2:
            raise DataError(
                f"`pair: nsp` takes random sentences from other documents, and {split} has {len(counts)} document; it "
                "needs 2. Raise `corpus.held_out`, bring more text below `corpus.texts`, or set `pair: none`."
            )
        if params.pair != "none" and counts.max() < 2:
            raise DataError(
                f"`pair: {params.pair}` learns from sentences that follow each other, and all {len(counts)} documents "
                f"of {split} have one sentence. Bring texts in order below `corpus.texts`, or set `pair: none`."
            )
        sentences = np.concatenate([[0], np.cumsum(ragged(part["lengths"]).values)]).astype(np.int64)
        layout = Layout(sentences, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
        tokens = ragged(part["input_ids"]).values
        corpora.append(Corpus(tokens, layout, part["id"].to_pylist(), known, around["first"], around["last"], {}))
    ids = {
        "pad_token_id": pad,
        "bos_token_id": around["first"],
        "eos_token_id": around["last"],
        "cls_token_id": around["first"],
        "sep_token_id": around["last"],
    }
    return corpora[0], corpora[1], ids, max(size, len(known.begins))


def _require_fit(model: PreTrainedModel, size: int, params: PretrainParams) -> None:
    """Refuse a tokenizer that does not fit the encoder, and examples that are too long for it."""
    embeddings: Any = model.get_input_embeddings()
    known, places = embeddings.num_embeddings, positions(model)
    if size > known:
        raise DataError(
            f"the tokenizer has {size} tokens and the encoder knows {known}: they do not belong together. Take the "
            "encoder's own (`tokenizer: base`), or start from scratch."
        )
    if places is not None and params.max_length > places:
        raise UsageError(f"`max_length` is {params.max_length}, and the encoder takes {places} tokens; lower it.")
