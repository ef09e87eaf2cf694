"""Processor time of the stages that keep what they have computed, after 1% of rows more, beside that from scratch.

Usage: python -m benchmarks.increments [ROWS ...], say `10000 100000`. Each stage runs as the pipeline runs it, a
process of its own; the texts are made up. The result must be that of a run that finds nothing kept, byte for byte.
`extract` runs up to twenty thousand rows.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.scale import ENCODER, list_words, run_alone, write_input
from benchmarks.scale_page import Figures
from benchmarks.table import publish
from pipeline.core.files import sha256
from pipeline.core.format import markdown_table

SIZES, MOST = (20_000, 100_000, 1_000_000), {"extract": 20_000}  # rows of the stage that takes minutes
OUTS = {"validate": "findings.json", "tokenize": "tokens.arrow", "extract": "features.arrow"}
MORE = 0.01  # of the rows


def run_stages(folder: Path, stages: Sequence[str]) -> dict[str, Figures]:
    """Return the figures of stages that run in a folder, one after the other."""
    return {stage: run_alone(list_words(stage, folder, folder)) for stage in stages}


def measure(rows: int) -> dict[str, dict[str, Figures]]:
    """Return the figures of each stage at `rows` rows: `scratch`, `more` (1% of rows appended), `same` (run again).

    Raises:
        ValueError: What was computed with kept parts is not what is computed without.
    """
    runs: dict[str, dict[str, Figures]] = {}
    stages = [stage for stage in OUTS if rows <= MOST.get(stage, rows)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "rows"
        parts = folder / ".dvc"  # where it is, parts are kept
        parts.mkdir(parents=True)
        (folder.parent / "encoder").symlink_to(ENCODER.resolve())
        for run, count in (("scratch", rows), ("more", round(rows * (1 + MORE))), ("same", round(rows * (1 + MORE)))):
            write_input(folder, count)
            runs[run] = run_stages(folder, ("ingest", *stages))
            print(rows, run, json.dumps(runs[run]), flush=True)
        kept = {stage: sha256(folder / OUTS[stage]) for stage in stages}
        shutil.rmtree(parts)
        run_stages(folder, stages)
        if kept != {stage: sha256(folder / OUTS[stage]) for stage in stages}:
            raise ValueError(f"{rows} rows: the bytes with kept parts differ from those without")
    return {stage: {run: figures[stage] for run, figures in runs.items()} for stage in stages}


def main(sizes: Sequence[int]) -> None:
    """Measure each stage at each size, and publish the table."""
    cells, figures = [], dict[str, float]()
    for rows in sorted(sizes):
        for stage, runs in measure(rows).items():
            seconds = {run: own.seconds for run, own in runs.items()}
            further = max(0.0, seconds["more"] - seconds["same"]) / (seconds["scratch"] - seconds["same"])
            shown = (f"{seconds[run]:,.1f}" for run in ("scratch", "more", "same"))
            cells.append((stage, f"{rows:,}", *shown, f"{further:.1%}"))
            figures |= {f"{stage} {rows} {run} seconds": round(own, 1) for run, own in seconds.items()}
    header = ("command", "rows", "from scratch, s", "1% more rows, s", "the same rows again, s", "share of the rest")
    table = markdown_table(header, cells, right=range(1, len(header)))
    publish("increments", ABOUT, table, figures, ("pyarrow", "tokenizers", "torch", "transformers"))


ABOUT = f"""# A few rows more

`python -m benchmarks.increments`: `validate`, `tokenize` and `extract` keep what they have computed of each chunk of
rows. It is the processor time of each stage in a process of its own, imports and the loading of the encoder included:
from scratch, with {MORE:.0%} of the rows appended, and once more with the same rows, when nothing is left to compute.
The last column takes that start-up off: what the appended rows cost as a share of all, 0 if that is less than the
noise, some tenths of a second. Each result was, byte for byte, that of a run that found nothing kept."""


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or SIZES)
