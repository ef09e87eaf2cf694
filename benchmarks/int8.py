"""int8 beside fp32 on the test split of each task: what is answered, and the paired test of the two."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.calibration.decision import answer_rows
from pipeline.core.files import read_json, sha256
from pipeline.core.format import markdown_table
from pipeline.core.tables import class_indices, read_parquet
from pipeline.evaluate.mcnemar import mcnemar
from pipeline.predict.logits import softmax
from pipeline.predict.predictor import load_predictor

TASKS = ("spam", "questions", "reviews")
BUNDLES = Path(".bench/predict")
HEADER = ("task", "test rows", "right, fp32", "right, int8", "points", "int8 alone right", "fp32 alone right", "p")


def make_bundle(task: str) -> Path:
    """Export the model of a task, unless that has been done; return the folder."""
    bundle, model = BUNDLES / task, Path("data/model", task)
    if (bundle / "model.json").is_file():
        made = read_json(bundle / "model.json")["sources"]["model.safetensors"]
        if made == sha256(model / "model.safetensors"):
            return bundle
    from pipeline.core.stage import load_facet
    from pipeline.settings.production import ExportParams
    from pipeline.stages.export import run

    kind = "text-classification"
    params = ExportParams(task=task, kind=kind, largest_drop=0.005, level=0.05)
    run(
        params, *(load_facet(kind, facet) for facet in ("answers", "measures", "feed")),
        tokens=Path(f"data/tokens/{task}.arrow"), model=model,
        calibration=Path(f"data/calibration/{task}.json"), bundle=bundle, exported=bundle.with_suffix(".json"),
    )  # fmt: skip
    return bundle


def compare_task(task: str) -> tuple[str, ...]:
    """Return the row of a task: both backends of its bundle on its test split, and McNemar's exact test."""
    table = read_parquet(Path(f"data/examples/{task}.parquet"))
    rows = np.flatnonzero(np.array(table["split"].to_pylist()) == "test")
    texts, actual = table["text"].take(rows).to_pylist(), class_indices(table)[rows]
    bundle = make_bundle(task)
    fp32, int8 = (_find_right(bundle, backend, texts, actual) for backend in ("fp32", "int8"))
    test, points = mcnemar(int8, fp32), 100 * (int8.mean() - fp32.mean())
    return (
        task, f"{len(rows):,}", f"{fp32.mean():.4f}", f"{int8.mean():.4f}", f"{points:+.2f}",
        f"{test.model_only}", f"{test.baseline_only}", f"{test.p_value:.2f}",
    )  # fmt: skip


def compare_tasks() -> tuple[str, dict[str, float]]:
    """Return the table of all tasks, and the points of accuracy that int8 gains on each."""
    rows = [compare_task(task) for task in TASKS]
    return markdown_table(HEADER, rows, right=range(1, len(HEADER))), {f"int8 {row[0]}": float(row[4]) for row in rows}


def _find_right(bundle: Path, backend: str, texts: Sequence[str], actual: np.ndarray) -> np.ndarray:
    predictor = load_predictor(bundle, backend=backend)
    logits = predictor.compute_logits(predictor.encode(texts))
    return answer_rows(softmax(logits), predictor.labels, predictor.decision).classes == actual


if __name__ == "__main__":
    print(compare_tasks()[0])
