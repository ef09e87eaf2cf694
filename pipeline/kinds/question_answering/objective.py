"""The objective of answering: cross-entropy of the first and the last token, and its evaluation on validation."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from pipeline.finetune.selection import improves
from pipeline.finetune.updates import plan_epochs, share_losses
from pipeline.kinds.question_answering.feed import to_windows
from pipeline.kinds.question_answering.settings import ReaderParams
from pipeline.models.batches import Ragged, group_rows, to_device
from pipeline.models.batching import Indices
from pipeline.models.device import Device
from pipeline.models.inference import collate, compute_token_logits, forward_tokens
from pipeline.models.layers import scale_layer_rates
from pipeline.models.processes import ALONE, Ranks
from pipeline.reading.decoding import Decoded, Window, decode
from pipeline.reading.scores import compute_answer_metrics, score_answers
from pipeline.train.objective import Moment, Objective, Step


class WindowRows(NamedTuple):
    """The windows of one split, N: their tokens, and the characters of the passage of each token, as many.

    `labels` (N, 2) are the first and the last token of the answer, `ids` those of the questions, whose windows stand in
    turn. `contexts` and `answers` are those of each question; empty in train.
    """

    tokens: Ragged
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    labels: Indices
    ids: tuple[str, ...]
    contexts: tuple[str, ...]
    answers: tuple[tuple[str, ...], ...]


class ReadingScores(NamedTuple):
    """The scores on validation after `step` updates; `train_loss` is the mean since the last evaluation."""

    step: int
    epoch: float
    learning_rate: float
    train_loss: float
    loss: float
    f1: float
    exact_match: float


def rows_of_windows(table: pa.Table, split: str) -> WindowRows:
    """Return the windows of one split of a table of them."""
    part = table.filter(pc.equal(table["split"], split))
    starts, ends = (np.asarray(pc.list_flatten(part[name]).to_numpy()) for name in ("starts", "ends"))
    labels = np.stack([part[name].to_numpy() for name in ("first", "last")], axis=1).astype(np.int64)
    scored = part.filter(pc.is_valid(part["context"]))
    answers = tuple(tuple(own) for own in scored["answers"].to_pylist())
    ids, contexts = tuple(part["id"].to_pylist()), tuple(scored["context"].to_pylist())
    return WindowRows(to_windows(part), starts, ends, labels, ids, contexts, answers)


def span_loss(logits: torch.Tensor, lengths: Sequence[int], labels: torch.Tensor) -> torch.Tensor:
    """Return the mean of the cross-entropies of the first and of the last token, each over the tokens of its row.

    `logits` are those of all tokens, rows end to end, (tokens, 2); `labels` (B, 2).

    Source: Devlin et al. 2019, BERT, arXiv 1810.04805, section 4.2.
    """
    padded = pad_sequence(list(logits.split(list(lengths))), batch_first=True, padding_value=float("-inf"))
    return cross_entropy(padded.transpose(1, 2).flatten(0, 1), labels.flatten())


def decode_questions(rows: WindowRows, logits: torch.Tensor) -> Iterator[tuple[str, Decoded]]:
    """Yield the id of each question, and the best span over its windows, of the logits of all tokens, (tokens, 2)."""
    numbers, offsets = logits.double().numpy(), rows.tokens.offsets
    for first, last in group_rows(rows.ids):
        parts = [slice(offsets[row], offsets[row + 1]) for row in range(first, last)]
        windows = [Window(rows.starts[part], rows.ends[part], numbers[part]) for part in parts]
        yield rows.ids[first], decode(windows)


def _outputs(model: PreTrainedModel, train: WindowRows, rows: Indices, device: Device) -> torch.Tensor:
    return forward_tokens(model, collate(model, train.tokens, rows, device), device)


def _losses(
    model: PreTrainedModel,
    train: WindowRows,
    _prepared: None,
    step: Step,
    _params: ReaderParams,
    device: Device,
    ranks: Ranks = ALONE,
) -> Iterator[torch.Tensor]:
    """Yield the loss of each micro-batch, a mean over its windows."""

    def compute(rows: Indices) -> torch.Tensor:
        labels = to_device(torch.from_numpy(train.labels[rows]), device.device)
        return span_loss(_outputs(model, train, rows, device), train.tokens.lengths[rows].tolist(), labels)

    return share_losses(step, compute, ranks=ranks)


def _measure(
    model: PreTrainedModel,
    validation: WindowRows,
    moment: Moment,
    params: ReaderParams,
    device: Device,
    ranks: Ranks = ALONE,
    go_on: Callable[[], None] = lambda: None,
) -> ReadingScores:
    """Return the scores of the model on validation; a question has no answer if that scores better than any span."""
    # Without gradients a batch needs a fraction of the memory, so it may be larger.
    tokens, size = 4 * params.batch_tokens, 4 * params.batch_size
    logits = compute_token_logits(
        model, validation.tokens, device, batch_tokens=tokens, batch_size=size, ranks=ranks, go_on=go_on
    )
    may_lack = not all(validation.answers)
    answers = [
        "" if may_lack and decoded.doubt > 0 else context[decoded.best.start : decoded.best.end]
        for context, (_, decoded) in zip(validation.contexts, decode_questions(validation, logits), strict=True)
    ]
    scored = score_answers(answers, validation.answers, [None] * len(answers))
    f1, exact, *_ = compute_answer_metrics(scored, np.ones(len(answers))).tolist()
    loss = span_loss(logits, validation.tokens.lengths.tolist(), torch.from_numpy(validation.labels))
    return ReadingScores(*moment, loss=float(loss), f1=f1, exact_match=exact)


def _describe(scores: ReadingScores) -> str:
    return f"validation loss {scores.loss:.4f}, F1 {scores.f1:.4f}, exact match {scores.exact_match:.4f}"


ANSWERS = Objective(
    plan=lambda train, params: plan_epochs(train.tokens.lengths, params),
    prepare=lambda _model, _train, _params, _device: None,
    losses=_losses,
    measure=_measure,
    evaluation=ReadingScores,
    better=improves,
    describe=_describe,
    outputs=_outputs,
    scales=lambda model, params: scale_layer_rates(model, params.layer_decay),
    name_examples=lambda train, step: (train.ids[row] for row in step.rows),
)
