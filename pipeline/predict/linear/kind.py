"""The linear baseline of a kind of task: what it computes of questions, as the facet of kinds that save one."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from pipeline.linear.saved import OpenedLinear


class Linear(NamedTuple):
    """How the linear baselines of one kind compute; its module may import scikit-learn, but not torch.

    Args:
        open: `open(linear)` is the function from questions to their outputs, as `Answers` has them.
    """

    open: Callable[[OpenedLinear], Callable[[Sequence[Any]], Any]]
