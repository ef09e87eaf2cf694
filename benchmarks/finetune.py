"""Fine-tuning side by side: the loop of the tutorials, Trainer as it comes, Trainer tuned, ours.

All arms train the same encoder on the same reviews for the same number of epochs and are measured on the same test
rows, each in a process of its own, in turns, on one machine. `python -m benchmarks.finetune` runs them after `dvc
repro`, and `python -m benchmarks.finetune ARM SEED` one of them alone.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    DataCollatorWithPadding,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
)

from benchmarks.flops import Shape, needed, peak, whole
from benchmarks.table import publish, table
from pipeline.device import Device, choose
from pipeline.files import read_json
from pipeline.inference import logits
from pipeline.learning import Rows
from pipeline.loading import new_classifier
from pipeline.models import freeze, only_what_the_head_reads
from pipeline.params import FinetuneParams
from pipeline.probe import measured, using
from pipeline.stages.finetune import rows_of
from pipeline.tables import labels_of, read_arrow
from pipeline.training import Training

TASK, ENCODER = "reviews", Path("data/raw/minilm")
SEEDS = (0, 1, 2)
TUTORIAL_STEPS = 3
ARMS = {
    "a": "a tutorial's loop: padded to 512, fp32, Adam, batch 16",
    "b": "Trainer, its defaults",
    "c": "Trainer, tuned: dynamic padding, by length, bf16, fused AdamW, the same attention",
    "c+": "the same with the recipe of ours: no dropout, frozen embeddings, label smoothing",
    "d": "ours",
}


class Data(NamedTuple):
    """The splits, the classes and the parameters of the task."""

    train: Rows
    validation: Rows
    test: Rows
    labels: tuple[str, ...]
    params: FinetuneParams


class Run(NamedTuple):
    """What one arm did: seconds for so many examples and tokens, and the accuracy on test, None where not trained."""

    seconds: float
    examples: int
    tokens: int
    lengths_squared: float
    accuracy: float | None


def data(seed: int) -> Data:
    """Return the reviews as `dvc repro` tokenised them."""
    rows = read_arrow(Path(f"data/tokens/{TASK}.arrow"))
    params = FinetuneParams(**{**read_json(Path("data/params.json"))["finetune"][TASK], "seed": seed})
    return Data(rows_of(rows, "train"), rows_of(rows, "validation"), rows_of(rows, "test"), labels_of(rows), params)


def accuracy(model: PreTrainedModel, test: Rows, device: Device) -> float:
    """Return the share of test rows that the model gets right, in fp32 and without dropout."""
    found = logits(model, test.tokens, device._replace(precision="fp32"), batch_tokens=8192, batch_size=256)
    return float((found.argmax(-1).numpy() == test.labels).mean())


def counted(seconds: float, lengths: np.ndarray, found: float | None) -> Run:
    """Return a run over rows of these lengths."""
    return Run(seconds, len(lengths), int(lengths.sum()), float((lengths.astype(np.float64) ** 2).sum()), found)


def tutorial(given: Data, device: Device) -> Run:
    """Time a fixed number of the steps that a common tutorial makes; to train an epoch so would take hours."""
    model = stock(given, device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-5)
    order = np.random.default_rng(given.params.seed).permutation(len(given.train.labels))[: 16 * (TUTORIAL_STEPS + 1)]
    seconds = []
    for rows in order.reshape(-1, 16):
        ids = torch.zeros(16, 512, dtype=torch.int64)
        for place, row in enumerate(rows):
            values = given.train.tokens.values[given.train.tokens.offsets[row] : given.train.tokens.offsets[row + 1]]
            ids[place, : len(values)] = torch.from_numpy(values.astype(np.int64))
        start = time.perf_counter()
        batch = {
            "input_ids": ids,
            "attention_mask": (ids != 0).long(),
            "labels": torch.from_numpy(given.train.labels[rows]),
        }
        loss = model(**{name: value.to(device.device) for name, value in batch.items()}).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        loss.item()
        seconds.append(time.perf_counter() - start)
    return counted(sum(seconds[1:]), given.train.tokens.lengths[order[16:]], None)  # the first one warms up


def trainer(given: Data, device: Device, *, recipe: bool = False, **options: Any) -> Run:
    """Train by the library's Trainer for the epochs of the task; what is not among `options` is as it comes."""
    model = stock(given, device, attention="eager" if options else None)
    if recipe:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        freeze(model, embeddings=given.params.freeze_embeddings, layers=given.params.freeze_layers)
        options["label_smoothing_factor"] = given.params.label_smoothing
    values, offsets = given.train.tokens.values, given.train.tokens.offsets
    rows = [
        {"input_ids": values[start:stop].tolist(), "labels": int(label)}
        for start, stop, label in zip(offsets, offsets[1:], given.train.labels, strict=False)
    ]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, num_train_epochs=given.params.epochs, seed=given.params.seed, save_strategy="no",
            report_to=[], disable_tqdm=True, logging_strategy="no", use_cpu=device.device.type == "cpu", **options,
        )  # fmt: skip
        tokenizer = AutoTokenizer.from_pretrained(ENCODER)
        made = Trainer(model, arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer))
        seconds = made.train().metrics["train_runtime"]
    lengths = np.tile(given.train.tokens.lengths, given.params.epochs)
    return counted(seconds, lengths, accuracy(model, given.test, device))


def tuned(given: Data, device: Device, *, recipe: bool = False) -> Run:
    """Train by Trainer with all its usual options."""
    params = given.params
    return trainer(
        given, device, recipe=recipe, per_device_train_batch_size=params.batch_size, learning_rate=params.learning_rate,
        warmup_steps=params.warmup, weight_decay=params.weight_decay, bf16=device.precision == "bf16",
        optim="adamw_torch_fused", train_sampling_strategy="group_by_length", logging_nan_inf_filter=False,
    )  # fmt: skip


def ours(given: Data, device: Device) -> Run:
    """Train as the stage does, weights chosen on validation; the time of the evaluations is not counted."""
    params = given.params
    model = new_classifier(ENCODER, given.labels, dropout=params.dropout, seed=params.seed)
    freeze(model, embeddings=params.freeze_embeddings, layers=params.freeze_layers)
    with only_what_the_head_reads(model):
        choice = measured(model, given.train, params)
        with using(model, choice.attention):
            training = Training(model, given.train, given.validation, params, device)
            seconds, rows = 0.0, []
            while not training.finished:
                start = time.perf_counter()
                training.advance()
                step = training.steps[training.done - 1]
                if not step.evaluate:
                    seconds += time.perf_counter() - start
                    rows.append(step.rows)
            training.result()
    return counted(seconds, given.train.tokens.lengths[np.concatenate(rows)], accuracy(model, given.test, device))


def stock(given: Data, device: Device, *, attention: str | None = None) -> PreTrainedModel:
    """Return the library's classifier on the encoder, as it comes."""
    torch.manual_seed(given.params.seed)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        ENCODER, num_labels=len(given.labels), attn_implementation=attention
    )
    return model.to(device.device)


RUNS: dict[str, Callable[[Data, Device], Run]] = {
    "a": tutorial,
    "b": trainer,
    "c": tuned,
    "c+": lambda given, device: tuned(given, device, recipe=True),
    "d": ours,
}


def alone(arm: str, seed: int) -> None:
    """Run one arm in this process and print what it did as one JSON object."""
    given, device = data(seed), choose("auto")
    peaks = {name: peak(dtype, device.device) for name, dtype in (("bf16", torch.bfloat16), ("fp32", torch.float32))}
    found = RUNS[arm](given, device)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device.device.type == "cuda":
        memory = torch.cuda.max_memory_allocated()
    print(json.dumps({**found._asdict(), "peaks": peaks, "precision": device.precision, "memory": memory}))


def turns() -> dict[str, list[dict[str, Any]]]:
    """Return what each arm did for each seed; the arms take turns, each in a process of its own."""
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in SEEDS:
        for arm in ARMS:
            command = [sys.executable, "-m", "benchmarks.finetune", arm, str(seed)]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            found[arm].append(json.loads(answer.splitlines()[-1]))
            done = found[arm][-1]
            print(
                f"{arm} seed {seed}: {done['examples'] / done['seconds']:.1f} examples/s, {done['accuracy']}",
                flush=True,
            )
    return found


def main() -> None:
    """Run all arms, print the table and write it down."""
    found = turns()
    config = read_json(ENCODER / "config.json")
    shape = Shape(config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"])
    train = data(0).train.tokens.lengths
    saved = needed(train, shape) / whole(train, shape)
    speed = {arm: statistics.median(run["examples"] / run["seconds"] for run in runs) for arm, runs in found.items()}
    rows, shares = [], {}
    for arm, runs in found.items():
        tokens = statistics.median(run["tokens"] / run["seconds"] for run in runs)
        # Operations a second on real tokens, as this arm makes them, of the fastest product in the same process.
        made = (saved if arm == "d" else 1.0) * whole(train, shape) / train.sum()
        shares[arm] = statistics.median(made * run["tokens"] / run["seconds"] / run["peaks"]["bf16"] for run in runs)
        correct = [run["accuracy"] for run in runs if run["accuracy"] is not None]
        shown = (
            f"{statistics.mean(correct):.3f} ({min(correct):.3f} to {max(correct):.3f})" if correct else "not trained"
        )
        memory = f"{max(run['memory'] for run in runs) / 1e9:.2f}"
        ratio = f"{speed['d'] / speed[arm]:.1f}"
        rows.append(
            (f"({arm}) {ARMS[arm]}", f"{speed[arm]:.1f}", f"{tokens:,.0f}", f"{shares[arm]:.0%}", memory, shown, ratio)
        )
    figures = {f"d/{arm}": round(speed["d"] / speed[arm], 2) for arm in ("a", "b", "c", "c+")}
    header = ("arm", "examples/s", "real tokens/s", "of bf16 peak", "memory, GB", "test accuracy (range)", "ours / it")
    publish(
        "finetune", ABOUT, table(header, rows), {**figures, "share_of_peak": round(shares["d"], 3)},
        ("torch", "transformers", "numpy"),
    )  # fmt: skip


ABOUT = """# Fine-tuning, side by side

`make bench-finetune`: the reviews, all-MiniLM-L6-v2, the epochs of `params.yaml`, seeds 0, 1 and 2; the arms take
turns, each in a process of its own; medians. The share of the peak counts the operations that an arm makes on tokens
that are no padding (ours makes fewer: the last layer computes what the head reads, and nothing is handed down to
frozen embeddings) and holds them against the fastest bf16 product of two 2048 x 2048 matrices in the same process. The
tutorial's loop is timed over three steps."""


if __name__ == "__main__":
    if len(sys.argv) == 3:
        alone(sys.argv[1], int(sys.argv[2]))
    else:
        main()
