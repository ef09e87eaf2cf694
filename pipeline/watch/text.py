"""The comparison of a file as Markdown: a table of the numbers, and what to know about them."""

from collections.abc import Iterator

from pipeline.classes.measures import METRICS
from pipeline.core.document import Document
from pipeline.core.format import (
    count,
    escape_markdown,
    interval,
    markdown_table,
    p_cell,
    p_phrase,
    percent,
    share,
    share_and_interval,
    signed,
)

_METRIC_TITLES = {metric.name: metric.title for metric in METRICS}
_TITLES: dict[str, tuple[str, str]] = {
    "length": ("tokens, median", "KS distance"),
    "truncated": ("texts cut", "rise"),
    "unknown": ("characters unknown", "rise"),
    "classes": ("share of the commonest class", "total variation of all"),
    "confidence": ("largest probability, median", "KS distance"),
    "unsure": ("answers unsure", "rise"),
    "domain": ("told apart by its features", "AUC"),
    "accuracy": ("accuracy", "drop"),
}


def render_watch(document: Document) -> str:
    """Return the document of `watch` as Markdown."""
    return "\n".join(_sections(document))


def _sections(document: Document) -> Iterator[str]:
    rows = document["rows"]
    yield f"# {document['task']}: a file against the test split\n"
    yield (
        f"{count(rows['compared'])} of {count(rows['new'])} new texts in {count(rows['all'])} rows, against "
        f"{count(rows['reference'])} test texts. Left out: {count(rows['repeated'])} repeats, "
        f"{count(rows['trained_on'])} rows that the model was trained on, {count(rows['rejected'])} without a text.\n"
    )
    yield _number_table(document["numbers"])
    exceeded = [name for name, number in document["numbers"].items() if number["passed"]]
    yield f"**Limits exceeded: {', '.join(exceeded)}.**\n" if exceeded else "No limit is exceeded.\n"
    yield _class_table(document["classes"])
    if document["quality"] is not None:
        yield _quality_table(document["quality"])
    if document["against"] is not None:
        yield _describe_models(document["revision"], document["against"])
    for note in document["notes"]:
        yield f"- {escape_markdown(note)}"


def _number_table(numbers: Document) -> str:
    header = ("number", "", "test", "file", "distance", "limit", "p (Holm)", "")
    rows = [
        (
            name, _TITLES[name][0], share(own["reference"]), share(own["file"]),
            f"{share(own['value'])} {_TITLES[name][1]} {interval(own['low'], own['high'])}".rstrip(),
            share(own["limit"]), p_cell(own["adjusted"]), "**exceeded**" if own["passed"] else "",
        )
        for name, own in numbers.items()
    ]  # fmt: skip
    return markdown_table(header, rows, right=(2, 3, 5, 6))


def _class_table(classes: Document) -> str:
    rows = [(escape_markdown(label), share(own["test"]), share(own["file"])) for label, own in classes.items()]
    return markdown_table(("class answered", "test", "file"), rows, right=(1, 2))


def _quality_table(quality: Document) -> str:
    rows = [
        (_METRIC_TITLES[name], _estimate(quality["test"][name]), _estimate(quality["file"][name]))
        for name in quality["test"]
    ]
    return markdown_table((f"metric ({count(quality['rows'])} labelled rows)", "test", "file"), rows)


def _estimate(own: Document) -> str:
    return share_and_interval(own["value"], own["low"], own["high"])


def _describe_models(revision: str, against: Document) -> str:
    lines = [f"The model of {escape_markdown(revision)} gives the same class to {percent(against['alike'])} of them."]
    for name, own in (against["metrics"] or {}).items():
        change = f"{signed(own['difference'])} {interval(own['low'], own['high'])}".rstrip()
        lines.append(f"- {_METRIC_TITLES[name]}: {share(own['base'])} → {share(own['head'])}, {change}, {_p(own)}")
    return "\n".join([*lines, ""])


def _p(own: Document) -> str:
    return p_phrase(own["p_value"]).replace("<", "&lt;")
