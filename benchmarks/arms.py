"""The arms of the comparison: each trains a classifier on the same rows and returns its speed and its accuracy."""

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
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

from benchmarks.flops import wait_for
from pipeline.finetune.classification import Rows
from pipeline.finetune.fit import prepare_training
from pipeline.kinds.text_classification.learning import LEARNING
from pipeline.models.attention import FLAT
from pipeline.models.batches import Ragged
from pipeline.models.device import Device
from pipeline.models.folder import build_classifier
from pipeline.models.inference import compute_logits
from pipeline.models.layers import freeze
from pipeline.settings.shared.classes import ClassifierParams

TUTORIAL_STEPS, DEFAULT_STEPS = 3, 150
ABOUT = {
    "a": "a tutorial's loop: padded to 512, fp32, Adam, batch 16",
    "b": "Trainer, its defaults",
    "c": "Trainer, tuned: dynamic padding, by length, bf16, fused AdamW, the same attention",
    "c+": "the same with our recipe: no dropout, frozen embeddings, label smoothing",
    "d": "ours",
}


class Data(NamedTuple):
    """An encoder, the splits of a task, its classes and its parameters."""

    encoder: Path
    train: Rows
    validation: Rows
    test: Rows
    labels: tuple[str, ...]
    params: ClassifierParams


class Run(NamedTuple):
    """The result of one arm: its seconds, examples and tokens, and its test accuracy, None if it was not trained."""

    seconds: float
    examples: int
    tokens: int
    accuracy: float | None


def measure_accuracy(model: PreTrainedModel, test: Rows, device: Device) -> float:
    """Return the share of test rows that the model classifies correctly, in fp32 and without dropout."""
    exact = device._replace(precision="fp32")
    logits = compute_logits(model, test.tokens, exact, batch_tokens=8192, batch_size=256)
    return float((logits.argmax(-1).numpy() == test.labels).mean())


def count_run(seconds: float, lengths: np.ndarray, accuracy: float | None) -> Run:
    """Return a run over rows of these lengths."""
    return Run(seconds, len(lengths), int(lengths.sum()), accuracy)


def run_tutorial(data: Data, device: Device) -> Run:
    """Time a fixed number of the steps of a common tutorial; to train an epoch that way would take hours."""
    model = open_stock(data, device).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-5)
    order = np.random.default_rng(data.params.seed).permutation(len(data.train.labels))[: 16 * (TUTORIAL_STEPS + 1)]
    seconds = []
    for rows in order.reshape(-1, 16):
        ids = torch.zeros(16, 512, dtype=torch.int64)
        for place, row in enumerate(rows):
            values = data.train.tokens.values[data.train.tokens.offsets[row] : data.train.tokens.offsets[row + 1]]
            ids[place, : len(values)] = torch.from_numpy(values.astype(np.int64))
        wait_for(device.device)
        start = time.perf_counter()
        batch = {
            "input_ids": ids,
            "attention_mask": (ids != 0).long(),
            "labels": torch.from_numpy(data.train.labels[rows]),
        }
        loss = model(**{name: value.to(device.device) for name, value in batch.items()}).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        wait_for(device.device)
        seconds.append(time.perf_counter() - start)
    return count_run(sum(seconds[1:]), data.train.tokens.lengths[order[16:]], None)  # the first one warms up


def list_inputs(tokens: Ragged) -> Iterator[dict[str, list[int]]]:
    """Yield the inputs of each row as the library's collators take them: of a pair with the text of each token."""
    columns = {"input_ids": tokens.values, "token_type_ids": tokens.types}
    for start, stop in itertools.pairwise(tokens.offsets):
        yield {name: values[start:stop].tolist() for name, values in columns.items() if values is not None}


def run_trainer(
    data: Data, device: Device, *, recipe: bool = False, attention: str | None = None, **options: Any
) -> Run:
    """Train by the library's Trainer for the epochs of the task; everything not in `options` has its default."""
    model = open_stock(data, device, attention=attention)
    if recipe:
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        freeze(model, embeddings=data.params.freeze_embeddings, layers=data.params.freeze_layers)
        options["label_smoothing_factor"] = data.params.label_smoothing
    rows = [
        {**inputs, "labels": int(label)}
        for inputs, label in zip(list_inputs(data.train.tokens), data.train.labels, strict=True)
    ]
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder, num_train_epochs=data.params.epochs, seed=data.params.seed, save_strategy="no",
            report_to=[], disable_tqdm=True, logging_strategy="no", use_cpu=device.device.type == "cpu", **options,
        )  # fmt: skip
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(data.encoder / "tokenizer.json"), pad_token="[PAD]")  # noqa: S106
        trainer = Trainer(model, arguments, train_dataset=rows, data_collator=DataCollatorWithPadding(tokenizer))
        wait_for(device.device)
        start = time.perf_counter()
        trainer.train()
        wait_for(device.device)
        seconds = time.perf_counter() - start
    lengths = np.tile(data.train.tokens.lengths, data.params.epochs)
    if "max_steps" not in options:
        return count_run(seconds, lengths, measure_accuracy(model, data.test, device))
    drawn = options["max_steps"] * arguments.train_batch_size  # at random, so of average length
    return count_run(seconds, np.resize(np.sort(lengths)[:: max(1, len(lengths) // drawn)], drawn), None)


def run_defaults(data: Data, device: Device) -> Run:
    """Time a fixed number of steps of Trainer with its defaults."""
    return run_trainer(data, device, max_steps=DEFAULT_STEPS)


def run_tuned(data: Data, device: Device, *, recipe: bool = False) -> Run:
    """Train by Trainer with all its usual options."""
    params = data.params
    return run_trainer(
        data, device, recipe=recipe, attention=choose_stock_attention(data),
        per_device_train_batch_size=params.batch_size, learning_rate=params.learning_rate,
        warmup_steps=params.warmup, weight_decay=params.weight_decay, bf16=device.precision == "bf16",
        optim="adamw_torch_fused", train_sampling_strategy="group_by_length", logging_nan_inf_filter=False,
    )  # fmt: skip


def choose_stock_attention(data: Data) -> str:
    """Return the attention that ours chooses here, or the library's own choice if it does not have that one."""
    model = build_classifier(data.encoder, data.labels, dropout=data.params.dropout, seed=data.params.seed)
    with prepare_training(model, data.train, data.validation, data.params, LEARNING) as (_, choice):
        if choice.attention != FLAT:
            return choice.attention
    return "sdpa" if torch.cuda.is_available() else "eager"


def run_ours(data: Data, device: Device) -> Run:
    """Train as the stage does, weights selected on validation; the time of the evaluations is not counted."""
    params = data.params
    model = build_classifier(data.encoder, data.labels, dropout=params.dropout, seed=params.seed)
    with prepare_training(model, data.train, data.validation, params, LEARNING) as (training, _):
        seconds, rows = 0.0, []
        while not training.finished:
            start = time.perf_counter()
            training.advance()
            wait_for(device.device)
            step = training.steps[training.done - 1]
            if not step.evaluate:
                seconds += time.perf_counter() - start
                rows.append(step.rows)
        training.result()
    accuracy = measure_accuracy(model, data.test, device)
    return count_run(seconds, data.train.tokens.lengths[np.concatenate(rows)], accuracy)


def open_stock(data: Data, device: Device, *, attention: str | None = None) -> PreTrainedModel:
    """Return the library's classifier on the encoder, without changes."""
    torch.manual_seed(data.params.seed)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        data.encoder, num_labels=len(data.labels), attn_implementation=attention
    )
    return model.to(device.device)


ARMS: dict[str, Callable[[Data, Device], Run]] = {
    "a": run_tutorial,
    "b": run_defaults,
    "c": run_tuned,
    "c+": lambda data, device: run_tuned(data, device, recipe=True),
    "d": run_ours,
}
