"""The objective of tagging words: its updates, its loss, a mean over words, and its evaluation on validation."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from pipeline.finetune.selection import improves
from pipeline.finetune.updates import plan_epochs, share_losses
from pipeline.kinds.token_classification.inputs import UNTAGGED
from pipeline.kinds.token_classification.settings import TaggerParams
from pipeline.models.batches import Ragged, group_rows, to_device, to_ragged
from pipeline.models.batching import Indices
from pipeline.models.device import Device
from pipeline.models.inference import collate, compute_token_logits, forward_tokens
from pipeline.models.layers import scale_layer_rates
from pipeline.models.processes import ALONE, Ranks
from pipeline.tagging.scores import compute_tag_metrics, count_tags
from pipeline.train.objective import Moment, Objective, Step


class TagRows(NamedTuple):
    """The rows of one split: tokens, the tag of each and the word that it begins, both as long as `tokens.values`.

    `ids` are those of the examples; one that has several rows has them in turn.
    """

    tokens: Ragged
    tags: npt.NDArray[np.int64]
    words: npt.NDArray[np.int32]
    ids: tuple[str, ...]


class TagScores(NamedTuple):
    """The scores on validation after `step` updates; `train_loss` is the mean since the last evaluation."""

    step: int
    epoch: float
    learning_rate: float
    train_loss: float
    loss: float
    span_f1: float
    tag_accuracy: float


def rows_of_tags(table: pa.Table, split: str) -> TagRows:
    """Return the rows of one split of a table of tokens."""
    part = table.filter(pc.equal(table["split"], split))
    tags, words = (np.asarray(pc.list_flatten(part[name]).to_numpy()) for name in ("tags", "words"))
    return TagRows(to_ragged(part["input_ids"]), tags.astype(np.int64), words, tuple(part["id"].to_pylist()))


def join_words(
    rows: TagRows, values: npt.NDArray[Any]
) -> Iterator[tuple[str, npt.NDArray[np.int32], npt.NDArray[Any]]]:
    """Yield each example's id, its words that have a token, and their values, of those of all tokens."""
    for first, last in group_rows(rows.ids):
        start, end = rows.tokens.offsets[first], rows.tokens.offsets[last]
        begins = rows.words[start:end] >= 0
        yield rows.ids[first], rows.words[start:end][begins], values[start:end][begins]


def _take(rows: TagRows, places: Indices) -> torch.Tensor:
    """Return the tags of the tokens of some rows, end to end."""
    offsets = rows.tokens.offsets
    return torch.from_numpy(np.concatenate([rows.tags[offsets[row] : offsets[row + 1]] for row in places]))


def _outputs(model: PreTrainedModel, train: TagRows, rows: Indices, device: Device) -> torch.Tensor:
    return forward_tokens(model, collate(model, train.tokens, rows, device), device)


def _losses(
    model: PreTrainedModel,
    train: TagRows,
    _prepared: None,
    step: Step,
    params: TaggerParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the cross-entropy of each micro-batch, a mean over its tagged tokens."""

    def compute(rows: Indices) -> torch.Tensor:
        tags = to_device(_take(train, rows), device.device)
        logits = _outputs(model, train, rows, device)
        return cross_entropy(logits, tags, ignore_index=UNTAGGED, label_smoothing=params.label_smoothing)

    def weigh(rows: Indices) -> float:
        return float((_take(train, rows) != UNTAGGED).sum())

    return share_losses(step, compute, weigh=weigh, ranks=ranks)


def _measure(
    model: PreTrainedModel,
    validation: TagRows,
    moment: Moment,
    params: TaggerParams,
    device: Device,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> TagScores:
    """Return the scores of the model on validation: plain cross-entropy, span F1 and tag accuracy of its words."""
    # Without gradients a batch needs a fraction of the memory, so it may be larger.
    tokens, size = 4 * params.batch_tokens, 4 * params.batch_size
    logits = compute_token_logits(
        model, validation.tokens, device, batch_tokens=tokens, batch_size=size, ranks=ranks, go_on=go_on
    )
    names = [str(name) for name in (model.config.id2label or {}).values()]
    actual, predicted = (
        [[names[tag] for tag in tags.tolist()] for _, _, tags in join_words(validation, values)]
        for values in (validation.tags, logits.argmax(-1).numpy())
    )
    scored = count_tags(actual, predicted, [None] * len(actual), names)
    span_f1, accuracy, _ = compute_tag_metrics(scored, np.ones(len(actual)))
    loss = cross_entropy(logits, torch.from_numpy(validation.tags), ignore_index=UNTAGGED)
    return TagScores(*moment, loss=float(loss), span_f1=float(np.nan_to_num(span_f1)), tag_accuracy=float(accuracy))


def _describe(scores: TagScores) -> str:
    return f"validation loss {scores.loss:.4f}, span F1 {scores.span_f1:.4f}, tag accuracy {scores.tag_accuracy:.4f}"


TAGS = Objective(
    plan=lambda train, params: plan_epochs(train.tokens.lengths, params),
    prepare=lambda _model, _train, _params, _device: None,
    losses=_losses,
    measure=_measure,
    evaluation=TagScores,
    better=improves,
    describe=_describe,
    outputs=_outputs,
    scales=lambda model, params: scale_layer_rates(model, params.layer_decay),
    name_examples=lambda train, step: (train.ids[row] for row in step.rows),
)
