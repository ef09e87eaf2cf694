"""Processor time and peak memory of the stages on files of many rows, beside `wc` and `sha256sum` of the same file.

Usage: python -m benchmarks.scale [COMMAND ...] [ROWS ...], say `validate extract 1000000`. Each stage runs as the
pipeline runs it, a process of its own; the texts are made up. docs/benchmarks/scale.md keeps the figures of each
command and number of rows, with their machine, so a long one can be measured by itself. A command that is named is
measured again; if none is, those are that the page lacks. What a stage reads is kept in .bench/scale.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from benchmarks.scale_page import Figures, Measured, Scale
from pipeline.core.files import publish, read_json, remove, write_json
from pipeline.core.tables import read_parquet

TASK, CLASSES = "reviews", ("negative", "positive")
PARAMS, EXAMPLES, ENCODER = Path("data/params.json"), Path("data/examples/reviews.parquet"), Path("data/raw/minilm")
SIZES = (10_000, 100_000)
WORDS, NEAR = 25, 0.01  # of a text; share of rows that are the row before and an `s`
BLOCK_ROWS = 10_000
KEPT = Path(".bench/scale")
PACKAGES = ("pyarrow", "numpy", "great_expectations", "tokenizers", "torch", "scikit-learn", "onnxruntime")
# It starts the stage, and is small: the peak that the system counts of a process includes that of its parent. The bound
# of memory ends a stage that needs too much with an error of its own, before the kernel kills some other process.
LAUNCHER = """
import json, os, resource, sys, time
resource.setrlimit(resource.RLIMIT_DATA, 2 * (int(sys.argv[1]),))
start = time.perf_counter()
child = os.spawnvp(os.P_NOWAIT, sys.argv[2], sys.argv[2:])
_, status, usage = os.wait4(child, 0)
print()
print(json.dumps({"wall": time.perf_counter() - start, "seconds": usage.ru_utime + usage.ru_stime,
                  "memory": usage.ru_maxrss * 1024, "code": os.waitstatus_to_exitcode(status)}))
"""


class Command(NamedTuple):
    """A command to measure: the files that it reads and those that it makes, by the names of a stage's arguments."""

    reads: tuple[str, ...]
    makes: tuple[str, ...] = ()


COMMANDS = {
    "wc -l": Command(("raw",)),
    "sha256sum": Command(("raw",)),
    "ingest": Command(("raw",), ("examples", "intake")),
    "validate": Command(("examples", "intake"), ("findings",)),
    "tokenize": Command(("examples", "gate", "vocabulary"), ("tokens",)),
    "extract": Command(("tokens", "encoder"), ("features",)),
    "baseline": Command(("examples", "gate", "features"), ("baselines", "linear")),
    "predict": Command(("bundle", "examples"), ("answers",)),
}
# The file or folder of each name in the folder of a size; those of all sizes are beside it.
FILES = {
    "raw": "rows.tsv", "examples": "examples.parquet", "intake": "intake.json", "findings": "findings.json",
    "gate": "gate", "tokens": "tokens.arrow", "encoder": "../encoder", "features": "features.arrow",
    "baselines": "baselines.parquet", "linear": "linear", "bundle": "../bundle", "answers": "answers.parquet",
}  # fmt: skip
ARGUMENTS = {"gate": "findings", "vocabulary": "encoder"}  # of a stage, if they are not the name


# ------------------------------------------------------------------------------------------------ inputs
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
    own = {"file": FILES["raw"], "delimiter": "\t", "quote": "", "label": "label", "labels": CLASSES, "threshold": None}
    params["ingest"][TASK] |= own
    params["validate"][TASK] |= {"reference": None, "max_near_share": 1.0}
    params["tokenize"][TASK] |= {"max_unknown_share": 1.0}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "params.json", params)
    (folder / FILES["gate"]).touch()  # `tokenize` may run without `validate`
    with publish(folder / FILES["raw"]) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        stream.write("text\tlabel\n")
        words = " ".join(read_parquet(EXAMPLES)["text"].to_pylist()).split()
        stream.writelines(make_lines(rows, words))


def make_encoder(folder: Path) -> None:
    """Write an encoder of one layer of random weights, with the tokenizer of the real one."""
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=read_json(ENCODER / "config.json")["vocab_size"], hidden_size=32, num_hidden_layers=1,
        num_attention_heads=2, intermediate_size=64, max_position_embeddings=512, pad_token_id=0,
    )  # fmt: skip
    shutil.copytree(ENCODER, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertModel(config).save_pretrained(folder)


# ------------------------------------------------------------------------------------------------ commands
def list_words(command: str, folder: Path, out: Path) -> list[str]:
    """Return the words of a command on the files of a folder, which writes into the folder `out`."""
    reads, makes = COMMANDS[command]
    read = {name: ENCODER if name == "vocabulary" else folder / FILES[name] for name in reads}
    made = {name: out / FILES[name] for name in makes}
    if command in {"wc -l", "sha256sum"}:
        return [*command.split(), str(read["raw"])]
    words = [sys.executable, "-m", "pipeline", command]
    if command == "predict":
        return [*words, str(read["bundle"]), str(read["examples"]), "--text", "text", "--out", str(made["answers"])]
    if command == "ingest":
        read["raw"] = folder  # its params name the file
    paths = {ARGUMENTS.get(name, name): path for name, path in (read | made).items()}
    return [*words, TASK, "--params", str(folder / "params.json"), *(f"--{name}={at}" for name, at in paths.items())]


def run_alone(command: Sequence[str], memory: int | None = None) -> Figures:
    """Return the figures of a command that runs by itself, in `memory` bytes (default: all that is free)."""
    bound = memory or psutil.virtual_memory().available
    launch = [sys.executable, "-S", "-c", LAUNCHER, str(bound), *command]
    output = subprocess.run(launch, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Figures(**json.loads(output.splitlines()[-1]), bound=bound)


def provide(name: str, rows: int) -> None:
    """Make a file that a command reads, and those before it, unless it is there."""
    path = KEPT / str(rows) / FILES.get(name, "")
    if name == "vocabulary" or path.exists():
        return
    if name in {"raw", "gate"}:
        write_input(path.parent, rows)
    elif name == "encoder":
        make_encoder(path)
    elif name == "bundle":
        from tests.given.bundles import make_bundle

        make_bundle(path)
    else:
        measure(next(command for command, own in COMMANDS.items() if name in own.makes), rows)


def measure(command: str, rows: int) -> Figures:
    """Return the figures of a command at `rows` rows; what it makes is kept.

    It writes outside of the project, where a stage keeps no parts for the next run.
    """
    for name in COMMANDS[command].reads:
        provide(name, rows)
    folder = KEPT / str(rows)
    with tempfile.TemporaryDirectory() as out:
        figures = run_alone(list_words(command, folder, Path(out)))
        for name in COMMANDS[command].makes:
            if (made := Path(out, FILES[name])).exists():
                remove(folder / FILES[name])
                shutil.move(made, folder / FILES[name])
    print(rows, command, json.dumps(figures._asdict()), flush=True)
    return figures


def main(commands: Sequence[str], sizes: Sequence[int]) -> None:
    """Measure each command at each size, and publish the page after each."""
    scale, shown = Scale.read(list(COMMANDS)), ""
    for rows in sorted(sizes):
        for command in commands or [name for name in COMMANDS if not scale.has(name, rows)]:
            scale.add(Measured(command, rows, scale.setup(PACKAGES), measure(command, rows)))
            shown = scale.publish(ABOUT)
    print(shown)


ABOUT = f"""# Many rows

`make bench-scale`: texts of {WORDS} words drawn from those of the reviews, each as often as it is there, and of two
classes, at random; {NEAR:.0%} of the rows are the row before and an `s`. Each stage runs with the params of
`params.yaml` in a process of its own, imports included. The encoder of `extract` has one layer of 32 numbers, and the
model of `predict` a table of ten words, so that all the rest is measured, which could grow with the file. `baseline`
is fitted to `baseline.sample` rows of train, and answers all rows of validation and test. `wc -l` and `sha256sum` of
the same file are the floor: what it costs to read it. The last columns are what each row beyond those of the size
before costs, on the same machine. Those of ten million rows from 2026-12-01 ran beside others, which doubles wall
times, and processor times nearly so. `tokenize` maps what it has written to count it, and `predict` holds the different
texts of a row group of its Parquet file, here up to a million."""


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    main([word for word in sys.argv[1:] if not word.isdigit()], numbers or SIZES)
