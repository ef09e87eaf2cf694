"""The objective of a training, its planned updates, and the plan that draws them an epoch at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, overload

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.core.errors import UsageError
from pipeline.models.batching import Indices
from pipeline.models.device import Device
from pipeline.models.processes import Ranks


class Step(NamedTuple):
    """One planned update: its number from 1, the rows of its micro-batches, and the epochs that end with it.

    `epoch` counts the epochs done after the update, with fractions; `evaluate` tells whether an evaluation follows.
    """

    number: int
    parts: tuple[Indices, ...]
    epoch: float
    evaluate: bool

    @property
    def rows(self) -> Indices:
        """All rows of the update."""
        return np.concatenate(self.parts)


class Moment(NamedTuple):
    """The moment of an evaluation: updates and epochs done, the learning rate, the mean loss since the last one."""

    step: int
    epoch: float
    learning_rate: float
    train_loss: float


class Objective(NamedTuple):
    """Everything in which one objective differs from another, as functions of its own kind of data.

    `plan(train, params)` is every update. `prepare(model, train, params, device)` is computed once and passed to every
    `losses`. `losses(model, train, prepared, step, params, device, ranks)` yields the loss of each micro-batch of an
    update, on the device, weighted so that they add up to the loss of all of them. `measure(model, held_out, moment,
    params, device, ranks, go_on)` returns an `evaluation`; it calls `go_on` between batches, which raises to end it
    early. `better(evaluation, best, params)` tells whether its weights are kept; `describe(evaluation)` is its line in
    the log.

    `outputs(model, train, rows, device)` are the numbers by which an attention is compared with eager attention,
    `scales(model, params)` the factors of the learning rates by weight, and `name_examples(train, step)` the names of
    the examples of an update for an error message.
    """

    plan: Callable[[Any, Any], Sequence[Step]]
    prepare: Callable[[PreTrainedModel, Any, Any, Device], Any]
    losses: Callable[[PreTrainedModel, Any, Any, Step, Any, Device, Ranks], Iterator[torch.Tensor]]
    measure: Callable[[PreTrainedModel, Any, Moment, Any, Device, Ranks, Callable[[], None]], Any]
    evaluation: Any
    better: Callable[[Any, Any, Any], bool]
    describe: Callable[[Any], str]
    outputs: Callable[[PreTrainedModel, Any, Indices, Device], torch.Tensor]
    scales: Callable[[PreTrainedModel, Any], dict[str, float]]
    name_examples: Callable[[Any, Step], Iterable[str]]


class Plan(Sequence[Step]):
    """The updates of a training, drawn an epoch at a time: at most two epochs are in memory."""

    def __init__(self, draw: Callable[[int, int], list[Step]], *, epochs: int | None = None, steps: int = 0) -> None:
        """Take `draw(epoch, done)`, the updates of an epoch that starts after `done`; it depends on nothing else.

        The plan ends after `epochs` epochs, each of which has as many updates, or else after `steps` updates.
        """
        self._draw = draw
        self._starts = [0]
        self._drawn: dict[int, list[Step]] = {}
        self._length = steps if epochs is None else epochs * len(self._epoch(0))

    def __len__(self) -> int:
        """Return the number of updates."""
        return self._length

    @overload
    def __getitem__(self, index: int) -> Step: ...

    @overload
    def __getitem__(self, index: slice) -> list[Step]: ...

    def __getitem__(self, index: int | slice) -> Step | list[Step]:
        """Return an update, or those of a slice."""
        places = range(self._length)[index]
        return self._at(places) if isinstance(places, int) else [self._at(place) for place in places]

    def _at(self, place: int) -> Step:
        epoch = next(e for e in range(len(self._starts) - 1, -1, -1) if self._starts[e] <= place)
        while place - self._starts[epoch] >= len(steps := self._epoch(epoch)):
            epoch += 1
        return steps[place - self._starts[epoch]]

    def _epoch(self, epoch: int) -> list[Step]:
        if epoch not in self._drawn:
            self._drawn = {other: steps for other, steps in self._drawn.items() if other == epoch - 1}
            self._drawn[epoch] = self._draw(epoch, self._starts[epoch])
        steps = self._drawn[epoch]
        if epoch + 1 == len(self._starts):
            self._starts.append(self._starts[epoch] + len(steps))
        return steps


def require_steps(steps: Sequence[Step]) -> None:
    """Refuse a plan without updates.

    Raises:
        UsageError: It has none.
    """
    if not steps:
        raise UsageError("train split: nothing to train on, 0 rows. Add some.")
