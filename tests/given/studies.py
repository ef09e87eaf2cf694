"""A made-up study: a small task of labelled texts, cells as the stages write them, and the results they make."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.core.tables import describe
from pipeline.settings.study import TransferParams
from pipeline.study.cell import CellAnswers
from pipeline.study.results import CellResult, join_cells

ARMS = {
    "majority": ("largest class", None, 0.5, 0.5),
    "tfidf": ("TF-IDF + linear", None, 0.55, 0.8),
    "random": ("small BERT from random", "encoder/scratch", 0.52, 0.78),
    "scratch": ("small BERT pretrained here", "encoder/scratch", 0.54, 0.79),
    "probe": ("MiniLM frozen + linear", "raw/minilm", 0.66, 0.76),
    "pretrained": ("MiniLM fine-tuned", "raw/minilm", 0.68, 0.86),
    "adapted": ("MiniLM adapted here", "encoder/adapted", 0.685, 0.862),
}
PAIRS = (("scratch", "random"), ("adapted", "pretrained"), ("pretrained", "random"), ("pretrained", "tfidf"))


def make_examples(rows: int = 90, *, order: Sequence[int] | None = None) -> pa.Table:
    """Return a task of two classes: two thirds train, the rest validation and test by halves."""
    places = list(range(rows)) if order is None else list(order)
    table = pa.table(
        {
            "id": [f"id{at:03}" for at in places],
            "split": [("train", "train", "train", "train", "validation", "test")[at % 6] for at in places],
            "text": [f"{'good' if at % 2 else 'bad'} film {at}" for at in places],
            "label": pa.array([at % 2 for at in places], pa.int64()),
            "row": pa.array(places, pa.int64()),
        }
    )
    return describe(table, task="t", labels=("no", "yes"))


def params(**changes: Any) -> TransferParams:
    values: dict[str, Any] = {
        "tasks": ("reviews",),
        "arms": {name: title for name, (title, *_) in ARMS.items()},
        "encoders": {name: encoder for name, (_, encoder, *_) in ARMS.items() if encoder},
        "labels": (32, 128, 512, 2048, "all"),
        "seeds": (0, 1, 2),
        "comparisons": PAIRS,
        "confidence": 0.95,
        "resamples": 100,
    }
    return TransferParams(**{**values, **changes})


def make_cells(study: TransferParams, *, rows: int = 1000) -> dict[Any, CellResult]:
    """Return a cell for each place of the study; the arms rise from one accuracy to another with the labels."""
    actual = np.random.default_rng(7).integers(0, 2, rows)
    hard = np.random.default_rng(8).random(rows)
    ids = [f"id{row:04}" for row in range(rows)]
    cells = {}
    for task in study.tasks:
        for arm in study.arms:
            for place, labels in enumerate(study.labels):
                for seed in study.seeds:
                    rng = np.random.default_rng([seed, place, list(ARMS).index(arm)])
                    part = place / max(1, len(study.labels) - 1)
                    level = ARMS[arm][2] + part * (ARMS[arm][3] - ARMS[arm][2]) + rng.normal(0, 0.004)
                    ease = 0.7 * hard + 0.3 * rng.random(rows)
                    right = ease < np.quantile(ease, level)
                    train = 8500 if labels == "all" else labels
                    document = {
                        "task": task, "arm": arm, "labels": labels, "seed": seed,
                        "rows": {"train": train, "validation": min(train, 1000), "test": rows}, "classes": 2,
                        "accuracy": float(right.mean()), "macro_f1": float(right.mean()), "steps": 100 + place,
                        "tokens": 1000 * train,
                    }  # fmt: skip
                    answers = CellAnswers(2, ids, actual, np.where(right, actual, 1 - actual))
                    cells[task, arm, labels, seed] = CellResult(document, answers)
    return cells


def make_study(**changes: Any) -> dict[str, Any]:
    study = params(**changes)
    return join_cells(study, make_cells(study))
