"""The proof that an exported model answers as the trained one: logits compared on validation, and int8 judged."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.calibration.decision import Decision, answer_rows
from pipeline.core.document import Document
from pipeline.core.errors import EnvironmentFault
from pipeline.evaluate.mcnemar import mcnemar
from pipeline.predict.logits import softmax
from pipeline.settings.production import ExportParams

Logits = npt.NDArray[np.float32]
_LARGEST_DIFFERENCE = 1e-4  # of a logit in fp32; another order of summation makes some 1e-6
_DIGITS = 6  # of a number in the document: the last bits depend on the number of threads


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


def require_equal(fp32: Parity) -> None:
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


def judge_int8(int8: Parity, params: ExportParams) -> str | None:
    """Return why int8 is not good enough, None if it is: right too seldom, or wrong too often."""
    for what, loss, p_value in (
        ("right answers on validation fall", int8.right_trained - int8.right, int8.right_p),
        ("wrong answers on validation rise", int8.wrong - int8.wrong_trained, int8.wrong_p),
    ):
        if loss > params.largest_drop + 1e-12:  # the rounding of a difference
            return f"{what} by {loss:.4f} of the rows, more than {params.largest_drop:g}"
        if loss > 0 and p_value < params.level:
            return f"{what} by {loss:.4f} of the rows, and p = {p_value:.2g} says that is no noise"
    return None


def _mean_loss(logits: Logits, actual: npt.NDArray[np.int64]) -> float:
    """Return the mean negative log-likelihood of the classes, in nats."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(actual)), actual]).mean())
