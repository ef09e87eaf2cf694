"""The results as GitHub Markdown: numbers, class names and titles of checks, and no text of the data."""

from collections.abc import Mapping, Sequence

from pipeline.compare import POWER
from pipeline.paired import smallest_drop
from pipeline.render import (
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
from pipeline.verdict import (
    REAL_GAIN,
    REAL_LOSS,
    UNPROVEN,
    Document,
    Measure,
    Task,
    gain,
    levels,
    measure,
    tally,
    verdict,
    warnings,
    worth,
)

WORTH = {REAL_GAIN: "pays", REAL_LOSS: "does harm", UNPROVEN: "not proven to pay"}
DIFFERING = 0.05  # of the test rows: about what two trainings of one thing judge differently


def results_table(evaluations: Sequence[Document]) -> str:
    """Return the overview: one row a task with accuracy, macro-F1, and what is gained over TF-IDF and the probe."""
    header = ("Task", "Classes", "Test rows", "Accuracy", "Macro-F1")
    against = ("TF-IDF", "Gain (points)", "p", "Verdict", "Probe", "Over it (points)", "p", "Fine-tuning")
    return markdown_table(
        (*header, *against), [_result(one) for one in evaluations], right=(*range(1, 8), *range(9, 12))
    )


def summary_markdown(title: str, tasks: Sequence[Task]) -> str:
    """Return the whole summary: the overview, then a section a task."""
    parts = [f"# {escape_markdown(title)}\n", results_table([task.evaluation for task in tasks])]
    if tasks:
        parts.append(_note(levels([task.evaluation for task in tasks])))
    return "\n".join([*parts, *map(_section, tasks)])


def _note(intervals: str) -> str:
    return (
        f"Brackets hold {escape_markdown(intervals)} intervals. TF-IDF is the accuracy of TF-IDF + logistic regression "
        "on the same test rows, Probe that of a linear probe on the features of the frozen encoder; a gain is the "
        "model's accuracy minus the one before it, and p is of McNemar's test.\n"
    )


def _result(evaluation: Document) -> tuple[str, ...]:
    model = evaluation["model"]
    return (
        escape_markdown(evaluation["task"]),
        count(len(evaluation["labels"])),
        count(evaluation["rows"]),
        _measured(measure(model["accuracy"])),
        _measured(measure(model["macro_f1"])),
        *_against(evaluation, "tfidf", {}),
        *_against(evaluation, "probe", WORTH),
    )


def _against(evaluation: Document, name: str, words: Mapping[str, str]) -> tuple[str, ...]:
    """Return the cells about a baseline: its accuracy, the gain over it, p, and what that means."""
    found = gain(evaluation, name)
    baseline, difference = measure((evaluation["baselines"].get(name) or {}).get("accuracy")), found.difference
    return (
        share(baseline.value),
        f"{points(difference.value)} {points_interval(difference.low, difference.high)}".rstrip(),
        p_value(found.p).replace("<", "&lt;"),
        words.get(found.outcome, found.outcome),
    )


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
