"""The result of a benchmark: tables for people, one JSON object for programs, both written to docs/benchmarks."""

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

DOCS = Path("docs/benchmarks")


def publish(name: str, about: str, shown: str, figures: Mapping[str, object], packages: Sequence[str]) -> None:
    """Write docs/benchmarks/NAME.md with machine, versions and date; print the tables, `shown`, and the JSON object."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    today = datetime.datetime.now(tz=datetime.UTC).date()
    setup = f"{today}, {describe_machine()}; Python {platform.python_version()}, {versions}."
    line = json.dumps(figures, allow_nan=False)
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / f"{name}.md").write_text(f"{about}\n\n{setup}\n\n{shown}\n```json\n{line}\n```\n", encoding="utf-8")
    print(f"{shown}{line}", flush=True)


def describe_machine() -> str:
    """Return the GPU, or the cores and their instruction sets, as text."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    capabilities = torch.cpu.get_capabilities()
    known = [name for name in ("avx2", "avx512_bf16", "amx_bf16") if capabilities.get(name)]
    return f"{torch.get_num_threads()} cores, {platform.machine()}" + (f" with {', '.join(known)}" if known else "")
