"""The choice of threads, precision and attention, and the test that an attention changes no output."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, NamedTuple

import torch
from transformers import PreTrainedModel

from pipeline.core.document import Document
from pipeline.core.errors import UsageError
from pipeline.models.attention import FLAT, fits_kernel
from pipeline.models.device import Device, choose_device, count_threads
from pipeline.models.folder import silence_library
from pipeline.settings.task import ExtractParams, TrainingParams

# Enough examples to see whether an attention computes the same, and whether examples see each other.
ROWS_COMPARED = 32
# Relative to the largest output. Larger than the difference between two orders of summation, far smaller than a leak
# between examples.
OUTPUT_TOLERANCE = 1e-3


class Choice(NamedTuple):
    """The threads, precision and attention chosen; they decide the last bits of a result, so they are recorded."""

    threads: int
    precision: Literal["fp32", "bf16"]
    attention: str
    reason: str

    def describe(self, device: Device) -> str:
        """Return the choice and its reason as one line."""
        return f"{device.device.type}, {', '.join(map(str, self[:3]))} ({self.reason})"


def describe_machine(choice: Choice, device: Device) -> Document:
    """Return all of this machine that decides the last bits of a result."""
    return {
        "choice": [choice.threads, choice.precision, choice.attention],
        "device": torch.cuda.get_device_name() if device.device.type == "cuda" else device.device.type,
        "processor": dict(torch.cpu.get_capabilities()),
        "kernels": [torch.__version__, torch.backends.cpu.get_cpu_capability()],
    }


def choose_compute(
    model: PreTrainedModel,
    params: TrainingParams | ExtractParams,
    outputs: Callable[[Device], torch.Tensor],
    *,
    dropout: float = 0.0,
) -> Choice:
    """Return the values set in `params`, and for each `auto` the one that suits this device and this model.

    `outputs` are what the model computes of some examples on a device; an attention that changes them is not chosen.
    Attentions are not timed against each other: other work on the machine would then decide between results that
    differ in their last bits.

    Raises:
        UsageError: The model cannot compute with the attention that `params` sets.
    """
    threads, threads_reason = count_threads(params.threads)
    torch.set_num_threads(threads)
    device = choose_device(params.precision)
    model.to(device.device)  # type: ignore[arg-type]  # the library's wrapper loses its own signature
    candidates = rank_attentions(model, device, dropout) if params.attention == "auto" else (params.attention,)
    exact = device._replace(precision="fp32")
    attention = next((name for name in candidates if matches_eager(model, name, lambda: outputs(exact))), None)
    if attention is None:
        raise UsageError(
            f"attention: {params.attention} changes the outputs of {type(model).__name__} (compared with eager). "
            "Set `attention: auto`."
        )
    attention_reason = "set by `attention`"
    if params.attention == "auto":
        rejected = candidates[: candidates.index(attention)]
        differs = f" without {', '.join(rejected)}, which differ" * bool(rejected)
        attention_reason = f"of a {device.device.type}" + differs
    reasons = (f"threads: {threads_reason}", f"precision: {device.reason}", f"attention: {attention_reason}")
    return Choice(threads, device.precision, attention, "; ".join(reasons))


def rank_attentions(model: PreTrainedModel, device: Device, dropout: float) -> tuple[str, ...]:
    """Return the attentions to try on this device, fastest first.

    On a CPU that is the stock product: a batch holds examples of near-equal length, so there is next to no padding to
    save (docs/log.md has the times). On a GPU it is the flat batch, if one kernel can compute it whole.
    """
    if device.device.type == "cpu":
        return ("eager",)
    if not hasattr(model.config, "num_attention_heads"):  # a convolutional family
        return ("eager",)
    head_size = model.config.hidden_size // model.config.num_attention_heads
    dtype = torch.bfloat16 if device.precision == "bf16" else torch.float32
    fits = fits_kernel(device.device.type, dtype, head_size, dropout)
    return (FLAT, "sdpa", "eager") if fits else ("sdpa", "eager")


def matches_eager(model: PreTrainedModel, attention: str, outputs: Callable[[], torch.Tensor]) -> bool:
    """Return whether the model's `outputs` in fp32 are the same with this attention as with eager attention.

    A family that does not pass its arguments on to the attention would let the examples of a flat batch see each
    other.
    """
    if attention == "eager":
        return True
    mode = model.training
    model.eval()
    try:
        pair = []
        for name in ("eager", attention):
            with torch.inference_mode(), with_attention(model, name):
                pair.append(outputs())
    except torch.OutOfMemoryError:
        raise
    except (TypeError, ValueError, RuntimeError, AttributeError, LookupError):  # the family does not support it
        return False
    finally:
        model.train(mode)
    expected, actual = pair
    if not expected.isfinite().all():  # no verdict on an attention; the training will name its step and examples
        return True
    tolerance = OUTPUT_TOLERANCE * expected.abs().max()
    return expected.shape == actual.shape and bool((expected - actual).abs().max() <= tolerance)


@contextmanager
def with_attention(model: PreTrainedModel, attention: str) -> Iterator[None]:
    """Make the model compute with `attention` inside the block.

    Raises:
        ValueError: The model's family does not know it.
    """
    before = model.config._attn_implementation  # the library has no public name for it
    with silence_library():  # instead of its warning that the family does not support it, an error is raised below
        model.set_attn_implementation(attention)
    try:
        if model.config._attn_implementation != attention:
            raise ValueError(f"{type(model).__name__} has no attention {attention!r}")
        yield
    finally:
        model.set_attn_implementation(before)
