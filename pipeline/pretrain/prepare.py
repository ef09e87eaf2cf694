"""Preparation of a pretraining: a corpus of documents -> a tokenizer and token ids, and these as two corpora."""

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Tokenizer

from pipeline.core.errors import DataError
from pipeline.core.files import publish
from pipeline.core.tables import read_arrow, stream_parquet, write_arrow
from pipeline.models.batches import to_ragged
from pipeline.models.batching import Indices
from pipeline.models.coverage import find_unknown
from pipeline.models.tokenizer import TOKENIZER_FILES, load_tokenizer
from pipeline.pretrain.batches import Corpus
from pipeline.pretrain.families import FAMILIES
from pipeline.pretrain.masking import Tokens
from pipeline.pretrain.pairs import CorpusLayout
from pipeline.pretrain.vocabulary import learn_tokenizer, read_vocabulary, write_tokenizer
from pipeline.settings.pretrain import PretrainParams

_BATCH_DOCUMENTS = 512  # tokenised at a time
# Beyond this share of unknown tokens a model learns the gaps between the words that its tokenizer knows.
_MOST_UNKNOWN = 0.5
_SPLITS = ("train", "held_out")
_TOKENISED = pa.schema(
    [
        ("id", pa.string()),
        ("split", pa.string()),
        ("sentences", pa.int64()),
        ("lengths", pa.list_(pa.int32())),
        ("input_ids", pa.list_(pa.int32())),
    ]
)


def prepare(params: PretrainParams, documents: Path, base: Path, work: Path, identity: str) -> None:
    """Write `work/tokenizer` and `work/corpus.arrow`, unless they are there for the training `identity`.

    The share of tokens that the tokenizer does not know is printed for each split.

    Raises:
        DataError: A split has too few documents or sentences, or the tokenizer does not know most of its tokens.
    """
    mark = work / "prepared"
    if mark.is_file() and mark.read_text(encoding="utf-8") == identity:
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
            learned = learn_tokenizer(
                lambda: _train_sentences(documents), size=params.vocabulary, lowercase=params.lowercase
            )
            types = FAMILIES[params.family].pair_logits is not None
            write_tokenizer(learned, partial, max_length=params.max_length, types=types)
    tokenizer = load_tokenizer(work / "tokenizer", max_length=10**6)
    tokenizer.no_truncation()
    write_arrow(work / "corpus.arrow", _TOKENISED, _tokenise(documents, tokenizer))
    table = read_arrow(work / "corpus.arrow")
    for split in _SPLITS:
        rows = _select(table, split)
        _require_pairs(rows["sentences"].to_numpy(), split, params)
        _require_known(_read_tokens(rows), find_unknown(tokenizer), split, params)
    mark.write_text(identity, encoding="utf-8")


def _stream(documents: Path) -> Iterator[pa.RecordBatch]:
    return stream_parquet(documents, ("id", "split", "sentences"), rows=_BATCH_DOCUMENTS)[1]


def _train_sentences(documents: Path) -> Iterator[str]:
    for batch in _stream(documents):
        train = batch.filter(pc.equal(batch["split"], "train"))
        yield from itertools.chain.from_iterable(train["sentences"].to_pylist())


def _tokenise(documents: Path, tokenizer: Tokenizer) -> Iterator[pa.RecordBatch]:
    """Yield the documents with the token ids of their sentences end to end, without special tokens.

    Every sentence but the first of a document starts with a blank, as any word after another: byte-level and Unigram
    tokenizers mark the beginning of a word by it, and WordPiece ignores it. Sentences and documents without tokens are
    left out.
    """
    for batch in _stream(documents):
        rows = batch.to_pylist()
        texts = [f" {text}" if place else text for row in rows for place, text in enumerate(row["sentences"])]
        encodings = iter(tokenizer.encode_batch_fast(texts, add_special_tokens=False))
        tokenised = []
        for row in rows:
            ids = [encoding.ids for encoding in itertools.islice(encodings, len(row["sentences"])) if encoding.ids]
            if ids:
                tokenised.append(
                    {
                        "id": row["id"],
                        "split": row["split"],
                        "sentences": len(ids),
                        "lengths": [len(sentence) for sentence in ids],
                        "input_ids": [*itertools.chain.from_iterable(ids)],
                    }
                )
        yield pa.RecordBatch.from_pylist(tokenised, _TOKENISED)


def read_corpora(work: Path) -> tuple[Corpus, Corpus]:
    """Return the documents that train and the held-out ones, as `prepare` left them in `work`.

    Raises:
        DataError: The tokenizer does not suit pretraining.
    """
    vocabulary, table = read_vocabulary(work / "tokenizer"), read_arrow(work / "corpus.arrow")

    def read(split: str) -> Corpus:
        rows = _select(table, split)
        counts = rows["sentences"].to_numpy()
        layout = CorpusLayout(_bounds(to_ragged(rows["lengths"]).values), _bounds(counts))
        return Corpus(_read_tokens(rows), layout, rows["id"].to_pylist(), vocabulary, {})

    train, held_out = map(read, _SPLITS)
    return train, held_out


def _select(table: pa.Table, split: str) -> pa.Table:
    return table.filter(pc.equal(table["split"], split))


def _read_tokens(rows: pa.Table) -> Tokens:
    return to_ragged(rows["input_ids"]).values


def _require_known(tokens: Tokens, unknown: int | None, split: str, params: PretrainParams) -> None:
    """Print the share of tokens with the id `unknown` (None: the tokenizer has no such id), and refuse too many."""
    share = float((tokens == unknown).mean()) if unknown is not None and len(tokens) else 0.0
    print(f"{split}: {share:.2%} of the tokens unknown to the tokenizer", flush=True)
    if share > _MOST_UNKNOWN:
        fix = "Choose another `base`, or set `start: scratch` and `tokenizer: wordpiece`."
        if params.tokenizer == "wordpiece":
            fix = "Set `tokenizer: base` with a `base` that knows these texts."
        raise DataError(
            f"pretrain: at most {_MOST_UNKNOWN:.0%} of the tokens in {split} may be unknown to the tokenizer, found "
            f"{share:.2%}. {fix}"
        )


def _bounds(lengths: npt.NDArray[np.integer[Any]]) -> Indices:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def _require_pairs(counts: Indices, split: str, params: PretrainParams) -> None:
    """Refuse a split that has no document, or none of the pairs to learn; `counts` are sentences a document."""
    more = f"{'Lower' if split == 'train' else 'Raise'} `corpus.held_out`"
    if not len(counts):
        raise DataError(f"pretrain: the corpus has no document in {split}. {more} or add texts.")
    if params.pair == "nsp" and len(counts) < 2:
        raise DataError(
            f"pretrain: `pair: nsp` takes random sentences from other documents and needs 2 in {split}, found "
            f"{len(counts)}. {more}, add files to `corpus.texts`, or set `pair: none`."
        )
    if params.pair != "none" and counts.max() < 2:
        raise DataError(
            f"pretrain: `pair: {params.pair}` needs documents of several sentences in {split}: all {len(counts)} have "
            "one sentence. Add files with texts in order to `corpus.texts`, or set `pair: none`."
        )
