"""inspect: examples, features -> suspects, the examples whose labels a person should look at."""

from pipeline.core.document import Document
from pipeline.core.files import publish, write_json
from pipeline.core.progress import show_progress
from pipeline.core.stage import Gate, In, Out
from pipeline.core.tables import read_arrow, read_parquet
from pipeline.evaluate.baselines import Baselines
from pipeline.inspection.table import format_table
from pipeline.settings.task import TaskParams


def run(
    params: TaskParams, kind: Baselines, *, examples: In, findings: Gate, features: In, inspection: Out, suspects: Out
) -> None:
    """Rank the suspicious examples of all splits, none if their kind has no search for them.

    `suspects` is the table in which a person corrects them.
    """
    table = read_parquet(examples)
    summary: Document = {"rows": table.num_rows, "agreement": None, "suspicious": 0, "reasons": {}}
    listed: list[Document] = []
    if kind.inspect is not None:
        with show_progress(table.num_rows, "example") as done:
            summary, listed = kind.inspect(params, table, read_arrow(features), done)
    write_json(inspection, {"task": params.task, **summary, "suspects": listed})
    with publish(suspects) as partial:
        partial.write_text(format_table(listed), encoding="utf-8", newline="")
    counts = ", ".join(f"{count} {reason}" for reason, count in summary["reasons"].items())
    print(f"{summary['suspicious']} of {table.num_rows} examples are suspicious: {counts}")
