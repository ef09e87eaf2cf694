"""Preparation of a corpus: the tokens of its sentences, and what a split needs."""

from contextlib import nullcontext
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tokenizers import pre_tokenizers

from pipeline.core.errors import DataError
from pipeline.pretrain.prepare import prepare, read_corpora
from pipeline.pretrain.vocabulary import write_tokenizer
from tests.given.pretraining import TOKENIZERS, make_tokenizer, with_params, write_corpus


def corpora(documents: Path, work: Path, **changes: object):
    params = with_params(**changes)
    prepare(params, documents, work, work, "a test")
    return read_corpora(work)


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_sentences_are_read_with_a_blank_between_them(tmp_path, kind):
    """Of a byte-level tokenizer that puts no blank before a text, as RoBERTa's, and of the others."""
    documents = write_corpus(tmp_path / "corpus.parquet", 10)
    rows = pq.read_table(documents)["sentences"].to_pylist()
    tokenizer = make_tokenizer(kind, [*chain(*rows)], size=300)
    if kind == "bpe":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    base, params = tmp_path / "base", with_params(tokenizer="base")
    write_tokenizer(tokenizer, base, max_length=24, types=False)
    prepare(params, documents, base, tmp_path / "work", "a test")
    train, held_out = read_corpora(tmp_path / "work")
    for corpus, own in ((held_out, rows[::5]), (train, [row for place, row in enumerate(rows) if place % 5])):
        bounds = corpus.layout.sentences[corpus.layout.documents]
        for start, stop, sentences in zip(bounds, bounds[1:], own, strict=False):
            read = corpus.tokens[start:stop].tolist()
            assert read == tokenizer.encode(" ".join(sentences), add_special_tokens=False).ids
            assert corpus.vocabulary.begins[read[1:]].sum() >= 5 * len(sentences) - 1


def test_it_is_done_once_for_each_identity(tmp_path):
    documents, work, params = write_corpus(tmp_path / "corpus.parquet"), tmp_path / "work", with_params()
    written = work / "corpus.arrow"
    prepare(params, documents, tmp_path, work, "one")
    first = written.stat().st_mtime_ns
    prepare(params, documents, tmp_path, work, "one")
    assert written.stat().st_mtime_ns == first
    prepare(params, documents, tmp_path, work, "other")
    assert written.stat().st_mtime_ns > first


def test_a_sentence_and_a_document_without_tokens_are_left_out(tmp_path):
    documents = write_corpus(tmp_path / "corpus.parquet", 10)
    table = pq.read_table(documents)
    texts = [["", *row] if place else [" "] for place, row in enumerate(table["sentences"].to_pylist())]
    pq.write_table(table.set_column(3, "sentences", pa.array(texts, pa.list_(pa.string()))), documents)
    train, held_out = corpora(documents, tmp_path / "work")
    assert (len(train.ids), held_out.ids) == (8, ["0005"])
    assert set((train.layout.documents[1:] - train.layout.documents[:-1]).tolist()) == {5}


def test_documents_of_one_sentence_have_no_pairs(tmp_path):
    lone = write_corpus(tmp_path / "lone.parquet", sentences=1)
    with pytest.raises(DataError, match=r"`pair: sop` .* train: all 32 "):
        corpora(lone, tmp_path / "work", pair="sop")
    corpora(lone, tmp_path / "work")


@pytest.mark.parametrize(("documents", "split", "fix"), [(5, "held_out", "Raise"), (1, "train", "Lower")])
def test_a_split_of_one_document_has_no_random_second_sentence(tmp_path, documents, split, fix):
    few = write_corpus(tmp_path / "few.parquet", documents)
    if split == "train":
        table = pq.read_table(few)
        other = pa.array(["train", *["held_out"] * 3])
        pq.write_table(pa.concat_tables([table] * 4).set_column(2, "split", other), few)
    with pytest.raises(DataError, match=rf"`pair: nsp` .* 2 in {split}, found 1\. {fix} `corpus.held_out`"):
        corpora(few, tmp_path / "work", pair="nsp")
    corpora(few, tmp_path / "work", pair="sop")


def test_a_split_without_documents_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no document in train.*Lower `corpus\.held_out`"):
        corpora(write_corpus(tmp_path / "one.parquet", 1), tmp_path / "work")
    only = write_corpus(tmp_path / "two.parquet", 2)
    pq.write_table(pq.read_table(only).slice(1), only)
    with pytest.raises(DataError, match=r"no document in held_out.*Raise `corpus\.held_out`"):
        corpora(only, tmp_path / "other")


@pytest.mark.parametrize("split", ["train", "held_out"])
def test_texts_that_the_tokenizer_does_not_know_are_refused_before_the_training(tmp_path, split, capsys):
    """Every word of one split, of three of its words two, then one; all else is known."""
    documents, base = write_corpus(tmp_path / "corpus.parquet", 10), tmp_path / "base"
    table = pq.read_table(documents)
    known = [*chain(*table["sentences"].to_pylist())]
    write_tokenizer(make_tokenizer("wordpiece", known, size=300), base, max_length=24, types=False)
    params = with_params(tokenizer="base")
    for number, text in enumerate(("\u559c \u6b22", "\u559c alpha \u6b22", "alpha \u559c alpha")):
        texts = [
            [text] * 5 if own == split else sentences
            for own, sentences in zip(table["split"].to_pylist(), table["sentences"].to_pylist(), strict=True)
        ]
        changed = table.set_column(3, "sentences", pa.array(texts, pa.list_(pa.string())))
        pq.write_table(changed, tmp_path / f"{number}.parquet")
        work = tmp_path / f"work{number}"
        share = ("100.00%", "66.67%", "33.33%")[number]
        refusal = rf"50% .* in {split} .* {share}\..*`tokenizer: wordpiece`"
        with pytest.raises(DataError, match=refusal) if number < 2 else nullcontext():
            prepare(params, tmp_path / f"{number}.parquet", base, work, "a test")
        assert f"{split}: {share} " in capsys.readouterr().out
        assert (work / "prepared").exists() == (number == 2)
