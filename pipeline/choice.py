"""What a model computes with where its parameters leave that open: threads, precision, attention."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline import device as devices
from pipeline.batches import Indices
from pipeline.device import Device, choose
from pipeline.errors import EnvironmentFault, UsageError
from pipeline.files import json_text, read_json, write_json
from pipeline.packing import FLAT, one_kernel
from pipeline.parallel import Ranks, first_then_others
from pipeline.params import ExtractParams, TrainingParams
from pipeline.quiet import quiet
from pipeline.steps import Objective

# Enough to see whether an attention computes the same, and whether examples see each other.
ROWS = 32
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
    objective: Objective,
) -> Iterator[tuple[Choice, Device]]:
    """Make the model compute with what is chosen for the training `identity`, kept at `path`, inside the block."""
    with first_then_others(ranks):
        choice = settled(path, identity, lambda: for_training(model, train, params, objective))
    devices.keep_memory()
    torch.set_num_threads(max(1, choice.threads // ranks.size) if params.threads == "auto" else choice.threads)
    device = choose(choice.precision)
    if ranks.first:
        print(f"{device.device.type}, {', '.join(map(str, choice[:3]))} ({choice.reason})", flush=True)
    with using(model, choice.attention):
        yield choice, device


def settled(path: Path, identity: str, make: Callable[[], Choice]) -> Choice:
    """Return the choice kept at `path` for the training `identity`, or make one and keep it there.

    So a training that goes on after a kill goes on with what it began with.
    """
    with contextlib.suppress(EnvironmentFault, AttributeError, KeyError, TypeError):  # not there, or of another shape
        kept = read_json(path)
        choice = Choice(**kept["choice"])
        if (kept["identity"], kept["key"]) == (identity, key(identity, choice)):
            return choice
    choice = make()
    write_json(path, {"identity": identity, "key": key(identity, choice), "choice": choice._asdict()})
    return choice


def key(identity: str, choice: Choice, *, processes: int = 1) -> str:
    """Return 64 hexadecimal digits of a training, of what was chosen for it, and of how many processes share it."""
    deciding = [choice.threads, choice.precision, choice.attention, processes]
    return hashlib.sha256(json_text([identity, deciding]).encode()).hexdigest()


def for_training(model: PreTrainedModel, train: Any, params: TrainingParams, objective: Objective) -> Choice:
    """Return what a training by `params` runs with; see `decide`.

    Raises:
        UsageError: There is nothing to train on.
    """
    rows: list[int] = []
    for step in objective.plan(train, params):
        rows.extend(step.rows.tolist())
        if len(rows) >= ROWS or step.epoch >= 1:  # the last of its epoch: to ask for another would draw the next one
            break
    if not rows:
        raise UsageError("there is nothing to train on")
    some = np.array(rows[:ROWS], np.int64)
    return decide(
        model, params, lambda name, device: agrees(model, name, train, some, device, objective), dropout=params.dropout
    )


def decide(
    model: PreTrainedModel,
    params: TrainingParams | ExtractParams,
    able: Callable[[str, Device], bool],
    *,
    dropout: float = 0.0,
) -> Choice:
    """Return what `params` says, and where it says `auto`, what suits this device and this model.

    `able` says whether the model computes the same with an attention. Attentions are not timed against each other:
    other work on the machine would then decide between results that differ in their last bits.

    Raises:
        UsageError: The model can not compute with the attention that `params` asks for.
    """
    threads, why_threads = devices.threads(params.threads)
    torch.set_num_threads(threads)
    device = choose(params.precision)
    model.to(device.device)  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    wanted = order(model, device, dropout) if params.attention == "auto" else (params.attention,)
    attention = next((name for name in wanted if able(name, device)), None)
    if attention is None:
        raise UsageError(
            f"{type(model).__name__} does not compute the same with `attention` {params.attention}; set auto"
        )
    why_attention = "set by `attention`"
    if params.attention == "auto":
        refused = wanted[: wanted.index(attention)]
        why_attention = f"of a {device.device.type}" + (f" without {', '.join(refused)}, which differ" * bool(refused))
    reasons = (f"threads: {why_threads}", f"precision: {device.reason}", f"attention: {why_attention}")
    return Choice(threads, device.precision, attention, "; ".join(reasons))


def order(model: PreTrainedModel, device: Device, dropout: float) -> tuple[str, ...]:
    """Return the attentions, the one that is fastest on such a device first.

    On a CPU it is the stock product: a batch holds examples of near-equal length, so there is next to no padding to
    save (docs/log.md has the times). On a GPU it is the flat batch where one kernel takes it whole.
    """
    if device.device.type == "cpu":
        return ("eager",)
    size = model.config.hidden_size // model.config.num_attention_heads
    kind = torch.bfloat16 if device.precision == "bf16" else torch.float32
    return (FLAT, "sdpa", "eager") if one_kernel(device.device.type, kind, size, dropout) else ("sdpa", "eager")


def agrees(
    model: PreTrainedModel, attention: str, train: Any, rows: Indices, device: Device, objective: Objective
) -> bool:
    """Return whether the model gives the outputs of eager attention with this one, each example apart from the others.

    A family that does not hand its arguments down to the attention would let the examples of a flat batch see each
    other.
    """
    exact = device._replace(precision="fp32")
    return equal(model, attention, lambda: objective.outputs(model, train, rows, exact))


def equal(model: PreTrainedModel, attention: str, outputs: Callable[[], torch.Tensor]) -> bool:
    """Return whether the model's `outputs` in fp32 are those of eager attention with this one too."""
    if attention == "eager":
        return True
    mode = model.training
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
    finally:
        model.train(mode)
    expected, ours = found
    if not expected.isfinite().all():  # that says nothing of an attention; the training names its step and examples
        return True
    return expected.shape == ours.shape and bool((expected - ours).abs().max() <= TOLERANCE * expected.abs().max())


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
