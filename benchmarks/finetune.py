"""Fine-tuning side by side: the loop of the tutorials, Trainer as it comes, Trainer tuned, ours.

All arms train the same encoder on the same rows for the same number of epochs, each in a process of its own, in turns,
on one machine. `python -m benchmarks.finetune` runs them after `dvc repro`, and `python -m benchmarks.finetune CASE ARM
SEED` one of them alone.
"""

import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertModel

from benchmarks.arms import ABOUT, ARMS, Data
from benchmarks.flops import Shape, frozen, needed, peak, whole
from benchmarks.table import publish, table
from pipeline.core.files import read_json
from pipeline.core.tables import labels_of, read_arrow
from pipeline.finetune.classification import Rows
from pipeline.models.batches import Ragged
from pipeline.models.device import choose
from pipeline.settings.task import FinetuneParams
from pipeline.stages.finetune import rows_of

ENCODER = Path("data/raw/minilm")
SEEDS = (0, 1, 2)


def reviews(seed: int, folder: Path) -> Data:  # noqa: ARG001  # the encoder is there already
    """Return the reviews as `dvc repro` tokenised them, and the encoder it fetched."""
    rows = read_arrow(Path("data/tokens/reviews.arrow"))
    splits = (rows_of(rows, split) for split in ("train", "validation", "test"))
    return Data(ENCODER, *splits, labels_of(rows), _params(seed))


def random(config: BertConfig, *, count: int = 4096, length: int = 128) -> Callable[[int, Path], Data]:
    """Return a case whose encoder and texts are random numbers: it says how fast, not how good."""

    def case(seed: int, folder: Path) -> Data:
        BertModel(config).save_pretrained(folder)
        shutil.copyfile(ENCODER / "tokenizer.json", folder / "tokenizer.json")
        rng = np.random.default_rng(seed)

        def rows(number: int) -> Rows:
            values = rng.integers(1000, config.vocab_size, number * length).astype(np.int32)
            tokens = Ragged(values, np.arange(number + 1, dtype=np.int64) * length)
            return Rows(tokens, rng.integers(0, 2, number), tuple(map(str, range(number))))

        return Data(folder, rows(count), rows(64), rows(64), ("a", "b"), _params(seed))

    return case


def _params(seed: int) -> FinetuneParams:
    resolved = read_json(Path("data/params.json"))["finetune"]["reviews"]
    return FinetuneParams(**{**resolved, "batch_tokens": 8192, "seed": seed})


BASE = BertConfig()
LARGE = BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
CASES: dict[str, tuple[str, Callable[[int, Path], Data]]] = {
    "reviews": ("all-MiniLM-L6-v2, the reviews", reviews),
    "base": ("BERT-base, 128 tokens", random(BASE)),
    "large": ("BERT-large, 128 tokens", random(LARGE)),
}
OPERATIONS = {"c+": frozen, "d": needed}
ON = {"cpu": ("reviews",), "cuda": ("reviews", "base", "large")}


def alone(case: str, arm: str, seed: int) -> dict[str, Any]:
    """Run one arm in this process and return what it did."""
    device = choose("auto")
    with tempfile.TemporaryDirectory() as folder:
        given = CASES[case][1](seed, Path(folder))
        fastest = peak(device)
        run = ARMS[arm](given, device)
        config = read_json(given.encoder / "config.json")
    shape = Shape(config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"])
    lengths = given.train.tokens.lengths
    # An arm did these operations for every token it saw.
    made = OPERATIONS.get(arm, whole)(lengths, shape) / lengths.sum() * run.tokens
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if device.device.type == "cuda":
        memory = torch.cuda.max_memory_allocated()
    return {
        "examples": run.examples / run.seconds,
        "tokens": run.tokens / run.seconds,
        "share": made / run.seconds / fastest,
        "memory": memory,
        "accuracy": run.accuracy,
    }


def turns(case: str) -> dict[str, list[dict[str, Any]]]:
    """Return what each arm did for each seed; the arms take turns, each in a process of its own."""
    found: dict[str, list[dict[str, Any]]] = {arm: [] for arm in ARMS}
    for seed in SEEDS:
        for arm in ARMS:
            command = [sys.executable, "-m", "benchmarks.finetune", case, arm, str(seed)]
            answer = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            done = json.loads(answer.splitlines()[-1])
            found[arm].append(done)
            print(f"{case} ({arm}) seed {seed}: {done['examples']:.1f} examples/s, {done['accuracy']}", flush=True)
    return found


def summary(found: dict[str, list[dict[str, Any]]]) -> tuple[str, dict[str, float]]:
    """Return the table of a case and its figures: medians over the seeds, accuracies with their range."""
    median = {
        arm: {name: statistics.median(run[name] for run in runs) for name in ("examples", "tokens", "share")}
        for arm, runs in found.items()
    }
    ours = median["d"]["examples"]
    rows = []
    for arm, runs in found.items():
        correct = [run["accuracy"] for run in runs if run["accuracy"] is not None]
        spread = f"{statistics.mean(correct):.3f} ({min(correct):.3f} to {max(correct):.3f})" if correct else ""
        own = median[arm]
        memory = max(run["memory"] for run in runs) / 1e9
        numbers = (f"{own['examples']:.1f}", f"{own['tokens']:,.0f}", f"{own['share']:.0%}", f"{memory:.2f}", spread)
        rows.append((f"({arm}) {ABOUT[arm]}", *numbers, f"{ours / own['examples']:.2f}"))
    header = ("arm", "examples/s", "real tokens/s", "of the peak", "memory, GB", "test accuracy (range)", "ours / it")
    figures = {f"d/{arm}": round(ours / own["examples"], 2) for arm, own in median.items() if arm != "d"}
    return table(header, rows), {**figures, "share_of_peak": round(median["d"]["share"], 3)}


def main() -> None:
    """Run all arms of the cases that fit the device, print the tables and write them down."""
    device = choose("auto").device.type
    shown, figures = [], {}
    for case in ON[device]:
        text, found = summary(turns(case))
        shown.append(f"## {CASES[case][0]}\n\n{text}")
        figures |= found if case == "reviews" else {f"{case} {name}": value for name, value in found.items()}
    name = "finetune" if device == "cpu" else "finetune-gpu"
    publish(name, PAGE, "\n\n".join(shown), figures, ("torch", "transformers", "numpy"))


PAGE = """# Fine-tuning, side by side

`make bench-finetune`: the epochs of `params.yaml`, seeds 0, 1 and 2; the arms take turns, each in a process of its
own; medians. (c), (c+) and ours update on batches of as many examples; ours cuts one that has more than 8,192
tokens. (c) and (c+) compute attention as ours chose in their own process; where that is `flat`, which the library
does not have, as the library would (`sdpa` on a GPU, `eager` on a processor). Evaluations, which the others do not
make, are in no arm's time.

The share of the peak counts the operations that an arm makes on tokens that are no padding, and holds them against
the fastest product of two square matrices (2,048 rows on a processor, 8,192 on a GPU) in the same process and in the
precision that `precision: auto` takes there: bf16 where the device has it, else fp32.
(c+) makes fewer than (c): nothing is handed down to frozen embeddings. Ours makes fewer still: the last layer
computes what the head reads. So equal shares are not equal speeds. The tutorial's loop is timed over three steps,
Trainer with its defaults over 150, and neither is trained to its end."""


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(alone(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
    else:
        main()
