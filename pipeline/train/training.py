"""A training under way: a model and rows in, update by update; the best weights and their history out."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.core.errors import UsageError
from pipeline.models.device import Device
from pipeline.models.processes import ALONE, Ranks
from pipeline.settings.task import TrainingParams
from pipeline.train.objective import Moment, Objective, Step
from pipeline.train.optimizer import build, rate, set_rate
from pipeline.train.update import look, require_finite, update

# Losses are looked at together, so that a GPU need not wait for the host at every step.
STEPS_BETWEEN_LOOKS = 16
ADAMW_KEEPS = ("step", "exp_avg", "exp_avg_sq")


class Trained(NamedTuple):
    """What a training did: updates planned, the best evaluation, all of them, and whether it ran to the end."""

    steps: int
    best: Any
    evaluations: tuple[Any, ...]
    stopped: str


class Snapshot(NamedTuple):
    """All that the rest of a training depends on, beside its arguments.

    `tensors` are on the CPU: `model.NAME` and `best.NAME` are weights that learn, `optimizer.KEY.NAME` what AdamW
    keeps of them. `record` is JSON: the updates done, the losses since the last evaluation, the evaluations.
    """

    tensors: dict[str, torch.Tensor]
    record: dict[str, Any]


class Interrupted(Exception):
    """An evaluation was left because the training was asked to stop."""


class Training:
    """A training under way, which can be carried across a kill: same arguments and snapshot, same bytes.

    The order of the batches depends on (seed, epoch), dropout on (seed, step), and neither on what ran before, so no
    generator has a state to keep. The global ones are left as they were.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        train: Any,
        validation: Any,
        params: TrainingParams,
        device: Device,
        objective: Objective,
        ranks: Ranks = ALONE,
    ) -> None:
        """Plan every update; `model` learns in place, alike in each of the processes `ranks`.

        `train` and `validation` are of the objective's own kind.

        Raises:
            UsageError: There is nothing to train on.
        """
        self.model, self.train, self.validation, self.params, self.device = model, train, validation, params, device
        self.ranks, self.objective = ranks, objective
        self.asked: Callable[[], bool] = lambda: False  # whether to stop, asked between the batches of an evaluation
        model.to(device.device)  # type: ignore[arg-type]  # the library's wrapper loses its own signature
        self.optimizer = build(
            model,
            learning_rate=params.learning_rate,
            weight_decay=params.weight_decay,
            scales=objective.scales(model, params),
        )
        self.prepared = objective.prepare(model, train, params, device)
        self.steps = objective.plan(train, params)
        if not self.steps:
            raise UsageError("there is nothing to train on")
        self.done = 0
        self.evaluations: list[Any] = []
        self.best_weights = _learned(model)
        self._losses: list[float] = []
        self._waiting: list[torch.Tensor] = []

    @property
    def best(self) -> int | None:
        """The index of the evaluation that did best, the first of equals; None before there is one."""
        best = None
        for index, found in enumerate(self.evaluations):
            if best is None or self.objective.better(found, self.evaluations[best], self.params):
                best = index
        return best

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or validation has not improved for `patience` evaluations."""
        since_best = 0 if self.best is None else len(self.evaluations) - 1 - self.best
        return not self.due and (self.done == len(self.steps) or since_best >= self.params.patience)

    @property
    def due(self) -> bool:
        """Whether an evaluation is due that was interrupted, or that a snapshot was taken before."""
        measured = self.evaluations[-1].step if self.evaluations else 0
        return self.done > measured and self.steps[self.done - 1].evaluate

    def advance(self) -> None:
        """Make the next update, and the evaluation that is due after it; or that alone, where one was interrupted.

        An evaluation is left undone, and stays due, when the training is `asked` to stop.

        Raises:
            UsageError: A loss is not finite; the message names its step and its examples.
        """
        if not self.due:
            self._update()
        if self.due:
            self.look()
            with suppress(Interrupted):
                self._evaluate(self.steps[self.done - 1])

    def _update(self) -> None:
        step = self.steps[self.done]
        set_rate(self.optimizer, self._learning_rate(step))
        with own_randomness(self.params.seed, step.number, self.device, rank=self.ranks.rank):
            losses = self.objective.losses(
                self.model, self.train, self.prepared, step, self.params, self.device, self.ranks
            )
            made = update(
                self.model,
                self.optimizer,
                losses,
                max_grad_norm=self.params.max_grad_norm,
                device=self.device,
                ranks=self.ranks,
            )
            self._waiting.append(made)
        self.done = step.number
        if len(self._waiting) == STEPS_BETWEEN_LOOKS:
            self.look()

    def look(self) -> None:
        """Wait for the device and look at the losses of the last updates.

        Raises:
            UsageError: One is not finite.
        """
        if self._waiting:
            steps = self.steps[self.done - len(self._waiting) : self.done]
            self._losses += look(
                steps, self._waiting, lambda step: self.objective.names(self.train, step), self.params.learning_rate
            )
            self._waiting.clear()

    @property
    def loss(self) -> float | None:
        """The mean of the last losses looked at since the last evaluation; None where there are none."""
        last = self._losses[-STEPS_BETWEEN_LOOKS:]
        return sum(last) / len(last) if last else None

    def snapshot(self) -> Snapshot:
        """Return a copy of all that the rest depends on."""
        self.look()
        tensors: dict[str, torch.Tensor] = {f"model.{name}": value for name, value in _learning(self.model)}
        tensors |= {f"best.{name}": value for name, value in self.best_weights.items()}
        for name, kept in self._kept():
            tensors |= {f"optimizer.{key}.{name}": value for key, value in kept.items()}
        evaluations = [found._asdict() for found in self.evaluations]
        record = {"done": self.done, "losses": list(self._losses), "evaluations": evaluations}
        return Snapshot({name: value.detach().to("cpu", copy=True) for name, value in tensors.items()}, record)

    def restore(self, found: Snapshot) -> None:
        """Go on from a snapshot of a training with the same arguments."""
        learned = dict(_learning(self.model))
        with torch.no_grad():
            for name, value in learned.items():
                value.copy_(found.tensors[f"model.{name}"])
        self.best_weights = {name: found.tensors[f"best.{name}"].to(self.device.device) for name in learned}
        for name, value in learned.items():
            kept = {key: found.tensors.get(f"optimizer.{key}.{name}") for key in ADAMW_KEEPS}
            self.optimizer.state[value] = {
                key: tensor.to(self.device.device, copy=True) for key, tensor in kept.items() if tensor is not None
            }
        self.done, self._losses = found.record["done"], list(found.record["losses"])
        self.evaluations = [self.objective.evaluation(**one) for one in found.record["evaluations"]]

    def result(self) -> Trained:
        """Leave the model with the weights that did best, and return what was done."""
        if self.best is None:
            raise RuntimeError("the result is that of a training with an evaluation")
        self.model.load_state_dict(self.best_weights, strict=False)
        ending = "early" if self.done < len(self.steps) else "finished"
        return Trained(len(self.steps), self.evaluations[self.best], tuple(self.evaluations), ending)

    def _learning_rate(self, step: Step) -> float:
        share = rate(step.number - 1, steps=len(self.steps), warmup=self.params.warmup, schedule=self.params.schedule)
        return share * self.params.learning_rate

    def _evaluate(self, step: Step) -> None:
        def go_on() -> None:
            if self.asked():
                raise Interrupted

        moment = Moment(step.number, step.epoch, self._learning_rate(step), sum(self._losses) / len(self._losses))
        found = self.objective.measure(self.model, self.validation, moment, self.params, self.device, self.ranks, go_on)
        self._losses.clear()
        require_finite(found.loss, step.number, self.params.learning_rate)
        self.evaluations.append(found)
        if self.best == len(self.evaluations) - 1:
            self.best_weights = _learned(self.model)

    def _kept(self) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
        """Yield what the optimizer keeps of each weight that learns; nothing of one it has not met yet."""
        for name, value in _learning(self.model):
            if value in self.optimizer.state:
                yield name, self.optimizer.state[value]


def _learning(model: PreTrainedModel) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """Yield the weights that learn, by name."""
    return ((name, value) for name, value in model.named_parameters() if value.requires_grad)


def _learned(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return a copy of the weights that learn; the frozen ones need none."""
    return {name: value.detach().clone() for name, value in _learning(model)}


@contextmanager
def own_randomness(seed: int, step: int, device: Device, *, rank: int = 0) -> Iterator[None]:
    """Make the global generators of the block depend on (seed, step, rank) alone, and leave them as they were."""
    with torch.random.fork_rng(devices=[] if device.device.type == "cpu" else [torch.cuda.current_device()]):
        torch.manual_seed(int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0]))
        yield
