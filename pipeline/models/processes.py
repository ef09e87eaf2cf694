"""One training in several processes, each of which computes its share of every batch: what they tell each other.

`torchrun --nproc-per-node N -m pipeline finetune ...` starts them; a stage that is started alone is the first of one.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import torch
from torch import distributed

# A process may be choosing, reading a checkpoint or writing one while the others wait for it.
PATIENCE = timedelta(hours=1)


class Ranks(NamedTuple):
    """Which of how many processes this is, from 0; `control` is their group for messages between hosts."""

    rank: int = 0
    size: int = 1
    control: distributed.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes what the others would write too."""
        return self.rank == 0


ALONE = Ranks()


@contextmanager
def joined() -> Iterator[Ranks]:
    """Join the processes that torchrun started with this one, for the block; alone where there are none."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)
    try:
        control = distributed.new_group(backend="gloo", timeout=PATIENCE)
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), control)
    finally:
        distributed.destroy_process_group()


@contextmanager
def first_then_others(ranks: Ranks) -> Iterator[None]:
    """Run the block in the first process, and only then in the others, which find what it left."""
    if not ranks.first:
        _meet(ranks)
    yield
    if ranks.first:
        _meet(ranks)


def any_of(said: bool, ranks: Ranks) -> bool:  # it is what is said
    """Return whether any process says so; all of them have to ask."""
    if ranks.size == 1:
        return said
    told = torch.tensor([int(said)])
    distributed.all_reduce(told, group=ranks.control)
    return bool(told.item())


def agree(number: int, ranks: Ranks) -> bool:
    """Return whether all processes have the same number."""
    if ranks.size == 1:
        return True
    bounds = torch.tensor([number, -number])
    distributed.all_reduce(bounds, distributed.ReduceOp.MAX, group=ranks.control)
    return bool(bounds[0] == -bounds[1])


def add_up(tensors: Sequence[torch.Tensor], ranks: Ranks) -> None:
    """Make each tensor the sum of what the processes have in its place; one message for all of them."""
    if ranks.size > 1 and tensors:
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))


def _meet(ranks: Ranks) -> None:
    if ranks.size > 1:
        distributed.barrier(group=ranks.control)
