"""Low-rank adapters (LoRA) by peft, used while a model learns and merged into its weights afterwards."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn
from transformers import PreTrainedModel

from pipeline.core.errors import UsageError
from pipeline.models.device import seeded
from pipeline.models.layers import find_layers

# The update of a matrix is B A alpha / rank; twice the rank is the usual alpha.
ALPHA_PER_RANK = 2


@contextmanager
def with_adapters(model: PreTrainedModel, rank: int | None, *, seed: int) -> Iterator[None]:
    """Let only the head, the pooler and adapters of `rank` learn inside the block; then the model is a stock one again.

    Every matrix of an encoder layer that is not frozen gets an adapter. If the block ends without an error, the
    adapters are merged into the matrices. A rank of None changes nothing. The initial adapters depend on `seed` alone.

    Raises:
        UsageError: Every layer is frozen.

    Source: Hu et al. 2021, LoRA: Low-Rank Adaptation of Large Language Models, section 4.
    """
    if rank is None:
        yield
        return
    from peft import LoraConfig  # noqa: PLC0415  # its import takes two seconds, and only its users wait for it
    from peft.tuners.lora import LoraModel  # noqa: PLC0415

    inside = {id(module) for layer in find_layers(model) for module in layer.modules()}
    matrices = [
        name
        for name, module in model.named_modules()
        if id(module) in inside and isinstance(module, nn.Linear) and module.weight.requires_grad
    ]
    if not matrices:
        raise UsageError(
            f"lora: no matrix to adapt, `freeze_layers` freezes all {len(find_layers(model))} layers. Lower it, or set "
            "`lora: null`."
        )
    encoder = f"{model.base_model_prefix}."
    head = [p for name, p in model.named_parameters() if not name.startswith(encoder) or ".pooler." in name]
    config = LoraConfig(r=rank, lora_alpha=ALPHA_PER_RANK * rank, target_modules=matrices, lora_dropout=0.0)
    with seeded(seed):
        adapted = LoraModel(model, config, "default")
    for parameter in head:
        parameter.requires_grad = True
    yield
    adapted.merge_and_unload()
    model.requires_grad_(requires_grad=False)
