"""The results as GitHub Markdown: numbers, class names and titles of checks, and no text of the data."""

from collections.abc import Sequence

from pipeline.core.document import Document
from pipeline.core.format import (
    count,
    escape_markdown,
    interval,
    markdown_table,
    p_value,
    percent,
    points,
    points_interval,
    share,
)
from pipeline.evaluate.mcnemar import POWER
from pipeline.evaluate.outcome import REAL_GAIN, REAL_LOSS, UNPROVEN, Measure
from pipeline.evaluate.paired import smallest_drop
from pipeline.report.study import markdown
from pipeline.report.verdict import Gain, Task, gain, levels, measure, tally, verdict, warnings, worth

WORTH = {REAL_GAIN: "pays", REAL_LOSS: "does harm", UNPROVEN: "not proven"}
DIFFERING = 0.05  # of the test rows: about what two trainings of one thing judge differently


def results_table(evaluations: Sequence[Document]) -> str:
    """Return the overview: one row a task with accuracy, macro-F1, and what is gained over TF-IDF and the probe."""
    header = ("Task", "Classes", "Test rows", "Accuracy", "Macro-F1", "TF-IDF", "Gain (points)", "p", "Verdict",
              "Probe", "Fine-tuning")  # fmt: skip
    return markdown_table(header, [_result(one) for one in evaluations], right=(*range(1, 8), 9))


def summary_markdown(
    title: str, tasks: Sequence[Task], transfer: Document | None = None, encoders: Sequence[Document] = ()
) -> str:
    """Return the whole summary: the overview, the study (None where there is none), a section a task, the encoders."""
    parts = [f"# {escape_markdown(title)}\n", results_table([task.evaluation for task in tasks])]
    if tasks:
        parts.append(_note(levels([task.evaluation for task in tasks])))
    study = [markdown(transfer)] if transfer else []
    last = [encoders_table(encoders)] if encoders else []
    return "\n".join([*parts, *study, *map(_section, tasks), *last])


def encoders_table(encoders: Sequence[Document]) -> str:
    """Return what each pretrained encoder knows of held-out documents, and what frequencies alone give."""
    header = (
        "Encoder",
        "Perplexity",
        "by chance",
        "Words right",
        "by chance",
        "Pairs right",
        "by chance",
        "Replaced found",
    )
    rows = []
    for one in encoders:
        best, known = one["best"], one["chance"]
        surprise = (f"{best['perplexity']:.1f}", f"{known['perplexity']:.1f}")
        right = (share(found[key]) for key in ("accuracy", "pair_accuracy") for found in (best, known))
        rows.append((escape_markdown(one["encoder"]), *surprise, *right, share(best["found_accuracy"])))
    return f"## Pretrained encoders\n\n{markdown_table(header, rows, right=range(1, 8))}"


def _note(intervals: str) -> str:
    return (
        f"Brackets hold {escape_markdown(intervals)} intervals. TF-IDF is the accuracy of TF-IDF + logistic regression "
        "on the same test rows; the gain is the model's accuracy minus it, and p is of McNemar's test. Probe is the "
        "accuracy of a linear probe on the features of the frozen encoder; fine-tuning pays where it gains over that.\n"
    )


def _result(evaluation: Document) -> tuple[str, ...]:
    model, found, probe = evaluation["model"], gain(evaluation), gain(evaluation, "probe")
    return (
        escape_markdown(evaluation["task"]),
        count(len(evaluation["labels"])),
        count(evaluation["rows"]),
        _measured(measure(model["accuracy"])),
        _measured(measure(model["macro_f1"])),
        _accuracy(evaluation, "tfidf"),
        _gained(found),
        p_value(found.p).replace("<", "&lt;"),
        found.outcome,
        _accuracy(evaluation, "probe"),
        f"{WORTH[probe.outcome]}: {_gained(probe)}" if probe.outcome in WORTH else probe.outcome,
    )


def _accuracy(evaluation: Document, baseline: str) -> str:
    return share(measure((evaluation["baselines"].get(baseline) or {}).get("accuracy")).value)


def _gained(found: Gain) -> str:
    difference = found.difference
    return f"{points(difference.value)} {points_interval(difference.low, difference.high)}".rstrip()


def _measured(found: Measure) -> str:
    return f"{share(found.value)} {interval(found.low, found.high)}".rstrip()


def _section(task: Task) -> str:
    evaluation, best = task.evaluation, task.history["best"]
    rows = [
        (escape_markdown(row["label"]), *(share(measure(row[key]).value) for key in ("precision", "recall", "f1")),
         count(row["support"]))
        for row in evaluation["model"]["classes"]
    ]  # fmt: skip
    return "\n".join(
        (
            f"## {escape_markdown(task.name)}\n",
            f"{verdict(evaluation, quote=escape_markdown)}\n",
            f"{worth(evaluation, quote=escape_markdown)}\n",
            markdown_table(("Class", "Precision", "Recall", "F1", "Test rows"), rows, right=range(1, 5)),
            _foresight(evaluation),
            f"Best step {count(best['step'])} of {count(task.history['steps'])}, {escape_markdown(_device(task))}. "
            f"Checks of the data: {tally(task.findings)}.\n",
            *_warnings(task),
        )
    )


def _foresight(evaluation: Document) -> str:
    """Return what these test rows can show of a later change: the smallest drop that a gate would see."""
    level = 1 - evaluation["confidence"]
    smallest = smallest_drop((DIFFERING / evaluation["rows"]) ** 0.5, largest=0.0, level=level)
    return (
        f"A later model that judges {percent(DIFFERING)} of the test rows differently shows as worse from a drop of "
        f"{points(smallest).lstrip('+')} points on (one-sided level {percent(level)}, power {percent(POWER)}).\n"
    )


def _device(task: Task) -> str:
    device = task.history["device"]
    return f"{device['device']}, {device['precision']}"


def _warnings(task: Task) -> list[str]:
    lines = [
        f"- {check['severity']}: {escape_markdown(check['title'])} ({count(check['count'])})\n"
        for check in warnings(task.findings)
    ]
    return ["".join(lines)] if lines else []
