"""The training loop: a model and rows in, the best weights and the history of how they came about out."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.batches import Indices, Ragged, collate, plan
from pipeline.device import Device
from pipeline.errors import UsageError, examples
from pipeline.inference import forward, logits
from pipeline.metrics import macro_f1
from pipeline.optimizer import balanced_weights, build, rate, set_rate
from pipeline.params import FinetuneParams
from pipeline.progress import Progress

# Losses are looked at together, so that a GPU need not wait for the host at every step.
STEPS_BETWEEN_LOOKS = 16


class Rows(NamedTuple):
    """The examples of one split: tokens, class indices (N,) int64 and stable ids."""

    tokens: Ragged
    labels: Indices
    ids: tuple[str, ...]


class Evaluation(NamedTuple):
    """How the model did on validation after `step` updates; `train_loss` is the mean since the evaluation before."""

    step: int
    epoch: float
    learning_rate: float
    train_loss: float
    loss: float
    accuracy: float
    macro_f1: float


class Trained(NamedTuple):
    """What `fit` did: updates planned, the best evaluation, all of them, and whether it ran to the end."""

    steps: int
    best: Evaluation
    evaluations: tuple[Evaluation, ...]
    stopped: str


class Step(NamedTuple):
    """One planned update: its number from 1, its rows, and how many epochs are done after it."""

    number: int
    rows: Indices
    epoch: float
    evaluate: bool


def fit(model: PreTrainedModel, train: Rows, validation: Rows, params: FinetuneParams, device: Device) -> Trained:
    """Train `model` in place and leave it with the weights that did best on validation.

    The result depends on the arguments alone: the order of the batches on `params.seed`, dropout on a generator state
    seeded with it and restored after.

    Raises:
        UsageError: The loss is not finite.
    """
    model.to(device.device)  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    optimizer = build(model, learning_rate=params.learning_rate, weight_decay=params.weight_decay)
    weights = _class_weights(train, params, int(model.config.num_labels or 0), device)
    steps = plan_steps(train.tokens.lengths, params)
    evaluations: list[Evaluation] = []
    best, best_weights, since_best = None, _learned(model), 0
    waiting: list[tuple[Step, torch.Tensor]] = []
    losses: list[float] = []
    with torch.random.fork_rng(), Progress(len(steps)) as progress:
        torch.manual_seed(params.seed)
        for step in steps:
            share = rate(step.number - 1, steps=len(steps), warmup=params.warmup, schedule=params.schedule)
            set_rate(optimizer, share * params.learning_rate)
            waiting.append((step, update(model, optimizer, train, step.rows, params, weights, device)))
            if step.number % STEPS_BETWEEN_LOOKS == 0 or step.evaluate:
                seen = _look(waiting, train, params)
                progress.reached(step.number, step.epoch, sum(seen) / len(seen))
                losses += seen
                waiting.clear()
            if not step.evaluate:
                continue
            loss = sum(losses) / len(losses)
            losses.clear()
            found = measure(model, validation, step, share * params.learning_rate, loss, params, device)
            _require_finite(found, params)
            evaluations.append(found)
            progress.say(_told(found, len(steps)))
            since_best += 1
            if best is None or _better(found, best, params.metric):
                best, best_weights, since_best = found, _learned(model), 0
            if since_best >= params.patience:
                break
    if best is None:
        raise UsageError("there is nothing to train on")
    model.load_state_dict(best_weights, strict=False)
    return Trained(len(steps), best, tuple(evaluations), "early" if evaluations[-1].step < len(steps) else "finished")


def plan_steps(lengths: Indices, params: FinetuneParams) -> list[Step]:
    """Return every update of the training: batches of near-equal length, in an order drawn anew each epoch.

    The order of an epoch depends on (seed, epoch) alone. Evaluations are spread evenly over each epoch, one at its end.
    """
    steps: list[Step] = []
    for epoch in range(params.epochs):
        batches = plan(
            lengths,
            batch_tokens=params.batch_tokens,
            batch_size=params.batch_size,
            rng=np.random.default_rng([params.seed, epoch]),
        )
        marks = {math.ceil(len(batches) * part / params.evaluations) for part in range(1, params.evaluations + 1)}
        for index, rows in enumerate(batches, start=1):
            steps.append(Step(len(steps) + 1, rows, epoch + index / len(batches), index in marks))
    return steps


def update(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    train: Rows,
    rows: Indices,
    params: FinetuneParams,
    weights: torch.Tensor | None,
    device: Device,
) -> torch.Tensor:
    """Make one optimizer update on a batch and return its loss, a scalar left on the device."""
    model.train()
    batch = collate(train.tokens, rows, pad_token_id=model.config.pad_token_id or 0, device=device.device)
    labels = torch.from_numpy(train.labels[rows]).to(device.device)
    loss = cross_entropy(forward(model, batch, device), labels, weights, label_smoothing=params.label_smoothing)
    loss.backward()
    torch.nn.utils.clip_grad_norm_((p for p in model.parameters() if p.requires_grad), params.max_grad_norm)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    return loss.detach()


def measure(
    model: PreTrainedModel,
    validation: Rows,
    step: Step,
    learning_rate: float,
    train_loss: float,
    params: FinetuneParams,
    device: Device,
) -> Evaluation:
    """Return how the model does on validation: plain cross-entropy, accuracy and macro-F1."""
    # Without gradients a batch needs a fraction of the memory, so it may be larger.
    found = logits(
        model, validation.tokens, device, batch_tokens=4 * params.batch_tokens, batch_size=4 * params.batch_size
    )
    classes = found.shape[1]
    cells = validation.labels * classes + found.argmax(-1).numpy()
    confusion = np.bincount(cells, minlength=classes**2).reshape(classes, classes).astype(np.float64)
    return Evaluation(
        step=step.number,
        epoch=step.epoch,
        learning_rate=learning_rate,
        train_loss=train_loss,
        loss=float(cross_entropy(found, torch.from_numpy(validation.labels))),
        accuracy=float(confusion.trace() / confusion.sum()),
        macro_f1=macro_f1(confusion),
    )


def _class_weights(train: Rows, params: FinetuneParams, classes: int, device: Device) -> torch.Tensor | None:
    if params.class_weights == "none":
        return None
    return balanced_weights(torch.from_numpy(train.labels), classes).to(device.device)


def _better(found: Evaluation, best: Evaluation, metric: str) -> bool:
    if metric == "loss":
        return found.loss < best.loss
    return bool(getattr(found, metric) > getattr(best, metric))


def _learned(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return a copy of the weights that learn; the frozen ones need none."""
    return {name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad}


def _look(waiting: list[tuple[Step, torch.Tensor]], train: Rows, params: FinetuneParams) -> list[float]:
    """Return the losses as numbers.

    Raises:
        UsageError: One is not finite; the message names the first, its step and its examples.
    """
    losses: list[float] = torch.stack([loss for _, loss in waiting]).tolist()
    for (step, _), loss in zip(waiting, losses, strict=True):
        if not math.isfinite(loss):
            ids = examples(train.ids[row] for row in step.rows)
            raise UsageError(
                f"the loss at step {step.number} is {loss}, on the examples {ids}."
                f" Lower `learning_rate` (now {params.learning_rate:g}) or look at these examples."
            )
    return losses


def _require_finite(found: Evaluation, params: FinetuneParams) -> None:
    """Raise when the weights have become useless in the very last update before an evaluation."""
    if not math.isfinite(found.loss):
        raise UsageError(
            f"the validation loss after step {found.step} is {found.loss}: the last update broke the weights. Lower "
            f"`learning_rate` (now {params.learning_rate:g})."
        )


def _told(found: Evaluation, steps: int) -> str:
    return (
        f"step {found.step}/{steps}, epoch {found.epoch:.2f}: train loss {found.train_loss:.4f}, "
        f"validation loss {found.loss:.4f}, accuracy {found.accuracy:.4f}, macro-F1 {found.macro_f1:.4f}"
    )
