"""The results of a task in words: its headline metric, its gains over the baselines, its failed checks."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pipeline.core.document import Document
from pipeline.core.format import (
    count,
    p_phrase,
    percent,
    plural,
    points,
    points_interval,
    share,
    share_and_interval,
    signed,
    size_in_points,
)
from pipeline.evaluate.estimate import REAL_GAIN, REAL_LOSS, UNMEASURED, UNPROVEN, Estimate, classify_difference
from pipeline.evaluate.flat_metrics import headline_p_value
from pipeline.evaluate.kind import BaselineName, Metric
from pipeline.report.kind import Quote, Task

WORTH_CLAUSES = {
    REAL_GAIN: "Fine-tuning pays",
    REAL_LOSS: "Fine-tuning does harm",
    UNPROVEN: "Whether fine-tuning pays is not proven",
    UNMEASURED: "Whether fine-tuning pays is not known",
}


class Gain(NamedTuple):
    """The headline metric of a model minus that of a baseline on the same examples."""

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


def headline_gain(task: Task, over: BaselineName | None) -> Gain:
    """Return the gain in the headline metric over a baseline.

    It is unmeasured if both its interval and its p value are missing, or if the kind has no such baseline.
    """
    if over is None:
        return Gain(Estimate(None), None, UNMEASURED)
    comparisons = {row["against"]: row for row in task.evaluation["comparisons"]}
    return read_gain(comparisons[over.name], task.page.headline, task.evaluation["confidence"])


def probe_gain(task: Task) -> Gain:
    """Return the gain of the probe over the cheap baseline, unmeasured without a probe."""
    cheap, probe, *_ = task.page.baselines
    if probe is None:
        return Gain(Estimate(None), None, UNMEASURED)
    comparison = task.evaluation[f"{probe.name}_over_{cheap.name}"]
    return read_gain(comparison, task.page.headline, task.evaluation["confidence"])


def read_gain(comparison: Document, metric: Metric, confidence: float) -> Gain:
    """Return the difference in a metric, and what it proves at this level of confidence."""
    difference, p = read_estimate(comparison[metric.name]), headline_p_value(comparison, metric.name)
    return Gain(difference, p, classify_difference(difference, p, alpha=1 - confidence, better=metric.better))


def format_difference(metric: Metric, value: float | None) -> str:
    """Return a difference of a metric with its sign: of shares in points, of others in their own unit."""
    return points(value) if metric.unit == "share" else signed(value)


def format_size(metric: Metric, value: float | None) -> str:
    """Return the size of a difference of a metric: `1.2 points` of shares, of others in their own unit."""
    return size_in_points(value) if metric.unit == "share" or value is None else share(abs(value))


def format_ends(metric: Metric, estimate: Estimate) -> str:
    """Return the interval of a difference of a metric, empty without one."""
    if metric.unit == "share":
        return points_interval(estimate.low, estimate.high)
    return "" if estimate.low is None else f"[{signed(estimate.low)}, {signed(estimate.high)}]"


def capitalize(title: str) -> str:
    """Return a title with its first letter as at the start of a sentence, and the others as they are."""
    return title[:1].upper() + title[1:]


def failed_checks(findings: Document) -> list[Document]:
    """Return the checks that did not pass, in order, critical ones first."""
    failed = [check for check in findings["checks"] if check["outcome"] != "passed"]
    return sorted(failed, key=lambda check: bool(check["severity"] != "critical"))


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


def describe_headline(task: Task, *, quote: Quote = str) -> str:
    """Return one sentence: the headline metric, its interval, the rows, and the gain over the cheap baseline.

    Its only free text is the reason of a missing number, which `quote` makes safe.
    """
    metric, cheap = task.page.headline, task.page.baselines.cheap
    estimate = read_estimate(task.evaluation["model"][metric.name])
    rows = plural(task.evaluation["rows"], "test example")
    if estimate.value is None:
        return f"The {metric.title} could not be measured on {rows}{_because(estimate.reason, quote)}."
    value = share_and_interval(estimate.value, estimate.low, estimate.high)
    compared = _compare(metric, headline_gain(task, cheap), cheap.title, quote)
    return f"{capitalize(metric.title)} {value} on {rows}; {compared}."


def describe_worth(task: Task, *, quote: Quote = str) -> str:
    """Return one sentence: whether fine-tuning is better than a linear probe on the features of the frozen encoder."""
    gain = headline_gain(task, task.page.baselines.probe)
    compared = _compare(task.page.headline, gain, "a linear probe on the frozen encoder", quote)
    return f"{WORTH_CLAUSES[gain.outcome]}: {compared}."


def describe_best(task: Task) -> str:
    """Return the scores on validation of the weights that were kept: the loss, and the metrics that training knows."""
    best = task.history["best"]
    known = [metric for metric in task.page.metrics if metric.name in best]
    return ", ".join(
        [f"loss {share(best['loss'])}", *(f"{metric.title} {share(best[metric.name])}" for metric in known)]
    )


def _compare(metric: Metric, gain: Gain, name: str, quote: Quote) -> str:
    value = gain.difference.value
    if gain.outcome == UNMEASURED or value is None:
        return f"not compared with {name}{_because(gain.difference.reason, quote)}"
    p = "" if gain.p is None else f" ({p_phrase(gain.p)})"
    size = format_size(metric, value)
    if size == format_size(metric, 0.0):
        if gain.outcome == UNPROVEN:
            return f"level with {name}{p}"
        size = f"less than {format_size(metric, 0.001)}"  # proven, and too small for the digits shown
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
