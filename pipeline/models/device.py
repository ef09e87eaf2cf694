"""The device that computes, its precision and its threads, decided by what it can do and not by its name."""

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

# bf16 must win clearly: a tie would let noise choose between two results.
WORTHWHILE = 1.25
# M_MMAP_MAX, M_TRIM_THRESHOLD and M_TOP_PAD of malloc.h: no block of its own, none given back, 64 MiB at a time.
MALLOC = {-4: 0, -1: 2**31 - 1, -2: 2**26}
# Linux says here which of its processors share a core: they share what multiplies, so a second thread gains little.
TOPOLOGY = Path("/sys/devices/system/cpu")


class Device(NamedTuple):
    """Where a model runs: `precision` is what matrix products are computed in; weights are always fp32."""

    device: torch.device
    precision: Literal["fp32", "bf16"]
    reason: str


def choose(precision: Literal["auto", "fp32", "bf16"]) -> Device:
    """Return the GPU if there is one, else the CPU, and the precision asked for or, for `auto`, found best."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if precision != "auto":
        return Device(device, precision, "set by `precision`")
    if device.type == "cuda":
        able = torch.cuda.is_bf16_supported(including_emulation=False)
        return Device(device, "bf16" if able else "fp32", "the GPU has bf16" if able else "the GPU has no bf16")
    if not cpu_has_bf16():
        return Device(device, "fp32", "the processor has no bf16 instructions")
    if bf16_gain() < WORTHWHILE:
        return Device(device, "fp32", f"bf16 matrix products were measured less than {WORTHWHILE} times as fast")
    return Device(device, "bf16", f"bf16 matrix products were measured at least {WORTHWHILE} times as fast")


def threads(wanted: int | Literal["auto"]) -> tuple[int, str]:
    """Return how many threads compute, and why: the number asked for, or one a core that this process may use."""
    if wanted != "auto":
        return wanted, "set by `threads`"
    if not hasattr(os, "sched_getaffinity"):  # not Linux: a process may use them all
        return psutil.cpu_count(logical=False) or 1, "one a core"
    return len({siblings(processor) for processor in os.sched_getaffinity(0)}), "one a core"


def siblings(processor: int) -> str:
    """Return which processors share a core with this one, as Linux writes it; where it does not say, this one alone."""
    path = TOPOLOGY / f"cpu{processor}" / "topology" / "thread_siblings_list"
    return path.read_text(encoding="ascii").strip() if path.is_file() else str(processor)


@contextmanager
def computing_with(count: int) -> Iterator[None]:
    """Compute with this many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def keep_memory() -> None:
    """Keep what this process frees for its next tensors, where the C library is glibc.

    It gives large blocks back and asks for them again at every step, and the system clears each page anew.
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


def bf16_gain(*, size: int = 768, repeats: int = 7) -> float:
    """Return how many times as fast a bf16 matrix product of `size` is as the same in fp32: the ratio of medians.

    The clock is the processor time of one thread: other work on the machine, which stretches wall time unevenly where
    threads wait for each other, then does not choose between two results.
    """
    full = torch.ones(size, size)
    with computing_with(1):
        return _median_seconds(full, repeats) / _median_seconds(full.to(torch.bfloat16), repeats)


def _median_seconds(matrix: torch.Tensor, repeats: int) -> float:
    seconds = []
    for _ in range(repeats + 1):
        start = time.thread_time()
        matrix @ matrix
        seconds.append(time.thread_time() - start)
    return statistics.median(seconds[1:])  # the first one warms up
