"""Made-up documents of a task, as the stages write them, and the page's templates, for the tests of the report."""

import hashlib
import math
from pathlib import Path
from typing import Any

from pipeline.kinds.text_classification.page import PAGE
from pipeline.report.kind import Task
from pipeline.report.page import TEMPLATES

TEMPLATE_FOLDER = Path(__file__).parents[2] / "pipeline/report/templates"
TEMPLATE_TEXTS = {name: (TEMPLATE_FOLDER / name).read_text(encoding="utf-8") for name in (*TEMPLATES, PAGE.template)}


def metric(value: float | None, spread: float = 0.02, reason: str | None = None) -> dict[str, Any]:
    """Return a metric with its interval; without a value it has a reason."""
    if value is None:
        return {"value": None, "low": None, "high": None, "reason": reason or "nothing to measure"}
    return {"value": value, "low": round(value - spread, 4), "high": round(value + spread, 4), "reason": None}


def headline(accuracy: float, macro_f1: float, log_loss: float, brier: float, ece: float) -> dict[str, Any]:
    """Return the headline metrics of a model."""
    pairs = {"accuracy": accuracy, "macro_f1": macro_f1, "log_loss": log_loss, "brier": brier, "ece": ece}
    return {name: metric(value, 0.02 if value > 0.1 else 0.01) for name, value in pairs.items()}


def classes(labels: list[str], matrix: list[list[int]]) -> list[dict[str, Any]]:
    """Return precision, recall and F1 by class of a confusion matrix."""
    rows = []
    for index, label in enumerate(labels):
        support, calls, hits = sum(matrix[index]), sum(row[index] for row in matrix), matrix[index][index]
        precision, recall = hits / calls if calls else None, hits / support if support else None
        f1 = 2 * hits / (support + calls) if support + calls else None
        rows.append(
            {"label": label, "precision": precision, "recall": recall, "f1": f1, "support": support, "reason": None}
        )
    return rows


def comparison(against: str, difference: float, spread: float, p: float) -> dict[str, Any]:
    """Return a comparison with a baseline."""
    edges = {"difference": difference, "low": difference - spread, "high": difference + spread, "reason": None}
    test = {"p_value": p, "mid_p": p * 0.9, "model_only": 131, "baseline_only": 46}
    return {
        "against": against,
        "accuracy": {**edges, "detectable": 0.021},
        "macro_f1": {**edges, "p_value": p},
        "mcnemar": test,
    }


def unmeasured(against: str, reason: str | None = "one class only") -> dict[str, Any]:
    """Return a comparison without any number but those of McNemar's test, whose p value is missing too."""
    missing = {"difference": None, "low": None, "high": None, "reason": reason}
    return {
        "against": against,
        "accuracy": {**missing, "detectable": None},
        "macro_f1": {**missing, "p_value": None},
        "mcnemar": {"p_value": None, "mid_p": None, "model_only": 0, "baseline_only": 0},
    }


def evaluation(
    task: str, labels: list[str], matrix: list[list[int]], *, gain: tuple[float, float, float], texts: list[str]
) -> dict[str, Any]:
    """Return an evaluation that agrees with its confusion matrix; `gain` is difference, half width and p value."""
    rows = sum(map(sum, matrix))
    accuracy = sum(matrix[index][index] for index in range(len(labels))) / rows
    bins = [
        (0.45, 0.44, 18),
        (0.55, 0.58, 66),
        (0.65, 0.69, 74),
        (0.75, 0.72, 91),
        (0.85, 0.86, 168),
        (0.97, 0.955, 669),
    ]
    calibration = [
        {"low": at / 10, "high": (at + 1) / 10, "count": 0, "confidence": None, "accuracy": None} for at in range(4)
    ]
    calibration += [
        {"low": (at + 4) / 10, "high": (at + 5) / 10, "count": n, "confidence": sure, "accuracy": right}
        for at, (sure, right, n) in enumerate(bins)
    ]
    lengths = (("1-5", 61, 0.82), ("6-10", 143, 0.85), ("11-20", 402, 0.88), ("21-40", 431, 0.87), ("41+", 49, 0.84))
    return {
        "task": task,
        "labels": labels,
        "rows": rows,
        "confidence": 0.95,
        "model": {
            **headline(accuracy, accuracy - 0.006, 0.331, 0.197, 0.021),
            "classes": classes(labels, matrix),
            "confusion": matrix,
            "calibration": calibration,
        },
        "calibration": {
            "temperature": 0.75,
            "before": {"log_loss": metric(0.346), "brier": metric(0.203), "ece": metric(0.048)},
            "after": {"log_loss": metric(0.331), "brier": metric(0.197), "ece": metric(0.021, 0.01)},
            "log_loss": {"difference": -0.015, "low": -0.019, "high": -0.011, "reason": None},
        },
        "decision": None,
        "baselines": {
            "tfidf": headline(accuracy - gain[0], accuracy - gain[0] - 0.009, 0.468, 0.3, 0.034),
            "probe": headline(accuracy - gain[0] / 2, accuracy - gain[0] / 2 - 0.007, 0.402, 0.25, 0.027),
            "majority": headline(max(map(sum, matrix)) / rows, 0.3412, 0.693, 0.5, 0.004),
        },
        "comparisons": [comparison("tfidf", *gain), comparison("probe", gain[0] / 2, gain[1], min(1.0, 3 * gain[2])),
                        comparison("majority", 0.3664, 0.034, 0.0000001)],
        "probe_over_tfidf": comparison("tfidf", gain[0] / 2, gain[1], min(1.0, 3 * gain[2])),
        "slices": [
            {"slice": "length", "value": value, "rows": n, "accuracy": metric(score, 0.6 / n**0.5),
             "macro_f1": metric(score)}
            for value, n, score in lengths
        ],
        "worst": [
            {"line": 301 + at, "id": f"{at:016x}", "text": text, "label": labels[at % len(labels)],
             "predicted": labels[(at + 1) % len(labels)], "confidence": 0.998 - at / 400}
            for at, text in enumerate(texts)
        ],
    }  # fmt: skip


def decision(favoured: str) -> dict[str, Any]:
    """Return a decision that favours a class, with how its answers do."""
    rules = {"abstain_below": 0.612, "favoured": favoured, "threshold": 0.234}
    shares = {"coverage": 0.913, "accuracy_answered": 0.957, "precision": 0.891, "recall": 0.972}
    return {**rules, **{name: metric(value) for name, value in shares.items()}}


def intake(task: str, labels: list[str], matrix: list[list[int]]) -> dict[str, Any]:
    """Return counts of an intake whose test split is that of the matrix."""
    test = {label: sum(row) for label, row in zip(labels, matrix, strict=True)}
    splits = {
        "train": {label: 8 * n + 3 for label, n in test.items()},
        "validation": {label: n + 1 for label, n in test.items()},
        "test": test,
    }
    kept = sum(n for counts in splits.values() for n in counts.values())
    return {
        "task": task,
        "file": f"source/{task}.tsv",
        "rows": kept + 25,
        "kept": kept,
        "dropped": {"empty": 1, "removed": 1, "unlabelled": 0, "duplicates": 17, "conflicts": 6, "leaks": 0},
        "corrections": {"given": 5, "applied": 3, "removed": 1, "needless": 0, "stale": {"count": 2, "ids": ["0a"]}},
        "conflicts": {"texts": 3, "rows": 6, "lines": [119, 1240, 3307, 5010, 5011]},
        "changed": {
            name: {"rows": rows, "lines": []}
            for name, rows in (("trimmed", 0), ("normalised", 12), ("controls", 3), ("misread", 0))
        },
        "splits": splits,
        "sha256": {f"source/{task}.tsv": hashlib.sha256(task.encode()).hexdigest()},
    }


def finding(title: str, *, severity: str = "critical", outcome: str = "passed", **more: Any) -> dict[str, Any]:
    """Return one check of the data."""
    values = {"expected": "at least 30", "found": "as expected", "count": 0, "lines": [], "reason": None}
    values |= {"remedy": None if outcome == "passed" else "correct `t.csv`", **more}
    return {
        "check": title.lower().replace(" ", "-"),
        "title": title,
        "severity": severity,
        "outcome": outcome,
        **values,
    }


def findings(task: str) -> dict[str, Any]:
    """Return findings with two warnings."""
    checks = [
        finding("Each split has enough rows", found="'test' 1086, 'validation' 1091, 'train' 8463"),
        finding("Each class has enough rows in train", expected="at least 5"),
        finding("Texts are not empty", expected="no empty text", found="0 of 10640 rows"),
        finding("Ids are unique", expected="no id twice", found="0 of 10640 rows"),
        finding("Few test rows nearly repeat a train row", severity="warning", outcome="failed",
                expected="at most 0.02", found="0.0341", count=37, lines=[214, 988, 1003, 4120, 7777]),
        finding("Labels drift little", severity="warning", reason="no reference yet", found="no number"),
        finding("Texts are not too long", severity="warning", outcome="failed", expected="at most 1000 characters",
                found="2 of 10640 rows", count=2, lines=[73, 9001]),
    ]  # fmt: skip
    return {
        "task": task,
        "checks": checks,
        "profile": {"rows": 8463, "label_shares": {}, "length_counts": []},
    }


def history(task: str, labels: list[str], *, steps: int = 530) -> dict[str, Any]:
    """Return a training of eight evaluations, the sixth of which is the best."""
    rows = []
    for at in range(1, 9):
        part = at / 8
        rows.append({
            "step": round(steps * part), "epoch": 2 * part, "learning_rate": 2e-4 * (1 - part),
            "train_loss": 0.69 * 0.28**part, "loss": 0.32 + 0.36 * (1 - part) ** 2 + 0.05 * max(0.0, part - 0.7),
            "accuracy": 0.872 - 0.24 * (1 - part) ** 2 - 0.01 * (at > 6),
            "macro_f1": 0.866 - 0.3 * (1 - part) ** 2 - 0.012 * (at > 6),
        })  # fmt: skip
    best = rows[5]
    device = {
        "device": "cpu",
        "precision": "fp32",
        "attention": "eager",
        "threads": 2,
        "reason": "the processor has no bf16 instructions",
    }
    return {"task": task, "labels": labels, "encoder": "raw/minilm", "max_length": 12, "device": device,
        "examples": {"train": 8463, "validation": 1091}, "truncated": 3,
        "steps": steps, "best": best, "stopped": "finished", "evaluations": rows,
        "params": {"task": task, "metric": "macro_f1", "lora": None, "seed": 0},
        "versions": {"torch": "2.0", "transformers": "5.0"}}  # fmt: skip


def projection(labels: list[str], matrix: list[list[int]], texts: list[str]) -> dict[str, Any]:
    """Return a projection of the features: a cloud per class, a tenth of the rows of the confusion matrix."""
    points = []
    for actual, row in enumerate(matrix):
        for predicted, rows in enumerate(row):
            for at in range(0, rows, 10):
                angle = 2.4 * at + actual
                away = 0.4 * math.sqrt((at % 97) / 97)
                centre = 6.28 * actual / len(matrix)
                x, y = math.cos(centre) * 0.5 + away * math.cos(angle), math.sin(centre) * 0.5 + away * math.sin(angle)
                points.append({"x": round(x, 4), "y": round(y, 4), "actual": actual, "predicted": predicted})
    return {
        "rows": sum(map(sum, matrix)),
        "width": 384,
        "explained": [0.1234, 0.0517],
        "points": points,
        "neighbours": [
            {
                "text": text,
                "label": labels[at % len(labels)],
                "predicted": labels[(at + 1 + at // 2) % len(labels)],
                "nearest": [
                    {"text": f"{many}of train", "label": labels[(at + place) % len(labels)],
                     "similarity": 0.81 - place / 9}
                    for place, many in enumerate(("A short text ", "A long text " * 12, "Another one "))
                ],
            }
            for at, text in enumerate(texts[:2])
        ],
    }  # fmt: skip


def inspection(task: str, labels: list[str], texts: list[str]) -> dict[str, Any]:
    """Return suspects of each reason."""
    reasons = (["label"], ["label", "duplicate"], ["outlier"])
    suspects = [
        {
            "line": 1203 + at, "id": f"{at:016x}", "split": "train", "label": labels[at % len(labels)],
            "suggested": labels[(at + 1) % len(labels)] if "label" in reasons[at % 3] else None,
            "confidence": 0.04 * (at + 1), "reason": reasons[at % 3],
            "rivals": [7, 1999] if "duplicate" in reasons[at % 3] else [], "text": text,
        }
        for at, text in enumerate([*texts, "%%%%"])
    ]  # fmt: skip
    counts = {name: sum(name in row["reason"] for row in suspects) for name in ("label", "duplicate", "outlier")}
    return {"task": task, "rows": 10_640, "agreement": 0.80514, "suspicious": len(suspects), "reasons": counts,
            "suspects": suspects}  # fmt: skip


def pretraining(encoder: str = "scratch", *, pairs: bool = True) -> dict[str, Any]:
    """Return the history of a pretraining with four evaluations."""
    rows = [
        {
            "step": 100 * at, "epoch": at / 4, "learning_rate": 1e-3 / at, "train_loss": 7.0 - at / 2,
            "loss": 6.5 - at / 2, "word_loss": 6.0 - at / 2, "perplexity": 400.0 / at, "accuracy": 0.1 + at / 20,
            "pair_loss": 0.5 if pairs else None, "pair_accuracy": 0.55 + at / 20 if pairs else None,
        }
        for at in range(1, 5)
    ]  # fmt: skip
    return {
        "encoder": encoder, "device": {"device": "cpu", "precision": "bf16"}, "parameters": 1_492_610,
        "vocabulary": 8000, "documents": {"train": 20_668, "held_out": 608},
        "tokens": {"train": 2_010_003, "held_out": 60_001},
        "chance": {"perplexity": 641.7, "accuracy": 0.055, "pair_accuracy": 0.52 if pairs else None},
        "steps": 400, "best": rows[-1], "stopped": "finished", "evaluations": rows,
    }  # fmt: skip


def make_task(
    name: str = "reviews",
    labels: tuple[str, ...] = ("negative", "positive"),
    matrix: tuple[tuple[int, ...], ...] = ((470, 66), (77, 473)),
    *,
    gain: tuple[float, float, float] = (0.0783, 0.026, 0.0000004),
    texts: tuple[str, ...] = ("A film that hates its own jokes, and is right to.", "Not unfunny."),
) -> Task:
    """Return a whole task."""
    names, rows = list(labels), [list(row) for row in matrix]
    return Task(
        name,
        intake(name, names, rows),
        findings(name),
        inspection(name, names, list(texts)),
        history(name, names),
        evaluation(name, names, rows, gain=gain, texts=list(texts)),
        projection(names, rows, list(texts)),
        PAGE,
    )


def three_tasks() -> list[Task]:
    """Return a clear gain with two classes, an unproven one with six, and a loss with a rare class."""
    kinds = ("abbreviation", "description", "entity", "human", "location", "number")
    matrix = (
        (7, 1, 1, 0, 0, 0),
        (1, 131, 4, 0, 1, 1),
        (0, 6, 84, 2, 1, 1),
        (0, 1, 3, 61, 0, 0),
        (0, 0, 2, 1, 78, 0),
        (0, 1, 3, 0, 0, 109),
    )
    reviews = (
        "It takes a certain kind of horror movie to qualify as 'worse than expected', but this one manages it.",
        "a film of quiet power, or so the poster says",
        "Nothing happens, and it happens to everybody, twice; the second time with a longer score and far less "
        "light than anybody in the row in front of me was prepared to sit through without a torch.",
        "Not unfunny.",
        "you could do worse",
    )
    return [
        make_task(texts=reviews),
        make_task(
            "questions",
            kinds,
            matrix,
            gain=(0.008, 0.0181, 0.4049),
            texts=("What is the full form of .com ?", "Who was Galileo ?", "What do bats eat ?"),
        ),
        make_task(
            "spam",
            ("ham", "spam"),
            ((478, 3), (9, 68)),
            gain=(-0.0125, 0.0092, 0.0117),
            texts=("FreeMsg: hey there darling its been 3 weeks now", "ok lar... joking wif u oni"),
        ),
    ]
