"""Tagging compared: Trainer, tuned, and ours, on the parts of speech of the gallery.

Both train the same encoder on the same sentences with the same recipe, each in its own process, taking
turns. `python -m benchmarks.tags` runs them where the profile `gallery` is laid over and its tokens are made;
`python -m benchmarks.tags parts-of-speech ARM SEED` runs a single one.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from transformers import (
    DataCollatorForTokenClassification,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from benchmarks.params import read_params
from benchmarks.table import publish
from benchmarks.turns import take_turns
from pipeline.core.format import markdown_table
from pipeline.core.tables import read_arrow
from pipeline.finetune.fit import prepare_training
from pipeline.kinds.token_classification.inputs import UNTAGGED
from pipeline.kinds.token_classification.learning import LEARNING, tagger_head
from pipeline.kinds.token_classification.objective import TagRows, rows_of_tags
from pipeline.kinds.token_classification.settings import TaggerParams
from pipeline.models.device import Device, choose_device
from pipeline.models.folder import build_model
from pipeline.models.inference import compute_token_logits
from pipeline.models.layers import freeze

TASK, ENCODER = "parts-of-speech", Path("data/raw/minilm")
TOKENS = Path(f"data/tokens/{TASK}.arrow")
SEEDS = (0, 1, 2)
SENTENCES = 2048  # of train, evenly spread over the file
ABOUT = {"c+": "Trainer, tuned: dynamic padding, by length, bf16 if it is faster, fused AdamW, our recipe", "d": "ours"}


def _measure_accuracy(model: PreTrainedModel, test: TagRows, device: Device) -> float:
    """Return the share of the words of the test split that have their tag, in fp32 and without dropout."""
    exact = device._replace(precision="fp32")
    best = compute_token_logits(model, test.tokens, exact, batch_tokens=8192, batch_size=256).argmax(-1).numpy()
    return float((best == test.tags)[test.words >= 0].mean())


def _read_train(table: pa.Table) -> TagRows:
    train = table.filter(pc.equal(table["split"], "train"))
    chosen = np.linspace(0, train.num_rows - 1, min(SENTENCES, train.num_rows)).astype(np.int64)
    return rows_of_tags(train.take(pa.array(chosen)).combine_chunks(), "train")


def _start(seed: int) -> tuple[PreTrainedModel, TagRows, TaggerParams]:
    table, params = read_arrow(TOKENS), read_params(TaggerParams, "finetune", TASK, seed=seed)
    model = build_model(ENCODER, tagger_head(table), dropout=params.dropout, seed=seed)
    return model, _read_train(table), params


def run_trainer_on_tags(seed: int, device: Device) -> tuple[PreTrainedModel, float]:
    """Return a model trained by the library's Trainer with all its usual options, and the seconds."""
    model, train, params = _start(seed)
    freeze(model, embeddings=params.freeze_embeddings, layers=params.freeze_layers)
    ends = train.tokens.offsets
    rows = [
        {"input_ids": train.tokens.values[start:end].tolist(), "labels": train.tags[start:end].tolist()}
        for start, end in pairwise(ends)
    ]
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(ENCODER / "tokenizer.json"), pad_token="[PAD]")  # noqa: S106
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, num_train_epochs=params.epochs, seed=seed, save_strategy="no", report_to=[],
            disable_tqdm=True, logging_strategy="no", use_cpu=device.device.type == "cpu",
            per_device_train_batch_size=params.batch_size, learning_rate=params.learning_rate,
            warmup_steps=params.warmup, weight_decay=params.weight_decay, bf16=device.precision == "bf16",
            optim="adamw_torch_fused", train_sampling_strategy="group_by_length", logging_nan_inf_filter=False,
            label_smoothing_factor=params.label_smoothing,
        )  # fmt: skip
        collator = DataCollatorForTokenClassification(tokenizer, label_pad_token_id=UNTAGGED)
        trainer = Trainer(model, arguments, train_dataset=rows, data_collator=collator)
        start_time = time.perf_counter()
        trainer.train()
        return model, time.perf_counter() - start_time


def run_ours_on_tags(seed: int, _device: Device) -> tuple[PreTrainedModel, float]:
    """Return a model trained as the stage does, and the seconds; the time of the evaluations is not counted."""
    model, train, params = _start(seed)
    held_out = rows_of_tags(read_arrow(TOKENS), "validation")
    with prepare_training(model, train, held_out, params, LEARNING) as (training, _):
        seconds = 0.0
        while not training.finished:
            start = time.perf_counter()
            training.advance()
            if not training.steps[training.done - 1].evaluate:
                seconds += time.perf_counter() - start
        training.result()
    return model, seconds * len(training.steps) / max(1, len(training.steps) - params.epochs * params.evaluations)


TAG_ARMS: dict[str, Callable[[int, Device], tuple[PreTrainedModel, float]]] = {
    "c+": run_trainer_on_tags,
    "d": run_ours_on_tags,
}


def run_tag_arm(arm: str, seed: int) -> dict[str, Any]:
    """Run one arm in this process and return its figures."""
    device = choose_device("auto")
    model, seconds = TAG_ARMS[arm](seed, device)
    table = read_arrow(TOKENS)
    train = _read_train(table).tokens
    accuracy = _measure_accuracy(model, rows_of_tags(table, "test"), device)
    return {
        "sentences": len(train.lengths) / seconds,
        "tokens": int(train.lengths.sum()) / seconds,
        "seconds": seconds,
        "processor": time.process_time(),
        "accuracy": accuracy,
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Run both arms; print and publish the table."""
    measured = take_turns("benchmarks.tags", TASK, TAG_ARMS, SEEDS)
    speed = {arm: statistics.median(run["sentences"] for run in runs) for arm, runs in measured.items()}
    rows = [
        (
            f"({arm}) {ABOUT[arm]}",
            f"{speed[arm]:.1f}",
            f"{statistics.median(run['tokens'] for run in runs):,.0f}",
            f"{np.mean([run['accuracy'] for run in runs]):.4f}",
            f"{speed['d'] / speed[arm]:.2f}",
        )
        for arm, runs in measured.items()
    ]
    header = ("arm", "sentences/s", "real tokens/s", "test accuracy", "ours / it")
    figures = {"d/c+": round(speed["d"] / speed["c+"], 2)}
    publish("tags", PAGE, markdown_table(header, rows, right=range(1, 5)), figures, ("torch", "transformers", "numpy"))


PAGE = """# Tagging compared

`make bench-kinds`: one epoch on 2,048 sentences of the parts of speech of the profile `gallery`, seeds 0, 1 and 2; the
arms take turns, each in its own process; medians, mean accuracies. Both freeze the embeddings and use no dropout.
Evaluations count in no arm's time."""


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(run_tag_arm(sys.argv[2], int(sys.argv[3]))))
    else:
        main()
