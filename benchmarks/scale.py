"""Processor time and peak memory of the stages on files of many rows, beside `wc` and `sha256sum` of the same file.

Usage: python -m benchmarks.scale [STAGE ...] [ROWS ...], say `validate 10000 100000`. Each stage runs as the pipeline
runs it, a process of its own; the texts are made up. `ingest` runs in any case, since it makes the input of the others;
above a million rows it runs alone.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.table import publish
from pipeline.core.files import read_json, write_json
from pipeline.core.format import markdown_table
from pipeline.core.tables import read_parquet

TASK, CLASSES = "reviews", ("negative", "positive")
PARAMS, EXAMPLES, ENCODER = Path("data/params.json"), Path("data/examples/reviews.parquet"), Path("data/raw/minilm")
STAGES, SIZES = ("ingest", "validate", "tokenize"), (10_000, 100_000, 1_000_000)
MOST = 1_000_000  # rows of the other stages, which take minutes
WORDS, NEAR = 25, 0.01  # of a text; share of rows that are the row before and an `s`
BLOCK_ROWS = 10_000
# It starts the stage, and is small: the peak that the system counts of a process includes that of its parent.
LAUNCHER = """
import json, os, sys, time
start = time.perf_counter()
child = os.spawnvp(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(child, 0)
print()
print(json.dumps({"wall": time.perf_counter() - start, "seconds": usage.ru_utime + usage.ru_stime,
                  "memory": usage.ru_maxrss * 1024}))
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""

Figures = dict[str, float]


def make_lines(rows: int, words: Sequence[str]) -> Iterator[str]:
    """Yield the lines of a file: a text of `WORDS` of the words, drawn alone, and one of two classes."""
    for start in range(0, rows, BLOCK_ROWS):
        rng = np.random.default_rng(start)
        drawn = rng.integers(len(words), size=(min(BLOCK_ROWS, rows - start), WORDS)).tolist()
        texts = [" ".join([words[at] for at in places]) for places in drawn]
        for row in np.flatnonzero(rng.random(len(texts)) < NEAR)[1:]:
            texts[row] = f"{texts[row - 1]}s"
        for text, label in zip(texts, rng.integers(2, size=len(texts)), strict=True):
            yield f"{text}\t{CLASSES[label]}\n"


def write_input(folder: Path, rows: int) -> None:
    """Write the file of `rows` rows and the params of the stages into a folder."""
    params: dict[str, Any] = read_json(PARAMS)
    own = {"file": "rows.tsv", "delimiter": "\t", "quote": "", "label": "label", "labels": CLASSES, "threshold": None}
    params["ingest"][TASK] |= own
    params["validate"][TASK] |= {"reference": None, "max_near_share": 1.0}
    params["tokenize"][TASK] |= {"max_unknown_share": 1.0}
    write_json(folder / "params.json", params)
    with (folder / "rows.tsv").open("w", encoding="utf-8", newline="") as stream:
        stream.write("text\tlabel\n")
        words = " ".join(read_parquet(EXAMPLES)["text"].to_pylist()).split()
        stream.writelines(make_lines(rows, words))


def list_words(stage: str, folder: Path) -> list[str]:
    """Return the arguments of a stage."""
    paths = {
        "raw": folder, "examples": folder / "examples.parquet", "intake": folder / "intake.json",
        "findings": folder / "findings.json", "encoder": ENCODER, "tokens": folder / "tokens.arrow",
        "features": folder / "features.arrow",
    }  # fmt: skip
    names = {
        "ingest": ("raw", "examples", "intake"),
        "validate": ("examples", "intake", "findings"),
        "tokenize": ("examples", "findings", "encoder", "tokens"),
        "extract": ("tokens", "encoder", "features"),
    }[stage]
    return [stage, TASK, "--params", str(folder / "params.json"), *(f"--{name}={paths[name]}" for name in names)]


def run_alone(command: Sequence[str]) -> Figures:
    """Return the seconds, the seconds of processor time and the peak memory of a command in bytes.

    Raises:
        CalledProcessError: It failed.
    """
    launch = [sys.executable, "-S", "-c", LAUNCHER, *command]
    output = subprocess.run(launch, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: Figures = json.loads(output.splitlines()[-1])
    return figures


def measure(stages: Sequence[str], rows: int) -> dict[str, Figures]:
    """Return the figures of each stage and of the two floors at `rows` rows."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_input(folder, rows)
        commands = {floor: [*floor.split(), str(folder / "rows.tsv")] for floor in ("wc -l", "sha256sum")}
        for stage in STAGES:
            if stage == "ingest" or (stage in stages and rows <= MOST):
                commands[stage] = [sys.executable, "-m", "pipeline", *list_words(stage, folder)]
        (folder / "findings.json").touch()  # `tokenize` may run without `validate`
        measured = {}
        for command, words in commands.items():
            measured[command] = run_alone(words)
            print(rows, command, json.dumps(measured[command]), flush=True)
    return measured


def main(stages: Sequence[str], sizes: Sequence[int]) -> None:
    """Measure each stage at each size, and publish the table."""
    runs = {rows: measure(stages, rows) for rows in sorted(sizes)}
    cells, figures = [], {}
    for command in next(iter(runs.values())):
        measured = {rows: run[command] for rows, run in runs.items() if command in run}
        slopes = [None, *(_slope(measured, few, many) for few, many in pairwise(measured))]
        for (rows, own), slope in zip(measured.items(), slopes, strict=True):
            seconds, mib = f"{own['seconds']:,.1f}", f"{own['memory'] / 2**20:,.0f}"
            cells.append((command, f"{rows:,}", seconds, f"{own['wall']:,.1f}", mib, *(slope or ("", ""))))
            figures[f"{command} {rows} seconds"] = round(own["seconds"], 1)
            figures[f"{command} {rows} MiB"] = round(own["memory"] / 2**20)
    header = (
        "command",
        "rows",
        "processor, s",
        "wall, s",
        "peak memory, MiB",
        "µs a further row",
        "bytes a further row",
    )
    shown = markdown_table(header, cells, right=range(1, len(header)))
    publish("scale", ABOUT, shown, figures, ("pyarrow", "numpy", "great_expectations", "tokenizers"))


def _slope(runs: dict[int, Figures], few: int, many: int) -> tuple[str, str]:
    """Return the microseconds and the bytes that each row beyond `few` costs."""
    less, more = runs[few], runs[many]
    each = (more["seconds"] - less["seconds"]) / (many - few), (more["memory"] - less["memory"]) / (many - few)
    return f"{1e6 * each[0]:,.1f}", f"{round(each[1]):,}"


ABOUT = f"""# Many rows

`make bench-scale`: texts of {WORDS} words drawn from those of the reviews, each as often as it is there, and of two
classes; {NEAR:.0%} of the rows are the row before and an `s`. Each stage runs with the params of `params.yaml` in a
process of its own, imports included. `wc -l` and `sha256sum` of the same file are the floor: what it costs to read it.
The last columns are what each row beyond those of the size before costs."""


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main([word for word in sys.argv[1:] if not word.isdigit()] or STAGES, numbers or SIZES)
