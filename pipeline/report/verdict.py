"""What the numbers of a task say, in words: is the model better than its baselines?"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.core.format import count, interval, p_phrase, percent, plural, points, share
from pipeline.evaluate.outcome import REAL_GAIN, REAL_LOSS, UNMEASURED, UNPROVEN, Measure, outcome

BASELINES = {
    "tfidf": "TF-IDF + logistic regression",
    "probe": "frozen encoder + linear probe",
    "majority": "majority class",
}


WORTH = {
    REAL_GAIN: "Fine-tuning pays",
    REAL_LOSS: "Fine-tuning does harm",
    UNPROVEN: "Whether fine-tuning pays is not proven",
    UNMEASURED: "Whether fine-tuning pays is not known",
}


class Task(NamedTuple):
    """What the stages found about one task: their JSON documents."""

    name: str
    intake: Document
    findings: Document
    history: Document
    evaluation: Document
    projection: Document


class Gain(NamedTuple):
    """The accuracy of the model minus that of a baseline on the same examples."""

    difference: Measure
    p: float | None
    outcome: str


def measure(raw: object) -> Measure:
    """Return the number behind a JSON metric: a bare number, null, or an object with a value."""
    if not isinstance(raw, Mapping):
        return Measure(raw if isinstance(raw, int | float) else None)
    value = raw.get("value", raw.get("difference"))
    return Measure(value, raw.get("low"), raw.get("high"), raw.get("reason"))


def gain(evaluation: Document, against: str = "tfidf") -> Gain:
    """Return the accuracy gain over a baseline; unmeasured when there is no such comparison."""
    for comparison in evaluation["comparisons"]:
        if comparison["against"] == against:
            difference = measure(comparison["accuracy"])
            p = (comparison["mcnemar"] or {}).get("p_value")
            return Gain(difference, p, outcome(difference, p, alpha=1 - evaluation["confidence"]))
    return Gain(Measure(None), None, UNMEASURED)


def levels(evaluations: Sequence[Document]) -> str:
    """Return the confidence levels of the intervals: the most frequent one, then the tasks that have another.

    `95%`, or `95% (spam: 90%)`.
    """
    found = Counter(evaluation["confidence"] for evaluation in evaluations)
    if not found:
        return ""
    common = found.most_common(1)[0][0]
    others = [
        f"{evaluation['task']}: {percent(evaluation['confidence'])}"
        for evaluation in evaluations
        if evaluation["confidence"] != common
    ]
    return percent(common) + (f" ({', '.join(others)})" if others else "")


def verdict(evaluation: Document, *, quote: Callable[[str], str] = str) -> str:
    """Return one sentence: the accuracy, its interval, the rows, and what the model gains over TF-IDF.

    Only the reason of a missing number is not written here; `quote` makes it safe for where the sentence goes.
    """
    accuracy = measure(evaluation["model"]["accuracy"])
    rows = plural(evaluation["rows"], "test example")
    if accuracy.value is None:
        return f"The accuracy could not be measured on {rows}{_because(accuracy.reason, quote)}."
    found = " ".join(filter(None, (share(accuracy.value), interval(accuracy.low, accuracy.high))))
    return f"Accuracy {found} on {rows}; {_comparison(gain(evaluation), BASELINES['tfidf'], quote)}."


def worth(evaluation: Document, *, quote: Callable[[str], str] = str) -> str:
    """Return one sentence: whether fine-tuning is better than a linear probe on the features of the frozen encoder."""
    found = gain(evaluation, "probe")
    said = _comparison(found, "a linear probe on the frozen encoder", quote)
    return f"{WORTH[found.outcome]}: {said}."


def _comparison(found: Gain, name: str, quote: Callable[[str], str]) -> str:
    value = found.difference.value
    if found.outcome == UNMEASURED or value is None:
        return f"not compared with {name}{_because(found.difference.reason, quote)}"
    p = "" if found.p is None else f" ({p_phrase(found.p)})"
    size = points(value).lstrip("+−")
    if size == "0.0":
        return f"level with {name}{p}"
    side = f"{size} {'point' if size == '1.0' else 'points'} {'above' if value > 0 else 'below'} {name}"
    return f"{side}, which may be chance{p}" if found.outcome == UNPROVEN else f"{side}{p}"


def _because(reason: str | None, quote: Callable[[str], str]) -> str:
    return f" ({quote(reason)})" if reason else ""


def tally(findings: Document) -> str:
    """Return how the checks of the data came out: `14 passed, 2 warnings`."""
    checks = findings["checks"]
    failed = [check for check in checks if check["outcome"] != "passed"]
    critical = sum(check["severity"] == "critical" for check in failed)
    words = [f"{count(len(checks) - len(failed))} passed"]
    words += [plural(len(failed) - critical, "warning")] if len(failed) > critical else []
    words += [f"{count(critical)} critical"] if critical else []
    return ", ".join(words)


def warnings(findings: Document) -> list[Document]:
    """Return the checks that did not pass, in order, critical ones first."""
    failed = [check for check in findings["checks"] if check["outcome"] != "passed"]
    return sorted(failed, key=lambda check: bool(check["severity"] != "critical"))


def confusions(labels: list[str], matrix: list[list[int]], *, most: int) -> list[tuple[str, str, int, float]]:
    """Return the most frequent errors as (actual, predicted, rows, share of the actual class), most frequent first."""
    found = [
        (labels[actual], labels[predicted], rows, rows / sum(row))
        for actual, row in enumerate(matrix)
        for predicted, rows in enumerate(row)
        if rows and actual != predicted
    ]
    return sorted(found, key=lambda error: -error[2])[:most]
