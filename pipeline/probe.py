"""What a training runs with where its parameters leave that to a measurement: threads, precision, attention."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from transformers import PreTrainedModel

from pipeline import device as devices
from pipeline.batches import Indices
from pipeline.device import Device, choose
from pipeline.errors import EnvironmentFault, UsageError
from pipeline.files import json_text, read_json, write_json
from pipeline.learning import CLASSES
from pipeline.packing import FLAT
from pipeline.parallel import ALONE, Ranks, first_then_others
from pipeline.params import ExtractParams, TrainingParams
from pipeline.quiet import quiet
from pipeline.steps import Objective, Step

# The first one is taken unless another is clearly faster, so that noise does not choose between two results.
ATTENTIONS = {"cpu": ("eager", "sdpa", FLAT), "cuda": (FLAT, "sdpa", "eager")}
WORTHWHILE = 1.25
ROWS, ROUNDS, SECONDS = 32, 3, 2.0
# Of the largest logit: what two orders of summing may differ by, and far below what a leak between examples does.
TOLERANCE = 1e-3


class Choice(NamedTuple):
    """What was chosen; it decides the last bits of a result, so it is kept and recorded."""

    threads: int
    precision: Literal["fp32", "bf16"]
    attention: str
    reason: str


@contextmanager
def chosen(
    model: PreTrainedModel,
    train: Any,
    params: TrainingParams,
    path: Path,
    identity: str,
    ranks: Ranks,
    objective: Objective = CLASSES,
) -> Iterator[tuple[Choice, Device]]:
    """Make the model compute with what is chosen for the training `identity`, kept at `path`, inside the block."""
    with first_then_others(ranks):
        choice = settled(path, identity, lambda: measured(model, train, params, objective))
    devices.keep_memory()
    torch.set_num_threads(max(1, choice.threads // ranks.size) if params.threads == "auto" else choice.threads)
    device = choose(choice.precision)
    if ranks.first:
        print(f"{device.device.type}, {', '.join(map(str, choice[:3]))} ({choice.reason})", flush=True)
    with using(model, choice.attention):
        yield choice, device


def settled(path: Path, identity: str, measure: Callable[[], Choice]) -> Choice:
    """Return the choice kept at `path` for the training `identity`, or measure one and keep it there.

    So a training that goes on after a kill goes on with what it began with.
    """
    with contextlib.suppress(EnvironmentFault, AttributeError, KeyError, TypeError):  # not there, or of another shape
        kept = read_json(path)
        choice = Choice(**kept["choice"])
        if (kept["identity"], kept["key"]) == (identity, key(identity, choice)):
            return choice
    choice = measure()
    write_json(path, {"identity": identity, "key": key(identity, choice), "choice": choice._asdict()})
    return choice


def key(identity: str, choice: Choice, *, processes: int = 1) -> str:
    """Return 64 hexadecimal digits of a training, of what was chosen for it, and of how many processes share it."""
    chosen = [choice.threads, choice.precision, choice.attention, processes]
    return hashlib.sha256(json_text([identity, chosen]).encode()).hexdigest()


def measured(model: PreTrainedModel, train: Any, params: TrainingParams, objective: Objective = CLASSES) -> Choice:
    """Return what a training by `params` runs with; see `best`."""
    step = _typical(train, params, objective)
    return best(
        model,
        params,
        able=lambda name, device: agrees(model, name, train, step.rows, device, objective),
        step=lambda name, device: _timed(model, name, train, step, params, device, objective),
    )


def best(
    model: PreTrainedModel,
    params: TrainingParams | ExtractParams,
    *,
    able: Callable[[str, Device], bool],
    step: Callable[[str, Device], Callable[[], None]],
) -> Choice:
    """Return what `params` says, and where it says `auto`, what is fastest on this device; takes some seconds at most.

    `able` says whether the model computes the same with an attention, `step` makes what is timed with one.

    Raises:
        UsageError: The model can not compute with the attention that `params` asks for.
    """
    threads, why_threads = devices.threads(params.threads)
    torch.set_num_threads(threads)
    device = choose(params.precision)
    model.to(device.device)  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    wanted = ATTENTIONS[device.device.type] if params.attention == "auto" else (params.attention,)
    found = [name for name in wanted if able(name, device)]
    if not found:
        raise UsageError(
            f"{type(model).__name__} does not compute the same with `attention` {params.attention}; set auto"
        )
    attention, why_attention = found[0], "set by `attention`"
    if params.attention == "auto":
        with devices.stopwatch(device.device) as clock:
            seconds = timed({name: step(name, device) for name in found}, clock)
        attention, why_attention = fastest(seconds)
    reasons = (f"threads: {why_threads}", f"precision: {device.reason}", f"attention: {why_attention}")
    return Choice(threads, device.precision, attention, "; ".join(reasons))


def agrees(
    model: PreTrainedModel, attention: str, train: Any, rows: Indices, device: Device, objective: Objective = CLASSES
) -> bool:
    """Return whether the model gives the outputs of eager attention with this one, each example apart from the others.

    A family that does not hand its arguments down to the attention would let the examples of a flat batch see each
    other.
    """
    exact = device._replace(precision="fp32")
    return equal(model, attention, lambda: objective.outputs(model, train, rows, exact))


def equal(model: PreTrainedModel, attention: str, outputs: Callable[[], torch.Tensor]) -> bool:
    """Return whether the model's `outputs` in fp32 are those of eager attention with this one too."""
    model.eval()
    try:
        found = []
        for name in ("eager", attention):
            with torch.inference_mode(), using(model, name):
                found.append(outputs())
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, RuntimeError, AttributeError, LookupError):  # a family that does not take it
        return False
    expected, ours = found
    if not expected.isfinite().all():  # that says nothing of an attention; the training names its step and examples
        return True
    return expected.shape == ours.shape and bool((expected - ours).abs().max() <= TOLERANCE * expected.abs().max())


def fastest(seconds: Mapping[str, float]) -> tuple[str, str]:
    """Return the first name unless another takes clearly less, and why, in words that are the same on every run."""
    first = next(iter(seconds))
    best = min(seconds, key=seconds.__getitem__)
    shown = ", ".join(f"{name} {seconds[first] / taken:.2f}" for name, taken in seconds.items())
    print(f"speed of attention: {shown}", flush=True)
    if seconds[first] < WORTHWHILE * seconds[best]:
        return first, f"no other was measured {WORTHWHILE} times as fast"
    return best, f"measured at least {WORTHWHILE} times as fast as {first}"


def timed(steps: Mapping[str, Callable[[], None]], clock: Callable[[], float]) -> dict[str, float]:
    """Return the least time of each step by `clock`, after one that warms up; they take turns, against drift."""
    for step in steps.values():
        step()
    best = dict.fromkeys(steps, float("inf"))
    begin = time.perf_counter()
    for _ in range(ROUNDS):
        for name, step in steps.items():
            start = clock()
            step()
            best[name] = min(best[name], clock() - start)
        if time.perf_counter() - begin > SECONDS:
            break
    return best


@contextmanager
def using(model: PreTrainedModel, attention: str) -> Iterator[None]:
    """Make the model compute with `attention` inside the block.

    Raises:
        ValueError: The model's family does not know it.
    """
    before = model.config._attn_implementation  # the library has no public name for it
    with quiet():  # its warning of a family that does not take it is raised below
        model.set_attn_implementation(attention)
    try:
        if model.config._attn_implementation != attention:
            raise ValueError(f"{type(model).__name__} has no attention {attention!r}")
        yield
    finally:
        model.set_attn_implementation(before)


def _typical(train: Any, params: TrainingParams, objective: Objective) -> Step:
    """Return the update, cut to `ROWS` examples, whose length is the median one of the first epoch."""
    steps: list[Step] = []
    for step in objective.plan(train, params):
        steps.append(step)
        if step.epoch >= 1:  # the last of its epoch: to ask for another would draw the next one
            break
    if not steps:
        raise UsageError("there is nothing to train on")
    found = sorted(steps, key=lambda step: objective.longest(train, step))[len(steps) // 2]
    return found._replace(parts=(found.rows[:ROWS],))


def _timed(
    model: PreTrainedModel,
    attention: str,
    train: Any,
    step: Step,
    params: TrainingParams,
    device: Device,
    objective: Objective,
) -> Callable[[], None]:
    """Return the forward and backward of one batch, without an update and without a trace in any random state."""
    prepared = objective.prepare(model, train, params, device)

    def run() -> None:
        model.train()
        with torch.random.fork_rng(), using(model, attention):
            for loss in objective.losses(model, train, prepared, step, params, device, ALONE):
                loss.backward()
        model.zero_grad(set_to_none=True)
        if device.device.type == "cuda":
            torch.cuda.synchronize()

    return run
