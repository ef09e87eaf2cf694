"""The result of a benchmark: tables for people, one JSON object for programs, both written to docs/benchmarks."""

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

import torch

from pipeline.core.document import Document

DOCS = Path("docs/benchmarks")


def publish(name: str, about: str, shown: str, figures: Mapping[str, object], packages: Sequence[str]) -> None:
    """Write docs/benchmarks/NAME.md with machine, versions and date; print the tables, `shown`, and the JSON object."""
    line = write_page(name, about, describe_setup(packages), shown, figures)
    print(f"{shown}{line}", flush=True)


def describe_setup(packages: Sequence[str]) -> str:
    """Return the date, the machine and the versions as a sentence."""
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return f"{today}, {describe_machine()}; Python {platform.python_version()}, {versions}."


def write_page(name: str, about: str, setup: str, shown: str, figures: Mapping[str, object]) -> str:
    """Write docs/benchmarks/NAME.md, and return the JSON object as it stands there."""
    line = json.dumps(figures, allow_nan=False)
    DOCS.mkdir(parents=True, exist_ok=True)
    (DOCS / f"{name}.md").write_text(f"{about}\n\n{setup}\n\n{shown}\n```json\n{line}\n```\n", encoding="utf-8")
    return line


def read_figures(name: str) -> Document:
    """Return the JSON object of docs/benchmarks/NAME.md; an empty one if there is no page."""
    page = DOCS / f"{name}.md"
    if not page.exists():
        return {}
    figures: Document = json.loads(page.read_text(encoding="utf-8").rpartition("```json\n")[2].partition("\n")[0])
    return figures


def describe_machine() -> str:
    """Return the GPU, or the cores and their instruction sets, as text."""
    if torch.cuda.is_available():
        return f"one {torch.cuda.get_device_name()}"
    capabilities = torch.cpu.get_capabilities()
    known = [name for name in ("avx2", "avx512_bf16", "amx_bf16") if capabilities.get(name)]
    return f"{torch.get_num_threads()} cores, {platform.machine()}" + (f" with {', '.join(known)}" if known else "")
