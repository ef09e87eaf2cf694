"""The tensors of a model that a training changes: weights that learn, and running statistics."""

from collections.abc import Iterator

import torch
from transformers import PreTrainedModel

from pipeline.models.processes import Ranks, sum_over_ranks


def list_learning(model: PreTrainedModel) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """Yield the weights that learn, by name."""
    return ((name, weight) for name, weight in model.named_parameters() if weight.requires_grad)


def list_statistics(model: PreTrainedModel) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the buffers that a model is saved with, say the running means of batch normalisation, by name."""
    saved = model.state_dict(keep_vars=True)
    return ((name, buffer) for name, buffer in model.named_buffers() if name in saved)


def average_statistics(model: PreTrainedModel, ranks: Ranks) -> None:
    """Replace each running statistic by its mean over all ranks, each of which saw other rows. Collective."""
    if ranks.size > 1:
        statistics = [buffer for _, buffer in list_statistics(model) if buffer.is_floating_point()]
        sum_over_ranks(statistics, ranks)
        for buffer in statistics:
            buffer.div_(ranks.size)


def copy_changing(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """Return a copy of the weights that learn, and of running statistics; the frozen ones need none."""
    return {name: tensor.detach().clone() for name, tensor in (*list_learning(model), *list_statistics(model))}
