"""The ingest params of the tests: those of params.yaml, with a small cap, and what a test changes."""

from pathlib import Path
from typing import Any

from pipeline.settings.ingest import IngestParams
from pipeline.settings.resolve import parse

COMMON = parse((Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8"))[0]["ingest"]


def ingest_params(**own: Any) -> IngestParams:
    values = {**COMMON, "task": "tiny", "file": "tiny.csv", "labels": ["neg", "pos"], "max_cell_bytes": 1000, **own}
    return IngestParams.model_validate(values, strict=False)
