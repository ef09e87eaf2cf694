"""Models with an encoder that learn from few labels: fine-tuned, or a linear probe on frozen features."""

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
from transformers import PreTrainedModel

from pipeline.evaluate.baselines import fit_probe
from pipeline.evaluate.metrics import Ints
from pipeline.finetune.classification import Rows
from pipeline.finetune.fit import prepare_training
from pipeline.finetune.learning import Learning
from pipeline.models.batches import to_ragged
from pipeline.models.device import choose_device, count_threads, with_threads
from pipeline.models.features import extract_vectors, require_finite_vectors, require_layer
from pipeline.models.folder import build_model, build_random_model, load_encoder
from pipeline.models.heads import classifier_head
from pipeline.models.inference import BATCH_SIZE, BATCH_TOKENS, Feed, compute_logits
from pipeline.models.layers import count_positions, require_fit
from pipeline.models.tokenizer import encode, load_tokenizer
from pipeline.settings.study import StudyParams
from pipeline.settings.task import ExtractParams, FinetuneParams, ProbeParams
from pipeline.study.budget import Budget, Texts
from pipeline.study.cell import Effort


def finetune_arm(
    params: StudyParams, finetune: FinetuneParams, learning: Learning, start: Path, budget: Budget
) -> tuple[Ints, Effort]:
    """Return the classes that the fine-tuned encoder predicts for the test rows, (N,), and the cost of its training."""
    build = build_random_model if params.initial == "random" else build_model
    model = build(start, classifier_head(budget.class_names), dropout=finetune.dropout, seed=params.seed)
    train, validation, test = tokenize_budget(start, budget, max_length=limit_length(model, params))
    require_fit(test.tokens, model)
    epochs = count_epochs(finetune, len(train.ids), min_steps=params.min_steps)
    finetune = finetune.model_copy(update={"epochs": epochs})
    with prepare_training(model, train, validation, finetune, learning) as (training, _):
        while not training.finished:
            training.advance()
        done, trained = training.done, training.result()
        exact = training.device._replace(precision="fp32")  # as `evaluate` predicts, and a probe
        logits = compute_logits(model, test.tokens, exact, batch_tokens=BATCH_TOKENS, batch_size=BATCH_SIZE)
    tokens = sum(int(train.tokens.lengths[step.rows].sum()) for step in training.steps[:done])
    best = f"best after step {trained.best.step}, validation accuracy {trained.best.accuracy:.4f}"
    print(f"{done} steps in {epochs} epochs; {best}", flush=True)
    return logits.argmax(dim=-1).numpy(), Effort(done, tokens)


def probe_arm(
    params: StudyParams, extract: ExtractParams, probe: ProbeParams, feed: Feed, start: Path, budget: Budget
) -> Ints:
    """Return the classes that a linear probe on the frozen encoder's features predicts for the test rows, (N,).

    The features are computed in fp32, with eager attention and on the threads that `extract` sets: with as many threads
    on a like processor, a cell has the same bytes again.
    """
    model = load_encoder(start)
    require_layer(model, extract.layer)
    splits = tokenize_budget(start, budget, max_length=limit_length(model, params))
    for rows in splits:
        require_fit(rows.tokens, model)
    with with_threads(count_threads(extract.threads)[0]):
        vectors = [extract_vectors(model, rows.tokens, extract, choose_device("fp32"), kind=feed) for rows in splits]
    for features, rows in zip(vectors, splits, strict=True):
        require_finite_vectors(features, rows.ids)
    train, validation, test = vectors
    fit = fit_probe(
        probe,
        train=(train, budget.train.classes),
        validation=(validation, budget.validation.classes),
        classes=len(budget.class_names),
    )
    return np.asarray(fit.predict(test).argmax(axis=1))


def limit_length(model: PreTrainedModel, params: StudyParams) -> int:
    """Return the tokens read of a text: `max_length`, or what this encoder takes if that is less."""
    return min(params.max_length, count_positions(model) or params.max_length)


def count_epochs(finetune: FinetuneParams, rows: int, *, min_steps: int) -> int:
    """Return the epochs over so many rows that make at least `min_steps` updates; `finetune.epochs` at least."""
    updates = math.ceil(rows / finetune.batch_size / finetune.accumulate)
    return max(finetune.epochs, math.ceil(min_steps / updates))


def tokenize_budget(start: Path, budget: Budget, *, max_length: int) -> tuple[Rows, Rows, Rows]:
    """Return the train, validation and test rows as token ids of the start's own tokenizer."""
    tokenizer = load_tokenizer(start, max_length=max_length)

    def tokenize(texts: Texts) -> Rows:
        batch = pa.record_batch([pa.array(texts.texts, pa.string())], ["text"])
        _, ids, _ = encode(tokenizer, batch, max_length=max_length)
        return Rows(to_ragged(ids), texts.classes, tuple(texts.ids))

    return tokenize(budget.train), tokenize(budget.validation), tokenize(budget.test)
