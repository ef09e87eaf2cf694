"""Advice on the classes of a task, and its errors and its decision in words."""

import math
from statistics import NormalDist

from pipeline.core.document import Document
from pipeline.core.format import count, plural, share, share_and_interval
from pipeline.evaluate.estimate import Estimate, wilson_interval
from pipeline.report.advice import list_names
from pipeline.report.kind import Advice, Quote, Task
from pipeline.report.verdict import read_estimate

# Recall of a class is too vague to act on if its interval is wider: 0.7 and 1.0 would be the same.
WIDEST_RECALL = 0.3


def frequent_errors(labels: list[str], matrix: list[list[int]], *, most: int) -> list[tuple[str, str, int, float]]:
    """Return the most frequent errors as (actual, predicted, rows, share of the actual class), most frequent first."""
    errors = [
        (labels[actual], labels[predicted], rows, rows / sum(row))
        for actual, row in enumerate(matrix)
        for predicted, rows in enumerate(row)
        if rows and actual != predicted
    ]
    return sorted(errors, key=lambda error: -error[2])[:most]


def describe_decision(decision: Document, *, quote: Quote = str) -> str:
    """Return the rules of a decision with how their answers do on test; `quote` makes the name of a class safe."""
    sentences = []
    if decision["favoured"] is not None:
        precision, recall = (_describe_share(decision[key]) for key in ("precision", "recall"))
        sentences.append(
            f"{quote(decision['favoured'])} is answered from a probability of {share(decision['threshold'])} on: "
            f"precision {precision}, recall {recall}."
        )
    if decision["abstain_below"] is not None:
        coverage, accuracy = (_describe_share(decision[key]) for key in ("coverage", "accuracy_answered"))
        sentences.append(
            f"An answer below a probability of {share(decision['abstain_below'])} is unsure: the share of sure ones is "
            f"{coverage}, their accuracy {accuracy}."
        )
    return " ".join(sentences)


def _describe_share(raw: Document) -> str:
    estimate = read_estimate(raw)
    return share_and_interval(estimate.value, estimate.low, estimate.high)


def find_vague_classes(evaluation: Document) -> list[tuple[str, int, Estimate]]:
    """Return the classes of which the test split says too little: name, test rows, recall with Wilson's interval."""
    classes = [(row, row["support"]) for row in evaluation["model"]["classes"]]
    recalls = [
        (str(row["label"]), rows, _estimate_recall(row, evaluation["confidence"]) if rows else Estimate(None, 0.0, 1.0))
        for row, rows in classes
    ]
    return [recall for recall in recalls if (recall[2].high or 0.0) - (recall[2].low or 0.0) > WIDEST_RECALL]


def _estimate_recall(row: Document, confidence: float) -> Estimate:
    return wilson_interval(round((read_estimate(row["recall"]).value or 0) * row["support"]), row["support"],
                           confidence=confidence)  # fmt: skip


def require_test_rows(confidence: float) -> int:
    """Return the test rows with which no interval of a recall is wider than `WIDEST_RECALL`.

    Source: the normal approximation at a recall of one half, its widest.
    """
    return math.ceil((NormalDist().inv_cdf((1 + confidence) / 2) / WIDEST_RECALL) ** 2)


def advise_on_classes(task: Task, quote: Quote) -> list[Advice]:
    """Return the classes whose test rows are too few to judge them; empty if there is none."""
    vague = find_vague_classes(task.evaluation)
    names = [
        f"{quote(name)} ({plural(rows, 'test row')}, recall {share(recall.low)} to {share(recall.high)})"
        for name, rows, recall in vague
    ]
    enough = require_test_rows(task.evaluation["confidence"])
    text = (
        f"Too few test rows to judge {list_names(names)}. {count(enough)} of a class are enough: label more, or raise "
        "ingest.shares.test."
    )
    return [Advice("Classes", text, "classes")] if vague else []
