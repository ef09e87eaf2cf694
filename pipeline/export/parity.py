"""The proof that an exported model answers as the trained one: logits compared on validation, and int8 judged."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.calibration.decision import Decision, answer_rows
from pipeline.core.document import Document
from pipeline.core.errors import EnvironmentFault
from pipeline.evaluate.bootstrap import bootstrap
from pipeline.evaluate.kind import Measures, compute_metrics
from pipeline.evaluate.mcnemar import mcnemar, paired_p_value
from pipeline.evaluate.paired import ScoredPair
from pipeline.models.inputs import find_first_windows, window_stride
from pipeline.predict.forms.windows import average_rows
from pipeline.predict.kind import Answers
from pipeline.predict.logits import softmax
from pipeline.settings.production import ExportParams

Logits = npt.NDArray[np.float32]
_LARGEST_DIFFERENCE = 1e-4  # of a logit in fp32; another order of summation makes some 1e-6
_MOST_LEFT = 0.75  # share of the weights that int8 may leave in fp32
_RESAMPLES = 400
_DIGITS = 6  # of a number in the document: the last bits depend on the number of threads


class Loss(NamedTuple):
    """What an exported model has lost, in words; by how much, and the p value that this is noise."""

    what: str
    size: float
    p_value: float


class LogitPair(NamedTuple):
    """The logits of the same rows by the trained and by the exported model, of each row or of each of its tokens."""

    trained: Any
    exported: Any


class BackendComparison(Protocol):
    """An exported model beside the trained one on the same rows of validation."""

    @property
    def rows(self) -> int:
        """The number of rows, or of tokens if each has an answer."""

    @property
    def flipped(self) -> int:
        """Those with another answer."""

    @property
    def largest_difference(self) -> float:
        """The largest difference of a logit, in the unit of the kind."""

    def document(self) -> Document:
        """Return the numbers as JSON has them, without the digits that are noise."""

    def losses(self) -> Iterator[Loss]:
        """Yield what the exported model may have lost, each with its size, negative if it has gained."""


class Parity(NamedTuple):
    """An exported model beside the trained one on the same rows of validation, by what is answered with the decision.

    An unsure answer is neither right nor wrong; without abstaining, the wrong ones are all that are not right.
    """

    rows: int
    flipped: int  # rows with another answer: of another class, or unsure in one alone
    largest_difference: float  # of a logit
    mean_difference: float
    right: float  # share of the rows
    right_trained: float
    right_p: float  # McNemar's exact test that both are right equally often
    wrong: float
    wrong_trained: float
    wrong_p: float
    loss: float  # mean nats
    loss_trained: float

    def document(self) -> Document:
        """Return the numbers as JSON has them, without the digits that are noise."""
        return {name: round(value, _DIGITS) for name, value in self._asdict().items()}

    def losses(self) -> Iterator[Loss]:
        """Yield the loss of right answers, and the gain of wrong ones."""
        fall, rise = self.right_trained - self.right, self.wrong - self.wrong_trained
        yield Loss(f"right answers on validation fall by {fall:.4f} of the rows", fall, self.right_p)
        yield Loss(f"wrong answers on validation rise by {rise:.4f} of the rows", rise, self.wrong_p)


class MetricParity(NamedTuple):
    """An exported model beside the trained one on the same rows of validation, by the headline metric of the kind."""

    rows: int  # or their tokens, if each has an answer
    flipped: int  # answers that are others
    largest_difference: float  # of a logit, in the unit of the kind
    mean_difference: float
    metric: str
    value: float | None  # None: undefined
    value_trained: float | None
    loss: float  # by which it is worse: of a share, the difference; of another number, its share of the trained one
    loss_p: float  # of a paired bootstrap, that both are as good

    def document(self) -> Document:
        """Return the numbers as JSON has them, without the digits that are noise."""
        return {
            name: round(value, _DIGITS) if isinstance(value, float) else value for name, value in self._asdict().items()
        }

    def losses(self) -> Iterator[Loss]:
        """Yield the loss of the metric."""
        yield Loss(f"{self.metric} on validation gets worse by {self.loss:.4f}", self.loss, self.loss_p)


def compare_metric(
    measures: Measures,
    scored: ScoredPair,
    trained: Logits,
    exported: Logits,
    *,
    flipped: npt.NDArray[np.bool_],
    unit: float = 1.0,
) -> MetricParity:
    """Return the comparison of two logits, (N, ...), whose answers are `scored`, the trained model being the base."""
    difference = np.abs(exported - trained) / unit
    metric, ratio = measures.headline, 1.0
    before, after = (float(compute_metrics(measures, each)[0]) for each in (scored.base, scored.head))
    draws = bootstrap(measures, [scored.base, scored.head], resamples=_RESAMPLES, rng=np.random.default_rng(0))[..., 0]
    known = draws[~np.isnan(draws).any(axis=1)]
    if metric.unit != "share" and before:
        ratio = abs(before)
    return MetricParity(
        rows=len(flipped),
        flipped=int(flipped.sum()),
        largest_difference=float(difference.max(initial=0.0)),
        mean_difference=float(difference.mean()),
        metric=metric.name,
        value=None if np.isnan(after) else after,
        value_trained=None if np.isnan(before) else before,
        loss=float(np.nan_to_num(metric.better * (before - after) / ratio)),
        loss_p=float(paired_p_value(known[:, 1] - known[:, 0])) if len(known) else 1.0,
    )


def compare_outputs(
    answers: Answers, measures: Measures, pair: LogitPair, inputs: pa.Table, *, labels: tuple[str, ...], decision: Any
) -> BackendComparison:
    """Return the comparison of the logits of some rows of a task's inputs, by what the kind is judged by.

    A text in windows counts once, with the mean of their logits.
    """
    if window_stride(inputs) is not None:
        pair, inputs = _join_windows(pair, inputs)
    trained, exported = pair
    if answers.score is None:
        actual = inputs["labels"].to_numpy()
        return compare_logits(trained, exported, actual, labels=labels, decision=decision)
    before, after = (answers.activate(logits) for logits in pair)
    scored = ScoredPair(*(answers.score(outputs, inputs, labels, decision) for outputs in (before, after)))
    flipped, unit = answers.differ(after, before, labels, decision), answers.unit(trained)
    if answers.reads == "every token":
        trained, exported = (np.concatenate(logits) for logits in pair)
    return compare_metric(measures, scored, trained, exported, flipped=flipped, unit=unit)


def _join_windows(pair: LogitPair, inputs: pa.Table) -> tuple[LogitPair, pa.Table]:
    """Return the logits of texts, and the first row of each, of those of their windows."""
    first = find_first_windows(inputs["id"].to_pylist())
    owners = np.repeat(np.arange(len(first)), np.diff(first, append=inputs.num_rows))
    return LogitPair(*(average_rows(logits, owners) for logits in pair)), inputs.take(first)


def compare_logits(
    trained: Logits, exported: Logits, actual: npt.NDArray[np.int64], *, labels: Sequence[str], decision: Decision
) -> Parity:
    """Return the comparison of two (N, C) logits with the class indices (N,)."""
    difference = np.abs(exported - trained)
    answers, before = (answer_rows(softmax(logits), labels, decision) for logits in (exported, trained))
    right, right_before = (~each.unsure & (each.classes == actual) for each in (answers, before))
    wrong, wrong_before = (~each.unsure & (each.classes != actual) for each in (answers, before))
    return Parity(
        rows=len(actual),
        flipped=int(((answers.classes != before.classes) | (answers.unsure != before.unsure)).sum()),
        largest_difference=float(difference.max(initial=0.0)),
        mean_difference=float(difference.mean()),
        right=float(right.mean()),
        right_trained=float(right_before.mean()),
        right_p=mcnemar(right, right_before).p_value,
        wrong=float(wrong.mean()),
        wrong_trained=float(wrong_before.mean()),
        wrong_p=mcnemar(wrong, wrong_before).p_value,
        loss=_mean_loss(exported, actual),
        loss_trained=_mean_loss(trained, actual),
    )


def require_equal(fp32: BackendComparison) -> None:
    """Refuse an export in fp32 that computes something else; a row within the tolerance of a tie may still flip.

    Raises:
        EnvironmentFault: A logit differs by more than the order of a sum can explain.
    """
    if not fp32.largest_difference <= _LARGEST_DIFFERENCE:
        raise EnvironmentFault(
            f"export: the exported model computes other logits than the trained one on validation, by "
            f"{fp32.largest_difference:.2g} (at most {_LARGEST_DIFFERENCE:g}); {fp32.flipped} of {fp32.rows} rows get "
            "another answer. Install the versions of requirements.lock, or use the model folder instead."
        )


def judge_gain(left: Mapping[str, int]) -> str | None:
    """Return why int8 is not worth its file, None if it is: by the weights that each backend keeps in fp32."""
    if left["int8"] > _MOST_LEFT * left["fp32"]:
        return f"{left['int8']} of {left['fp32']} weights would stay in fp32, since only matrices become int8"
    return None


def judge_int8(int8: BackendComparison, params: ExportParams) -> str | None:
    """Return why int8 is not good enough, None if it is: it loses too much, or surely something."""
    for what, size, p_value in int8.losses():
        if size > params.largest_drop + 1e-12:  # the rounding of a difference
            return f"{what}, more than {params.largest_drop:g}"
        if size > 0 and p_value < params.level:
            return f"{what}, and p = {p_value:.2g} says that is no noise"
    return None


def _mean_loss(logits: Logits, actual: npt.NDArray[np.int64]) -> float:
    """Return the mean negative log-likelihood of the classes, in nats."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(actual)), actual]).mean())
