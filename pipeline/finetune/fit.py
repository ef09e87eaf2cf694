"""The fit of a model to a task: tokens checked, layers frozen, adapters added, compute chosen, training ready."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from transformers import PreTrainedModel

from pipeline.finetune.learning import Learning, as_read
from pipeline.finetune.lora import with_adapters
from pipeline.models.compute import Choice
from pipeline.models.layers import freeze
from pipeline.models.processes import ALONE, Ranks
from pipeline.settings.task import FinetuneParams
from pipeline.train.choice import choose_for_training, with_choice
from pipeline.train.objective import Objective
from pipeline.train.training import Training

Chooser = Callable[[PreTrainedModel, Any, FinetuneParams, Objective], Choice]


@contextmanager
def prepare_training(
    model: PreTrainedModel,
    train: Any,
    validation: Any,
    params: FinetuneParams,
    learning: Learning,
    *,
    choose: Chooser = choose_for_training,
    ranks: Ranks = ALONE,
) -> Iterator[tuple[Training, Choice]]:
    """Yield a training of a new model and its compute choice; the caller runs it to its end inside the block.

    `choose` makes the choice, or restores the one of an interrupted training. Inside the block the model computes by
    it, with adapters and, of the last layer, what its head reads; after the block it is a stock model with its trained
    weights.

    Raises:
        DataError: The rows do not fit the model.
        UsageError: The encoder has fewer layers than are frozen, `lora` has no matrix to adapt, the attention changes
            the outputs, or there is nothing to train on.
    """
    for rows in (train, validation):
        learning.require_fit(rows, model)
    freeze(model, embeddings=params.freeze_embeddings, layers=params.freeze_layers)
    with with_adapters(model, params.lora, seed=params.seed), as_read(model, learning):
        choice = choose(model, train, params, learning.objective)
        with with_choice(model, choice, params, ranks) as device:
            yield Training(model, train, validation, params, device, learning.objective, ranks), choice
