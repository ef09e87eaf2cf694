from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import AutoTokenizer

from pipeline.core.parts.work import open_work
from pipeline.core.tables import describe, write_parquet
from pipeline.kinds.token_classification.inputs import (
    INPUTS,
    NO_WORD,
    UNTAGGED,
    align_tags,
    list_followers,
)
from pipeline.kinds.token_classification.settings import TagTokenizeParams
from pipeline.models.inputs import encode_in_parts
from pipeline.models.tokenizer import save_tokenizer
from pipeline.tagging.pieces import split_at_words
from pipeline.tagging.schemes import name_tags
from tests.given.encoder import make_encoder

SIZES = st.lists(st.integers(0, 5), max_size=12)  # tokens of each word
CLASSES = name_tags(("PER",), "bio")


def tokens_of(sizes: list[int]) -> tuple[list[int], list[int]]:
    words = [word for word, size in enumerate(sizes) for _ in range(size)]
    return list(range(len(words))), words


@given(SIZES, st.integers(1, 8))
def test_no_token_is_lost_and_no_word_divided(sizes: list[int], room: int) -> None:
    ids, words = tokens_of(sizes)
    rows = list(split_at_words(ids, words, room=room))
    assert all(0 < len(row.ids) == len(row.words) <= room for row in rows)
    assert sorted({word for row in rows for word in row.words}) == sorted({*words})
    assert sum(len({*row.words}) for row in rows) == len({*words})
    kept = [token for row in rows for token in row.ids]
    if max(sizes, default=0) <= room:
        assert kept == ids
    assert any(row.cut for row in rows) == (len(kept) < len(ids)) == (max(sizes, default=0) > room)


@given(SIZES)
def test_the_first_token_of_a_word_has_its_tag(sizes: list[int]) -> None:
    _, words = tokens_of(sizes)
    tags = [place % 3 for place in range(len(sizes))]
    own, begun = align_tags(words, tags, None)
    assert [word for word in begun if word != NO_WORD] == sorted({*words})
    assert [tag for tag in own if tag != UNTAGGED] == [tags[word] for word in sorted({*words})]
    all_tagged, same = align_tags(words, tags, list_followers(CLASSES))
    assert same == begun
    assert all(
        tag == (tags[word] if first != NO_WORD else {0: 0, 1: 2, 2: 2}[tags[word]])
        for tag, word, first in zip(all_tagged, words, begun, strict=True)
    )


def encode(folder: Path, encoder: Path, words: list[list[str]], *, max_length: int, label: str = "first") -> pa.Table:
    columns = {
        "id": [f"{at}" for at in range(len(words))],
        "split": ["train"] * len(words),
        "words": pa.array(words, pa.list_(pa.string())),
        "tags": pa.array([[place % 3 for place, _ in enumerate(own)] for own in words], pa.list_(pa.int64())),
    }
    write_parquet(folder / "examples.parquet", describe(pa.table(columns), task="t", labels=CLASSES))
    params = {"task": "t", "max_length": max_length, "batch_texts": 2, "max_unknown_share": 1.0, "label": label}
    encoded = INPUTS.encode(TagTokenizeParams.model_validate(params), folder / "examples.parquet", encoder)
    return pa.Table.from_batches(encode_in_parts(encoded, open_work(folder, None)), encoded.schema)


WORDS = [["Maria", "unbelievably", "sings", "."], ["\u200d", "Oslo"], ["\u200d"], ["a"] * 9]


def make_byte_level(folder: Path) -> Path:
    """Write a tokenizer like RoBERTa's, which tells a word after a blank from one at the start of a text."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: at for at, token in enumerate(["<s>", "</s>", *alphabet, "si", "un"])}
    tokenizer = Tokenizer(models.BPE(vocabulary, [("s", "i"), ("u", "n")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    folder.mkdir()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize("make", [make_encoder, make_byte_level])
def test_ids_are_those_of_the_library_for_words(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    encoder = make(tmp_path / "encoder")
    table = encode(tmp_path, encoder, WORDS, max_length=64)
    (tmp_path / "saved").mkdir()
    save_tokenizer(encoder, tmp_path / "saved", max_length=64, for_words=True)
    stock: Any = AutoTokenizer.from_pretrained(tmp_path / "saved")
    for name, ids, begun in zip(*(table[key].to_pylist() for key in ("id", "input_ids", "words")), strict=True):
        expected = stock(WORDS[int(name)], is_split_into_words=True)
        assert ids == expected["input_ids"]
        firsts = [
            word if word is not None and word != before else NO_WORD
            for before, word in zip([None, *expected.word_ids()], expected.word_ids(), strict=False)
        ]
        assert begun == firsts


def test_a_long_sentence_has_several_rows(tmp_path: Path) -> None:
    encoder = make_encoder(tmp_path / "encoder")
    table = encode(tmp_path, encoder, [["a", "b", "c", "a", "b"]], max_length=4)
    assert table["id"].to_pylist() == ["0", "0", "0"]
    assert [[word for word in row if word >= 0] for row in table["words"].to_pylist()] == [[0, 1], [2, 3], [4]]
    assert table["truncated"].to_pylist() == [False] * 3
    assert "1 examples in 3 rows" in INPUTS.summarize(table)
