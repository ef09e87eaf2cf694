"""The arms of the comparison: each trains a classifier on the same rows and says how fast, and how good it became."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import (
    AutoModelForSequenceClassification,
    DataCollatorWithPadding,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainingArguments,
)

from benchmarks.flops import finish
from pipeline.finetune.classification import CLASSES, Rows
from pipeline.models.attention import FLAT
from pipeline.models.compute import using
from pipeline.models.device import Device
from pipeline.models.folder import new_classifier
from pipeline.models.inference import logits
from pipeline.models.layers import freeze, only_what_the_head_reads
from pipeline.settings.task import FinetuneParams
from pipeline.train.choice import for_training
from pipeline.train.training import Training

TUTORIAL_STEPS, DEFAULT_STEPS = 3, 150
ABOUT = {
    "a": "a tutorial's loop: padded to 512, fp32, Adam, batch 16",
    "b": "Trainer, its defaults",
    "c": "Trainer, tuned: dynamic padding, by length, bf16, fused AdamW, the same attention",
    "c+": "the same with the recipe of ours: no dropout, frozen embeddings, label smoothing",
    "d": "ours",
}


class Data(NamedTuple):
    """An encoder, the splits of a task, its classes and its parameters."""

    encoder: Path
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
        finish(device.device)
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
        finish(device.device)
        seconds.append(time.perf_counter() - start)
    return counted(sum(seconds[1:]), given.train.tokens.lengths[order[16:]], None)  # the first one warms up


def trainer(given: Data, device: Device, *, recipe: bool = False, attention: str | None = None, **options: Any) -> Run:
    """Train by the library's Trainer for the epochs of the task; what is not among `options` is as it comes."""
    model = stock(given, device, attention=attention)
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
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(given.encoder / "tokenizer.json"), pad_token="[PAD]")  # noqa: S106
        made = Trainer(model, arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer))
        finish(device.device)
        start = time.perf_counter()
        made.train()
        finish(device.device)
        seconds = time.perf_counter() - start
    lengths = np.tile(given.train.tokens.lengths, given.params.epochs)
    if "max_steps" not in options:
        return counted(seconds, lengths, accuracy(model, given.test, device))
    drawn = options["max_steps"] * arguments.train_batch_size  # at random, so of the average length
    return counted(seconds, np.resize(np.sort(lengths)[:: max(1, len(lengths) // drawn)], drawn), None)


def defaults(given: Data, device: Device) -> Run:
    """Time a fixed number of the steps of Trainer as it comes."""
    return trainer(given, device, max_steps=DEFAULT_STEPS)


def tuned(given: Data, device: Device, *, recipe: bool = False) -> Run:
    """Train by Trainer with all its usual options."""
    params = given.params
    return trainer(
        given, device, recipe=recipe, attention=of_the_library(given), per_device_train_batch_size=params.batch_size,
        learning_rate=params.learning_rate,
        warmup_steps=params.warmup, weight_decay=params.weight_decay, bf16=device.precision == "bf16",
        optim="adamw_torch_fused", train_sampling_strategy="group_by_length", logging_nan_inf_filter=False,
    )  # fmt: skip


def of_the_library(given: Data) -> str:
    """Return the attention that ours chooses here, or what the library would take where it has no such kind."""
    model = new_classifier(given.encoder, given.labels, dropout=given.params.dropout, seed=given.params.seed)
    freeze(model, embeddings=given.params.freeze_embeddings, layers=given.params.freeze_layers)
    with only_what_the_head_reads(model):
        found = for_training(model, given.train, given.params, CLASSES).attention
    if found != FLAT:
        return found
    return "sdpa" if torch.cuda.is_available() else "eager"


def ours(given: Data, device: Device) -> Run:
    """Train as the stage does, weights chosen on validation; the time of the evaluations is not counted."""
    params = given.params
    model = new_classifier(given.encoder, given.labels, dropout=params.dropout, seed=params.seed)
    freeze(model, embeddings=params.freeze_embeddings, layers=params.freeze_layers)
    with only_what_the_head_reads(model):
        choice = for_training(model, given.train, params, CLASSES)
        with using(model, choice.attention):
            training = Training(model, given.train, given.validation, params, device, CLASSES)
            seconds, rows = 0.0, []
            while not training.finished:
                start = time.perf_counter()
                training.advance()
                finish(device.device)
                step = training.steps[training.done - 1]
                if not step.evaluate:
                    seconds += time.perf_counter() - start
                    rows.append(step.rows)
            training.result()
    found = accuracy(model, given.test, device)
    return counted(seconds, given.train.tokens.lengths[np.concatenate(rows)], found)


def stock(given: Data, device: Device, *, attention: str | None = None) -> PreTrainedModel:
    """Return the library's classifier on the encoder, as it comes."""
    torch.manual_seed(given.params.seed)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        given.encoder, num_labels=len(given.labels), attn_implementation=attention
    )
    return model.to(device.device)


ARMS: dict[str, Callable[[Data, Device], Run]] = {
    "a": tutorial,
    "b": defaults,
    "c": tuned,
    "c+": lambda given, device: tuned(given, device, recipe=True),
    "d": ours,
}
