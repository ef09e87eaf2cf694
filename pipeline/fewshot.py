"""A model with an encoder out of few labels: fine-tuned, or a linear model on what the frozen encoder gives."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from transformers import PreTrainedModel

from pipeline.arms import Probe, StudyParams
from pipeline.baselines import logistic
from pipeline.batches import Indices, plan, ragged
from pipeline.cell import NO_TRAINING, Budget, Effort, Texts
from pipeline.device import Device, choose
from pipeline.inference import BATCH_SIZE, BATCH_TOKENS, collate, logits
from pipeline.learning import Rows
from pipeline.loading import new_classifier, random_classifier
from pipeline.metrics import Floats, Ints
from pipeline.models import freeze, only_what_the_head_reads, require_fit
from pipeline.params import FinetuneParams
from pipeline.probe import measured, using
from pipeline.tokenizer import encode, load_tokenizer
from pipeline.training import Training


def finetuned(params: StudyParams, how: FinetuneParams, start: Path, given: Budget) -> tuple[Ints, Effort]:
    """Return the classes that the fine-tuned encoder gives the test rows, (N,), and what its training took."""
    load = random_classifier if params.initial == "random" else new_classifier
    model = load(start, given.labels, dropout=how.dropout, seed=params.seed)
    train, validation, test = encoded(start, given, max_length=params.max_length)
    for rows in (train, validation, test):
        require_fit(rows.tokens, model)
    freeze(model, embeddings=how.freeze_embeddings, layers=how.freeze_layers)
    passes = epochs(how, len(train.ids), min_steps=params.min_steps)
    how = how.model_copy(update={"epochs": passes})
    with only_what_the_head_reads(model):
        choice = measured(model, train, how)
        device = choose(choice.precision)
        with using(model, choice.attention):
            training = Training(model, train, validation, how, device)
            while not training.finished:
                training.advance()
            done, trained = training.done, training.result()
            found = logits(model, test.tokens, device, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE)
    tokens = sum(int(train.tokens.lengths[step.rows].sum()) for step in training.steps[:done])
    best = f"best after step {trained.best.step}, accuracy on validation {trained.best.accuracy:.4f}"
    print(f"{done} steps in {passes} epochs; {best}", flush=True)
    return found.argmax(dim=-1).numpy(), Effort(done, tokens)


def probed(params: StudyParams, how: Probe, start: Path, given: Budget) -> tuple[Ints, Effort]:
    """Return the classes that logistic regression on the frozen encoder's features gives the test rows, (N,)."""
    model = new_classifier(start, given.labels, dropout=0.0, seed=params.seed)
    parts = encoded(start, given, max_length=params.max_length)
    for rows in parts:
        require_fit(rows.tokens, model)
    train, validation, test = (features(model, rows, choose("fp32")) for rows in parts)
    centre, scale = train.mean(axis=0), train.std(axis=0).clip(min=1e-6)
    train, validation, test = ((part - centre) / scale for part in (train, validation, test))
    found = logistic(
        how.strengths,
        how.max_iter,
        train=(train, given.train.classes),
        validation=(validation, given.validation.classes),
        features=test,
        classes=len(given.labels),
    )
    return found.argmax(axis=1), NO_TRAINING


def epochs(how: FinetuneParams, rows: int, *, min_steps: int) -> int:
    """Return how many passes over so many rows make `min_steps` updates at least, and `how.epochs` passes at least."""
    updates = math.ceil(rows / how.batch_size / how.accumulate)
    return max(how.epochs, math.ceil(min_steps / updates))


def encoded(start: Path, given: Budget, *, max_length: int) -> tuple[Rows, Rows, Rows]:
    """Return train, validation and test as the token ids of the start's own tokenizer."""
    tokenizer = load_tokenizer(start, max_length=max_length)

    def rows(part: Texts) -> Rows:
        batch = pa.record_batch([pa.array(part.texts, pa.string())], ["text"])
        ((_, ids, _),) = encode(tokenizer, [batch], max_length=max_length)
        return Rows(ragged(ids), part.classes, tuple(part.ids))

    return rows(given.train), rows(given.validation), rows(given.test)


def features(model: PreTrainedModel, rows: Rows, device: Device) -> Floats:
    """Return the mean of the encoder's last hidden states over the tokens of each row, (N, H) float64."""
    model.to(device.device).eval()  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    found: list[tuple[Indices, Floats]] = []
    with torch.inference_mode():
        for places in plan(rows.tokens.lengths, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE, rng=None):
            inputs = collate(model, rows.tokens, places, device)
            hidden = model.base_model(**inputs).last_hidden_state
            mask = inputs["attention_mask"]
            weights = torch.ones(hidden.shape[:2], device=hidden.device) if mask is None else mask.float()
            mean = (hidden * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)
            found.append((places, mean.double().cpu().numpy()))
    order = np.concatenate([places for places, _ in found])
    return np.asarray(np.concatenate([values for _, values in found])[np.argsort(order)])
