"""Inputs of token classification: the token ids of a sentence, in several rows if it is long, and its words' tags."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from tokenizers import Encoding

from pipeline.core.tables import description, labels_of, stream_parquet, task_of
from pipeline.kinds.token_classification.settings import TagTokenizeParams
from pipeline.models.coverage import Coverage, find_unknown
from pipeline.models.inputs import RECORD_TOKENS, Encoded, Inputs, judge_coverage, skip_coverage
from pipeline.models.tokenizer import load_tokenizer, set_prefix_space
from pipeline.tagging.pieces import find_special, split_at_words
from pipeline.tagging.schemes import is_bio

UNTAGGED = -100  # of a token that no word begins with: the index that the library's losses leave out
NO_WORD = -1
_TAG_COLUMNS = {
    "id": pa.string(),
    "split": pa.string(),
    "tags": pa.list_(pa.int64()),  # of each token, or UNTAGGED
    "words": pa.list_(pa.int32()),  # the word that a token begins, or NO_WORD
    "input_ids": pa.list_(pa.int32()),
    "truncated": pa.bool_(),
}


def align_tags(
    words: Sequence[int], tags: Sequence[int], going_on: Sequence[int] | None
) -> tuple[list[int], list[int]]:
    """Return the tag of each token, and the word that it begins; other tokens of a word have none of both.

    With `going_on`, the tag that goes on with each tag, the other tokens of a word have that of theirs.
    """
    firsts = [place == 0 or words[place - 1] != word for place, word in enumerate(words)]
    rest = [UNTAGGED if going_on is None else going_on[tags[word]] for word in words]
    own = [tags[word] if first else other for word, first, other in zip(words, firsts, rest, strict=True)]
    return own, [word if first else NO_WORD for word, first in zip(words, firsts, strict=True)]


def list_followers(classes: Sequence[str]) -> list[int]:
    """Return the index of the tag that goes on with each tag: of B- its I-, of any other the tag itself."""
    bio = is_bio(classes)
    return [at + 1 if bio and tag.startswith("B-") else at for at, tag in enumerate(classes)]


def _encode(params: TagTokenizeParams, examples: Path, encoder: Path) -> Encoded:
    """Tokenise the words of every example; memory does not grow with them.

    Raises:
        DataError: The tokenizer knows too few of the words' characters; raised after the last batch.
    """
    tokenizer = load_tokenizer(encoder, max_length=params.max_length)
    tokenizer.no_truncation()
    set_prefix_space(tokenizer)
    unknown, (before, after) = find_unknown(tokenizer), find_special(tokenizer)
    schema, batches = stream_parquet(examples, ("id", "split", "words", "tags"), rows=params.batch_texts)
    followers = list_followers(labels_of(schema)) if params.label == "all" else None
    room = params.max_length - len(before) - len(after)

    def encode_batch(batch: pa.RecordBatch) -> tuple[pa.RecordBatch, Coverage]:
        coverage = Coverage()
        words, tags = batch["words"].to_pylist(), batch["tags"].to_pylist()
        encodings = tokenizer.encode_batch(words, is_pretokenized=True, add_special_tokens=False)
        values: list[list[object]] = [[] for _ in _TAG_COLUMNS]
        for example, split, own, encoding in zip(batch["id"], batch["split"], tags, encodings, strict=True):
            coverage = coverage.add(_measure(encoding, unknown, example.as_py()))
            for pieces in split_at_words(encoding.ids, [word or 0 for word in encoding.word_ids], room=room):
                aligned, begun = align_tags(pieces.words, own, followers)
                row = (
                    *(example.as_py(), split.as_py()),
                    *(_wrap(part, before, after, fill) for part, fill in ((aligned, UNTAGGED), (begun, NO_WORD))),
                    [*before, *pieces.ids, *after],
                    pieces.cut,
                )
                for column, value in zip(values, row, strict=True):
                    column.append(value)
        arrays = [pa.array(column, kind) for column, kind in zip(values, _TAG_COLUMNS.values(), strict=True)]
        return pa.record_batch(arrays, list(_TAG_COLUMNS)), coverage

    metadata = {**description(task_of(schema), labels_of(schema)), "max_length": str(params.max_length)}
    schema, rows = pa.schema(_TAG_COLUMNS.items(), metadata), RECORD_TOKENS // params.max_length
    finish = skip_coverage if unknown is None else partial(judge_coverage, params=params)
    return Encoded(schema, rows, batches, params.batch_texts, encode_batch, finish)


def _wrap(values: Sequence[int], before: Sequence[int], after: Sequence[int], fill: int) -> list[int]:
    return [*[fill] * len(before), *values, *[fill] * len(after)]


def _measure(encoding: Encoding, unknown: int | None, name: str) -> Coverage:
    """Return the coverage of a sentence: the tokens and characters that the tokenizer does not know."""
    sizes = [end - start for start, end in encoding.offsets]
    lost = [size for size, token in zip(sizes, encoding.ids, strict=True) if token == unknown]
    return Coverage(len(sizes), len(lost), sum(sizes), sum(lost), (name,) if lost else ())


def _summarize(table: pa.Table) -> str:
    count = pc.sum(pc.list_value_length(table["input_ids"])).as_py()
    examples = pc.count_distinct(table["id"]).as_py()
    return f"{examples} examples in {table.num_rows} rows, {count} tokens, {pc.sum(table['truncated']).as_py()} cut"


INPUTS = Inputs(encode=_encode, summarize=_summarize)
