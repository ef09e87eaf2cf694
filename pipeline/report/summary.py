"""The results as GitHub Markdown: numbers, class names and titles of checks, but no text of the data."""

from collections.abc import Sequence

from pipeline.core.document import Document
from pipeline.core.format import ABSENT, count, escape_markdown, markdown_table, p_cell, share, share_and_interval
from pipeline.evaluate.estimate import REAL_GAIN, REAL_LOSS, UNPROVEN, Estimate
from pipeline.evaluate.kind import BaselineName
from pipeline.report.advice import advise, name_choice
from pipeline.report.identity import identify_results
from pipeline.report.kind import Advice, Task
from pipeline.report.study import studies_by_task, study_markdown
from pipeline.report.verdict import (
    capitalize,
    describe_checks,
    describe_confidence,
    describe_headline,
    describe_suspects,
    describe_worth,
    failed_checks,
    format_difference,
    headline_gain,
    read_estimate,
)
from pipeline.report.words import SharedWords, share_words

WORTH_CELLS = {REAL_GAIN: "yes", REAL_LOSS: "no", UNPROVEN: "not proven"}


def results_table(tasks: Sequence[Task]) -> str:
    """Return the overview: a row per task with its headline metric, the gains over its baselines, the model to take."""
    words = share_words(tasks)
    header = ("Task", "Test rows", capitalize(words.headline), words.cheap, "Gain (p)", "Probe", "Fine-tuning pays?",
              "Take")  # fmt: skip
    return markdown_table(header, [_result_row(task, words) for task in tasks], right=range(1, 6))


def summary_markdown(
    title: str, tasks: Sequence[Task], transfer: Document | None = None, encoders: Sequence[Document] = ()
) -> str:
    """Return the whole summary: the overview, what to do next, a section per task, the study, the encoders.

    `transfer` is None if there is no study.
    """
    evaluations = [task.evaluation for task in tasks]
    parts = [f"# {escape_markdown(title)}\n", results_table(tasks)]
    if tasks:
        parts.append(_explain(share_words(tasks), describe_confidence(evaluations)))
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


def _explain(words: SharedWords, confidence: str) -> str:
    return (
        f"Brackets hold {escape_markdown(confidence)} confidence intervals. {words.cheap} is the {words.headline} of "
        f"{words.cheap_title} on the same test rows; the gain is the model's {words.headline} minus that, "
        f"{words.unit}, and p is from {words.test}. {_explain_probe(words)}Take the cheapest, unless a dearer one is "
        "proven better.\n"
    )


def _explain_probe(words: SharedWords) -> str:
    if not words.probe:
        return ""
    return (
        f"Probe is the {words.headline} of a linear probe on the features of the frozen encoder; fine-tuning pays if "
        "its gain over the probe is real. "
    )


def _result_row(task: Task, words: SharedWords) -> tuple[str, ...]:
    metric, (cheap, probe, *_) = task.page.headline, task.page.baselines
    gain, worth = headline_gain(task, cheap), headline_gain(task, probe)
    value = _format_share(read_estimate(task.evaluation["model"][metric.name]))
    return (
        escape_markdown(task.name),
        count(task.evaluation["rows"]),
        value if words.headline == metric.title else f"{metric.title} {value}",
        _baseline_value(task, cheap),
        f"{format_difference(metric, gain.difference.value)} ({p_cell(gain.p)})",
        _baseline_value(task, probe),
        f"{WORTH_CELLS[worth.outcome]}, {format_difference(metric, worth.difference.value)}"
        if worth.outcome in WORTH_CELLS
        else worth.outcome,
        name_choice(task),
    )


def _baseline_value(task: Task, baseline: BaselineName | None) -> str:
    if baseline is None:
        return ABSENT
    return share(read_estimate(task.evaluation["baselines"][baseline.name][task.page.headline.name]).value)


def _format_share(estimate: Estimate) -> str:
    return share_and_interval(estimate.value, estimate.low, estimate.high)


def _task_section(task: Task, study: Document | None) -> str:
    evaluation, best, device = task.evaluation, task.history["best"], task.history["device"]
    machine = f"{device['device']}, {device['precision']}"
    others = [metric for metric in task.page.metrics[1:] if metric.compared]
    values = [
        f"{capitalize(metric.title)} {_format_share(read_estimate(evaluation['model'][metric.name]))}. "
        for metric in others
    ]
    return "\n".join(
        (
            f"## {escape_markdown(task.name)}\n",
            f"{describe_headline(task, quote=escape_markdown)}\n",
            *([f"{describe_worth(task, quote=escape_markdown)}\n"] if task.page.baselines.probe else []),
            "".join(_list_item(advice) for advice in advise(task, study, quote=escape_markdown)),
            *task.page.summarize(task),
            f"{''.join(values)}"
            f"Best step {count(best['step'])} of {count(task.history['steps'])}, "
            f"{escape_markdown(machine)}. "
            f"Checks of the data: {describe_checks(task.findings)}.\n",
            *_list_failed_checks(task),
            *([f"{describe_suspects(task.inspection)}\n"] if task.inspection["reasons"] else []),
        )
    )


def _list_item(advice: Advice) -> str:
    command = f" `{' && '.join(advice.commands)}`" if advice.commands else ""
    return f"- {advice.subject}: {advice.text}{command}\n"


def _list_failed_checks(task: Task) -> list[str]:
    lines = [
        f"- {check['severity']}: {escape_markdown(check['title'])} ({count(check['count'])})\n"
        for check in failed_checks(task.findings)
    ]
    return ["".join(lines)] if lines else []
