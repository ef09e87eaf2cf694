"""Prediction compared: transformers.pipeline, ONNX Runtime as its tutorials use it, and ours in torch, fp32 and int8.

All arms answer the same texts with the same model, each in its own process, taking turns on one machine. `python -m
benchmarks.predict` runs them after `dvc repro`; `python -m benchmarks.predict rows N` predicts a file of N rows by a
tiny model and measures memory and speed of each tenth.
"""

import itertools
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import psutil

from pipeline.core.format import markdown_table
from pipeline.core.tables import class_indices, read_parquet

MODEL, EXAMPLES = Path("data/model/reviews"), Path("data/examples/reviews.parquet")
BUNDLE = Path(".bench/predict/reviews")
TEXTS, ONE_AT_A_TIME = 512, 128
ABOUT = {
    "pipeline-1": "transformers.pipeline, one at a time",
    "pipeline-32": "transformers.pipeline, batch_size=32",
    "ort-32": "ONNX Runtime fp32, padded batches of 32 in file order",
    "torch": "ours, torch",
    "fp32": "ours, ONNX fp32",
    "int8": "ours, ONNX int8",
}
CASES = {"1": "one thread", "0": "a thread a core"}
ROUNDS = (0, 1, 2)

# From texts to the index of each text's class.
Answer = Callable[[Sequence[str]], list[int]]


def read_texts() -> tuple[list[str], np.ndarray[Any, Any]]:
    """Return test texts of the reviews, in the order of the file, and their classes."""
    table = read_parquet(EXAMPLES)
    test = [row for row, split in enumerate(table["split"].to_pylist()) if split == "test"][:TEXTS]
    return table["text"].take(test).to_pylist(), class_indices(table)[test]


def open_pipeline(threads: int, *, batch_size: int) -> Answer:
    """Return the pipeline of the library on the model's folder."""
    import torch
    from transformers import pipeline

    if threads:
        torch.set_num_threads(threads)
    classify = pipeline("text-classification", model=str(MODEL), device="cpu")
    places = classify.model.config.label2id

    def answer(texts: Sequence[str]) -> list[int]:
        if batch_size == 1:
            return [places[classify(text, truncation=True)[0]["label"]] for text in texts]
        return [places[of["label"]] for of in classify([*texts], batch_size=batch_size, truncation=True)]

    return answer


def open_ort(threads: int) -> Answer:
    """Return ONNX Runtime as the tutorials have it: the library's tokenizer pads each batch of 32 in file order."""
    import onnxruntime
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(BUNDLE / "model.onnx"), options)

    def answer(texts: Sequence[str]) -> list[int]:
        classes: list[int] = []
        for start in range(0, len(texts), 32):
            batch = tokenizer([*texts[start : start + 32]], padding=True, truncation=True, return_tensors="np")
            inputs = {name: batch[name].astype(np.int64) for name in ("input_ids", "attention_mask")}
            classes += session.run(None, inputs)[0].argmax(axis=1).tolist()
        return classes

    return answer


def open_ours(threads: int, backend: str) -> Answer:
    """Return what `predict` does with a part of a file."""
    from pipeline.predict.predictor import load_predictor

    predictor = load_predictor(MODEL if backend == "torch" else BUNDLE, backend=backend, threads=threads)

    def answer(texts: Sequence[str]) -> list[int]:
        logits = predictor.compute_logits(predictor.encode(texts))
        return [*logits.argmax(axis=1).tolist()]

    return answer


ARMS: dict[str, Callable[[int], Answer]] = {
    "pipeline-1": lambda threads: open_pipeline(threads, batch_size=1),
    "pipeline-32": lambda threads: open_pipeline(threads, batch_size=32),
    "ort-32": open_ort,
    "torch": lambda threads: open_ours(threads, "torch"),
    "fp32": lambda threads: open_ours(threads, "fp32"),
    "int8": lambda threads: open_ours(threads, "int8"),
}


def run_arm(threads: int, arm: str) -> dict[str, float]:
    """Run one arm in this process and return its figures; the first answer warms it up, and ends its start."""
    texts, actual = read_texts()
    answer = ARMS[arm](threads)
    answer(texts[:1])
    ready = time.time() - psutil.Process().create_time()
    ready_cpu = time.process_time()
    chosen = texts[: ONE_AT_A_TIME if arm.endswith("-1") else None]
    start, start_cpu = time.perf_counter(), time.process_time()
    classes = answer(chosen)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return {
        "texts": len(chosen) / seconds,
        "texts_cpu": len(chosen) / cpu,
        "ready": ready,
        "ready_cpu": ready_cpu,
        "memory": psutil.Process().memory_info().rss,
        "accuracy": float((np.array(classes) == actual[: len(chosen)]).mean()),
    }


def summarize(measured: dict[str, list[dict[str, Any]]]) -> tuple[str, dict[str, float]]:
    """Return the table of a case and its ratios to the pipeline in batches: medians of the rounds."""
    names = ("texts", "texts_cpu", "ready", "ready_cpu", "memory", "accuracy")
    middle = {
        arm: {name: statistics.median(of[name] for of in runs) for name in names} for arm, runs in measured.items()
    }
    stock = middle["pipeline-32"]["texts_cpu"]
    rows = [
        (
            ABOUT[arm], f"{own['texts_cpu']:.1f}", f"{own['texts_cpu'] / stock:.2f}", f"{own['texts']:.1f}",
            f"{own['ready']:.1f}", f"{own['ready_cpu']:.1f}", f"{own['memory'] / 1e6:.0f}", f"{own['accuracy']:.3f}",
        )
        for arm, own in middle.items()
    ]  # fmt: skip
    header = (
        "arm", "texts per CPU second", "of pipeline, 32", "texts per second", "start, s", "start, CPU s", "memory, MB",
        "accuracy",
    )  # fmt: skip
    figures = {arm: round(own["texts_cpu"] / stock, 2) for arm, own in middle.items()}
    return markdown_table(header, rows, right=range(1, len(header))), figures


def write_rows(path: Path, count: int) -> None:
    """Write a file of `count` reviews, no two alike."""
    texts = read_parquet(EXAMPLES)["text"].to_pylist()
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps({"text": f"{texts[row % len(texts)]} {row}"}) + "\n" for row in range(count))


class Mark(NamedTuple):
    """The processor seconds, the rows predicted and the resident bytes of this process after a batch."""

    seconds: float
    rows: int
    resident: int


def predict_rows(count: int) -> tuple[list[Mark], float]:
    """Predict a file of `count` rows; return a mark before and after each tenth, and the seconds of it all."""
    from pipeline.predict.job import predict_file
    from pipeline.predict.predictor import load_predictor
    from pipeline.predict.texts import choose_source
    from tests.given.bundles import make_bundle

    process = psutil.Process()
    marks: list[Mark] = []
    done = 0

    def mark() -> None:
        if done >= len(marks) * count / 10:
            marks.append(Mark(time.process_time(), done, process.memory_info().rss))

    def compute(arrays: Any) -> Any:
        nonlocal done
        if not marks:
            mark()
        logits = predictor.compute(arrays)
        done += len(arrays["input_ids"])
        mark()
        return logits

    with tempfile.TemporaryDirectory(dir=".bench") as folder:
        predictor = load_predictor(make_bundle(Path(folder, "bundle")))
        path = Path(folder, "rows.jsonl")
        write_rows(path, count)
        source = choose_source(path.name, None, form=None, columns=())
        start = time.perf_counter()
        out, part_rows = Path(folder, "out.parquet"), count // 100  # so that a tenth is ten parts
        predict_file(predictor._replace(compute=compute), path, source, out, every=False, part_rows=part_rows)
        return marks, time.perf_counter() - start


def publish_rows(count: int) -> None:
    """Predict a file of `count` rows, and write docs/benchmarks/predict-rows.md."""
    marks, seconds = predict_rows(count)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    from benchmarks.table import publish  # now, since it imports torch

    speeds = [
        (after.rows - before.rows) / (after.seconds - before.seconds) for before, after in itertools.pairwise(marks)
    ]
    rows = [
        (f"{after.rows:,}", f"{speed:.0f}", f"{after.resident / 1e6:.0f}")
        for speed, after in zip(speeds, marks[1:], strict=True)
    ]
    shown = markdown_table(("rows done", "rows per CPU second", "resident, MB"), rows, right=range(3))
    figures = {
        "rows": count,
        "rows per second": round(count / seconds, 1),
        "last tenth/first": round(speeds[-1] / speeds[0], 3),
        "peak memory, MB": round(peak / 1e6, 1),
    }
    publish("predict-rows", ROWS_PAGE, shown, figures, ("onnxruntime", "numpy", "pyarrow"))


def main() -> None:
    """Run all arms; print and publish the tables."""
    from benchmarks.int8 import compare_tasks, make_bundle
    from benchmarks.table import publish
    from benchmarks.turns import take_turns

    make_bundle("reviews")
    shown, figures = [], {}
    for case, title in CASES.items():
        text, ratios = summarize(take_turns("benchmarks.predict", case, ARMS, ROUNDS))
        shown.append(f"## {title.capitalize()}\n\n{text}")
        figures |= {f"{arm}/{'1' if case == '1' else 'all'}": ratio for arm, ratio in ratios.items()}
    text, points = compare_tasks()
    shown.append(f"## int8 beside fp32, all test rows\n\n{INT8}\n\n{text}")
    figures |= points
    publish("predict", PAGE, "\n".join(shown), figures, ("torch", "transformers", "onnxruntime", "numpy"))


PAGE = f"""# Prediction compared

`make bench-predict`: {TEXTS} test texts of the reviews ({ONE_AT_A_TIME} one at a time), all-MiniLM-L6-v2 tuned, three
rounds; the arms take turns, each in its own process; medians. Texts per CPU second count the time of all threads:
that is what other work on the machine changes least. The start is from the process to its first answer; ours includes
the probe of 100 rows. Ours sorts by length under a budget of 512 tokens a batch; the others take texts as they come."""


ROWS_PAGE = """# A file of many rows

`python -m benchmarks.predict rows 10000000`: a file of reviews, no two alike, predicted as `python -m pipeline predict`
does it, each tenth of its rows by itself. The model is tiny, so that what is measured is all the rest, which could grow
with the file: reading, checking, tokenising, sorting, writing."""


INT8 = """Rows that are answered rightly, with McNemar's exact test of those that only one of both has right."""


if __name__ == "__main__":
    if len(sys.argv) == 4:
        print(json.dumps(run_arm(int(sys.argv[1]), sys.argv[2])))
    elif len(sys.argv) == 3:
        publish_rows(int(sys.argv[2]))
    else:
        main()
