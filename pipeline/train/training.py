"""A training in progress: a model and rows in, update by update; the best weights and their history out."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel

from pipeline.models.device import Device
from pipeline.models.processes import ALONE, Ranks
from pipeline.settings.task import TrainingParams
from pipeline.train.checkpoints import Checkpoint
from pipeline.train.objective import Moment, Objective, Step, require_steps
from pipeline.train.optimizer import build_optimizer, schedule_rate, set_rate
from pipeline.train.update import read_losses, require_finite_loss, seed_step, update
from pipeline.train.weights import average_statistics, copy_changing, list_learning, list_statistics

# Losses are read together, so that a GPU need not wait for the host at every step.
STEPS_BETWEEN_READS = 16
ADAMW_STATE = ("step", "exp_avg", "exp_avg_sq")


class Trained(NamedTuple):
    """The outcome of a training: updates planned, the best evaluation, all of them, and how it ended.

    `stopped` is "finished" after all updates, "early" if validation no longer improved.
    """

    steps: int
    best: Any
    evaluations: tuple[Any, ...]
    stopped: str


class Interrupted(Exception):
    """An evaluation was abandoned because the training was asked to stop."""


class Training:
    """A training in progress that survives a kill: same arguments and state, same bytes.

    The order of the batches depends on (seed, epoch), dropout on (seed, step), and neither on what ran before, so no
    generator has a state to keep. The global generators are left unchanged.
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
        """Plan every update; `model` learns in place, alike on each of the `ranks`.

        `train` and `validation` are of the objective's own kind.

        Raises:
            UsageError: There is nothing to train on.
        """
        self.model, self.train, self.validation, self.params, self.device = model, train, validation, params, device
        self.ranks, self.objective = ranks, objective
        self.stop_asked: Callable[[], bool] = lambda: False  # called between the batches of an evaluation
        model.to(device.device)  # type: ignore[arg-type]  # the library's wrapper loses its own signature
        self.optimizer = build_optimizer(
            model,
            learning_rate=params.learning_rate,
            weight_decay=params.weight_decay,
            scales=objective.scales(model, params),
        )
        self.prepared = objective.prepare(model, train, params, device)
        self.steps = objective.plan(train, params)
        require_steps(self.steps)
        self.done = 0
        self.evaluations: list[Any] = []
        self.loss_at_evaluation = 0.0  # the mean of the losses due to be read at the last evaluation
        self.best_weights = copy_changing(model)
        self._losses: list[float] = []
        self._pending: list[torch.Tensor] = []

    # -------------------------------------------------------------------------------------------- progress
    @property
    def best(self) -> int | None:
        """The index of the best evaluation, the first of equals; None before there is one."""
        best = None
        for index, evaluation in enumerate(self.evaluations):
            if best is None or self.objective.better(evaluation, self.evaluations[best], self.params):
                best = index
        return best

    @property
    def finished(self) -> bool:
        """Whether all steps are done, or validation has not improved for `patience` evaluations."""
        since_best = 0 if self.best is None else len(self.evaluations) - 1 - self.best
        return not self.due and (self.done == len(self.steps) or since_best >= self.params.patience)

    @property
    def due(self) -> bool:
        """Whether the last step still needs its evaluation: it was interrupted, or the state was taken before it."""
        evaluated = self.evaluations[-1].step if self.evaluations else 0
        return self.done > evaluated and self.steps[self.done - 1].evaluate

    @property
    def loss(self) -> float | None:
        """The mean of the last losses read since the last evaluation; None if there are none."""
        last = self._losses[-STEPS_BETWEEN_READS:]
        return sum(last) / len(last) if last else None

    @property
    def read_in_turn(self) -> bool:
        """Whether this step's losses were due to be read, by their number since the last evaluation."""
        return (len(self._losses) + len(self._pending)) % STEPS_BETWEEN_READS == 0

    def result(self) -> Trained:
        """Give the model the best weights, and return the outcome.

        Raises:
            RuntimeError: There was no evaluation yet.
        """
        if self.best is None:
            raise RuntimeError("a training has no result before its first evaluation")
        self.model.load_state_dict(self.best_weights, strict=False)
        ending = "early" if self.done < len(self.steps) else "finished"
        return Trained(len(self.steps), self.evaluations[self.best], tuple(self.evaluations), ending)

    # -------------------------------------------------------------------------------------------- steps
    def advance(self) -> None:
        """Make the next update and the evaluation due after it; only the evaluation, if one was interrupted.

        If the training is asked to stop, the evaluation is abandoned and stays due.

        Raises:
            UsageError: A loss is not finite; the message names its step and its examples.
        """
        if not self.due:
            self._update()
        if self.due:
            self.read_losses()
            with suppress(Interrupted):
                self._evaluate(self.steps[self.done - 1])

    def read_losses(self) -> None:
        """Wait for the device and read the losses of the last updates.

        Raises:
            UsageError: One is not finite.
        """
        if self._pending:
            steps = self.steps[self.done - len(self._pending) : self.done]
            self._losses += read_losses(
                steps,
                self._pending,
                lambda step: self.objective.name_examples(self.train, step),
                self.params.learning_rate,
            )
            self._pending.clear()

    def _update(self) -> None:
        step = self.steps[self.done]
        set_rate(self.optimizer, self._learning_rate(step))
        with seed_step(self.params.seed, step.number, rank=self.ranks.rank):
            losses = self.objective.losses(
                self.model, self.train, self.prepared, step, self.params, self.device, self.ranks
            )
            total = update(
                self.model,
                self.optimizer,
                losses,
                max_grad_norm=self.params.max_grad_norm,
                device=self.device,
                ranks=self.ranks,
            )
            average_statistics(self.model, self.ranks)
            self._pending.append(total)
        self.done = step.number
        if self.read_in_turn:
            self.read_losses()

    def _learning_rate(self, step: Step) -> float:
        share = schedule_rate(
            step.number - 1, steps=len(self.steps), warmup=self.params.warmup, schedule=self.params.schedule
        )
        return share * self.params.learning_rate

    def _evaluate(self, step: Step) -> None:
        def go_on() -> None:
            if self.stop_asked():
                raise Interrupted

        moment = Moment(step.number, step.epoch, self._learning_rate(step), sum(self._losses) / len(self._losses))
        evaluation = self.objective.measure(
            self.model, self.validation, moment, self.params, self.device, self.ranks, go_on
        )
        last = self._losses[-(len(self._losses) % STEPS_BETWEEN_READS or STEPS_BETWEEN_READS) :]
        self.loss_at_evaluation = sum(last) / len(last)
        self._losses.clear()
        require_finite_loss(evaluation.loss, step.number, self.params.learning_rate)
        self.evaluations.append(evaluation)
        if self.best == len(self.evaluations) - 1:
            self.best_weights = copy_changing(self.model)

    # -------------------------------------------------------------------------------------------- state
    def state(self) -> Checkpoint:
        """Return a copy of all that the rest of the training depends on, apart from its arguments.

        `tensors` are on the CPU: `model.NAME` and `best.NAME` are the weights that learn, `optimizer.KEY.NAME` AdamW's
        state of them. `record` holds the losses since the last evaluation, and the evaluations.
        """
        self.read_losses()
        changing = (*list_learning(self.model), *list_statistics(self.model))
        tensors: dict[str, torch.Tensor] = {f"model.{name}": tensor for name, tensor in changing}
        tensors |= {f"best.{name}": weight for name, weight in self.best_weights.items()}
        for name, state in self._optimizer_state():
            tensors |= {f"optimizer.{key}.{name}": tensor for key, tensor in state.items()}
        evaluations = [evaluation._asdict() for evaluation in self.evaluations]
        copies = {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}
        return Checkpoint(self.done, copies, {"losses": list(self._losses), "evaluations": evaluations})

    def restore(self, state: Checkpoint) -> None:
        """Continue from the state of a training with the same arguments."""
        learning = dict(list_learning(self.model))
        with torch.no_grad():
            for name, tensor in (*learning.items(), *list_statistics(self.model)):
                tensor.copy_(state.tensors[f"model.{name}"])
        self.best_weights = {name: state.tensors[f"best.{name}"].to(self.device.device) for name in self.best_weights}
        for name, weight in learning.items():
            tensors = {key: state.tensors.get(f"optimizer.{key}.{name}") for key in ADAMW_STATE}
            self.optimizer.state[weight] = {
                key: tensor.to(self.device.device, copy=True) for key, tensor in tensors.items() if tensor is not None
            }
        self.done, self._losses = state.step, list(state.record["losses"])
        self.evaluations = [self.objective.evaluation(**fields) for fields in state.record["evaluations"]]

    def _optimizer_state(self) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
        """Yield the optimizer's state of each weight that learns; nothing for one it has not updated yet."""
        for name, weight in list_learning(self.model):
            if weight in self.optimizer.state:
                yield name, self.optimizer.state[weight]
