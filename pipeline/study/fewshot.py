"""A model with an encoder out of few labels: fine-tuned, or a linear model on what the frozen encoder gives."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
from transformers import PreTrainedModel

from pipeline.evaluate.baselines import probe
from pipeline.evaluate.metrics import Ints
from pipeline.finetune.classification import CLASSES, Rows
from pipeline.finetune.lora import low_rank
from pipeline.models.batches import ragged
from pipeline.models.compute import using
from pipeline.models.device import choose, computing_with, threads
from pipeline.models.features import require_finite, require_layer, vectors
from pipeline.models.folder import load_encoder, new_classifier, random_classifier
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, logits
from pipeline.models.layers import freeze, only_what_the_head_reads, positions, require_fit
from pipeline.models.tokenizer import encode, load_tokenizer
from pipeline.settings.study import StudyParams
from pipeline.settings.task import ExtractParams, FinetuneParams, ProbeParams
from pipeline.study.budget import Budget, Texts
from pipeline.study.cell import Effort
from pipeline.train.choice import for_training
from pipeline.train.training import Training


def finetuned(params: StudyParams, how: FinetuneParams, start: Path, given: Budget) -> tuple[Ints, Effort]:
    """Return the classes that the fine-tuned encoder gives the test rows, (N,), and what its training took."""
    load = random_classifier if params.initial == "random" else new_classifier
    model = load(start, given.labels, dropout=how.dropout, seed=params.seed)
    train, validation, test = encoded(start, given, max_length=longest(model, params))
    for rows in (train, validation, test):
        require_fit(rows.tokens, model)
    freeze(model, embeddings=how.freeze_embeddings, layers=how.freeze_layers)
    passes = epochs(how, len(train.ids), min_steps=params.min_steps)
    how = how.model_copy(update={"epochs": passes})
    with low_rank(model, how.lora, seed=how.seed), only_what_the_head_reads(model):
        choice = for_training(model, train, how, CLASSES)
        device = choose(choice.precision)
        with using(model, choice.attention):
            training = Training(model, train, validation, how, device, CLASSES)
            while not training.finished:
                training.advance()
            done, trained = training.done, training.result()
            found = logits(model, test.tokens, device, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE)
    tokens = sum(int(train.tokens.lengths[step.rows].sum()) for step in training.steps[:done])
    best = f"best after step {trained.best.step}, accuracy on validation {trained.best.accuracy:.4f}"
    print(f"{done} steps in {passes} epochs; {best}", flush=True)
    return found.argmax(dim=-1).numpy(), Effort(done, tokens)


def probed(params: StudyParams, extract: ExtractParams, how: ProbeParams, start: Path, given: Budget) -> Ints:
    """Return the classes that a linear probe on the frozen encoder's features gives the test rows, (N,).

    The features are computed in fp32, with eager attention and on the threads that `extract` says: with as many of them
    on a like processor, a cell is the same bytes again.
    """
    model = load_encoder(start)
    require_layer(model, extract.layer)
    parts = encoded(start, given, max_length=longest(model, params))
    for rows in parts:
        require_fit(rows.tokens, model)
    with computing_with(threads(extract.threads)[0]):
        found = [vectors(model, rows.tokens, extract, choose("fp32")) for rows in parts]
    for features, rows in zip(found, parts, strict=True):
        require_finite(features, rows.ids)
    train, validation, test = (features.astype(np.float64) for features in found)
    probabilities = probe(
        how,
        train=(train, given.train.classes),
        validation=(validation, given.validation.classes),
        features=test,
        classes=len(given.labels),
    )
    return np.asarray(probabilities.argmax(axis=1))


def longest(model: PreTrainedModel, params: StudyParams) -> int:
    """Return how many tokens of a text are read: `max_length`, or what this encoder takes, if that is less."""
    return min(params.max_length, positions(model) or params.max_length)


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
