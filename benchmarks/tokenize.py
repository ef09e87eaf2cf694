"""Throughput and peak memory of tokenisation: the library's lists, `datasets.map`, and the stage `tokenize`.

Usage: python -m benchmarks.tokenize [TEXTS]. It reads data/examples/reviews.parquet and the encoder below data/raw.
Every arm runs in its own process, reads the same Parquet file and writes its output; the arms run one after another.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.table import publish
from benchmarks.turns import read_memory, run_alone
from pipeline.core.format import markdown_table

ENCODER, EXAMPLES = Path("data/raw/minilm"), Path("data/examples/reviews.parquet")
MAX_LENGTH, BATCH_TEXTS = 128, 4096


def write_examples(texts: int, out: Path) -> None:
    """Write `texts` examples: the reviews repeated, each time with another number in front."""
    import pyarrow as pa

    from pipeline.core.tables import describe, labels_of, read_parquet, write_parquet

    rows = read_parquet(EXAMPLES)
    known, splits, labels = (rows[name].to_pylist() for name in ("text", "split", "label"))
    place = [index % len(known) for index in range(texts)]
    table = pa.table(
        {
            "id": [f"{index}" for index in range(texts)],
            "split": [splits[index] for index in place],
            "text": [f"{number // len(known)} {known[index]}" for number, index in enumerate(place)],
            "label": [labels[index] for index in place],
        }
    )
    write_parquet(out, describe(table, task="reviews", labels=labels_of(rows)))


def tokenize_to_lists(examples: Path, out: Path) -> int:
    """Tokenise as most programs do: all texts, then all lists of ids in memory; no file is written."""
    import pyarrow.parquet as pq

    from pipeline.models.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(ENCODER, max_length=MAX_LENGTH)
    texts = pq.read_table(examples)["text"].to_pylist()
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    out.touch()
    return sum(map(len, ids))


def tokenize_by_map(examples: Path, out: Path) -> int:
    """Tokenise by `datasets.map` with the fast tokenizer, batched, with the threads of `tokenizers`."""
    import os

    import pyarrow.compute as pc
    from datasets import Dataset, disable_progress_bars
    from transformers import AutoTokenizer

    disable_progress_bars()
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    tokenizer = AutoTokenizer.from_pretrained(ENCODER)
    rows = Dataset.from_parquet(str(examples), cache_dir=str(out.parent / "cache"))
    tokenised = rows.map(
        lambda batch: {"input_ids": tokenizer(batch["text"], truncation=True, max_length=MAX_LENGTH)["input_ids"]},
        batched=True,
        batch_size=BATCH_TEXTS,
        remove_columns=["text", "label"],
        cache_file_name=str(out.with_suffix(".arrow")),
    )
    return int(pc.sum(pc.list_value_length(tokenised.data["input_ids"])).as_py())


def tokenize_by_stage(examples: Path, out: Path) -> int:
    """Run the stage."""
    import pyarrow.compute as pc

    from pipeline.core.tables import read_arrow
    from pipeline.kinds.text_classification.inputs import INPUTS
    from pipeline.kinds.text_classification.settings import TextTokenizeParams
    from pipeline.stages.tokenize import run

    sizes = {"max_length": MAX_LENGTH, "batch_texts": BATCH_TEXTS}
    params = TextTokenizeParams(task="reviews", **sizes, max_unknown_share=1.0, windows=None)
    run(params, INPUTS, examples=examples, findings=examples, encoder=ENCODER, tokens=out)
    return int(pc.sum(pc.list_value_length(read_arrow(out)["input_ids"])).as_py())


ARMS: dict[str, Callable[[Path, Path], int]] = {
    "lists": tokenize_to_lists,
    "datasets_map": tokenize_by_map,
    "ours": tokenize_by_stage,
}


def time_arm(name: str, examples: Path, out: Path) -> dict[str, float]:
    """Return seconds without imports, tokens, and the peak resident memory of this process in MiB."""
    ARMS[name](EXAMPLES, out.with_name("warm"))  # so that imports and first-time work are not timed
    start = time.perf_counter()
    tokens = ARMS[name](examples, out)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "tokens": tokens, "peak_mib": read_memory(torch.device("cpu")) / 2**20}


def measure_arm(name: str, texts: int, scratch: Path) -> dict[str, float]:
    """Run one arm in its own process."""
    out = Path(tempfile.mkdtemp(dir=scratch)) / "out"
    return {
        "texts": texts,
        **run_alone("benchmarks.tokenize", "--arm", name, str(scratch / f"{texts}.parquet"), str(out)),
    }


def main(texts: int) -> None:
    """Measure every arm at a tenth of `texts` and at `texts`."""
    measured: dict[str, list[dict[str, float]]] = {name: [] for name in ARMS}
    with tempfile.TemporaryDirectory() as folder:
        for size in (texts // 10, texts):
            write_examples(size, Path(folder) / f"{size}.parquet")
            for name in ARMS:
                measured[name].append(measure_arm(name, size, Path(folder)))
    header = ("arm", "texts", "texts/s", "tokens/s", "peak memory, MiB")
    rows = [
        (name, f"{row['texts']:,}", *(f"{row[what] / row['seconds']:,.0f}" for what in ("texts", "tokens")), peak)
        for name, measures in measured.items()
        for row, peak in ((row, f"{row['peak_mib']:,.0f}") for row in measures)
    ]
    mine = measured["ours"][1]
    others = {name: measures[1] for name, measures in measured.items() if name != "ours"}
    figures = {f"ours/{name}": round(row["seconds"] / mine["seconds"], 2) for name, row in others.items()}
    figures |= {f"memory ours/{name}": round(mine["peak_mib"] / row["peak_mib"], 3) for name, row in others.items()}
    shown = markdown_table(header, rows, right=range(1, len(header)))
    publish("tokenize", ABOUT, shown, figures, ("tokenizers", "datasets", "transformers", "pyarrow"))


ABOUT = """# Tokenisation

`make bench-tokenize`: the reviews repeated, each time with another number in front, 128 tokens at most. `lists` is the
library's `encode_batch` with every list in memory, and writes nothing; `datasets_map` and `ours` write their file. Each
arm runs in its own process; imports are not timed."""


if __name__ == "__main__":
    if sys.argv[1:2] == ["--arm"]:
        print(json.dumps(time_arm(sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
