"""The results as GitHub Markdown: numbers, class names and titles of checks, but no text of the data."""

from collections.abc import Sequence

from pipeline.core.document import Document
from pipeline.core.format import (
    count,
    escape_markdown,
    markdown_table,
    p_cell,
    percent,
    points_and_interval,
    share,
    share_and_interval,
    size_in_points,
)
from pipeline.evaluate.estimate import Estimate
from pipeline.evaluate.mcnemar import POWER
from pipeline.evaluate.outcome import REAL_GAIN, REAL_LOSS, UNPROVEN
from pipeline.evaluate.paired import smallest_drop
from pipeline.report.study import study_markdown
from pipeline.report.verdict import (
    Task,
    accuracy_gain,
    describe_accuracy,
    describe_checks,
    describe_confidence,
    describe_suspects,
    describe_worth,
    failed_checks,
    read_estimate,
)

WORTH_CELLS = {REAL_GAIN: "pays", REAL_LOSS: "does harm", UNPROVEN: "not proven"}
DISAGREEMENT = 0.05  # share of the test rows that two trainings with the same settings typically predict differently


def results_table(evaluations: Sequence[Document]) -> str:
    """Return the overview: a row per task with accuracy, macro-F1, and the gains over TF-IDF and the linear probe."""
    header = ("Task", "Classes", "Test rows", "Accuracy", "Macro-F1", "TF-IDF", "Gain (points)", "p", "Verdict",
              "Probe", "Fine-tuning")  # fmt: skip
    return markdown_table(header, [_result_row(evaluation) for evaluation in evaluations], right=(*range(1, 8), 9))


def summary_markdown(
    title: str, tasks: Sequence[Task], transfer: Document | None = None, encoders: Sequence[Document] = ()
) -> str:
    """Return the whole summary: the overview, the study, a section per task, the encoders.

    `transfer` is None if there is no study.
    """
    evaluations = [task.evaluation for task in tasks]
    parts = [f"# {escape_markdown(title)}\n", results_table(evaluations)]
    if tasks:
        parts.append(_explain(describe_confidence(evaluations)))
    if transfer:
        parts.append(study_markdown(transfer))
    parts += map(_task_section, tasks)
    if encoders:
        parts.append(encoders_table(encoders))
    return "\n".join(parts)


def encoders_table(encoders: Sequence[Document]) -> str:
    """Return the results of each pretrained encoder on held-out documents, beside those of frequencies alone."""
    header = ("Encoder", "Perplexity", "By chance", "Word accuracy", "By chance", "Pair accuracy", "By chance")
    rows = []
    for encoder in encoders:
        best, chance = encoder["best"], encoder["chance"]
        perplexities = (f"{best['perplexity']:.1f}", f"{chance['perplexity']:.1f}")
        accuracies = (share(numbers[key]) for key in ("accuracy", "pair_accuracy") for numbers in (best, chance))
        rows.append((escape_markdown(encoder["encoder"]), *perplexities, *accuracies))
    return f"## Pretrained encoders\n\n{markdown_table(header, rows, right=range(1, 7))}"


def _explain(confidence: str) -> str:
    return (
        f"Brackets hold {escape_markdown(confidence)} confidence intervals. TF-IDF is the accuracy of TF-IDF + "
        "logistic regression on the same test rows; the gain is the model's accuracy minus that, and p is from "
        "McNemar's test. Probe is the accuracy of a linear probe on the features of the frozen encoder; fine-tuning "
        "pays if its gain over the probe is real.\n"
    )


def _result_row(evaluation: Document) -> tuple[str, ...]:
    model, gain, probe = evaluation["model"], accuracy_gain(evaluation), accuracy_gain(evaluation, "probe")
    probe_points = _format_points(probe.difference)
    return (
        escape_markdown(evaluation["task"]),
        count(len(evaluation["labels"])),
        count(evaluation["rows"]),
        _format_share(read_estimate(model["accuracy"])),
        _format_share(read_estimate(model["macro_f1"])),
        _baseline_accuracy(evaluation, "tfidf"),
        _format_points(gain.difference),
        p_cell(gain.p),
        gain.outcome,
        _baseline_accuracy(evaluation, "probe"),
        f"{WORTH_CELLS[probe.outcome]}: {probe_points}" if probe.outcome in WORTH_CELLS else probe.outcome,
    )


def _baseline_accuracy(evaluation: Document, baseline: str) -> str:
    return share(read_estimate(evaluation["baselines"][baseline]["accuracy"]).value)


def _format_points(difference: Estimate) -> str:
    return points_and_interval(difference.value, difference.low, difference.high)


def _format_share(estimate: Estimate) -> str:
    return share_and_interval(estimate.value, estimate.low, estimate.high)


def _task_section(task: Task) -> str:
    evaluation, best, device = task.evaluation, task.history["best"], task.history["device"]
    machine = f"{device['device']}, {device['precision']}"
    rows = [
        (
            escape_markdown(row["label"]),
            *(share(read_estimate(row[key]).value) for key in ("precision", "recall", "f1")),
            count(row["support"]),
        )
        for row in evaluation["model"]["classes"]
    ]
    return "\n".join(
        (
            f"## {escape_markdown(task.name)}\n",
            f"{describe_accuracy(evaluation, quote=escape_markdown)}\n",
            f"{describe_worth(evaluation, quote=escape_markdown)}\n",
            markdown_table(("Class", "Precision", "Recall", "F1", "Test rows"), rows, right=range(1, 5)),
            _describe_detectable_drop(evaluation),
            f"Best step {count(best['step'])} of {count(task.history['steps'])}, "
            f"{escape_markdown(machine)}. "
            f"Checks of the data: {describe_checks(task.findings)}.\n",
            *_list_failed_checks(task),
            f"{describe_suspects(task.inspection)}\n",
        )
    )


def _describe_detectable_drop(evaluation: Document) -> str:
    """Return the smallest drop of a later model that a gate could detect on these test rows."""
    level = 1 - evaluation["confidence"]
    smallest = smallest_drop((DISAGREEMENT / evaluation["rows"]) ** 0.5, largest=0.0, level=level)
    return (
        f"If a later model predicts {percent(DISAGREEMENT)} of the test rows differently, a drop of "
        f"{size_in_points(smallest)} or more can be detected (one-sided level {percent(level)}, power "
        f"{percent(POWER)}).\n"
    )


def _list_failed_checks(task: Task) -> list[str]:
    lines = [
        f"- {check['severity']}: {escape_markdown(check['title'])} ({count(check['count'])})\n"
        for check in failed_checks(task.findings)
    ]
    return ["".join(lines)] if lines else []
