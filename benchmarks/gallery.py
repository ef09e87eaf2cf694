"""The gallery in its own clone, which shares DVC's cache: one page of every kind of task beside its strongest rival.

Its results go to gallery.json, and from there to gallery.md.
"""

import datetime
from pathlib import Path

from benchmarks.study import lay_profiles, reproduce, update_clone
from benchmarks.table import describe_machine
from pipeline.core.document import Document
from pipeline.core.files import publish, read_json, write_json
from pipeline.core.format import (
    count,
    escape_markdown,
    markdown_table,
    p_cell,
    percent,
    share_and_interval,
)
from pipeline.core.stage import load_facets
from pipeline.evaluate.estimate import REAL_GAIN, REAL_LOSS, UNMEASURED, UNPROVEN
from pipeline.evaluate.kind import BaselineName, Metric
from pipeline.report.kind import Page
from pipeline.report.verdict import format_difference, format_ends, read_estimate, read_gain

CLONE, DOCS, PROFILE = Path(".gallery"), Path("docs"), Path("profiles/gallery")
HEADER = (
    "Kind",
    "Task",
    "Data",
    "Test rows",
    "Metric",
    "Fine-tuned",
    "Rival",
    "Its value",
    "Difference",
    "p",
    "Verdict",
)
VERDICTS = {
    REAL_GAIN: "fine-tuning is better",
    REAL_LOSS: "**the rival is better**",
    UNPROVEN: "no difference is proven",
    UNMEASURED: "not compared",
}
ABOUT = """# Gallery

`make gallery` runs the tasks of params.yaml and of profiles/gallery, at least one of each kind, and writes this
page."""
LEGEND = """The metric is the first of the kind. The rival is the better one, on these test rows, of the cheap baseline
and the probe on the frozen encoder, so the choice favours it. Brackets hold {levels} confidence intervals. A difference
is the model minus its rival on the same rows, in points (0.01) if the metric is a share; p is of the paired test,
McNemar's or a bootstrap. One of the two is better if the interval of the difference excludes 0 and p is below one minus
the confidence. [How a difference is proven](explanation/statistics.md), [the kinds](how-to/kinds.md)."""


def collect(data: Path) -> list[Document]:
    """Return the comparison of each task of a finished run, by kind, tasks of a kind in the order of params.yaml.

    Raises:
        EnvironmentFault: A document is missing.
    """
    pages, kinds = load_facets("page"), read_json(data / "params.json")["kinds"]
    order = list(pages)
    return [
        compare_task(
            kinds[name],
            pages[kinds[name]],
            read_json(data / f"intake/{name}.json"),
            read_json(data / f"evaluation/{name}.json"),
        )
        for name in sorted(kinds, key=lambda name: order.index(kinds[name]))
    ]


def compare_task(kind: str, page: Page, intake: Document, evaluation: Document) -> Document:
    """Return the headline metric of a task beside that of its strongest rival, and their difference."""
    metric, rival = page.name_for(evaluation["labels"]).headline, find_strongest(page, evaluation)
    comparison = next(row for row in evaluation["comparisons"] if row["against"] == rival.name)
    gain = read_gain(comparison, metric, evaluation["confidence"])
    return {
        "kind": kind,
        "task": evaluation["task"],
        "data": intake["file"],
        "rows": evaluation["rows"],
        "confidence": evaluation["confidence"],
        "metric": metric._asdict(),
        "model": read_estimate(evaluation["model"][metric.name])._asdict(),
        "rival": {"title": rival.short, **read_estimate(evaluation["baselines"][rival.name][metric.name])._asdict()},
        "difference": {**gain.difference._asdict(), "p": gain.p, "outcome": gain.outcome},
    }


def find_strongest(page: Page, evaluation: Document) -> BaselineName:
    """Return the better of the cheap baseline and the probe on the test rows, the first of equals."""
    metric, (cheap, probe, *_) = page.headline, page.baselines

    def score(rival: BaselineName) -> float:
        value = read_estimate(evaluation["baselines"][rival.name][metric.name]).value
        return float("-inf") if value is None else metric.better * value

    return max((rival for rival in (cheap, probe) if rival), key=score)


def render_page(gallery: Document) -> str:
    """Return the gallery as Markdown, from its document alone."""
    rows = gallery["tasks"]
    levels = ", ".join(percent(level) for level in sorted({row["confidence"] for row in rows}))
    table = markdown_table(HEADER, [_row(row) for row in rows], right=(3, 5, 7, 8, 9))
    return "\n\n".join([ABOUT, escape_markdown(gallery["made"]), table.rstrip(), LEGEND.format(levels=levels)]) + "\n"


def _row(row: Document) -> tuple[str, ...]:
    metric, difference = Metric(**row["metric"]), read_estimate(row["difference"])
    return (
        row["kind"],
        escape_markdown(row["task"]),
        escape_markdown(row["data"]),
        count(row["rows"]),
        metric.title,
        _format_value(row["model"]),
        row["rival"]["title"],
        _format_value(row["rival"]),
        f"{format_difference(metric, difference.value)} {format_ends(metric, difference)}".rstrip(),
        p_cell(row["difference"]["p"]),
        VERDICTS[row["difference"]["outcome"]],
    )


def write_documents(docs: Path, gallery: Document) -> None:
    """Write gallery.json, and the page made from it."""
    write_json(docs / "gallery.json", gallery)
    with publish(docs / "gallery.md") as partial:
        partial.write_text(render_page(gallery), encoding="utf-8")


def _format_value(raw: Document) -> str:
    return share_and_interval(raw["value"], raw["low"], raw["high"])


def main() -> None:
    """Run the gallery and write its documents."""
    update_clone(Path.cwd(), CLONE)
    lay_profiles(CLONE, PROFILE)
    reproduce(CLONE, "report")
    made = f"{datetime.datetime.now(tz=datetime.UTC).date()}, {describe_machine()}."
    write_documents(DOCS, {"made": made, "tasks": collect(CLONE / "data")})
    print(f"the gallery: {DOCS / 'gallery.md'}; its whole report: {CLONE / 'data/report.html'}")


if __name__ == "__main__":
    main()
