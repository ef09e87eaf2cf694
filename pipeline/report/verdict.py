"""A task's results in words: its accuracy, its gains over the baselines, its failed checks and frequent errors."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.core.format import count, p_phrase, percent, plural, share, share_and_interval, size_in_points
from pipeline.evaluate.estimate import REAL_GAIN, REAL_LOSS, UNMEASURED, UNPROVEN, Estimate, classify_difference

Quote = Callable[[str], str]  # makes free text safe in the format of a sentence
BASELINE_TITLES = {
    "tfidf": "TF-IDF + logistic regression",
    "probe": "frozen encoder + linear probe",
    "majority": "majority class",
}
WORTH_CLAUSES = {
    REAL_GAIN: "Fine-tuning pays",
    REAL_LOSS: "Fine-tuning does harm",
    UNPROVEN: "Whether fine-tuning pays is not proven",
    UNMEASURED: "Whether fine-tuning pays is not known",
}


class Task(NamedTuple):
    """The JSON documents that the stages wrote about a task."""

    name: str
    intake: Document
    findings: Document
    inspection: Document
    history: Document
    evaluation: Document
    projection: Document


class Gain(NamedTuple):
    """The accuracy of a model minus that of a baseline on the same examples."""

    difference: Estimate
    p: float | None
    outcome: str


# ------------------------------------------------------------------------------------------------ numbers
def read_estimate(raw: Document | float | None) -> Estimate:
    """Return the number behind a JSON metric: a bare number, null, or an object with a value or a difference."""
    if not isinstance(raw, Mapping):
        return Estimate(raw)
    value = raw["value" if "value" in raw else "difference"]
    return Estimate(value, raw["low"], raw["high"], raw.get("reason"))  # a study gives no reasons


def accuracy_gain(evaluation: Document, against: str = "tfidf") -> Gain:
    """Return the accuracy gain over a baseline; unmeasured if both its interval and its p value are missing."""
    return read_gain({row["against"]: row for row in evaluation["comparisons"]}[against], evaluation["confidence"])


def read_gain(comparison: Document, confidence: float) -> Gain:
    """Return the difference in accuracy of a comparison, and what it proves at this level of confidence."""
    difference, p = read_estimate(comparison["accuracy"]), comparison["mcnemar"]["p_value"]
    return Gain(difference, p, classify_difference(difference, p, alpha=1 - confidence))


def failed_checks(findings: Document) -> list[Document]:
    """Return the checks that did not pass, in order, critical ones first."""
    failed = [check for check in findings["checks"] if check["outcome"] != "passed"]
    return sorted(failed, key=lambda check: bool(check["severity"] != "critical"))


def frequent_errors(labels: list[str], matrix: list[list[int]], *, most: int) -> list[tuple[str, str, int, float]]:
    """Return the most frequent errors as (actual, predicted, rows, share of the actual class), most frequent first."""
    errors = [
        (labels[actual], labels[predicted], rows, rows / sum(row))
        for actual, row in enumerate(matrix)
        for predicted, rows in enumerate(row)
        if rows and actual != predicted
    ]
    return sorted(errors, key=lambda error: -error[2])[:most]


# ------------------------------------------------------------------------------------------------ words
def describe_confidence(evaluations: Sequence[Document]) -> str:
    """Return the confidence levels of the intervals: the most frequent one, then the tasks with another one.

    `95%`, or `95% (spam: 90%)`; empty without evaluations.
    """
    levels = Counter(evaluation["confidence"] for evaluation in evaluations)
    if not levels:
        return ""
    common = levels.most_common(1)[0][0]
    others = [
        f"{evaluation['task']}: {percent(evaluation['confidence'])}"
        for evaluation in evaluations
        if evaluation["confidence"] != common
    ]
    return percent(common) + (f" ({', '.join(others)})" if others else "")


def describe_accuracy(evaluation: Document, *, quote: Quote = str) -> str:
    """Return one sentence: the accuracy, its interval, the rows, and the model's gain over TF-IDF.

    Its only free text is the reason of a missing number, which `quote` makes safe.
    """
    accuracy = read_estimate(evaluation["model"]["accuracy"])
    rows = plural(evaluation["rows"], "test example")
    if accuracy.value is None:
        return f"The accuracy could not be measured on {rows}{_because(accuracy.reason, quote)}."
    value = share_and_interval(accuracy.value, accuracy.low, accuracy.high)
    return f"Accuracy {value} on {rows}; {_compare(accuracy_gain(evaluation), BASELINE_TITLES['tfidf'], quote)}."


def describe_worth(evaluation: Document, *, quote: Quote = str) -> str:
    """Return one sentence: whether fine-tuning is better than a linear probe on the features of the frozen encoder."""
    gain = accuracy_gain(evaluation, "probe")
    return f"{WORTH_CLAUSES[gain.outcome]}: {_compare(gain, 'a linear probe on the frozen encoder', quote)}."


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


def _compare(gain: Gain, name: str, quote: Quote) -> str:
    value = gain.difference.value
    if gain.outcome == UNMEASURED or value is None:
        return f"not compared with {name}{_because(gain.difference.reason, quote)}"
    p = "" if gain.p is None else f" ({p_phrase(gain.p)})"
    size = size_in_points(value)
    if size == "0.0 points":
        return f"level with {name}{p}"
    side = f"{size} {'above' if value > 0 else 'below'} {name}"
    return f"{side}, which may be due to chance{p}" if gain.outcome == UNPROVEN else f"{side}{p}"


def _because(reason: str | None, quote: Quote) -> str:
    return f" ({quote(reason)})" if reason else ""


def describe_checks(findings: Document) -> str:
    """Return how many checks of the data passed and failed: `14 passed, 2 warnings`."""
    checks = findings["checks"]
    failed = failed_checks(findings)
    critical = sum(check["severity"] == "critical" for check in failed)
    parts = [f"{count(len(checks) - len(failed))} passed"]
    parts += [plural(len(failed) - critical, "warning")] if len(failed) > critical else []
    parts += [f"{count(critical)} critical"] if critical else []
    return ", ".join(parts)


# ------------------------------------------------------------------------------------------------ suspects
def describe_suspects(inspection: Document) -> str:
    """Return how many examples are suspicious, and why; one may be so for several reasons."""
    reasons = inspection["reasons"]
    total = f"{count(inspection['suspicious'])} of {plural(inspection['rows'], 'example')}"
    return (
        f"{total} are suspicious: {count(reasons['label'])} by their label, {count(reasons['duplicate'])} by a near "
        f"duplicate with another label, {count(reasons['outlier'])} because they resemble no other. Models fitted to "
        f"the other examples agree with {share(inspection['agreement'])} of the labels."
    )


def describe_reasons(suspect: Document) -> str:
    """Return why an example is suspicious."""
    lines = ", ".join(map(str, suspect["rivals"]))
    phrases = {
        "label": "the label is probably wrong",
        "duplicate": f"nearly equal texts with another label: line {lines}",
        "outlier": "resembles no other example",
    }
    return "; ".join(phrases[reason] for reason in suspect["reason"])
