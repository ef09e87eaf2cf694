"""The decision that class probabilities lead to: the class answered, and whether the answer is unsure."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class Decision(NamedTuple):
    """How a class is chosen; None leaves a rule out.

    Args:
        abstain_below: An answer is unsure if no class has this probability.
        favoured: A class that matters: answered if its probability reaches `threshold`, otherwise never.
        threshold: The least probability of `favoured`.
    """

    abstain_below: float | None
    favoured: str | None
    threshold: float | None


PLAIN = Decision(None, None, None)  # the most probable class, never unsure


def decide(
    probabilities: npt.NDArray[np.float64], labels: Sequence[str], decision: Decision
) -> tuple[list[str], npt.NDArray[np.bool_]]:
    """Return the class answered for each row of (N, C) probabilities, and whether it is unsure, (N,)."""
    ranked = probabilities
    if decision.favoured is not None and decision.threshold is not None:
        favoured = labels.index(decision.favoured)
        ranked = probabilities.copy()
        reached = probabilities[:, favoured] >= decision.threshold
        ranked[:, favoured] = np.where(reached, np.inf, -np.inf)
    unsure = probabilities.max(axis=1, initial=0.0) < (decision.abstain_below or 0.0)
    return [labels[index] for index in ranked.argmax(axis=1)], unsure
