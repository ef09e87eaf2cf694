"""Threads, precision and attention: what a model computes with, and whether an attention computes the same."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from transformers import PreTrainedModel

from pipeline.core.errors import UsageError
from pipeline.models import device as devices
from pipeline.models.attention import FLAT, one_kernel
from pipeline.models.device import Device, choose
from pipeline.models.folder import quiet
from pipeline.settings.task import ExtractParams, TrainingParams

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
