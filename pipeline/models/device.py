"""The device that computes, its precision and its threads, chosen by capability and not by name."""

import ctypes
import os
import platform
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import psutil
import torch

# bf16 must be clearly faster: at a tie, noise would choose between two results.
MIN_BF16_GAIN = 1.25
# M_MMAP_MAX, M_TRIM_THRESHOLD and M_TOP_PAD of malloc.h: no block of its own, none given back, 64 MiB at a time.
MALLOC = {-4: 0, -1: 2**31 - 1, -2: 2**26}
# Linux lists here the processors of a core: they share its multipliers, so a second thread on it gains little.
TOPOLOGY = Path("/sys/devices/system/cpu")


class Device(NamedTuple):
    """The device of a model; `precision` is that of its matrix products, while weights are always fp32."""

    device: torch.device
    precision: Literal["fp32", "bf16"]
    reason: str


def choose_device(precision: Literal["auto", "fp32", "bf16"]) -> Device:
    """Return the GPU if there is one, else the CPU, with the precision asked for or, for `auto`, the best one."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if precision != "auto":
        return Device(device, precision, "set by `precision`")
    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return Device(device, "bf16" if has_bf16 else "fp32", "the GPU has bf16" if has_bf16 else "the GPU has no bf16")
    if not cpu_has_bf16():
        return Device(device, "fp32", "the processor has no bf16 instructions")
    if measure_bf16_gain() < MIN_BF16_GAIN:
        return Device(device, "fp32", f"bf16 matrix products were measured less than {MIN_BF16_GAIN} times as fast")
    return Device(device, "bf16", f"bf16 matrix products were measured at least {MIN_BF16_GAIN} times as fast")


def count_threads(requested: int | Literal["auto"]) -> tuple[int, str]:
    """Return how many threads compute, and why: the number requested, or one for each core this process may use."""
    if requested != "auto":
        return requested, "set by `threads`"
    if not hasattr(os, "sched_getaffinity"):  # not Linux: a process may use every core
        return psutil.cpu_count(logical=False) or 1, "one a core"
    return len({find_siblings(processor) for processor in os.sched_getaffinity(0)}), "one a core"


def find_siblings(processor: int) -> str:
    """Return the processors that share a core with this one, as Linux writes them; this one alone if it is silent."""
    path = TOPOLOGY / f"cpu{processor}" / "topology" / "thread_siblings_list"
    return path.read_text(encoding="ascii").strip() if path.is_file() else str(processor)


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """Compute with this many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Make the global generators of the block depend on `seed` alone, and restore them afterwards.

    Of several GPUs that is the current one: a process computes on no other.
    """
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if torch.cuda.is_available() else []):
        torch.manual_seed(seed)
        yield


def keep_memory() -> None:
    """Keep the memory this process frees for its next tensors, if the C library is glibc.

    By default glibc returns large blocks and requests them again at every step, and the system clears each page again.
    """
    if platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for option, value in MALLOC.items():
            library.mallopt(option, value)


def cpu_has_bf16() -> bool:
    """Return whether the processor multiplies bf16 natively (AVX512-BF16 or AMX); emulation is slower than fp32.

    PyTorch restricted to AVX2 (`ATEN_CPU_CAPABILITY=avx2`) counts as a processor without it.
    """
    capabilities = torch.cpu.get_capabilities()
    native = any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16"))
    return native and torch.backends.cpu.get_cpu_capability() not in ("DEFAULT", "AVX2")


def measure_bf16_gain(*, size: int = 768, repeats: int = 7) -> float:
    """Return how many times as fast a bf16 matrix product of `size` is as one in fp32: the ratio of medians.

    The clock is the processor time of one thread. Wall time would depend on other work on the machine, which stretches
    it unevenly when threads wait for each other and could so choose between two results.
    """
    full = torch.ones(size, size)
    with with_threads(1):
        return _median_seconds(full, repeats) / _median_seconds(full.to(torch.bfloat16), repeats)


def _median_seconds(matrix: torch.Tensor, repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 1):
        start = time.thread_time()
        matrix @ matrix
        seconds.append(time.thread_time() - start)
    return statistics.median(seconds[1:])  # the first one warms up
