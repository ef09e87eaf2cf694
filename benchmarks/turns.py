"""Arms side by side: each runs in a process of its own, and they take turns, so other load on the machine meets all."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

Figures = dict[str, Any]


def take_turns(module: str, case: str, arms: Iterable[str], seeds: Iterable[int]) -> dict[str, list[Figures]]:
    """Return the figures of each arm for each seed: the last line that `python -m MODULE CASE ARM SEED` prints.

    Raises:
        CalledProcessError: An arm failed.
    """
    runs: dict[str, list[Figures]] = {arm: [] for arm in arms}
    for seed in seeds:
        for arm, own in runs.items():
            own.append(run_alone(module, case, arm, str(seed)))
            print(f"{case} ({arm}) seed {seed}: {json.dumps(own[-1])}", flush=True)
    return runs


def run_alone(module: str, *words: str) -> Figures:
    """Return the JSON object that a module of the benchmarks prints as its last line.

    Raises:
        CalledProcessError: It failed.
    """
    command = [sys.executable, "-m", module, *words]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: Figures = json.loads(output.splitlines()[-1])
    return figures


def read_memory(device: torch.device) -> int:
    """Return the peak memory of this process in bytes: of the GPU since its statistics were reset, or resident.

    `ru_maxrss` of a process counts its parent too, as large as that was when it started this one.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
