"""The proof that an exported model answers as the trained one: logits compared on validation, and int8 judged."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.core.document import Document
from pipeline.core.errors import EnvironmentFault
from pipeline.evaluate.mcnemar import mcnemar
from pipeline.settings.production import ExportParams

Logits = npt.NDArray[np.float32]
_LARGEST_DIFFERENCE = 1e-4  # of a logit in fp32; another order of summation makes some 1e-6
_DIGITS = 6  # of a number in the document: the last bits depend on the number of threads


class Parity(NamedTuple):
    """An exported model beside the trained one on the same rows of validation."""

    rows: int
    flipped: int  # rows with another class
    largest_difference: float  # of a logit
    mean_difference: float
    accuracy: float
    accuracy_trained: float
    p_value: float  # McNemar's exact test that both are right equally often
    loss: float  # mean nats
    loss_trained: float

    def document(self) -> Document:
        """Return the numbers as JSON has them, without the digits that are noise."""
        return {name: round(value, _DIGITS) for name, value in self._asdict().items()}


def compare_logits(trained: Logits, exported: Logits, actual: npt.NDArray[np.int64]) -> Parity:
    """Return the comparison of two (N, C) logits with the class indices (N,)."""
    difference = np.abs(exported - trained)
    right, right_trained = (logits.argmax(axis=1) == actual for logits in (exported, trained))
    return Parity(
        rows=len(actual),
        flipped=int((exported.argmax(axis=1) != trained.argmax(axis=1)).sum()),
        largest_difference=float(difference.max(initial=0.0)),
        mean_difference=float(difference.mean()),
        accuracy=float(right.mean()),
        accuracy_trained=float(right_trained.mean()),
        p_value=mcnemar(right, right_trained).p_value,
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
            "another class. Install the versions of requirements.lock, or use the model folder instead."
        )


def judge_int8(int8: Parity, params: ExportParams) -> str | None:
    """Return why int8 is not good enough, None if it is."""
    drop = int8.accuracy_trained - int8.accuracy
    if drop > params.largest_drop + 1e-12:  # the rounding of a difference
        return f"accuracy on validation falls by {drop:.4f}, more than {params.largest_drop:g}"
    if drop > 0 and int8.p_value < params.level:
        return f"accuracy on validation falls by {drop:.4f}, and p = {int8.p_value:.2g} says that is no noise"
    return None


def _mean_loss(logits: Logits, actual: npt.NDArray[np.int64]) -> float:
    """Return the mean negative log-likelihood of the classes, in nats."""
    wide = logits.astype(np.float64)
    shifted = wide - wide.max(axis=1, keepdims=True)
    return float((np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(actual)), actual]).mean())
