"""Fine-tuning compared: the loop of the tutorials, Trainer with its defaults, Trainer tuned, ours.

All arms train the same encoder on the same rows for the same number of epochs, each in its own process, taking turns on
one machine. `python -m benchmarks.finetune` runs them after `dvc repro`; `python -m benchmarks.finetune replies` the
last two of them on pairs of texts, if the profile `gallery` is laid over; `python -m benchmarks.finetune CASE ARM SEED`
a single one.
"""

import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from transformers import BertConfig, BertModel

from benchmarks.arms import ABOUT, ARMS, Data
from benchmarks.flops import Shape, count_frozen, count_needed, count_whole, measure_peak
from benchmarks.params import read_params
from benchmarks.table import publish
from benchmarks.turns import read_memory, take_turns
from pipeline.core.files import read_json
from pipeline.core.format import markdown_table
from pipeline.core.tables import labels_of, read_arrow
from pipeline.finetune.classification import Rows, rows_of
from pipeline.models.batches import Ragged
from pipeline.models.device import choose_device
from pipeline.settings.shared.classes import ClassifierParams

ENCODER = Path("data/raw/minilm")
SEEDS = {"cpu": (0, 1, 2), "cuda": (0,)}


def load_task(task: str, *, most: int | None = None) -> Callable[[int, Path], Data]:
    """Return a case with a task as tokenised by `dvc repro`; `most` keeps as many train rows, evenly spread."""

    def case(seed: int, folder: Path) -> Data:  # noqa: ARG001  # the encoder is there already
        table = read_arrow(Path(f"data/tokens/{task}.arrow"))
        train = table.filter(pc.equal(table["split"], "train"))
        chosen = np.linspace(0, train.num_rows - 1, min(most or train.num_rows, train.num_rows)).astype(np.int64)
        train = train.take(pa.array(chosen)).combine_chunks()
        held_out = (rows_of(table, split) for split in ("validation", "test"))
        return Data(ENCODER, rows_of(train, "train"), *held_out, labels_of(table), _params(task, seed))

    return case


def random_case(config: BertConfig, *, count: int = 4096, length: int = 128) -> Callable[[int, Path], Data]:
    """Return a case whose encoder and texts are random numbers: for speed, not for accuracy."""

    def case(seed: int, folder: Path) -> Data:
        BertModel(config).save_pretrained(folder)
        shutil.copyfile(ENCODER / "tokenizer.json", folder / "tokenizer.json")
        rng = np.random.default_rng(seed)

        def rows(number: int) -> Rows:
            values = rng.integers(1000, config.vocab_size, number * length).astype(np.int32)
            tokens = Ragged(values, np.arange(number + 1, dtype=np.int64) * length)
            return Rows(tokens, rng.integers(0, 2, number), tuple(map(str, range(number))))

        return Data(folder, rows(count), rows(64), rows(64), ("a", "b"), _params("reviews", seed))

    return case


def _params(task: str, seed: int) -> ClassifierParams:
    return read_params(ClassifierParams, "finetune", task, batch_tokens=8192, seed=seed)


BASE = BertConfig()
LARGE = BertConfig(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096)
CASES: dict[str, tuple[str, Callable[[int, Path], Data]]] = {
    "reviews": ("all-MiniLM-L6-v2, the reviews", load_task("reviews")),
    "replies": ("all-MiniLM-L6-v2, 4,096 pairs of the replies", load_task("replies", most=4096)),
    "base": ("BERT-base, 128 tokens", random_case(BASE)),
    "large": ("BERT-large, 128 tokens", random_case(LARGE)),
}
OPERATIONS = {"c+": count_frozen, "d": count_needed}
ON = {"cpu": ("reviews",), "cuda": ("reviews", "base", "large")}


def run_arm(case: str, arm: str, seed: int) -> dict[str, Any]:
    """Run one arm in this process and return its figures."""
    device = choose_device("auto")
    with tempfile.TemporaryDirectory() as folder:
        data = CASES[case][1](seed, Path(folder))
        fastest = measure_peak(device)
        run = ARMS[arm](data, device)
        memory = read_memory(device.device)
        config = read_json(data.encoder / "config.json")
    shape = Shape(config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"])
    lengths = data.train.tokens.lengths
    # The operations per token, times the tokens that the arm saw.
    operations = OPERATIONS.get(arm, count_whole)(lengths, shape) / lengths.sum() * run.tokens
    return {
        "examples": run.examples / run.seconds,
        "tokens": run.tokens / run.seconds,
        "share": operations / run.seconds / fastest,
        "memory": memory,
        "accuracy": run.accuracy,
    }


def summarize(measured: dict[str, list[dict[str, Any]]]) -> tuple[str, dict[str, float]]:
    """Return the table of a case and its figures: medians over the seeds, mean accuracies with their range."""
    median = {
        arm: {name: statistics.median(run[name] for run in runs) for name in ("examples", "tokens", "share")}
        for arm, runs in measured.items()
    }
    ours = median["d"]["examples"]
    rows = []
    for arm, runs in measured.items():
        correct = [run["accuracy"] for run in runs if run["accuracy"] is not None]
        spread = f"{statistics.mean(correct):.3f} ({min(correct):.3f} to {max(correct):.3f})" if correct else ""
        own = median[arm]
        memory = max(run["memory"] for run in runs) / 1e9
        numbers = (f"{own['examples']:.1f}", f"{own['tokens']:,.0f}", f"{own['share']:.0%}", f"{memory:.2f}", spread)
        rows.append((f"({arm}) {ABOUT[arm]}", *numbers, f"{ours / own['examples']:.2f}"))
    header = ("arm", "examples/s", "real tokens/s", "of the peak", "memory, GB", "test accuracy (range)", "ours / it")
    figures = {f"d/{arm}": round(ours / own["examples"], 2) for arm, own in median.items() if arm != "d"}
    return markdown_table(header, rows, right=range(1, len(header))), {
        **figures,
        "share_of_peak": round(median["d"]["share"], 3),
    }


def main(cases: Sequence[str], arms: Sequence[str], page: str, about: str) -> None:
    """Run some arms of some cases; print and publish the tables on a page."""
    seeds = SEEDS[choose_device("auto").device.type]
    shown, figures = [], {}
    for case in cases:
        text, ratios = summarize(take_turns("benchmarks.finetune", case, arms, seeds))
        shown.append(f"## {CASES[case][0]}\n\n{text}")
        figures |= {f"{case} {name}": value for name, value in ratios.items()} if case in ("base", "large") else ratios
    publish(page, about, "\n".join(shown), figures, ("torch", "transformers", "numpy"))


PAGE = """# Fine-tuning compared

`make bench-finetune`: the epochs of `params.yaml`, seeds 0, 1 and 2 (on a GPU seed 0); the arms take turns, each in
its own process; medians. (c), (c+) and ours update on batches of as many examples; ours cuts one that has more than
8,192 tokens. (c) and (c+) use the attention that ours chooses in their process; if that is `flat`, which the
library does not have, they use the library's own choice (`sdpa` on a GPU, `eager` on a CPU). Evaluations, which
only ours makes, count in no arm's time.

The share of the peak compares the operations that an arm makes on real tokens, not padding, with the fastest
product of two square matrices (2,048 rows on a CPU, 8,192 on a GPU) in the same process and in the precision chosen
by `precision: auto`: bf16 if the device has it, else fp32. (c+) makes fewer operations than (c), since no gradient
is passed down to frozen embeddings. Ours makes fewer still: the last layer computes only what the head reads. So
equal shares are not equal speeds. The tutorial's loop is timed over three steps, Trainer with its defaults over
150; neither is trained to its end."""


PAIRS = """# Pairs compared

`make bench-kinds`: fine-tuning on pairs of texts, as of [single ones](finetune.md), with the recipe of the task
`replies` of the profile `gallery`; seeds 0, 1 and 2; the arms take turns, each in its own process; medians. Evaluations
count in no arm's time."""


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(run_arm(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
    elif len(sys.argv) == 2:
        main(sys.argv[1:], ("c+", "d"), "pairs", PAIRS)
    else:
        here = choose_device("auto").device.type
        main(ON[here], tuple(ARMS), "finetune" if here == "cpu" else "finetune-gpu", PAGE)
