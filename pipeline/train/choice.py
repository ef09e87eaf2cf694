"""What a model computes with where its parameters leave that open: threads, precision, attention."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.core.document import json_text
from pipeline.core.errors import EnvironmentFault, UsageError
from pipeline.core.files import read_json, write_json
from pipeline.models import device as devices
from pipeline.models.batches import Indices
from pipeline.models.compute import ROWS, Choice, decide, equal, using
from pipeline.models.device import Device, choose
from pipeline.models.processes import Ranks, first_then_others
from pipeline.settings.task import TrainingParams
from pipeline.train.objective import Objective


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


def agrees(
    model: PreTrainedModel, attention: str, train: Any, rows: Indices, device: Device, objective: Objective
) -> bool:
    """Return whether the model gives the outputs of eager attention with this one, each example apart from the others.

    A family that does not hand its arguments down to the attention would let the examples of a flat batch see each
    other.
    """
    exact = device._replace(precision="fp32")
    return equal(model, attention, lambda: objective.outputs(model, train, rows, exact))
