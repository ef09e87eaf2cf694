"""The results as GitHub Markdown: numbers, class names and titles of checks, but no text of the data."""

from collections.abc import Sequence

from pipeline.core.document import Document
from pipeline.core.format import (
    count,
    escape_markdown,
    markdown_table,
    p_cell,
    percent,
    points,
    share,
    share_and_interval,
    size_in_points,
)
from pipeline.evaluate.estimate import REAL_GAIN, REAL_LOSS, UNPROVEN, Estimate
from pipeline.evaluate.mcnemar import POWER
from pipeline.evaluate.paired import smallest_drop
from pipeline.report.advice import SHORT_TITLES, advise, choose_model
from pipeline.report.identity import identify_results
from pipeline.report.study import studies_by_task, study_markdown
from pipeline.report.verdict import (
    Task,
    accuracy_gain,
    describe_accuracy,
    describe_checks,
    describe_confidence,
    describe_decision,
    describe_suspects,
    describe_worth,
    failed_checks,
    read_estimate,
)

WORTH_CELLS = {REAL_GAIN: "yes", REAL_LOSS: "no", UNPROVEN: "not proven"}
DISAGREEMENT = 0.05  # share of the test rows that two trainings with the same settings typically predict differently


def results_table(evaluations: Sequence[Document]) -> str:
    """Return the overview: a row per task with accuracy, the gains over TF-IDF and the probe, and the model to take."""
    header = ("Task", "Test rows", "Accuracy", "TF-IDF", "Gain (p)", "Probe", "Fine-tuning pays?", "Take")
    return markdown_table(header, [_result_row(evaluation) for evaluation in evaluations], right=range(1, 6))


def summary_markdown(
    title: str, tasks: Sequence[Task], transfer: Document | None = None, encoders: Sequence[Document] = ()
) -> str:
    """Return the whole summary: the overview, what to do next, a section per task, the study, the encoders.

    `transfer` is None if there is no study.
    """
    evaluations = [task.evaluation for task in tasks]
    parts = [f"# {escape_markdown(title)}\n", results_table(evaluations)]
    if tasks:
        parts.append(_explain(describe_confidence(evaluations)))
        parts.append(f"Results {identify_results(tasks, transfer, encoders)}.\n")
    studies = studies_by_task(transfer)
    parts += [_task_section(task, studies.get(task.name)) for task in tasks]
    if transfer:
        parts.append(study_markdown(transfer))
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
        "logistic regression on the same test rows; the gain is the model's accuracy minus that, in points (0.01), and "
        "p is from McNemar's test. Probe is the accuracy of a linear probe on the features of the frozen encoder; "
        "fine-tuning pays if its gain over the probe is real. Take the cheapest, unless a dearer one is proven better."
        "\n"
    )


def _result_row(evaluation: Document) -> tuple[str, ...]:
    gain, probe = accuracy_gain(evaluation), accuracy_gain(evaluation, "probe")
    return (
        escape_markdown(evaluation["task"]),
        count(evaluation["rows"]),
        _format_share(read_estimate(evaluation["model"]["accuracy"])),
        _baseline_accuracy(evaluation, "tfidf"),
        f"{points(gain.difference.value)} ({p_cell(gain.p)})",
        _baseline_accuracy(evaluation, "probe"),
        f"{WORTH_CELLS[probe.outcome]}, {points(probe.difference.value)}"
        if probe.outcome in WORTH_CELLS
        else probe.outcome,
        SHORT_TITLES[choose_model(evaluation)],
    )


def _baseline_accuracy(evaluation: Document, baseline: str) -> str:
    return share(read_estimate(evaluation["baselines"][baseline]["accuracy"]).value)


def _format_share(estimate: Estimate) -> str:
    return share_and_interval(estimate.value, estimate.low, estimate.high)


def _task_section(task: Task, study: Document | None) -> str:
    evaluation, best, device = task.evaluation, task.history["best"], task.history["device"]
    decision = evaluation["decision"]
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
            "".join(f"- {advice.subject}: {advice.text}\n" for advice in advise(task, study, quote=escape_markdown)),
            markdown_table(("Class", "Precision", "Recall", "F1", "Test rows"), rows, right=range(1, 5)),
            _describe_detectable_drop(evaluation),
            *([f"{describe_decision(decision, quote=escape_markdown)}\n"] if decision else []),
            f"Macro-F1 {_format_share(read_estimate(evaluation['model']['macro_f1']))}. "
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
