"""What several tests of pretraining need: params, a tiny corpus with something to learn, encoders of each family."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import torch

from pipeline.models.device import Device
from pipeline.pretrain.batches import Corpus
from pipeline.pretrain.families import new_encoder
from pipeline.pretrain.masking import Words
from pipeline.pretrain.pairs import Layout
from pipeline.settings.pretrain import PretrainParams
from pipeline.stages.corpus import SCHEMA

DEVICE = Device(torch.device("cpu"), "fp32", "a test")
PARAMS = PretrainParams(
    encoder="e", base="raw/tiny", start="scratch", family="bert", hidden_size=16, layers=2, heads=2,
    intermediate_size=32, embedding_size=8, generator=2, found_weight=50.0, tokenizer="wordpiece", vocabulary=200,
    lowercase=True, max_length=24, pair="none", short=0.1, unit="token", share=0.15, masked=0.8, random=0.1, steps=6,
    batch_tokens=128, accumulate=1, learning_rate=5e-3, schedule="linear", warmup=0.1, weight_decay=0.01,
    max_grad_norm=1.0, dropout=0.0, evaluations=2, patience=100, precision="fp32", attention="eager", threads=1, seed=0,
)  # fmt: skip
SPECIAL = {"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, "cls_token_id": 2, "sep_token_id": 3}
WORDS = Words(4, np.arange(5), np.arange(5, 60), np.arange(60) % 4 != 0)
FAMILIES = ("bert", "albert", "roberta", "distilbert", "electra", "modernbert")


def with_params(**changes: object) -> PretrainParams:
    return PARAMS.model_copy(update=changes)


def corpus(documents: int = 12, *, seed: int = 0, sentences: int = 6, told: bool = False) -> Corpus:
    """Documents whose sentences count up from a number of their own, so that words can be told.

    With `told`, each place of a sentence, in every second document, has words of its own: so can order and document.
    """
    rng = np.random.default_rng(seed)
    made = []
    for _ in range(documents):
        start = int(rng.integers(5, 40))
        lengths = rng.integers(3, 8, sentences)
        if told:
            band = [5 + 6 * (2 * (place % 4) + len(made) % 2) for place in range(sentences)]
            made.append([first + rng.integers(0, 6, size) for first, size in zip(band, lengths, strict=True)])
            continue
        made.append(np.split(5 + (start + np.arange(lengths.sum())) % 55, np.cumsum(lengths)[:-1]))
    counts = [len(sentence) for document in made for sentence in document]
    layout = Layout(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), np.arange(documents + 1, dtype=np.int64) * sentences
    )
    tokens = np.concatenate([sentence for document in made for sentence in document]).astype(np.int32)
    return Corpus(tokens, layout, [f"d{index}" for index in range(documents)], WORDS, 2, 3, {})


def encoder(params: PretrainParams):
    return new_encoder(params, SPECIAL, vocabulary=60)


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
    pa.parquet.write_table(pa.Table.from_pylist(rows, SCHEMA), path)
    return path
