"""The compute choice of a training: made once, kept beside its checkpoints, part of their key."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from pipeline.core.document import json_text
from pipeline.core.errors import EnvironmentFault
from pipeline.core.files import read_json, write_json
from pipeline.models.compute import ROWS_COMPARED, Choice, choose_compute, with_attention
from pipeline.models.device import Device, choose_device, keep_memory
from pipeline.models.processes import ALONE, Ranks, first_then_others
from pipeline.settings.task import TrainingParams
from pipeline.train.objective import Objective, require_steps


def choose_for_training(model: PreTrainedModel, train: Any, params: TrainingParams, objective: Objective) -> Choice:
    """Return the compute choice of a training, attentions compared on some of its first rows; see `choose_compute`.

    Raises:
        UsageError: There is nothing to train on.
    """
    steps = objective.plan(train, params)
    require_steps(steps)
    rows: list[int] = []
    for step in steps:
        rows.extend(step.rows.tolist())
        if len(rows) >= ROWS_COMPARED or step.epoch >= 1:  # at the end of an epoch, asking on would draw the next one
            break
    compared = np.array(rows[:ROWS_COMPARED], np.int64)
    return choose_compute(
        model, params, lambda device: objective.outputs(model, train, compared, device), dropout=params.dropout
    )


def restore_choice(
    model: PreTrainedModel,
    train: Any,
    params: TrainingParams,
    objective: Objective,
    *,
    path: Path,
    identity: str,
    ranks: Ranks = ALONE,
) -> Choice:
    """Return the choice kept at `path` for the training `identity`; if it is missing, the first rank makes it."""
    with first_then_others(ranks):
        return load_or_choose(path, identity, lambda: choose_for_training(model, train, params, objective))


def load_or_choose(path: Path, identity: str, choose: Callable[[], Choice]) -> Choice:
    """Return the choice kept at `path` for the training `identity`, or choose and keep it there.

    So a training that resumes after a kill continues with the choice it started with.
    """
    with contextlib.suppress(EnvironmentFault, AttributeError, KeyError, TypeError):  # missing, or of another shape
        record = read_json(path)
        choice = Choice(**record["choice"])
        if (record["identity"], record["key"]) == (identity, checkpoint_key(identity, choice)):
            return choice
    choice = choose()
    write_json(path, {"identity": identity, "key": checkpoint_key(identity, choice), "choice": choice._asdict()})
    return choice


def checkpoint_key(identity: str, choice: Choice, processes: int = 1) -> str:
    """Return 64 hexadecimal digits of a training, its compute choice, and the number of processes that share it."""
    deciding = [choice.threads, choice.precision, choice.attention, processes]
    return hashlib.sha256(json_text([identity, deciding]).encode()).hexdigest()


@contextlib.contextmanager
def with_choice(
    model: PreTrainedModel, choice: Choice, params: TrainingParams, ranks: Ranks = ALONE
) -> Iterator[Device]:
    """Make the model compute by `choice` inside the block, print it, and yield the device.

    Ranks share the threads of the machine unless `params` sets their number.
    """
    keep_memory()
    torch.set_num_threads(max(1, choice.threads // ranks.size) if params.threads == "auto" else choice.threads)
    device = choose_device(choice.precision)
    if ranks.first:
        print(choice.describe(device), flush=True)
    with with_attention(model, choice.attention):
        yield device
