"""The ranks of one training: processes that each compute a share of every batch, and the messages between them.

`torchrun --nproc-per-node N -m pipeline finetune ...` starts them; a stage that is started alone is the first of one.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple, TypeVar

import torch
from torch import distributed

_Batch = TypeVar("_Batch")
# A rank may be choosing, reading a checkpoint or writing one while the others wait for it.
TIMEOUT = timedelta(hours=1)


class Ranks(NamedTuple):
    """The rank of this process, from 0, among `size`; `control` is the group for messages between the hosts' CPUs."""

    rank: int = 0
    size: int = 1
    control: distributed.ProcessGroup | None = None

    @property
    def first(self) -> bool:
        """Whether this process writes and prints for all ranks."""
        return self.rank == 0


ALONE = Ranks()


@contextmanager
def join_ranks() -> Iterator[Ranks]:
    """Join the processes that torchrun started with this one, for the block; `ALONE` if there are none."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=TIMEOUT)
    try:
        control = distributed.new_group(backend="gloo", timeout=TIMEOUT)
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), control)
    finally:
        distributed.destroy_process_group()


@contextmanager
def first_then_others(ranks: Ranks) -> Iterator[None]:
    """Run the block on the first rank, then on the others, which can use the files that the first wrote."""
    if not ranks.first:
        _wait_for_all(ranks)
    yield
    if ranks.first:
        _wait_for_all(ranks)


def share_batches(batches: Sequence[_Batch], ranks: Ranks, go_on: Callable[[], None]) -> Iterator[_Batch]:
    """Yield the batches of this rank; `go_on` is called before each, on all ranks alike, and may raise to end early."""
    for start in range(0, len(batches), ranks.size):
        go_on()
        yield from batches[start + ranks.rank : start + ranks.rank + 1]  # one, or none at the end


def any_rank(flag: bool, ranks: Ranks) -> bool:
    """Return whether `flag` is set on any rank. Collective: every rank must call it."""
    if ranks.size == 1:
        return flag
    flags_set = torch.tensor([int(flag)])
    distributed.all_reduce(flags_set, group=ranks.control)
    return bool(flags_set.item())


def ranks_agree(number: int, ranks: Ranks) -> bool:
    """Return whether all ranks have the same number. Collective: every rank must call it."""
    if ranks.size == 1:
        return True
    bounds = torch.tensor([number, -number])
    distributed.all_reduce(bounds, distributed.ReduceOp.MAX, group=ranks.control)
    return bool(bounds[0] == -bounds[1])


def sum_over_ranks(tensors: Sequence[torch.Tensor], ranks: Ranks) -> None:
    """Replace each tensor by its sum over all ranks, in one message. Collective: every rank must call it."""
    if ranks.size > 1 and tensors:
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))


def _wait_for_all(ranks: Ranks) -> None:
    if ranks.size > 1:
        distributed.barrier(group=ranks.control)
