"""The selection of weights: whether an evaluation on validation is better than another one."""

from typing import Any, Protocol

LOWER_IS_BETTER = ("loss", "rmse")


class Selecting(Protocol):
    """Parameters with the metric that selects the weights."""

    @property
    def metric(self) -> str:
        """The name of a field of an evaluation."""


def improves(scores: Any, best: Any, params: Selecting) -> bool:
    """Return whether an evaluation is better than the best before it, by the metric that selects the weights."""
    new, old = getattr(scores, params.metric), getattr(best, params.metric)
    return bool(new < old if params.metric in LOWER_IS_BETTER else new > old)
