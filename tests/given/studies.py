"""Made-up cells of a study, as its stages write them, and the study they make."""

from typing import Any

import numpy as np

from pipeline.settings.study import TransferParams
from pipeline.study.results import joined

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


def params(**changes: Any) -> TransferParams:
    values: dict[str, Any] = {
        "tasks": ("reviews",),
        "arms": {name: found[0] for name, found in ARMS.items()},
        "encoders": {name: found[1] for name, found in ARMS.items() if found[1]},
        "labels": (32, 128, 512, 2048, "all"),
        "seeds": (0, 1, 2),
        "comparisons": PAIRS,
        "confidence": 0.95,
        "resamples": 100,
    }
    return TransferParams(**{**values, **changes})


def make_cells(found: TransferParams, *, rows: int = 1000) -> dict[Any, dict[str, Any]]:
    """Return a cell for each place of the study; the arms rise from one accuracy to another with the labels."""
    actual = np.random.default_rng(7).integers(0, 2, rows)
    hard = np.random.default_rng(8).random(rows)
    cells = {}
    for task in found.tasks:
        for arm in found.arms:
            for place, labels in enumerate(found.labels):
                for seed in found.seeds:
                    rng = np.random.default_rng([seed, place, list(ARMS).index(arm)])
                    part = place / max(1, len(found.labels) - 1)
                    level = ARMS[arm][2] + part * (ARMS[arm][3] - ARMS[arm][2]) + rng.normal(0, 0.004)
                    ease = 0.7 * hard + 0.3 * rng.random(rows)
                    right = ease < np.quantile(ease, level)
                    train = 8500 if labels == "all" else labels
                    cells[task, arm, labels, seed] = {
                        "task": task, "arm": arm, "labels": labels, "seed": seed,
                        "rows": {"train": train, "validation": min(train, 1000), "test": rows}, "classes": 2,
                        "accuracy": float(right.mean()), "macro_f1": float(right.mean()), "steps": 100 + place,
                        "tokens": 1000 * train, "actual": " ".join(map(str, actual)),
                        "predicted": " ".join(map(str, np.where(right, actual, 1 - actual))),
                    }  # fmt: skip
    return cells


def make_study(**changes: Any) -> dict[str, Any]:
    found = params(**changes)
    return joined(found, make_cells(found))
