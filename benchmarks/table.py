"""What every benchmark ends with: a table for people, one JSON object for programs, and both in docs/benchmarks."""

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

DOCS = Path("docs/benchmarks")


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, the first column on the left and the others on the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows))


def publish(name: str, about: str, shown: str, figures: Mapping[str, float | None], packages: Sequence[str]) -> None:
    """Write docs/benchmarks/NAME.md with machine, versions and date, and print the table and the JSON object."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    made = (
        f"{datetime.datetime.now(tz=datetime.UTC).date()}, {machine()}; Python {platform.python_version()}, {versions}."
    )
    line = json.dumps(figures, allow_nan=False)
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / f"{name}.md").write_text(f"{about}\n\n{made}\n\n{shown}\n\n```json\n{line}\n```\n", encoding="utf-8")
    print(f"{shown}\n{line}", flush=True)


def machine() -> str:
    """Return what computes, in words."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    capabilities = torch.cpu.get_capabilities()
    known = [name for name in ("avx2", "avx512_bf16", "amx_bf16") if capabilities.get(name)]
    return f"{torch.get_num_threads()} cores, {platform.machine()} with {', '.join(known)}"
