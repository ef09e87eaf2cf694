"""Pretraining in small: params, a tiny corpus with something to learn, encoders of each family, tokenizers."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from pipeline.models.device import Device
from pipeline.pretrain.batches import Corpus
from pipeline.pretrain.corpus import CORPUS_SCHEMA
from pipeline.pretrain.families import build_encoder
from pipeline.pretrain.pairs import CorpusLayout
from pipeline.pretrain.vocabulary import FIRST, LAST, SPECIAL, UNKNOWN, Vocabulary, learn_tokenizer
from pipeline.settings.pretrain import PretrainParams

DEVICE = Device(torch.device("cpu"), "fp32", "a test")
PARAMS = PretrainParams(
    encoder="e", base="raw/tiny", start="scratch", family="bert", hidden_size=16, layers=2, heads=2,
    intermediate_size=32, embedding_size=8, tokenizer="wordpiece", vocabulary=200, lowercase=True, max_length=24,
    pair="none", short=0.1, unit="token", share=0.15, masked=0.8, random=0.1, steps=6, batch_tokens=128, accumulate=1,
    learning_rate=5e-3, schedule="linear", warmup=0.1, weight_decay=0.01, max_grad_norm=1.0, dropout=0.0,
    evaluations=2, patience=100, precision="fp32", attention="eager", threads=1, seed=0,
)  # fmt: skip
VOCABULARY = Vocabulary(
    mask=4, pad=0, first=2, last=3, special=np.arange(5), ordinary=np.arange(5, 60), begins=np.arange(60) % 4 != 0
)
FAMILIES = ("bert", "albert", "roberta", "distilbert", "modernbert")
TOKENIZERS = ("wordpiece", "bpe", "unigram")  # those of encoders that a pretraining may continue


def with_params(**changes: object) -> PretrainParams:
    return PARAMS.model_copy(update=changes)


def corpus(documents: int = 12, *, seed: int = 0, sentences: int = 6, ordered: bool = False) -> Corpus:
    """Documents whose sentences count up from a number of their own, so that hidden words can be predicted.

    With `ordered`, each place of a sentence, in every second document, has words of its own: so the order of sentences
    and the document of each can be predicted too.
    """
    rng = np.random.default_rng(seed)
    texts: list[list[np.ndarray]] = []
    for number in range(documents):
        start = int(rng.integers(5, 40))
        lengths = rng.integers(3, 8, sentences)
        if ordered:
            bands = [5 + 6 * (2 * (place % 4) + number % 2) for place in range(sentences)]
            texts.append([first + rng.integers(0, 6, size) for first, size in zip(bands, lengths, strict=True)])
        else:
            texts.append(np.split(5 + (start + np.arange(lengths.sum())) % 55, np.cumsum(lengths)[:-1]))
    counts = [len(sentence) for document in texts for sentence in document]
    layout = CorpusLayout(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), np.arange(documents + 1, dtype=np.int64) * sentences
    )
    tokens = np.concatenate([sentence for document in texts for sentence in document]).astype(np.int32)
    return Corpus(tokens, layout, [f"d{index}" for index in range(documents)], VOCABULARY, {})


def encoder(params: PretrainParams):
    return build_encoder(params, VOCABULARY)


def make_tokenizer(kind: str, texts: Sequence[str], *, size: int) -> Tokenizer:
    """Return a tokenizer of one of `TOKENIZERS`, lower-case, with BERT's special tokens."""
    if kind == "wordpiece":
        return learn_tokenizer(lambda: texts, size=size, lowercase=True)
    model, words, trainer = {
        "bpe": (models.BPE(unk_token=UNKNOWN), pre_tokenizers.ByteLevel(add_prefix_space=True), trainers.BpeTrainer),
        "unigram": (models.Unigram(), pre_tokenizers.Metaspace(), trainers.UnigramTrainer),
    }[kind]
    tokenizer = Tokenizer(model)
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizers.Lowercase(), words
    alphabet = pre_tokenizers.ByteLevel.alphabet() if kind == "bpe" else []
    options = {"vocab_size": size, "special_tokens": list(SPECIAL), "unk_token": UNKNOWN, "show_progress": False}
    if kind == "bpe":
        del options["unk_token"]
    tokenizer.train_from_iterator(texts, trainer(**options, initial_alphabet=sorted(alphabet)))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{FIRST} $A {LAST}", special_tokens=[(name, tokenizer.token_to_id(name)) for name in (FIRST, LAST)]
    )
    return tokenizer


def write_corpus(path: Path, documents: int = 40, *, sentences: int = 5) -> Path:
    """Write what the stage corpus does, of words that follow each other."""
    names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa", "lambda", "mu"]
    rows = [
        {
            "id": f"{index:04d}",
            "source": "s",
            "split": "held_out" if index % 5 == 0 else "train",
            "sentences": [
                " ".join(names[(index + line + word) % len(names)] for word in range(5)) for line in range(sentences)
            ],
        }
        for index in range(documents)
    ]
    pa.parquet.write_table(pa.Table.from_pylist(rows, CORPUS_SCHEMA), path)
    return path
